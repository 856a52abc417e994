/* The bare cage: everything between "start" and the end of /bin/true inside, without a keeper,
 * sidecars or proof. Prints one line per round in microseconds; peers run beside it in
 * tests/bench. Usage: cage_true GUEST [ROUNDS [PROGRAM ARGUMENT...]] */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "backend/namespace.h"
#include "cage/cage.h"
#include "proto/init.h"

static const struct cage_mount rows[] = {
	{ CAGE_BIND, "/usr", .source = "/usr", .flags = CAGE_READ_ONLY },
	{ CAGE_LINK, "/bin", .source = "usr/bin" },
	{ CAGE_LINK, "/sbin", .source = "usr/sbin" },
	{ CAGE_LINK, "/lib", .source = "usr/lib" },
	{ CAGE_LINK, "/lib64", .source = "usr/lib64" },
	{ CAGE_PROC, .target = "/proc" },
	{ CAGE_TMPFS, .target = "/dev", .mode = 0755 },
	{ CAGE_BIND, "/dev/null", .source = "/dev/null", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/zero", .source = "/dev/zero", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/urandom", .source = "/dev/urandom", .flags = CAGE_DEVICE },
	{ CAGE_BIND, "/dev/tty", .source = "/dev/tty", .flags = CAGE_DEVICE },
	{ CAGE_DEVPTS, .target = "/dev/pts" },
	{ CAGE_TMPFS, .target = "/tmp", .mode = 01777 },
	{ CAGE_DIR, .target = "/home/agent" },
	{ CAGE_FILE, .target = "/etc/passwd", .content = "agent:x:1000:1000::/home/agent:/bin/sh\n" },
};

static int hear(int fd, enum init_kind kind, struct init_msg *m, struct msg *packet, struct err *err)
{
	if (msg_recv(fd, packet, err) != 1)
		return fail(err, ERR_SYSTEM, "init is gone");
	if (init_msg_decode(packet->bytes.data, packet->bytes.len, packet->nfds, m, err) != 0)
		return -1;
	return m->kind == kind ? 0 :
	                         fail(err, ERR_SYSTEM, "init says %d: %s", m->kind, m->text ? m->text : "");
}

static int once(int program, char **argv, int *status, struct err *err)
{
	own_cage_ids struct cage_ids ids = CAGE_IDS_INIT;
	own_proc struct proc init = PROC_INIT;
	static struct guest_profile profile;
	static const struct cage_listener listener = { 9099, 16 };
	char *const init_argv[] = { "bottle-guest", "init", NULL };
	int pair[2], listening[1];

	if (!profile.profile.name)
		guest_profile_fill(&profile, 4096);
	if (cage_ids_choose(&ids, err) != 0 || msg_pair(pair, err) != 0)
		return -1;
	own_fd int ours = pair[0];
	own_fd int theirs = pair[1];
	const struct proc_fd fds[] = { { theirs, INIT_SOCKET }, { 2, 2 } };
	const struct cage_spec spec = { .profile = &profile.profile,
		                        .ids = &ids,
		                        .mounts = rows,
		                        .nmounts = ARRAY_LEN(rows),
		                        .listeners = &listener,
		                        .nlisteners = 1,
		                        .exe = program,
		                        .argv = init_argv,
		                        .fds = fds,
		                        .nfds = ARRAY_LEN(fds) };
	if (cage_spawn(&spec, &init, listening, err) != 0)
		return -1;
	own_fd int listener_fd = listening[0];
	(void)listener_fd;
	fd_drop(&theirs);
	own_msg struct msg packet = MSG_INIT;
	own_init_msg struct init_msg ready = INIT_MSG_INIT, started = INIT_MSG_INIT, ended = INIT_MSG_INIT;
	own_init_msg struct init_msg run = {
		.kind = INIT_RUN,
		.id = 1,
		.run = { .uid = CAGE_UID, .gid = CAGE_UID, .targets = { 0, 1, 2 }, .ntargets = 3 }
	};
	for (char **a = argv; *a; a++)
		strv_add(&run.run.argv, *a);
	strv_add(&run.run.env, "PATH=/usr/bin:/bin");
	run.run.cwd = xstrdup("/");
	const int std[] = { 0, 1, 2 };
	if (hear(ours, INIT_READY, &ready, &packet, err) != 0 ||
	    init_msg_send(ours, &run, std, 3, err) != 0 ||
	    hear(ours, INIT_STARTED, &started, &packet, err) != 0 ||
	    hear(ours, INIT_EXITED, &ended, &packet, err) != 0)
		return -1;
	*status = proc_exit_code(ended.status);
	return 0;
}

int main(int argc, char **argv)
{
	char *true_argv[] = { "/usr/bin/true", NULL };
	struct err err = ERR_INIT;
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1, status = 0;
	own_fd int program = argc > 1 ? cage_seal_program(argv[1], &err) : -1;

	if (program < 0) {
		fprintf(stderr, "cage_true GUEST [ROUNDS [PROGRAM ARGUMENT...]]: %s\n", err.text);
		return 2;
	}
	for (int i = 0; i < rounds; i++) {
		uint64_t from = clock_us();
		if (once(program, argc > 3 ? argv + 3 : true_argv, &status, &err) != 0) {
			fprintf(stderr, "cage_true: %s\n", err.text);
			return 1;
		}
		if (argc <= 3)
			printf("%llu\n", (unsigned long long)(clock_us() - from));
	}
	return status;
}
