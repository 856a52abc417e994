#include "launch/proof.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/banned.h"

struct proof_check *proof_add(struct proof *p, enum proof_expect expect, enum probe_family family,
                              const char *name)
{
	if (p->n == PROOF_CHECKS_MAX)
		bug("over %d checks in a proof", PROOF_CHECKS_MAX);
	struct proof_check *c = &p->checks[p->n++];
	*c = (struct proof_check){ .expect = expect, .family = family };
	snprintf(c->name, sizeof c->name, "%s", name);
	return c;
}

/* A question for the address of example.com: a name that there is, so that a server which asks
 * anybody has an answer. Over TCP the length stands before it. */
static const char question[] = "\0\x1d"
			       "bb\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1";
enum { QUESTION_PREFIX = 2, NAME_PORT = 53, NAME_HEADER = 12 };

static void add_literal(struct proof *p, const char *address, uint16_t port)
{
	static const struct {
		enum probe_family family;
		const char *name;
	} kinds[] = { { PROBE_TCP, "tcp" }, { PROBE_UDP, "udp" } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char name[sizeof p->checks[0].name];
		snprintf(name, sizeof name, "%s %s port %u", kinds[i].name, address, port);
		struct proof_check *c = proof_add(p, PROOF_UNREACHED, kinds[i].family, name);
		snprintf(c->address, sizeof c->address, "%s", address);
		c->port = port;
		/* Whole: half of a request a server waits over, and looks as if it were not there. */
		c->request = "GET / HTTP/1.0\r\n\r\n";
		if (port == NAME_PORT) {
			size_t skipped = kinds[i].family == PROBE_UDP ? QUESTION_PREFIX : 0;
			c->request = question + skipped;
			c->request_len = sizeof question - 1 - skipped;
		}
	}
}

/* A link-local address says nothing without its interface, which the guest does not have. */
static bool is_dialled_anywhere(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	return inet_pton(AF_INET, address, &v4) == 1 ||
	       (inet_pton(AF_INET6, address, &v6) == 1 && !IN6_IS_ADDR_LINKLOCAL(&v6));
}

bool proof_find_resolver(const char *text, char out[PROOF_ADDRESS])
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "nameserver%*[ \t]%63[^ \t\r\n]", out) == 1 && is_dialled_anywhere(out))
			return true;
	}
	return false;
}

void proof_add_literals(struct proof *p, const char *resolver)
{
	static const char *const addresses[] = { "1.1.1.1", "169.254.169.254" };

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		add_literal(p, addresses[i], 53);
		add_literal(p, addresses[i], 80);
	}
	if (resolver)
		add_literal(p, resolver, 53);
	else
		proof_add(p, PROOF_UNREACHED, PROBE_UDP, "the host's name server")->skipped =
			"the host names none that has an address without a scope";
	struct proof_check *name = proof_add(p, PROOF_UNREACHED, PROBE_NAME, "name lookup");
	snprintf(name->address, sizeof name->address, "lookup.bot-bottle.invalid");
}

static struct proof_check *add_sidecar(struct proof *p, enum proof_expect expect, const char *address,
                                       uint16_t port, const char *name)
{
	struct proof_check *c = proof_add(p, expect, PROBE_TCP, name);

	snprintf(c->address, sizeof c->address, "%s", address);
	c->port = port;
	return c;
}

void proof_add_gateway(struct proof *p, const char *address, const char *gateway_nonce)
{
	struct proof_check *c = add_sidecar(p, PROOF_NONCE, address, 9099, "gateway answers");

	memcpy(c->nonce, gateway_nonce, sizeof c->nonce);
	c->request =
		"GET http://" PROOF_HOST "/ HTTP/1.1\r\nHost: " PROOF_HOST "\r\nConnection: close\r\n\r\n";
	c = add_sidecar(p, PROOF_REFUSES, address, 9099, "gateway refuses");
	c->request = "GET http://" PROOF_DENIED "/ HTTP/1.1\r\nHost: " PROOF_DENIED
		     "\r\nConnection: close\r\n\r\n";
	add_sidecar(p, PROOF_CONNECTS, address, 443, "gateway listens on 443");
	add_sidecar(p, PROOF_CONNECTS, address, 80, "gateway listens on 80");
}

void proof_add_relayed(struct proof *p, const char *address)
{
	size_t n = p->n;

	for (size_t i = 0; i < n; i++) {
		const struct proof_check *of = &p->checks[i];
		bool inet = of->family == PROBE_TCP || of->family == PROBE_UDP;
		if (of->skipped || !inet || !str_starts(of->address, "127."))
			continue;
		struct proof_check *c = proof_add(p, PROOF_UNREACHED, of->family, of->name);
		size_t room = sizeof c->name - strlen(c->name);
		snprintf(c->name + strlen(c->name), room, ", relayed");
		snprintf(c->address, sizeof c->address, "%s", address);
		c->port = of->port;
		c->request = of->request;
		memcpy(c->nonce, of->nonce, sizeof c->nonce);
	}
}

void proof_task(const struct proof *p, struct probe_task *out)
{
	memcpy(out->launch, p->launch, sizeof out->launch);
	out->deadline_ms = p->machine ? PROOF_MACHINE_DEADLINE_MS : PROOF_DEADLINE_MS;
	for (size_t i = 0; i < p->n; i++) {
		const struct proof_check *c = &p->checks[i];
		if (c->skipped)
			continue;
		struct probe_target *t = &out->targets[out->n++];
		*t = (struct probe_target){ .id = (uint32_t)i,
			                    .family = c->family,
			                    .address = xstrdup(c->address),
			                    .port = c->port };
		memcpy(t->nonce, c->nonce, sizeof t->nonce);
		if (c->request)
			str_addn(&t->request, c->request,
			         c->request_len ? c->request_len : strlen(c->request));
		bool waits = c->expect == PROOF_REFUSES || (p->machine && c->expect == PROOF_UNREACHED);
		t->want = waits ? PROBE_ANSWER_MAX : 0;
	}
}

static const char *outcome_name(enum probe_outcome outcome)
{
	static const char *const names[] = { [PROBE_REFUSED] = "refused",
		                             [PROBE_SILENT] = "silent",
		                             [PROBE_CONNECTED] = "connected",
		                             [PROBE_NONCE_SEEN] = "reached",
		                             [PROBE_RESOLVED] = "resolved" };

	return (unsigned)outcome < ARRAY_LEN(names) && names[outcome] ? names[outcome] : "unknown";
}

/* The words of a kernel that has no way there. Any other errno may mean that there is one. */
static bool is_wall(int error)
{
	static const int walls[] = { ENETUNREACH,  EHOSTUNREACH, ECONNREFUSED, EADDRNOTAVAIL,
		                     EAFNOSUPPORT, ENOENT,       EACCES,       EPERM };

	for (size_t i = 0; i < ARRAY_LEN(walls); i++)
		if (error == walls[i])
			return true;
	return false;
}

static bool is_refusal_of_ours(const struct probe_result *r)
{
	static const char status[] = "HTTP/1.1 403", body[] = "\"egress-denied\"";

	return r->answer.len > strlen(status) && memcmp(r->answer.data, status, strlen(status)) == 0 &&
	       memmem(r->answer.data, r->answer.len, body, strlen(body));
}

/* A response that says no: an error, and not one record. */
static bool is_refused_name(const struct proof_check *c, const struct probe_result *r)
{
	size_t skipped = c->family == PROBE_TCP ? QUESTION_PREFIX : 0;

	if (c->port != NAME_PORT || r->answer.len < skipped + NAME_HEADER)
		return false;
	const unsigned char *head = (const unsigned char *)r->answer.data + skipped;
	return (head[2] & 0x80) && (head[3] & 0x0f) != 0 && head[6] == 0 && head[7] == 0;
}

/* smolvm's network stack takes some connections by itself before it asks whether they may go
 * anywhere, and answers every question for a name by itself, with no: only another answer
 * says that somebody is there. */
static bool is_behind_relay(const struct proof_check *c, const struct probe_result *r)
{
	if (r->outcome == PROBE_CONNECTED)
		return r->answer.len == 0 || is_refused_name(c, r);
	return r->outcome == PROBE_SILENT ||
	       (r->outcome == PROBE_REFUSED &&
	        (is_wall(r->error) || r->error == ECONNRESET || r->error == ETIMEDOUT));
}

static bool came_out(const struct proof *p, const struct proof_check *c, const struct probe_result *r)
{
	switch (c->expect) {
	case PROOF_UNREACHED:
		if (p->machine)
			return is_behind_relay(c, r);
		return r->outcome == PROBE_REFUSED && is_wall(r->error);
	case PROOF_NONCE:
		return r->outcome == PROBE_NONCE_SEEN;
	case PROOF_CONNECTS:
		return r->outcome == PROBE_CONNECTED;
	case PROOF_REFUSES:
		return r->outcome == PROBE_CONNECTED && is_refusal_of_ours(r);
	}
	return false;
}

static const struct probe_result *result_of(const struct probe_report *report, size_t id, size_t *times)
{
	const struct probe_result *found = NULL;

	*times = 0;
	for (size_t i = 0; i < report->n; i++)
		if (report->results[i].id == id) {
			found = &report->results[i];
			++*times;
		}
	return found;
}

static int judge_check(const struct proof *p, const struct proof_check *c, const struct probe_result *r,
                       size_t times, json *row, struct err *err)
{
	json_set_string(row, "check", c->name);
	json_set_string(row, "expected", c->expect == PROOF_UNREACHED ? "unreachable" : "works");
	if (c->skipped) {
		json_set_string(row, "not_applicable", c->skipped);
		return 0;
	}
	if (times != 1) {
		json_set_string(row, "found", "no answer");
		return fail(err, ERR_UNCONFINED, "the proof has no result for \"%s\"", c->name);
	}
	bool good = came_out(p, c, r);
	json_set_string(row, "found", outcome_name(r->outcome));
	if (r->error)
		json_set_string(row, "error", strerrorname_np(r->error));
	json_set_truth(row, "as_expected", good);
	if (good)
		return 0;
	return fail(err, ERR_UNCONFINED, "the proof failed: \"%s\" must be %s and was %s%s%s", c->name,
	            c->expect == PROOF_UNREACHED ? "unreachable" : "working", outcome_name(r->outcome),
	            r->error ? ": " : "", r->error ? strerror(r->error) : "");
}

int proof_judge(const struct proof *p, const struct probe_report *report, json **result, struct err *err)
{
	json *rows = json_array_of();
	struct err first = ERR_INIT;
	size_t known = 0;

	if (memcmp(report->launch, p->launch, sizeof p->launch) != 0)
		fail(&first, ERR_UNCONFINED, "the proof's report is of another launch");
	for (size_t i = 0; i < p->n; i++) {
		struct err here = ERR_INIT;
		json *row = json_object_of();
		size_t times;
		const struct probe_result *r = result_of(report, i, &times);
		known += times;
		if (judge_check(p, &p->checks[i], r, times, row, &here) != 0 && first.kind == ERR_NONE)
			first = here;
		json_push(rows, row);
	}
	if (known != report->n && first.kind == ERR_NONE)
		fail(&first, ERR_UNCONFINED, "the proof's report has results that nobody asked for");
	*result = json_object_of();
	json_set_truth(*result, "confined", first.kind == ERR_NONE);
	json_set(*result, "checks", rows);
	if (first.kind == ERR_NONE)
		return 0;
	*err = first;
	return -1;
}
