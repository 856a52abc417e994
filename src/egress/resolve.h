#pragma once
/* Names to addresses without blocking: fixed names, the host's hosts file, then DNS. No file
 * is read here; what the host's files say is handed in, again when they change. */
#include <stdbool.h>
#include <stddef.h>
#include "base/loop.h"
#include "proto/egress.h"

enum { RESOLVE_MAX = 16 };

struct address {
	unsigned char bytes[16];
	size_t n; /* 4 or 16 */
};

struct addresses {
	size_t n;
	struct address at[RESOLVE_MAX];
};

struct resolver;

/* @config's texts are copied. Reads what c-ares wants to read of the system: before the cage. */
int resolver_new(struct loop *loop, const struct egress_config *config, struct resolver **out,
                 struct err *err);
void resolver_free(struct resolver *r);
/* Lookups under way begin again with what is known now, also after a failure. */
int resolver_update(struct resolver *r, const char *resolv_conf, const char *hosts, struct err *err);

/* One question, embedded in its owner, who cancels before it goes away. Those for one name share
 * what is asked of the servers, which goes on when nobody waits for it any more. */
struct lookup {
	struct query *query;                                  /* NULL: none under way */
	struct lookup *next;                                  /* for the same name */
	void (*fn)(void *arg, const struct addresses *found); /* NULL: the name has none, or no answer came */
	void *arg;
};
/* @fn may be called before this returns. */
void resolve_name(struct resolver *r, const char *name, struct lookup *lookup,
                  void (*fn)(void *arg, const struct addresses *found), void *arg);
void lookup_cancel(struct lookup *lookup);

/* Lines of hosts(5): adds the addresses of @name. True: it stands there. */
bool hosts_find(const char *text, const char *name, struct addresses *out);
/* The servers of a resolv.conf(5), as "address,address"; names and options do not count. */
void resolv_conf_servers(const char *text, struct str *out);
