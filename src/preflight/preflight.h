#pragma once
/* Can this host run a bottle? One table of checks, read-only, each tried for real: `doctor`
 * runs every row, a launch asks for the rows that its backend needs. "Missing" and "no
 * permission" are different failures with different remedies. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

/* What the caller knows and this room does not look up. */
struct preflight_host {
	const char *backend;                 /* "smolmachines", "namespace", "docker" */
	const char *bundle;                  /* "embedded", "docker"; NULL: embedded */
	const char *path;                    /* $PATH; NULL: empty */
	const char *state;                   /* the state directory, which need not exist yet */
	const char *state_fix, *runtime_fix; /* where they can't be used; see registry/paths.h */
	const char *cache;                   /* the cache directory, likewise; NULL: not looked at */
	const char *docker;                  /* $DOCKER_HOST; NULL: the usual socket */
	const char *share;                   /* where our data is installed */
	const char *libexec;                 /* where our programs are; NULL: not looked at */
	const char *runtime; /* the runtime directory, which need not exist yet; NULL: unknown */
	/* Of the configuration; NULL: as there without one. */
	const char *lease_first, *lease_last, *lease_directory;
	bool repos; /* the bottle has git-gate.repos */
};

struct preflight_result {
	const char *name, *why, *fix;
	bool needed; /* by this backend */
	bool ok;
	struct str found; /* what is there; may be empty */
	struct err err;   /* what is wrong and the remedy, where not ok */
};

struct preflight_report {
	struct preflight_result *v;
	size_t n;
	bool able; /* every needed row is ok */
};
/* clang-format off */
#define PREFLIGHT_REPORT_INIT { 0 }
/* clang-format on */
void preflight_report_clear(struct preflight_report *report);
#define own_preflight_report __attribute__((cleanup(preflight_report_clear)))

/* ERR_USAGE: the backend's or bundle's name is not one of ours. */
int preflight_run(const struct preflight_host *host, struct preflight_report *out, struct err *err);

/* The first needed row that fails, as an error that also says which backend would do. Stops
 * there; rows that are not needed are not run. */
int preflight_require(const struct preflight_host *host, struct err *err);

json *preflight_to_json(const struct preflight_report *report, const struct preflight_host *host);

/* The absolute path of a program on @path. ERR_MISSING. The caller frees. */
char *preflight_find_program(const char *path, const char *name, struct err *err);
