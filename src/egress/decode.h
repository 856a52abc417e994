#pragma once
/* Undoes a content coding piece by piece, so that a body can be looked at. Bounded: what
 * comes out is limited in total, and no call gives more than its room. */
#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"

enum decode_kind { DECODE_NONE, DECODE_GZIP, DECODE_BROTLI, DECODE_ZSTD };

struct decoder {
	enum decode_kind kind;
	void *state;
	uint64_t left; /* bytes that may still come out */
	bool done;     /* the coding's own end was seen */
	bool held;     /* output waits inside: call again, without input too */
};
/* clang-format off */
#define DECODER_INIT                \
	{                           \
		.kind = DECODE_NONE \
	}
/* clang-format on */

/* The coding of a Content-Encoding value. False: one that is not known here, or several. */
bool decode_known(struct slice coding, enum decode_kind *out);
/* False: no memory. */
bool decoder_begin(struct decoder *d, enum decode_kind kind, uint64_t most);
void decoder_end(struct decoder *d);
/* Takes from @in, puts into @room. Returns the bytes put, -1 for a bad coding or too much;
 * @taken says how much of @in is used up. */
long decoder_run(struct decoder *d, struct slice in, size_t *taken, char *room, size_t n);
