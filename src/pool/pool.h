#pragma once
/* Loopback addresses and bridge networks, one per bottle. Whoever holds the flock on a lease
 * file holds the address, so there is no window between choosing and using, and the kernel
 * takes it back when the holder dies. The room configures no interface (but macOS needs an
 * alias first) and does not know what listens there. */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

/* The module makes this directory, with a file per address that the group bot-bottle may
 * lock, so that the users of one host exclude each other. */
#define POOL_SHARED_DIR "/run/bot-bottle/leases"
/* Containers of this name hold the address that they publish. */
#define POOL_CONTAINER_PREFIX "bot-bottle-sidecars-"

/* Inclusive. */
struct pool_range {
	struct in_addr first, last;
};

/* Both must be of 127.0.0.0/8, in order. */
int pool_range_parse(const char *first, const char *last, struct pool_range *out, struct err *err);

/* The directory of the locks: @configured; else POOL_SHARED_DIR where it exists; else "leases"
 * below @own, made if it is not there. Returns a descriptor. */
int pool_open(const char *configured, int own, struct err *err);

/* Addresses that something else publishes. */
struct pool_taken {
	struct in_addr *v;
	size_t n;
};
/* clang-format off */
#define POOL_TAKEN_INIT { 0 }
/* clang-format on */
void pool_taken_clear(struct pool_taken *t);
#define own_pool_taken __attribute__((cleanup(pool_taken_clear)))
void pool_taken_add(struct pool_taken *t, struct in_addr address);
bool pool_is_taken(const struct pool_taken *t, struct in_addr address);

/* Adds what the containers of `docker inspect` publish: those named POOL_CONTAINER_PREFIX...,
 * by NetworkSettings.Ports and by HostConfig.PortBindings. An address that is not one, or a
 * shape that docker does not print, is ERR_INPUT: unreadable does not mean free. */
int pool_read_inspect(const char *text, size_t n, struct pool_taken *out, struct err *err);

/* What one container publishes now, of NetworkSettings.Ports alone: docker keeps a binding in
 * HostConfig also when nothing listens. @port is as docker names it, "9099/tcp". ERR_MISSING. */
int pool_read_published(const char *text, size_t n, const char *port, struct sockaddr_in *out,
                        struct err *err);

/* How many of @range nobody holds now: for people, a moment later it may be another number.
 * ERR_BUSY: none, and who holds them. Makes nothing. @own: the user's own directory of leases,
 * which need not exist. */
int pool_count_free(const char *configured, const char *own, const struct pool_range *range, unsigned *out,
                    struct err *err);

struct lease {
	struct in_addr address;
	int fd;
}; /* fd is the lock; -1: none held */
/* clang-format off */
#define LEASE_INIT { .fd = -1 }
/* clang-format on */

/* Leases the lowest free address that is not in @taken; @holder (a slug) is written into the
 * file for whoever asks later. On failure @out is untouched; ERR_BUSY: all are taken. */
int pool_acquire(int dir, const struct pool_range *range, const struct pool_taken *taken, const char *holder,
                 struct lease *out, struct err *err);
void pool_release(struct lease *lease);
#define own_lease __attribute__((cleanup(pool_release)))

/* ---- bridge networks ---- */

enum { SUBNETS = 254, SUBNET_TEXT = sizeof "192.168.255.255/24" };

/* 192.168.X.0/24: its gateway is .1 and the bundle .2. */
struct subnet {
	char cidr[SUBNET_TEXT], gateway[SUBNET_TEXT], bundle[SUBNET_TEXT];
};

/* X of the @attempt-th network to try for this slug: the first follows from the slug alone, so
 * a resume finds it again; each further one is the next. Never 17, which is docker0's elsewhere. */
unsigned subnet_choice(const char *slug, unsigned attempt);
void subnet_of(unsigned choice, struct subnet *out);

/* ---- macOS: 127.0.0.1 alone is there until an alias is made ---- */

/* Reads the output of `ifconfig lo0`; whole words, so 127.0.0.1 is not found in 127.0.0.16. */
bool pool_has_alias(const char *ifconfig, struct in_addr address);
/* Everywhere else nothing is to be done, and nothing is run. */
int pool_make_aliases(const struct pool_range *range, struct err *err);
