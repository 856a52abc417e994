#include "ui/ui.h"
#include <string.h>
#include "base/str.h"
#include "base/banned.h"

/* Length of the UTF-8 sequence at @p that is safe to show, 0: none. Besides control bytes,
 * what changes the reading direction or has no width is not safe: it can make a line say
 * something else than its bytes do. */
static size_t printable(const unsigned char *p, size_t n)
{
	unsigned long point;
	size_t len = p[0] < 0x80           ? 1 :
	             (p[0] & 0xe0) == 0xc0 ? 2 :
	             (p[0] & 0xf0) == 0xe0 ? 3 :
	             (p[0] & 0xf8) == 0xf0 ? 4 :
	                                     0;
	static const unsigned long least[] = { 0, 0x20, 0x80, 0x800, 0x10000 };

	if (len == 0 || len > n)
		return 0;
	point = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (p[i] & 0x3f);
	}
	if (point < least[len] || point == 0x7f || (point >= 0x80 && point < 0xa0) || point > 0x10ffff ||
	    (point >= 0xd800 && point < 0xe000))
		return 0;
	if (point == 0xad || point == 0x61c || (point >= 0x180b && point <= 0x180f) ||
	    (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	    (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || (point >= 0xfff0 && point <= 0xfffb) ||
	    (point >= 0xe0000 && point <= 0xe0fff))
		return 0;
	return len;
}

void ui_escape(struct str *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = strlen(text);

	while (n > 0) {
		size_t len = printable(p, n);

		if (len == 0) {
			str_addf(out, "\\x%02x", *p);
			len = 1;
		} else {
			str_addn(out, p, len);
		}
		p += len;
		n -= len;
	}
}
