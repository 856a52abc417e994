#include "wire/http.h"

#include "base/own.h"

#include "base/banned.h"

bool http_name_equal(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		char x = a.at[i] == '_' ? '-' : ascii_lower(a.at[i]);
		char y = b.at[i] == '_' ? '-' : ascii_lower(b.at[i]);
		if (x != y)
			return false;
	}
	return true;
}

const struct http_field *http_field_next(const struct http_fields *fields, const struct http_field *after,
                                         const char *name)
{
	struct slice wanted = slice_of(name);

	for (const struct http_field *f = after ? after + 1 : fields->at; f < fields->at + fields->n; f++)
		if (slice_equal_nocase(f->name, wanted))
			return f;
	return NULL;
}

const struct http_field *http_field_find(const struct http_fields *fields, const char *name)
{
	return http_field_next(fields, NULL, name);
}

/* A name, or with a '*' at its end what names begin with. */
struct pattern {
	struct slice text;
	bool begins;
};

static struct pattern pattern_of(const char *name)
{
	struct pattern p = { .text = slice_of(name) };

	p.begins = p.text.n && p.text.at[p.text.n - 1] == '*';
	p.text.n -= p.begins;
	return p;
}

static bool pattern_fits(const struct pattern *p, struct slice name)
{
	if (p->begins && name.n > p->text.n)
		name.n = p->text.n;
	return http_name_equal(name, p->text);
}

size_t http_fields_strip(struct http_fields *fields, const char *name)
{
	const struct pattern wanted = pattern_of(name);
	size_t stripped = 0;

	for (size_t i = 0; i < fields->n; i++) {
		if (!pattern_fits(&wanted, fields->at[i].name))
			continue;
		fields->at[i].skip = true;
		stripped++;
	}
	return stripped;
}

static const char *const forwarding[] = { "Proxy-*",       "Forwarded",           "X-Forwarded-*",
	                                  "Via",           "X-Real-IP",           "X-Original-*",
	                                  "X-Rewrite-URL", "X-Rewrite-URI",       "X-Override-URL",
	                                  "X-Host",        "X-HTTP-Host-Override" };

bool http_name_forwards(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(forwarding); i++) {
		const struct pattern p = pattern_of(forwarding[i]);
		if (pattern_fits(&p, name))
			return true;
	}
	return false;
}

void http_strip_forwarding(struct http_fields *fields)
{
	for (size_t i = 0; i < ARRAY_LEN(forwarding); i++)
		http_fields_strip(fields, forwarding[i]);
}

void http_field_print(struct slice name, struct slice value, struct str *out)
{
	str_reserve(out, name.n + value.n + 4);
	str_addn(out, name.at, name.n);
	str_addn(out, ": ", 2);
	str_addn(out, value.at, value.n);
	str_addn(out, "\r\n", 2);
}

static void fields_print(const struct http_fields *fields, struct str *out)
{
	for (size_t i = 0; i < fields->n; i++)
		if (!fields->at[i].skip)
			http_field_print(fields->at[i].name, fields->at[i].value, out);
}

static void framing_print(enum http_framing framing, bool has_length, uint64_t length, struct str *out)
{
	if (framing == HTTP_CHUNKED) {
		str_add(out, "Transfer-Encoding: chunked\r\n");
	} else if (framing == HTTP_LENGTH || has_length) {
		str_add(out, "Content-Length: ");
		str_add_number(out, length);
		str_add(out, "\r\n");
	}
}

void http_request_print(const struct http_request *request, struct slice target, struct slice authority,
                        struct str *out)
{
	str_addn(out, request->method.at, request->method.n);
	str_addc(out, ' ');
	str_addn(out, target.at, target.n);
	str_add(out, " HTTP/1.1\r\n");
	http_field_print(slice_of("Host"), authority, out);
	fields_print(&request->fields, out);
	framing_print(request->framing, false, request->length, out);
}

void http_response_print(const struct http_response *response, struct str *out)
{
	str_add(out, "HTTP/1.1 ");
	str_add_number(out, (unsigned)response->status);
	str_addc(out, ' ');
	str_addn(out, response->reason.at, response->reason.n);
	str_addn(out, "\r\n", 2);
	fields_print(&response->fields, out);
	framing_print(response->framing, response->framing == HTTP_NO_BODY && response->has_length,
	              response->length, out);
}

void http_head_close(struct str *out)
{
	str_addn(out, "\r\n", 2);
}
