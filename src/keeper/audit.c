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

struct walk {
	struct audit_found at;
	const struct audit_claim *claim;
	bool met; /* the claim's count was passed, with its head */
};

static int check_line(struct walk *w, const char *line, size_t n, struct err *err)
{
	unsigned long long number = (unsigned long long)w->at.count + 1;
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

static int check_lines(FILE *f, struct walk *w, struct err *err)
{
	own_mem char *line = xmalloc(AUDIT_LINE_MAX + 2);

	while (fgets(line, AUDIT_LINE_MAX + 2, f)) {
		size_t n = strlen(line);
		if (n == 0 || line[n - 1] != '\n')
			return fail(err, ERR_UNCONFINED,
			            "line %llu of the audit log is cut, or over the limit of %d bytes",
			            (unsigned long long)w->at.count + 1, AUDIT_LINE_MAX);
		if (check_line(w, line, n - 1, err) != 0)
			return -1;
	}
	return ferror(f) ? fail_errno(err, "reading the audit log") : 0;
}

int audit_verify(int dirfd, const struct audit_claim *claim, bool at_least, struct audit_found *out,
                 struct err *err)
{
	struct walk w = { .claim = claim };
	struct stat st;

	first_head(w.at.head);
	w.met = claim && claim->count == 0;
	own_fd int fd = openat(dirfd, AUDIT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		return fail_errno(err, "open %s", AUDIT_FILE);
	if (fd >= 0) {
		if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
			return fail(err, ERR_UNCONFINED, "%s is not a regular file", AUDIT_FILE);
		own_file FILE *f = fdopen(fd, "r");
		if (!f)
			return fail_errno(err, "reading the audit log");
		fd_steal(&fd);
		if (check_lines(f, &w, err) != 0)
			return -1;
	}
	if (claim && claim->head) {
		bool same = w.met && (at_least || w.at.count == claim->count);
		if (!same)
			return fail(err, ERR_UNCONFINED,
			            "the audit log has %llu lines, and the record says %llu",
			            (unsigned long long)w.at.count, (unsigned long long)claim->count);
	}
	*out = w.at;
	return 0;
}

int audit_open(int dirfd, struct audit *out, struct err *err)
{
	struct audit_found found;

	if (audit_verify(dirfd, NULL, true, &found, err) != 0)
		return -1;
	int fd = openat(dirfd, AUDIT_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail_errno(err, "open %s", AUDIT_FILE);
	out->fd = fd;
	out->count = found.count;
	memcpy(out->head, found.head, sizeof out->head);
	return 0;
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

int audit_append(struct audit *a, const json *record, struct err *err)
{
	own_json json *line = json_object_of();
	struct chained c = { .into = line };
	own_str struct str text = STR_INIT;

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
	json_print(line, &text);
	if (text.len > AUDIT_LINE_MAX)
		return fail(err, ERR_INPUT, "an audit record of %zu bytes is over the limit of %d", text.len,
		            AUDIT_LINE_MAX);
	char head[SHA256_TEXT];
	sha256_text(text.data, text.len, head);
	str_addc(&text, '\n');
	off_t end = lseek(a->fd, 0, SEEK_END);
	if (file_write_all(a->fd, text.data, text.len, err) != 0) {
		/* Part of a line would make the whole log one that was tampered with. */
		if (end < 0 || ftruncate(a->fd, end) != 0)
			log_error("the audit log ends in a part of a line errno=%d", errno);
		return fail_in(err, "writing the audit log");
	}
	a->count++;
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
