#include "proto/init.h"

#include <signal.h>
#include <string.h>

#include "base/banned.h"

enum { PATH_TEXT_MAX = 4096, TERMINAL_MAX = 10000 };

void init_msg_clear(struct init_msg *m)
{
	strv_clear(&m->run.argv);
	strv_clear(&m->run.env);
	mem_drop(&m->run.cwd);
	mem_drop(&m->text);
}

static void encode_run(const struct init_run *r, struct str *out)
{
	pack_u8(out, r->self);
	pack_u8(out, r->terminal);
	pack_u32(out, r->rows);
	pack_u32(out, r->columns);
	pack_strv(out, &r->argv);
	pack_strv(out, &r->env);
	pack_text(out, r->cwd);
	pack_u32(out, r->uid);
	pack_u32(out, r->gid);
	pack_bytes(out, r->targets, r->ntargets);
}

void init_msg_encode(const struct init_msg *m, struct str *out)
{
	pack_u8(out, (uint8_t)m->kind);
	pack_u32(out, m->id);
	switch (m->kind) {
	case INIT_RUN:
		encode_run(&m->run, out);
		break;
	case INIT_RESIZE:
		pack_u32(out, m->rows);
		pack_u32(out, m->columns);
		break;
	case INIT_SIGNAL:
		pack_u32(out, (uint32_t)m->signal);
		break;
	case INIT_READY:
		break;
	case INIT_STARTED:
		pack_u32(out, (uint32_t)m->pid);
		pack_u8(out, m->has_terminal);
		break;
	case INIT_FAILED:
		pack_u32(out, (uint32_t)m->sys);
		pack_text(out, m->text);
		break;
	case INIT_EXITED:
		pack_u32(out, (uint32_t)m->status);
		break;
	}
}

static uint16_t unpack_size(struct unpack *u)
{
	uint32_t v = unpack_u32(u);

	if (v > TERMINAL_MAX)
		u->bad = true;
	return (uint16_t)v;
}

/* A message has one form: what is neither yes nor no is neither. */
static bool unpack_flag(struct unpack *u)
{
	uint8_t v = unpack_u8(u);

	u->bad = u->bad || v > 1;
	return v == 1;
}

/* A number that is passed on to the kernel as an int. */
static int unpack_int(struct unpack *u, uint32_t max)
{
	uint32_t v = unpack_u32(u);

	if (v > max)
		u->bad = true;
	return u->bad ? 0 : (int)v;
}

static void decode_run(struct unpack *u, size_t nfds, struct init_run *r)
{
	r->self = unpack_flag(u);
	r->terminal = unpack_flag(u);
	r->rows = unpack_size(u);
	r->columns = unpack_size(u);
	unpack_strv(u, INIT_COUNT_MAX, INIT_TEXT_MAX, &r->argv);
	unpack_strv(u, INIT_COUNT_MAX, INIT_TEXT_MAX, &r->env);
	r->cwd = unpack_text(u, PATH_TEXT_MAX);
	r->uid = unpack_u32(u);
	r->gid = unpack_u32(u);
	size_t n;
	const void *targets = unpack_bytes(u, &n);
	if (n > INIT_FDS_MAX || n != nfds || r->argv.n == 0 || !r->cwd || r->cwd[0] != '/') {
		u->bad = true;
		return;
	}
	memcpy(r->targets, targets, n);
	r->ntargets = n;
}

static void decode_body(struct unpack *u, size_t nfds, struct init_msg *m)
{
	switch (m->kind) {
	case INIT_RUN:
		decode_run(u, nfds, &m->run);
		return;
	case INIT_RESIZE:
		m->rows = unpack_size(u);
		m->columns = unpack_size(u);
		break;
	case INIT_SIGNAL:
		m->signal = unpack_int(u, NSIG - 1);
		break;
	case INIT_READY:
		break;
	case INIT_STARTED:
		m->pid = unpack_int(u, INT32_MAX);
		m->has_terminal = unpack_flag(u);
		if (nfds != m->has_terminal)
			u->bad = true;
		return;
	case INIT_FAILED:
		m->sys = unpack_int(u, 4095);
		m->text = unpack_text(u, INIT_TEXT_MAX);
		break;
	case INIT_EXITED:
		m->status = unpack_int(u, 0xffff);
		break;
	default:
		u->bad = true;
	}
	if (nfds != 0)
		u->bad = true;
}

int init_msg_decode(const void *bytes, size_t n, size_t nfds, struct init_msg *out, struct err *err)
{
	own_init_msg struct init_msg m = INIT_MSG_INIT;
	struct unpack u = unpack_of(bytes, n);

	m.kind = unpack_u8(&u);
	m.id = unpack_u32(&u);
	decode_body(&u, nfds, &m);
	if (!unpack_ok(&u))
		return fail(err, ERR_INPUT, "a malformed message between keeper and init (kind %u)",
		            (unsigned)m.kind);
	*out = m;
	m = (struct init_msg)INIT_MSG_INIT;
	return 0;
}

static size_t bytes_of(const struct strv *words)
{
	size_t all = words->n * INIT_WORD_EXTRA;

	for (size_t i = 0; i < words->n; i++)
		all += strlen(words->v[i]);
	return all;
}

int init_check_command(const struct strv *argv, const struct strv *env, struct err *err)
{
	static const char instead[] = "give it in a file, or on standard input";

	if (argv->n > INIT_WORDS_MAX)
		return fail(err, ERR_USAGE, "the command has %zu words, over the limit of %d; %s", argv->n,
		            INIT_WORDS_MAX, instead);
	for (size_t i = 0; i < argv->n; i++)
		if (strlen(argv->v[i]) > INIT_TEXT_MAX)
			return fail(err, ERR_USAGE,
			            "word %zu of the command has %zu bytes, over the limit of %d; %s", i + 1,
			            strlen(argv->v[i]), INIT_TEXT_MAX, instead);
	for (size_t i = 0; i < env->n; i++) {
		int name = (int)strcspn(env->v[i], "=");
		if (strlen(env->v[i]) > INIT_TEXT_MAX)
			return fail(
				err, ERR_USAGE,
				"the variable %.*s has %zu bytes, over the limit of %d; give it in a file",
				name < 60 ? name : 60, env->v[i], strlen(env->v[i]), INIT_TEXT_MAX);
	}
	size_t all = bytes_of(argv) + bytes_of(env);
	if (all > INIT_COMMAND_MAX)
		return fail(
			err, ERR_USAGE,
			"the command and its environment have %zu bytes together, over the limit of %d; %s",
			all, INIT_COMMAND_MAX, instead);
	return 0;
}

int init_msg_send(int fd, const struct init_msg *m, const int *fds, size_t nfds, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	init_msg_encode(m, &bytes);
	return msg_send(fd, &bytes, fds, nfds, err);
}
