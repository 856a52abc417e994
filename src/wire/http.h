#pragma once
/* HTTP/1.1 heads and chunked bodies (RFC 9112), read more strictly than the RFC asks: where
 * two readers could disagree the message is refused. A parsed head is a table of slices
 * into the caller's buffer; http_*_print() writes back what was understood, never the bytes
 * that came in, so what was judged is what is sent.
 *
 * Reading a head from a growing buffer:
 *
 *	size_t seen = 0;					once per head
 *	n = http_head_end(in, &seen, &limits, &fault);		-1 refused, 0 more, else the head's length
 *	http_request_parse(slice_cut(in, 0, n), &limits, &request, &fault)
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/slice.h"
#include "base/str.h"
#include "wire/fault.h"

enum { HTTP_FIELDS_MAX = 128 };

struct http_limits {
	size_t head;   /* bytes of a whole head, or of a trailer section */
	size_t line;   /* bytes of one line of it, CRLF not counted */
	size_t fields; /* at most HTTP_FIELDS_MAX */
};
/* clang-format off */
#define HTTP_LIMITS_DEFAULT { .head = 65536, .line = 32768, .fields = 100 }
/* clang-format on */

struct http_field {
	struct slice name, value; /* as sent; blanks around the value are gone */
	/* Not sent on: hop-by-hop (named by the RFC or by Connection), Expect, or written by
	 * the printer itself (Host, Content-Length, Transfer-Encoding). A caller strips a field
	 * by setting it, and replaces a value by pointing it elsewhere. */
	bool skip;
};

struct http_fields {
	size_t n;
	struct http_field at[HTTP_FIELDS_MAX];
};

enum http_form { HTTP_ORIGIN_FORM, HTTP_ABSOLUTE_FORM, HTTP_AUTHORITY_FORM, HTTP_ASTERISK_FORM };

enum http_framing {
	HTTP_NO_BODY,
	HTTP_LENGTH, /* exactly .length bytes, which may be 0 */
	HTTP_CHUNKED,
	HTTP_UNTIL_CLOSE, /* responses only */
};

struct http_request {
	struct slice method; /* case matters */
	struct slice target; /* as sent */
	enum http_form form;
	int minor;  /* HTTP/1.minor: 0 or 1 */
	bool https; /* absolute-form with the scheme https */
	/* The one authority: of the target where it has one, else of Host; where both name one
	 * they agree. Host without port, IPv6 with its brackets; not yet canonical: see
	 * wire/host.h. Empty only for HTTP/1.0 without Host. Port -1: none written. */
	struct slice host;
	int port;
	struct slice path;  /* as sent, "/" where absolute-form has none; empty for authority-form and "*" */
	struct slice query; /* behind the "?"; has_query tells "/a?" from "/a" */
	bool has_query;
	enum http_framing framing;
	uint64_t length; /* of HTTP_LENGTH */
	bool keep_alive; /* false for HTTP/1.0, whatever it asks */
	bool expect_continue;
	struct slice upgrade; /* value of Upgrade where Connection names it, else empty */
	struct http_fields fields;
};

struct http_response {
	int minor;
	int status; /* 100 to 599 */
	struct slice reason;
	enum http_framing framing;
	uint64_t length; /* of HTTP_LENGTH; with HTTP_NO_BODY what a GET would have (has_length) */
	bool has_length;
	bool keep_alive;
	struct slice upgrade; /* as in a request */
	struct http_fields fields;
};

/* Looks for the empty line that ends a head (or a trailer section). @seen is how far earlier
 * calls looked: 0 at first. Returns the length with that line, 0 for "more bytes", -1 with
 * @fault for a bare LF, a line or a head over its limit. */
ssize_t http_head_end(struct slice in, size_t *seen, const struct http_limits *limits,
                      enum wire_fault *fault);

/* @head is exactly one head. 0, or -1 with @fault; @out is then undefined. */
int http_request_parse(struct slice head, const struct http_limits *limits, struct http_request *out,
                       enum wire_fault *fault);

/* @method is the request's: a response to HEAD has no body, nor has a 2xx to CONNECT. */
int http_response_parse(struct slice head, struct slice method, const struct http_limits *limits,
                        struct http_response *out, enum wire_fault *fault);

/* The same name to a server that reads fields as CGI variables do: case does not matter, and
 * "_" is as good as "-". For whatever must not be hidden in another spelling. */
bool http_name_equal(struct slice a, struct slice b);
static inline bool http_name_is(struct slice name, const char *wanted)
{
	struct slice other = slice_of(wanted);

	return name.n == other.n && http_name_equal(name, other);
}
/* First field of that name, whatever its .skip, or NULL. */
const struct http_field *http_field_find(const struct http_fields *fields, const char *name);
/* The field behind @after (NULL: from the start) with that name, or NULL. */
const struct http_field *http_field_next(const struct http_fields *fields, const struct http_field *after,
                                         const char *name);
/* Is @token an element of the comma-separated @list? Case does not matter. */
bool http_list_has(struct slice list, const char *token);
/* Marks every field of that name (as http_name_is()), or, where it ends with '*', that begins so.
 * Returns how many. */
size_t http_fields_strip(struct http_fields *fields, const char *name);
/* What a guest may not say to an origin: whom it speaks for (Proxy-*, Forwarded, X-Forwarded-*,
 * Via, X-Real-IP), and another host or path than the one that was judged (X-Original-*, ...). */
bool http_name_forwards(struct slice name);
/* Marks all of those. */
void http_strip_forwarding(struct http_fields *fields);
/* A value that may stand in a field: no control byte but TAB, no blank at either end. */
bool http_value_is_fine(struct slice value);

/* "METHOD target HTTP/1.1", Host, the fields without .skip, and the framing. No Connection
 * field, and no empty line yet: more fields may follow, then http_head_close(). */
void http_request_print(const struct http_request *request, struct slice target, struct slice authority,
                        struct str *out);
void http_response_print(const struct http_response *response, struct str *out);
void http_field_print(struct slice name, struct slice value, struct str *out);
void http_head_close(struct str *out);

/* ---- chunked bodies. No chunk extension is accepted, from either side: nothing uses them,
 * and parsers disagree about them. */

enum http_chunk_state {
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_SIZE_DIGITS,
	HTTP_CHUNK_SIZE_LF,
	HTTP_CHUNK_DATA,
	HTTP_CHUNK_DATA_CR,
	HTTP_CHUNK_DATA_LF,
	HTTP_CHUNK_TRAILERS, /* the last chunk was read: http_head_end() and http_trailers_parse() go on */
};

struct http_chunked {
	enum http_chunk_state state;
	unsigned digits;
	uint64_t left; /* of the present chunk */
};
/* clang-format off */
#define HTTP_CHUNKED_INIT { .state = HTTP_CHUNK_SIZE }
/* clang-format on */

/* Takes bytes from the front of @in up to and with one piece of body, which becomes @data
 * (a slice of @in, maybe empty). Returns how many were taken, -1 with @fault. Call again
 * while bytes are left and the state is not HTTP_CHUNK_TRAILERS. */
ssize_t http_chunked_take(struct http_chunked *chunked, struct slice in, struct slice *data,
                          enum wire_fault *fault);

/* @section is what http_head_end() found behind the last chunk ("\r\n" for none). Fields that
 * frame, route, authenticate or describe the body are refused in trailers. */
int http_trailers_parse(struct slice section, const struct http_limits *limits, struct http_fields *out,
                        enum wire_fault *fault);

enum { HTTP_CHUNK_HEAD = 24 };
/* "1f4\r\n" for @n bytes that follow; returns its length. The chunk ends with "\r\n", the body
 * with "0\r\n", the trailers and "\r\n". */
size_t http_chunk_head(uint64_t n, char out[HTTP_CHUNK_HEAD]);
