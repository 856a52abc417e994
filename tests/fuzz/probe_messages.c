/* The proof's task and the report that comes out of the guest; the first byte chooses. What
 * decodes is within its limits and encodes to the very same bytes; no beginning of it and
 * nothing longer decodes. */
#include "driver/fuzz.h"

#include <string.h>

#include "proto/probe.h"

static void must_be_same(const struct str *again, const uint8_t *bytes, size_t n)
{
	must(again->len == n && memcmp(again->data, bytes, n) == 0);
}

static bool report_decodes(const void *bytes, size_t n)
{
	own_probe_report struct probe_report r = PROBE_REPORT_INIT;
	struct err err = ERR_INIT;

	return probe_report_decode(bytes, n, &r, &err) == 0;
}

static void try_report(const uint8_t *bytes, size_t n)
{
	own_probe_report struct probe_report r = PROBE_REPORT_INIT;
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (probe_report_decode(bytes, n, &r, &err) != 0) {
		must(err.kind == ERR_INPUT && r.n == 0);
		return;
	}
	must(r.n <= PROBE_TARGETS_MAX);
	for (size_t i = 0; i < r.n; i++) {
		must(r.results[i].outcome >= PROBE_REFUSED && r.results[i].outcome <= PROBE_RESOLVED);
		must(r.results[i].stage >= PROBE_AT_SOCKET && r.results[i].stage <= PROBE_AT_RECEIVE);
		must(r.results[i].error >= 0 && r.results[i].answer.len <= PROBE_ANSWER_MAX);
	}
	probe_report_encode(&r, &again);
	must_be_same(&again, bytes, n);
	for (size_t cut = 0; cut < n; cut += 1 + n / 30)
		must(!report_decodes(again.data, cut));
	str_addc(&again, '\0');
	must(!report_decodes(again.data, again.len));
}

static void try_task(const uint8_t *bytes, size_t n)
{
	own_probe_task struct probe_task t = PROBE_TASK_INIT;
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (probe_task_decode(bytes, n, &t, &err) != 0) {
		must(err.kind == ERR_INPUT && t.n == 0);
		return;
	}
	must(t.n <= PROBE_TARGETS_MAX);
	for (size_t i = 0; i < t.n; i++) {
		must(t.targets[i].address && t.targets[i].request.len <= PROBE_REQUEST_MAX);
		must(t.targets[i].want <= PROBE_ANSWER_MAX);
	}
	probe_task_encode(&t, &again);
	must_be_same(&again, bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return 0;
	if (bytes[0] & 1)
		try_task(bytes + 1, n - 1);
	else
		try_report(bytes + 1, n - 1);
	return 0;
}
