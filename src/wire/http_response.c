#include "wire/http.h"

#include "wire/chars.h"
#include "wire/fields.h"

#include "base/banned.h"

/* Version, blank, three digits, and maybe a blank and a reason. Returns the line's length. */
static ssize_t status_line(struct slice head, const struct http_limits *limits, struct http_response *out,
                           enum wire_fault *fault)
{
	const char *end = head.n ? memchr(head.at, '\n', head.n) : NULL;
	size_t n = end ? (size_t)(end - head.at) : 0;

	if (n == 0 || end[-1] != '\r')
		return wire_refuse(fault, WIRE_LINE_END);
	struct slice line = slice_cut(head, 0, n - 1);
	if (line.n > limits->line)
		return wire_refuse(fault, WIRE_LINE_SIZE);
	if (line.n < 12 || line.at[8] != ' ')
		return wire_refuse(fault, WIRE_STATUS_LINE);
	out->minor = fields_version(slice_cut(line, 0, 8));
	if (out->minor < 0)
		return wire_refuse(fault, WIRE_VERSION);
	out->status = 0;
	for (size_t i = 9; i < 12; i++) {
		if (!char_is(line.at[i], CHAR_DIGIT))
			return wire_refuse(fault, WIRE_STATUS_LINE);
		out->status = out->status * 10 + (line.at[i] - '0');
	}
	if (out->status < 100 || out->status > 599 || (line.n > 12 && line.at[12] != ' '))
		return wire_refuse(fault, WIRE_STATUS_LINE);
	out->reason = slice_cut(line, line.n > 12 ? 13 : 12, line.n);
	for (size_t i = 0; i < out->reason.n; i++)
		if (!char_is(out->reason.at[i], CHAR_VALUE))
			return wire_refuse(fault, WIRE_STATUS_LINE);
	return (ssize_t)n + 1;
}

/* RFC 9112 section 6.3, with every doubtful case refused. */
static int judge_framing(const struct field_facts *facts, struct slice method, struct http_response *out,
                         enum wire_fault *fault)
{
	bool interim = out->status < 200;
	bool tunnel = slice_is(method, "CONNECT") && out->status >= 200 && out->status < 300;
	/* These describe the body that a GET would have, and have none. */
	bool described = slice_is(method, "HEAD") || out->status == 304;
	bool coded = facts->codings > 0;

	out->has_length = facts->lengths > 0;
	out->length = 0;
	if (coded && facts->lengths)
		return wire_refuse(fault, WIRE_FRAMING);
	if (coded && (facts->codings > 1 || out->minor == 0 || !slice_is_nocase(facts->coding, "chunked")))
		return wire_refuse(fault, WIRE_TRANSFER_ENCODING);
	if (out->has_length && fields_length(facts, &out->length, fault) < 0)
		return -1;
	if (interim || out->status == 204 || tunnel) {
		if (coded || out->length > 0)
			return wire_refuse(fault, WIRE_BODY_FORBIDDEN);
		out->has_length = false;
		out->framing = HTTP_NO_BODY;
	} else if (described) {
		out->framing = HTTP_NO_BODY;
	} else {
		out->framing = coded ? HTTP_CHUNKED : out->has_length ? HTTP_LENGTH : HTTP_UNTIL_CLOSE;
	}
	return 0;
}

int http_response_parse(struct slice head, struct slice method, const struct http_limits *limits,
                        struct http_response *out, enum wire_fault *fault)
{
	struct field_facts facts = { 0 };

	if (head.n > limits->head)
		return wire_refuse(fault, WIRE_HEAD_SIZE);
	ssize_t line = status_line(head, limits, out, fault);
	if (line < 0 ||
	    fields_parse(slice_cut(head, (size_t)line, head.n), limits, &out->fields, &facts, fault) < 0 ||
	    judge_framing(&facts, method, out, fault) < 0 ||
	    fields_connection(&out->fields, &facts, false, fault) < 0)
		return -1;
	if (facts.upgrades > 1)
		return wire_refuse(fault, WIRE_CONNECTION);
	out->keep_alive = out->minor == 1 && !facts.close && out->framing != HTTP_UNTIL_CLOSE;
	out->upgrade = facts.connection_upgrade ? facts.upgrade : (struct slice){ 0 };
	return 0;
}
