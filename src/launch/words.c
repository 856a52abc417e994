#include "launch/words.h"

#include <string.h>

#include "base/str.h"
#include "base/banned.h"

static const struct word *word_at(const char *brace, const struct word *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i].name);
		if (strncmp(brace + 1, words[i].name, len) == 0 && brace[1 + len] == '}')
			return &words[i];
	}
	return NULL;
}

char *words_fill(const char *text, const struct word *words, size_t n)
{
	own_str struct str out = STR_INIT;

	for (const char *p = text; *p;) {
		const struct word *w = *p == '{' ? word_at(p, words, n) : NULL;
		if (!w) {
			str_addc(&out, *p++);
			continue;
		}
		if (!w->value)
			return NULL;
		str_add(&out, w->value);
		p += strlen(w->name) + 2;
	}
	return str_steal(&out);
}

bool words_fill_list(const struct strv *list, const struct word *words, size_t n, struct strv *out)
{
	own_strv struct strv filled = STRV_INIT;

	for (size_t i = 0; i < list->n; i++) {
		char *text = words_fill(list->v[i], words, n);
		if (!text)
			return false;
		strv_take(&filled, text);
	}
	for (size_t i = 0; i < filled.n; i++)
		strv_add(out, filled.v[i]);
	return true;
}
