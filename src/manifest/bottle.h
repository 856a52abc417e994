#pragma once
/* What a manifest says, typed and with every default filled in. The tables in fields.c
 * describe these structs: they are how text becomes a struct, how a struct is printed, and
 * the reference page. Strings are owned by the struct and never NULL unless said. */
#include <stdbool.h>
#include <stddef.h>
#include "base/own.h"

enum manifest_env_mode {
	MANIFEST_ENV_LITERAL, /* value: as written */
	MANIFEST_ENV_ASK,     /* value: the message for the terminal, may be "" */
	MANIFEST_ENV_HOST,    /* value: the name of the host's variable */
};

struct manifest_env {
	char *name;
	char *written; /* as it stands in the file */
	char *value;   /* see mode */
	enum manifest_env_mode mode;
};

enum manifest_scheme {
	MANIFEST_BEARER,
	MANIFEST_TOKEN,
	MANIFEST_BASIC,
};

enum manifest_token_from {
	MANIFEST_TOKEN_VARIABLE,   /* of the host's environment */
	MANIFEST_TOKEN_FILE,       /* absolute path, or "~/..." */
	MANIFEST_TOKEN_CREDENTIAL, /* systemd: a file of that name in $CREDENTIALS_DIRECTORY */
	MANIFEST_TOKEN_HOST,       /* what the provider's host_credentials hold; provider files only */
};

struct manifest_auth {
	bool scheme_given; /* else header is */
	enum manifest_scheme scheme;
	char *header;    /* NULL: the scheme's Authorization */
	char *token_ref; /* as written */
	enum manifest_token_from from;
	char *token; /* token_ref without its "file:" or "credential:"; a variable's name */
};

enum manifest_match_type {
	MANIFEST_EXACT,
	MANIFEST_REGEX,
	MANIFEST_PREFIX, /* whole path elements; paths only */
};

struct manifest_path {
	enum manifest_match_type type;
	char *value;
};

struct manifest_header {
	char *name; /* lower case */
	enum manifest_match_type type;
	char *value;
};

struct manifest_match {
	struct manifest_path *paths;
	size_t npaths;
	struct strv methods; /* upper case */
	struct manifest_header *headers;
	size_t nheaders;
};

enum manifest_on_match {
	MANIFEST_BLOCK,
	MANIFEST_REDACT,
	MANIFEST_SUPERVISE,
};

struct manifest_dlp {
	bool outbound_given; /* else the default detectors */
	bool outbound_off;
	struct strv outbound_detectors;
	bool inbound_given;
	bool inbound_off;
	struct strv inbound_detectors;
	enum manifest_on_match outbound_on_match;
};

struct manifest_git {
	bool fetch;
};

struct manifest_route {
	char *host; /* canonical: lower case, no trailing dot; "*." in front with wildcard */
	bool wildcard;
	bool port_given; /* else 443, and 80 too when plain */
	unsigned long port;
	bool plain;
	bool auth_given;
	struct manifest_auth auth;
	struct manifest_match *matches; /* none: every request */
	size_t nmatches;
	bool git_given;
	struct manifest_git git;
	bool websocket;
	bool dlp_given;
	struct manifest_dlp dlp;
	bool allow_private;
};

struct manifest_user {
	char *name, *email; /* NULL: not set */
};

enum manifest_key_provider {
	MANIFEST_KEY_STATIC,
	MANIFEST_KEY_GITEA,
	MANIFEST_KEY_GITHUB,
};

struct manifest_key {
	enum manifest_key_provider provider;
	char *path;            /* static, else NULL */
	char *forge_token_env; /* gitea, github, else NULL */
};

struct manifest_push {
	struct strv refs;
	struct strv paths_needing_approval;
};

struct manifest_repo {
	char *name;
	char *url; /* ssh://user@host[:port]/path.git */
	struct manifest_key key;
	char *host_key; /* NULL: nothing is forwarded */
	struct manifest_push push;
};

enum manifest_log {
	MANIFEST_LOG_OFF,
	MANIFEST_LOG_BLOCKS,
	MANIFEST_LOG_ALL,
};

/* A limit that was written must be enforced or refused; a default may go unenforced. */
struct manifest_resources {
	unsigned long cpus, memory_mib, disk_gib, pids;
	bool cpus_given, memory_mib_given, disk_gib_given, pids_given;
};

enum manifest_workspace {
	MANIFEST_WORKSPACE_COPY,
	MANIFEST_WORKSPACE_MOUNT,
	MANIFEST_WORKSPACE_NONE,
};

struct manifest_agent_provider {
	char *template;   /* name of a provider file */
	char *auth_token; /* host variable; NULL: the provider's own default */
	bool forward_host_credentials;
};

struct manifest_egress {
	struct manifest_route *routes;
	size_t nroutes;
	enum manifest_log log;
};

struct manifest_git_gate {
	struct manifest_user user;
	struct manifest_repo *repos;
	size_t nrepos;
};

struct manifest_bottle {
	struct strv extends; /* of a single file; empty once merged */
	struct manifest_env *env;
	size_t nenv;
	struct manifest_agent_provider agent_provider;
	char *image;       /* NULL: the backend's default */
	struct strv tools; /* absolute, or "~/..." */
	struct manifest_egress egress;
	struct manifest_git_gate git_gate;
	struct manifest_resources resources;
	enum manifest_workspace workspace;
	struct strv workspace_exclude;
};

struct manifest_agent_git {
	struct manifest_user user;
};

struct manifest_agent {
	char *bottle; /* NULL: none named */
	struct strv skills;
	struct manifest_agent_git git_gate;
};

/* A provider file: how one kind of agent is found, started and fed. In argument lists and
 * file contents the words {prompt}, {system_prompt}, {placeholder}, {workspace} and {home}
 * stand for what the launch knows; an argument list whose word has no value is left out. */
struct manifest_provider_file {
	char *path; /* in the guest, below {home}: relative */
	char *content;
	bool executable; /* mode 0700, else 0600 */
};

struct manifest_prompt {
	struct strv interactive; /* arguments added for a prompt on a terminal */
	struct strv headless;    /* the same with --headless */
	struct strv system;      /* arguments that carry the agent's body */
};

enum manifest_host_credentials {
	MANIFEST_CREDENTIALS_NONE,
	MANIFEST_CREDENTIALS_CODEX, /* ~/.codex/auth.json, read on the host */
};

struct manifest_provider {
	char *name;          /* the file's */
	char *description;   /* NULL: none */
	struct strv command; /* argv; the first is a name to look for */
	struct strv search;  /* host directories looked at before PATH; absolute or "~/..." */
	char *image;         /* for backends that need one; NULL: none */
	struct manifest_prompt prompt;
	struct manifest_provider_file *files;
	size_t nfiles;
	struct manifest_env *env; /* literals only; {placeholder} allowed */
	size_t nenv;
	struct manifest_route *routes; /* token_ref "{auth_token}" is replaced in a plan */
	size_t nroutes;
	struct strv ca_env; /* variables that get the CA's path, beyond the usual ones */
	char *auth_token;   /* default host variable; NULL: takes none */
	char *placeholder;  /* with {random}: what the guest holds in place of the token; NULL: generic */
	enum manifest_host_credentials host_credentials;
	char *skills_dir; /* in the guest, below {home}; NULL: skills have no place */
};
