/* A program "in the machine" is a process beside the monitor, in its cage: the worst that a
 * guest can be once it has taken its monitor over. What a real machine would show it (names,
 * addresses, mounts) is played by writing the cage's in their place. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "double.h"

#define SECRETS "/tmp/guest-secrets"

enum { BYTES_MAX = 1 << 20 };

char *played(const char *text)
{
	static const char *const rows[][2] = {
		{ "100.96.0.1", "127.0.0.1" },
		{ "/etc/ssl/certs/ca-certificates.crt", "/b/etc/ca-certificates.crt" },
		{ "/etc/bot-bottle/ca.pem", "/b/etc/ca.pem" },
		{ "/workspace", "/b/workspace" },
		{ "/home/agent", "/b/home" },
	};
	const char *out = text;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		out = replaced(out, rows[i][0], rows[i][1]);
	return (char *)out;
}

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
	static char bytes[BYTES_MAX];

	misbehave_at("setup");
	size_t n = read_all(0, bytes, sizeof bytes);
	int fd = open(SECRETS, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		exit(125);
	misbehave_after("setup");
	exit(0);
}

static void take_secrets(void)
{
	static char bytes[BYTES_MAX];
	int fd = open(SECRETS, O_RDONLY);
	/* As the machine's own: a program whose secrets are not there is not run. */
	if (fd < 0)
		exit(125);
	size_t n = read_all(fd, bytes, sizeof bytes), at = sizeof(uint32_t);
	uint32_t len;

	while (at + sizeof len <= n) {
		memcpy(&len, bytes + at, sizeof len);
		at += sizeof len;
		putenv(played(strndup(bytes + at, len)));
		at += len;
	}
	close(fd);
}

/* The probe's task names addresses by their length and bytes. */
static void play_task(void)
{
	static char bytes[BYTES_MAX], out[BYTES_MAX];
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

/* The machine's programs stand in guest/, by their names; one of the work is run from there. */
static void run_program(char **argv)
{
	char path[PATH_MAX], *search;
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	if (asprintf(&search, "%s/guest", home) < 0)
		abort();
	setenv("PATH", search, 1);
	for (size_t i = 0; argv[i]; i++)
		argv[i] = played(argv[i]);
	snprintf(path, sizeof path, "%s/%s", search, name);
	if (strncmp(argv[0], "/b/workspace/", 13) == 0)
		execv(argv[0], argv);
	execv(path, argv);
	fprintf(stderr, "%s: %s (test double)\n", argv[0], strerror(errno));
	exit(errno == ENOENT ? 127 : 126);
}

/* As the machine's own: a program is known by its number, and is signalled by it. */
static void become_known(const char *number)
{
	char *path;
	FILE *file;

	if (asprintf(&path, "/tmp/program-%s", number) < 0 || !(file = fopen(path, "we")))
		exit(125);
	fprintf(file, "%ld", (long)getpid());
	fclose(file);
}

static void play_signal(const char *number, const char *signo)
{
	char *path;
	long pid = 0;
	FILE *file;

	if (asprintf(&path, "/tmp/program-%s", number) < 0 || !(file = fopen(path, "re")))
		exit(125);
	if (fscanf(file, "%ld", &pid) != 1)
		exit(125);
	fclose(file);
	exit(kill((pid_t)-pid, atoi(signo)) == 0 ? 0 : 125);
}

void exec(const struct options *o)
{
	char **run = o->rest;

	misbehave_at("exec");
	open_database();
	if (!running(o->name))
		die("agent operation failed: connect: machine '%s' is not running. "
		    "Use 'smolvm machine start --name %s' first.",
		    o->name, o->name);
	close_database();
	if (!run || !run[0])
		exit(2);
	if (strcmp(run[0], "/bottle/bin/bottle-guest") != 0 || !run[1])
		run_program(run);
	if (strcmp(run[1], "setup") == 0)
		play_setup();
	if (strcmp(run[1], "ready") == 0) {
		misbehave_at("ready");
		misbehave_after("ready");
		exit(0);
	}
	if (strcmp(run[1], "signal") == 0)
		play_signal(run[2], run[3]);
	if (strcmp(run[1], "enter") != 0)
		exit(125);
	become_known(run[4]);
	take_secrets();
	if (chdir(strncmp(run[2], "/workspace", 10) == 0 ? played(run[2]) : "/") != 0)
		exit(125);
	run += 6;
	if (strcmp(run[0], "/bottle/bin/bottle-guest") == 0 && run[1] && strcmp(run[1], "probe") == 0)
		play_task();
	run_program(run);
}
