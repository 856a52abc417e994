#include "double.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *home;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "Error: (test double) ");
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

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
		{ "--from", &o.from },
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
		} else if (strcmp(*argv, "-e") == 0 && argv[1]) {
			putenv(played(*++argv));
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

/* Whoever asks before there is a bottle and whoever asks in its cage may hear different things. */
static int say_version(void)
{
	char host[64] = "";
	const char *where =
		gethostname(host, sizeof host) == 0 && strcmp(host, "cage") == 0 ? "version" : "inside";
	bool lies = is("lie-version") || (is("lie-inside") && strcmp(where, "inside") == 0);

	misbehave_at(where);
	printf("smolvm %s\n", lies ? "1.9.3" : "1.8.1");
	return 0;
}

/* What the contract wants of whoever calls in a bottle's cage, and nothing else: smolvm obeys more
 * names than these. A test that calls it outside of one has its data elsewhere. */
static void check_environment(void)
{
	static const struct {
		const char *name, *value; /* NULL: the place of an installation */
	} rows[] = {
		{ "PATH", "/usr/sbin:/usr/bin:/sbin:/bin" },
		{ "LANG", "C.UTF-8" },
		{ "HOME", "/s" },
		{ "SMOLVM_DATA_DIR", "/s" },
		{ "SMOLVM_LIB_DIR", NULL },
		{ "LD_LIBRARY_PATH", NULL },
		{ "SMOLVM_AGENT_ROOTFS", NULL },
		{ "SMOLVM_EGRESS_FLOOR", "metadata" },
		{ "SMOLVM_SECCOMP", "enforce" },
	};
	const size_t n = sizeof rows / sizeof *rows;
	const char *data = getenv("SMOLVM_DATA_DIR");

	if (data && strcmp(data, "/s") != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const char *value = getenv(rows[i].name);
		if (rows[i].value && (!value || strcmp(value, rows[i].value) != 0))
			die("%s is not %s", rows[i].name, rows[i].value);
	}
	for (char **at = environ; *at; at++) {
		size_t i = 0;
		while (i < n && (strncmp(*at, rows[i].name, strlen(rows[i].name)) != 0 ||
		                 (*at)[strlen(rows[i].name)] != '='))
			i++;
		if (i == n)
			die("%s is nothing of smolvm's", *at);
	}
}

static const struct {
	const char *name;
	void (*run)(const struct options *o);
} commands[] = {
	{ "create", create },         { "start", start }, { "stop", stop },
	{ "delete", delete_machine }, { "exec", exec },
};

int main(int argc, char **argv)
{
	static char self[PATH_MAX];

	if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
		return 1;
	*strrchr(self, '/') = 0;
	home = self;
	behave_read();
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return say_version();
	for (size_t i = 0;
	     argc > 2 && strcmp(argv[1], "machine") == 0 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(argv[2], commands[i].name) == 0) {
			check_environment();
			const struct options o = parse(argv + 3);
			commands[i].run(&o);
			return 0;
		}
	fprintf(stderr, "error: unrecognized subcommand (test double)\n");
	return 2;
}
