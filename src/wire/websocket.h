#pragma once
/* Frames of RFC 6455 as they pass by: each header is read and judged, payloads are counted
 * and left alone. No extension is ever negotiated, so every reserved bit is a fault. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/slice.h"
#include "base/str.h"

enum {
	WEBSOCKET_HEADER_MAX = 14,
	WEBSOCKET_ACCEPT = 29, /* Sec-WebSocket-Accept and a NUL */
	WEBSOCKET_CLOSE = 8,
};

struct websocket_side {
	bool masks;      /* frames of this side are masked (a client's are, a server's are not) */
	uint64_t most;   /* bytes of one frame's payload */
	bool in_message; /* a fragmented message is open */
	/* The present frame. */
	uint8_t opcode;
	bool fin;
	uint64_t left; /* of its payload */
	unsigned char mask[4];
	unsigned mask_at; /* which of its bytes is next */
};

/* Reads a frame's header at the front of @in. Returns its length, 0 for "more bytes", -1 for a
 * frame that may not be. Only called while .left is 0. */
ssize_t websocket_header(struct websocket_side *side, struct slice in);
static inline bool websocket_is_control(const struct websocket_side *side)
{
	return side->opcode >= WEBSOCKET_CLOSE;
}

/* Adds what a piece of the present frame's payload says to @out. */
void websocket_unmask(struct websocket_side *side, struct slice piece, struct str *out);

/* The header of an unmasked frame; returns its length. */
size_t websocket_head_print(uint8_t opcode, bool fin, uint64_t length,
                            unsigned char out[WEBSOCKET_HEADER_MAX]);

/* Is @key what a client may send: 16 bytes in Base64? */
bool websocket_key_is_fine(struct slice key);
