#pragma once
/* Docker, as a program that is run: what a bundle needs of it and nothing more. Every call has
 * a deadline and bounds, and an environment that is empty: the daemon is the one that the
 * configuration names, and no login, context or plugin of the caller's is used. What docker
 * prints is shown escaped. Where docker did not answer at all, @err has sys ETIMEDOUT: what it was
 * asked for may still be done. The room starts no sidecar and knows no bottle. */
#include <net/if.h>
#include <stdbool.h>
#include "base/err.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/str.h"
#include "pool/pool.h"

#define DOCKER_SOCKET "unix:///var/run/docker.sock"
enum {
	DOCKER_MS = 20000,
	DOCKER_SLOW_MS = 60000,
	DOCKER_OUTPUT = 4 << 20,
	DOCKER_IMAGE_MAX = 256 << 20,
	DOCKER_MAY_COME_S = 600
};

struct docker {
	const char *program; /* absolute; NULL: none was found */
	const char *host;    /* unix:///PATH; NULL: DOCKER_SOCKET */
};

/* ERR_INPUT: another kind of host than a local socket. ERR_MISSING: no program. */
int docker_check(const struct docker *d, struct err *err);

/* What the daemon answers when it is asked for its version. */
int docker_version(const struct docker *d, struct str *out, struct err *err);

/* Addresses that containers of bottles publish, also those that are created and not running. */
int docker_published(const struct docker *d, struct pool_taken *out, struct err *err);

/* An image's name follows from its archive's content, so an older one is never taken for it.
 * The caller frees @out. ERR_MISSING: no archive. */
int docker_image_name(const char *archive, char **out, struct err *err);
/* 1: the daemon has it; 0: not; -1. */
int docker_has_image(const struct docker *d, const char *name, struct err *err);
/* The image of this archive, made if the daemon hasn't got it. The caller frees @out. */
int docker_image(const struct docker *d, const char *archive, char **out, struct err *err);

/* The id (64 hex digits) of an image that the daemon has. ERR_MISSING: it has none of that name. */
int docker_image_id(const struct docker *d, const char *reference, char out[SHA256_TEXT], struct err *err);

/* docker build of @file, in its own directory, and docker save, as processes that run beside the
 * caller. The first gets a configuration directory of its own, @config, which is empty: no login,
 * no proxy, no plugin's state; what it says goes to @words, and the id of what it built into the
 * file @id. The second writes at most @most bytes into @to. */
int docker_build(const struct docker *d, const char *config, const char *file, const char *id, int words,
                 struct proc *out, struct err *err);
int docker_save(const struct docker *d, const char *id, int to, uint64_t most, int words, struct proc *out,
                struct err *err);
/* Docker's own words about a command that ended with @status, turned into ours where they are
 * about the daemon: which socket, and what to do. The first line of @said is shown. */
int docker_explain(const struct docker *d, const char *verb, int status, const struct str *said,
                   struct err *err);

/* A bridge of 192.168.X.0/24, the first of those of @slug that overlaps with nothing. */
int docker_network_create(const struct docker *d, const char *name, const char *slug, struct subnet *out,
                          struct err *err);

/* The interface of this host that is the network's bridge. ERR_MISSING: it is not on this host, but
 * in a namespace of a docker that is not root's, or in a virtual machine. */
int docker_bridge(const struct subnet *net, char out[IF_NAMESIZE], struct err *err);

struct docker_container {
	const char *name, *network, *image;
	const char *address;    /* in its network */
	struct in_addr publish; /* of the host: @port there becomes @port of the container */
	unsigned port;
	const char *const *command; /* NULL-terminated */
};
/* Made, with nothing in it that could be given up: no root, no capability, nothing to write to,
 * no log, bounded. Secrets have no place in what docker stores. */
int docker_create(const struct docker *d, const struct docker_container *c, struct err *err);
/* 0; 1: the address is taken (@err says by what docker's words); -1. */
int docker_start(const struct docker *d, const char *name, struct err *err);
/* What is published now, by NetworkSettings.Ports: that one port, once, and nothing else. */
int docker_published_at(const struct docker *d, const char *name, unsigned port, struct sockaddr_in *out,
                        struct err *err);
/* The container's stdin and stdout, carried to and from @stream by a process of its own. */
int docker_attach(const struct docker *d, const char *name, int stream, struct proc *out, struct err *err);

enum docker_thing { DOCKER_CONTAINER, DOCKER_NETWORK };
/* Forced. Done when docker lists no such name any more; fine if there was none. */
int docker_remove(const struct docker *d, enum docker_thing kind, const char *name, struct err *err);

/* Docker goes on making what it was asked for when who asked is gone: that nothing of the name is
 * there yet proves nothing for a while. For a record, before docker is asked: the name, and when. */
char *docker_asked_for(const char *name);
/* As docker_remove(); ERR_BUSY while nothing is there and DOCKER_MAY_COME_S are not over. */
int docker_remove_asked_for(const struct docker *d, enum docker_thing kind, const char *asked,
                            struct err *err);
