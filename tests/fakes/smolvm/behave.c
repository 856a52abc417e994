/* How the double misbehaves. Any step (version, inside: the version as asked in a bottle's cage, create,
 * start, exec, ready, setup, stop, delete) takes
 *   die-STEP kill-STEP hang-STEP silent-STEP nonsense-STEP   in place of what it should do
 *   late-STEP                                                after it has done it (all but exec)
 * and by name, where they are looked at: lie-version, lie-inside, no-row, text-row, drop-allowlist,
 * field KEY JSON, add KEY JSON (in the row), rewrite (a second writer), launched KEY JSON (in what it
 * says that it launched; no JSON takes the field out), launch-nothing, drop-at-start,
 * open-dns-at-start, lie-pid, lie-start, vmm-dies, stray, own-namespace, delete-lies; and what a VMM
 * may do to the files of a machine that runs: link-home, link-launched, hold-database, cut-database. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "double.h"

static char lines[8][256];
static size_t count;

void behave_read(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/behave", home);
	FILE *f = fopen(path, "r");
	while (f && count < sizeof lines / sizeof *lines && fgets(lines[count], sizeof *lines, f))
		lines[count][strcspn(lines[count], "\n")] = '\0', count++;
	if (f)
		fclose(f);
}

const char *told(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < count; i++)
		if (strncmp(lines[i], word, n) == 0 && (lines[i][n] == '\0' || lines[i][n] == ' '))
			return lines[i] + n + (lines[i][n] == ' ');
	return NULL;
}

bool is(const char *word)
{
	return told(word) != NULL;
}

void hang(void)
{
	for (;;)
		pause();
}

static void as_told(void)
{
	die("as told");
}

static void killed(void)
{
	raise(SIGKILL);
	/* The first process of a namespace is not killed from inside. */
	_exit(128 + SIGKILL);
}

static void silent(void)
{
	exit(0);
}

static void nonsense(void)
{
	for (int i = 0; i < 200000; i++)
		printf("\033]0;%c\n", i % 256);
	exit(0);
}

void misbehave_at(const char *step)
{
	static const struct {
		const char *how;
		void (*run)(void);
	} ways[] = { { "die", as_told },
		     { "kill", killed },
		     { "hang", hang },
		     { "silent", silent },
		     { "nonsense", nonsense } };
	char word[64];

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		snprintf(word, sizeof word, "%s-%s", ways[i].how, step);
		if (is(word))
			ways[i].run();
	}
}

void misbehave_after(const char *step)
{
	char word[64];

	snprintf(word, sizeof word, "late-%s", step);
	if (is(word))
		die("as told, too late");
}
