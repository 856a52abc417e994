#pragma once
/* A function of ours in a process of its own, for what may make it hang, or end it by a signal:
 * who sent it goes on, and gets its answer, its error, or how it ended. Nothing else comes back:
 * what it changes in memory is its own. */
#include <stddef.h>
#include "base/err.h"
#include "base/proc.h"

enum { ERRAND_ANSWER_MAX = 1024 };

struct errand {
	struct proc proc; /* its pidfd is readable when it has ended */
	int answers;      /* -1: none */
	size_t size;
};
/* clang-format off */
#define ERRAND_INIT { .proc = PROC_INIT, .answers = -1 }
/* clang-format on */

/* @fn gets @arg as it is now, and fills an answer of @size bytes. Of what is open it has the standard
 * streams and @keep (-1: none). */
int errand_start(int (*fn)(void *arg, void *answer, struct err *err), void *arg, size_t size, int keep,
                 struct errand *out, struct err *err);
/* 1: @answer is filled. 0: it has not ended within @ms. -1: its own error, or how it ended. */
int errand_wait(struct errand *e, int ms, void *answer, struct err *err);
void errand_clear(struct errand *e); /* one that still runs is killed */
#define own_errand __attribute__((cleanup(errand_clear)))
