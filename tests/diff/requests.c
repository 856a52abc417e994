/* Reads one connection's bytes from standard input as the gateway would, and prints every
 * request that was accepted as one line of JSON, the body's bytes counted and hashed. Ends with
 * {"end":"…"}: "clean", "unfinished", or the word of the refusal. */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "wire/http.h"

static const struct http_limits limits = { .head = 16000, .line = 8000, .fields = 100 };

static json *text_of(struct slice s)
{
	own_str struct str hex = STR_INIT;

	hex_encode(&hex, s.at, s.n);
	return json_of_string(str_c(&hex));
}

static void print_request(const struct http_request *r, const struct str *body)
{
	own_json json *j = json_object_of();
	own_str struct str line = STR_INIT;
	json *fields = json_array_of();
	char digest[SHA256_TEXT];

	for (size_t i = 0; i < r->fields.n; i++) {
		json_push(fields, text_of(r->fields.at[i].name));
		json_push(fields, text_of(r->fields.at[i].value));
	}
	json_set(j, "method", text_of(r->method));
	json_set(j, "target", text_of(r->target));
	json_set(j, "fields", fields);
	json_set_int(j, "body", (int64_t)body->len);
	sha256_text(str_c(body), body->len, digest);
	json_set_string(j, "sha256", digest);
	json_print(j, &line);
	puts(str_c(&line));
}

/* Takes the body behind a head; the bytes used, 0 for "not all there", -1 refused. */
static ssize_t read_body(const struct http_request *r, struct slice in, struct str *body,
                         enum wire_fault *fault)
{
	struct http_chunked chunked = HTTP_CHUNKED_INIT;
	static struct http_fields trailers;
	size_t at = 0, seen = 0;

	if (r->framing != HTTP_CHUNKED) {
		if (in.n < r->length)
			return -2;
		str_addn(body, in.at, r->length);
		return (ssize_t)r->length;
	}
	while (at < in.n && chunked.state != HTTP_CHUNK_TRAILERS) {
		struct slice data;
		ssize_t n = http_chunked_take(&chunked, slice_cut(in, at, in.n), &data, fault);

		if (n < 0)
			return -1;
		str_addn(body, data.at, data.n);
		at += (size_t)n;
	}
	if (chunked.state != HTTP_CHUNK_TRAILERS)
		return -2;
	ssize_t end = http_head_end(slice_cut(in, at, in.n), &seen, &limits, fault);
	if (end < 0 || (end > 0 && http_trailers_parse(slice_cut(in, at, at + (size_t)end), &limits,
	                                               &trailers, fault) < 0))
		return -1;
	return end ? (ssize_t)at + end : -2;
}

static const char *read_all(struct slice in)
{
	static struct http_request r;
	enum wire_fault fault = WIRE_FINE;

	for (size_t at = 0; at < in.n;) {
		own_str struct str body = STR_INIT;
		size_t seen = 0;
		ssize_t n = http_head_end(slice_cut(in, at, in.n), &seen, &limits, &fault);

		if (n == 0)
			return "unfinished";
		if (n < 0 || http_request_parse(slice_cut(in, at, at + (size_t)n), &limits, &r, &fault) < 0)
			return wire_fault_word(fault);
		at += (size_t)n;
		ssize_t taken = read_body(&r, slice_cut(in, at, in.n), &body, &fault);
		if (taken == -2)
			return "unfinished";
		if (taken < 0)
			return wire_fault_word(fault);
		at += (size_t)taken;
		print_request(&r, &body);
		if (r.form == HTTP_AUTHORITY_FORM || r.upgrade.n)
			return "tunnel";
		if (!r.keep_alive)
			return "closed";
	}
	return "clean";
}

int main(void)
{
	own_str struct str in = STR_INIT;
	struct err err = ERR_INIT;

	if (file_read_fd(STDIN_FILENO, "standard input", 1 << 20, &in, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("{\"end\":\"%s\"}\n", read_all((struct slice){ in.data, in.len }));
	return 0;
}
