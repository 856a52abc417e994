/* However a chunked body is cut into pieces, it decodes to the same bytes and ends at the same
 * place; and what is encoded again decodes to the same. */
#include "driver/fuzz.h"

#include "wire/http.h"

static const struct http_limits limits = { .head = 4096, .line = 1024, .fields = 32 };

/* -1 refused, 0 unfinished, else the length with trailers. */
static ssize_t decode(struct slice in, size_t step, struct str *body)
{
	struct http_chunked chunked = HTTP_CHUNKED_INIT;
	static struct http_fields trailers;
	enum wire_fault fault = WIRE_FINE;
	size_t at = 0, have = 0, seen = 0;

	while (have < in.n) {
		have = have + step < in.n ? have + step : in.n;
		while (at < have && chunked.state != HTTP_CHUNK_TRAILERS) {
			struct slice data;
			ssize_t n = http_chunked_take(&chunked, slice_cut(in, at, have), &data, &fault);

			if (n < 0)
				return -1;
			must(n > 0 && (size_t)n <= have - at);
			must(data.n == 0 || (data.at >= in.at + at && data.at + data.n == in.at + at + n));
			str_addn(body, data.at, data.n);
			at += (size_t)n;
		}
		if (chunked.state != HTTP_CHUNK_TRAILERS)
			continue;
		struct slice rest = slice_cut(in, at, have);
		ssize_t end = http_head_end(rest, &seen, &limits, &fault);
		if (end < 0)
			return -1;
		if (end > 0 &&
		    http_trailers_parse(slice_cut(rest, 0, (size_t)end), &limits, &trailers, &fault) < 0)
			return -1;
		if (end > 0)
			return (ssize_t)at + end;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice in = { (const char *)bytes, n };
	own_str struct str whole = STR_INIT, pieces = STR_INIT, again = STR_INIT, encoded = STR_INIT;
	ssize_t end = decode(in, n ? n : 1, &whole);
	char head[HTTP_CHUNK_HEAD];

	must(decode(in, 1, &pieces) == end);
	must(whole.len == pieces.len && (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0));
	if (end <= 0)
		return 0;
	if (whole.len) {
		str_addn(&encoded, head, http_chunk_head(whole.len, head));
		str_addn(&encoded, whole.data, whole.len);
		str_add(&encoded, "\r\n");
	}
	str_add(&encoded, "0\r\n\r\n");
	must(decode((struct slice){ encoded.data, encoded.len }, 3, &again) == (ssize_t)encoded.len);
	must(again.len == whole.len && (whole.len == 0 || memcmp(again.data, whole.data, whole.len) == 0));
	return 0;
}
