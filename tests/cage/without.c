/* Runs a program as if the kernel had less: every named system call answers with an errno.
 *
 *	without CALL ERRNO [when ARGUMENT MASK] [and CALL ...] -- PROGRAM [ARGUMENT...]
 *
 * "when" takes only the calls that have one of the mask's bits in that argument. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct {
	const char *name;
	int number;
} errnos[] = {
	{ "ENOSYS", ENOSYS },         { "EPERM", EPERM },   { "EINVAL", EINVAL },
	{ "EOPNOTSUPP", EOPNOTSUPP }, { "ENOSPC", ENOSPC }, { "EACCES", EACCES },
};

static int number_of(const char *name)
{
	for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
		if (strcmp(errnos[i].name, name) == 0)
			return errnos[i].number;
	return 0;
}

/* The number of words that were taken, 0 if they are wrong. */
static int take(scmp_filter_ctx filter, int argc, char **argv)
{
	int call = argc > 1 ? seccomp_syscall_resolve_name(argv[0]) : -1,
	    answer = argc > 1 ? number_of(argv[1]) : 0;

	if (call < 0 || answer == 0)
		return 0;
	if (argc < 5 || strcmp(argv[2], "when") != 0)
		return seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)answer), call, 0) == 0 ? 2 : 0;
	unsigned argument = (unsigned)strtoul(argv[3], NULL, 0);
	unsigned long mask = strtoul(argv[4], NULL, 0);
	struct scmp_arg_cmp has = { argument, SCMP_CMP_MASKED_EQ, mask, mask };
	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)answer), call, 1, &has) == 0 ? 5 : 0;
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int at = 1;

	for (;;) {
		int n = filter && at < argc ? take(filter, argc - at, argv + at) : 0;
		if (n == 0) {
			fprintf(stderr,
			        "without CALL ERRNO [when ARGUMENT MASK] [and ...] -- PROGRAM [ARGUMENT...]\n");
			return 2;
		}
		at += n;
		if (at + 1 < argc && strcmp(argv[at], "--") == 0)
			break;
		if (at < argc && strcmp(argv[at], "and") == 0)
			at++;
	}
	if (seccomp_load(filter) != 0)
		return 2;
	execvp(argv[at + 1], argv + at + 1);
	perror(argv[at + 1]);
	return 2;
}
