#pragma once
/* A bundle: the sidecars in a container, and a relay on either side of the wall that docker
 * makes. The outer relay takes the bottle's connections and carries them to the container's own
 * address, over the bridge alone: where docker publishes it, on 127.0.0.N, any program could
 * listen in its place once docker's proxy has ended. The inner one, pid 1 of the container,
 * answers those that begin with the bottle's token by BUNDLE_WELCOME and carries them to the
 * sidecar. What keeper and sidecar say to each other passes
 * through the container's stdin and stdout, in frames, since docker carries only bytes:
 *
 *	u32 length, big-endian, of what follows
 *	u8  enum frame
 *	...
 *
 * The first frame inwards is the configuration; all others are messages of proto/sidecar. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/str.h"

enum {
	BUNDLE_TOKEN = 32,                  /* random bytes */
	BUNDLE_PREAMBLE = BUNDLE_TOKEN + 1, /* the token, and the number of the listener */
	BUNDLE_WELCOME = 0x06,              /* the one byte that answers it (ASCII ACK) */
	BUNDLE_LISTENERS = 8,
	BUNDLE_PORT = 9099, /* of the inner relay */
	BUNDLE_CONFIG_MAX = 20 * 1024 * 1024,
	BUNDLE_NAME_MAX = 64,
	BUNDLE_FRAME_HEAD = 5,
};
#define BUNDLE_CHANNEL \
	"container" /* among the outer relay's inherited sockets: the container's stdin and stdout */

/* Of both relays: the outer one is told all of it, and tells the inner one. */
struct bundle_config {
	struct secret token;
	char *address; /* the container's own */
	uint32_t port;
	char *device;          /* the bridge that it is dialled over */
	char *program;         /* of the sidecar, in the container */
	struct strv listeners; /* their names, in the order of their numbers */
	struct str sidecar;    /* the sidecar's own configuration */
};
/* clang-format off */
#define BUNDLE_CONFIG_INIT { 0 }
/* clang-format on */
void bundle_config_clear(struct bundle_config *c);
#define own_bundle_config __attribute__((cleanup(bundle_config_clear)))

/* @out is to be wiped by the caller: it holds the token and the credentials. */
void bundle_config_encode(const struct bundle_config *c, struct str *out);
int bundle_config_decode(const void *bytes, size_t n, struct bundle_config *out, struct err *err);

enum bundle_frame { FRAME_CONFIG = 1, FRAME_MESSAGE };

void bundle_frame_add(struct str *out, enum bundle_frame kind, const void *bytes, size_t n);

/* The frame that @in begins with: 1, and its kind and bytes (within @in); 0 while it is not
 * there as a whole; -1 for one of an unknown kind, with an empty body, or one over @limit. */
int bundle_frame_look(const struct str *in, size_t limit, enum bundle_frame *kind, struct str *body,
                      struct err *err);
/* Bytes of @in that a frame with this body takes. */
size_t bundle_frame_size(const struct str *body);

/* In a time that does not depend on where they differ. */
bool bundle_token_is(const struct secret *token, const void *bytes);
