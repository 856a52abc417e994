/* Runs a program in the guest's cage, as the namespace backend makes it, and ends with its
 * status: what the tests of this directory are run through.
 *
 *	enter [-w WORKSPACE] [-m] [-x HIDDEN]... [-o OBEYED]... [-e MEANWHILE] [-s SMOLVM]
 *	      PROGRAM [ARGUMENT...]
 *
 * -w the workspace (copy; -m: mount), -x a path in it that must not be visible, -o one that stays
 * read-only in a mount, -e what a shell does when the workspace has been opened and is not mounted
 * yet, -t run it on a terminal. -s the cage of a machine's monitor instead, around the smolvm that
 * is named; there something answers on 127.0.0.1:9099. The bottle's directory is a temporary one,
 * removed at the end. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/file.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/str.h"

struct options {
	struct guest_request request;
	struct strv hidden, obeyed, tools;
	const char *meanwhile;
	struct manifest_resources resources;
	bool terminal;
	const struct backend *backend;
	char **argv;
};

static const struct cage_listener gateway[] = { { 9099, 8 } };

/* Stands for the sidecars. It ends with us. */
static void answer_on(int listener)
{
	pid_t parent = getpid();

	if (listener < 0 || fork() != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent) {
		own_fd int peer = accept(listener, NULL, NULL);
		if (peer < 0 || write(peer, "gateway\n", 8) != 8)
			break;
	}
	_exit(0);
}

static int read_options(int argc, char **argv, struct options *o)
{
	for (int c; (c = getopt(argc, argv, "+w:mx:o:e:ts:")) != -1;) {
		switch (c) {
		case 'w':
			o->request.workspace = o->request.workspace == MANIFEST_WORKSPACE_MOUNT ?
			                               MANIFEST_WORKSPACE_MOUNT :
			                               MANIFEST_WORKSPACE_COPY;
			o->request.workspace_path = optarg;
			break;
		case 'm':
			o->request.workspace = MANIFEST_WORKSPACE_MOUNT;
			break;
		case 'x':
			strv_add(&o->hidden, optarg);
			break;
		case 'o':
			strv_add(&o->obeyed, optarg);
			break;
		case 'e':
			o->meanwhile = optarg;
			break;
		case 't':
			o->terminal = true;
			break;
		case 's':
			o->backend = &backend_smolmachines;
			o->request.smolvm = optarg;
			o->request.listeners = gateway;
			o->request.nlisteners = ARRAY_LEN(gateway);
			break;
		default:
			return -1;
		}
	}
	o->argv = argv + optind;
	return optind < argc ? 0 : -1;
}

/* The next message; 0 when init is gone. The socket is the backend's, and non-blocking. */
static int hear(int fd, struct init_msg *m, struct msg *packet, struct err *err)
{
	struct pollfd from = { .fd = fd, .events = POLLIN };

	if (poll(&from, 1, 60 * 1000) != 1)
		return fail(err, ERR_SYSTEM, "init says nothing");
	if (msg_recv(fd, packet, err) != 1)
		return fail(err, ERR_SYSTEM, "init is gone");
	init_msg_clear(m);
	return init_msg_decode(packet->bytes.data, packet->bytes.len, packet->nfds, m, err);
}

/* Shows what a terminal says until its other side is closed. */
static void show_terminal(int master)
{
	char bytes[4096];
	struct err ignored = ERR_INIT;

	for (ssize_t n; (n = read(master, bytes, sizeof bytes)) > 0;)
		file_write_all(1, bytes, (size_t)n, &ignored);
}

static int run(struct guest *g, const struct options *o, int *status, struct err *err)
{
	const int std[] = { 0, 1, 2 };
	own_msg struct msg packet = MSG_INIT;
	own_init_msg struct init_msg m = INIT_MSG_INIT;
	own_init_msg struct init_msg ask = { .kind = INIT_RUN,
		                             .id = 1,
		                             .run = { .uid = CAGE_UID,
		                                      .gid = CAGE_UID,
		                                      .terminal = o->terminal,
		                                      .rows = 24,
		                                      .columns = 80,
		                                      .targets = { 0, 1, 2 },
		                                      .ntargets = o->terminal ? 0 : 3 } };

	for (char **a = o->argv; *a; a++)
		strv_add(&ask.run.argv, *a);
	strv_add(&ask.run.env, "PATH=/usr/local/bin:/usr/bin:/bin");
	strv_add(&ask.run.env, "LANG=C.UTF-8");
	if (o->request.smolvm)
		strv_add(&ask.run.env, "LD_LIBRARY_PATH=/opt/smolvm/lib");
	else
		strv_add(&ask.run.env, "HOME=" GUEST_HOME);
	ask.run.cwd = xstrdup(o->request.smolvm ? "/" : GUEST_HOME);
	if (g->starting >= 0 && cage_started(&g->starting, err) != 0)
		return -1;
	if (hear(g->socket, &m, &packet, err) != 0 ||
	    init_msg_send(g->socket, &ask, std, ask.run.ntargets, err) != 0 ||
	    hear(g->socket, &m, &packet, err) != 0)
		return -1;
	if (m.kind != INIT_STARTED)
		return fail(err, ERR_MISSING, "%s", m.text ? m.text : "it did not start");
	own_fd int master = m.has_terminal ? msg_take_fd(&packet, 0) : -1;
	if (master >= 0)
		show_terminal(master);
	if (hear(g->socket, &m, &packet, err) != 0)
		return -1;
	*status = proc_exit_code(m.status);
	return 0;
}

static int make_places(int dir, struct err *err)
{
	static const char *const places[] = { "home", "workspace", "workspace/upper", "workspace/work",
		                              "etc" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (mkdirat(dir, places[i], 0700) != 0)
			return fail_errno(err, "%s", places[i]);
	return 0;
}

/* The workspace is held from here on; whatever its names lead to by the time it is mounted. */
static int open_workspace(const struct options *o, struct err *err)
{
	const char *path = o->request.workspace_path;
	int fd = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : 0, status;

	if (fd < 0)
		return fail_errno(err, "%s", path);
	pid_t pid = o->meanwhile ? fork() : 0;
	if (o->meanwhile && pid == 0)
		_exit(execl("/bin/sh", "sh", "-c", o->meanwhile, (char *)NULL));
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
		return fail(err, ERR_SYSTEM, "what was to happen meanwhile ended with %d", status);
	return fd;
}

int main(int argc, char **argv)
{
	char name[] = "/tmp/enter-XXXXXX";
	struct err err = ERR_INIT;
	struct options o = { .resources = { .pids = 512, .memory_mib = 1024, .cpus = 1 },
		             .backend = &backend_namespace };
	struct guest guest = GUEST_INIT;
	int status = 125, listener = -1;
	const char *program = secure_getenv("GUEST");

	o.request = (struct guest_request){ .slug = "test",
		                            .program = program,
		                            .tools = &o.tools,
		                            .hidden = &o.hidden,
		                            .obeyed = &o.obeyed,
		                            .workspace = MANIFEST_WORKSPACE_NONE,
		                            .resources = &o.resources,
		                            .hosts = "127.0.0.1 localhost\n" };
	if (!program || read_options(argc, argv, &o) != 0) {
		fprintf(stderr,
		        "GUEST=bottle-guest enter [-t] [-w DIR] [-m] [-x HIDDEN]... [-o OBEYED]... [-e MEANWHILE] "
		        "[-s SMOLVM] PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	if (!mkdtemp(name))
		return 125;
	own_fd int dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	o.request.dir = dir;
	int rc = make_places(dir, &err);
	o.request.workspace_dir = rc == 0 ? open_workspace(&o, &err) : -1;
	rc = o.request.workspace_dir < 0 ? -1 : rc;
	if (rc == 0)
		rc = o.backend->up(&o.request, &guest, &listener, &err);
	answer_on(listener);
	if (rc != 0 || run(&guest, &o, &status, &err) != 0)
		fprintf(stderr, "enter: %s: %s\n", err_kind_name(err.kind), err.text);
	o.backend->down(&guest);
	dir_remove(AT_FDCWD, name, &err);
	strv_clear(&o.hidden);
	strv_clear(&o.obeyed);
	return status;
}
