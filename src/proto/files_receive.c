#include "proto/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/own.h"
#include "proto/files_path.h"
#include "base/banned.h"

static uint32_t get_u32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

struct receiver {
	int in;
	uint64_t limit, entries;
	files_told told;
	void *arg;
	struct files_count *count;
	int dirs[FILES_DEPTH + 1];    /* the one at @depth is written in */
	size_t ends[FILES_DEPTH + 1]; /* where its path ends in @path */
	int depth;
	struct str path;  /* of what is being received */
	const char *root; /* the name that the first entry gets */
	bool have_root;
	struct draft file; /* being written */
	char name[FILES_NAME + 1];
	unsigned char body[FILES_CHUNK];
	size_t n;
};

static void receiver_drop(struct receiver *r)
{
	draft_drop(&r->file);
	str_clear(&r->path);
	for (; r->depth > 0; r->depth--)
		fd_drop(&r->dirs[r->depth]);
}
#define own_receiver __attribute__((cleanup(receiver_drop)))

static int read_all(struct receiver *r, void *bytes, size_t n, struct err *err)
{
	unsigned char *p = bytes;

	while (n > 0) {
		struct pollfd ready = { r->in, POLLIN, 0 };
		int rc = poll(&ready, 1, FILES_IDLE_MS);
		if (rc == 0)
			return fail(err, ERR_BUSY, "the other side sent nothing for %d s",
			            FILES_IDLE_MS / 1000);
		if (rc < 0 && errno == EINTR)
			continue;
		ssize_t got = read(r->in, p, n);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return fail_errno(err, "receiving");
		if (got == 0)
			return fail(err, ERR_INPUT, "the stream ended early; what came whole is there");
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int read_frame(struct receiver *r, enum files_frame *kind, struct err *err)
{
	unsigned char head[FILES_HEAD];

	if (read_all(r, head, sizeof head, err) != 0)
		return -1;
	r->n = get_u32(head + 1);
	if (r->n > FILES_CHUNK)
		return fail(err, ERR_INPUT, "a frame of %zu bytes, over %d", r->n, FILES_CHUNK);
	*kind = (enum files_frame)head[0];
	return read_all(r, r->body, r->n, err);
}

/* The mode and name of an entry. The first one is called as the receiver wants it. */
static int take_entry(struct receiver *r, mode_t *mode, struct err *err)
{
	const char *name = (const char *)r->body + 4;

	if (r->file.fd >= 0)
		return fail(err, ERR_INPUT, "an entry inside a file");
	if (r->have_root && r->depth == 0)
		return fail(err, ERR_INPUT, "a second entry at the top of the stream");
	if (r->n < 4 || !files_name_is_valid(name, r->n - 4))
		return fail(err, ERR_INPUT, "an entry without a valid name");
	if (++r->entries > FILES_ENTRIES)
		return fail(err, ERR_INPUT, "more than %d files and directories", FILES_ENTRIES);
	*mode = get_u32(r->body) & 0777;
	files_path_cut(&r->path, r->ends[r->depth]);
	if (r->have_root)
		str_addf(&r->path, "/%.*s", (int)(r->n - 4), name);
	if (r->have_root)
		snprintf(r->name, sizeof r->name, "%.*s", (int)(r->n - 4), name);
	else
		snprintf(r->name, sizeof r->name, "%s", r->root);
	r->have_root = true;
	return 0;
}

static int take_enter(struct receiver *r, struct err *err)
{
	mode_t mode;
	int at = r->dirs[r->depth];

	if (take_entry(r, &mode, err) != 0)
		return -1;
	if (r->depth >= FILES_DEPTH)
		return fail(err, ERR_INPUT, "directories nested deeper than %d", FILES_DEPTH);
	/* Its owner must be able to fill it. */
	if (mkdirat(at, r->name, mode | 0700) == 0)
		r->count->directories++;
	else if (errno != EEXIST)
		return files_path_fail(&r->path, "make directory ", err);
	int sub = openat(at, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return files_path_fail(&r->path, "open directory ", err);
	r->dirs[++r->depth] = sub;
	r->ends[r->depth] = r->path.len;
	return 0;
}

static int take_file(struct receiver *r, struct err *err)
{
	mode_t mode;

	if (take_entry(r, &mode, err) != 0)
		return -1;
	if (str_is(r->name, "."))
		return fail(err, ERR_INPUT, "the contents of a directory are wanted, and a file came");
	return draft_open(&r->file, r->dirs[r->depth], mode) == 0 ? 0 :
	                                                            files_path_fail(&r->path, "create ", err);
}

static int fail_write(const struct receiver *r, struct err *err)
{
	own_str struct str shown = STR_INIT;

	files_path_show(&shown, &r->path);
	return fail_in(err, "%s", str_c(&shown));
}

static int take_bytes(struct receiver *r, struct err *err)
{
	if (r->file.fd < 0)
		return fail(err, ERR_INPUT, "bytes of no file");
	r->count->bytes += r->n;
	if (r->count->bytes > r->limit)
		return fail(err, ERR_INPUT, "more than the limit of %llu bytes",
		            (unsigned long long)r->limit);
	if (file_write_all(r->file.fd, r->body, r->n, err) != 0)
		return fail_write(r, err);
	return 0;
}

static int take_end(struct receiver *r, struct err *err)
{
	if (r->file.fd < 0)
		return fail(err, ERR_INPUT, "the end of no file");
	if (draft_place(&r->file, r->name) != 0)
		return files_path_fail(&r->path, "write ", err);
	draft_drop(&r->file);
	r->count->files++;
	return 0;
}

static int take_leave(struct receiver *r, struct err *err)
{
	if (r->file.fd >= 0 || r->depth == 0)
		return fail(err, ERR_INPUT, "the end of no directory");
	fd_drop(&r->dirs[r->depth--]);
	return 0;
}

static int take_remark(struct receiver *r, struct err *err)
{
	char text[FILES_TROUBLE + 1];

	if (r->n > FILES_TROUBLE || ++r->entries > FILES_ENTRIES)
		return fail(err, ERR_INPUT, "remarks over their limit");
	memcpy(text, r->body, r->n);
	text[r->n] = '\0';
	r->count->remarks++;
	if (r->told)
		r->told(r->arg, text);
	return 0;
}

static int take_missed(struct receiver *r, struct err *err)
{
	r->count->missed++;
	return take_remark(r, err);
}

/* What each frame does; the receiver's state decides whether it may come now. */
static const struct {
	enum files_frame kind;
	int (*take)(struct receiver *r, struct err *err);
} frames[] = {
	{ FILES_ENTER, take_enter },   { FILES_LEAVE, take_leave }, { FILES_FILE, take_file },
	{ FILES_BYTES, take_bytes },   { FILES_END, take_end },     { FILES_REMARK, take_remark },
	{ FILES_MISSED, take_missed },
};

static int take_frame(struct receiver *r, enum files_frame kind, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		if (frames[i].kind == kind)
			return frames[i].take(r, err);
	return fail(err, ERR_INPUT, "a frame of unknown kind %d", (int)kind);
}

/* @r->path: as what it is named in messages. */
static int receive_tree(struct receiver *r, int dir, const char *name, struct err *err)
{
	enum files_frame kind = FILES_DONE;

	*r->count = (struct files_count){ 0 };
	if (!files_is_top_name(name))
		return fail(err, ERR_INPUT, "\"%.60s\" is not the name of a file or directory", name);
	r->dirs[0] = dir;
	r->ends[0] = r->path.len;
	r->root = name;
	for (;;) {
		if (read_frame(r, &kind, err) != 0)
			return -1;
		if (kind == FILES_DONE)
			break;
		if (take_frame(r, kind, err) != 0)
			return -1;
	}
	if (r->depth != 0 || r->file.fd >= 0 || !r->have_root)
		return fail(err, ERR_INPUT, "the stream ended inside %s",
		            r->have_root ? "a directory" : "nothing");
	return 0;
}

int files_receive(int in, int dir, const char *name, uint64_t limit, files_told told, void *arg,
                  struct files_count *count, struct err *err)
{
	own_receiver struct receiver r = {
		.in = in, .limit = limit, .told = told, .arg = arg, .count = count, .file = DRAFT_INIT
	};

	str_add(&r.path, name);
	return receive_tree(&r, dir, name, err);
}

int files_receive_at(int in, const char *path, const char *name, uint64_t limit, files_told told, void *arg,
                     struct files_count *count, struct err *err)
{
	char last[FILES_NAME + 1];
	own_receiver struct receiver r = {
		.in = in, .limit = limit, .told = told, .arg = arg, .count = count, .file = DRAFT_INIT
	};
	own_fd int into = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	files_path_begin(&r.path, path);
	if (into >= 0) {
		if (!str_is(name, "."))
			str_addf(&r.path, "/%s", name);
		return receive_tree(&r, into, name, err);
	}
	own_fd int above = files_open_above(path, last, err);
	return above < 0 ? -1 : receive_tree(&r, above, last, err);
}
