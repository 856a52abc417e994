#pragma once
/* Undoes a content coding piece by piece, so that a body can be looked at. Bounded: what
 * comes out is limited in total, no call gives more than its room, and of those that look far
 * back (br up to 16 MiB, zstd up to 8) only a few are open at once. */
#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"

enum { DECODERS_WIDE = 8 };

enum decode_kind { DECODE_NONE, DECODE_GZIP, DECODE_BROTLI, DECODE_ZSTD };

struct decoder {
	enum decode_kind kind;
	void *state;
	uint64_t left; /* bytes that may still come out */
	bool done;     /* the coding's own end was seen */
	bool held;     /* output waits inside: call again, without input too */
	size_t *wide;  /* the count that this one is part of; NULL: of none */
};
/* clang-format off */
#define DECODER_INIT                \
	{                           \
		.kind = DECODE_NONE \
	}
/* clang-format on */

/* The coding of a Content-Encoding value. False: one that is not known here, or several. */
bool decode_known(struct slice coding, enum decode_kind *out);
/* @wide counts those of br and zstd. False: there are DECODERS_WIDE of them, or no memory. */
bool decoder_begin(struct decoder *d, enum decode_kind kind, uint64_t most, size_t *wide);
void decoder_end(struct decoder *d);
/* Takes from @in, puts into @room. Returns the bytes put, -1 for a bad coding or too much;
 * @taken says how much of @in is used up. */
long decoder_run(struct decoder *d, struct slice in, size_t *taken, char *room, size_t n);
