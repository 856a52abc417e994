#pragma once
/* Running the guest: one row per backend, chosen by name from one array, and never by
 * fallback. A backend refuses what it can't honour, naming the manifest's field. It starts no
 * sidecar, leases nothing and knows no record: it is handed a request and gives back a guest,
 * whose init starts whatever runs inside (backend/guest.h). */
#include <stdbool.h>
#include "base/err.h"
#include "base/own.h"
#include "backend/guest.h"
#include "cage/cage.h"
#include "manifest/bottle.h"

#define GUEST_HOME	"/home/agent"
#define GUEST_WORKSPACE	"/workspace"
#define GUEST_CA	"/etc/bot-bottle/ca.pem"
#define GUEST_CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* Below the bottle's directory: what the keeper writes for the guest to read, while it runs. */
#define GUEST_ETC_DIR	"etc"
#define GUEST_ETC_CA	"ca.pem"
#define GUEST_ETC_CA_BUNDLE "ca-certificates.crt"

struct guest_request {
	const char *slug;
	const char *program;		/* our static guest program, on the host */
	const char *image;		/* NULL: the backend's default */
	const struct strv *tools;	/* absolute */
	const char *operator_home;	/* of whom we run for; NULL: unknown */
	enum manifest_workspace workspace;
	const char *workspace_path;	/* NULL with MANIFEST_WORKSPACE_NONE */
	const struct strv *hidden;	/* paths below the workspace that the guest does not see */
	const struct strv *obeyed;	/* those that a tool of the host would run or obey: read-only in a mount */
	const struct manifest_resources *resources;
	int dir;			/* the bottle's directory: "home", "workspace/{upper,work}", "etc" */
	const char *hosts;		/* contents of the guest's hosts file */
	const struct cage_listener *listeners;	/* made inside, given out */
	size_t nlisteners;
};

struct backend {
	const char *name;
	const char *isolation;		/* one line for the summary */
	const char *address;		/* of the sidecars, as the guest sees them */
	/* Before anything is acquired (dir, hosts and listeners are not set yet): refuses, or adds
	 * to @unlimited the names of resources that run without a limit. */
	int (*check)(const struct guest_request *r, struct strv *unlimited, struct err *err);
	/* Namespaces, tree, init started. @listeners takes the sockets in the request's order. */
	int (*up)(const struct guest_request *r, struct guest *out, int *listeners, struct err *err);
	void (*down)(struct guest *g);	/* safe after half an up() */
};

extern const struct backend backend_namespace;

/* ERR_MISSING names those that there are. */
int backend_find(const char *name, const struct backend **out, struct err *err);
