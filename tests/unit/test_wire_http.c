#include "test.h"

#include <string.h>

#include "wire/http.h"

/* clang-format off */
#define BYTES(s) { s, sizeof s - 1 }
/* clang-format on */

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;

static ssize_t read_request(struct slice in, struct http_request *out, enum wire_fault *fault)
{
	size_t seen = 0;
	ssize_t n = http_head_end(in, &seen, &limits, fault);

	if (n <= 0)
		return n;
	return http_request_parse(slice_cut(in, 0, (size_t)n), &limits, out, fault) < 0 ? -1 : n;
}

static void plain_requests_are_understood(void **state)
{
	(void)state;
	static const struct {
		struct slice in;
		enum http_form form;
		const char *host;
		int port;
		const char *path, *query;
		enum http_framing framing;
		uint64_t length;
		bool keep_alive;
	} cases[] = {
		{ BYTES("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), HTTP_ORIGIN_FORM, "a.test", -1, "/", "",
		  HTTP_NO_BODY, 0, true },
		{ BYTES("GET /x?y=1?z HTTP/1.1\r\nhost:\ta.test:81 \r\n\r\n"), HTTP_ORIGIN_FORM, "a.test", 81,
		  "/x", "y=1?z", HTTP_NO_BODY, 0, true },
		{ BYTES("POST http://a.test/x HTTP/1.1\r\nHost: A.test:80\r\nContent-Length: 5\r\n\r\nhello"),
		  HTTP_ABSOLUTE_FORM, "a.test", -1, "/x", "", HTTP_LENGTH, 5, true },
		{ BYTES("GET HTTP://a.test?q HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"),
		  HTTP_ABSOLUTE_FORM, "a.test", -1, "/", "q", HTTP_NO_BODY, 0, false },
		{ BYTES("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"), HTTP_AUTHORITY_FORM,
		  "a.test", 443, "", "", HTTP_NO_BODY, 0, true },
		{ BYTES("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"), HTTP_AUTHORITY_FORM, "a.test",
		  443, "", "", HTTP_NO_BODY, 0, true },
		{ BYTES("CONNECT [::1]:443 HTTP/1.0\r\n\r\n"), HTTP_AUTHORITY_FORM, "[::1]", 443, "", "",
		  HTTP_NO_BODY, 0, false },
		{ BYTES("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"), HTTP_ASTERISK_FORM, "a.test", -1, "",
		  "", HTTP_NO_BODY, 0, true },
		{ BYTES("PUT /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  HTTP_ORIGIN_FORM, "a.test", -1, "/x", "", HTTP_CHUNKED, 0, true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request r;
		enum wire_fault fault = WIRE_FINE;
		if (read_request(cases[i].in, &r, &fault) <= 0)
			fail_msg("%s: %s", cases[i].in.at, wire_fault_word(fault));
		assert_int_equal(r.form, cases[i].form);
		assert_true(slice_is(r.host, cases[i].host));
		assert_int_equal(r.port, cases[i].port);
		assert_true(slice_is(r.path, cases[i].path));
		assert_true(slice_is(r.query, cases[i].query));
		assert_int_equal(r.framing, cases[i].framing);
		assert_int_equal(r.length, cases[i].length);
		assert_int_equal(r.keep_alive, cases[i].keep_alive);
	}
}

/* Each differs from a request that is taken by just the thing it is refused for. */
static void ambiguous_requests_are_refused(void **state)
{
	(void)state;
#define H "Host: a.test\r\n"
	static const struct {
		struct slice in;
		enum wire_fault fault;
	} cases[] = {
		{ BYTES("\r\nGET / HTTP/1.1\r\n" H "\r\n"), WIRE_EMPTY_LINE },
		{ BYTES("GET / HTTP/1.1\n" H "\r\n"), WIRE_LINE_END },
		{ BYTES("GET / HTTP/1.1\r\nHost: a.test\n\r\n"), WIRE_LINE_END },
		{ BYTES("GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n"), WIRE_LINE_END },
		{ BYTES("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n"), WIRE_FIELD_VALUE },
		{ BYTES("GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n"), WIRE_FIELD_VALUE },
		{ BYTES("GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n"), WIRE_FOLDED_FIELD },
		{ BYTES("GET / HTTP/1.1\r\n " H "\r\n"), WIRE_FOLDED_FIELD },
		{ BYTES("GET / HTTP/1.1\r\nHost : a.test\r\n\r\n"), WIRE_FIELD_NAME },
		{ BYTES("GET / HTTP/1.1\r\n" H ": a\r\n\r\n"), WIRE_FIELD_NAME },
		{ BYTES("GET / HTTP/1.1\r\n" H "novalue\r\n\r\n"), WIRE_FIELD_NAME },
		{ BYTES("GET / HTTP/1.1\r\n" H "X\xc3: a\r\n\r\n"), WIRE_FIELD_NAME },
		{ BYTES("G(T / HTTP/1.1\r\n" H "\r\n"), WIRE_METHOD },
		{ BYTES("GET  / HTTP/1.1\r\n" H "\r\n"), WIRE_TARGET },
		{ BYTES("GET\t/ HTTP/1.1\r\n" H "\r\n"), WIRE_METHOD },
		{ BYTES("GET /a b HTTP/1.1\r\n" H "\r\n"), WIRE_VERSION },
		{ BYTES("GET /#x HTTP/1.1\r\n" H "\r\n"), WIRE_TARGET },
		{ BYTES("GET /\xff HTTP/1.1\r\n" H "\r\n"), WIRE_TARGET },
		{ BYTES("GET / HTTP/1.1 \r\n" H "\r\n"), WIRE_LINE_END },
		{ BYTES("GET / HTTP/1.2\r\n" H "\r\n"), WIRE_VERSION },
		{ BYTES("GET / HTTP/2.0\r\n" H "\r\n"), WIRE_VERSION },
		{ BYTES("GET / http/1.1\r\n" H "\r\n"), WIRE_VERSION },
		{ BYTES("GET /\r\n" H "\r\n"), WIRE_TARGET },
		{ BYTES("GET a.test HTTP/1.1\r\n" H "\r\n"), WIRE_TARGET },
		{ BYTES("GET * HTTP/1.1\r\n" H "\r\n"), WIRE_TARGET },
		{ BYTES("GET ftp://a.test/ HTTP/1.1\r\n" H "\r\n"), WIRE_TARGET },
		{ BYTES("GET http:///x HTTP/1.1\r\n" H "\r\n"), WIRE_HOST },
		{ BYTES("GET http://u@a.test/ HTTP/1.1\r\n" H "\r\n"), WIRE_HOST },
		{ BYTES("GET http://evil.test/ HTTP/1.1\r\n" H "\r\n"), WIRE_HOST_MISMATCH },
		{ BYTES("GET http://a.test:8080/ HTTP/1.1\r\n" H "\r\n"), WIRE_HOST_MISMATCH },
		{ BYTES("CONNECT evil.test:443 HTTP/1.1\r\n" H "\r\n"), WIRE_HOST_MISMATCH },
		{ BYTES("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:444\r\n\r\n"), WIRE_HOST_MISMATCH },
		{ BYTES("CONNECT a.test HTTP/1.1\r\n" H "\r\n"), WIRE_PORT },
		{ BYTES("CONNECT a.test:0443 HTTP/1.1\r\n" H "\r\n"), WIRE_PORT },
		{ BYTES("CONNECT /x HTTP/1.1\r\n" H "\r\n"), WIRE_HOST },
		{ BYTES("CONNECT a.test:443 HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n"),
		  WIRE_BODY_FORBIDDEN },
		{ BYTES("TRACE / HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n"), WIRE_BODY_FORBIDDEN },
		{ BYTES("GET / HTTP/1.1\r\n\r\n"), WIRE_HOST_MISSING },
		{ BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), WIRE_HOST },
		{ BYTES("GET / HTTP/1.1\r\n" H H "\r\n"), WIRE_HOST_TWICE },
		{ BYTES("GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n"), WIRE_HOST },
		{ BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), WIRE_HOST },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  WIRE_FRAMING },
		{ BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
		  WIRE_FRAMING },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
		  WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n"), WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n"), WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n"), WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n"), WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 05\r\n\r\n"), WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n"), WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"), WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n"),
		  WIRE_CONTENT_LENGTH },
		{ BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"),
		  WIRE_TRANSFER_ENCODING },
		{ BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"),
		  WIRE_TRANSFER_ENCODING },
		{ BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n"),
		  WIRE_TRANSFER_ENCODING },
		{ BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
		        "chunked\r\n\r\n"),
		  WIRE_FIELD_VALUE },
		{ BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"),
		  WIRE_TRANSFER_ENCODING },
		{ BYTES("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"), WIRE_TRANSFER_ENCODING },
		{ BYTES("POST / HTTP/1.1\r\n" H
		        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  WIRE_TRANSFER_ENCODING },
		{ BYTES("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"),
		  WIRE_TRANSFER_ENCODING },
		{ BYTES("GET / HTTP/1.1\r\n" H "Connection: close, Host\r\n\r\n"), WIRE_CONNECTION },
		{ BYTES("GET / HTTP/1.1\r\n" H "Connection: Content-Length\r\n\r\n"), WIRE_CONNECTION },
		{ BYTES("GET / HTTP/1.1\r\n" H "Connection: a b\r\n\r\n"), WIRE_CONNECTION },
		{ BYTES("GET / HTTP/1.1\r\n" H "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n\r\n"),
		  WIRE_CONNECTION },
		{ BYTES("POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n"), WIRE_EXPECT },
		{ BYTES("\x16\x03\x01\x02"), WIRE_FIRST_BYTE },
		{ BYTES(" GET / HTTP/1.1\r\n" H "\r\n"), WIRE_FIRST_BYTE },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request r;
		enum wire_fault fault = WIRE_FINE;
		if (read_request(cases[i].in, &r, &fault) != -1 || fault != cases[i].fault)
			fail_msg("%s: %s", cases[i].in.at, wire_fault_word(fault));
	}
}

static void a_head_may_come_in_any_pieces(void **state)
{
	(void)state;
	static const struct slice in = BYTES("GET /x HTTP/1.1\r\nHost: a.test\r\n\r\nGET /y");
	enum wire_fault fault = WIRE_FINE;

	for (size_t step = 1; step < in.n; step++) {
		size_t seen = 0, n = 0;
		ssize_t end = 0;
		while (end == 0 && n < in.n) {
			n = n + step < in.n ? n + step : in.n;
			end = http_head_end(slice_cut(in, 0, n), &seen, &limits, &fault);
		}
		assert_int_equal(end, in.n - 6);
	}
}

static void limits_are_kept_before_the_head_is_whole(void **state)
{
	(void)state;
	struct http_limits small = { .head = 64, .line = 20, .fields = 2 };
	static const struct {
		struct slice in;
		int rc;
		enum wire_fault fault;
	} cases[] = {
		{ BYTES("GET /2345678 HTTP/1.1"), 0, 0 },
		{ BYTES("GET /2345678 HTTP/1.1x"), -1, WIRE_LINE_SIZE },
		{ BYTES("A: 45678901234567890\r\nA: 45678901234567890\r\nA: 4567890123456789"), 0, 0 },
		{ BYTES("A: 45678901234567890\r\nA: 45678901234567890\r\nA: 45678901234567890\r\n"), -1,
		  WIRE_HEAD_SIZE },
	};
	enum wire_fault fault;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t seen = 0;
		fault = 0;
		assert_int_equal(http_head_end(cases[i].in, &seen, &small, &fault), cases[i].rc);
		assert_int_equal(fault, cases[i].fault);
	}
	struct http_request r;
	struct slice three = BYTES("GET / HTTP/1.1\r\nHost: a\r\nB: b\r\nC: c\r\n\r\n");
	assert_int_equal(http_request_parse(three, &small, &r, &fault), -1);
	assert_int_equal(fault, WIRE_FIELD_COUNT);
}

static void what_is_written_is_what_was_understood(void **state)
{
	(void)state;
	static const struct slice in = BYTES(
		"POST http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: z\r\n"
		"Connection: keep-alive, X-Hop\r\nx-hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nVia: me\r\nX-Forwarded-For: 1\r\n"
		"Accept:   */* \r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	struct http_request r;
	enum wire_fault fault = WIRE_FINE;
	own_str struct str out = STR_INIT;

	assert_int_equal(read_request(in, &r, &fault), in.n);
	assert_true(r.expect_continue);
	http_strip_forwarding(&r.fields);
	http_request_print(&r, slice_of("/x?y"), slice_of("a.test"), &out);
	http_head_close(&out);
	assert_string_equal(out.data,
	                    "POST /x?y HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n");
	struct http_request again;
	assert_int_equal(read_request((struct slice){ out.data, out.len }, &again, &fault), out.len);
	assert_int_equal(again.length, 3);
}

static void an_upgrade_is_one_that_connection_names(void **state)
{
	(void)state;
	static const struct {
		struct slice in;
		const char *upgrade;
	} cases[] = {
		{ BYTES("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
		  "websocket" },
		{ BYTES("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"), "" },
		{ BYTES("GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
		  "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request r;
		enum wire_fault fault;
		assert_int_equal(read_request(cases[i].in, &r, &fault), cases[i].in.n);
		assert_true(slice_is(r.upgrade, cases[i].upgrade));
	}
}

static void responses_are_framed_as_the_rfc_says(void **state)
{
	(void)state;
	static const struct {
		const char *method;
		struct slice in;
		int rc;
		enum http_framing framing;
		bool keep;
	} cases[] = {
		{ "GET", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 0, HTTP_LENGTH, true },
		{ "GET", BYTES("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, HTTP_CHUNKED, true },
		{ "GET", BYTES("HTTP/1.1 200 OK\r\n\r\n"), 0, HTTP_UNTIL_CLOSE, false },
		{ "GET", BYTES("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), 0, HTTP_LENGTH, false },
		{ "HEAD", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 0, HTTP_NO_BODY, true },
		{ "GET", BYTES("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), 0, HTTP_NO_BODY,
		  true },
		{ "GET", BYTES("HTTP/1.1 204 No Content\r\n\r\n"), 0, HTTP_NO_BODY, true },
		{ "GET", BYTES("HTTP/1.1 100 Continue\r\n\r\n"), 0, HTTP_NO_BODY, true },
		{ "GET", BYTES("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
		  0, HTTP_NO_BODY, true },
		{ "CONNECT", BYTES("HTTP/1.1 200 Connection established\r\n\r\n"), 0, HTTP_NO_BODY, true },
		{ "GET",
		  BYTES("HTTP/1.1 200 OK\r\nConnection: Transfer-Encoding, keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  0, HTTP_CHUNKED, true },
		{ "GET", BYTES("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 101 X\r\nTransfer-Encoding: chunked\r\n\r\n"), -1, 0, 0 },
		{ "CONNECT", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
		  -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"), -1, 0,
		  0 },
		{ "GET", BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 99 OK\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 600 OK\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 2000 OK\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1  200 OK\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("ICY 200 OK\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), -1, 0, 0 },
		{ "GET", BYTES("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), -1, 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_response r;
		enum wire_fault fault = WIRE_FINE;
		int rc = http_response_parse(cases[i].in, slice_of(cases[i].method), &limits, &r, &fault);
		if (rc != cases[i].rc)
			fail_msg("%s: %s", cases[i].in.at, wire_fault_word(fault));
		if (rc < 0)
			continue;
		if (r.framing != cases[i].framing || r.keep_alive != cases[i].keep)
			fail_msg("%s: framing %d", cases[i].in.at, (int)r.framing);
	}
}

/* Decodes in pieces of @step; -1 refused, else 1 done, 0 not done. */
static int decode(struct slice in, size_t step, struct str *body, struct http_fields *trailers)
{
	struct http_chunked c = HTTP_CHUNKED_INIT;
	enum wire_fault fault;
	size_t at = 0, have = 0, seen = 0;

	while (have < in.n) {
		have = have + step < in.n ? have + step : in.n;
		while (at < have && c.state != HTTP_CHUNK_TRAILERS) {
			struct slice data;
			ssize_t n = http_chunked_take(&c, slice_cut(in, at, have), &data, &fault);
			if (n < 0)
				return -1;
			str_addn(body, data.at, data.n);
			at += (size_t)n;
		}
		if (c.state != HTTP_CHUNK_TRAILERS)
			continue;
		struct slice rest = slice_cut(in, at, have);
		ssize_t n = http_head_end(rest, &seen, &limits, &fault);
		if (n < 0)
			return -1;
		if (n > 0)
			return http_trailers_parse(slice_cut(rest, 0, (size_t)n), &limits, trailers, &fault) <
			                       0 ?
			               -1 :
			               1;
	}
	return 0;
}

static void chunked_bodies_are_decoded_in_any_pieces(void **state)
{
	(void)state;
	static const struct {
		struct slice in;
		int rc;
		const char *body;
		size_t trailers;
	} cases[] = {
		{ BYTES("5\r\nhello\r\n0\r\n\r\n"), 1, "hello", 0 },
		{ BYTES("5\r\nhello\r\nA\r\n0123456789\r\n000\r\nX-Sum: 1\r\n\r\n"), 1, "hello0123456789",
		  1 },
		{ BYTES("0\r\n\r\n"), 1, "", 0 },
		{ BYTES("5\r\nhel"), 0, "hel", 0 },
		{ BYTES("5\nhello\r\n0\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("5\r\nhello0\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("5\r\nhello\n0\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("5;ext=1\r\nhello\r\n0\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("5 \r\nhello\r\n0\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0x5\r\nhello\r\n0\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("+5\r\nhello\r\n0\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("ffffffffffffffff1\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nContent-Length: 5\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nTransfer-Encoding: chunked\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nAuthorization: x\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nproxy-x: x\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nX-Forwarded-For: 1\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nx_original_url: /x\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nX-Host: x\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nVia: x\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nX-Hosted: x\r\nX-Forward: x\r\n\r\n"), 1, "", 2 },
		{ BYTES("0\r\nX: a\r\n b\r\n\r\n"), -1, NULL, 0 },
		{ BYTES("0\r\nX: a\n\r\n"), -1, NULL, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step <= cases[i].in.n; step++) {
			own_str struct str body = STR_INIT;
			struct http_fields trailers = { 0 };
			int rc = decode(cases[i].in, step, &body, &trailers);
			if (rc != cases[i].rc)
				fail_msg("%s: %d", cases[i].in.at, rc);
			if (rc < 0)
				continue;
			assert_string_equal(str_c(&body), cases[i].body);
			assert_int_equal(trailers.n, cases[i].trailers);
		}
	}
	char head[HTTP_CHUNK_HEAD];
	assert_int_equal(http_chunk_head(500, head), 5);
	assert_memory_equal(head, "1f4\r\n", 5);
}

static void every_fault_has_its_words(void **state)
{
	(void)state;
	for (int i = 0; i < WIRE_FAULTS; i++) {
		assert_non_null(wire_fault_word((enum wire_fault)i));
		assert_non_null(wire_fault_text((enum wire_fault)i));
		assert_true(wire_fault_status((enum wire_fault)i) >= 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_requests_are_understood),
		cmocka_unit_test(ambiguous_requests_are_refused),
		cmocka_unit_test(a_head_may_come_in_any_pieces),
		cmocka_unit_test(limits_are_kept_before_the_head_is_whole),
		cmocka_unit_test(what_is_written_is_what_was_understood),
		cmocka_unit_test(an_upgrade_is_one_that_connection_names),
		cmocka_unit_test(responses_are_framed_as_the_rfc_says),
		cmocka_unit_test(chunked_bodies_are_decoded_in_any_pieces),
		cmocka_unit_test(every_fault_has_its_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
