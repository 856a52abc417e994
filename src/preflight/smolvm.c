#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "backend/smolmachines.h"
#include "base/own.h"
#include "preflight/probes.h"
#include "smoldb/posture.h"
#include "base/banned.h"

enum { DEADLINE_MS = 10 * 1000 };

/* The release that this program knows the state database of, and the SHA-256 of its archives. */
#define RELEASES "https://github.com/smol-machines/smolvm/releases/download/v" POSTURE_VERSION "/"
static const struct {
	const char *machine; /* uname -m */
	const char *stem;
	const char *sha256;
} releases[] = {
	{ "x86_64", "smolvm-" POSTURE_VERSION "-linux-x86_64",
	  "4649834fc90f494812618b349731097e715f27837ae0897eb3db18d2b6185ee9" },
	{ "aarch64", "smolvm-" POSTURE_VERSION "-linux-arm64",
	  "155d091a89e7adb7e72c75bc7aca36b1c6908d871f371c8011981612385f3497" },
};

char *preflight_find_program(const char *path, const char *name, struct err *err)
{
	own_mem char *copy = xstrdup(path ? path : "");
	char *rest = copy;

	for (char *dir; (dir = strsep(&rest, ":"));) {
		own_mem char *file = xasprintf("%s/%s", dir, name);
		struct stat st;

		/* A relative entry would let the working directory say what is run. */
		if (*dir == '/' && stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
			return mem_steal(&file);
	}
	fail(err, ERR_MISSING, "%s is not on PATH", name);
	return NULL;
}

/* What is wrong, and every way out of it. The last one is for a shell to read: nothing stands
 * behind it, and the rest is short enough that it is not cut. @kind: none is there, or one is
 * that can't be trusted to confine. */
static int fail_smolvm(enum err_kind kind, const char *problem, struct err *err)
{
	struct utsname host;
	size_t i = 0;

	uname(&host);
	while (i < ARRAY_LEN(releases) && !str_is(releases[i].machine, host.machine))
		i++;
	if (i == ARRAY_LEN(releases))
		return fail(err, kind,
		            "%.68s, and smolvm " POSTURE_VERSION " is not published for %s; "
		            "use another backend: --backend namespace",
		            problem, host.machine);
	const char *stem = releases[i].stem;
	return fail(err, kind,
	            "%.68s; NixOS: services.bot-bottle.enable = true. Or --backend namespace. "
	            "Or: curl -LO " RELEASES "%s.tar.gz && echo \"%s  %s.tar.gz\" | sha256sum -c && "
	            "tar -xzf %s.tar.gz && PATH=$PWD/%s:$PATH",
	            problem, stem, releases[i].sha256, stem, stem, stem);
}

int check_smolvm_version(int status, struct str *said, struct err *err)
{
	own_str struct str shown = STR_INIT;
	own_mem char *problem = NULL;

	while (said->len > 0 && strchr(" \r\n\t", said->data[said->len - 1]))
		said->data[--said->len] = 0;
	if (status == 0 && str_is(str_c(said), "smolvm " POSTURE_VERSION))
		return 0;
	str_add_escaped(&shown, str_c(said), said->len, 24);
	problem = status != 0 ? xasprintf("smolvm --version exited %d", status) :
	                        xasprintf("smolvm: only " POSTURE_VERSION " is supported, this says \"%s\"",
	                                  str_c(&shown));
	return fail_smolvm(ERR_UNCONFINED, problem, err);
}

int probe_smolvm(const struct preflight_host *host, struct str *found, struct err *err)
{
	struct err missing = ERR_INIT;
	own_mem char *path = preflight_find_program(host->path, "smolvm", &missing);
	own_smolvm struct smolvm smolvm = { 0 };
	own_str struct str said = STR_INIT;

	if (!path)
		return fail_smolvm(ERR_MISSING, "smolvm " POSTURE_VERSION " is not on PATH", err);
	if (smolvm_find(path, &smolvm, err) != 0) {
		/* Without its own remedy, which is one of those that follow. */
		own_mem char *problem = xstrndup(err->text, strcspn(err->text, ";"));
		return err->kind == ERR_MISSING ? fail_smolvm(ERR_MISSING, problem, err) : -1;
	}
	int status = machine_ask_version(&smolvm, DEADLINE_MS, &said, err);
	if (status < 0)
		return err->kind == ERR_BUSY ?
		               fail_smolvm(ERR_UNCONFINED, "`smolvm --version` gave no answer", err) :
		               -1;
	if (check_smolvm_version(status, &said, err) != 0)
		return -1;
	str_addf(found, "%s at %s", str_c(&said), path);
	return 0;
}

int probe_git(const struct preflight_host *host, struct str *found, struct err *err)
{
	own_mem char *path = preflight_find_program(host->path, "git", err);

	if (path)
		str_add(found, path);
	return path ? 0 : -1;
}

int probe_gitleaks(const struct preflight_host *host, struct str *found, struct err *err)
{
	own_mem char *path = preflight_find_program(host->path, "gitleaks", err);

	if (path)
		str_add(found, path);
	return path ? 0 : -1;
}
