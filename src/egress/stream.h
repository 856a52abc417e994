#pragma once
/* A connection, plain or TLS, that never blocks: bytes that came stand in `in`, bytes to be
 * sent in `out`. It is watched edge-triggered for both directions once and for all, so an
 * owner that stopped reading (its other side is full) need only call stream_fill() again. */
#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"
#include "egress/buffer.h"

struct ssl_st;

enum {
	STREAM_PIECE = 16 * 1024, /* bytes read at a time: one TLS record */
	STREAM_FULL = 64 * 1024,  /* `out` above this: its source waits */
};

struct stream {
	struct loop *loop;
	struct watch watch;
	int fd;             /* -1: none */
	struct ssl_st *ssl; /* NULL: plain */
	struct buffer raw;  /* came before TLS began, and belongs to it */
	struct buffer in, out;
	bool readable, writable; /* the kernel has not said EAGAIN since */
	bool more;               /* behind the record that is written now another one follows at once */
	bool drained;            /* a short read emptied the socket: the next edge tells of more */
	bool ending;             /* the kernel spoke of an end: no further edge may come */
	bool eof;                /* the other side ends cleanly: FIN, close_notify */
	bool broken;             /* reset, cut or a TLS error: nothing moves any more */
	bool hears_out;          /* the owner wants what was said before a write failed */
	bool deaf;               /* a write did fail: what is sent goes nowhere, what came is read */
	uint64_t moved;          /* loop time of the last byte */
	uint64_t received, sent;
	void (*fn)(void *arg); /* something may have changed */
	void *arg;
};
/* clang-format off */
#define STREAM_INIT                           \
	{                                     \
		.fd = -1, .watch = WATCH_INIT \
	}
/* clang-format on */

/* Takes the descriptor over, also on failure. */
int stream_open(struct stream *s, struct loop *loop, int fd, void (*fn)(void *arg), void *arg,
                struct err *err);
void stream_close(struct stream *s);
/* When it is closed the other side sees a reset, not an end. What was not sent yet is lost. */
void stream_spoil_end(struct stream *s);

/* From here on the bytes are TLS; what stands in `in` is taken as its beginning. Takes @ssl. */
void stream_start_tls(struct stream *s, struct ssl_st *ssl);
/* 1 done, 0 not yet, -1 failed (broken). */
int stream_handshake(struct stream *s);

/* Reads until `in` holds @most bytes or nothing is left to read. True: bytes came. */
bool stream_fill(struct stream *s, size_t most);
/* Has nothing come that nobody asked for, nor an end? Asks the kernel itself: what came since the
 * last event is known to it alone. */
bool stream_is_quiet(struct stream *s);
/* Writes what it can of `out`. True: bytes went. */
bool stream_flush(struct stream *s);
/* Says that nothing more will be sent. */
void stream_finish(struct stream *s);
