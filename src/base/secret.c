#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/banned.h"

void secret_clear(struct secret *s)
{
	if (s->bytes_)
		explicit_bzero(s->bytes_, s->len_);
	mem_drop(&s->bytes_);
	s->len_ = 0;
}

void secret_set(struct secret *s, const void *bytes, size_t n)
{
	char *copy = xmalloc(n + 1);

	memcpy(copy, bytes, n);
	copy[n] = '\0';
	secret_clear(s);
	s->bytes_ = copy;
	s->len_ = n;
}

void secret_copy(struct secret *to, const struct secret *from)
{
	secret_set(to, secret_expose(from), from->len_);
}

size_t secret_len(const struct secret *s)
{
	return s->len_;
}

const char *secret_expose(const struct secret *s)
{
	return s->bytes_ ? s->bytes_ : "";
}
