#pragma once
/* Starting one program for the keeper: its session, its terminal, its descriptors. */
#include <sys/types.h>
#include "proto/init.h"

struct program {
	pid_t pid;
	int terminal; /* the master; -1: none */
};
/* clang-format off */
#define PROGRAM_INIT { 0, -1 }
/* clang-format on */

/* @fds stand beside run->targets. @self is the descriptor of our own executable. Fails with the
 * errno of what could not be done; nothing runs then. */
int program_start(const struct init_run *run, const int *fds, int self, struct program *out, struct err *err);
