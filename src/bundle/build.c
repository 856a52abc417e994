/* Images for a guest: asked for, built, saved. None of a bottle's secrets is near: the
 * environment is empty, and no build argument is given. */
#include "bundle/docker_run.h"

#include <string.h>
#include <sys/resource.h>

#include "base/banned.h"

/* One name per Dockerfile, so that a new build takes the old one's place in docker's list. */
#define TAG "bot-bottle-image"

static bool is_id(const char *text)
{
	return strlen(text) == SHA256_TEXT - 1 && strspn(text, "0123456789abcdef") == SHA256_TEXT - 1;
}

int docker_image_id(const struct docker *d, const char *reference, char out[SHA256_TEXT], struct err *err)
{
	const char *const args[] = { "image", "inspect", "--format={{.Id}}", reference, NULL };
	own_str struct str text = STR_INIT;
	own_str struct str said = STR_INIT;
	int status = docker_run(d, args, DOCKER_MS, &text, &said, err);

	if (status < 0)
		return -1;
	if (status != 0 && strstr(str_c(&said), "No such image"))
		return fail(err, ERR_MISSING, "docker has no image %.200s; docker pull it, or build it",
		            reference);
	if (status != 0)
		return docker_explain(d, "image inspect", status, &said, err);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	const char *id = str_starts(str_c(&text), "sha256:") ? text.data + strlen("sha256:") : str_c(&text);
	if (!is_id(id))
		return fail(err, ERR_INPUT, "docker names image %.200s by no sha256 id", reference);
	memcpy(out, id, SHA256_TEXT);
	return 0;
}

static int spawn(const struct docker *d, const struct strv *argv, char *const *env, const struct proc_fd *fds,
                 size_t nfds, int (*child)(void *arg, struct err *err), void *arg, struct proc *out,
                 struct err *err)
{
	const struct proc_spec spec = { .path = d->program,
		                        .argv = argv->v,
		                        .env = env,
		                        .fds = fds,
		                        .nfds = nfds,
		                        .child = child,
		                        .arg = arg,
		                        .die_with_parent = true };

	return docker_check(d, err) == 0 ? proc_spawn(&spec, out, err) : -1;
}

int docker_build(const struct docker *d, const char *config, const char *file, const char *id, int words,
                 struct proc *out, struct err *err)
{
	const char *host = d->host ? d->host : DOCKER_SOCKET;
	const char *slash = strrchr(file, '/');
	own_mem char *context = slash && slash > file ? xstrndup(file, (size_t)(slash - file)) : xstrdup("/");
	char name[SHA256_TEXT];
	own_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	const struct proc_fd fds[] = { { words, 1 }, { words, 2 } };

	sha256_text(file, strlen(file), name);
	own_mem char *tag = xasprintf(TAG ":%.16s", name);
	const char *const args[] = { "docker", "--config", config, "--host", host, "build", "--iidfile",
		                     id,       "--tag",    tag,    "--file", file, context };
	for (size_t i = 0; i < ARRAY_LEN(args); i++)
		strv_add(&argv, args[i]);
	/* What a builder writes for itself goes where the rest of it goes. */
	strv_setenv(&env, "HOME", config);
	strv_setenv(&env, "BUILDKIT_PROGRESS", "plain");
	strv_setenv(&env, "DOCKER_CLI_HINTS", "false");
	return spawn(d, &argv, env.v, fds, ARRAY_LEN(fds), NULL, NULL, out, err);
}

static int bound(void *arg, struct err *err)
{
	const uint64_t *most = arg;
	const struct rlimit limit = { *most, *most };

	return setrlimit(RLIMIT_FSIZE, &limit) == 0 ? 0 : fail_errno(err, "setrlimit");
}

int docker_save(const struct docker *d, const char *id, int to, uint64_t most, int words, struct proc *out,
                struct err *err)
{
	own_mem char *name = xasprintf("sha256:%s", id);
	const char *const args[] = { "save", name, NULL };
	const struct proc_fd fds[] = { { to, 1 }, { words, 2 } };
	own_strv struct strv argv = STRV_INIT;

	docker_arguments(d, args, &argv);
	return spawn(d, &argv, NULL, fds, ARRAY_LEN(fds), bound, &most, out, err);
}
