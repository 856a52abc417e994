/* The parameters of a query are all of it, in order, and a name is its own in every spelling. */
#include "driver/fuzz.h"

#include "base/own.h"
#include "base/str.h"
#include "wire/percent.h"
#include "wire/query.h"

/* Every byte as "%XX". */
static void spell(struct slice text, struct str *out)
{
	for (size_t i = 0; i < text.n; i++)
		str_addf(out, "%%%02x", (unsigned char)text.at[i]);
}

static void check_name(struct slice name)
{
	own_str struct str plain = STR_INIT, spelled = STR_INIT, again = STR_INIT;

	for (size_t at = 0; at < name.n;) {
		size_t before = at;
		char c = percent_byte(name, &at);
		must(at > before && at <= name.n);
		str_addc(&plain, c);
	}
	spell((struct slice){ plain.data, plain.len }, &spelled);
	spell((struct slice){ spelled.data, spelled.len }, &again);
	/* What begins with a blank or holds a NUL is another name than it looks. */
	if (plain.len == 0 || memchr(plain.data, '\0', plain.len) || plain.data[0] == ' ' ||
	    plain.data[0] == '+')
		return;
	must(query_name_is(name, plain.data));
	must(query_name_is((struct slice){ spelled.data, spelled.len }, plain.data));
	must(percent_equal((struct slice){ spelled.data, spelled.len }, plain.data));
	must(percent_decode(again.data, again.len) == spelled.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice rest = { (const char *)bytes, n };
	struct query_parameter p;
	const char *end = rest.at;

	while (query_next(&rest, &p)) {
		must(p.whole.at == end || (p.whole.at == end + 1 && (*end == '&' || *end == ';')));
		must(p.whole.n == p.name.n + p.value.n + p.has_value);
		must(!p.name.n || !memchr(p.name.at, '=', p.name.n));
		end = p.whole.at + p.whole.n;
		check_name(p.name);
	}
	must(end == (const char *)bytes + n ||
	     (end + 1 == (const char *)bytes + n && (*end == '&' || *end == ';')));
	return 0;
}
