#pragma once
/* A guest that runs: its init, and the conversation with it. Everything that ever runs inside
 * was asked for here. What comes back over the socket is the guest's word and is checked:
 * nonsense ends the guest. */
#include <stdbool.h>
#include <stdint.h>
#include "base/loop.h"
#include "base/proc.h"
#include "cage/cage.h"
#include "proto/init.h"

enum { GUEST_PROGRAMS_MAX = 64 };

struct guest;
struct machine;

/* One program inside. Embedded in its owner, who keeps it until it has ended; each call comes
 * at most once, and the last one is failed() or exited(). After that it may be used again. */
struct program {
	uint32_t id;                              /* 0: not running */
	uint32_t inside;                          /* its number in the machine; 0: it runs in the cage */
	bool running;                             /* init said so */
	void (*started)(void *arg, int terminal); /* takes the master's descriptor; -1: no terminal */
	void (*failed)(void *arg, int status, const char *why); /* 126 or 127 as a shell has it, else 125 */
	void (*exited)(void *arg, int status);                  /* of waitpid(2) */
	void *arg;
};

struct guest {
	struct proc init;
	int socket;   /* to init; -1: none */
	int starting; /* its cage is still being built: for cage_started(); -1: it runs */
	struct cage_ids ids;
	char *cgroup;            /* its name; NULL: none */
	struct machine *machine; /* of a backend that runs one inside; NULL: none */
	/* Of a machine: a signal for a program in there; NULL where init's own children are all. */
	int (*signal_inside)(struct guest *g, uint32_t number, int signo, struct err *err);
	bool ready, dead;
	struct err why; /* of its death */
	struct loop *loop;
	struct watch on_socket, on_end, on_base_end;
	int base;                                       /* a pidfd, see guest_stands_on(); -1: none */
	void (*died)(void *arg, const struct err *why); /* once; not after guest_close() */
	void *arg;
	uint32_t next_id;
	struct program *programs[GUEST_PROGRAMS_MAX];
	size_t nprograms;
};
/* clang-format off */
#define GUEST_INIT { .init = PROC_INIT, .socket = -1, .starting = -1, .ids = CAGE_IDS_INIT, \
		     .on_socket = WATCH_INIT, .on_end = WATCH_INIT, .on_base_end = WATCH_INIT, .base = -1 }
/* clang-format on */

/* From here on init is listened to; @g->ready becomes true when it has said so. */
int guest_listen(struct guest *g, struct loop *loop, void (*died)(void *arg, const struct err *why),
                 void *arg, struct err *err);

/* The guest is dead when that process has ended, whatever its programs' ends seem to say then: they are
 * its doing. @pidfd becomes the guest's. guest_stands_alone() before an end that is wanted. */
int guest_stands_on(struct guest *g, int pidfd, struct err *err);
void guest_stands_alone(struct guest *g);

/* Asks for a program; @fds stay the caller's. ERR_BUSY: too many run. */
int guest_run(struct guest *g, const struct init_run *run, const int *fds, struct program *p,
              struct err *err);
int guest_signal(struct guest *g, const struct program *p, int signo, struct err *err);
int guest_resize(struct guest *g, const struct program *p, uint16_t rows, uint16_t columns, struct err *err);
/* The owner goes away: nobody is told any more. The program itself is hung up. */
void guest_forget(struct guest *g, struct program *p);

/* Kills init, and with it everything inside, and waits for it. */
void guest_close(struct guest *g);
