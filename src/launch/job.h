#pragma once
/* A program that runs beside the keeper's loop and is waited for: its words come line by line,
 * and whatever turns the launch round ends it. */
#include "base/proc.h"
#include "launch/launch.h"

struct job {
	struct proc proc;
	struct loop *loop;
	struct watch on_words, on_end;
	int words; /* our end of the pipe; -1: closed */
	bool ended;
	struct str line;                           /* that is not whole yet */
	struct str last;                           /* the last one that was not empty */
	void (*said)(void *arg, const char *line); /* escaped; NULL: nobody listens */
	void *arg;
};
/* clang-format off */
#define JOB_INIT { .proc = PROC_INIT, .on_words = WATCH_INIT, .on_end = WATCH_INIT, .words = -1 }
/* clang-format on */
void job_clear(struct job *j); /* what still runs is ended */
#define own_job __attribute__((cleanup(job_clear)))

/* Where its words go: the caller closes @theirs once the program was started. */
int job_open(struct job *j, int *theirs, struct err *err);
/* After @j->proc was started: its exit status, when it has ended and said all. */
int job_wait(struct launch *l, struct job *j, int ms, const char *what, struct err *err);
