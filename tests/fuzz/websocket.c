/* Frames of one side of a WebSocket. The first byte says whose they are. Each header is "more
 * bytes" for all of its beginnings, is never longer than what came, has one spelling, and what
 * is unmasked and masked again is what was sent. */
#include "driver/fuzz.h"

#include <string.h>

#include "base/own.h"
#include "wire/websocket.h"

enum { MOST = 70000 };

static void check_beginnings(const struct websocket_side *before, struct slice in, size_t n)
{
	for (size_t cut = 0; cut < n; cut++) {
		struct websocket_side side = *before;
		must(websocket_header(&side, slice_cut(in, 0, cut)) == 0);
		must(side.opcode == before->opcode && side.fin == before->fin && side.left == before->left);
		must(side.in_message == before->in_message && side.mask_at == before->mask_at);
		must(memcmp(side.mask, before->mask, sizeof side.mask) == 0);
	}
}

static void check_spelling(const struct websocket_side *side, struct slice in, size_t n)
{
	unsigned char head[WEBSOCKET_HEADER_MAX];
	size_t plain = websocket_head_print(side->opcode, side->fin, side->left, head);

	must(plain + (side->masks ? 4 : 0) == n);
	must(side->masks || memcmp(head, in.at, n) == 0);
}

/* In two pieces, as a stream may bring it. */
static void check_payload(struct websocket_side *side, struct slice payload)
{
	struct websocket_side again = *side;
	own_str struct str clear = STR_INIT, masked = STR_INIT;
	size_t half = payload.n / 2;

	websocket_unmask(side, slice_cut(payload, 0, half), &clear);
	websocket_unmask(side, slice_cut(payload, half, payload.n), &clear);
	must(clear.len == payload.n);
	websocket_unmask(&again, (struct slice){ str_c(&clear), clear.len }, &masked);
	must(memcmp(str_c(&masked), payload.at, payload.n) == 0);
	must(side->masks || memcmp(str_c(&clear), payload.at, payload.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct websocket_side side = { .masks = n > 0 && (bytes[0] & 1), .most = MOST };
	struct slice in = { (const char *)bytes + 1, n ? n - 1 : 0 };

	while (in.n > 0) {
		struct websocket_side before = side;
		ssize_t head = websocket_header(&side, in);
		must(head <= (ssize_t)in.n && head <= WEBSOCKET_HEADER_MAX);
		if (head <= 0)
			break;
		must(side.left <= MOST && (!websocket_is_control(&side) || (side.fin && side.left <= 125)));
		must(!websocket_is_control(&side) || side.in_message == before.in_message);
		check_beginnings(&before, in, (size_t)head);
		check_spelling(&side, in, (size_t)head);
		in = slice_cut(in, (size_t)head, in.n);
		size_t payload = in.n < side.left ? in.n : (size_t)side.left;
		check_payload(&side, slice_cut(in, 0, payload));
		in = slice_cut(in, payload, in.n);
		side.left = 0;
	}
	return 0;
}
