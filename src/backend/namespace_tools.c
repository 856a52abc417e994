#include "backend/namespace.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "base/banned.h"

/* Below a person's home: where programs keep what proves who somebody is. */
const char *const credential_dirs[] = {
	".ssh",
	".gnupg",
	".aws",
	".azure",
	".kube",
	".docker",
	".password-store",
	".config/gcloud",
	".config/gh",
	".config/glab-cli",
	".config/hub",
	".config/op",
	".config/rclone",
	".config/sops",
	".config/containers",
	".local/share/keyrings",
	".mozilla",
	".config/chromium",
	".config/google-chrome",
	".thunderbird",
	".codex",
	".claude",
	".bot-bottle",
	".config/bot-bottle",
	".local/state/bot-bottle",
	".terraform.d",
	".vault-token",
	".netrc",
	".npmrc",
	".pypirc",
	".git-credentials",
	".cargo/credentials",
	".cargo/credentials.toml",
	".m2",
	".gem/credentials",
	".gradle",
	".composer",
	".config/composer",
	".config/git",
	".config/github-copilot",
	".config/helm",
	".config/nix",
	".config/pip",
	".config/pypoetry",
	".gemini",
	".local/share/opencode",
	".oci",
	".pulumi",
	NULL,
};
/* Of the host: what is not anybody's programs, or is a cage's own. */
static const char *const host_dirs[] = {
	"/etc", "/proc", "/sys", "/dev", "/run", "/boot", "/var/lib", "/home/agent", "/workspace", "/nix/var",
};
/* Many people's and programs' together: one directory in them may be a tool, they may not. */
static const char *const shared_dirs[] = { "/home", "/root", "/tmp", "/var", "/mnt", "/srv" };

/* @inner is @outer or lies below it, by whole components. */
static bool lies_in(const char *inner, const char *outer)
{
	size_t n = strlen(outer);

	if (str_is(outer, "/"))
		return true;
	return str_starts(inner, outer) && (inner[n] == '/' || inner[n] == '\0');
}

static int check_against(const char *tool, const char *real, const char *sensitive, struct err *err)
{
	if (lies_in(real, sensitive) || lies_in(sensitive, real))
		return fail(err, ERR_DENIED,
		            "tools: %s holds credentials or the host's own state (%s); "
		            "name the directory of the program alone",
		            tool, sensitive);
	return 0;
}

/* By the name that each has below the home, and where that is a link, by what it leads to. */
static int check_credentials(const char *tool, const char *real, const char *home, struct err *err)
{
	for (size_t i = 0; credential_dirs[i]; i++) {
		own_mem char *sensitive = xasprintf("%s/%s", home, credential_dirs[i]);
		own_mem char *there = realpath(sensitive, NULL);
		if (check_against(tool, real, sensitive, err) != 0 ||
		    (there && check_against(tool, real, there, err) != 0))
			return -1;
	}
	return 0;
}

static int check_tool(const char *tool, const char *home, struct err *err)
{
	char real[PATH_MAX];
	struct stat st;

	if (tool[0] != '/')
		return fail(err, ERR_INPUT, "tools: %s is not an absolute path", tool);
	if (!realpath(tool, real) || stat(real, &st) != 0)
		return fail_errno(err, "tools: %s", tool);
	if (!S_ISDIR(st.st_mode))
		return fail(err, ERR_INPUT, "tools: %s is not a directory", tool);
	for (size_t i = 0; i < ARRAY_LEN(host_dirs); i++)
		if (check_against(tool, real, host_dirs[i], err) != 0)
			return -1;
	for (size_t i = 0; i < ARRAY_LEN(shared_dirs); i++)
		if (lies_in(shared_dirs[i], real))
			return fail(err, ERR_DENIED,
			            "tools: %s is not one program's; name its directory alone", tool);
	return check_credentials(tool, real, home, err);
}

int tools_check(const struct strv *tools, const char *operator_home, struct err *err)
{
	if (tools->n == 0)
		return 0;
	/* As the tools are looked at: without a link on the way. */
	own_mem char *home = operator_home ? realpath(operator_home, NULL) : NULL;
	if (!home)
		return fail(
			err, ERR_DENIED,
			"tools: nobody can say which directories hold your credentials, because your home "
			"(%s) is not known or not there; set HOME",
			operator_home ? operator_home : "none");
	for (size_t i = 0; i < tools->n; i++)
		if (check_tool(tools->v[i], home, err) != 0)
			return -1;
	return 0;
}
