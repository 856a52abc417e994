/* What comes out of a cage: init's messages and the probe's report, and the two that go in.
 * The first byte chooses the decoder and the number of descriptors beside the message. What
 * decodes has one form only, and names exactly the descriptors that came with it. */
#include "driver/fuzz.h"

#include <signal.h>
#include <string.h>

#include "base/own.h"
#include "proto/init.h"
#include "proto/probe.h"

static void must_be_same(const struct str *again, const uint8_t *bytes, size_t n)
{
	must(again->len == n && memcmp(str_c(again), bytes, n) == 0);
}

static bool init_decodes(const void *bytes, size_t n, size_t nfds)
{
	own_init_msg struct init_msg m = INIT_MSG_INIT;
	struct err err = ERR_INIT;

	return init_msg_decode(bytes, n, nfds, &m, &err) == 0;
}

static void try_init(const uint8_t *bytes, size_t n, size_t nfds)
{
	own_init_msg struct init_msg m = INIT_MSG_INIT;
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (init_msg_decode(bytes, n, nfds, &m, &err) != 0) {
		must(err.kind == ERR_INPUT && !m.text && !m.run.argv.v);
		return;
	}
	must(m.kind >= INIT_RUN && m.kind <= INIT_EXITED);
	must(m.signal >= 0 && m.signal < NSIG && m.pid >= 0 && m.status >= 0 && m.status <= 0xffff &&
	     m.sys >= 0);
	if (m.kind == INIT_RUN)
		must(m.run.ntargets == nfds && m.run.argv.n > 0 && m.run.cwd[0] == '/');
	else
		must(nfds == (m.kind == INIT_STARTED && m.has_terminal ? 1 : 0));
	init_msg_encode(&m, &again);
	must_be_same(&again, bytes, n);
	must(!init_decodes(bytes, n, nfds + 1));
	for (size_t cut = 0; cut < n; cut += 1 + n / 50)
		must(!init_decodes(bytes, cut, nfds));
}

static void clear_report(struct probe_report **r)
{
	probe_report_clear(*r);
	mem_drop(r);
}

static void clear_task(struct probe_task **t)
{
	probe_task_clear(*t);
	mem_drop(t);
}

static void try_report(const uint8_t *bytes, size_t n)
{
	OWN(clear_report)
	struct probe_report *r = xcalloc(1, sizeof *r);
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (probe_report_decode(bytes, n, r, &err) != 0) {
		must(err.kind == ERR_INPUT && r->n == 0);
		return;
	}
	must(r->n <= PROBE_TARGETS_MAX);
	for (size_t i = 0; i < r->n; i++)
		must(r->results[i].answer.len <= PROBE_ANSWER_MAX && r->results[i].outcome >= PROBE_REFUSED &&
		     r->results[i].outcome <= PROBE_RESOLVED);
	probe_report_encode(r, &again);
	must_be_same(&again, bytes, n);
}

static void try_task(const uint8_t *bytes, size_t n)
{
	OWN(clear_task)
	struct probe_task *t = xcalloc(1, sizeof *t);
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (probe_task_decode(bytes, n, t, &err) != 0) {
		must(err.kind == ERR_INPUT && t->n == 0);
		return;
	}
	must(t->n <= PROBE_TARGETS_MAX);
	probe_task_encode(t, &again);
	must_be_same(&again, bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return 0;
	switch (bytes[0] & 3) {
	case 0:
		try_report(bytes + 1, n - 1);
		break;
	case 1:
		try_task(bytes + 1, n - 1);
		break;
	default:
		try_init(bytes + 1, n - 1, (bytes[0] >> 2) % (INIT_FDS_MAX + 1));
	}
	return 0;
}
