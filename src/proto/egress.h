#pragma once
/* What the egress gateway is told once, on its configuration descriptor, and what it says
 * beyond the messages that all sidecars share (proto/sidecar.h): the certificate of the CA
 * that it made for this bottle. The credentials' values travel here and nowhere else. */
#include <stdint.h>
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/str.h"

enum {
	EGRESS_CA = 64, /* to the keeper, before READY: the bottle's CA certificate; SIDECAR_OWN + 0 */
};

enum egress_scheme {
	EGRESS_BEARER, /* Authorization: Bearer VALUE */
	EGRESS_TOKEN,  /* Authorization: token VALUE */
	EGRESS_BASIC,  /* Authorization: Basic base64(VALUE); VALUE is user:password */
	EGRESS_HEADER, /* HEADER: VALUE */
	EGRESS_SCHEMES,
};

/* One per route with `auth`; host and port are the route's, in canonical form. */
struct egress_credential {
	char *host;
	uint32_t port;
	enum egress_scheme scheme;
	char *header;        /* EGRESS_HEADER only; else "" */
	struct secret value; /* for basic: user:password, complete */
	char *placeholder;   /* what the guest holds in its place */
};

enum egress_log { EGRESS_LOG_OFF, EGRESS_LOG_BLOCKS, EGRESS_LOG_ALL, EGRESS_LOGS };

/* Milliseconds and bytes; every one is configurable. 0 is a value, not "unlimited", but for
 * total_ms. */
/* Descriptors that a gateway may have, and how many of them are not connections: @connections take two
 * each and @pool one, and who configures them keeps below. */
enum { EGRESS_DESCRIPTORS = 4096, EGRESS_DESCRIPTORS_OWN = 128 };

struct egress_limits {
	uint32_t head_bytes;    /* request or response head */
	uint32_t headers;       /* fields in a head */
	uint32_t head_ms;       /* a head, a handshake: from its first moment to its end */
	uint32_t idle_ms;       /* no byte in either direction */
	uint32_t total_ms;      /* one exchange; 0: as long as bytes move */
	uint32_t connect_ms;    /* one attempt to reach an origin, resolving included */
	uint32_t connections;   /* of the guest, at once */
	uint32_t pool;          /* idle upstream connections kept */
	uint32_t pool_ms;       /* how long an idle one is kept */
	uint32_t decoded_bytes; /* of one encoded body on a route with a credential */
	uint32_t frame_bytes;   /* one WebSocket frame */
	uint32_t audit_queue;   /* records waiting for the keeper before accepting pauses */
};
extern const struct egress_limits egress_limits_default;

struct egress_config {
	char *slug;
	char *routes; /* {"routes":[...]} in canonical form */
	struct egress_credential *credentials;
	size_t ncredentials;
	char *canary;         /* the bottle's planted secret; "" for none */
	char *roots;          /* PEM of the system's trusted roots */
	char *extra_ca;       /* PEM of what the operator adds; "" for none */
	char *resolv_conf;    /* contents of the host's files, */
	char *hosts;          /* replaced by SIDECAR_RESOLVER */
	struct strv resolver; /* configured servers, ADDRESS or ADDRESS:PORT or [V6]:PORT: used in
					 * place of resolv.conf's where there are any */
	char *fixed_hosts;    /* configured names in the form of hosts(5); they win over hosts and DNS */
	char *proxy_host;     /* upstream_proxy; "" for none */
	uint32_t proxy_port;
	struct secret proxy_login; /* user:password for it; empty for none */
	char *nonce;               /* what the self-test address answers */
	enum egress_log log;
	struct egress_limits limits;
};
/* All defaults, all texts empty. */
void egress_config_init(struct egress_config *c);
void egress_config_clear(struct egress_config *c);
#define own_egress_config __attribute__((cleanup(egress_config_clear)))
/* clang-format off */
#define EGRESS_CONFIG_INIT \
	{                  \
		0          \
	}
/* clang-format on */

/* A new, zeroed row of @c, owned by it; the caller fills it in. */
struct egress_credential *egress_config_add_credential(struct egress_config *c);

enum {
	EGRESS_CONFIG_MAX = 16 * 1024 * 1024, /* bytes encoded */
	EGRESS_CREDENTIALS_MAX = 1024,
	EGRESS_SECRET_MIN = 4, /* a shorter value can't be told from ordinary text in an echo */
	EGRESS_SECRET_MAX = 16 * 1024,
	EGRESS_PATH_SHOWN = 1024, /* of a path in a record; one that is cut ends in "..." behind that */
};

/* A NULL text is encoded as "". */
void egress_config_encode(const struct egress_config *c, struct str *out);
/* ERR_INPUT for anything but one whole configuration within the limits. */
int egress_config_decode(const void *bytes, size_t n, struct egress_config *out, struct err *err);

/* The message that carries the CA's certificate (PEM). */
void egress_ca_encode(const char *pem, struct str *out);
/* The caller frees @out. */
int egress_ca_decode(const struct str *bytes, char **out, struct err *err);
