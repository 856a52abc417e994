#include "egress/decode.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include "base/own.h"
#include "base/banned.h"

enum {
	ANY_ZLIB = 32 + 15,   /* gzip or zlib, told by the header */
	ZSTD_WINDOW_LOG = 23, /* 8 MiB, what RFC 9659 lets a server use */
};

bool decode_known(struct slice coding, enum decode_kind *out)
{
	static const struct {
		const char *name;
		enum decode_kind kind;
	} codings[] = {
		{ "identity", DECODE_NONE }, { "gzip", DECODE_GZIP }, { "x-gzip", DECODE_GZIP },
		{ "deflate", DECODE_GZIP },  { "br", DECODE_BROTLI }, { "zstd", DECODE_ZSTD },
	};

	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		if (slice_is_nocase(coding, codings[i].name)) {
			*out = codings[i].kind;
			return true;
		}
	}
	return false;
}

static void *make_gzip(void)
{
	z_stream *z = xcalloc(1, sizeof *z);

	if (inflateInit2(z, ANY_ZLIB) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static void *make_zstd(void)
{
	ZSTD_DStream *z = ZSTD_createDStream();

	if (z)
		ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	return z;
}

bool decoder_begin(struct decoder *d, enum decode_kind kind, uint64_t most, size_t *wide)
{
	bool narrow = kind == DECODE_GZIP;

	*d = (struct decoder){ .kind = kind, .left = most };
	if (!narrow && *wide >= DECODERS_WIDE)
		return false;
	d->state = narrow                ? make_gzip() :
	           kind == DECODE_BROTLI ? (void *)BrotliDecoderCreateInstance(NULL, NULL, NULL) :
	                                   make_zstd();
	if (!d->state)
		return false;
	if (!narrow) {
		d->wide = wide;
		++*wide;
	}
	return true;
}

void decoder_end(struct decoder *d)
{
	if (d->kind == DECODE_GZIP && d->state) {
		inflateEnd(d->state);
		free(d->state);
	} else if (d->kind == DECODE_BROTLI) {
		BrotliDecoderDestroyInstance(d->state);
	} else if (d->kind == DECODE_ZSTD) {
		ZSTD_freeDStream(d->state);
	}
	if (d->wide)
		--*d->wide;
	*d = (struct decoder)DECODER_INIT;
}

static long run_gzip(struct decoder *d, struct slice in, size_t *taken, char *room, size_t n)
{
	z_stream *z = d->state;

	z->next_in = (unsigned char *)(uintptr_t)in.at;
	z->avail_in = (unsigned)in.n;
	z->next_out = (unsigned char *)room;
	z->avail_out = (unsigned)n;
	int status = inflate(z, Z_NO_FLUSH);
	if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
		return -1;
	d->done = status == Z_STREAM_END;
	d->held = z->avail_out == 0 && !d->done;
	*taken = in.n - z->avail_in;
	return (long)(n - z->avail_out);
}

static long run_brotli(struct decoder *d, struct slice in, size_t *taken, char *room, size_t n)
{
	const uint8_t *next_in = (const uint8_t *)in.at;
	uint8_t *next_out = (uint8_t *)room;
	size_t left_in = in.n, left_out = n;
	BrotliDecoderResult result =
		BrotliDecoderDecompressStream(d->state, &left_in, &next_in, &left_out, &next_out, NULL);

	if (result == BROTLI_DECODER_RESULT_ERROR)
		return -1;
	d->done = result == BROTLI_DECODER_RESULT_SUCCESS;
	d->held = result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
	*taken = in.n - left_in;
	return (long)(n - left_out);
}

static long run_zstd(struct decoder *d, struct slice in, size_t *taken, char *room, size_t n)
{
	ZSTD_inBuffer from = { in.at, in.n, 0 };
	ZSTD_outBuffer to = { room, n, 0 };
	size_t hint = ZSTD_decompressStream(d->state, &to, &from);

	if (ZSTD_isError(hint))
		return -1;
	d->done = hint == 0;
	d->held = to.pos == n && !d->done;
	*taken = from.pos;
	return (long)to.pos;
}

long decoder_run(struct decoder *d, struct slice in, size_t *taken, char *room, size_t n)
{
	long put;

	/* Bytes behind the coding's end have no meaning that two readers would agree on. */
	if (d->done && in.n)
		return -1;
	if (d->kind == DECODE_GZIP)
		put = run_gzip(d, in, taken, room, n);
	else if (d->kind == DECODE_BROTLI)
		put = run_brotli(d, in, taken, room, n);
	else
		put = run_zstd(d, in, taken, room, n);
	if (put < 0 || (uint64_t)put > d->left)
		return -1;
	d->left -= (uint64_t)put;
	return put;
}
