/* What the keeper takes from a CLI, and the CLI from a keeper, has one form: a message that
 * decodes is within its limits and encodes to the very same bytes, and no beginning of it and
 * nothing longer decodes too. */
#include "driver/fuzz.h"

#include <string.h>

#include "proto/keeper.h"

static bool decodes(const char *bytes, size_t n)
{
	own_str struct str in = STR_INIT;
	own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
	struct err err = ERR_INIT;

	str_addn(&in, bytes, n);
	return keeper_message_decode(&in, &m, &err) == 0;
}

static void check_limits(const struct keeper_message *m)
{
	must(m->argv.n <= KEEPER_ARGS && m->env.n <= KEEPER_ARGS);
	must(m->say != KEEPER_EXEC || m->argv.n > 0);
	must(m->rows <= UINT16_MAX && m->columns <= UINT16_MAX);
	must(m->bytes.len <= KEEPER_BYTES);
	must(!m->text || strlen(m->text) <= KEEPER_STATUS_MAX);
	must(!m->directory || strlen(m->directory) <= KEEPER_TEXT);
	must(m->say != KEEPER_FAILED || m->why.kind != ERR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	own_str struct str in = STR_INIT, again = STR_INIT;
	own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
	struct err err = ERR_INIT;

	str_addn(&in, (const char *)bytes, n);
	if (keeper_message_decode(&in, &m, &err) != 0) {
		must(err.kind == ERR_INPUT && err.text[0] != '\0' && !m.text && !m.argv.v && !m.bytes.data);
		return 0;
	}
	check_limits(&m);
	keeper_message_encode(&m, &again);
	must(again.len == n && memcmp(again.data, bytes, n) == 0);
	for (size_t cut = 0; cut < n; cut += 1 + n / 50)
		must(!decodes(again.data, cut));
	str_addc(&again, '\0');
	must(!decodes(again.data, again.len));
	return 0;
}
