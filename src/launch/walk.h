#pragma once
/* An ordered table of steps, walked up one by one and down in reverse. A step counts as begun
 * before its up() runs, so what half an up() left is undone too. The walker knows nothing of
 * bottles. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct step {
	const char *name; /* the progress line: verb first */
	int (*up)(void *arg, struct err *err);
	void (*down)(void *arg);   /* can't fail; safe after half an up(); NULL: nothing to undo */
	bool (*wanted)(void *arg); /* NULL: always; false: the row does nothing here */
};

struct walk {
	const struct step *steps;
	size_t nsteps;
	size_t begun; /* rows whose up() was entered, or passed over */
	void (*told)(void *arg, const char *name, bool down); /* NULL: nobody listens */
};

/* Every wanted row in order, until one fails: then that error. The caller walks down. */
int walk_up(struct walk *w, void *arg, struct err *err);
/* Every begun row in reverse. Nothing is begun afterwards, so twice is fine. */
void walk_down(struct walk *w, void *arg);
