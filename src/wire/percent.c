#include "wire/percent.h"

#include "wire/chars.h"

#include "base/banned.h"

size_t percent_decode(char *text, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		int byte = char_escape((struct slice){ text + i, n - i });

		if (byte >= 0)
			i += 2;
		text[to++] = byte >= 0 ? (char)byte : text[i];
	}
	return to;
}

char percent_byte(struct slice text, size_t *at)
{
	struct slice rest = slice_cut(text, *at, text.n);
	size_t used = 1;
	char c = rest.at[0];

	for (int byte = char_escape(rest); byte >= 0; byte = -1) {
		c = (char)byte;
		used = 3;
		while (c == '%' && used + 2 <= rest.n && char_hex(rest.at[used]) >= 0 &&
		       char_hex(rest.at[used + 1]) >= 0) {
			c = (char)(char_hex(rest.at[used]) << 4 | char_hex(rest.at[used + 1]));
			used += 2;
		}
	}
	*at += used;
	return c;
}

bool percent_equal(struct slice encoded, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < encoded.n;) {
		char c = percent_byte(encoded, &i);

		if (!text[n] || ascii_lower(c) != ascii_lower(text[n]))
			return false;
		n++;
	}
	return !text[n];
}
