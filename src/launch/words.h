#pragma once
/* The words in braces that stand in provider files for what the launch knows. */
#include <stdbool.h>
#include "base/own.h"

struct word {
	const char *name, *value;
}; /* name without braces; value NULL: it has none */

/* @text with every known {name} replaced; other braces stay. NULL: a word in it has no value.
 * What is put in is not looked at again. The caller frees. */
char *words_fill(const char *text, const struct word *words, size_t n);
/* All of a list added to @out, or, when one can't be filled, none and false. */
bool words_fill_list(const struct strv *list, const struct word *words, size_t n, struct strv *out);
