/* The VMM in /proc, from the host's side: a table of what its status must say, whose namespaces
 * it must be in, and which mounts it sees. Nothing inside can forge this. */
#include "backend/smolmachines.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/banned.h"

enum { STATUS_MAX = 64 * 1024, MOUNTS_MAX = 8 << 20 };

/* Namespaces that must be the cage's, and so not ours. */
static const char *const namespaces[] = { "user", "mnt", "pid", "net", "ipc", "uts", "cgroup" };

/* Lines of status with one right value. */
static const struct {
	const char *key, *value, *why;
} statuses[] = {
	{ "NoNewPrivs", "1", "a set-id program would give it rights" },
	{ "Seccomp", "2", "without the filter every call is open" },
	{ "CapInh", "0000000000000000", "a capability that was not given up" },
	{ "CapPrm", "0000000000000000", "a capability that was not given up" },
	{ "CapEff", "0000000000000000", "a capability that was not given up" },
	{ "CapBnd", "0000000000000000", "a capability that was not given up" },
	{ "CapAmb", "0000000000000000", "a capability that was not given up" },
};

static int read_of(pid_t pid, const char *name, size_t limit, struct str *out, struct err *err)
{
	own_mem char *path = xasprintf("/proc/%ld/%s", (long)pid, name);
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fail_errno(err, "%s", path) : file_read_fd(fd, path, limit, out, err);
}

static int read_status(pid_t pid, struct str *out, struct err *err)
{
	return read_of(pid, "status", STATUS_MAX, out, err);
}

/* The value behind "Key:", without blanks around it. False: no such line. */
static bool status_value(const struct str *status, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);

	for (const char *line = str_c(status); line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) != 0 || line[n] != ':')
			continue;
		const char *value = line + n + 1 + strspn(line + n + 1, " \t");
		snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
		return true;
	}
	return false;
}

static bool same_namespace(pid_t a, pid_t b, const char *name)
{
	char left[64], right[64], path[64];

	snprintf(path, sizeof path, "/proc/%ld/ns/%s", (long)a, name);
	ssize_t n = readlink(path, left, sizeof left);
	snprintf(path, sizeof path, "/proc/%ld/ns/%s", (long)b, name);
	ssize_t m = readlink(path, right, sizeof right);
	return n > 0 && n == m && memcmp(left, right, (size_t)n) == 0;
}

/* NSpid says the number at each level; the last is the one that smolvm wrote down. */
static bool is_called(pid_t pid, pid_t inside)
{
	own_str struct str status = STR_INIT;
	struct err ignored = ERR_INIT;
	char value[256];

	if (read_status(pid, &status, &ignored) != 0 || !status_value(&status, "NSpid", value, sizeof value))
		return false;
	const char *last = strrchr(value, '\t');
	unsigned long number;
	return last && str_number(last + 1, 1, INT_MAX, &number) && (pid_t)number == inside;
}

static pid_t find_process(pid_t init, pid_t inside)
{
	DIR *all = opendir("/proc");
	pid_t found = 0;

	for (struct dirent *d; all && !found && (d = readdir(all));) {
		unsigned long pid;
		if (str_number(d->d_name, 1, INT_MAX, &pid) && is_called((pid_t)pid, inside) &&
		    same_namespace((pid_t)pid, init, "pid"))
			found = (pid_t)pid;
	}
	if (all)
		closedir(all);
	return found;
}

static int check_ids(const struct cage_ids *ids, const struct str *status, struct err *err)
{
	const struct {
		const char *key;
		unsigned id;
	} rows[] = { { "Uid", ids->uid }, { "Gid", ids->gid } };
	char value[128] = "";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned id = rows[i].id;
		own_mem char *wanted = xasprintf("%u\t%u\t%u\t%u", id, id, id, id);
		if (!status_value(status, rows[i].key, value, sizeof value) || !str_is(value, wanted))
			return fail(err, ERR_UNCONFINED,
			            "the VMM runs under another id than its cage's (%s %s)", rows[i].key,
			            value);
	}
	return 0;
}

static bool same_root(pid_t a, pid_t b)
{
	struct stat left, right;
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/root", (long)a);
	if (stat(path, &left) != 0)
		return false;
	snprintf(path, sizeof path, "/proc/%ld/root", (long)b);
	return stat(path, &right) == 0 && left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

static int check_mounts(const struct machine *m, pid_t vmm, struct err *err)
{
	own_str struct str text = STR_INIT;

	if (!same_root(vmm, m->init))
		return fail(err, ERR_UNCONFINED, "the VMM's root is not its cage's");
	if (read_of(vmm, "mountinfo", MOUNTS_MAX, &text, err) != 0 ||
	    cage_mounts_check(str_c(&text), m->tree.rows, m->tree.n, err) != 0)
		return fail_in(err, "the VMM");
	return 0;
}

static int check_namespaces(pid_t vmm, pid_t init, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
		if (!same_namespace(vmm, init, namespaces[i]) || same_namespace(vmm, getpid(), namespaces[i]))
			return fail(err, ERR_UNCONFINED, "the VMM is outside of its cage's %s namespace",
			            namespaces[i]);
	return 0;
}

int machine_status_check(const struct str *status, const struct cage_ids *ids, struct err *err)
{
	char value[128] = "";

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (!status_value(status, statuses[i].key, value, sizeof value) ||
		    !str_is(value, statuses[i].value))
			return fail(err, ERR_UNCONFINED, "the VMM's %s is %s, expected %s (%s)",
			            statuses[i].key, value, statuses[i].value, statuses[i].why);
	return check_ids(ids, status, err);
}

int machine_process_check(const struct machine *m, const struct machine_vmm *seen, int *pidfd,
                          struct err *err)
{
	own_str struct str status = STR_INIT;
	pid_t vmm = find_process(m->init, seen->pid);
	struct proc found;

	if (vmm == 0)
		return fail(err, ERR_UNCONFINED, "the VMM, process %ld of the cage, is not there",
		            (long)seen->pid);
	if (proc_find(vmm, seen->start_time, &found) != 0)
		return fail(err, ERR_UNCONFINED,
		            "process %ld of the cage is not the VMM that smolvm wrote down", (long)seen->pid);
	own_fd int held = found.pidfd;
	if (check_namespaces(vmm, m->init, err) != 0 || read_status(vmm, &status, err) != 0 ||
	    machine_status_check(&status, &m->ids, err) != 0 || check_mounts(m, vmm, err) != 0)
		return -1;
	*pidfd = fd_steal(&held);
	return 0;
}
