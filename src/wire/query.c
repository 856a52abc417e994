#include "wire/query.h"

#include "wire/percent.h"

#include "base/banned.h"

bool query_next(struct slice *rest, struct query_parameter *out)
{
	size_t end = 0;

	if (rest->n == 0)
		return false;
	while (end < rest->n && rest->at[end] != '&' && rest->at[end] != ';')
		end++;
	struct slice whole = slice_cut(*rest, 0, end);
	const char *equals = whole.n ? memchr(whole.at, '=', whole.n) : NULL;
	size_t name = equals ? (size_t)(equals - whole.at) : whole.n;
	*out = (struct query_parameter){ .whole = whole,
		                         .name = slice_cut(whole, 0, name),
		                         .value = slice_cut(whole, equals ? name + 1 : name, whole.n),
		                         .has_value = equals };
	*rest = slice_cut(*rest, end < rest->n ? end + 1 : end, rest->n);
	return true;
}

static char folded(char c)
{
	return c == '.' || c == '[' || c == ' ' || c == '+' || c == '-' ? '_' : ascii_lower(c);
}

bool query_name_is(struct slice name, const char *wanted)
{
	size_t at = 0, n = 0;

	for (size_t next = 0; next < name.n; at = next) {
		char c = percent_byte(name, &next);
		if (c != ' ' && c != '+')
			break;
	}
	while (at < name.n) {
		char c = percent_byte(name, &at);
		if (!c)
			break;
		if (!wanted[n] || folded(c) != folded(wanted[n]))
			return false;
		n++;
	}
	return !wanted[n];
}
