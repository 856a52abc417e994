#pragma once
/* The plan of a bottle: all that a launch decides before it acquires anything, as values.
 * plan_make() turns a manifest, the command line and what was found on the host into one and
 * makes no system call; `start --dry-run` prints it, the record stores it, and `resume`
 * replays it. No secret is in it: it says where each comes from. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "backend/closure.h"
#include "manifest/config.h"
#include "manifest/manifest.h"

/* A variable of the guest whose value is written in the manifest. {placeholder} stands in it
 * for what the launch makes. */
struct plan_env {
	char *name, *value;
};

/* A variable of the guest whose value is asked for or taken from the host at each launch. */
struct plan_secret {
	char *name;
	bool ask;        /* else @reference is the host's variable */
	char *reference; /* the variable, or the message to ask with ("": the name) */
};

enum plan_source { PLAN_VARIABLE, PLAN_FILE, PLAN_CREDENTIAL, PLAN_CODEX };

/* What the gateway puts into requests of one route. */
struct plan_credential {
	char *host;
	unsigned long port;
	unsigned long scheme; /* enum egress_scheme */
	char *header;         /* "" unless the scheme is a header */
	unsigned long source; /* enum plan_source */
	char *reference;
	char *placeholder; /* its form; {random} is filled in at each launch */
	bool provider;     /* {placeholder} in the provider's files and variables is this one */
};

struct plan_file {
	char *path, *content;
	bool executable;
}; /* below the guest's home */
struct plan_skill {
	char *name, *path;
}; /* a directory on the host */
struct plan_host {
	char *name, *address;
};

struct plan {
	char *name;          /* the slug begins with it */
	char *agent, *label; /* NULL: none */
	struct strv bottles;
	char *backend, *bundle;
	struct strv command; /* what runs, with its arguments */
	bool headless, detach, remove_at_end;
	char *workspace;              /* absolute, without links; NULL: none */
	char *workspace_inode;        /* which directory that was (base/known.h) */
	unsigned long workspace_mode; /* enum manifest_workspace */
	struct strv workspace_exclude;
	struct strv tools;
	struct strv tools_real; /* where each led, without links */
	struct strv path;       /* directories of the guest's PATH */
	struct plan_env *env;
	size_t nenv;
	struct plan_secret *secrets;
	size_t nsecrets;
	struct plan_credential *credentials;
	size_t ncredentials;
	struct strv ca_env; /* variables beyond the usual ones that get the CA bundle's path */
	struct plan_file *files;
	size_t nfiles;
	struct plan_skill *skills;
	size_t nskills;
	char *skills_dir;           /* below the guest's home; NULL: none */
	char *git_name, *git_email; /* NULL: not set */
	unsigned long cpus, memory_mib, disk_gib, pids;
	bool cpus_given, memory_mib_given, disk_gib_given, pids_given;
	char *image;          /* NULL: the backend's default */
	char *image_hash;     /* SHA-256 of what became of it, once a launch found that out */
	char *image_cache;    /* the cache directory; NULL: there is no image */
	char *smolvm;         /* the smolvm command on the host; NULL: not looked for */
	char *routes;         /* the canonical document */
	unsigned long log;    /* enum manifest_log */
	char *upstream_proxy; /* NULL: none */
	struct strv extra_ca, resolver;
	struct plan_host *hosts;
	size_t nhosts;
	/* Bounds of the gateway, as in the host's configuration. */
	unsigned long head_bytes, headers, head_ms, idle_ms, total_ms, connect_ms;
	unsigned long connections, pool, pool_ms, decoded_bytes, frame_bytes, audit_queue;
	unsigned long audit_mib; /* of the bottle's audit log */
	/* Of the docker bundle. */
	char *docker_program, *docker_host;               /* NULL: none was found; the usual socket */
	char *lease_first, *lease_last, *lease_directory; /* directory NULL: the usual places */
	struct strv unlimited;                            /* resources that run without a limit here */
	char *term;                                       /* the caller's TERM; NULL: none */
};
/* clang-format off */
#define PLAN_INIT { 0 }
/* clang-format on */
void plan_clear(struct plan *p);
#define own_plan __attribute__((cleanup(plan_clear)))

/* The command line's part. Strings are borrowed. */
struct plan_options {
	const char *backend, *bundle, *label, *prompt, *workspace; /* workspace: absolute */
	const struct strv *command;                                /* NULL: the provider's */
	bool headless, detach, remove_at_end;
};

/* What was found on the host; borrowed. */
struct plan_facts {
	const char *program; /* where the provider's command stands; NULL: nowhere */
	const char *home;    /* of the operator; NULL: unknown */
	const char *skills;  /* directory of skills; NULL: none */
	const char *term;
	const char *smolvm;                       /* on PATH; NULL: not there, or not needed */
	const char *cache;                        /* the cache directory */
	const char *docker_program, *docker_host; /* NULL: none, not set */
	const struct closure *closure;            /* NULL: none */
};

/* @manifest NULL: a bare command without a manifest, which reaches nothing. The caller fills
 * in `unlimited` after asking the backend, and which directories the paths mean. */
int plan_make(const struct manifest_plan *manifest, const struct host_config *config,
              const struct plan_options *options, const struct plan_facts *facts, struct plan *out,
              struct err *err);

/* Its limits as the manifest has them, and as a backend is asked for them. */
struct manifest_resources plan_wants(const struct plan *p);

/* ERR_INPUT names the member that holds bytes which are not UTF-8: no record could be read back. */
int plan_check_text(const struct plan *p, struct err *err);

/* One descriptor table serves both ways. */
json *plan_to_json(const struct plan *p);
int plan_from_json(const json *j, struct plan *out, struct err *err);
