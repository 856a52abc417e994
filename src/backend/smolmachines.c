#include "backend/smolmachines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/limits.h"
#include "base/file.h"
#include "base/msg.h"
#include "manifest/image.h"
#include "smoldb/smoldb.h"
#include "base/banned.h"

enum {
	CPUS_MAX = 64,
	MEMORY_MIN = 256,
	/* What the monitor needs beside the machine's memory and processors: its own heap, the
	 * relay, one smolvm command per program; the disks' pages are given back when it is full. */
	MONITOR_MIB = 512,
	MONITOR_PROCESSES = 1024,
};

/* What the form promises must be there; what is in it is looked at by the launch's own step. */
static int check_image(const char *image, struct err *err)
{
	struct image_name name;
	struct stat st;

	if (!image)
		return 0;
	if (image_name_read(image, &name, err) != 0)
		return fail_in(err, "image");
	if (name.form == IMAGE_IN_DAEMON)
		return 0;
	if (stat(name.rest, &st) != 0)
		return fail_errno(err, "image: %s", name.rest);
	bool directory = S_ISDIR(st.st_mode), file = S_ISREG(st.st_mode);
	if (name.form == IMAGE_DOCKERFILE && !file)
		return fail(err, ERR_INPUT, "image: %s is no file; name the Dockerfile itself", name.rest);
	if (name.form == IMAGE_SMOLMACHINE && !file)
		return fail(err, ERR_INPUT, "image: %s is no file", name.rest);
	return directory || file ?
	               0 :
	               fail(err, ERR_INPUT, "image: %s is neither a directory nor a file", name.rest);
}

static int check(const struct guest_request *r, struct strv *unlimited, struct err *err)
{
	struct smolvm smolvm = { 0 };

	(void)unlimited;
	if (r->tools->n > 0)
		return fail(err, ERR_INPUT,
		            "tools: a machine runs the programs of its image; put them there, or use "
		            "--backend namespace");
	if (r->resources->cpus > CPUS_MAX)
		return fail(err, ERR_INPUT, "resources.cpus: %lu is over %d, the most that a machine gets",
		            r->resources->cpus, CPUS_MAX);
	if (r->resources->memory_mib < MEMORY_MIN)
		return fail(err, ERR_INPUT, "resources.memory_mib: a machine needs %d", MEMORY_MIN);
	if (check_image(r->image, err) != 0)
		return -1;
	if (r->plan_only)
		return 0;
	int rc = smolvm_find(r->smolvm, &smolvm, err);
	smolvm_clear(&smolvm);
	if (rc != 0)
		return -1;
	return machine_device_check(err);
}

/* What a run before this one left is another machine's. */
static int make_state(int dir, struct err *err)
{
	if (dir_remove(dir, MACHINE_DIR, err) != 0)
		return fail_in(err, "the machine of an earlier run");
	if (mkdirat(dir, MACHINE_DIR, 0755) != 0)
		return fail_errno(err, "making " MACHINE_DIR);
	own_fd int fd = openat(dir, MACHINE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 || fchmod(fd, 0755) != 0 ? fail_errno(err, "opening " MACHINE_DIR) : 0;
}

/* Where it stands in the cage, and what the machine's row must say of it. */
static void fill_image(struct machine *m, const struct guest_image *i)
{
	static const char *const places[] = { [GUEST_IMAGE_DIRECTORY] = MACHINE_IMAGE,
		                              [GUEST_IMAGE_ARCHIVE] = MACHINE_ARCHIVE,
		                              [GUEST_IMAGE_PACKED] = MACHINE_PACKED };

	if (!i)
		return;
	m->image = places[i->kind];
	m->kind = i->kind;
	switch (i->kind) {
	case GUEST_IMAGE_DIRECTORY:
		m->image_ref = xstrdup("local-dir:" MACHINE_IMAGE);
		break;
	case GUEST_IMAGE_ARCHIVE:
		/* smolvm hashes what it finds: that it is this one is read back from its row. */
		m->image_ref = xasprintf("local:%s", i->hash);
		break;
	case GUEST_IMAGE_PACKED:
		m->image_ref = xstrdup(i->name);
		m->workdir = i->workdir ? xstrdup(i->workdir) : NULL;
		strv_copy(&m->image_env, i->env);
		break;
	}
}

static int fill(struct machine *m, const struct guest_request *r, struct err *err)
{
	m->dir = r->dir;
	m->name = xasprintf("bot-bottle-%s", r->slug);
	m->resources = *r->resources;
	fill_image(m, r->made);
	const struct smoldb_env env = { .smolvm_data_dir = MACHINE_DIR };
	if (make_state(r->dir, err) != 0)
		return -1;
	return smoldb_path(&env, &m->database, err) != 0 ? -1 : smolvm_find(r->smolvm, &m->smolvm, err);
}

/* The machine's own size is what limits the guest. The group is for a monitor that is somebody
 * else's, so a host that has none is no reason to refuse. */
static int make_group(const struct guest_request *r, struct guest *g, int *out, struct err *err)
{
	const struct manifest_resources *want = r->resources;
	const struct cage_resources around = { (want->memory_mib + MONITOR_MIB) << 20, MONITOR_PROCESSES,
		                               (unsigned)want->cpus + 1 };

	return limits_make(r, &around, 0, g, out, err);
}

static int up(const struct guest_request *r, struct guest *out, int *listeners, struct err *err)
{
	struct machine_profile profile;
	own_fd int group = -1;
	int pair[2];

	out->machine = xcalloc(1, sizeof *out->machine);
	struct tree *tree = &out->machine->tree;
	*tree = (struct tree)TREE_INIT;
	if (fill(out->machine, r, err) != 0 || cage_ids_choose(&out->ids, err) != 0 ||
	    machine_tree(tree, r, out->machine, &out->ids, err) != 0)
		return -1;
	if (make_group(r, out, &group, err) != 0)
		return -1;
	own_fd int program = cage_seal_program(r->program, err);
	if (program < 0)
		return fail_in(err, "the cage's init");
	if (msg_pair(pair, err) != 0)
		return -1;
	own_fd int theirs = pair[1];
	out->socket = pair[0];
	if (fcntl(out->socket, F_SETFL, O_NONBLOCK) != 0)
		return fail_errno(err, "init's socket");
	machine_profile_fill(&profile);
	char *argv[] = { "bottle-guest", "init", NULL };
	const struct proc_fd fds[] = { { theirs, INIT_SOCKET } };
	struct cage_spec spec = {
		.profile = &profile.profile,
		.ids = &out->ids,
		.mounts = tree->rows,
		.nmounts = tree->n,
		.listeners = r->listeners,
		.nlisteners = r->nlisteners,
		.hostname = r->slug,
		.cgroup = group > 0 ? group : 0,
		.exe = program,
		.argv = argv,
		.fds = fds,
		.nfds = ARRAY_LEN(fds),
	};
	if (cage_spawn(&spec, &out->init, listeners, err) != 0)
		return -1;
	tree_attached(tree);
	out->machine->ids = out->ids;
	out->machine->init = out->init.pid;
	out->signal_inside = machine_signal;
	return 0;
}

static void machine_free(struct machine *m)
{
	if (!m)
		return;
	mem_drop(&m->name);
	mem_drop(&m->image_ref);
	mem_drop(&m->workdir);
	strv_clear(&m->image_env);
	mem_drop(&m->database);
	json_drop(&m->given);
	tree_clear(&m->tree);
	smolvm_clear(&m->smolvm);
	free(m);
}

/* With the cage ends whatever was in it; the machine's disks hold nothing that is kept. */
static void down(struct guest *g)
{
	struct err ignored = ERR_INIT;

	guest_close(g);
	limits_remove(g);
	if (g->machine && dir_remove(g->machine->dir, MACHINE_DIR, &ignored) != 0)
		g->why = ignored;
	machine_free(mem_steal(&g->machine));
	cage_ids_clear(&g->ids);
}

/* Through smolvm's exec, which runs it as the machine's root; our runner in there becomes the
 * agent. The secret part of the environment is there already. */
int machine_run(struct guest *g, const struct guest_command *c, struct program *p, struct err *err)
{
	struct machine *m = g->machine;
	own_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	const int given[] = { c->in, c->out, c->err };
	int fds[INIT_FDS_MAX];

	const char *const words[] = { m->smolvm.program,        "machine", "exec", "--name", m->name, "-i",
		                      c->terminal ? "-t" : NULL };
	for (size_t i = 0; i < ARRAY_LEN(words) && words[i]; i++)
		strv_add(&argv, words[i]);
	for (size_t i = 0; c->env && i < c->env->n; i++) {
		strv_add(&argv, "-e");
		strv_add(&argv, c->env->v[i]);
	}
	const char *const enter[] = { "--", MACHINE_GUEST, "enter",
		                      c->directory ? c->directory : GUEST_WORKSPACE };
	for (size_t i = 0; i < ARRAY_LEN(enter); i++)
		strv_add(&argv, enter[i]);
	strv_addf(&argv, "%lu", m->resources.pids);
	strv_addf(&argv, "%u", ++m->programs);
	strv_add(&argv, "--");
	for (size_t i = 0; i < c->argv->n; i++)
		strv_add(&argv, c->self && i == 0 ? MACHINE_GUEST : c->argv->v[i]);
	machine_environment(m, &env);
	struct init_run run = { .terminal = c->terminal,
		                .rows = c->rows,
		                .columns = c->columns,
		                .argv = argv,
		                .env = env,
		                .cwd = (char *)"/",
		                .uid = CAGE_UID,
		                .gid = CAGE_UID };
	for (size_t i = 0; !c->terminal && i < ARRAY_LEN(given); i++) {
		if (given[i] < 0)
			continue;
		fds[run.ntargets] = given[i];
		run.targets[run.ntargets++] = (uint8_t)i;
	}
	p->inside = m->programs;
	return guest_run(g, &run, fds, p, err);
}

const struct backend backend_smolmachines = {
	.name = "smolmachines",
	.isolation = "a microVM (libkrun, through smolvm), its whole monitor in a cage",
	.address = "100.96.0.1",
	.guest_program = MACHINE_GUEST,
	.check = check,
	.up = up,
	.down = down,
	.run = machine_run,
	.create = machine_create,
	.start = machine_start,
	.prepare = machine_prepare,
	.remove = machine_remove,
};
