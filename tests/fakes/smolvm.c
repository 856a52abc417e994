/* A double of smolvm 1.8.1, and no more than that: what it shows is conformance to our reading
 * of the contract. Commands, exit codes, the database's schema, every key of a row, the file
 * beside the disks and the life of the processes are as the real one's; the "machine" is a
 * process in the cage, and a program "in" it is one more. The relay to 100.96.0.1 is played by
 * writing 127.0.0.1 in its place.
 *
 * A file "behave" beside it, with one word, makes it misbehave: see the table at the end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *home; /* of the installation */
static char behave[64];
static sqlite3 *db;

static bool is(const char *word)
{
	return strcmp(behave, word) == 0;
}

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "Error: (test double) ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	exit(1);
}

static void hang(void)
{
	for (;;)
		pause();
}

/* The misbehaviours that any step has, by name: die-STEP, hang-STEP, silent-STEP, nonsense-STEP. */
static void misbehave_at(const char *step)
{
	char word[64];

	snprintf(word, sizeof word, "die-%s", step);
	if (is(word))
		die("as told");
	snprintf(word, sizeof word, "kill-%s", step);
	if (is(word))
		raise(SIGKILL);
	snprintf(word, sizeof word, "hang-%s", step);
	if (is(word))
		hang();
	snprintf(word, sizeof word, "silent-%s", step);
	if (is(word))
		exit(0);
	snprintf(word, sizeof word, "nonsense-%s", step);
	if (is(word)) {
		for (int i = 0; i < 200000; i++)
			printf("\033]0;%c\n", i % 256);
		exit(0);
	}
}

static void make_directories(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(path, 0755);
			*p = '/';
		}
}

static void sql(const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		die("database: %s", why);
}

static void open_database(void)
{
	char path[PATH_MAX];
	const char *data = getenv("SMOLVM_DATA_DIR");

	if (!data)
		die("SMOLVM_DATA_DIR is not set");
	snprintf(path, sizeof path, "%s/.local/share/smolvm/server/smolvm.db", data);
	make_directories(path);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die("database %s: %s", path, sqlite3_errmsg(db));
	sqlite3_busy_timeout(db, 15000);
	sql("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
	    "CREATE TABLE IF NOT EXISTS vms (name TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL);"
	    "CREATE TABLE IF NOT EXISTS config (key TEXT PRIMARY KEY, value TEXT);"
	    "CREATE TABLE IF NOT EXISTS vm_create_reservations (name TEXT PRIMARY KEY NOT NULL, owner_token TEXT NOT NULL,"
	    " owner_pid INTEGER NOT NULL, created_at INTEGER NOT NULL);"
	    "INSERT OR IGNORE INTO config VALUES('version','1');");
}

/* NULL: no such machine. */
static char *read_row(const char *name)
{
	sqlite3_stmt *s;
	char *row = NULL;

	sqlite3_prepare_v2(db, "SELECT data FROM vms WHERE name=?", -1, &s, NULL);
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(s) == SQLITE_ROW) {
		if (sqlite3_column_type(s, 0) != SQLITE_BLOB)
			die("InvalidColumnType");
		row = strndup(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
	}
	sqlite3_finalize(s);
	return row;
}

static void write_row(const char *name, const char *row)
{
	sqlite3_stmt *s;

	sqlite3_prepare_v2(db,
	                   is("text-row") ? "INSERT OR REPLACE INTO vms VALUES(?,CAST(? AS TEXT))" :
	                                    "INSERT OR REPLACE INTO vms VALUES(?,?)",
	                   -1, &s, NULL);
	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, row, (int)strlen(row), SQLITE_STATIC);
	if (sqlite3_step(s) != SQLITE_DONE)
		die("database: %s", sqlite3_errmsg(db));
	sqlite3_finalize(s);
}

/* The row with the first @from replaced; without one as it is. */
static char *replaced(const char *row, const char *from, const char *to)
{
	const char *at = strstr(row, from);
	char *out;

	if (!at)
		return strdup(row);
	if (asprintf(&out, "%.*s%s%s", (int)(at - row), row, to, at + strlen(from)) < 0)
		abort();
	return out;
}

static const char *between(const char *row, const char *key, char stop, char *out, size_t size)
{
	const char *at = strstr(row, key);

	*out = 0;
	if (at)
		snprintf(out, size, "%.*s", (int)strcspn(at + strlen(key), (char[]){ stop, 0 }),
		         at + strlen(key));
	return out;
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

struct options {
	const char *name, *image, *volume, *cpus, *mem, *storage, *overlay, *cidr, *backend;
	bool net;
	char **rest;
};

static struct options parse(char **argv)
{
	struct options o = { .cpus = "4", .mem = "8192", .storage = "20", .overlay = "10" };
	const struct {
		const char *flag;
		const char **value;
	} rows[] = {
		{ "--name", &o.name },       { "-n", &o.name },
		{ "--image", &o.image },     { "-v", &o.volume },
		{ "--cpus", &o.cpus },       { "--mem", &o.mem },
		{ "--storage", &o.storage }, { "--overlay", &o.overlay },
		{ "--allow-cidr", &o.cidr }, { "--net-backend", &o.backend },
	};

	for (; *argv; argv++) {
		size_t i = 0;
		if (strcmp(*argv, "--") == 0) {
			o.rest = argv + 1;
			break;
		}
		while (i < sizeof rows / sizeof *rows && strcmp(rows[i].flag, *argv) != 0)
			i++;
		if (i < sizeof rows / sizeof *rows) {
			if (!argv[1])
				exit(2);
			*rows[i].value = *++argv;
		} else if (strcmp(*argv, "-e") == 0 || strcmp(*argv, "-w") == 0) {
			if (strcmp(*argv++, "-e") == 0)
				putenv(replaced(*argv, "100.96.0.1", "127.0.0.1"));
		} else if (strcmp(*argv, "--net") == 0) {
			o.net = true;
		} else if (strcmp(*argv, "-i") != 0 && strcmp(*argv, "-t") != 0 && strcmp(*argv, "-f") != 0) {
			fprintf(stderr, "error: unexpected argument '%s' found (test double)\n", *argv);
			exit(2);
		}
	}
	if (!o.name)
		exit(2);
	return o;
}

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

static void create(char **argv)
{
	struct options o = parse(argv);
	char host[256] = "", command[1024] = "", *row;
	const char *guest = o.volume ? strchr(o.volume, ':') : NULL;

	misbehave_at("create");
	open_database();
	if (read_row(o.name))
		die("machine '%s' already exists", o.name);
	if (guest)
		snprintf(host, sizeof host, "[\"%.*s\",\"%s\",false]", (int)(guest - o.volume), o.volume,
		         guest + 1);
	for (char **w = o.rest; w && *w; w++)
		snprintf(command + strlen(command), sizeof command - strlen(command), "%s\"%s\"",
		         *command ? "," : "", *w);
	if (asprintf(
		    &row,
		    "{\"name\":\"%s\",\"created_at\":1795376479,\"state\":\"created\",\"pid\":null,\"pid_start_time\":null,"
		    "\"cpus\":%s,\"mem\":%s,\"mounts\":[%s],\"ports\":%s,\"published_sockets\":[],\"network\":%s,\"gpu\":null,"
		    "\"gpu_vram_mib\":null,\"rosetta\":null,\"restart\":{\"policy\":\"never\",\"max_retries\":0,"
		    "\"max_backoff_secs\":0,\"restart_count\":0,\"user_stopped\":false},\"last_exit_code\":null,\"init\":[],"
		    "\"init_completed\":false,\"env\":[],\"workdir\":null,\"storage_gb\":%s,\"overlay_gb\":%s,"
		    "\"allowed_cidrs\":%s%s%s,\"network_backend\":\"%s\",\"image\":%s%s%s,\"entrypoint\":[],\"cmd\":[%s],"
		    "\"health_cmd\":null,\"health_interval_secs\":null,\"health_timeout_secs\":null,\"health_retries\":null,"
		    "\"health_startup_grace_secs\":null,\"ssh_agent\":%s,\"cuda\":false,\"docker_socket\":false,"
		    "\"ephemeral\":false%s,\"runtime_managed\":false}",
		    o.name, o.cpus, o.mem, host, is("widen-ports") ? "[[8080,80]]" : "[]",
		    o.net ? "true" : "false", o.storage, o.overlay,
		    o.cidr && !is("drop-allowlist") ? "[\"" : "null",
		    o.cidr && !is("drop-allowlist") ? o.cidr : "",
		    o.cidr && !is("drop-allowlist") ? "\"]" : "", is("widen-backend") ? "tsi" : o.backend,
		    o.image ? "\"local-dir:" : "null", o.image ? o.image : "", o.image ? "\"" : "", command,
		    is("widen-agent") ? "true" : "false",
		    is("add-key") ? ",\"network_name\":\"others\"" : "") < 0)
		abort();
	if (!is("no-row"))
		write_row(o.name, row);
	if (is("rewrite") && fork() == 0) {
		setsid();
		sqlite3_close(db);
		open_database();
		revert_forever(o.name, row);
	}
	printf("Created machine: %s (test double)\n", o.name);
}

/* The "VMM": as smolvm starts its own. */
static pid_t boot(const char *dir)
{
	pid_t pid = fork();

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
	(void)dir;
	if (is("vmm-dies"))
		_exit(1);
	hang();
	return 0;
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
		list[256];

	snprintf(path, sizeof path, "%s/agent.config.json", dir);
	make_directories(path);
	between(row, "\"mounts\":[[\"", '"', host, sizeof host);
	between(row, "\"mounts\":[[\"", ']', guest, sizeof guest);
	char *target = strchr(guest, ',');
	char *quoted = target ? strndup(target + 2, strcspn(target + 2, "\"")) : strdup("");
	snprintf(guest, sizeof guest, "%s", quoted);
	free(quoted);
	between(row, "\"allowed_cidrs\":", ']', list, sizeof list);
	FILE *f = fopen(path, "w");
	if (!f)
		die("%s: %s", path, strerror(errno));
	fprintf(f,
	        "{\"version\":1,\"mounts\":[{\"source\":\"%s\",\"target\":\"%s\",\"read_only\":false}],\"ports\":[],"
	        "\"resources\":{\"cpus\":%s,\"memory_mib\":%s,\"network\":true,"
	        "\"network_backend\":\"virtio-net\",\"gpu\":false,\"gpu_vram_mib\":null,\"cuda\":false,\"rosetta\":false,"
	        "\"storage_gib\":%s,\"overlay_gib\":%s,\"allowed_cidrs\":%s%s,\"dns\":null}}",
	        host, guest, between(row, "\"cpus\":", ',', cpus, sizeof cpus),
	        between(row, "\"mem\":", ',', mem, sizeof mem),
	        between(row, "\"storage_gb\":", ',', storage, sizeof storage),
	        between(row, "\"overlay_gb\":", ',', overlay, sizeof overlay),
	        is("launch-wider") ? "null" : list, is("launch-wider") ? "" : "]");
	fclose(f);
}

static void start(char **argv)
{
	struct options o = parse(argv);
	char dir[PATH_MAX], text[128], *row;

	misbehave_at("start");
	open_database();
	row = read_row(o.name);
	/* The other writer is given the time to come between. */
	for (int i = 0; is("rewrite") && row && strstr(row, "dns_filter_hosts") && i < 2000; i++) {
		usleep(5000);
		row = read_row(o.name);
	}
	if (!row)
		die("machine '%s' not found", o.name);
	machine_dir(o.name, dir, sizeof dir);
	if (!is("launch-nothing"))
		write_launched(dir, row);
	pid_t vmm = boot(dir);
	/* The one who starts it ends; it lives on. */
	snprintf(text, sizeof text, "\"pid\":%d,\"pid_start_time\":%llu",
	         is("lie-pid") ? (int)getpid() : (int)vmm, is("lie-start") ? 1 : start_time(vmm));
	row = replaced(replaced(row, "\"state\":\"created\"", "\"state\":\"running\""),
	               "\"pid\":null,\"pid_start_time\":null", text);
	row = replaced(row, "\"init_completed\":false", "\"init_completed\":true");
	if (is("drop-at-start"))
		row = replaced(row, "[\"100.96.0.1/32\"]", "null");
	if (is("open-dns-at-start"))
		row = replaced(row, ",\"dns_filter_hosts\":[]", "");
	write_row(o.name, row);
	printf("Machine '%s' running (PID: %d, test double)\n", o.name, (int)vmm);
}

static pid_t running(const char *name)
{
	char pid[32];
	char *row = read_row(name);

	if (!row)
		die("machine '%s' not found", name);
	between(row, "\"pid\":", ',', pid, sizeof pid);
	pid_t vmm = (pid_t)strtol(pid, NULL, 10);
	return vmm > 0 && kill(vmm, 0) == 0 ? vmm : 0;
}

static void stop(char **argv)
{
	struct options o = parse(argv);

	misbehave_at("stop");
	open_database();
	pid_t vmm = running(o.name);
	if (vmm > 0) {
		kill(vmm, SIGKILL);
		write_row(o.name,
		          replaced(read_row(o.name), "\"state\":\"running\"", "\"state\":\"stopped\""));
	}
	printf("Stopped machine: %s (test double)\n", o.name);
}

static void delete (char **argv)
{
	struct options o = parse(argv);

	misbehave_at("delete");
	open_database();
	if (!read_row(o.name))
		die("machine '%s' not found", o.name);
	if (is("delete-lies"))
		exit(0);
	char *text = sqlite3_mprintf("DELETE FROM vms WHERE name=%Q", o.name);
	sql(text);
	printf("Deleted machine: %s (test double)\n", o.name);
}

#define SECRETS "/tmp/guest-secrets"

static size_t read_all(int fd, char *bytes, size_t size)
{
	size_t n = 0;

	for (ssize_t got; n < size && (got = read(fd, bytes + n, size - n)) > 0;)
		n += (size_t)got;
	return n;
}

/* What setup gets on 0 is kept for enter, as in the machine. */
static void play_setup(void)
{
	static char bytes[1 << 20];
	size_t n = read_all(0, bytes, sizeof bytes);
	int fd = open(SECRETS, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	exit(fd >= 0 && write(fd, bytes, n) == (ssize_t)n ? 0 : 125);
}

static void take_secrets(void)
{
	static char bytes[1 << 20];
	int fd = open(SECRETS, O_RDONLY);
	size_t n = read_all(fd, bytes, sizeof bytes), at = sizeof(uint32_t);
	uint32_t len;

	while (at + sizeof len <= n) {
		memcpy(&len, bytes + at, sizeof len);
		at += sizeof len;
		putenv(strndup(bytes + at, len));
		at += len;
	}
	close(fd);
}

/* The task's addresses are lengths and bytes. */
static void relay_task(void)
{
	static char bytes[1 << 20], out[1 << 20];
	static const char from[] = "\x0a\0\0\0"
				   "100.96.0.1",
			  to[] = "\x09\0\0\0"
				 "127.0.0.1";
	size_t n = read_all(0, bytes, sizeof bytes), m = 0;
	int pipe_fds[2];

	for (size_t i = 0; i < n;) {
		if (n - i >= sizeof from - 1 && memcmp(bytes + i, from, sizeof from - 1) == 0) {
			memcpy(out + m, to, sizeof to - 1);
			m += sizeof to - 1;
			i += sizeof from - 1;
		} else {
			out[m++] = bytes[i++];
		}
	}
	if (pipe(pipe_fds) != 0 || write(pipe_fds[1], out, m) != (ssize_t)m)
		exit(125);
	close(pipe_fds[1]);
	dup2(pipe_fds[0], 0);
}

static void run_inside(char **argv)
{
	char path[PATH_MAX];
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	snprintf(path, sizeof path, "%s/guest/%s", home, name);
	execv(path, argv);
	fprintf(stderr, "%s: %s (test double)\n", argv[0], strerror(errno));
	exit(errno == ENOENT ? 127 : 126);
}

static void exec(char **argv)
{
	struct options o = parse(argv);

	misbehave_at("exec");
	open_database();
	if (!running(o.name))
		die("agent operation failed: connect: machine '%s' is not running. Use 'smolvm machine start --name %s' first.",
		    o.name, o.name);
	sqlite3_close(db);
	char **run = o.rest;
	if (!run || !run[0])
		exit(2);
	if (strcmp(run[0], "/bottle/bin/bottle-guest") != 0 || !run[1])
		run_inside(run);
	if (strcmp(run[1], "setup") == 0)
		play_setup();
	if (strcmp(run[1], "ready") == 0)
		exit(0);
	if (strcmp(run[1], "enter") != 0)
		exit(125);
	char *directory = replaced(run[2], "/workspace", "/b/workspace");
	take_secrets();
	if (chdir(strncmp(run[2], "/workspace", 10) == 0 ? directory : "/") != 0)
		exit(125);
	run += 5;
	if (strcmp(run[0], "/bottle/bin/bottle-guest") == 0 && run[1] && strcmp(run[1], "probe") == 0)
		relay_task();
	run_inside(run);
}

static const struct {
	const char *name;
	void (*run)(char **argv);
} commands[] = {
	{ "create", create }, { "start", start }, { "stop", stop }, { "delete", delete }, { "exec", exec },
};

int main(int argc, char **argv)
{
	static char self[PATH_MAX], path[PATH_MAX + 16];

	if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
		return 1;
	*strrchr(self, '/') = 0;
	home = self;
	snprintf(path, sizeof path, "%s/behave", home);
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%63s", behave) != 1)
		*behave = 0;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		misbehave_at("version");
		printf("smolvm %s\n", is("lie-version") ? "1.9.3" : "1.8.1");
		return 0;
	}
	for (size_t i = 0;
	     argc > 2 && strcmp(argv[1], "machine") == 0 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[2], commands[i].name) == 0) {
			commands[i].run(argv + 3);
			return 0;
		}
	fprintf(stderr, "error: unrecognized subcommand (test double)\n");
	return 2;
}
