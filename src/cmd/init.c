#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "registry/paths.h"
#include "base/banned.h"

/* A first bottle that works as it stands: a shell that reaches nothing, and beside each line
 * what one would write there. */
static const struct {
	const char *folder, *name, *text;
} starters[] = {
	{ "bottles", "dev.md",
	  "---\n"
	  "# What an agent may do. Every field: man bot-bottle-manifest\n"
	  "\n"
	  "agent_provider:\n"
	  "  # claude: Claude Code; put its token (claude setup-token) in BOT_BOTTLE_CLAUDE_OAUTH_TOKEN.\n"
	  "  # codex: add \"forward_host_credentials: true\". shell: no agent, no credentials.\n"
	  "  template: shell\n"
	  "\n"
	  "egress:\n"
	  "  # Everything that is not listed is refused. The provider's own hosts come by themselves.\n"
	  "  routes:\n"
	  "    - host: deb.debian.org\n"
	  "      matches:\n"
	  "        - methods: [GET, HEAD]\n"
	  "    # The gateway puts the credential in; the agent only sees a placeholder.\n"
	  "    # - host: api.github.com\n"
	  "    #   auth: {scheme: bearer, token_ref: GITHUB_TOKEN}\n"
	  "    #   matches:\n"
	  "    #     - methods: [GET]\n"
	  "    #       paths: [{type: prefix, value: /repos/me/project}]\n"
	  "\n"
	  "env:\n"
	  "  # NAME: text   NAME: ${HOST_VARIABLE}   NAME: ?asked for at start\n"
	  "  EDITOR: vi\n"
	  "\n"
	  "# copy: the agent changes a copy; bottle diff shows what, bottle export brings it out.\n"
	  "workspace: copy\n"
	  "workspace_exclude: [.env]\n"
	  "---\n"
	  "Notes for people stand here.\n" },
	{ "agents", "dev.md",
	  "---\n"
	  "description: a first agent\n"
	  "bottle: dev\n"
	  "---\n"
	  "You work in a bottle: only listed hosts can be reached, and a refusal says why.\n" },
};

/* 1: written, 0: something of that name is there already, and stays. */
static int write_new(int dir, const char *name, const char *text, struct err *err)
{
	own_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return fail_errno(err, "create %s", name);
	if (file_write_all(fd, text, strlen(text), err) != 0 || fsync(fd) != 0) {
		unlinkat(dir, name, 0);
		return err->kind ? -1 : fail_errno(err, "sync %s", name);
	}
	return 1;
}

static int init_run(struct command *c, struct err *err)
{
	static const struct ui_column columns[] = { { "file", "file", false },
		                                    { "result", "result", false } };
	const struct paths *paths = command_paths(c, err);
	own_json json *rows = json_array_of();

	if (!paths)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(starters); i++) {
		own_mem char *folder = xasprintf("%s/.bot-bottle/%s", paths->home, starters[i].folder);
		own_mem char *file = xasprintf("%s/%s", folder, starters[i].name);
		own_fd int dir = dir_make(AT_FDCWD, folder, 0700, err);
		int written = dir < 0 ? -1 : write_new(dir, starters[i].name, starters[i].text, err);
		if (written < 0)
			return fail_in(err, "%s", file);
		json *row = json_object_of();
		json_set_string(row, "file", file);
		json_set_truth(row, "written", written == 1);
		json_set_string(row, "result", written == 1 ? "written" : "was there already; left as it is");
		json_push(rows, row);
	}
	ui_rows(&c->ui, rows, columns, ARRAY_LEN(columns));
	ui_note(&c->ui, "next: look at the files, then\n"
	                "  bottle manifest show dev\n"
	                "  bottle start dev                       in a microVM\n"
	                "  bottle start dev --backend namespace   on a host that can't run one");
	return 0;
}

const struct verb verb_init = {
	.name = "init",
	.args = "",
	.summary = "write a starter manifest",
	.details =
		"Writes a bottle and an agent called dev below ~/.bot-bottle, with comments that say what else could "
		"stand there. A file that exists is left as it is.",
	.group = GROUP_RULES,
	.flags = VERB_JSON,
	.run = init_run,
};
