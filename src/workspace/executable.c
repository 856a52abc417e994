#include "workspace/workspace.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "workspace/letters.h"
#include "base/banned.h"

/* What a tool on the host runs or obeys by being started in the directory, opened on it or
 * asked for its status, before anybody has read it. What runs only when somebody builds or
 * tests (Makefile, package.json, flake.nix, setup.py) is the project itself: it is reviewed
 * in the diff like the rest. A name counts wherever it stands in a path; "*.x" is how one ends, "x.*"
 * how one begins. */
static const struct {
	const char *name, *why;
} obeyed[] = {
	{ ".gitattributes", "git: names filter, diff and merge drivers" },
	{ ".gitmodules", "git: where submodules come from and how they are updated" },
	{ ".gitconfig", "git: its configuration names programs" },
	{ "commondir", "git: where a repository's configuration is" },
	{ "config.worktree", "git: its configuration names programs" },
	{ ".githooks", "git: hooks, once core.hooksPath points here" },
	{ ".husky", "git: hooks that husky installs" },
	{ ".pre-commit-config.yaml", "pre-commit: programs run at each commit" },
	{ ".pre-commit-hooks.yaml", "pre-commit: programs run at each commit" },
	{ ".pre-commit-config.yml", "prek: programs run at each commit" },
	{ "prek.toml", "prek: programs run at each commit" },
	{ "lefthook.*", "lefthook: programs run at each commit" },
	{ ".lefthook.*", "lefthook: programs run at each commit" },
	{ "lefthook-local.*", "lefthook: programs run at each commit" },
	{ ".lefthook-local.*", "lefthook: programs run at each commit" },
	{ ".lefthook", "lefthook: scripts run at each commit" },
	{ ".lefthook-local", "lefthook: scripts run at each commit" },
	{ ".huskyrc*", "husky: programs run at each commit" },
	{ ".lintstagedrc*", "lint-staged: programs run at each commit" },
	{ "lint-staged.config.*", "lint-staged: programs run at each commit" },
	{ ".commitlintrc*", "commitlint: what it loads at each commit" },
	{ "commitlint.config.*", "commitlint: what it loads at each commit" },
	{ ".overcommit.yml", "overcommit: programs run at each commit" },
	{ ".git-hooks", "overcommit: hooks run at each commit" },
	{ "captainhook.json", "captainhook: programs run at each commit" },
	{ "grumphp.yml", "grumphp: programs run at each commit" },
	{ "hk.pkl", "hk: programs run at each commit" },
	{ ".hg", "mercurial: its configuration names hooks and extensions" },
	{ ".hgrc", "mercurial: its configuration names hooks and extensions" },
	{ ".svn", "subversion: its own state" },
	{ ".jj", "jujutsu: its configuration names programs" },
	{ ".envrc", "direnv: run by the shell when the directory is entered" },
	{ ".direnv", "direnv: its cache is run by the shell" },
	{ ".mise.toml", "mise: hooks and tasks run when the directory is entered" },
	{ "mise.toml", "mise: hooks and tasks run when the directory is entered" },
	{ ".mise", "mise: hooks and tasks run when the directory is entered" },
	{ ".tool-versions", "asdf, mise: which programs a shell here runs" },
	{ ".prototools", "proto: plugins, and which programs a shell here runs" },
	{ "rust-toolchain", "rustup: where the cargo and the rustc are that run here" },
	{ "rust-toolchain.toml", "rustup: where the cargo and the rustc are that run here" },
	{ ".python-version", "uv: may name the interpreter that it runs" },
	{ "global.json", "dotnet: may say where the SDK is that it runs" },
	{ "_opam", "opam: programs that a shell here runs" },
	{ ".rvmrc", "rvm: run by the shell when the directory is entered" },
	{ ".versions.conf", "rvm: sets the shell's environment when the directory is entered" },
	{ ".ruby-env", "rvm: sets the shell's environment when the directory is entered" },
	{ ".rbenv-vars", "rbenv: the environment of each ruby that runs here" },
	{ ".autoenv.zsh", "autoenv: run by the shell when the directory is entered" },
	{ ".bashrc", "the shell runs it" },
	{ ".bash_profile", "the shell runs it" },
	{ ".bash_login", "the shell runs it" },
	{ ".bash_logout", "the shell runs it" },
	{ ".profile", "the shell runs it" },
	{ ".zshrc", "the shell runs it" },
	{ ".zshenv", "the shell runs it" },
	{ ".zprofile", "the shell runs it" },
	{ ".zlogin", "the shell runs it" },
	{ ".ssh", "ssh: keys, hosts and commands" },
	{ ".gnupg", "gpg: its configuration names programs" },
	{ ".config", "configuration of the programs of whoever lives here" },
	{ ".vscode", "VS Code: tasks and settings that name programs" },
	{ "*.code-workspace", "VS Code: tasks and settings that name programs" },
	{ ".devcontainer", "dev containers: commands run on the host at start" },
	{ ".devcontainer.json", "dev containers: commands run on the host at start" },
	{ ".idea", "JetBrains: run configurations and file watchers" },
	{ ".run", "JetBrains: run configurations" },
	{ ".fleet", "Fleet: run configurations" },
	{ ".zed", "Zed: tasks and language servers" },
	{ "*.sublime-project", "Sublime Text: build systems" },
	{ "*.ipr", "JetBrains: run configurations" },
	{ "*.iws", "JetBrains: run configurations" },
	{ ".project", "Eclipse: builders that it runs" },
	{ ".externaltoolbuilders", "Eclipse: builders that it runs" },
	{ ".factorypath", "editors of Java: annotation processors that they run" },
	{ ".kateproject", "Kate: names language servers" },
	{ ".lite_project.lua", "Lite XL: run when the directory is opened" },
	{ ".exrc", "vi: run when started here" },
	{ ".nexrc", "nvi: run when started here" },
	{ ".gvimrc", "vim: run when started here" },
	{ ".vimrc", "vim: run when started here" },
	{ ".nvimrc", "neovim: run when started here" },
	{ ".nvim.lua", "neovim: run when started here" },
	{ ".lvimrc", "vim: run when a file here is opened" },
	{ ".vim", "vim: settings of coc.nvim that name language servers" },
	{ ".ycm_extra_conf.py", "vim: run by YouCompleteMe when a file here is opened" },
	{ ".neoconf.json", "neovim: settings of language servers that name programs" },
	{ ".dir-locals.el", "Emacs: evaluated when a file here is opened" },
	{ ".dir-locals-2.el", "Emacs: evaluated when a file here is opened" },
	{ ".emacs.d", "Emacs: run at start" },
	{ ".gdbinit", "gdb: run when started here" },
	{ ".lldbinit", "lldb: run when started here" },
	{ ".claude", "Claude Code: hooks, permissions and commands" },
	{ ".claude.json", "Claude Code: servers that it starts" },
	{ ".mcp.json", "agents: servers that they start" },
	{ ".codex", "Codex: its configuration names programs" },
	{ ".cursor", "Cursor: rules and servers that it starts" },
	{ ".gemini", "Gemini CLI: settings that name programs" },
	{ ".windsurf", "Windsurf: rules and workflows" },
	{ ".aider.conf.yml", "aider: commands that it runs" },
	{ ".opencode", "opencode: its configuration names programs" },
	{ "opencode.json", "opencode: its configuration names programs" },
	{ "opencode.jsonc", "opencode: its configuration names programs" },
	{ ".bot-bottle", "bottle: agents that are offered here" },
	{ ".npmrc", "npm: registry, and the programs that it runs" },
	{ ".yarnrc", "yarn: names the program to run instead" },
	{ ".yarnrc.yml", "yarn: names the program to run instead" },
	{ ".yarn", "yarn: plugins and the program itself" },
	{ ".pnpmfile.cjs", "pnpm: run at install" },
	{ ".pnpmfile.mjs", "pnpm: run at install" },
	{ "bunfig.toml", "bun: run before whatever is started here" },
	{ ".bundle", "bundler: its configuration and plugins" },
	{ ".cargo", "cargo: wrappers and runners" },
	{ ".mvn", "maven: extensions and the wrapper" },
	{ ".sbtopts", "sbt: options of the java that it starts" },
	{ ".jvmopts", "sbt: options of the java that it starts" },
	{ ".mill-jvm-opts", "mill: options of the java that it starts" },
	{ ".bazelrc", "bazel: options that name programs" },
	{ ".bazelversion", "bazelisk: whose bazel it fetches and runs" },
	{ ".bazeliskrc", "bazelisk: from where it fetches the bazel that it runs" },
	{ ".pants.bootstrap", "pants: run by its launcher" },
	{ "ansible.cfg", "ansible: names plugins and programs" },
	{ ".latexmkrc", "latexmk: run before it does anything" },
	{ "latexmkrc", "latexmk: run before it does anything" },
	/* Linters, which editors run by themselves on what is opened. */
	{ ".flake8", "flake8: plugins that it loads" },
	{ ".pylintrc", "pylint: run before it looks at anything" },
	{ "pylintrc", "pylint: run before it looks at anything" },
	{ "mypy.ini", "mypy: plugins that it loads" },
	{ ".mypy.ini", "mypy: plugins that it loads" },
	{ ".rubocop.yml", "rubocop: what it loads" },
	{ ".github", "runs in the forge with the repository's rights" },
	{ ".gitlab-ci.yml", "runs in the forge with the repository's rights" },
	{ ".gitea", "runs in the forge with the repository's rights" },
	{ ".forgejo", "runs in the forge with the repository's rights" },
	{ ".woodpecker", "runs in the forge with the repository's rights" },
	{ ".woodpecker.*", "runs in the forge with the repository's rights" },
	{ ".drone.*", "runs in the forge with the repository's rights" },
	{ ".travis.yml", "runs in the forge with the repository's rights" },
	{ ".cirrus.*", "runs in the forge with the repository's rights" },
	{ ".buildkite", "runs in the forge with the repository's rights" },
	{ ".semaphore", "runs in the forge with the repository's rights" },
	{ ".tekton", "runs in the forge with the repository's rights" },
	{ ".harness", "runs in the forge with the repository's rights" },
	{ ".builds", "runs in the forge with the repository's rights" },
	{ ".build.yml", "runs in the forge with the repository's rights" },
	{ "azure-pipelines.yml", "runs in the forge with the repository's rights" },
	{ "bitbucket-pipelines.yml", "runs in the forge with the repository's rights" },
	{ "appveyor.yml", "runs in the forge with the repository's rights" },
	{ ".appveyor.yml", "runs in the forge with the repository's rights" },
	{ "jenkinsfile", "runs in the forge with the repository's rights" },
	{ ".circleci", "runs in the forge with the repository's rights" },
	{ "desktop.ini", "Windows Explorer obeys it" },
	{ "*.desktop", "desktops start the program that it names" },
	{ ".sl", "sapling: its configuration names hooks and extensions" },
	{ ".bzr", "bazaar: its configuration names programs" },
	{ "_darcs", "darcs: its preferences name hooks" },
	{ ".pijul", "pijul: its configuration names hooks" },
	{ ".fslckout", "fossil: where its repository is, whose settings name programs" },
	{ "_fossil_", "fossil: where its repository is, whose settings name programs" },
	{ ".p4config", "perforce: may name a program to connect through" },
	{ ".repo", "repo: its own program" },
	{ ".gclient", "gclient: run by each of its commands" },
	{ ".west", "west: where its commands come from" },
	{ ".arcconfig", "arcanist: libraries that it loads" },
	{ ".reviewboardrc", "rbt: run by each of its commands" },
	{ ".lazygit.yml", "lazygit: names pagers and commands" },
	{ ".mise.local.toml", "mise: hooks and tasks run when the directory is entered" },
	{ "mise.local.toml", "mise: hooks and tasks run when the directory is entered" },
	{ ".autoenv", "autoenv: run by the shell when the directory is entered" },
	{ ".autoenv_leave.zsh", "autoenv: run by the shell when the directory is left" },
	{ ".bash_aliases", "the shell runs it" },
	{ ".zlogout", "the shell runs it" },
	{ ".kshrc", "the shell runs it" },
	{ ".cshrc", "the shell runs it" },
	{ ".tcshrc", "the shell runs it" },
	{ ".helix", "Helix: language servers and formatters" },
	{ ".lapce", "Lapce: its settings name programs" },
	{ ".nova", "Nova: tasks" },
	{ ".bsp", "editors of Scala and others: build servers that they start" },
	{ "buildserver.json", "editors of Swift: a build server that they start" },
	{ ".sourcekit-lsp", "editors of Swift: programs that their server runs" },
	{ ".bloop", "editors of Scala: compilers that their server loads" },
	{ ".lsp", "editors of Clojure: commands that their server runs" },
	{ ".luarc.json", "editors of Lua: a plugin that their server runs" },
	{ ".luarc.jsonc", "editors of Lua: a plugin that their server runs" },
	{ "omnisharp.json", "editors of C#: libraries that their server loads" },
	{ "rust-analyzer.toml", "editors of Rust: commands that their server runs" },
	{ ".merlin", "editors of OCaml: preprocessors that they run" },
	{ ".hie-bios", "editors of Haskell: a program that they run" },
	{ "hie.yaml", "editors of Haskell: a program that they run" },
	{ ".continue", "Continue: configuration that is run" },
	{ ".roo", "Roo Code: servers that it starts" },
	{ ".kiro", "Kiro: hooks and servers" },
	{ ".amazonq", "Amazon Q: servers that it starts" },
	{ ".qwen", "Qwen Code: settings that name programs" },
	{ ".crush.json", "Crush: servers that it starts" },
	{ "crush.json", "Crush: servers that it starts" },
	{ ".continuerc.json", "Continue: its configuration names programs" },
	{ ".kilocode", "Kilo Code: servers that it starts" },
	{ ".clinerules", "Cline: hooks" },
	{ ".junie", "Junie: servers that it starts" },
	{ ".trae", "Trae: servers that it starts" },
	{ ".factory", "Droid: hooks and servers" },
	{ ".vibe", "Mistral Vibe: servers that it starts" },
	{ ".openhands", "OpenHands: run when it starts here" },
	{ ".pi", "pi: extensions that it loads" },
	{ ".amp", "Amp: servers that it starts" },
	{ "gptme.toml", "gptme: commands that it runs" },
	/* Interpreters and debuggers that run a file of the directory in which they are started. */
	{ ".rprofile", "R: run when started here" },
	{ ".renviron", "R: names what it runs when started here" },
	{ ".rdata", "R: loaded when started here, and may run what it holds" },
	{ ".ghci", "GHCi: run when started here" },
	{ ".ghcid", "ghcid: the command that it runs" },
	{ ".pdbrc", "pdb: run when started here" },
	{ ".pdbrc.py", "pdb++: run when started here" },
	{ ".irbrc", "irb: run when started here" },
	{ "irb.rc", "irb: run when started here" },
	{ "_irbrc", "irb: run when started here" },
	{ ".pryrc", "pry: run when started here" },
	{ ".byebugrc", "byebug: run when started here" },
	{ ".rdbgrc", "Ruby's debugger: run when started here" },
	{ ".iex.exs", "IEx: run when started here" },
	{ ".erlang", "Erlang: run when started here" },
	{ ".ocamlinit", "OCaml: run when started here" },
	{ ".octaverc", "Octave: run when started here" },
	{ "startup.m", "Octave, MATLAB: run when started here" },
	{ ".perldb", "Perl's debugger: run when started here" },
	{ ".scilab", "Scilab: run when started here" },
	{ "scilab.ini", "Scilab: run when started here" },
	{ ".psysh.php", "PsySH: run when started here" },
	{ "profile.do", "Stata: run when started here" },
	{ "autoexec.sas", "SAS: run when started here" },
	{ "jupyter_config.*", "Jupyter: run when started here" },
	{ "jupyter_server_config.*", "Jupyter: run when started here" },
	{ "jupyter_notebook_config.*", "Jupyter: run when started here" },
	{ "jupyter_lab_config.*", "Jupyter: run when started here" },
	{ "jupyter_console_config.*", "Jupyter: run when started here" },
	{ "jupyter_qtconsole_config.*", "Jupyter: run when started here" },
	{ "jupyter_nbconvert_config.*", "Jupyter: run when started here" },
};

/* Inside a repository the list is the other way round: only what holds history passes, and
 * only under its exact name. */
static const struct {
	const char *name;
	bool tree;
} history[] = {
	{ "HEAD", false },       { "ORIG_HEAD", false },   { "FETCH_HEAD", false },
	{ "MERGE_HEAD", false }, { "MERGE_MSG", false },   { "COMMIT_EDITMSG", false },
	{ "index", false },      { "packed-refs", false }, { "objects", true },
	{ "refs", true },        { "logs", true },
};

static const char git_reason[] = "git: hooks, configuration or pointers of a repository";

const char *workspace_executable_in_repository(const char *rest)
{
	size_t n = strcspn(rest, "/");

	/* The directory itself is only a directory. */
	if (rest[0] == '\0')
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(history); i++) {
		if (strlen(history[i].name) != n || strncmp(history[i].name, rest, n) != 0)
			continue;
		/* objects/info points to the objects of other repositories. */
		if (str_starts(rest, "objects/info/"))
			return git_reason;
		return history[i].tree || rest[n] == '\0' ? NULL : git_reason;
	}
	return git_reason;
}

static const char *judge_component(const char *folded)
{
	for (size_t i = 0; i < ARRAY_LEN(obeyed); i++) {
		const char *name = obeyed[i].name;
		size_t n = strlen(name);
		if (name[0] == '*'     ? str_ends(folded, name + 1) :
		    name[n - 1] == '*' ? strncmp(folded, name, n - 1) == 0 :
		                         str_is(folded, name))
			return obeyed[i].why;
	}
	return NULL;
}

/* .git, as it is spelled and as NTFS shortens it. */
static bool is_repository_name(const char *folded)
{
	return str_is(folded, ".git") || (str_starts(folded, "git~") && strlen(folded) == 5);
}

const char *workspace_executable(const char *path)
{
	own_str struct str folded = STR_INIT;

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		const char *rest = p[n] ? p + n + 1 : p + n;

		str_reset(&folded);
		letters_fold(&folded, p, n);
		const char *why = judge_component(str_c(&folded));
		if (why)
			return why;
		if (is_repository_name(str_c(&folded))) {
			/* A .git that is no directory points to a repository elsewhere. */
			bool plain = p[n] == '/' && n == 4 && strncmp(p, ".git", 4) == 0;
			why = plain ? workspace_executable_in_repository(rest) : git_reason;
			if (why)
				return why;
		}
		p = rest;
	}
	return NULL;
}

static bool holds_name(int dir, const struct strv *also, const char *name)
{
	own_str struct str folded = STR_INIT;
	struct stat st;

	if (dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	for (size_t i = 0; also && i < also->n; i++) {
		str_reset(&folded);
		letters_fold(&folded, also->v[i], strlen(also->v[i]));
		if (strcasecmp(str_c(&folded), name) == 0)
			return true;
	}
	return false;
}

/* With a commondir the rest lies wherever that says. Without one git asks for refs as well, but those
 * may follow; HEAD with nothing but refs is what any .git/logs holds, and with nothing but config a
 * pair of plain words. */
bool workspace_is_repository(int dir, const struct strv *also)
{
	return holds_name(dir, also, "HEAD") &&
	       (holds_name(dir, also, "commondir") || holds_name(dir, also, "objects"));
}

bool workspace_excluded_anywhere(const struct strv *globs, const char *name)
{
	for (size_t i = 0; globs && i < globs->n; i++)
		if (!strchr(globs->v[i], '/') && fnmatch(globs->v[i], name, 0) == 0)
			return true;
	return false;
}

bool workspace_excluded(const struct strv *globs, const char *path)
{
	if (!globs || globs->n == 0)
		return false;
	own_mem char *part = xstrdup(path);
	/* Each directory above it, and the path itself. */
	for (char *p = part, *name = part;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char end = *p;
		*p = '\0';
		for (size_t i = 0; i < globs->n; i++) {
			const char *glob = globs->v[i];
			if (strchr(glob, '/') ? fnmatch(glob + (glob[0] == '/'), part, FNM_PATHNAME) == 0 :
			                        fnmatch(glob, name, 0) == 0)
				return true;
		}
		if (end == '\0')
			return false;
		*p = '/';
		name = p + 1;
	}
}
