#include "proto/sidecar.h"

#include <string.h>

#include "base/banned.h"

void sidecar_message_clear(struct sidecar_message *m)
{
	mem_drop(&m->text);
	strv_clear(&m->records);
	str_clear(&m->resolv_conf);
	str_clear(&m->hosts);
}

void sidecar_message_encode(const struct sidecar_message *m, struct str *out)
{
	pack_u8(out, (uint8_t)m->say);
	switch (m->say) {
	case SIDECAR_FAILED:
		pack_u32(out, m->why.kind);
		pack_text(out, m->why.text);
		break;
	case SIDECAR_LOG:
		pack_u32(out, m->level);
		pack_text(out, m->text);
		break;
	case SIDECAR_STATE:
		pack_text(out, m->text);
		break;
	case SIDECAR_AUDIT:
		pack_strv(out, &m->records);
		break;
	case SIDECAR_RESOLVER:
		pack_bytes(out, str_c(&m->resolv_conf), m->resolv_conf.len);
		pack_bytes(out, str_c(&m->hosts), m->hosts.len);
		break;
	case SIDECAR_READY:
	case SIDECAR_STOP:
	case SIDECAR_OWN:
		break;
	}
}

static void unpack_why(struct unpack *u, struct err *why)
{
	uint32_t kind = unpack_u32(u);
	own_mem char *text = unpack_text(u, sizeof why->text - 1);

	if (kind == ERR_NONE || kind > ERR_SYSTEM)
		u->bad = true;
	if (text && !u->bad)
		fail(why, (enum err_kind)kind, "%s", text);
}

static void unpack_file(struct unpack *u, struct str *out)
{
	size_t n;
	const void *bytes = unpack_bytes(u, &n);

	if (n > SIDECAR_FILE_MAX)
		u->bad = true;
	else
		str_addn(out, bytes, n);
}

static void unpack_body(struct unpack *u, struct sidecar_message *m)
{
	switch (m->say) {
	case SIDECAR_READY:
	case SIDECAR_STOP:
		break;
	case SIDECAR_FAILED:
		unpack_why(u, &m->why);
		break;
	case SIDECAR_LOG:
		m->level = (enum log_level)unpack_u32(u);
		u->bad = u->bad || (unsigned)m->level > LOG_INFO;
		m->text = unpack_text(u, SIDECAR_LOG_LINE);
		break;
	case SIDECAR_STATE:
		m->text = unpack_text(u, SIDECAR_STATE_MAX);
		break;
	case SIDECAR_AUDIT:
		unpack_strv(u, SIDECAR_AUDIT_BATCH, SIDECAR_AUDIT_RECORD, &m->records);
		break;
	case SIDECAR_RESOLVER:
		unpack_file(u, &m->resolv_conf);
		unpack_file(u, &m->hosts);
		break;
	default:
		u->bad = true;
	}
}

int sidecar_message_decode(const struct str *bytes, struct sidecar_message *out, struct err *err)
{
	own_sidecar_message struct sidecar_message m = SIDECAR_MESSAGE_INIT;
	struct unpack u = unpack_of(bytes->data, bytes->len);

	m.say = unpack_u8(&u);
	if (u.bad)
		return fail(err, ERR_INPUT, "an empty sidecar message");
	if (m.say < SIDECAR_OWN) {
		unpack_body(&u, &m);
		if (!unpack_ok(&u))
			return fail(err, ERR_INPUT, "sidecar message %d does not decode", (int)m.say);
	}
	*out = m;
	m = (struct sidecar_message)SIDECAR_MESSAGE_INIT;
	return 0;
}

int sidecar_say(int control, const struct sidecar_message *m, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	sidecar_message_encode(m, &bytes);
	return msg_send(control, &bytes, NULL, 0, err);
}

int sidecar_say_ready(int control, struct err *err)
{
	struct sidecar_message m = { .say = SIDECAR_READY };

	return sidecar_say(control, &m, err);
}

int sidecar_say_failed(int control, const struct err *why, struct err *err)
{
	struct sidecar_message m = { .say = SIDECAR_FAILED, .why = *why };

	return sidecar_say(control, &m, err);
}

int sidecar_say_log(int control, enum log_level level, const char *line, struct err *err)
{
	own_mem char *text = xstrndup(line, SIDECAR_LOG_LINE);
	struct sidecar_message m = { .say = SIDECAR_LOG, .level = level, .text = text };

	return sidecar_say(control, &m, err);
}
