#pragma once
/* A value that must not be shown: no printf of it compiles, it is zeroed when cleared, and
 * the only way in is secret_expose(), so that a review can find every use. */
#include <stddef.h>

struct secret {
	char *bytes_;
	size_t len_;
};
/* clang-format off */
#define SECRET_INIT { 0 }
/* clang-format on */
#define own_secret __attribute__((cleanup(secret_clear)))

void secret_clear(struct secret *s);
void secret_set(struct secret *s, const void *bytes, size_t n); /* copies; clears what was there */
void secret_copy(struct secret *to, const struct secret *from);
size_t secret_len(const struct secret *s);
const char *secret_expose(const struct secret *s); /* NUL-terminated; "" while empty */
