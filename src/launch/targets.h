#pragma once
/* The controlled targets of a proof: listeners of ours on the host, outside of the cage, each
 * answering its nonce to whoever comes. */
#include "base/loop.h"
#include "launch/proof.h"

enum { TARGETS_MAX = 8 };

struct target {
	int fd; /* -1: none */
	bool datagram;
	unsigned char nonce[PROBE_NONCE];
	struct watch watch;
};

struct targets {
	struct loop *loop;
	struct target v[TARGETS_MAX];
	size_t n;
	int dir; /* where the path socket stands; borrowed */
};
/* clang-format off */
#define TARGETS_INIT { 0 }
/* clang-format on */

/* Opens them, dials each from here (the positive control: a target that does not answer is
 * an error), adds their rows, and from then on serves them in the loop. @dir: a directory of
 * ours, for the path socket. */
int targets_open(struct targets *t, struct loop *loop, int dir, struct proof *p, struct err *err);
void targets_close(struct targets *t);
#define own_targets __attribute__((cleanup(targets_close)))
