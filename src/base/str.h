#pragma once
/* Growable bytes, always NUL-terminated once something was added, so that data can be
 * read as a C string where it holds no NUL of its own. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	char *data; /* NULL while nothing was added */
	size_t len;
	size_t cap;
};
/* clang-format off */
#define STR_INIT { 0 }
/* clang-format on */
#define own_str __attribute__((cleanup(str_clear)))

void str_clear(struct str *s);
void str_reset(struct str *s);                /* empties, keeps the memory */
void str_reserve(struct str *s, size_t more); /* room for @more bytes and a NUL behind len */
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const void *bytes, size_t n);
void str_addc(struct str *s, char c);
void str_add_number(struct str *s, uint64_t n); /* decimal */
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *s, const char *fmt, va_list ap);
void str_cut_front(struct str *s, size_t n); /* removes the first @n bytes */
char *str_steal(struct str *s);              /* the caller frees; never NULL */
const char *str_c(const struct str *s);      /* "" while empty */

/* Adds hostile text so that it can be shown: control bytes, DEL and bytes that are not
 * printable ASCII become \xNN, a backslash becomes \\. At most @limit bytes of @n are
 * shown, "..." marks a cut. */
void str_add_escaped(struct str *s, const void *bytes, size_t n, size_t limit);
/* The same for a person's eyes, so that a terminal can't be fooled: letters of every script
 * stay; control bytes, what is not UTF-8, direction marks and invisible characters become \xNN
 * or \u{...}. With @lines newline and tab stay. */
void str_addn_visible(struct str *s, const void *bytes, size_t n, bool lines);
void str_add_visible(struct str *s, const char *text); /* all of it, as one line */
/* A file's name likewise, and a backslash becomes \\, so that no two names are shown alike. */
void str_addn_name(struct str *s, const void *bytes, size_t n);
void str_add_name(struct str *s, const char *name);

/* What follows a noun that is counted: "file" becomes "files" for any number but one. */
const char *str_plural(uint64_t n);

bool str_is(const char *a, const char *b); /* equal; NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* A whole decimal number in [min, max] and nothing else: no sign, blank or leading "+". */
bool str_number(const char *s, unsigned long min, unsigned long max, unsigned long *out);

/* Restricted Damerau-Levenshtein distance, for did-you-mean; strings over 64 bytes are "far". */
unsigned str_distance(const char *a, const char *b);
/* The nearest name within a typing error or two, or NULL. */
const char *str_nearest(const char *word, const char *const *names, size_t n);

void hex_encode(struct str *out, const void *bytes, size_t n);    /* lower case */
void base64_encode(struct str *out, const void *bytes, size_t n); /* RFC 4648 section 4, padded */
/* Strict RFC 4648 section 4 (or section 5 with @url); padding optional. False: not Base64. */
bool base64_decode(struct str *out, const char *text, size_t n, bool url);
