/* The judgement of a proof: every surprise, in either direction. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "launch/proof.h"

static struct proof proof;
static struct probe_report report;

static void all_as_it_must_be(void)
{
	memset(&proof, 0, sizeof proof);
	probe_report_clear(&report);
	memset(&report, 0, sizeof report);
	memset(proof.launch, 7, sizeof proof.launch);
	memset(report.launch, 7, sizeof report.launch);
	proof_add(&proof, PROOF_UNREACHED, PROBE_UDP, "not here")->skipped = "no such thing";
	proof_add_literals(&proof, "192.0.2.53");
	proof_add_gateway(&proof, "127.0.0.1", "0123456789abcdef0123456789abcdef");
	for (size_t i = 1; i < proof.n; i++) {
		struct probe_result *r = &report.results[report.n++];
		r->id = (uint32_t)i;
		switch (proof.checks[i].expect) {
		case PROOF_UNREACHED:
			r->outcome = PROBE_REFUSED;
			r->error = ENETUNREACH;
			break;
		case PROOF_NONCE:
			r->outcome = PROBE_NONCE_SEEN;
			break;
		case PROOF_CONNECTS:
			r->outcome = PROBE_CONNECTED;
			break;
		case PROOF_REFUSES:
			r->outcome = PROBE_CONNECTED;
			str_add(&r->answer, "HTTP/1.1 403 Forbidden\r\n\r\n{\"error\":\"egress-denied\"}");
			break;
		}
	}
}

static int judge(struct err *err)
{
	own_json json *result = NULL;
	int rc = proof_judge(&proof, &report, &result, err);

	assert_non_null(result);
	assert_int_equal(json_get_truth(result, "confined", true), rc == 0);
	return rc;
}

static void expect_surprise(const char *words)
{
	struct err err = ERR_INIT;

	assert_int_equal(judge(&err), -1);
	assert_int_equal(err.kind, ERR_UNCONFINED);
	assert_non_null(strstr(err.text, words));
}

static void a_report_without_surprise_is_confined(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	all_as_it_must_be();
	assert_int_equal(judge(&err), 0);
}

static void each_row_that_comes_out_differently_is_a_surprise(void **state)
{
	static const enum probe_outcome others[] = { PROBE_SILENT, PROBE_CONNECTED, PROBE_NONCE_SEEN,
		                                     PROBE_RESOLVED, PROBE_REFUSED };

	(void)state;
	all_as_it_must_be();
	size_t n = report.n;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_LEN(others); k++) {
			all_as_it_must_be();
			if (report.results[i].outcome == others[k])
				continue;
			report.results[i].outcome = others[k];
			expect_surprise(proof.checks[report.results[i].id].name);
		}
}

static void a_refusal_with_a_strange_errno_is_a_surprise(void **state)
{
	(void)state;
	all_as_it_must_be();
	report.results[0].error = ETIMEDOUT;
	expect_surprise("unreachable");
}

static void an_answer_that_is_not_the_gateways_refusal_is_a_surprise(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROBE_TARGETS_MAX; i++) {
		all_as_it_must_be();
		if (i >= report.n || report.results[i].answer.len == 0)
			continue;
		str_reset(&report.results[i].answer);
		str_add(&report.results[i].answer, "HTTP/1.1 200 OK\r\n\r\n{\"error\":\"egress-denied\"}");
		expect_surprise("gateway refuses");
	}
}

static void a_missing_row_a_double_one_and_a_foreign_report_are_surprises(void **state)
{
	(void)state;
	all_as_it_must_be();
	report.n--;
	expect_surprise("no result");
	all_as_it_must_be();
	report.results[1].id = report.results[0].id;
	expect_surprise("no result");
	all_as_it_must_be();
	report.launch[3] ^= 1;
	expect_surprise("another launch");
	all_as_it_must_be();
	report.results[report.n] = (struct probe_result){ .id = 60, .outcome = PROBE_REFUSED };
	report.n++;
	expect_surprise("nobody asked for");
}

static void the_task_leaves_out_what_does_not_apply(void **state)
{
	static struct probe_task task;

	(void)state;
	all_as_it_must_be();
	proof_task(&proof, &task);
	assert_int_equal(task.n, proof.n - 1);
	assert_int_equal(task.targets[0].id, 1);
	probe_task_clear(&task);
	probe_report_clear(&report);
}

/* Of link-local addresses connect() says that they are invalid, which is no word of a wall. */
static void the_resolver_is_the_first_that_can_be_tried_from_anywhere(void **state)
{
	static const struct {
		const char *text, *found; /* NULL: none */
	} cases[] = {
		{ "nameserver 192.0.2.53\n", "192.0.2.53" },
		{ "# a\nsearch b\nnameserver\t2001:db8::53\nnameserver 192.0.2.1", "2001:db8::53" },
		{ "nameserver fe80::1%eth0\nnameserver 192.0.2.53\n", "192.0.2.53" },
		{ "nameserver fe80::1\nnameserver 192.0.2.53\n", "192.0.2.53" },
		{ "nameserver febf::1\nnameserver fec0::1\n", "fec0::1" },
		{ "nameserver 1.2.3\nnameserver ::1::\nnameserver 192.0.2.53\n", "192.0.2.53" },
		{ "nameserver\n192.0.2.53\n", NULL },
		{ "nameserver fe80::1%eth0\n", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char found[PROOF_ADDRESS] = "";
		bool any = proof_find_resolver(cases[i].text, found);

		assert_int_equal(any, cases[i].found != NULL);
		if (any)
			assert_string_equal(found, cases[i].found);
	}
}

static void without_a_resolver_its_row_does_not_apply(void **state)
{
	(void)state;
	memset(&proof, 0, sizeof proof);
	proof_add_literals(&proof, NULL);
	size_t skipped = 0;
	for (size_t i = 0; i < proof.n; i++)
		skipped += proof.checks[i].skipped != NULL;
	assert_int_equal(skipped, 1);
}

/* A web server says nothing before it has a whole request, and of what is behind a machine's relay
 * only an answer tells. */
static void a_web_server_behind_the_relay_has_a_request_to_answer(void **state)
{
	static struct probe_task task;
	size_t servers = 0;

	(void)state;
	for (size_t i = 0; i < PROBE_TARGETS_MAX; i++) {
		all_as_it_must_be();
		proof.machine = true;
		if (i >= report.n || proof.checks[i + 1].port != 80 ||
		    proof.checks[i + 1].expect != PROOF_UNREACHED || proof.checks[i + 1].family != PROBE_TCP)
			continue;
		proof_task(&proof, &task);
		bool whole = str_ends(str_c(&task.targets[i].request), "\r\n\r\n");
		probe_task_clear(&task);
		memset(&task, 0, sizeof task);
		struct err err = ERR_INIT;
		report.results[i].outcome = PROBE_CONNECTED;
		report.results[i].error = 0;
		assert_ok(judge(&err), &err);
		if (whole)
			str_add(&report.results[i].answer, "HTTP/1.0 404 Not Found\r\n\r\n");
		expect_surprise(proof.checks[i + 1].name);
		servers++;
	}
	assert_int_equal(servers, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_without_surprise_is_confined),
		cmocka_unit_test(each_row_that_comes_out_differently_is_a_surprise),
		cmocka_unit_test(a_refusal_with_a_strange_errno_is_a_surprise),
		cmocka_unit_test(an_answer_that_is_not_the_gateways_refusal_is_a_surprise),
		cmocka_unit_test(a_missing_row_a_double_one_and_a_foreign_report_are_surprises),
		cmocka_unit_test(the_task_leaves_out_what_does_not_apply),
		cmocka_unit_test(the_resolver_is_the_first_that_can_be_tried_from_anywhere),
		cmocka_unit_test(without_a_resolver_its_row_does_not_apply),
		cmocka_unit_test(a_web_server_behind_the_relay_has_a_request_to_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
