#include "wire/http.h"

#include "wire/chars.h"
#include "wire/fields.h"
#include "wire/host.h"

#include "base/banned.h"

/* Splits at the first "?". */
static void split_query(struct slice text, struct http_request *out)
{
	const char *mark = text.n ? memchr(text.at, '?', text.n) : NULL;
	size_t n = mark ? (size_t)(mark - text.at) : text.n;

	out->has_query = mark;
	out->query = mark ? slice_cut(text, n + 1, text.n) : (struct slice){ 0 };
	out->path = n ? slice_cut(text, 0, n) : slice_of("/");
}

/* "http://host[:port][/path][?query]". Userinfo is refused: it is there to deceive. */
static int absolute_form(struct slice target, struct http_request *out, enum wire_fault *fault)
{
	size_t scheme = 7;

	if (target.n > 8 && slice_is_nocase(slice_cut(target, 0, 8), "https://"))
		scheme = 8;
	else if (target.n <= 7 || !slice_is_nocase(slice_cut(target, 0, 7), "http://"))
		return wire_refuse(fault, WIRE_TARGET);
	size_t end = scheme;
	while (end < target.n && target.at[end] != '/' && target.at[end] != '?')
		end++;
	out->form = HTTP_ABSOLUTE_FORM;
	out->https = scheme == 8;
	split_query(slice_cut(target, end, target.n), out);
	return host_split(slice_cut(target, scheme, end), &out->host, &out->port, fault);
}

static int target_parse(struct http_request *out, enum wire_fault *fault)
{
	struct slice target = out->target;

	out->https = false;
	out->has_query = false;
	out->host = out->path = out->query = (struct slice){ 0 };
	out->port = -1;
	if (slice_is(out->method, "CONNECT")) {
		out->form = HTTP_AUTHORITY_FORM;
		if (host_split(target, &out->host, &out->port, fault) < 0)
			return -1;
		return out->port < 0 ? wire_refuse(fault, WIRE_PORT) : 0;
	}
	if (target.at[0] == '/') {
		out->form = HTTP_ORIGIN_FORM;
		split_query(target, out);
		return 0;
	}
	if (slice_is(target, "*")) {
		out->form = HTTP_ASTERISK_FORM;
		return slice_is(out->method, "OPTIONS") ? 0 : wire_refuse(fault, WIRE_TARGET);
	}
	return absolute_form(target, out, fault);
}

/* Two spellings of one authority agree where host and port do; a port that isn't written is
 * the scheme's. For CONNECT the Host field may leave it out. */
static bool authorities_agree(const struct http_request *request, struct slice host, int port)
{
	int fallback = request->form == HTTP_AUTHORITY_FORM ? request->port : request->https ? 443 : 80;
	int wanted = request->port < 0 ? fallback : request->port;

	return slice_equal_nocase(request->host, host) && wanted == (port < 0 ? fallback : port);
}

static int judge_host(const struct field_facts *facts, struct http_request *out, enum wire_fault *fault)
{
	struct slice host;
	int port;

	if (facts->hosts > 1)
		return wire_refuse(fault, WIRE_HOST_TWICE);
	if (facts->hosts == 0)
		return out->minor == 1 ? wire_refuse(fault, WIRE_HOST_MISSING) : 0;
	if (host_split(facts->host, &host, &port, fault) < 0)
		return -1;
	if (out->form == HTTP_ABSOLUTE_FORM || out->form == HTTP_AUTHORITY_FORM)
		return authorities_agree(out, host, port) ? 0 : wire_refuse(fault, WIRE_HOST_MISMATCH);
	out->host = host;
	out->port = port;
	return 0;
}

static int judge_framing(const struct field_facts *facts, struct http_request *out, enum wire_fault *fault)
{
	out->framing = HTTP_NO_BODY;
	out->length = 0;
	if (facts->codings) {
		if (facts->lengths)
			return wire_refuse(fault, WIRE_FRAMING);
		if (facts->codings > 1 || out->minor == 0 || !slice_is_nocase(facts->coding, "chunked"))
			return wire_refuse(fault, WIRE_TRANSFER_ENCODING);
		out->framing = HTTP_CHUNKED;
	} else if (facts->lengths) {
		if (fields_length(facts, &out->length, fault) < 0)
			return -1;
		out->framing = HTTP_LENGTH;
	}
	/* What follows CONNECT is the tunnel; a body would be a second reading of the same bytes.
	 * TRACE has none by definition. */
	bool none = out->form == HTTP_AUTHORITY_FORM || slice_is(out->method, "TRACE");
	if (none && (out->framing == HTTP_CHUNKED || out->length > 0))
		return wire_refuse(fault, WIRE_BODY_FORBIDDEN);
	return 0;
}

static int judge_connection(struct field_facts *facts, struct http_request *out, enum wire_fault *fault)
{
	if (fields_connection(&out->fields, facts, true, fault) < 0)
		return -1;
	if (facts->upgrades > 1)
		return wire_refuse(fault, WIRE_CONNECTION);
	out->keep_alive = out->minor == 1 && !facts->close;
	out->upgrade = facts->connection_upgrade && out->minor == 1 ? facts->upgrade : (struct slice){ 0 };
	out->expect_continue = false;
	if (facts->expects == 0)
		return 0;
	if (facts->expects > 1 || !slice_is_nocase(facts->expect, "100-continue"))
		return wire_refuse(fault, WIRE_EXPECT);
	out->expect_continue = out->minor == 1 && out->framing != HTTP_NO_BODY;
	return 0;
}

/* Method, one blank, target, one blank, version, CRLF. Returns the line's length. */
static ssize_t request_line(struct slice head, const struct http_limits *limits, struct http_request *out,
                            enum wire_fault *fault)
{
	size_t i = 0;

	if (head.n > 0 && (head.at[0] == '\r' || head.at[0] == '\n'))
		return wire_refuse(fault, WIRE_EMPTY_LINE);
	while (i < head.n && char_is(head.at[i], CHAR_TOKEN))
		i++;
	if (i == 0 || i == head.n || head.at[i] != ' ')
		return wire_refuse(fault, WIRE_METHOD);
	out->method = slice_cut(head, 0, i);
	size_t target = ++i;
	while (i < head.n && char_is(head.at[i], CHAR_TARGET))
		i++;
	if (i == target || i == head.n || head.at[i] != ' ')
		return wire_refuse(fault, WIRE_TARGET);
	out->target = slice_cut(head, target, i++);
	if (head.n - i < 10)
		return wire_refuse(fault, WIRE_VERSION);
	out->minor = fields_version(slice_cut(head, i, i + 8));
	if (out->minor < 0)
		return wire_refuse(fault, WIRE_VERSION);
	if (head.at[i + 8] != '\r' || head.at[i + 9] != '\n')
		return wire_refuse(fault, WIRE_LINE_END);
	if (i + 8 > limits->line)
		return wire_refuse(fault, WIRE_LINE_SIZE);
	return (ssize_t)i + 10;
}

int http_request_parse(struct slice head, const struct http_limits *limits, struct http_request *out,
                       enum wire_fault *fault)
{
	struct field_facts facts = { 0 };

	if (head.n > limits->head)
		return wire_refuse(fault, WIRE_HEAD_SIZE);
	ssize_t line = request_line(head, limits, out, fault);
	if (line < 0 || target_parse(out, fault) < 0 ||
	    fields_parse(slice_cut(head, (size_t)line, head.n), limits, &out->fields, &facts, fault) < 0 ||
	    judge_host(&facts, out, fault) < 0 || judge_framing(&facts, out, fault) < 0)
		return -1;
	return judge_connection(&facts, out, fault);
}
