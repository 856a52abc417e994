#include "proto/probe.h"

#include <string.h>

#include "base/msg.h"
#include "base/own.h"
#include "base/banned.h"

enum { ADDRESS_MAX = 255, ERRNO_MAX = 4095 };

void probe_task_clear(struct probe_task *t)
{
	for (size_t i = 0; i < t->n; i++) {
		mem_drop(&t->targets[i].address);
		str_clear(&t->targets[i].request);
	}
	t->n = 0;
}

void probe_report_clear(struct probe_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		str_clear(&r->results[i].answer);
	r->n = 0;
}

/* Exactly @want bytes. */
static void unpack_fixed(struct unpack *u, void *out, size_t want)
{
	size_t n;
	const void *at = unpack_bytes(u, &n);

	if (n != want)
		u->bad = true;
	else
		memcpy(out, at, want);
}

static void unpack_into(struct unpack *u, struct str *out, size_t max)
{
	size_t n;
	const void *at = unpack_bytes(u, &n);

	if (n > max)
		u->bad = true;
	else if (n > 0)
		str_addn(out, at, n);
}

static unsigned unpack_between(struct unpack *u, unsigned min, unsigned max)
{
	uint32_t v = unpack_u32(u);

	if (v < min || v > max)
		u->bad = true;
	return u->bad ? min : v;
}

void probe_task_encode(const struct probe_task *t, struct str *out)
{
	pack_bytes(out, t->launch, sizeof t->launch);
	pack_u32(out, t->deadline_ms);
	pack_u32(out, (uint32_t)t->n);
	for (size_t i = 0; i < t->n; i++) {
		const struct probe_target *target = &t->targets[i];
		pack_u32(out, target->id);
		pack_u32(out, target->family);
		pack_text(out, target->address);
		pack_u32(out, target->port);
		pack_bytes(out, target->nonce, sizeof target->nonce);
		pack_bytes(out, str_c(&target->request), target->request.len);
		pack_u32(out, target->want);
	}
}

static void decode_target(struct unpack *u, struct probe_target *t)
{
	t->id = unpack_u32(u);
	t->family = unpack_between(u, PROBE_TCP, PROBE_NAME);
	t->address = unpack_text(u, ADDRESS_MAX);
	t->port = (uint16_t)unpack_between(u, 0, UINT16_MAX);
	unpack_fixed(u, t->nonce, sizeof t->nonce);
	unpack_into(u, &t->request, PROBE_REQUEST_MAX);
	t->want = unpack_between(u, 0, PROBE_ANSWER_MAX);
}

int probe_task_decode(const void *bytes, size_t n, struct probe_task *out, struct err *err)
{
	own_probe_task struct probe_task t = PROBE_TASK_INIT;
	struct unpack u = unpack_of(bytes, n);

	unpack_fixed(&u, t.launch, sizeof t.launch);
	t.deadline_ms = unpack_u32(&u);
	size_t count = unpack_between(&u, 0, PROBE_TARGETS_MAX);
	while (t.n < count && !u.bad)
		decode_target(&u, &t.targets[t.n++]);
	if (!unpack_ok(&u))
		return fail(err, ERR_INPUT, "a malformed task for the probe");
	*out = t;
	t = (struct probe_task)PROBE_TASK_INIT;
	return 0;
}

void probe_report_encode(const struct probe_report *r, struct str *out)
{
	pack_bytes(out, r->launch, sizeof r->launch);
	pack_u32(out, (uint32_t)r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct probe_result *result = &r->results[i];
		pack_u32(out, result->id);
		pack_u32(out, result->outcome);
		pack_u32(out, result->stage);
		pack_u32(out, (uint32_t)result->error);
		pack_bytes(out, str_c(&result->answer), result->answer.len);
	}
}

static void decode_result(struct unpack *u, struct probe_result *r)
{
	r->id = unpack_u32(u);
	r->outcome = unpack_between(u, PROBE_REFUSED, PROBE_RESOLVED);
	r->stage = unpack_between(u, PROBE_AT_SOCKET, PROBE_AT_RECEIVE);
	r->error = (int)unpack_between(u, 0, ERRNO_MAX);
	unpack_into(u, &r->answer, PROBE_ANSWER_MAX);
}

int probe_report_decode(const void *bytes, size_t n, struct probe_report *out, struct err *err)
{
	own_probe_report struct probe_report r = PROBE_REPORT_INIT;
	struct unpack u = unpack_of(bytes, n);

	unpack_fixed(&u, r.launch, sizeof r.launch);
	size_t count = unpack_between(&u, 0, PROBE_TARGETS_MAX);
	while (r.n < count && !u.bad)
		decode_result(&u, &r.results[r.n++]);
	if (!unpack_ok(&u))
		return fail(err, ERR_INPUT, "a malformed report of the probe");
	*out = r;
	r = (struct probe_report)PROBE_REPORT_INIT;
	return 0;
}
