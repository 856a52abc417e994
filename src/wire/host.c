#include "wire/host.h"

#include <arpa/inet.h>
#include "base/own.h"
#include "wire/chars.h"
#include "wire/fields.h"

#include "base/banned.h"

enum { LABEL_MAX = 63 };

static int port_parse(struct slice text, int *out, enum wire_fault *fault)
{
	int port = 0;

	if (text.n < 1 || text.n > 5 || text.at[0] == '0')
		return wire_refuse(fault, WIRE_PORT);
	for (size_t i = 0; i < text.n; i++) {
		if (!char_is(text.at[i], CHAR_DIGIT))
			return wire_refuse(fault, WIRE_PORT);
		port = port * 10 + (text.at[i] - '0');
	}
	if (port > 65535)
		return wire_refuse(fault, WIRE_PORT);
	*out = port;
	return 0;
}

int host_split(struct slice authority, struct slice *host, int *port, enum wire_fault *fault)
{
	size_t end = 0;

	*port = -1;
	if (authority.n && authority.at[0] == '[') {
		const char *close = memchr(authority.at, ']', authority.n);
		if (!close)
			return wire_refuse(fault, WIRE_HOST);
		end = (size_t)(close - authority.at) + 1;
	} else {
		while (end < authority.n && authority.at[end] != ':')
			end++;
	}
	*host = slice_cut(authority, 0, end);
	if (end == 0)
		return wire_refuse(fault, WIRE_HOST);
	for (size_t i = 0; i < end; i++) {
		char c = authority.at[i];
		bool v6 = authority.at[0] == '[' && (c == '[' || c == ']' || c == ':');

		if (!v6 && !char_is(c, CHAR_TOKEN))
			return wire_refuse(fault, WIRE_HOST);
	}
	if (end == authority.n)
		return 0;
	if (authority.at[end] != ':')
		return wire_refuse(fault, WIRE_HOST);
	return port_parse(slice_cut(authority, end + 1, authority.n), port, fault);
}

/* Would a resolver read this as an IPv4 address? It would where the last label is a number,
 * decimal, octal or hexadecimal. */
static bool looks_like_v4(const char *text, size_t n)
{
	size_t from = n, i;

	while (from > 0 && text[from - 1] != '.')
		from--;
	if (n - from >= 2 && text[from] == '0' && text[from + 1] == 'x') {
		for (i = from + 2; i < n && char_is(text[i], CHAR_HEX); i++)
			;
		return i == n;
	}
	for (i = from; i < n && char_is(text[i], CHAR_DIGIT); i++)
		;
	return i == n && n > from;
}

/* inet_pton() takes four plain decimals without leading zeros, and nothing else. */
static int v4_parse(struct host *host, enum wire_fault *fault)
{
	if (inet_pton(AF_INET, host->text, host->address) != 1)
		return wire_refuse(fault, WIRE_HOST_ADDRESS);
	host->kind = HOST_V4;
	return 0;
}

static int v6_parse(struct slice raw, struct host *out, enum wire_fault *fault)
{
	char text[INET6_ADDRSTRLEN];
	struct slice inner = slice_cut(raw, 1, raw.n - 1);

	/* A zone ("%eth0") is longer than the alphabet allows: inet_pton() refuses it too. */
	if (inner.n >= sizeof text || (inner.n && memchr(inner.at, '\0', inner.n)))
		return wire_refuse(fault, WIRE_HOST);
	memcpy(text, inner.at, inner.n);
	text[inner.n] = '\0';
	if (inet_pton(AF_INET6, text, out->address) != 1)
		return wire_refuse(fault, WIRE_HOST);
	if (!inet_ntop(AF_INET6, out->address, text, sizeof text))
		return wire_refuse(fault, WIRE_HOST);
	out->kind = HOST_V6;
	out->n = (size_t)snprintf(out->text, sizeof out->text, "[%s]", text);
	return 0;
}

/* Letters, digits and hyphens, no hyphen at either end of a label, no empty label. */
static int name_judge(struct host *host, enum wire_fault *fault)
{
	size_t label = 0;

	host->single_label = true;
	for (size_t i = 0; i <= host->n; i++) {
		char c = host->text[i];

		if (c == '.' || c == '\0') {
			if (label < 1 || label > LABEL_MAX || host->text[i - 1] == '-')
				return wire_refuse(fault, WIRE_HOST);
			if (c == '.')
				host->single_label = false;
			label = 0;
			continue;
		}
		if (!char_is(c, CHAR_ALPHA | CHAR_DIGIT) && (c != '-' || label == 0))
			return wire_refuse(fault, WIRE_HOST);
		label++;
	}
	return 0;
}

int host_parse(struct slice raw, struct host *out, enum wire_fault *fault)
{
	struct host host = { .kind = HOST_NAME };

	if (raw.n >= 2 && raw.at[0] == '[' && raw.at[raw.n - 1] == ']') {
		if (v6_parse(raw, &host, fault) < 0)
			return -1;
		*out = host;
		return 0;
	}
	bool dot = raw.n && raw.at[raw.n - 1] == '.';
	host.n = raw.n - (dot ? 1 : 0);
	if (host.n < 1 || host.n > HOST_MAX)
		return wire_refuse(fault, WIRE_HOST);
	for (size_t i = 0; i < host.n; i++) {
		/* A NUL would end the text early, and only ours. */
		if (!char_is(raw.at[i], CHAR_ALPHA | CHAR_DIGIT) && raw.at[i] != '-' && raw.at[i] != '.')
			return wire_refuse(fault, WIRE_HOST);
		host.text[i] = ascii_lower(raw.at[i]);
	}
	if (looks_like_v4(host.text, host.n)) {
		if (dot)
			return wire_refuse(fault, WIRE_HOST_ADDRESS);
		if (v4_parse(&host, fault) < 0)
			return -1;
	} else if (name_judge(&host, fault) < 0) {
		return -1;
	}
	*out = host;
	return 0;
}
