/* krun [-t FEATURES] [-n] [-l PATH]... ROOT PROGRAM: the step of smolvm that becomes a VMM, with
 * libkrun as its authors have it. Boots a machine whose root directory is ROOT and whose one
 * program is PROGRAM; does not come back.
 *
 * Without -t the machine has libkrun's own default, which hands it this process's network (TSI);
 * with it, FEATURES of the header: 1 INET, 2 UNIX. -n gives this process a network of its own
 * first, -l confines its files by Landlock to the paths named: each alone is not enough. */
#include <dlfcn.h>
#include <err.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ABI2_RIGHTS = (1 << 14) - 1, MEMORY_MIB = 256 };

static void own_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (unshare(CLONE_NEWNET) != 0)
		err(125, "a network of its own");
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		err(125, "lo");
	close(fd);
}

static int new_rules(void)
{
	const struct landlock_ruleset_attr all = { .handled_access_fs = ABI2_RIGHTS };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);

	if (rules < 0)
		err(125, "Landlock");
	return rules;
}

static void add_rule(int rules, const char *path)
{
	struct landlock_path_beneath_attr below = { .allowed_access = ABI2_RIGHTS };

	below.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (below.parent_fd < 0 ||
	    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) != 0)
		err(125, "%s", path);
	close(below.parent_fd);
}

static void enter_rules(int rules)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		err(125, "Landlock");
	close(rules);
}

/* A call of libkrun, which answers with a negative errno. */
static int32_t call(const char *name, int32_t rc)
{
	if (rc < 0)
		errx(125, "%s: %s", name, strerror(-rc));
	return rc;
}

static void *find(void *library, const char *name)
{
	void *at = dlsym(library, name);

	if (!at)
		errx(125, "libkrun has no %s", name);
	return at;
}
#define KRUN(name, ...) ((int32_t(*)(__VA_ARGS__))find(krun, #name))

int main(int argc, char **argv)
{
	const char *const none[] = { NULL }, *features = NULL;
	const char *const env[] = { "PATH=/bin", "HOME=/", NULL };
	int rules = -1;

	for (int c; (c = getopt(argc, argv, "+t:nl:")) != -1;) {
		if (c == 'n')
			own_network();
		else if (c == 't')
			features = optarg;
		else if (c == 'l')
			add_rule(rules = rules < 0 ? new_rules() : rules, optarg);
		else
			return 125;
	}
	if (argc - optind != 2)
		errx(125, "krun [-t FEATURES] [-n] [-l PATH]... ROOT PROGRAM");
	void *krun = dlopen("libkrun.so.1", RTLD_NOW);
	if (!krun)
		errx(125, "%s", dlerror());
	if (rules >= 0)
		enter_rules(rules);
	call("krun_set_log_level", KRUN(krun_set_log_level, uint32_t)(1));
	uint32_t ctx = (uint32_t)call("krun_create_ctx", KRUN(krun_create_ctx, void)());
	call("krun_set_vm_config", KRUN(krun_set_vm_config, uint32_t, uint8_t, uint32_t)(ctx, 1, MEMORY_MIB));
	call("krun_set_root", KRUN(krun_set_root, uint32_t, const char *)(ctx, argv[optind]));
	call("krun_set_exec", KRUN(krun_set_exec, uint32_t, const char *, const char *const *,
	                           const char *const *)(ctx, argv[optind + 1], none, env));
	if (features) {
		call("krun_disable_implicit_vsock", KRUN(krun_disable_implicit_vsock, uint32_t)(ctx));
		call("krun_add_vsock",
		     KRUN(krun_add_vsock, uint32_t, uint32_t)(ctx, (uint32_t)strtoul(features, NULL, 10)));
	}
	call("krun_start_enter", KRUN(krun_start_enter, uint32_t)(ctx));
	return 125;
}
