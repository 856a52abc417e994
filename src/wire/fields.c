#include "wire/fields.h"

#include "base/own.h"
#include "wire/chars.h"

#include "base/banned.h"

enum known {
	KNOWN_NONE,
	KNOWN_HOST,
	KNOWN_LENGTH,
	KNOWN_CODING,
	KNOWN_CONNECTION,
	KNOWN_UPGRADE,
	KNOWN_EXPECT,
	KNOWN_HOP,
};

/* Every row is a field that is not passed on as it came; all else is the caller's matter. */
static const struct {
	const char *name;
	uint8_t n, known;
} knowns[] = {
	{ "host", 4, KNOWN_HOST },
	{ "content-length", 14, KNOWN_LENGTH },
	{ "transfer-encoding", 17, KNOWN_CODING },
	{ "connection", 10, KNOWN_CONNECTION },
	{ "upgrade", 7, KNOWN_UPGRADE },
	{ "expect", 6, KNOWN_EXPECT },
	{ "te", 2, KNOWN_HOP },
	{ "keep-alive", 10, KNOWN_HOP },
	{ "proxy-connection", 16, KNOWN_HOP },
	{ "http2-settings", 14, KNOWN_HOP },
};

static enum known known_of(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(knowns); i++)
		if (knowns[i].n == name.n && ascii_lower(name.at[0]) == knowns[i].name[0] &&
		    http_name_equal(name, (struct slice){ knowns[i].name, name.n }))
			return knowns[i].known;
	return KNOWN_NONE;
}

ssize_t http_head_end(struct slice in, size_t *seen, const struct http_limits *limits, enum wire_fault *fault)
{
	/* @seen stays at the first byte of an unfinished line, so its length can be judged. */
	size_t line = *seen;

	if (in.n && !char_is(in.at[0], CHAR_TOKEN) && in.at[0] != '\r')
		return wire_refuse(fault, WIRE_FIRST_BYTE);
	while (line < in.n) {
		size_t room = in.n - line;
		const char *end = memchr(in.at + line, '\n', room);
		size_t n = end ? (size_t)(end - in.at) - line : room;

		if (n > limits->line + 1)
			return wire_refuse(fault, WIRE_LINE_SIZE);
		if (line + n + (end ? 1 : 0) > limits->head)
			return wire_refuse(fault, WIRE_HEAD_SIZE);
		if (!end)
			break;
		if (n == 0 || end[-1] != '\r')
			return wire_refuse(fault, WIRE_LINE_END);
		line += n + 1;
		*seen = line;
		if (n == 1)
			return (ssize_t)line;
	}
	return 0;
}

bool http_value_is_fine(struct slice value)
{
	for (size_t i = 0; i < value.n; i++)
		if (!char_is(value.at[i], CHAR_VALUE))
			return false;
	if (value.n == 0)
		return true;
	char first = value.at[0], last = value.at[value.n - 1];
	return first != ' ' && first != '\t' && last != ' ' && last != '\t';
}

static void note(struct http_field *field, struct field_facts *facts)
{
	enum known known = known_of(field->name);

	field->skip = known != KNOWN_NONE;
	switch (known) {
	case KNOWN_HOST:
		facts->host = field->value;
		facts->hosts++;
		break;
	case KNOWN_LENGTH:
		facts->length_text = field->value;
		facts->lengths++;
		break;
	case KNOWN_CODING:
		facts->coding = field->value;
		facts->codings++;
		break;
	case KNOWN_UPGRADE:
		facts->upgrade = field->value;
		facts->upgrades++;
		break;
	case KNOWN_EXPECT:
		facts->expect = field->value;
		facts->expects++;
		break;
	case KNOWN_CONNECTION:
	case KNOWN_HOP:
	case KNOWN_NONE:
		break;
	}
}

/* One line without its CRLF. */
static int field_parse(struct slice line, struct http_field *out, enum wire_fault *fault)
{
	size_t i = 0;

	if (line.at[0] == ' ' || line.at[0] == '\t')
		return wire_refuse(fault, WIRE_FOLDED_FIELD);
	while (i < line.n && char_is(line.at[i], CHAR_TOKEN))
		i++;
	if (i == 0 || i == line.n || line.at[i] != ':')
		return wire_refuse(fault, WIRE_FIELD_NAME);
	out->name = slice_cut(line, 0, i++);
	size_t end = line.n;
	while (i < end && (line.at[i] == ' ' || line.at[i] == '\t'))
		i++;
	while (end > i && (line.at[end - 1] == ' ' || line.at[end - 1] == '\t'))
		end--;
	out->value = slice_cut(line, i, end);
	/* A CR in here is one that no LF follows. */
	for (; i < end; i++)
		if (!char_is(line.at[i], CHAR_VALUE))
			return wire_refuse(fault, line.at[i] == '\r' ? WIRE_LINE_END : WIRE_FIELD_VALUE);
	return 0;
}

int fields_parse(struct slice lines, const struct http_limits *limits, struct http_fields *out,
                 struct field_facts *facts, enum wire_fault *fault)
{
	size_t most = limits->fields < HTTP_FIELDS_MAX ? limits->fields : HTTP_FIELDS_MAX;
	size_t at = 0;

	out->n = 0;
	while (at < lines.n) {
		const char *end = memchr(lines.at + at, '\n', lines.n - at);
		size_t n = end ? (size_t)(end - lines.at) - at : 0;

		if (n == 0 || end[-1] != '\r')
			return wire_refuse(fault, WIRE_LINE_END);
		struct slice line = slice_cut(lines, at, at + n - 1);
		at += n + 1;
		if (line.n == 0) {
			/* The empty line is the last: nothing of the body was handed in. */
			if (at != lines.n)
				return wire_refuse(fault, WIRE_LINE_END);
			return 0;
		}
		if (line.n > limits->line)
			return wire_refuse(fault, WIRE_LINE_SIZE);
		if (out->n == most)
			return wire_refuse(fault, WIRE_FIELD_COUNT);
		struct http_field *field = &out->at[out->n++];
		if (field_parse(line, field, fault) < 0)
			return -1;
		note(field, facts);
		/* "Content_Length" frames nothing here, and everything for a server behind CGI. */
		if (field->skip && memchr(field->name.at, '_', field->name.n))
			return wire_refuse(fault, WIRE_FIELD_NAME);
	}
	return wire_refuse(fault, WIRE_LINE_END);
}

int fields_length(const struct field_facts *facts, uint64_t *out, enum wire_fault *fault)
{
	struct slice text = facts->length_text;
	uint64_t length = 0;

	if (facts->lengths != 1 || text.n < 1 || text.n > 18 || (text.n > 1 && text.at[0] == '0'))
		return wire_refuse(fault, WIRE_CONTENT_LENGTH);
	for (size_t i = 0; i < text.n; i++) {
		if (!char_is(text.at[i], CHAR_DIGIT))
			return wire_refuse(fault, WIRE_CONTENT_LENGTH);
		length = length * 10 + (uint64_t)(text.at[i] - '0');
	}
	*out = length;
	return 0;
}

/* Next element of a comma-separated list, blanks cut; false at the end. */
static bool list_next(struct slice list, size_t *at, struct slice *element)
{
	if (*at > list.n || list.n == 0)
		return false;
	const char *comma = *at < list.n ? memchr(list.at + *at, ',', list.n - *at) : NULL;
	size_t from = *at, to = comma ? (size_t)(comma - list.at) : list.n;

	*at = to + 1;
	while (from < to && (list.at[from] == ' ' || list.at[from] == '\t'))
		from++;
	while (to > from && (list.at[to - 1] == ' ' || list.at[to - 1] == '\t'))
		to--;
	*element = slice_cut(list, from, to);
	return true;
}

bool http_list_has(struct slice list, const char *token)
{
	struct slice element;

	for (size_t at = 0; list_next(list, &at, &element);)
		if (slice_is_nocase(element, token))
			return true;
	return false;
}

/* An origin may name Transfer-Encoding here (some do); from a guest it is an attempt to have
 * the framing, the host or a credential dropped on the way. */
static bool may_be_dropped(struct slice name, bool request)
{
	static const char *const kept[] = { "host",   "content-length", "transfer-encoding", "authorization",
		                            "cookie", "content-type",   "content-encoding" };

	for (size_t i = 0; request && i < ARRAY_LEN(kept); i++)
		if (slice_is_nocase(name, kept[i]))
			return false;
	return true;
}

static void connection_option(struct http_fields *fields, struct slice option, struct field_facts *facts)
{
	if (slice_is_nocase(option, "close")) {
		facts->close = true;
	} else if (slice_is_nocase(option, "upgrade")) {
		facts->connection_upgrade = true;
	} else if (!slice_is_nocase(option, "keep-alive")) {
		for (size_t i = 0; i < fields->n; i++)
			if (slice_equal_nocase(fields->at[i].name, option))
				fields->at[i].skip = true;
	}
}

int fields_connection(struct http_fields *fields, struct field_facts *facts, bool request,
                      enum wire_fault *fault)
{
	enum { OPTIONS_MAX = 16 }; /* each is held against every field */
	unsigned options = 0;

	for (size_t i = 0; i < fields->n; i++) {
		struct slice option;

		if (fields->at[i].name.n != 10 || known_of(fields->at[i].name) != KNOWN_CONNECTION)
			continue;
		for (size_t at = 0; list_next(fields->at[i].value, &at, &option);) {
			if (option.n == 0)
				continue;
			for (size_t c = 0; c < option.n; c++)
				if (!char_is(option.at[c], CHAR_TOKEN))
					return wire_refuse(fault, WIRE_CONNECTION);
			if (++options > OPTIONS_MAX || !may_be_dropped(option, request))
				return wire_refuse(fault, WIRE_CONNECTION);
			connection_option(fields, option, facts);
		}
	}
	return 0;
}

int fields_version(struct slice text)
{
	if (text.n != 8 || memcmp(text.at, "HTTP/1.", 7) != 0)
		return -1;
	return text.at[7] == '1' ? 1 : text.at[7] == '0' ? 0 : -1;
}
