#include "egress/resolve.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "base/banned.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line; empty at its end or at a comment. */
static struct slice next_word(struct slice *line)
{
	size_t i = 0, start;

	while (i < line->n && is_blank(line->at[i]))
		i++;
	for (start = i; i < line->n && !is_blank(line->at[i]) && line->at[i] != '#'; i++)
		;
	struct slice word = slice_cut(*line, start, i);
	*line = slice_cut(*line, i, line->n);
	return word;
}

static struct slice next_line(struct slice *text)
{
	const char *end = text->n ? memchr(text->at, '\n', text->n) : NULL;
	size_t n = end ? (size_t)(end - text->at) : text->n;
	struct slice line = slice_cut(*text, 0, n);

	*text = slice_cut(*text, end ? n + 1 : n, text->n);
	return line;
}

static bool address_of(struct slice word, struct address *out)
{
	char text[INET6_ADDRSTRLEN];

	if (word.n == 0 || word.n >= sizeof text)
		return false;
	memcpy(text, word.at, word.n);
	text[word.n] = '\0';
	out->n = inet_pton(AF_INET, text, out->bytes) == 1  ? 4 :
	         inet_pton(AF_INET6, text, out->bytes) == 1 ? 16 :
	                                                      0;
	return out->n != 0;
}

bool hosts_find(const char *text, const char *name, struct addresses *out)
{
	struct slice rest = slice_of(text);
	bool found = false;

	while (rest.n > 0 && out->n < RESOLVE_MAX) {
		struct slice line = next_line(&rest);
		struct address address;
		if (!address_of(next_word(&line), &address))
			continue;
		for (struct slice word = next_word(&line); word.n; word = next_word(&line)) {
			if (!slice_is_nocase(word, name))
				continue;
			out->at[out->n++] = address;
			found = true;
			break;
		}
	}
	return found;
}

void resolv_conf_servers(const char *text, struct str *out)
{
	struct slice rest = slice_of(text);

	while (rest.n > 0) {
		struct slice line = next_line(&rest);
		struct address address;
		if (!slice_is(next_word(&line), "nameserver"))
			continue;
		struct slice word = next_word(&line);
		if (!address_of(word, &address))
			continue;
		if (out->len)
			str_addc(out, ',');
		/* c-ares reads an IPv6 address with a port only in brackets. */
		str_add(out, address.n == 16 ? "[" : "");
		str_addn(out, word.at, word.n);
		str_add(out, address.n == 16 ? "]:53" : ":53");
	}
}
