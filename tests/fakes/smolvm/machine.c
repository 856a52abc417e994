#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/sha.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "double.h"

/* Every field, in the order in which smolvm writes them: what the flags say stands between. */
static const char row_form[] =
	"{\"name\":\"%s\",\"created_at\":1795376479,\"state\":\"created\",\"pid\":null,\"pid_start_time\":null,"
	"\"cpus\":%s,\"mem\":%s,\"mounts\":[%s],\"ports\":[],\"published_sockets\":[],\"network\":%s,\"gpu\":null,"
	"\"gpu_vram_mib\":null,\"rosetta\":null,\"restart\":{\"policy\":\"never\",\"max_retries\":0,"
	"\"max_backoff_secs\":0,\"restart_count\":0,\"user_stopped\":false},\"last_exit_code\":null,\"init\":[],"
	"\"init_completed\":false,\"env\":[],\"workdir\":null,\"storage_gb\":%s,\"overlay_gb\":%s,"
	"\"allowed_cidrs\":%s%s%s,\"network_backend\":\"%s\",\"image\":null,\"entrypoint\":[],\"cmd\":[%s],"
	"\"health_cmd\":null,\"health_interval_secs\":null,\"health_timeout_secs\":null,\"health_retries\":null,"
	"\"health_startup_grace_secs\":null,\"ssh_agent\":false,\"cuda\":false,\"docker_socket\":false,"
	"\"ephemeral\":false,\"runtime_managed\":false%s}";

/* Puts the row back as it was made, again and again, once somebody has changed it. */
static void revert_forever(const char *name, const char *row)
{
	for (int i = 0; i < 3000; i++) {
		char *now = read_row(name);
		if (now && strstr(now, "\"dns_filter_hosts\":[]") && strstr(now, "\"state\":\"created\""))
			write_row(name, row);
		free(now);
		usleep(5000);
	}
	exit(0);
}

static char *row_of(const struct options *o)
{
	char host[256] = "", command[1024] = "", *row;
	const char *guest = o->volume ? strchr(o->volume, ':') : NULL;
	bool list = o->cidr && !is("drop-allowlist");
	const char *add = told("add");
	char *added = NULL;

	if (add && asprintf(&added, ",\"%.*s\":%s", (int)strcspn(add, " "), add, add + strcspn(add, " ")) < 0)
		abort();
	if (guest)
		snprintf(host, sizeof host, "[\"%.*s\",\"%s\",false]", (int)(guest - o->volume), o->volume,
		         guest + 1);
	for (char **w = o->rest; w && *w; w++)
		snprintf(command + strlen(command), sizeof command - strlen(command), "%s\"%s\"",
		         *command ? "," : "", *w);
	if (asprintf(&row, row_form, o->name, o->cpus, o->mem, host, o->net ? "true" : "false", o->storage,
	             o->overlay, list ? "[\"" : "null", list ? o->cidr : "", list ? "\"]" : "", o->backend,
	             command, added ? added : "") < 0)
		abort();
	row = with_image(row, o);
	const char *field = told("field");
	if (field) {
		size_t n = strcspn(field, " ");
		row = with_field(row, strndup(field, n), field + n + (field[n] == ' '));
	}
	return row;
}

void create(const struct options *o)
{
	misbehave_at("create");
	open_database();
	if (read_row(o->name))
		die("machine '%s' already exists", o->name);
	char *row = row_of(o);
	if (!is("no-row"))
		write_row(o->name, row);
	misbehave_after("create");
	if (is("rewrite") && fork() == 0) {
		setsid();
		close_database();
		open_database();
		revert_forever(o->name, row);
	}
	printf("Created machine: %s (test double)\n", o->name);
}

static void machine_dir(const char *name, char *out, size_t size)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	size_t n;

	SHA256((const unsigned char *)name, strlen(name), hash);
	n = (size_t)snprintf(out, size, "%s/.cache/smolvm/vms/", getenv("SMOLVM_DATA_DIR"));
	for (int i = 0; i < 8; i++)
		n += (size_t)snprintf(out + n, size - n, "%02x", hash[i]);
}

/* Started by somebody else than whom smolvm wrote down, deaf, in a session of its own. */
static void leave_a_stray(void)
{
	if (fork() != 0)
		return;
	setsid();
	if (fork() != 0)
		_exit(0);
	for (int signo = 1; signo < NSIG; signo++)
		signal(signo, SIG_IGN);
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	prctl(PR_SET_NAME, "stray (double)");
	hang();
}

static pid_t fork_vmm(void)
{
	if (!is("own-namespace"))
		return fork();
	long pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, 0);
	if (pid < 0)
		die("a namespace of its own: %s", strerrorname_np(errno));
	return (pid_t)pid;
}

/* The "VMM": as smolvm starts its own. */
static pid_t boot(void)
{
	pid_t pid = fork_vmm();

	if (pid != 0)
		return pid;
	setpgid(0, 0);
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	open("/dev/null", O_RDWR);
	dup(0);
	dup(0);
	/* KVM is opened where there is one: the cage must let it. */
	open("/dev/kvm", O_RDWR | O_CLOEXEC);
	prctl(PR_SET_NAME, "libkrun VM (double)");
	prctl(PR_SET_DUMPABLE, 0);
	if (is("vmm-dies"))
		_exit(1);
	hang();
}

static unsigned long long start_time(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long when = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	FILE *f = fopen(path, "r");
	if (f && fgets(text, sizeof text, f)) {
		char *at = strrchr(text, ')');
		for (int field = 2; at && field < 22; field++)
			at = strchr(at + 1, ' ');
		when = at ? strtoull(at, NULL, 10) : 0;
	}
	if (f)
		fclose(f);
	return when;
}

static void write_launched(const char *dir, const char *row)
{
	char path[PATH_MAX + 32], host[256], guest[256], cpus[32], mem[32], storage[32], overlay[32],
		list[256], *text;

	snprintf(path, sizeof path, "%s/agent.config.json", dir);
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(path, 0755);
			*p = '/';
		}
	between(row, "\"mounts\":[[\"", '"', host, sizeof host);
	between(row, "\"mounts\":[[\"", ']', guest, sizeof guest);
	char *target = strchr(guest, ',');
	char *quoted = target ? strndup(target + 2, strcspn(target + 2, "\"")) : strdup("");
	between(row, "\"allowed_cidrs\":", ']', list, sizeof list);
	if (asprintf(
		    &text,
		    "{\"version\":1,\"mounts\":[{\"source\":\"%s\",\"target\":\"%s\",\"read_only\":false}],"
		    "\"ports\":[],\"resources\":{\"cpus\":%s,\"memory_mib\":%s,\"network\":true,"
		    "\"network_backend\":\"virtio-net\",\"gpu\":false,\"gpu_vram_mib\":null,\"cuda\":false,"
		    "\"rosetta\":false,\"storage_gib\":%s,\"overlay_gib\":%s,\"allowed_cidrs\":%s],\"dns\":null}}",
		    host, quoted, between(row, "\"cpus\":", ',', cpus, sizeof cpus),
		    between(row, "\"mem\":", ',', mem, sizeof mem),
		    between(row, "\"storage_gb\":", ',', storage, sizeof storage),
		    between(row, "\"overlay_gb\":", ',', overlay, sizeof overlay), list) < 0)
		abort();
	const char *field = told("launched");
	if (field) {
		size_t n = strcspn(field, " ");
		text = with_field(text, strndup(field, n), field + n + (field[n] == ' '));
	}
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0)
		die("%s: %s", path, strerror(errno));
	fclose(f);
}

static char *started(const char *row, pid_t vmm)
{
	char text[64];

	row = with_field(row, "state", "\"running\"");
	snprintf(text, sizeof text, "%d", is("lie-pid") ? (int)getpid() : (int)vmm);
	row = with_field(row, "pid", text);
	snprintf(text, sizeof text, "%llu", is("lie-start") ? 1 : start_time(vmm));
	row = with_field(row, "pid_start_time", text);
	if (is("drop-at-start"))
		row = with_field(row, "allowed_cidrs", "null");
	if (is("open-dns-at-start"))
		row = with_field(row, "dns_filter_hosts", "");
	return with_field(row, "init_completed", "true");
}

/* A directory of the machine's home stands elsewhere, and a link in its place. */
static void move_and_link(const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof from, "%s/%s", getenv("SMOLVM_DATA_DIR"), name);
	snprintf(to, sizeof to, "%s/moved", getenv("SMOLVM_DATA_DIR"));
	if (rename(from, to) != 0 || symlink("moved", from) != 0)
		die("%s: %s", from, strerror(errno));
}

static int open_beside_database(const char *ending)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/.local/share/smolvm/server/smolvm.db%s", getenv("SMOLVM_DATA_DIR"),
	         ending);
	return open(path, O_RDWR);
}

/* Of the index of SQLite's log, the bytes that stand for its locks, and the one by which its
 * users know of each other. */
enum { LOCKS = 120, LOCKS_COUNT = 8, USERS = 128 };

/* Whoever reads waits for a lock with the index mapped; then there is no file behind the map. */
static void cut_when_read(int fd)
{
	struct flock user;

	do {
		usleep(1000);
		user = (struct flock){ .l_type = F_WRLCK, .l_start = USERS, .l_len = 1 };
	} while (fcntl(fd, F_GETLK, &user) != 0 || user.l_type == F_UNLCK);
	usleep(50000);
	if (ftruncate(fd, 0) != 0)
		_exit(1);
}

/* No reader gets past the lock of another process, which is held for ever. */
static void spoil_database(const char *name, bool cut)
{
	struct flock all = { .l_type = F_WRLCK };
	struct flock index = { .l_type = F_WRLCK, .l_start = LOCKS, .l_len = LOCKS_COUNT };
	int ready[2], fd;
	char byte;

	close_database();
	if (pipe(ready) != 0 || fork() != 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			die("the database could not be spoilt");
		return;
	}
	setsid();
	/* While it is open the log and its index stay. */
	open_database();
	free(read_row(name));
	fd = open_beside_database(cut ? "-shm" : "");
	if (fcntl(fd, F_SETLK, cut ? &index : &all) != 0 || write(ready[1], "r", 1) != 1)
		_exit(1);
	for (int out = 0; out < 3; out++)
		close(out);
	if (cut)
		cut_when_read(fd);
	hang();
}

static void spoil(const char *name)
{
	if (is("link-home"))
		move_and_link(".local");
	if (is("link-launched"))
		move_and_link(".cache");
	if (is("hold-database") || is("cut-database"))
		spoil_database(name, is("cut-database"));
}

void start(const struct options *o)
{
	char dir[PATH_MAX], *row;

	misbehave_at("start");
	open_database();
	row = read_row(o->name);
	/* The other writer is given the time to come between. */
	for (int i = 0; is("rewrite") && row && strstr(row, "dns_filter_hosts") && i < 2000; i++) {
		usleep(5000);
		row = read_row(o->name);
	}
	if (!row)
		die("machine '%s' not found", o->name);
	flatten(row);
	machine_dir(o->name, dir, sizeof dir);
	if (!is("launch-nothing"))
		write_launched(dir, row);
	if (is("stray"))
		leave_a_stray();
	pid_t vmm = boot();
	/* The one who starts it ends; it lives on. */
	misbehave_after("start");
	write_row(o->name, started(row, vmm));
	spoil(o->name);
	printf("Machine '%s' running (PID: %d, test double)\n", o->name, (int)vmm);
}

pid_t running(const char *name)
{
	char pid[32];
	char *row = read_row(name);

	if (!row)
		die("machine '%s' not found", name);
	between(row, "\"pid\":", ',', pid, sizeof pid);
	pid_t vmm = (pid_t)strtol(pid, NULL, 10);
	return vmm > 0 && kill(vmm, 0) == 0 ? vmm : 0;
}

void stop(const struct options *o)
{
	misbehave_at("stop");
	open_database();
	pid_t vmm = running(o->name);
	if (vmm > 0) {
		kill(vmm, SIGKILL);
		write_row(o->name, with_field(read_row(o->name), "state", "\"stopped\""));
	}
	misbehave_after("stop");
	printf("Stopped machine: %s (test double)\n", o->name);
}

void delete_machine(const struct options *o)
{
	misbehave_at("delete");
	open_database();
	if (!read_row(o->name))
		die("machine '%s' not found", o->name);
	if (is("delete-lies"))
		exit(0);
	remove_row(o->name);
	misbehave_after("delete");
	printf("Deleted machine: %s (test double)\n", o->name);
}
