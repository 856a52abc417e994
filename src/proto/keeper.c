#include "proto/keeper.h"

#include <string.h>

#include "base/banned.h"

void keeper_message_clear(struct keeper_message *m)
{
	strv_clear(&m->argv);
	strv_clear(&m->env);
	mem_drop(&m->directory);
	mem_drop(&m->user);
	mem_drop(&m->text);
	str_clear(&m->bytes);
}

/* Which fields a message has: packed and unpacked in this order by the same table. */
enum field {
	F_COMMAND = 1 << 0, /* argv, env, directory, user, terminal */
	F_SIZE = 1 << 1,
	F_DOWN = 1 << 2,
	F_STREAM = 1 << 3,
	F_NUMBER = 1 << 4,
	F_TEXT = 1 << 5,
	F_BYTES = 1 << 6,
	F_WHY = 1 << 7,
};

static const struct {
	bool known;
	unsigned fields;
} kinds[] = {
	[KEEPER_LAUNCH] = { true, F_SIZE | F_TEXT },
	[KEEPER_INFO] = { true, 0 },
	[KEEPER_EXEC] = { true, F_COMMAND | F_SIZE },
	[KEEPER_ATTACH] = { true, F_SIZE },
	[KEEPER_INPUT] = { true, F_BYTES },
	[KEEPER_RESIZE] = { true, F_SIZE },
	[KEEPER_SIGNAL] = { true, F_NUMBER },
	[KEEPER_STOP] = { true, 0 },
	[KEEPER_STEP] = { true, F_TEXT | F_DOWN },
	[KEEPER_NOTE] = { true, F_TEXT },
	[KEEPER_STARTED] = { true, F_NUMBER | F_TEXT },
	[KEEPER_OUTPUT] = { true, F_STREAM | F_BYTES },
	[KEEPER_EXITED] = { true, F_NUMBER },
	[KEEPER_ENDED] = { true, 0 },
	[KEEPER_STATUS] = { true, F_TEXT },
	[KEEPER_FAILED] = { true, F_WHY },
	[KEEPER_TOOK] = { true, F_NUMBER },
};

void keeper_message_encode(const struct keeper_message *m, struct str *out)
{
	unsigned fields = kinds[m->say].fields;

	pack_u8(out, (uint8_t)m->say);
	if (fields & F_COMMAND) {
		pack_strv(out, &m->argv);
		pack_strv(out, &m->env);
		pack_text(out, m->directory);
		pack_text(out, m->user);
		pack_u8(out, m->terminal);
		pack_u8(out, m->self);
	}
	if (fields & F_SIZE) {
		pack_u32(out, m->rows);
		pack_u32(out, m->columns);
	}
	if (fields & F_DOWN)
		pack_u8(out, m->down);
	if (fields & F_STREAM)
		pack_u8(out, m->error_stream);
	if (fields & F_NUMBER)
		pack_u32(out, m->number);
	if (fields & F_TEXT)
		pack_text(out, m->text);
	if (fields & F_BYTES)
		pack_bytes(out, str_c(&m->bytes), m->bytes.len);
	if (fields & F_WHY) {
		pack_u32(out, m->why.kind);
		pack_u32(out, (uint32_t)m->why.sys);
		pack_text(out, m->why.text);
	}
}

static bool unpack_flag(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	u->bad = u->bad || v > 1;
	return v;
}

/* A text of which "" stands for none. */
static char *unpack_optional(struct unpack *u, size_t max)
{
	char *text = unpack_text(u, max);

	if (text && *text == '\0')
		mem_drop(&text);
	return text;
}

static void unpack_command(struct unpack *u, struct keeper_message *m)
{
	unpack_strv(u, KEEPER_ARGS, KEEPER_ARG, &m->argv);
	unpack_strv(u, KEEPER_ARGS, KEEPER_ARG, &m->env);
	m->directory = unpack_optional(u, KEEPER_TEXT);
	m->user = unpack_optional(u, KEEPER_USER);
	m->terminal = unpack_flag(u);
	m->self = unpack_flag(u);
	u->bad = u->bad || m->argv.n == 0;
}

static void unpack_size(struct unpack *u, struct keeper_message *m)
{
	m->rows = unpack_u32(u);
	m->columns = unpack_u32(u);
	u->bad = u->bad || m->rows > UINT16_MAX || m->columns > UINT16_MAX;
}

static void unpack_why(struct unpack *u, struct err *why)
{
	uint32_t kind = unpack_u32(u);
	int sys = (int)unpack_u32(u);
	own_mem char *text = unpack_text(u, sizeof why->text - 1);

	u->bad = u->bad || kind == ERR_NONE || kind > ERR_SYSTEM;
	if (u->bad || !text)
		return;
	fail(why, (enum err_kind)kind, "%s", text);
	why->sys = sys;
}

static void unpack_data(struct unpack *u, struct str *out)
{
	size_t n;
	const void *bytes = unpack_bytes(u, &n);

	if (n > KEEPER_BYTES)
		u->bad = true;
	else
		str_addn(out, bytes, n);
}

static void unpack_fields(struct unpack *u, unsigned fields, struct keeper_message *m)
{
	if (fields & F_COMMAND)
		unpack_command(u, m);
	if (fields & F_SIZE)
		unpack_size(u, m);
	if (fields & F_DOWN)
		m->down = unpack_flag(u);
	if (fields & F_STREAM)
		m->error_stream = unpack_flag(u);
	if (fields & F_NUMBER)
		m->number = unpack_u32(u);
	if (fields & F_TEXT)
		m->text = unpack_text(u, m->say == KEEPER_STATUS ? KEEPER_STATUS_MAX : KEEPER_TEXT);
	if (fields & F_BYTES)
		unpack_data(u, &m->bytes);
	if (fields & F_WHY)
		unpack_why(u, &m->why);
}

int keeper_message_decode(const struct str *bytes, struct keeper_message *out, struct err *err)
{
	own_keeper_message struct keeper_message m = KEEPER_MESSAGE_INIT;
	struct unpack u = unpack_of(bytes->data, bytes->len);

	m.say = unpack_u8(&u);
	if (u.bad || m.say >= ARRAY_LEN(kinds) || !kinds[m.say].known)
		return fail(err, ERR_INPUT, "keeper message %d is unknown", (int)m.say);
	unpack_fields(&u, kinds[m.say].fields, &m);
	if (!unpack_ok(&u))
		return fail(err, ERR_INPUT, "keeper message %d does not decode", (int)m.say);
	*out = m;
	m = (struct keeper_message)KEEPER_MESSAGE_INIT;
	return 0;
}

int keeper_say(int fd, const struct keeper_message *m, const int *fds, size_t nfds, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	keeper_message_encode(m, &bytes);
	return msg_send(fd, &bytes, fds, nfds, err);
}

int keeper_hear(int fd, struct msg *raw, struct keeper_message *out, struct err *err)
{
	int got = msg_recv(fd, raw, err);

	if (got != 1)
		return got;
	return keeper_message_decode(&raw->bytes, out, err) == 0 ? 1 : -1;
}
