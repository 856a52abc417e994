/* How fast one core reads heads, decides, and decodes chunks. Prints, asserts nothing:
 * build/tests/bench/wire [ROUNDS]. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "policy/path.h"
#include "policy/policy.h"
#include "wire/host.h"
#include "wire/http.h"
#include "wire/tls.h"

static const struct http_limits limits = HTTP_LIMITS_DEFAULT;
static const char head[] =
	"POST /v1/messages?beta=true HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: agent/1.0 (linux; x64)\r\n"
	"Accept: application/json\r\nContent-Type: application/json\r\nX-Api-Key: placeholder-0123456789abcdef\r\n"
	"Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nContent-Length: 1024\r\n\r\n";

static void show(const char *what, long rounds, uint64_t us, size_t bytes)
{
	printf("%-24s %10.0f /s %8.0f ns %8.0f MB/s\n", what, (double)rounds * 1e6 / (double)us,
	       (double)us * 1e3 / (double)rounds, (double)rounds * (double)bytes / (double)us);
}

static void read_head(struct http_request *request)
{
	enum wire_fault fault;
	struct slice in = { head, sizeof head - 1 };
	size_t seen = 0;
	ssize_t n = http_head_end(in, &seen, &limits, &fault);

	if (n < 0 || http_request_parse(slice_cut(in, 0, (size_t)n), &limits, request, &fault) < 0)
		bug("the head of the bench is refused: %s", wire_fault_word(fault));
}

static void bench_heads(long rounds)
{
	static struct http_request request;
	uint64_t start = clock_us();

	for (long i = 0; i < rounds; i++)
		read_head(&request);
	show("request head", rounds, clock_us() - start, sizeof head - 1);

	own_str struct str out = STR_INIT;
	start = clock_us();
	for (long i = 0; i < rounds; i++) {
		str_reset(&out);
		http_request_print(&request, request.target, request.host, &out);
		http_head_close(&out);
	}
	show("head written", rounds, clock_us() - start, out.len);
}

static struct policy *policy_of(int routes)
{
	own_str struct str text = STR_INIT;
	struct policy *policy = NULL;
	struct err err = ERR_INIT;

	str_add(&text, "{\"routes\":[");
	for (int i = 0; i < routes; i++)
		str_addf(&text, "{\"host\":\"h%d.example.com\"},", i);
	str_add(&text,
	        "{\"host\":\"api.example.com\",\"matches\":[{\"methods\":[\"GET\"]},{\"paths\":[{\"type\":\"prefix\","
	        "\"value\":\"/v1\"}],\"methods\":[\"POST\"]}]}]}");
	if (policy_compile(text.data, text.len, &policy, &err) < 0)
		bug("%s", err.text);
	return policy;
}

static void bench_decision(long rounds, int routes)
{
	static struct http_request request;
	own_policy struct policy *policy = policy_of(routes);
	own_str struct str path = STR_INIT;
	struct policy_verdict verdict = { 0 };
	char what[40];

	read_head(&request);
	uint64_t start = clock_us();
	for (long i = 0; i < rounds; i++) {
		enum wire_fault fault;
		struct host host;

		str_reset(&path);
		if (host_parse(request.host, &host, &fault) < 0 ||
		    path_canonical(request.path, &path, &fault) < 0)
			bug("the bench's request is refused");
		struct policy_request facts = { .host = &host,
			                        .port = 443,
			                        .method = request.method,
			                        .path = { path.data, path.len },
			                        .query = request.query,
			                        .fields = &request.fields };
		policy_decide(policy, &facts, &verdict);
	}
	if (!verdict.allowed)
		bug("the bench's request is not allowed");
	snprintf(what, sizeof what, "decision, %d routes", routes + 1);
	show(what, rounds, clock_us() - start, 0);
}

static void bench_chunks(long rounds)
{
	own_str struct str body = STR_INIT;
	enum wire_fault fault;
	char size[HTTP_CHUNK_HEAD];

	for (int i = 0; i < 16; i++) {
		str_addn(&body, size, http_chunk_head(4096, size));
		for (int b = 0; b < 4096; b++)
			str_addc(&body, 'x');
		str_add(&body, "\r\n");
	}
	str_add(&body, "0\r\n");
	uint64_t start = clock_us();
	for (long i = 0; i < rounds; i++) {
		struct http_chunked chunked = HTTP_CHUNKED_INIT;
		struct slice data;

		for (size_t at = 0; at < body.len;)
			at += (size_t)http_chunked_take(
				&chunked, (struct slice){ body.data + at, body.len - at }, &data, &fault);
	}
	show("64 KiB chunked body", rounds, clock_us() - start, body.len);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;

	bench_heads(rounds);
	bench_decision(rounds, 0);
	bench_decision(rounds, POLICY_ROUTES_MAX - 1);
	bench_chunks(rounds / 10);
	return 0;
}
