#include "egress/audit.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "proto/egress.h"
#include "proto/sidecar.h"
#include "wire/query.h"
#include "base/banned.h"

enum {
	BATCH_MS = 20, /* records gather this long */
	QUERY_SHOWN = 512,
	RECORD_USUAL = 500, /* bytes of a record that is not refused */
};

void audit_init(struct audit *a, struct loop *loop, int control, size_t limit)
{
	*a = (struct audit){ .loop = loop, .control = control, .limit = limit };
}

void audit_clear(struct audit *a)
{
	timer_cancel(a->loop, &a->timer);
	timer_cancel(a->loop, &a->wake);
	strv_clear(&a->queue);
}

bool audit_is_full(const struct audit *a)
{
	return a->queue.n >= a->limit;
}

void audit_mask_query(const char *query, size_t n, struct str *out)
{
	struct slice rest = { query, n };
	struct query_parameter p;

	while (query_next(&rest, &p)) {
		if (p.whole.at != query)
			str_addc(out, p.whole.at[-1]);
		/* A word alone is no name of anything: it may be the secret itself. */
		if (p.has_value) {
			str_addn(out, p.name.at, p.name.n);
			str_addc(out, '=');
		}
		if (p.whole.n)
			str_add(out, "***");
	}
}

/* What is the bottle's own secret is overwritten before the text is cut: half of one is too much. */
void audit_print_text(const struct audit *a, struct str *out, struct slice text, size_t limit)
{
	own_str struct str shown = STR_INIT;

	if (text.n <= limit && (!a->secrets || a->secrets->n == 0)) {
		json_print_text(out, text.at, text.n);
		return;
	}
	str_addn(&shown, text.at, text.n);
	if (a->secrets)
		echo_scrub(a->secrets, shown.data, shown.len);
	if (shown.len > limit) {
		shown.len = limit;
		str_add(&shown, "...");
	}
	json_print_text(out, str_c(&shown), shown.len);
}

/* @key comes as it is printed: ,"key": */
static void member(const struct audit *a, struct str *out, const char *key, const char *text, size_t limit)
{
	if (!*text)
		return;
	str_add(out, key);
	audit_print_text(a, out, slice_of(text), limit);
}

static void number(struct str *out, const char *key, uint64_t n)
{
	str_add(out, key);
	str_add_number(out, n);
}

/* Every request is printed: no format is interpreted here. */
static void print(const struct audit *a, const struct audit_entry *e, struct str *out)
{
	char when[CLOCK_TEXT];
	unsigned us = (unsigned)(e->us % 1000);
	const char fraction[] = { '.', (char)('0' + us / 100), (char)('0' + us / 10 % 10),
		                  (char)('0' + us % 10) };

	clock_text(clock_unix_ms(), when);
	str_add(out, "{\"time\":\"");
	str_add(out, when);
	str_add(out, "\",\"kind\":\"egress\"");
	member(a, out, ",\"id\":", e->id, 64);
	member(a, out, ",\"method\":", e->method, 64);
	member(a, out, ",\"scheme\":", e->scheme, 8);
	member(a, out, ",\"host\":", e->host, 256);
	if (e->port)
		number(out, ",\"port\":", e->port);
	member(a, out, ",\"path\":", e->path, EGRESS_PATH_SHOWN);
	member(a, out, ",\"query\":", e->query, QUERY_SHOWN);
	member(a, out, ",\"route\":", e->route, 256);
	member(a, out, ",\"rule\":", e->rule, 512);
	str_add(out, e->allowed ? ",\"verdict\":\"allow\"" : ",\"verdict\":\"deny\"");
	member(a, out, ",\"reason\":", e->reason, 64);
	if (e->status)
		number(out, ",\"status\":", (unsigned)e->status);
	number(out, ",\"sent\":", e->sent);
	number(out, ",\"received\":", e->received);
	number(out, ",\"ms\":", e->us / 1000);
	str_addn(out, fraction, sizeof fraction);
	str_add(out, e->detail);
	str_addc(out, '}');
}

static void on_time(void *arg)
{
	audit_flush(arg);
}

void audit_add(struct audit *a, const struct audit_entry *entry)
{
	own_str struct str text = STR_INIT;

	str_reserve(&text, RECORD_USUAL);
	print(a, entry, &text);
	if (text.len > SIDECAR_AUDIT_RECORD) {
		/* Only what the log level adds can be that long; the record itself is kept. */
		struct audit_entry bare = *entry;
		bare.detail = "";
		str_reset(&text);
		print(a, &bare, &text);
	}
	strv_take(&a->queue, str_steal(&text));
	/* While stuck, EPOLLOUT says when to try again. */
	if (a->stuck)
		return;
	if (a->queue.n >= SIDECAR_AUDIT_BATCH)
		audit_flush(a);
	else if (a->timer.slot == 0)
		timer_set(a->loop, &a->timer, BATCH_MS, on_time, a);
}

/* How many of the queue's first records fit into one message. */
static size_t batch_size(const struct strv *queue)
{
	size_t bytes = 64, n = 0;

	while (n < queue->n && n < SIDECAR_AUDIT_BATCH) {
		bytes += strlen(queue->v[n]) + 8;
		if (bytes > MSG_MAX)
			break;
		n++;
	}
	return n;
}

static void drop_front(struct strv *queue, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(queue->v[i]);
	memmove(queue->v, queue->v + n, (queue->n - n + 1) * sizeof *queue->v);
	queue->n -= n;
}

void audit_flush(struct audit *a)
{
	bool was_full = audit_is_full(a);

	timer_cancel(a->loop, &a->timer);
	a->stuck = false;
	while (a->queue.n > 0) {
		size_t n = batch_size(&a->queue);
		struct err err = ERR_INIT;
		own_str struct str bytes = STR_INIT;
		/* A view of the front of the queue: encoding only reads. */
		struct sidecar_message m = { .say = SIDECAR_AUDIT, .records = { a->queue.v, n } };
		sidecar_message_encode(&m, &bytes);
		if (msg_send(a->control, &bytes, NULL, 0, &err) != 0) {
			a->stuck = err.kind == ERR_BUSY;
			if (!a->stuck)
				a->lost(a->arg);
			break;
		}
		drop_front(&a->queue, n);
	}
	/* From the loop, not from here: who adds a record is in the middle of something. */
	if (was_full && !audit_is_full(a))
		timer_set(a->loop, &a->wake, 0, a->drained, a->arg);
}
