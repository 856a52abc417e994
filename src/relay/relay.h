#pragma once
/* The relay of a bundle (proto/bundle.h): one program, on both sides of the container's wall.
 *
 *	guest -> [listener  OUTER  dial + token] -> docker -> [token?  INNER  dial] -> sidecar
 *	keeper <-> control socket  OUTER <-> frames on the container's stdio <-> INNER <-> control socket
 *
 * It understands no byte of what it carries but the token and the frames' heads. */
#include <netinet/in.h>
#include <stdbool.h>
#include "base/loop.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/str.h"
#include "proto/bundle.h"

enum {
	RELAY_JOINTS = 1024,     /* connections at once */
	RELAY_PIECE = 32 * 1024, /* bytes waiting in one direction of a connection */
	RELAY_TOKEN_MS = 5000,   /* for the token to arrive */
	RELAY_STRANGERS = 64,    /* connections at once that have not shown it */
	RELAY_TRIES = 40,        /* outer: dials of one connection until one is welcome */
	RELAY_AGAIN_MS = 50,     /* outer: between them */
	RELAY_ANSWER_MS = 500,   /* outer: for the first one's answer; doubled each time, to RELAY_TOKEN_MS */
};

struct relay;

/* One end of a connection, and what waits to be written to it. */
struct side {
	int fd;
	struct watch watch;
	bool ended; /* nothing more comes from it */
	bool shut;  /* nothing more goes to it */
	unsigned char *waiting;
	size_t at, n;
};

struct joint {
	struct relay *relay;
	struct side sides[2]; /* who came, whom we dialled */
	struct timer deadline;
	bool stranger;  /* inner: the token has not come yet */
	unsigned tries; /* outer: dials so far */
	unsigned char preamble[BUNDLE_PREAMBLE];
	size_t got; /* of the preamble; outer: what was sent of it */
	struct joint *before, *after;
};

struct entrance {
	struct relay *relay;
	int fd;
	struct watch watch;
	struct timer starved; /* set: nothing is accepted for want of descriptors or memory */
	unsigned number;
};

struct relay {
	struct loop loop;
	struct bundle_config config;
	struct entrance entrances[BUNDLE_LISTENERS];
	size_t nentrances;
	struct sockaddr_in targets[BUNDLE_LISTENERS]; /* inner: the sidecar's own listeners */
	struct joint *joints;
	size_t njoints, nstrangers;
	uint64_t turned_away; /* inner: connections without the token; outer: that were never welcome */

	/* Frames: what was read and not acted on, what waits to be written. */
	int from, to; /* the same socket, outside; stdin and stdout, inside */
	struct watch on_from, on_to;
	struct str in, out;
	int control; /* to the keeper outside, to the sidecar inside */
	struct watch on_control;
	int signals;
	struct watch on_signal;
	bool stopping;
	int status; /* of the program */
};

/* joint.c: takes over @fd. */
void joint_carry(struct relay *r, int fd, unsigned number); /* outer: dial docker, say the token */
void joint_ask(struct relay *r, int fd);                    /* inner: hear the token, dial the sidecar */
void joints_clear(struct relay *r);

/* frames.c */
int frames_watch(struct relay *r, void (*on_from)(void *arg, uint32_t events), struct err *err);
/* Reads once: 1, 0 at the end, -1. What came is added to r->in. */
int frames_read(struct relay *r, struct err *err);
/* Queues a frame, and writes what can be written now. */
int frames_send(struct relay *r, enum bundle_frame kind, const struct str *bytes, struct err *err);
/* Forwards every whole message in r->in to the control socket. */
int frames_deliver(struct relay *r, struct err *err);
/* One message of the control socket, as a frame. 0: the other side is gone. */
int frames_forward(struct relay *r, struct err *err);
/* What still waits is written now, however long that takes. */
void frames_finish(struct relay *r);

/* outer.c, inner.c: set up, enter the cage, run. -1 with @err: told to whom it concerns. */
int outer_run(struct relay *r, struct err *err);
int inner_run(struct relay *r, struct err *err);

/* profile.c */
int relay_confine(bool contained, struct err *err);

/* A connection, or -1: none now, or none for a while. */
int relay_take(struct entrance *e);

int relay_accept_on(struct relay *r, int fd, unsigned number, void (*fn)(void *arg, uint32_t events),
                    struct err *err);
