#include "base/str.h"

#include <string.h>

#include "base/own.h"
#include "base/utf8.h"
#include "base/banned.h"

void str_addn_visible(struct str *s, const void *bytes, size_t n, bool lines)
{
	const unsigned char *p = bytes, *end = p + n;

	while (p < end) {
		const unsigned char *at = p;
		int32_t letter = utf8_next(&p, end);

		if (letter == UTF8_BAD)
			str_addf(s, "\\x%02x", *at);
		else if (lines && (letter == '\n' || letter == '\t'))
			str_addc(s, (char)letter);
		else if (letter < 0x20 || letter == 0x7f)
			str_addf(s, "\\x%02x", (unsigned)letter);
		else if ((letter >= 0x80 && letter < 0xa0) || utf8_is_hidden(letter))
			str_addf(s, "\\u{%x}", (unsigned)letter);
		else
			str_addn(s, at, (size_t)(p - at));
	}
}

void str_add_visible(struct str *s, const char *text)
{
	str_addn_visible(s, text, strlen(text), false);
}
