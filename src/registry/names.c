#include "registry/names.h"

#include <string.h>

#include "base/banned.h"

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ^[a-z][a-z0-9]*(-[a-z0-9]+)*$ over the first @n characters. */
static bool form_is_valid(const char *name, size_t n)
{
	if (n == 0 || !is_letter(name[0]) || name[n - 1] == '-')
		return false;
	for (size_t i = 1; i < n; i++) {
		if (name[i] == '-' && name[i - 1] == '-')
			return false;
		if (name[i] != '-' && !is_letter(name[i]) && !is_digit(name[i]))
			return false;
	}
	return true;
}

bool name_is_valid(const char *name)
{
	size_t n = strnlen(name, NAME_LIMIT + 1);

	return n <= NAME_LIMIT && form_is_valid(name, n);
}

int name_normalise(const char *label, char out[NAME_LIMIT + 1], struct err *err)
{
	char made[NAME_LIMIT + 1];
	size_t n = 0;

	for (const char *p = label; *p && n < NAME_LIMIT; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		bool kept = is_letter(c) || is_digit(c);

		if (n == 0 && !is_letter(c))
			continue;
		if (kept)
			made[n++] = c;
		else if (made[n - 1] != '-')
			made[n++] = '-';
	}
	while (n > 0 && made[n - 1] == '-')
		n--;
	if (n == 0)
		return fail(err, ERR_INPUT, "a label needs a letter; use a-z, 0-9 and hyphens");
	made[n] = '\0';
	memcpy(out, made, n + 1);
	return 0;
}

bool slug_is_valid(const char *slug)
{
	size_t n = strnlen(slug, SLUG_TEXT);

	if (n > SLUG_LIMIT || n < SLUG_SUFFIX + 2)
		return false;
	for (size_t i = n - SLUG_SUFFIX; i < n; i++)
		if (!is_letter(slug[i]) && !is_digit(slug[i]))
			return false;
	return slug[n - SLUG_SUFFIX - 1] == '-' && form_is_valid(slug, n - SLUG_SUFFIX - 1);
}
