/* In a machine, as its root, once, before anything of the agent's: the share becomes the
 * agent's home and work, the machine trusts the bottle's CA and knows its names, and what the
 * runner needs later is put where only root reads it, in memory. Nothing here is a wall: the
 * machine's root is as hostile as its agent. What comes from the share is our keeper's. */
#include "guest/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "proto/init.h"
#include "base/banned.h"

enum { BYTES_MAX = 4 << 20, AGENT = 1000, DEPTH_MAX = 64 };

#define SHARE "/bottle"

static int make_directories(const char *path, mode_t mode, struct err *err)
{
	own_fd int dir = dir_make(AT_FDCWD, path, mode, err);

	return dir < 0 ? -1 : 0;
}

/* Over what stands there, link or file: the name must hold these bytes afterwards. A name that
 * the engine mounted something on can't be replaced; there the bytes are written into it. */
static int place(const char *path, const struct str *bytes, mode_t mode, struct err *err)
{
	unlink(path);
	own_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0 || fchmod(fd, mode) != 0)
		return fail_errno(err, "%s", path);
	return file_write_all(fd, bytes->data ? bytes->data : "", bytes->len, err);
}

static int place_text(const char *path, const char *text, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	str_add(&bytes, text);
	return place(path, &bytes, 0644, err);
}

static int place_copy(const char *from, const char *path, struct err *err)
{
	own_str struct str bytes = STR_INIT;

	return file_read(AT_FDCWD, from, BYTES_MAX, &bytes, err) == 0 ? place(path, &bytes, 0644, err) : -1;
}

static int bind_share(struct err *err)
{
	static const struct {
		const char *from, *to;
	} rows[] = { { SHARE "/home", "/home/agent" }, { SHARE "/workspace", "/workspace" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unlink(rows[i].to); /* smolvm's own guest has a link there; a directory stays */
		if (make_directories(rows[i].to, 0755, err) != 0)
			return -1;
		if (mount(rows[i].from, rows[i].to, NULL, MS_BIND, NULL) != 0)
			return fail_errno(err, "mounting %s", rows[i].to);
	}
	return 0;
}

static int place_names(struct err *err)
{
	own_str struct str name = STR_INIT;

	if (make_directories("/etc", 0755, err) != 0 || place_copy(SHARE "/hosts", "/etc/hosts", err) != 0 ||
	    place_text("/etc/resolv.conf", "# Names are resolved by the gateway alone.\n", err) != 0)
		return -1;
	if (file_read(AT_FDCWD, SHARE "/hostname", 256, &name, err) != 0)
		return -1;
	if (sethostname(str_c(&name), name.len) != 0)
		return fail_errno(err, "the host name");
	return place("/etc/hostname", &name, 0644, err);
}

/* Every place where a distribution's programs look for whom to trust. */
static int place_certificates(struct err *err)
{
	static const char *const stores[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem",
		                              "/etc/ssl/certs/ca-bundle.crt",
		                              "/etc/pki/tls/certs/ca-bundle.crt" };
	static const char *const places[] = { "/etc/bot-bottle", "/etc/ssl/certs", "/etc/pki/tls/certs" };
	own_str struct str bundle = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (make_directories(places[i], 0755, err) != 0)
			return -1;
	if (place_copy(SHARE "/etc/ca.pem", "/etc/bot-bottle/ca.pem", err) != 0 ||
	    file_read(AT_FDCWD, SHARE "/etc/ca-certificates.crt", BYTES_MAX, &bundle, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(stores); i++)
		if (place(stores[i], &bundle, 0644, err) != 0)
			return -1;
	return 0;
}

/* A line of its own, also where the last one of the image's is not ended. */
static int append_line(const char *path, const char *line, struct err *err)
{
	own_fd int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (size < 0 || (size > 0 && pread(fd, &last, 1, size - 1) != 1))
		return fail_errno(err, "%s", path);
	if (last != '\n' && file_write_all(fd, "\n", 1, err) != 0)
		return -1;
	return file_write_all(fd, line, strlen(line), err);
}

/* Whether a line of the file begins with "name:". */
static bool has_entry(const char *path, const char *name)
{
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	size_t n = strlen(name);

	if (file_read(AT_FDCWD, path, BYTES_MAX, &text, &ignored) != 0)
		return false;
	for (const char *line = str_c(&text); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, n) == 0 && line[n] == ':')
			return true;
	}
	return false;
}

static int add_agent(struct err *err)
{
	if (!has_entry("/etc/group", "agent") && append_line("/etc/group", "agent:x:1000:\n", err) != 0)
		return -1;
	if (has_entry("/etc/passwd", "agent"))
		return 0;
	return append_line("/etc/passwd", "agent:x:1000:1000:agent:/home/agent:/bin/sh\n", err);
}

static void give(int parent, const char *name, uid_t uid, gid_t gid, int depth)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	/* Not every file system lets itself be changed; then it stays as it is. */
	if (fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode) ||
	    depth == DEPTH_MAX)
		return;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *d; dir && (d = readdir(dir));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			give(fd, d->d_name, uid, gid, depth + 1);
	if (dir)
		closedir(dir);
}

/* An image that came through somebody's unpacking has lost its owners: homes are given back
 * by name, and the scratch directories are everybody's. */
static void repair(void)
{
	static const char *const scratch[] = { "/tmp", "/var/tmp", "/dev/shm" };
	own_file FILE *users = fopen("/etc/passwd", "re");

	for (struct passwd *p; users && (p = fgetpwent(users));)
		if (strncmp(p->pw_dir, "/home/", 6) == 0 && strcmp(p->pw_dir, "/home/agent") != 0)
			give(AT_FDCWD, p->pw_dir, p->pw_uid, p->pw_gid, 0);
	for (size_t i = 0; i < ARRAY_LEN(scratch); i++) {
		struct err ignored = ERR_INIT;
		make_directories(scratch[i], 0755, &ignored);
		if (chown(scratch[i], 0, 0) != 0 || chmod(scratch[i], 01777) != 0)
			continue;
	}
	/* A terminal of its own is an ordinary program's right. */
	chmod("/dev/pts/ptmx", 0666);
}

/* From descriptor 0: the secret part of the environment, for enter.c. */
static int keep_secrets(struct err *err)
{
	own_str struct str bytes = STR_INIT;

	str_reserve(&bytes, INIT_SECRETS_MAX);
	if (file_read_fd(0, "the secrets", INIT_SECRETS_MAX, &bytes, err) != 0)
		return -1;
	if (make_directories(GUEST_PRIVATE, 0700, err) != 0)
		return -1;
	if (mount("private", GUEST_PRIVATE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=2m") !=
	    0)
		return fail_errno(err, "mounting " GUEST_PRIVATE);
	int rc = make_directories(GUEST_PROGRAMS, 0700, err);
	if (rc == 0)
		rc = place(GUEST_SECRETS, &bytes, 0600, err);
	explicit_bzero(bytes.data, bytes.len);
	return rc;
}

int guest_setup(int argc, char **argv)
{
	struct err err = ERR_INIT;

	(void)argv;
	umask(022);
	if (argc != 1)
		return guest_fail(GUEST_FAILED, "setup");
	if (bind_share(&err) != 0 || place_names(&err) != 0 || place_certificates(&err) != 0 ||
	    add_agent(&err) != 0)
		return guest_fail(GUEST_FAILED, "%s", err.text);
	repair();
	if (keep_secrets(&err) != 0)
		return guest_fail(GUEST_FAILED, "%s", err.text);
	return 0;
}
