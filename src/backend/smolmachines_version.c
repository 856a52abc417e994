/* `smolvm --version` before there is a bottle: in a cage made for this one question, which holds
 * smolvm and nothing of anybody's, and goes with the answer. */
#include "backend/smolmachines.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

enum { ANSWER_MAX = 4096 };

static int spawn(const struct machine *m, const struct cage_ids *ids, int to, struct proc *out,
                 struct err *err)
{
	own_tree struct tree tree = TREE_INIT;
	own_strv struct strv env = STRV_INIT;
	struct machine_profile profile;
	char *argv[] = { m->smolvm.program, "--version", NULL };
	const struct proc_fd fds[] = { { to, STDOUT_FILENO } };

	if (machine_tree_of_smolvm(&tree, m, ids, err) != 0)
		return -1;
	/* Where it would keep its state. */
	tree_add(&tree, (struct cage_mount){ CAGE_TMPFS, MACHINE_STATE, .mode = 01777, .size = 1 << 20,
	                                     .flags = CAGE_NOEXEC });
	machine_profile_fill(&profile);
	machine_environment(m, &env);
	const struct cage_spec spec = {
		.profile = &profile.profile,
		.ids = ids,
		.mounts = tree.rows,
		.nmounts = tree.n,
		.path = m->smolvm.program,
		.argv = argv,
		.env = env.v,
		.fds = fds,
		.nfds = ARRAY_LEN(fds),
	};
	return cage_spawn(&spec, out, NULL, err);
}

int machine_ask_version(const struct smolvm *smolvm, int ms, struct str *out, struct err *err)
{
	const struct machine m = { .smolvm = *smolvm };
	own_cage_ids struct cage_ids ids = CAGE_IDS_INIT;
	own_proc struct proc proc = PROC_INIT;
	char answer[ANSWER_MAX];
	int ends[2], status;

	if (cage_ids_choose(&ids, err) != 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return fail_errno(err, "pipe");
	own_fd int from = ends[0];
	own_fd int to = ends[1];
	if (spawn(&m, &ids, to, &proc, err) != 0)
		return fail_in(err, "a cage for `smolvm --version`");
	fd_drop(&to);
	/* Not read before it has ended: what a pipe does not hold is no version. */
	int ended = proc_wait_for(&proc, ms, &status, err);
	if (ended < 0)
		return -1;
	if (ended == 0)
		return fail(err, ERR_BUSY, "`smolvm --version` did not end within %d ms", ms);
	ssize_t n = read(from, answer, sizeof answer);
	if (n < 0)
		return fail_errno(err, "reading what smolvm says");
	str_addn(out, answer, (size_t)n);
	return proc_exit_code(status);
}
