#pragma once
/* One path for every sidecar: start it in a cage of its own with its sockets, hand over its
 * configuration, hear when it is ready, take its log and its audit records, see it die, stop
 * it. What it does is its own business. All of it happens in the owner's event loop. */
#include <stdbool.h>
#include "base/loop.h"
#include "base/proc.h"
#include "cage/cage.h"
#include "proto/sidecar.h"

enum { SIDECAR_LISTENERS_MAX = CAGE_LISTENERS_MAX, SIDECAR_STOP_MS = 8000 };

struct sidecar;

/* What the owner is told. No call may free the sidecar. */
struct sidecar_events {
	void (*audit)(void *arg, const char *record); /* the text of one JSON object */
	void (*log)(void *arg, enum log_level level, const char *line);
	/* Once: it ended, or broke the conversation, and is being killed. Not after sidecar_stop(). */
	void (*died)(void *arg, const char *name, const struct err *why);
	/* A message of its own (from SIDECAR_OWN on); -1 ends it. NULL: it has none. */
	int (*own)(void *arg, const struct str *bytes, struct err *err);
};

struct sidecar_listener {
	const char *name; /* in LISTEN_FDNAMES */
	int fd;           /* borrowed: the caller closes its copy after the start */
};

struct sidecar_spec {
	const char *name;
	const char *program; /* absolute path */
	bool host_network;
	const struct sidecar_listener *listeners;
	size_t nlisteners;
	const struct str *config; /* handed over in a sealed file without a name */
	const struct sidecar_events *events;
	void *arg;
};

struct sidecar {
	char *name;
	struct proc proc;
	struct cage_ids ids;
	int control; /* -1: none */
	bool ready, dead;
	struct err why; /* of its death */
	char *state;    /* the JSON text that it told last; NULL: none */
	struct loop *loop;
	struct watch on_control, on_end;
	const struct sidecar_events *events;
	void *arg;
};
/* clang-format off */
#define SIDECAR_INIT { .proc = PROC_INIT, .control = -1, .ids = CAGE_IDS_INIT, \
		       .on_control = WATCH_INIT, .on_end = WATCH_INIT }
/* clang-format on */

/* Starts it; it is ready when @out->ready is true, or has failed when @out->dead is: the
 * caller runs the loop meanwhile. @out must not move, and must be SIDECAR_INIT. */
int sidecar_start(struct loop *loop, const struct sidecar_spec *spec, struct sidecar *out, struct err *err);

/* New contents of resolv.conf and hosts. */
int sidecar_tell_resolver(struct sidecar *s, const struct str *resolv_conf, const struct str *hosts,
                          struct err *err);

/* SIGTERM, up to SIDECAR_STOP_MS, SIGKILL. What it still said is taken (its last audit
 * records). Can't fail, and is fine on one that never started or is dead. */
void sidecar_stop(struct sidecar *s);
