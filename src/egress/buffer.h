#pragma once
/* A queue of bytes: filled at its end, taken from its front, with memory that a quiet
 * connection gives back. Slices of it are good until the next call that adds. */
#include <string.h>
#include "base/own.h"
#include "base/err.h"
#include "base/slice.h"

struct buffer {
	char *data;
	size_t start, end, cap;
};

static inline size_t buffer_len(const struct buffer *b)
{
	return b->end - b->start;
}

static inline struct slice buffer_view(const struct buffer *b)
{
	return (struct slice){ b->data ? b->data + b->start : NULL, b->end - b->start };
}

static inline void buffer_take(struct buffer *b, size_t n)
{
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

/* Room for @n more bytes, at the returned place; buffer_added() says how many came. */
char *buffer_room(struct buffer *b, size_t n);

static inline void buffer_added(struct buffer *b, size_t n)
{
	b->end += n;
}

static inline void buffer_add(struct buffer *b, const void *bytes, size_t n)
{
	if (n && !bytes)
		bug("%zu bytes from nowhere", n);
	if (n) {
		memcpy(buffer_room(b, n), bytes, n);
		b->end += n;
	}
}

static inline void buffer_add_text(struct buffer *b, const char *text)
{
	buffer_add(b, text, strlen(text));
}

void buffer_clear(struct buffer *b);
/* Gives the memory back if nothing is in it. */
void buffer_trim(struct buffer *b);
