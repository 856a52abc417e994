/* A head that is accepted, written back and read again says the same; and how it is cut into
 * pieces changes nothing. Responses likewise. */
#include "driver/fuzz.h"

#include "wire/http.h"

static const struct http_limits limits = { .head = 8192, .line = 4096, .fields = 64 };

static void same_fields(const struct http_fields *a, const struct http_fields *b)
{
	size_t j = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (a->at[i].skip)
			continue;
		while (j < b->n && b->at[j].skip)
			j++;
		must(j < b->n);
		must(slice_equal(a->at[i].name, b->at[j].name) &&
		     slice_equal(a->at[i].value, b->at[j].value));
		must(http_value_is_fine(b->at[j].value));
		j++;
	}
	while (j < b->n && b->at[j].skip)
		j++;
	must(j == b->n);
}

static void request(struct slice head)
{
	static struct http_request first, again;
	enum wire_fault fault = WIRE_FINE;
	own_str struct str out = STR_INIT;

	if (http_request_parse(head, &limits, &first, &fault) < 0) {
		must(fault != WIRE_FINE && wire_fault_word(fault));
		return;
	}
	/* With a Host of its own an HTTP/1.0 request without one becomes valid HTTP/1.1. */
	bool connect = first.form == HTTP_AUTHORITY_FORM;
	own_str struct str authority = STR_INIT;
	str_addn(&authority, first.host.at, first.host.n);
	if (first.port >= 0)
		str_addf(&authority, ":%d", first.port);
	if (first.host.n == 0)
		str_add(&authority, "none.example");
	must(!connect || first.port > 0);
	http_request_print(&first, first.target, (struct slice){ authority.data, authority.len }, &out);
	http_head_close(&out);
	struct http_limits more = { .head = 65536, .line = 8192, .fields = 80 };
	size_t seen = 0;
	ssize_t n = http_head_end((struct slice){ out.data, out.len }, &seen, &more, &fault);
	must(n == (ssize_t)out.len);
	must(http_request_parse((struct slice){ out.data, out.len }, &more, &again, &fault) == 0);
	must(slice_equal(first.method, again.method) && slice_equal(first.target, again.target));
	must(first.form == again.form && slice_equal(first.path, again.path) &&
	     slice_equal(first.query, again.query));
	must(first.host.n == 0 || slice_equal_nocase(first.host, again.host));
	must(first.framing == again.framing && first.length == again.length);
	same_fields(&first.fields, &again.fields);
}

static void response(struct slice head, const char *method)
{
	static struct http_response first, again;
	enum wire_fault fault = WIRE_FINE;
	own_str struct str out = STR_INIT;
	struct http_limits more = { .head = 65536, .line = 8192, .fields = 80 };

	if (http_response_parse(head, slice_of(method), &limits, &first, &fault) < 0) {
		must(fault != WIRE_FINE);
		return;
	}
	http_response_print(&first, &out);
	http_head_close(&out);
	must(http_response_parse((struct slice){ out.data, out.len }, slice_of(method), &more, &again,
	                         &fault) == 0);
	must(first.status == again.status && first.framing == again.framing && first.length == again.length);
	must(slice_equal(first.reason, again.reason));
	same_fields(&first.fields, &again.fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice in = { (const char *)bytes, n };
	enum wire_fault fault = WIRE_FINE, fault2 = WIRE_FINE;
	size_t seen = 0, seen2 = 0;
	ssize_t end = http_head_end(in, &seen, &limits, &fault), end2 = 0;

	for (size_t have = 0; have < n && end2 == 0;) {
		have = have + 7 < n ? have + 7 : n;
		end2 = http_head_end(slice_cut(in, 0, have), &seen2, &limits, &fault2);
	}
	must(end == end2 || (end < 0 && end2 < 0));
	if (end <= 0)
		return 0;
	must((size_t)end <= n);
	request(slice_cut(in, 0, (size_t)end));
	response(slice_cut(in, 0, (size_t)end), "GET");
	response(slice_cut(in, 0, (size_t)end), "HEAD");
	return 0;
}
