#include "keeper/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/utf8.h"
#include "base/banned.h"

void audit_close(struct audit *a)
{
	fd_drop(&a->fd);
	a->count = 0;
}

/* The head before the first line: the digest of nothing. */
static void first_head(char out[SHA256_TEXT])
{
	sha256_text("", 0, out);
}

static int read_lines(FILE *f, audit_line_fn fn, void *arg, size_t *cut, struct err *err)
{
	own_mem char *buffer = xmalloc(AUDIT_LINE_MAX + 1);
	size_t have = 0, n;
	uint64_t number = 0;

	while ((n = fread(buffer + have, 1, AUDIT_LINE_MAX + 1 - have, f)) > 0) {
		char *at = buffer, *end = buffer + have + n;
		for (char *newline; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1)
			if (fn(arg, ++number, at, (size_t)(newline - at), err) != 0)
				return -1;
		have = (size_t)(end - at);
		if (have > AUDIT_LINE_MAX)
			return fail(err, ERR_UNCONFINED,
			            "line %llu of the audit log is over the limit of %d bytes",
			            (unsigned long long)number + 1, AUDIT_LINE_MAX);
		memmove(buffer, at, have);
	}
	*cut = have;
	return ferror(f) ? fail_errno(err, "reading the audit log") : 0;
}

/* -1 with kind ERR_NONE: there is none. */
static int open_log(int dirfd, int flags, struct err *err)
{
	struct stat st;
	own_fd int fd = openat(dirfd, AUDIT_FILE, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return -1;
	if (fd < 0)
		return fail_errno(err, "open %s", AUDIT_FILE);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return fail(err, ERR_UNCONFINED, "%s is not a regular file", AUDIT_FILE);
	return fd_steal(&fd);
}

int audit_read(int dirfd, audit_line_fn fn, void *arg, size_t *cut, struct err *err)
{
	own_fd int fd = open_log(dirfd, O_RDONLY, err);

	*cut = 0;
	if (fd < 0)
		return err->kind == ERR_NONE ? 0 : -1;
	own_file FILE *f = fdopen(fd, "r");
	if (!f)
		return fail_errno(err, "reading the audit log");
	fd_steal(&fd);
	return read_lines(f, fn, arg, cut, err);
}

struct walk {
	struct audit_found at;
	const struct audit_claim *claim;
	bool met; /* the claim's count was passed, with its head */
};

static int check_line(void *arg, uint64_t seq, const char *line, size_t n, struct err *err)
{
	struct walk *w = arg;
	unsigned long long number = seq;
	own_json json *j = NULL;

	if (json_parse_unique(line, n, 16, &j, err) != 0 || json_kind(j) != JSON_OBJECT)
		return fail(err, ERR_UNCONFINED, "line %llu of the audit log is not a JSON object", number);
	if (json_get_int(j, "seq", -1) != (int64_t)number)
		return fail(err, ERR_UNCONFINED,
		            "line %llu of the audit log has another number; a line was removed or added",
		            number);
	if (!str_is(json_get_string(j, "prev", NULL), w->at.head))
		return fail(
			err, ERR_UNCONFINED,
			"line %llu of the audit log does not follow from the one before it; one of them was changed",
			number);
	w->at.count++;
	w->at.bytes += n + 1;
	sha256_text(line, n, w->at.head);
	if (w->claim && w->claim->head && w->at.count == w->claim->count) {
		if (!str_is(w->at.head, w->claim->head))
			return fail(err, ERR_UNCONFINED,
			            "line %llu of the audit log is not the one that the record names",
			            number);
		w->met = true;
	}
	return 0;
}

static int refuse_cut(const struct walk *w, enum audit_end end, struct err *err)
{
	unsigned long long number = (unsigned long long)w->at.count + 1;

	return fail(
		err, ERR_UNCONFINED,
		end == AUDIT_ENDED ?
			"line %llu of the audit log is cut short: %zu byte%s without an end, and the log "
			"was whole when the bottle ended; a log that was changed is not continued, "
			"`bottle export` brings the work out" :
			"line %llu of the audit log is cut short: the keeper was killed when it had written "
			"%zu byte%s of it; what stands before it is whole, and `bottle cleanup` puts a note in "
			"its place",
		number, w->at.cut, str_plural(w->at.cut));
}

static int walk_log(int dirfd, struct walk *w, enum audit_end end, struct err *err)
{
	const struct audit_claim *claim = w->claim;

	first_head(w->at.head);
	w->met = claim && claim->count == 0;
	if (audit_read(dirfd, check_line, w, &w->at.cut, err) != 0)
		return -1;
	if (claim && claim->head && !(w->met && (end != AUDIT_ENDED || w->at.count == claim->count)))
		return fail(err, ERR_UNCONFINED, "the audit log has %llu line%s%s, and the record says %llu",
		            (unsigned long long)w->at.count, str_plural(w->at.count),
		            w->at.cut ? " and a part of one" : "", (unsigned long long)claim->count);
	return 0;
}

int audit_verify(int dirfd, const struct audit_claim *claim, enum audit_end end, struct audit_found *out,
                 struct err *err)
{
	struct walk w = { .claim = claim };

	if (walk_log(dirfd, &w, end, err) != 0)
		return -1;
	if (w.at.cut > 0 && end != AUDIT_GROWING)
		return refuse_cut(&w, end, err);
	*out = w.at;
	return 0;
}

int audit_open(int dirfd, const struct audit_claim *claim, uint64_t limit, struct audit *out, struct err *err)
{
	struct audit_found found;

	if (audit_verify(dirfd, claim, AUDIT_ENDED, &found, err) != 0)
		return -1;
	if (found.bytes >= limit)
		return fail(err, ERR_UNCONFINED,
		            "the audit log has %llu bytes, and its limit is %llu; raise limits.audit_mib in "
		            "config.json, or bring the work out with `bottle export` and start anew",
		            (unsigned long long)found.bytes, (unsigned long long)limit);
	int fd = openat(dirfd, AUDIT_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail_errno(err, "open %s", AUDIT_FILE);
	*out = (struct audit){ .fd = fd, .count = found.count, .bytes = found.bytes, .limit = limit };
	memcpy(out->head, found.head, sizeof out->head);
	return 0;
}

int audit_sync(struct audit *a, struct err *err)
{
	if (a->doubtful)
		return fail(err, ERR_SYSTEM, "not all of the audit log could be brought to the disk");
	if (fdatasync(a->fd) == 0)
		return 0;
	a->doubtful = true;
	return fail_errno(err, "bringing the audit log to the disk");
}

void audit_close_up(struct audit *a)
{
	a->limit += AUDIT_RESERVE;
}

struct chained {
	json *into;
	bool reserved;
};

static bool copy_member(void *arg, const char *key, json *value)
{
	struct chained *c = arg;

	c->reserved = c->reserved || str_is(key, "seq") || str_is(key, "prev");
	json_set(c->into, key, json_ref(value));
	return true;
}

/* A line that is not UTF-8 is one that nobody can read back, and the end of the chain. Such bytes
 * stand only inside of strings, where U+FFFD may stand too; who needs to know which they were
 * writes them escaped. */
static void replace_bad_bytes(struct str *text)
{
	own_str struct str clean = STR_INIT;
	const unsigned char *p = (const unsigned char *)str_c(text), *end = p + text->len;

	if (utf8_is_valid(p, text->len))
		return;
	for (size_t n; p < end; p += n ? n : 1) {
		n = utf8_length(p, (size_t)(end - p));
		str_addn(&clean, n ? (const char *)p : "\xef\xbf\xbd", n ? n : 3);
	}
	str_reset(text);
	str_addn(text, clean.data, clean.len);
}

/* The next line of the chain with its newline; @head is what the one after it names. */
static int compose(const struct audit *a, const json *record, struct str *text, char head[SHA256_TEXT],
                   struct err *err)
{
	own_json json *line = json_object_of();
	struct chained c = { .into = line };

	if (json_kind(record) != JSON_OBJECT)
		return fail(err, ERR_INPUT, "an audit record that is not an object");
	json_set_int(line, "seq", (int64_t)a->count + 1);
	json_set_string(line, "prev", a->head);
	if (!json_get(record, "time")) {
		char now[CLOCK_TEXT];
		clock_text(clock_unix_ms(), now);
		json_set_string(line, "time", now);
	}
	json_each(record, copy_member, &c);
	if (c.reserved)
		return fail(err, ERR_INPUT, "an audit record that brings its own seq or prev");
	json_print(line, text);
	replace_bad_bytes(text);
	if (text->len > AUDIT_LINE_MAX)
		return fail(err, ERR_INPUT, "an audit record of %zu bytes is over the limit of %d", text->len,
		            AUDIT_LINE_MAX);
	sha256_text(text->data, text->len, head);
	str_addc(text, '\n');
	return 0;
}

int audit_append(struct audit *a, const json *record, struct err *err)
{
	own_str struct str text = STR_INIT;
	char head[SHA256_TEXT];

	if (compose(a, record, &text, head, err) != 0)
		return -1;
	if (a->bytes + text.len > a->limit)
		return fail(err, ERR_UNCONFINED,
		            "the audit log is full: its limit is %llu bytes; see limits.audit_mib in "
		            "bot-bottle-config(5)",
		            (unsigned long long)a->limit);
	off_t end = lseek(a->fd, 0, SEEK_END);
	if (file_write_all(a->fd, text.data, text.len, err) != 0) {
		/* Part of a line would make the whole log one that was tampered with. */
		if (end < 0 || ftruncate(a->fd, end) != 0)
			log_error("the audit log ends in a part of a line errno=%d", errno);
		return fail_in(err, "writing the audit log");
	}
	a->count++;
	a->bytes += text.len;
	memcpy(a->head, head, sizeof a->head);
	return 0;
}

int audit_append_text(struct audit *a, const char *text, struct err *err)
{
	own_json json *j = NULL;

	if (json_parse_unique(text, strlen(text), 8, &j, err) != 0)
		return fail_in(err, "audit record");
	return audit_append(a, j, err);
}

enum { CUT_SHOWN = 1024 };

/* What is known of a line that was cut: enough to find it again elsewhere. */
static int describe_cut(int fd, const struct audit_found *at, json **out, struct err *err)
{
	own_mem char *bytes = xmalloc(at->cut);
	own_str struct str shown = STR_INIT;
	char digest[SHA256_TEXT];
	json *details = json_object_of();

	*out = json_object_of();
	json_set_string(*out, "kind", "mended");
	json_set(*out, "details", details);
	if (pread(fd, bytes, at->cut, (off_t)at->bytes) != (ssize_t)at->cut)
		return fail_errno(err, "reading the end of the audit log");
	sha256_text(bytes, at->cut, digest);
	str_add_escaped(&shown, bytes, at->cut, CUT_SHOWN);
	json_set_string(details, "why", "the keeper was killed while it wrote this line");
	json_set_int(details, "bytes", (int64_t)at->cut);
	json_set_string(details, "sha256", digest);
	json_set_string(details, "began", str_c(&shown));
	return 0;
}

/* Over the part first, and cut to length then: whatever ends this half-way leaves a part of a
 * line again, and never a line that was not written. */
static int replace_cut(int dirfd, struct audit_found *at, struct err *err)
{
	own_fd int fd = open_log(dirfd, O_RDWR, err);
	own_json json *record = NULL;
	own_str struct str text = STR_INIT;
	struct audit a = { .fd = -1, .count = at->count };

	memcpy(a.head, at->head, sizeof a.head);
	if (fd < 0 || describe_cut(fd, at, &record, err) != 0 ||
	    compose(&a, record, &text, at->head, err) != 0)
		return -1;
	if (pwrite(fd, text.data, text.len, (off_t)at->bytes) != (ssize_t)text.len ||
	    ftruncate(fd, (off_t)(at->bytes + text.len)) != 0)
		return fail_errno(err, "mending the audit log");
	at->count++;
	at->bytes += text.len;
	return 0;
}

/* Before a record claims all of it. What the kernel could not write for the keeper counts as written
 * since, and that was told once: so all of it is written anew. */
static int bring_to_disk(int dirfd, struct err *err)
{
	own_fd int fd = open_log(dirfd, O_RDWR, err);
	char bytes[64 * 1024];
	ssize_t n;

	if (fd < 0)
		return err->kind == ERR_NONE ? 0 : -1;
	for (off_t at = 0; (n = pread(fd, bytes, sizeof bytes, at)) > 0; at += n)
		if (pwrite(fd, bytes, (size_t)n, at) != n)
			return fail_errno(err, "bringing the audit log to the disk");
	return n == 0 && fdatasync(fd) == 0 ? 0 : fail_errno(err, "bringing the audit log to the disk");
}

int audit_mend(int dirfd, const struct audit_claim *claim, struct audit_found *out, struct err *err)
{
	struct walk w = { .claim = claim };

	if (walk_log(dirfd, &w, AUDIT_AHEAD, err) != 0 ||
	    (w.at.cut > 0 && replace_cut(dirfd, &w.at, err) != 0) || bring_to_disk(dirfd, err) != 0)
		return -1;
	*out = w.at;
	return 0;
}
