#include "egress/body.h"

#include "base/banned.h"

void body_begin(struct body *b, enum http_framing framing, uint64_t length)
{
	*b = (struct body){ .framing = framing, .left = length, .chunked = HTTP_CHUNKED_INIT };
	b->done = framing == HTTP_NO_BODY || (framing == HTTP_LENGTH && length == 0);
}

static enum body_step end_of_chunks(struct body *b, struct buffer *in, const struct http_limits *limits,
                                    struct http_fields *trailers, enum wire_fault *fault)
{
	ssize_t n = http_head_end(buffer_view(in), &b->seen, limits, fault);

	if (n == 0)
		return BODY_MORE;
	if (n < 0 ||
	    http_trailers_parse(slice_cut(buffer_view(in), 0, (size_t)n), limits, trailers, fault) != 0)
		return BODY_BAD;
	/* Taking moves no bytes: the trailers' slices stay good until something is added. */
	buffer_take(in, (size_t)n);
	b->done = true;
	return BODY_END;
}

static enum body_step next_chunk(struct body *b, struct buffer *in, const struct http_limits *limits,
                                 struct slice *piece, struct http_fields *trailers, enum wire_fault *fault)
{
	if (b->pending) {
		*piece = slice_cut(buffer_view(in), 0, b->pending);
		return BODY_PIECE;
	}
	while (buffer_len(in) > 0 && b->chunked.state != HTTP_CHUNK_TRAILERS) {
		ssize_t n = http_chunked_take(&b->chunked, buffer_view(in), piece, fault);
		if (n < 0)
			return BODY_BAD;
		if (piece->n) {
			/* Framing in front of the piece goes now, the piece when it was used. */
			buffer_take(in, (size_t)(piece->at - buffer_view(in).at));
			b->pending = piece->n;
			return BODY_PIECE;
		}
		buffer_take(in, (size_t)n);
		if (n == 0)
			break;
	}
	if (b->chunked.state == HTTP_CHUNK_TRAILERS)
		return end_of_chunks(b, in, limits, trailers, fault);
	return BODY_MORE;
}

enum body_step body_next(struct body *b, struct buffer *in, bool eof, const struct http_limits *limits,
                         struct slice *piece, struct http_fields *trailers, enum wire_fault *fault)
{
	trailers->n = 0;
	if (b->done)
		return BODY_END;
	if (b->framing == HTTP_CHUNKED)
		return next_chunk(b, in, limits, piece, trailers, fault);
	*piece = buffer_view(in);
	if (b->framing == HTTP_LENGTH && piece->n > b->left)
		piece->n = (size_t)b->left;
	if (piece->n)
		return BODY_PIECE;
	if (b->framing == HTTP_UNTIL_CLOSE && eof) {
		b->done = true;
		return BODY_END;
	}
	return BODY_MORE;
}

void body_used(struct body *b, struct buffer *in, size_t n)
{
	buffer_take(in, n);
	b->bytes += n;
	if (b->framing == HTTP_CHUNKED)
		b->pending -= n;
	if (b->framing != HTTP_LENGTH)
		return;
	b->left -= n;
	b->done = b->left == 0;
}

void body_write(enum http_framing framing, struct slice piece, struct buffer *out)
{
	char head[HTTP_CHUNK_HEAD];

	if (piece.n == 0 || framing == HTTP_NO_BODY)
		return;
	if (framing == HTTP_CHUNKED)
		buffer_add(out, head, http_chunk_head(piece.n, head));
	buffer_add(out, piece.at, piece.n);
	if (framing == HTTP_CHUNKED)
		buffer_add_text(out, "\r\n");
}

void body_write_end(enum http_framing framing, const struct http_fields *trailers, struct buffer *out)
{
	own_str struct str text = STR_INIT;

	if (framing != HTTP_CHUNKED)
		return;
	buffer_add_text(out, "0\r\n");
	for (size_t i = 0; i < trailers->n; i++)
		if (!trailers->at[i].skip)
			http_field_print(trailers->at[i].name, trailers->at[i].value, &text);
	buffer_add(out, text.data, text.len);
	buffer_add_text(out, "\r\n");
}
