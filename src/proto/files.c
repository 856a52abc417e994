#include "proto/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/draft.h"
#include "base/file.h"
#include "base/own.h"
#include "base/banned.h"

enum { HEAD = 5, NAME_BYTES = 255 }; /* a frame's kind and length; a component */

bool files_name_is_valid(const char *name, size_t n)
{
	if (n == 0 || n > NAME_BYTES || memchr(name, '/', n) || memchr(name, '\0', n))
		return false;
	return !(n == 1 && name[0] == '.') && !(n == 2 && name[0] == '.' && name[1] == '.');
}

static void put_u32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get_u32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* --- sending --------------------------------------------------------------------------- */

struct sender {
	int out;
	files_told told;
	files_wait wait;
	void *arg;
	struct files_count *count;
	uint64_t entries;
};

static int send_all(struct sender *s, const void *bytes, size_t n, struct err *err)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t put = write(s->out, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && (errno != EAGAIN || !s->wait))
			return fail_errno(err, "sending");
		if (put < 0 && s->wait(s->arg, err) != 0)
			return fail_in(err, "sending");
		if (put > 0) {
			p += put;
			n -= (size_t)put;
		}
	}
	return 0;
}

static int send_frame(struct sender *s, enum files_frame kind, const void *bytes, size_t n, struct err *err)
{
	unsigned char head[HEAD] = { (unsigned char)kind };

	put_u32(head + 1, (uint32_t)n);
	return send_all(s, head, sizeof head, err) == 0 ? send_all(s, bytes, n, err) : -1;
}

static int send_entry(struct sender *s, enum files_frame kind, mode_t mode, const char *name, struct err *err)
{
	unsigned char bytes[4 + NAME_BYTES];
	size_t n = strlen(name);

	if (!files_name_is_valid(name, n))
		return fail(err, ERR_INPUT, "a name of %zu bytes can't be sent", n);
	if (++s->entries > FILES_ENTRIES)
		return fail(err, ERR_INPUT, "more than %d files and directories; copy a part of them",
		            FILES_ENTRIES);
	put_u32(bytes, mode & 0777);
	memcpy(bytes + 4, name, n);
	return send_frame(s, kind, bytes, 4 + n, err);
}

static int send_remark(struct sender *s, const char *name, const char *what, struct err *err)
{
	own_str struct str text = STR_INIT;

	str_addf(&text, "%.*s: %s", NAME_BYTES, name, what);
	s->count->remarks++;
	if (s->told)
		s->told(s->arg, str_c(&text));
	return send_frame(s, FILES_REMARK, text.data, text.len, err);
}

static int send_file(struct sender *s, int fd, mode_t mode, const char *name, struct err *err)
{
	char bytes[FILES_CHUNK];

	if (send_entry(s, FILES_FILE, mode, name, err) != 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, "read %s", name);
		if (n == 0)
			break;
		if (send_frame(s, FILES_BYTES, bytes, (size_t)n, err) != 0)
			return -1;
		s->count->bytes += (uint64_t)n;
	}
	s->count->files++;
	return send_frame(s, FILES_END, NULL, 0, err);
}

static int send_at(struct sender *s, int dir, const char *name, int depth, struct err *err);

static void stream_drop(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

/* The first entry may be called ".": what is in that directory, and not the directory itself. */
static bool is_top_name(const char *name)
{
	return str_is(name, ".") || files_name_is_valid(name, strlen(name));
}

static int send_directory(struct sender *s, int fd, mode_t mode, const char *name, int depth, struct err *err)
{
	if (depth >= FILES_DEPTH)
		return send_remark(s, name, "directories nested too deep", err);
	own_fd int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(stream_drop))) DIR *d = again >= 0 ? fdopendir(again) : NULL;
	if (!d)
		return send_remark(s, name, strerror(errno), err);
	again = -1;
	/* The receiver calls the first one as it likes. */
	if (send_entry(s, FILES_ENTER, mode, str_is(name, ".") ? "directory" : name, err) != 0)
		return -1;
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;) {
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		if (send_at(s, fd, e->d_name, depth + 1, err) != 0)
			return -1;
	}
	if (errno != 0)
		return fail_errno(err, "read directory %s", name);
	s->count->directories++;
	return send_frame(s, FILES_LEAVE, NULL, 0, err);
}

static int send_at(struct sender *s, int dir, const char *name, int depth, struct err *err)
{
	struct stat st;
	/* Looked at before it is opened: opening a FIFO or a device already does something. What
	 * was swapped in between is caught below, or hangs nobody because of O_NONBLOCK. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return depth == 0 ? fail_errno(err, "%s", name) : send_remark(s, name, strerror(errno), err);
	bool plain = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
	if (!plain && depth == 0)
		return fail(err, ERR_INPUT, "%s is neither a regular file nor a directory", name);
	if (!plain)
		return send_remark(s, name, S_ISLNK(st.st_mode) ? "a symlink" : "not a regular file", err);
	own_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return depth == 0 ? fail_errno(err, "open %s", name) :
		                    send_remark(s, name, strerror(errno), err);
	if (S_ISDIR(st.st_mode))
		return send_directory(s, fd, st.st_mode, name, depth, err);
	if (S_ISREG(st.st_mode))
		return send_file(s, fd, st.st_mode, name, err);
	return send_remark(s, name, "not a regular file", err);
}

int files_send(int out, int dir, const char *name, files_told told, files_wait wait, void *arg,
               struct files_count *count, struct err *err)
{
	struct sender s = { .out = out, .told = told, .wait = wait, .arg = arg, .count = count };

	*count = (struct files_count){ 0 };
	if (!is_top_name(name))
		return fail(err, ERR_INPUT, "\"%.60s\" is not the name of a file or directory", name);
	if (send_at(&s, dir, name, 0, err) != 0)
		return -1;
	return send_frame(&s, FILES_DONE, NULL, 0, err);
}

/* --- receiving ------------------------------------------------------------------------- */

struct receiver {
	int in;
	uint64_t limit, entries;
	files_told told;
	void *arg;
	struct files_count *count;
	int dirs[FILES_DEPTH + 1]; /* the one at @depth is written in */
	int depth;
	const char *root; /* the name that the first entry gets */
	bool have_root;
	struct draft file; /* being written */
	char name[NAME_BYTES + 1];
	unsigned char body[FILES_CHUNK];
	size_t n;
};

static void receiver_drop(struct receiver *r)
{
	draft_drop(&r->file);
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
	unsigned char head[HEAD];

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
	if (r->have_root)
		snprintf(r->name, sizeof r->name, "%.*s", (int)(r->n - 4), name);
	else
		snprintf(r->name, sizeof r->name, "%s", r->root);
	r->have_root = true;
	return 0;
}

/* Names in messages may be the guest's: they are escaped at once. */
static int fail_entry(struct receiver *r, const char *what, struct err *err)
{
	own_str struct str shown = STR_INIT;
	int number = errno;

	str_add_escaped(&shown, r->name, strlen(r->name), 80);
	errno = number;
	return fail_errno(err, "%s %s", what, str_c(&shown));
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
		return fail_entry(r, "make directory", err);
	int sub = openat(at, r->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return fail_entry(r, "open directory", err);
	r->dirs[++r->depth] = sub;
	return 0;
}

static int take_file(struct receiver *r, struct err *err)
{
	mode_t mode;

	if (take_entry(r, &mode, err) != 0)
		return -1;
	if (str_is(r->name, "."))
		return fail(err, ERR_INPUT, "the contents of a directory are wanted, and a file came");
	return draft_open(&r->file, r->dirs[r->depth], mode) == 0 ? 0 : fail_entry(r, "create", err);
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
		return fail_in(err, "receiving");
	return 0;
}

static int take_end(struct receiver *r, struct err *err)
{
	if (r->file.fd < 0)
		return fail(err, ERR_INPUT, "the end of no file");
	if (draft_place(&r->file, r->name) != 0)
		return fail_entry(r, "write", err);
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

/* What each frame does; the receiver's state decides whether it may come now. */
static const struct {
	enum files_frame kind;
	int (*take)(struct receiver *r, struct err *err);
} frames[] = {
	{ FILES_ENTER, take_enter }, { FILES_LEAVE, take_leave }, { FILES_FILE, take_file },
	{ FILES_BYTES, take_bytes }, { FILES_END, take_end },     { FILES_REMARK, take_remark },
};

static int take_frame(struct receiver *r, enum files_frame kind, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		if (frames[i].kind == kind)
			return frames[i].take(r, err);
	return fail(err, ERR_INPUT, "a frame of unknown kind %d", (int)kind);
}

int files_receive(int in, int dir, const char *name, uint64_t limit, files_told told, void *arg,
                  struct files_count *count, struct err *err)
{
	own_receiver struct receiver r = { .in = in,
		                           .limit = limit,
		                           .told = told,
		                           .arg = arg,
		                           .count = count,
		                           .root = name,
		                           .file = DRAFT_INIT,
		                           .dirs = { dir } };
	enum files_frame kind = FILES_DONE;

	*count = (struct files_count){ 0 };
	if (!is_top_name(name))
		return fail(err, ERR_INPUT, "\"%.60s\" is not the name of a file or directory", name);
	for (;;) {
		if (read_frame(&r, &kind, err) != 0)
			return -1;
		if (kind == FILES_DONE)
			break;
		if (take_frame(&r, kind, err) != 0)
			return -1;
	}
	if (r.depth != 0 || r.file.fd >= 0 || !r.have_root)
		return fail(err, ERR_INPUT, "the stream ended inside %s",
		            r.have_root ? "a directory" : "nothing");
	return 0;
}

/* --- paths as people write them -------------------------------------------------------- */

/* Splits "a/b/c/" into an open "a/b" and "c". */
static int open_above(const char *path, char name[NAME_BYTES + 1], struct err *err)
{
	own_mem char *copy = xstrdup(path);
	size_t n = strlen(copy);

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	char *slash = strrchr(copy, '/');
	const char *last = slash ? slash + 1 : copy;
	if (!is_top_name(last))
		return fail(err, ERR_INPUT, "\"%.200s\" does not end in the name of a file or directory",
		            path);
	snprintf(name, NAME_BYTES + 1, "%s", last);
	if (!slash)
		return dir_open(AT_FDCWD, ".", err);
	*slash = '\0';
	return dir_open(AT_FDCWD, slash == copy ? "/" : copy, err);
}

int files_receive_at(int in, const char *path, const char *name, uint64_t limit, files_told told, void *arg,
                     struct files_count *count, struct err *err)
{
	char last[NAME_BYTES + 1];
	own_fd int into = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (into >= 0)
		return files_receive(in, into, name, limit, told, arg, count, err);
	own_fd int above = open_above(path, last, err);
	if (above < 0)
		return -1;
	return files_receive(in, above, last, limit, told, arg, count, err);
}

int files_send_at(int out, const char *path, files_told told, files_wait wait, void *arg,
                  struct files_count *count, struct err *err)
{
	char last[NAME_BYTES + 1];
	own_fd int above = open_above(path, last, err);

	if (above < 0)
		return -1;
	return files_send(out, above, last, told, wait, arg, count, err);
}
