#include "policy/policy.h"

#include <string.h>

#include "base/banned.h"

/* The next piece of @text before one of @ends, which go with it; empty at the end of @text only. */
static struct slice next_piece(struct slice *text, const char *ends)
{
	size_t from = 0, to;

	while (from < text->n && strchr(ends, text->at[from]))
		from++;
	for (to = from; to < text->n && !strchr(ends, text->at[to]); to++)
		;
	struct slice piece = slice_cut(*text, from, to);
	*text = slice_cut(*text, to, text->n);
	return piece;
}

static bool speaks_for(const struct policy *policy, struct slice name)
{
	struct policy_verdict verdict;
	enum wire_fault fault;
	struct host host;

	if (host_parse(name, &host, &fault) != 0)
		return false;
	policy_decide_connect(policy, &host, 443, &verdict);
	return verdict.allowed || verdict.reason == POLICY_PORT_NOT_ROUTED ||
	       verdict.reason == POLICY_WILDCARD_LABEL;
}

static bool is_wanted(const struct policy *policy, const char *also, struct slice line)
{
	const char *comment = line.n ? memchr(line.at, '#', line.n) : NULL;
	struct slice words = slice_cut(line, 0, comment ? (size_t)(comment - line.at) : line.n);

	next_piece(&words, " \t\r"); /* the address */
	for (struct slice name = next_piece(&words, " \t\r"); name.n; name = next_piece(&words, " \t\r"))
		if ((also && slice_is_nocase(name, also)) || speaks_for(policy, name))
			return true;
	return false;
}

void policy_keep_hosts(const struct policy *policy, const char *also, struct slice text, struct str *out)
{
	for (struct slice line = next_piece(&text, "\n"); line.n; line = next_piece(&text, "\n")) {
		if (!is_wanted(policy, also, line))
			continue;
		str_addn(out, line.at, line.n);
		str_addc(out, '\n');
	}
}
