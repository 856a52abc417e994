#pragma once
/* The body of a message: read piece by piece as its framing says, and written in a framing of
 * our own, so that nothing of the other side's framing is passed on. */
#include "egress/buffer.h"
#include "wire/http.h"

struct body {
	enum http_framing framing;
	uint64_t left; /* of HTTP_LENGTH */
	struct http_chunked chunked;
	size_t pending; /* of a chunk's piece: shown, and not used yet */
	size_t seen;    /* of the trailer section */
	bool done;
	uint64_t bytes; /* of content that came */
};

enum body_step { BODY_MORE, BODY_PIECE, BODY_END, BODY_BAD };

void body_begin(struct body *b, enum http_framing framing, uint64_t length);
/* Looks at the front of @in. BODY_PIECE: @piece is content and stands in @in; what was
 * used of it goes with body_used(). BODY_END: over; the trailers, where there are any, stand
 * in @trailers until the next call. @eof: nothing will be added to @in. */
enum body_step body_next(struct body *b, struct buffer *in, bool eof, const struct http_limits *limits,
                         struct slice *piece, struct http_fields *trailers, enum wire_fault *fault);
void body_used(struct body *b, struct buffer *in, size_t n);

/* Content in that framing; an empty piece writes nothing. */
void body_write(enum http_framing framing, struct slice piece, struct buffer *out);
void body_write_end(enum http_framing framing, const struct http_fields *trailers, struct buffer *out);
