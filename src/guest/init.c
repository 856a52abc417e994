/* Process 1 of a cage. It starts what the keeper asks for, passes terminals out, reaps, and
 * ends with the keeper: when its socket closes it leaves, and the kernel kills whatever else
 * is in the pid namespace. It reads nothing but that socket. */
#include "guest/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/program.h"
#include "proto/init.h"
#include "base/banned.h"

struct running {
	uint32_t id;
	pid_t pid;
	int terminal;
};

struct init {
	int signals;
	int self; /* our own executable */
	struct running running[INIT_RUNNING_MAX];
	size_t n;
};

static struct running *find(struct init *in, uint32_t id)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->running[i].id == id)
			return &in->running[i];
	return NULL;
}

/* The keeper's end may be full or gone: it is waited for, or the next read tells. */
static void answer(const struct init_msg *m, const int *fds, size_t nfds)
{
	struct err ignored = ERR_INIT;

	init_msg_send(INIT_SOCKET, m, fds, nfds, &ignored);
}

static void answer_failed(uint32_t id, int sys, const char *text)
{
	const struct init_msg m = { .kind = INIT_FAILED, .id = id, .sys = sys, .text = (char *)text };

	answer(&m, NULL, 0);
}

/* False: what runs in here has used up what may be on its way, and the terminal has not been taken. */
static bool hand_out(uint32_t id, const struct program *p, struct err *err)
{
	const struct init_msg started = {
		.kind = INIT_STARTED, .id = id, .pid = (int)p->pid, .has_terminal = p->terminal >= 0
	};

	return init_msg_send(INIT_SOCKET, &started, &p->terminal, p->terminal >= 0, err) == 0 ||
	       p->terminal < 0;
}

static void run(struct init *in, const struct init_msg *m, const struct msg *packet)
{
	struct program p = PROGRAM_INIT;
	struct err err = ERR_INIT;

	if (find(in, m->id)) {
		answer_failed(m->id, EEXIST, "a program with this id is running");
		return;
	}
	if (in->n == INIT_RUNNING_MAX) {
		answer_failed(m->id, EAGAIN, "too many programs are running");
		return;
	}
	if (program_start(&m->run, packet->fds, in->self, &p, &err) != 0) {
		answer_failed(m->id, err.sys, err.text);
		return;
	}
	if (!hand_out(m->id, &p, &err)) {
		/* Nobody would see it run, or type to it. */
		kill(-p.pid, SIGKILL);
		fd_drop(&p.terminal);
		answer_failed(m->id, err.sys, err.text);
		return;
	}
	in->running[in->n++] = (struct running){ m->id, p.pid, p.terminal };
}

static void obey(struct init *in, const struct init_msg *m, const struct msg *packet)
{
	struct running *r = m->kind == INIT_RUN ? NULL : find(in, m->id);

	/* What ended in the meantime is not there: no answer, the keeper has its INIT_EXITED. */
	if (m->kind == INIT_RUN) {
		run(in, m, packet);
	} else if (m->kind == INIT_SIGNAL && r) {
		kill(-r->pid, m->signal);
	} else if (m->kind == INIT_RESIZE && r && r->terminal >= 0) {
		const struct winsize size = { .ws_row = m->rows, .ws_col = m->columns };
		ioctl(r->terminal, TIOCSWINSZ, &size);
	}
}

/* 0: the keeper is gone, or says what it never says. */
static int listen_to_keeper(struct init *in)
{
	own_msg struct msg packet = MSG_INIT;
	own_init_msg struct init_msg m = INIT_MSG_INIT;
	struct err err = ERR_INIT;

	if (msg_recv(INIT_SOCKET, &packet, &err) != 1 ||
	    init_msg_decode(packet.bytes.data, packet.bytes.len, packet.nfds, &m, &err) != 0)
		return 0;
	obey(in, &m, &packet);
	return 1;
}

static void reap(struct init *in)
{
	struct signalfd_siginfo ignored;
	int status;

	while (read(in->signals, &ignored, sizeof ignored) > 0)
		;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		for (size_t i = 0; i < in->n; i++) {
			if (in->running[i].pid != pid)
				continue;
			const struct init_msg m = { .kind = INIT_EXITED,
				                    .id = in->running[i].id,
				                    .status = status };
			fd_drop(&in->running[i].terminal);
			in->running[i] = in->running[--in->n];
			answer(&m, NULL, 0);
			break;
		}
	}
}

static int prepare(struct init *in)
{
	sigset_t all;

	/* Before anything else runs here: what runs later has the same id, and must not be able to
	 * attach to us, read our memory or take our socket. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -1;
	if (fcntl(INIT_SOCKET, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	/* Blocked, not ignored: a signal from inside is queued and discarded, never acted on. */
	sigfillset(&all);
	if (sigprocmask(SIG_BLOCK, &all, NULL) != 0)
		return -1;
	in->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	in->self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	return in->signals < 0 || in->self < 0 ? -1 : 0;
}

int guest_init(int argc, char **argv)
{
	static struct init in;
	const struct init_msg ready = { .kind = INIT_READY };

	(void)argv;
	if (argc != 1 || prepare(&in) != 0)
		return guest_fail(GUEST_FAILED, "init: %s", strerror(errno));
	answer(&ready, NULL, 0);
	struct pollfd from[] = { { .fd = INIT_SOCKET, .events = POLLIN },
		                 { .fd = in.signals, .events = POLLIN } };
	for (;;) {
		if (poll(from, ARRAY_LEN(from), -1) < 0 && errno != EINTR)
			return GUEST_FAILED;
		if (from[1].revents)
			reap(&in);
		if (from[0].revents && !listen_to_keeper(&in))
			return 0; /* and with process 1 everything */
	}
}
