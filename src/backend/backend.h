#pragma once
/* Running the guest: one row per backend, chosen by name from one array, and never by
 * fallback. A backend refuses what it can't honour, naming the manifest's field. It starts no
 * sidecar, leases nothing and knows no record: it is handed a request and gives back a guest,
 * whose init starts whatever runs inside (backend/guest.h). */
#include <stdbool.h>
#include "base/err.h"
#include "base/loop.h"
#include "base/own.h"
#include "base/str.h"
#include "backend/closure.h"
#include "backend/guest.h"
#include "cage/cage.h"
#include "manifest/bottle.h"

#define GUEST_HOME      "/home/agent"
#define GUEST_WORKSPACE "/workspace"
#define GUEST_CA        "/etc/bot-bottle/ca.pem"
#define GUEST_CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* Below the bottle's directory: what the keeper writes for the guest to read, while it runs. */
#define GUEST_ETC_DIR "etc"
/* Below the same: what a machine consists of while it exists. Removed whole, it is gone. */
#define GUEST_MACHINE_DIR "smolvm"
/* And the slug: the control group that the guest's processes are in, where one is delegated. */
#define GUEST_GROUP         "bot-bottle-"
#define GUEST_ETC_CA        "ca.pem"
#define GUEST_ETC_CA_BUNDLE "ca-certificates.crt"

/* What a guest is made of, once it stands on disk. */
enum guest_image_kind {
	GUEST_IMAGE_DIRECTORY, /* a rootfs */
	GUEST_IMAGE_ARCHIVE,   /* as docker save writes it */
	GUEST_IMAGE_PACKED,    /* a .smolmachine */
};
struct guest_image {
	enum guest_image_kind kind;
	const char *path; /* absolute, on the host */
	bool cached;      /* ours, and closed to others: the guest's cage reads it as its own */
	const char *hash; /* SHA-256 of an archive, as hex text */
	/* What a packed one brings. */
	const char *name;
	const char *workdir;    /* NULL: none */
	const struct strv *env; /* NAME=value */
};

struct guest_request {
	const char *slug;
	const char *program; /* our static guest program, on the host */
	const char *smolvm;  /* the smolvm command, for the backend that needs it; NULL: not found */
	bool plan_only;      /* of check(): what this host lacks for it is no matter */
	const char *image;   /* as in the manifest; NULL: the backend's default */
	const struct guest_image *made; /* of up(): what became of @image; NULL: none */
	const struct strv *tools;       /* absolute */
	const struct strv *tools_real;  /* where each of them leads, without links; NULL: as they are */
	const struct closure *closure;  /* programs for a host without /usr; NULL: the host's own alone */
	const char *operator_home;      /* of whom we run for; NULL: unknown */
	enum manifest_workspace workspace;
	const char *workspace_path; /* without links; NULL with MANIFEST_WORKSPACE_NONE */
	int workspace_dir;          /* of up(): the same, held: it was looked through, and it is mounted */
	bool removed_at_end;        /* what the guest changes there goes with the bottle */
	const struct strv *hidden;  /* paths below the workspace that the guest does not see */
	const struct strv *placed;  /* those of them that are hidden where they stand, and nowhere else */
	const struct strv *obeyed; /* those that a tool of the host would run or obey: read-only in a mount */
	const struct manifest_resources *resources;
	int dir;           /* the bottle's directory: "home", "workspace/{upper,work}", "etc" */
	const char *hosts; /* contents of the guest's hosts file */
	const struct cage_listener *listeners; /* made inside, given out */
	size_t nlisteners;
};

/* A program for the agent, in the guest. Without a terminal @in, @out and @err are its
 * descriptors (borrowed, -1: /dev/null). */
struct guest_command {
	bool self; /* @argv is for the guest program itself, which gets no secrets */
	const struct strv *argv;
	const struct strv *env;     /* all of it but the secret part */
	const struct strv *secrets; /* NAME=value: never in an argument list, a file or a database */
	const char *directory;
	bool terminal;
	uint16_t rows, columns;
	int in, out, err;
};

/* How a backend's step waits: the owner's loop goes on. Ends early when the owner is interrupted. */
struct guest_waiting {
	struct loop *loop;
	int (*wait)(void *arg, const bool *done, int ms, const char *what, struct err *err);
	void *arg;
};

struct backend {
	const char *name;
	const char *isolation;     /* one line for the summary */
	const char *address;       /* of the sidecars, as the guest sees them */
	const char *guest_program; /* with create(): where the guest finds our guest program */
	/* Adds the names of resources that have no limit on this host, whatever a manifest says. NULL:
	 * all have one. */
	void (*unlimited)(struct strv *out);
	/* Before anything is acquired (dir, hosts and listeners are not set yet): refuses, or adds
	 * to @unlimited the names of resources that run without a limit. */
	int (*check)(const struct guest_request *r, struct strv *unlimited, struct err *err);
	/* Namespaces, tree, init started. @listeners takes the sockets in the request's order. */
	int (*up)(const struct guest_request *r, struct guest *out, int *listeners, struct err *err);
	void (*down)(struct guest *g); /* safe after half an up() */
	int (*run)(struct guest *g, const struct guest_command *c, struct program *p, struct err *err);
	/* Of a backend whose guest is a machine inside the cage; NULL where the cage is the guest.
	 * create() declares it and verifies that; start() boots it and verifies that again;
	 * prepare() makes a home for the agent in it; remove() can't fail and notes what it could
	 * not do. */
	int (*create)(struct guest *g, const struct guest_waiting *w, struct err *err);
	int (*start)(struct guest *g, const struct guest_waiting *w, struct err *err);
	int (*prepare)(struct guest *g, const struct guest_waiting *w, const struct strv *secrets,
	               struct err *err);
	void (*remove)(struct guest *g, const struct guest_waiting *w, struct str *trouble);
};

extern const struct backend backend_namespace, backend_smolmachines;

/* ERR_MISSING names those that there are. */
int backend_find(const char *name, const struct backend **out, struct err *err);
