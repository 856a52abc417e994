#include "workspace/letters.h"

#include "base/own.h"
#include "workspace/workspace.h"
#include "base/banned.h"

struct range {
	int32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t n, int32_t letter)
{
	for (size_t i = 0; i < n; i++)
		if (letter >= ranges[i].first && letter <= ranges[i].last)
			return true;
	return false;
}

int32_t letter_next(const unsigned char **p, const unsigned char *end)
{
	/* Indexed by the number of bytes that follow: the least code point that needs them. */
	static const int32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned char first = *(*p)++;
	int follow = first < 0x80                  ? 0 :
	             first >= 0xc2 && first < 0xe0 ? 1 :
	             first >= 0xe0 && first < 0xf0 ? 2 :
	                                             3;
	int32_t letter = follow == 0 ? first : first & (0x3f >> follow);

	if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || end - *p < follow)
		return LETTER_BAD;
	for (int i = 0; i < follow; i++) {
		if (((*p)[i] & 0xc0) != 0x80)
			return LETTER_BAD;
		letter = letter << 6 | ((*p)[i] & 0x3f);
	}
	if (letter < least[follow] || letter > 0x10ffff || (letter >= 0xd800 && letter <= 0xdfff))
		return LETTER_BAD;
	*p += follow;
	return letter;
}

bool letter_is_hidden(int32_t letter)
{
	/* Unicode's default ignorable code points, direction marks, line separators, tags,
	 * noncharacters that terminals swallow, and private use, which shows as anything. */
	static const struct range hidden[] = {
		{ 0x00ad, 0x00ad },   { 0x034f, 0x034f },   { 0x061c, 0x061c },    { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },   { 0x200b, 0x200f },    { 0x2028, 0x202e },
		{ 0x2060, 0x206f },   { 0x3164, 0x3164 },   { 0xe000, 0xf8ff },    { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },    { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff }, { 0xf0000, 0x10ffff },
	};

	return in_ranges(hidden, ARRAY_LEN(hidden), letter);
}

void text_add_visible(struct str *out, const void *bytes, size_t n, bool lines)
{
	const unsigned char *p = bytes, *end = p + n;

	while (p < end) {
		const unsigned char *at = p;
		int32_t letter = letter_next(&p, end);

		if (letter == LETTER_BAD)
			str_addf(out, "\\x%02x", *at);
		else if (lines && (letter == '\n' || letter == '\t'))
			str_addc(out, (char)letter);
		else if (letter < 0x20 || letter == 0x7f)
			str_addf(out, "\\x%02x", (unsigned)letter);
		else if ((letter >= 0x80 && letter < 0xa0) || letter_is_hidden(letter))
			str_addf(out, "\\u{%x}", (unsigned)letter);
		else
			str_addn(out, at, (size_t)(p - at));
	}
}

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
	if (letter_is_hidden(letter) || (letter >= MARK_FIRST && letter <= MARK_LAST))
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
		int32_t letter = letter_next(&p, end);
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
