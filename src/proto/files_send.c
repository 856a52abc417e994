#include "proto/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "proto/files_path.h"
#include "base/banned.h"

static void put_u32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

struct sender {
	int out;
	files_told told;
	files_wait wait;
	void *arg;
	struct files_count *count;
	uint64_t entries;
	struct str path; /* of what is being sent */
};

static void sender_drop(struct sender *s)
{
	str_clear(&s->path);
}
#define own_sender __attribute__((cleanup(sender_drop)))

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
	unsigned char head[FILES_HEAD] = { (unsigned char)kind };

	put_u32(head + 1, (uint32_t)n);
	return send_all(s, head, sizeof head, err) == 0 ? send_all(s, bytes, n, err) : -1;
}

static int send_entry(struct sender *s, enum files_frame kind, mode_t mode, const char *name, struct err *err)
{
	unsigned char bytes[4 + FILES_NAME];
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

static int send_remark(struct sender *s, enum files_frame kind, const char *what, struct err *err)
{
	own_str struct str text = STR_INIT;

	files_path_show(&text, &s->path);
	str_addf(&text, ": %s", what);
	s->count->remarks++;
	s->count->missed += kind == FILES_MISSED;
	if (s->told)
		s->told(s->arg, str_c(&text));
	return send_frame(s, kind, text.data, text.len, err);
}

/* What can't be read is passed over, unless it is what was asked for. */
static int send_missed(struct sender *s, int depth, struct err *err)
{
	return depth == 0 ? files_path_fail(&s->path, "open ", err) :
	                    send_remark(s, FILES_MISSED, strerror(errno), err);
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
			return files_path_fail(&s->path, "read ", err);
		if (n == 0)
			break;
		if (send_frame(s, FILES_BYTES, bytes, (size_t)n, err) != 0)
			return -1;
		s->count->bytes += (uint64_t)n;
	}
	s->count->files++;
	return send_frame(s, FILES_END, NULL, 0, err);
}

static int fail_kind(const struct sender *s, struct err *err)
{
	own_str struct str shown = STR_INIT;

	files_path_show(&shown, &s->path);
	return fail(err, ERR_INPUT, "%s is neither a regular file nor a directory", str_c(&shown));
}

static const char not_regular[] = "not a regular file";

static int send_at(struct sender *s, int dir, const char *name, int depth, struct err *err);

static void stream_drop(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

static int send_directory(struct sender *s, int fd, mode_t mode, const char *name, int depth, struct err *err)
{
	if (depth >= FILES_DEPTH)
		return send_remark(s, FILES_MISSED, "directories nested too deep", err);
	own_fd int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__attribute__((cleanup(stream_drop))) DIR *d = again >= 0 ? fdopendir(again) : NULL;
	if (!d)
		return send_missed(s, depth, err);
	again = -1;
	/* The receiver calls the first one as it likes. */
	if (send_entry(s, FILES_ENTER, mode, str_is(name, ".") ? "directory" : name, err) != 0)
		return -1;
	const size_t outer = s->path.len;
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;) {
		if (str_is(e->d_name, ".") || str_is(e->d_name, ".."))
			continue;
		str_addf(&s->path, "/%s", e->d_name);
		if (send_at(s, fd, e->d_name, depth + 1, err) != 0)
			return -1;
		files_path_cut(&s->path, outer);
	}
	if (errno != 0)
		return files_path_fail(&s->path, "read directory ", err);
	s->count->directories++;
	return send_frame(s, FILES_LEAVE, NULL, 0, err);
}

static int send_at(struct sender *s, int dir, const char *name, int depth, struct err *err)
{
	struct stat st;
	/* Looked at before it is opened: opening a FIFO or a device already does something. What
	 * was swapped in between is caught below, or hangs nobody because of O_NONBLOCK. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return send_missed(s, depth, err);
	bool plain = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
	if (!plain && depth == 0)
		return fail_kind(s, err);
	if (!plain)
		return send_remark(s, FILES_REMARK, S_ISLNK(st.st_mode) ? "a symlink" : not_regular, err);
	own_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return send_missed(s, depth, err);
	if (S_ISDIR(st.st_mode))
		return send_directory(s, fd, st.st_mode, name, depth, err);
	if (S_ISREG(st.st_mode))
		return send_file(s, fd, st.st_mode, name, err);
	return send_remark(s, FILES_REMARK, not_regular, err);
}

static int send_tree(struct sender *s, int dir, const char *name, struct err *err)
{
	*s->count = (struct files_count){ 0 };
	if (!files_is_top_name(name))
		return fail(err, ERR_INPUT, "\"%.60s\" is not the name of a file or directory", name);
	if (send_at(s, dir, name, 0, err) != 0)
		return -1;
	return send_frame(s, FILES_DONE, NULL, 0, err);
}

int files_send(int out, int dir, const char *name, files_told told, files_wait wait, void *arg,
               struct files_count *count, struct err *err)
{
	own_sender struct sender s = { .out = out, .told = told, .wait = wait, .arg = arg, .count = count };

	str_add(&s.path, name);
	return send_tree(&s, dir, name, err);
}

int files_send_at(int out, const char *path, files_told told, files_wait wait, void *arg,
                  struct files_count *count, struct err *err)
{
	char last[FILES_NAME + 1];
	own_sender struct sender s = { .out = out, .told = told, .wait = wait, .arg = arg, .count = count };
	own_fd int above = files_open_above(path, last, err);

	files_path_begin(&s.path, path);
	return above < 0 ? -1 : send_tree(&s, above, last, err);
}
