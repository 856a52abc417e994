#pragma once
/* The host's own configuration: /etc/bot-bottle/config.json, then the user's; the later
 * wins field by field, `hosts` name by name. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/own.h"

struct host_config_host {
	char *name;    /* canonical DNS name */
	char *address; /* IPv4 or IPv6 literal */
};

struct host_config_leases {
	char *first, *last; /* inclusive, within 127.0.0.0/8 */
	char *directory;    /* NULL: the usual places */
};

/* Bounds of the gateway; what each means is told with the field. */
struct host_config_limits {
	unsigned long head_bytes, headers;
	unsigned long head_ms, idle_ms, total_ms, connect_ms, pool_ms;
	unsigned long connections, pool;
	unsigned long decoded_bytes, frame_bytes, audit_queue, audit_mib;
};

struct host_config {
	bool backend_given; /* else "smolmachines" stands here */
	char *backend;
	char *bundle;         /* "embedded" or "docker" */
	char *upstream_proxy; /* http://host:port; NULL: none */
	struct strv extra_ca; /* absolute paths of PEM files */
	struct strv resolver; /* addresses, each with an optional port; empty: the host's */
	struct host_config_host *hosts;
	size_t nhosts;
	struct host_config_leases leases;
	struct host_config_limits limits;
	struct strv providers; /* absolute directories of more provider files */
};
/* clang-format off */
#define HOST_CONFIG_INIT { 0 }
/* clang-format on */
void host_config_clear(struct host_config *config);
#define own_host_config __attribute__((cleanup(host_config_clear)))

/* Each directory may be -1, and a file that is missing is fine; the file is config.json. The
 * names are what errors call the directories. */
int host_config_load(int etc, const char *etc_name, int user, const char *user_name, struct host_config *out,
                     struct err *err);
