#include "workspace/letters.h"

#include <stdint.h>

#include "base/own.h"
#include "base/utf8.h"
#include "base/banned.h"

/* What case folding and compatibility mappings turn into ASCII. A file system knows some of
 * these; taking one too many only holds a file back that nobody needs. */
static const struct {
	int32_t letter;
	const char *ascii;
} twins[] = {
	{ 0x00df, "ss" }, { 0x0130, "i" },  { 0x0131, "i" },   { 0x017f, "s" },   { 0x1e9e, "ss" },
	{ 0x2024, "." },  { 0x2025, ".." }, { 0x212a, "k" },   { 0x212b, "a" },   { 0xfb00, "ff" },
	{ 0xfb01, "fi" }, { 0xfb02, "fl" }, { 0xfb03, "ffi" }, { 0xfb04, "ffl" }, { 0xfb05, "st" },
	{ 0xfb06, "st" }, { 0xfe52, "." },  { 0xfe63, "-" },
};

static void fold_letter(struct str *out, int32_t letter)
{
	enum { WIDE_FIRST = 0xff01, WIDE_LAST = 0xff5e, MARK_FIRST = 0x300, MARK_LAST = 0x36f };

	if (letter >= WIDE_FIRST && letter <= WIDE_LAST)
		letter = letter - WIDE_FIRST + '!';
	if (utf8_is_hidden(letter) || (letter >= MARK_FIRST && letter <= MARK_LAST))
		return;
	for (size_t i = 0; i < ARRAY_LEN(twins); i++) {
		if (twins[i].letter == letter) {
			str_add(out, twins[i].ascii);
			return;
		}
	}
	if (letter >= 'A' && letter <= 'Z')
		letter += 'a' - 'A';
	/* Nothing of ours holds another letter: one stand-in is enough to differ. */
	str_addc(out, letter > 0 && letter < 0x80 ? (char)letter : '?');
}

void letters_fold(struct str *out, const char *name, size_t n)
{
	const unsigned char *p = (const unsigned char *)name, *end = p + n;
	size_t start = out->len;

	str_reserve(out, n);
	while (p < end) {
		int32_t letter = utf8_next(&p, end);
		/* NTFS: behind the colon stands a stream of the same file. */
		if (letter == ':')
			break;
		fold_letter(out, letter);
	}
	while (out->len > start && (out->data[out->len - 1] == '.' || out->data[out->len - 1] == ' '))
		out->len--;
	if (out->data)
		out->data[out->len] = '\0';
}
