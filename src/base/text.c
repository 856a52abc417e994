#include "base/str.h"

#include <string.h>

#include "base/own.h"
#include "base/utf8.h"
#include "base/banned.h"

enum { AS_LINES = 1, AS_NAME = 2 };

static void add_visible(struct str *s, const void *bytes, size_t n, int how)
{
	const unsigned char *p = bytes, *end = p + n;

	while (p < end) {
		const unsigned char *at = p;
		int32_t letter = utf8_next(&p, end);

		if (letter == UTF8_BAD)
			str_addf(s, "\\x%02x", *at);
		else if ((how & AS_NAME) && letter == '\\')
			str_add(s, "\\\\");
		else if ((how & AS_LINES) && (letter == '\n' || letter == '\t'))
			str_addc(s, (char)letter);
		else if (letter < 0x20 || letter == 0x7f)
			str_addf(s, "\\x%02x", (unsigned)letter);
		else if ((letter >= 0x80 && letter < 0xa0) || utf8_is_hidden(letter))
			str_addf(s, "\\u{%x}", (unsigned)letter);
		else
			str_addn(s, at, (size_t)(p - at));
	}
}

void str_addn_visible(struct str *s, const void *bytes, size_t n, bool lines)
{
	add_visible(s, bytes, n, lines ? AS_LINES : 0);
}

void str_addn_name(struct str *s, const void *bytes, size_t n)
{
	add_visible(s, bytes, n, AS_NAME);
}

void str_add_name(struct str *s, const char *name)
{
	str_addn_name(s, name, strlen(name));
}

void str_add_visible(struct str *s, const char *text)
{
	str_addn_visible(s, text, strlen(text), false);
}
