#include "wire/websocket.h"

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { FIN = 0x80, RESERVED = 0x70, MASKED = 0x80, CONTROL_MOST = 125, LENGTH_16 = 126, LENGTH_64 = 127 };

/* Continuation only inside a message, a new message only outside of one. */
static bool opcode_fits(const struct websocket_side *side, uint8_t opcode, bool fin, uint64_t length)
{
	if (opcode >= WEBSOCKET_CLOSE)
		return opcode <= WEBSOCKET_CLOSE + 2 && fin && length <= CONTROL_MOST;
	return opcode <= 2 && (opcode == 0) == side->in_message;
}

ssize_t websocket_header(struct websocket_side *side, struct slice in)
{
	if (in.n < 2)
		return 0;
	const unsigned char *p = (const unsigned char *)in.at;
	uint8_t opcode = p[0] & 0x0f, small = p[1] & 0x7f;
	bool fin = p[0] & FIN, masked = p[1] & MASKED;
	size_t wide = small == LENGTH_16 ? 2 : small == LENGTH_64 ? 8 : 0;
	size_t n = 2 + wide + (masked ? 4 : 0);
	uint64_t length = wide ? 0 : small;

	if ((p[0] & RESERVED) || masked != side->masks)
		return -1;
	if (in.n < n)
		return 0;
	for (size_t i = 0; i < wide; i++)
		length = length << 8 | p[2 + i];
	/* One length has one spelling: the shortest. */
	if ((wide == 2 && length < LENGTH_16) || (wide == 8 && length <= UINT16_MAX) || length > side->most)
		return -1;
	if (!opcode_fits(side, opcode, fin, length))
		return -1;
	if (opcode < WEBSOCKET_CLOSE)
		side->in_message = !fin;
	side->opcode = opcode;
	side->fin = fin;
	side->left = length;
	side->mask_at = 0;
	memset(side->mask, 0, sizeof side->mask);
	if (masked)
		memcpy(side->mask, p + n - sizeof side->mask, sizeof side->mask);
	return (ssize_t)n;
}

void websocket_unmask(struct websocket_side *side, struct slice piece, struct str *out)
{
	size_t at = out->len;

	str_addn(out, piece.at, piece.n);
	for (size_t i = 0; i < piece.n; i++)
		out->data[at + i] =
			(char)(out->data[at + i] ^ side->mask[side->mask_at++ % sizeof side->mask]);
	side->mask_at %= sizeof side->mask;
}

size_t websocket_head_print(uint8_t opcode, bool fin, uint64_t length,
                            unsigned char out[WEBSOCKET_HEADER_MAX])
{
	size_t wide = length < LENGTH_16 ? 0 : length <= UINT16_MAX ? 2 : 8;

	out[0] = (unsigned char)((fin ? FIN : 0) | opcode);
	out[1] = wide == 0 ? (unsigned char)length : wide == 2 ? LENGTH_16 : LENGTH_64;
	for (size_t i = 0; i < wide; i++)
		out[2 + i] = (unsigned char)(length >> (8 * (wide - 1 - i)));
	return 2 + wide;
}

bool websocket_key_is_fine(struct slice key)
{
	own_str struct str bytes = STR_INIT;

	return key.n == 24 && base64_decode(&bytes, key.at, key.n, false) && bytes.len == 16;
}
