/* What comes through a container's stdin and stdout, from the side that may be taken over, and
 * what each relay is told. The first byte chooses: frames, which are taken one by one, whole and
 * under their limit, and written again are the same bytes; or the configuration. */
#include "driver/fuzz.h"

#include <string.h>

#include "base/own.h"
#include "proto/bundle.h"

enum { LIMIT = 300 };

/* No beginning of a frame is a frame, or is refused when the whole is not. */
static void check_beginnings(const struct str *in, size_t size)
{
	enum bundle_frame kind = 0;
	struct str body = STR_INIT;
	struct err err = ERR_INIT;

	for (size_t cut = 0; cut < size; cut += 1 + size / 30) {
		const struct str part = { in->data, cut, 0 };
		must(bundle_frame_look(&part, LIMIT, &kind, &body, &err) == 0);
		must(kind == 0 && !body.data);
	}
}

static void try_frames(struct str *in)
{
	enum bundle_frame kind;
	struct str body;
	struct err err = ERR_INIT;
	int got;

	while ((got = bundle_frame_look(in, LIMIT, &kind, &body, &err)) == 1) {
		own_str struct str again = STR_INIT;
		size_t size = bundle_frame_size(&body);
		must(kind == FRAME_CONFIG || kind == FRAME_MESSAGE);
		must(body.len > 0 && body.len <= LIMIT && size <= in->len);
		must(body.data == in->data + BUNDLE_FRAME_HEAD);
		bundle_frame_add(&again, kind, body.data, body.len);
		must(again.len == size && memcmp(again.data, in->data, size) == 0);
		check_beginnings(in, size);
		str_cut_front(in, size);
	}
	must(got == 0 || err.kind == ERR_INPUT);
	/* More is waited for only where there is room for it below the limit. */
	must(got != 0 || in->len < BUNDLE_FRAME_HEAD + LIMIT);
}

static void try_config(const struct str *in)
{
	own_bundle_config struct bundle_config c = BUNDLE_CONFIG_INIT;
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (bundle_config_decode(in->data, in->len, &c, &err) != 0) {
		must(err.kind == ERR_INPUT && !c.address && !c.sidecar.data);
		return;
	}
	must(secret_len(&c.token) == BUNDLE_TOKEN && bundle_token_is(&c.token, secret_expose(&c.token)));
	must(c.port > 0 && c.port <= 65535 && c.listeners.n > 0 && c.listeners.n <= BUNDLE_LISTENERS);
	must(strlen(c.address) <= BUNDLE_NAME_MAX && strlen(c.device) <= BUNDLE_NAME_MAX);
	must(strlen(c.program) <= BUNDLE_NAME_MAX);
	bundle_config_encode(&c, &again);
	must(again.len == in->len && memcmp(again.data, in->data, in->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	own_str struct str in = STR_INIT;

	if (n == 0)
		return 0;
	str_addn(&in, (const char *)bytes + 1, n - 1);
	if (bytes[0] & 1)
		try_config(&in);
	else
		try_frames(&in);
	return 0;
}
