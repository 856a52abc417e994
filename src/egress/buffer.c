#include "egress/buffer.h"

#include "base/banned.h"

enum { BUFFER_FIRST = 4096 };

char *buffer_room(struct buffer *b, size_t n)
{
	if (b->cap - b->end >= n)
		return b->data + b->end;
	size_t len = buffer_len(b);
	if (b->start) {
		memmove(b->data, b->data + b->start, len);
		b->start = 0;
		b->end = len;
	}
	if (b->cap - b->end < n) {
		size_t cap = b->cap ? b->cap : BUFFER_FIRST;
		while (cap - len < n)
			cap *= 2;
		b->data = xrealloc(b->data, cap, 1);
		b->cap = cap;
	}
	return b->data + b->end;
}

void buffer_clear(struct buffer *b)
{
	/* What passed through may have been a credential. */
	if (b->data)
		explicit_bzero(b->data, b->cap);
	mem_drop(&b->data);
	b->start = b->end = b->cap = 0;
}

void buffer_trim(struct buffer *b)
{
	if (buffer_len(b) == 0)
		buffer_clear(b);
}
