#pragma once
/* One launch: the table of steps.c, walked up to a bottle that runs and down to nothing. It
 * works inside its owner's event loop: a step that waits runs the loop, and whatever turns
 * the launch round (a signal, the caller's death, a sidecar's, the guest's) calls
 * launch_interrupt() from there, so that the wait ends with that reason. */
#include <stdbool.h>
#include "backend/backend.h"
#include "base/loop.h"
#include "base/secret.h"
#include "bundle/docker.h"
#include "image/image.h"
#include "launch/look.h"
#include "launch/plan.h"
#include "launch/walk.h"
#include "registry/registry.h"
#include "sidecar/sidecar.h"

/* From libexec to what is installed as data. */
#define LAUNCH_SHARE "../../share/bot-bottle"

enum { LAUNCH_LISTENERS = 3, LAUNCH_NONCE_TEXT = 33, LAUNCH_WAIT_MS = 8000 };

/* Values that the CLI gathered: of plan.secrets and plan.credentials, in their order. */
struct launch_secrets {
	struct secret *env;
	size_t nenv;
	struct secret *credentials;
	size_t ncredentials;
};
/* clang-format off */
#define LAUNCH_SECRETS_INIT { 0 }
/* clang-format on */
void launch_secrets_clear(struct launch_secrets *s);
/* Of both, those for the gateway: once it has them. */
void launch_credentials_clear(struct launch_secrets *s);
#define own_launch_secrets __attribute__((cleanup(launch_secrets_clear)))
/* For the way to the keeper, through memory that has no name. */
void launch_secrets_encode(const struct launch_secrets *s, struct str *out);
int launch_secrets_decode(const struct str *bytes, struct launch_secrets *out, struct err *err);

struct launch_events {
	void (*step)(void *arg, const char *name, bool down);
	void (*note)(void *arg, const char *text);
	/* The bottle's directory is there: the audit log can be opened in it. */
	int (*opened)(void *arg, int dir, struct err *err);
	int (*audit)(void *arg, const json *record, struct err *err);
	/* The record is about to be written for the last time: it names all of the audit log. @on_disk:
	 * what a crash of the host must not undo; where it could not be brought to the disk the record names
	 * as much as it did. */
	int (*claim)(void *arg, bool on_disk, struct err *err);
	void (*log)(void *arg, enum log_level level, const char *line);
	/* After launch_up(): a sidecar or the guest ended by itself. Everything must go down. */
	void (*lost)(void *arg, const struct err *why);
};

/* What docker was to make. */
struct docker_made {
	enum docker_thing kind;
	char *name;  /* journalled, and to be removed; NULL: none */
	char *asked; /* as it is journalled while docker has not answered; NULL: it has */
};

/* Of the docker bundle. */
struct launch_docker {
	struct docker docker;
	int leases; /* directory of the locks; -1: none */
	struct pool_taken taken;
	struct lease lease;
	struct subnet subnet;
	struct docker_made network, container;
	struct proc attached; /* docker, carrying the container's streams */
};
/* clang-format off */
#define LAUNCH_DOCKER_INIT { .leases = -1, .lease = LEASE_INIT, .attached = PROC_INIT, \
	.network = { .kind = DOCKER_NETWORK }, .container = { .kind = DOCKER_CONTAINER } }
/* clang-format on */

struct launch {
	/* Given by the owner before launch_up(); borrowed. */
	struct loop *loop;
	const struct plan *plan;
	const json *plan_json;
	struct launch_secrets *secrets;
	const struct launch_events *events;
	void *arg;
	int bottles; /* directory of the registry */
	int runtime; /* directory of sockets, and of the user's own leases */
	const char *libexec;
	const char *slug; /* resume: of the record that is there; NULL: a new bottle */

	/* Of the steps. */
	struct walk walk;
	bool is_up;
	struct err interrupted; /* kind ERR_NONE: not */
	struct record record;
	int dir;              /* of the bottle; -1: none */
	struct proc settling; /* brings the new record to the disk meanwhile */
	struct image image;   /* path NULL: none was wanted */
	char *image_work;     /* its scratch directory, journalled; NULL: none */
	const struct backend *backend;
	char *group; /* the control group in the record; NULL: none is delegated */
	struct guest guest;
	int listeners[LAUNCH_LISTENERS];
	struct look look;       /* the workspace, held while the cage stands */
	struct closure closure; /* the programs that the guest sees, where the host has a list */
	struct sidecar gateway;
	struct launch_docker docker;
	char *ca;                      /* the bottle's CA certificate, PEM; NULL: not told yet */
	struct str bundle;             /* PEM of everything that the guest trusts */
	char nonce[LAUNCH_NONCE_TEXT]; /* what the gateway's self-test answers */
	char *canary;
	struct strv placeholders;      /* of plan.credentials, in their order */
	struct str resolv_conf, hosts; /* as the gateway was told last */
	uint64_t refused;              /* requests that the gateway refused */
	bool agent_ran;
	int exit_status; /* of the agent, as a shell reports it; -1: none */
};
/* clang-format off */
#define LAUNCH_INIT { .record = RECORD_INIT, .dir = -1, .settling = PROC_INIT, .guest = GUEST_INIT, \
		      .gateway = SIDECAR_INIT, .look = LOOK_INIT, \
		      .docker = LAUNCH_DOCKER_INIT, .image = IMAGE_INIT, .runtime = -1, \
		      .listeners = { -1, -1, -1 }, .exit_status = -1, .bottles = -1 }
/* clang-format on */

/* Everything but the agent itself. On failure the caller calls launch_down() too. */
int launch_up(struct launch *l, struct err *err);
/* Undoes what was begun, in reverse. @why: what ended it; NULL or kind ERR_NONE: nothing was wrong. */
void launch_down(struct launch *l, const struct err *why);
/* The launch turns round at its next wait. The first reason counts. */
void launch_interrupt(struct launch *l, const struct err *why);
/* Runs the loop until *@done, or one of: interrupted, @ms over (ERR_UNCONFINED, naming @what). */
int launch_wait(struct launch *l, const bool *done, int ms, const char *what, struct err *err);

/* The sidecars run in a container of docker's, where the host's resolver is another. */
bool launch_in_docker(const struct launch *l);
/* What stands in resolv.conf there: docker's own resolver, which passes on to the host's. */
#define LAUNCH_DOCKER_RESOLVER "nameserver 127.0.0.11\n"

/* What names are resolved by, as the gateway gets it; a file that is not there is empty. Of a big hosts
 * file those lines that a route, or the upstream proxy, can ask for. */
int launch_read_resolv_conf(const struct launch *l, struct str *out, struct err *err);
int launch_read_hosts(const struct launch *l, struct str *out, struct err *err);

/* The record's own fields changed. Saved, it is on the disk when this returns: before what a
 * crash of the host would not end is acquired, and at the end. Placed, every process sees it,
 * and nothing waits for the disk: states of this life, counts, the head of the audit log. */
int launch_save(struct launch *l, struct err *err);
int launch_place(struct launch *l, struct err *err);

/* Environment of what runs inside. What is secret goes apart: it travels over a descriptor. */
void launch_environment(const struct launch *l, struct strv *out, struct strv *secret);

/* Something to run in the bottle, as the agent's user. */
struct launch_command {
	const struct strv *argv;
	bool self;              /* argv is for the guest program itself, which gets no secrets */
	const struct strv *env; /* NAME=value, added to the bottle's; NULL: none */
	const char *directory;  /* NULL: the workspace */
	bool terminal;
	uint16_t rows, columns;
	int in, out, err; /* without a terminal; borrowed, -1: /dev/null */
};
int launch_run(struct launch *l, const struct launch_command *c, struct program *p, struct err *err);
