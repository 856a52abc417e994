#pragma once
/* What a sidecar and its keeper say to each other over the sidecar's control socket, the
 * same for every sidecar: one message, one packet (base/msg). The sidecar speaks first:
 * READY once it is caged, or FAILED with the reason. A message that does not decode ends
 * the conversation, and with it the bottle. */
#include "base/err.h"
#include "base/log.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/str.h"

/* Where a sidecar finds what it inherits: listeners from descriptor 3 on (LISTEN_FDS,
 * LISTEN_FDNAMES), and the numbers of these two in its environment. */
#define SIDECAR_CONTROL_ENV "BOTTLE_CONTROL_FD"
#define SIDECAR_CONFIG_ENV  "BOTTLE_CONFIG_FD"
/* Set, to anything, where the sidecar stands in a container and not in a cage of the keeper's. */
#define SIDECAR_CONTAINED_ENV "BOTTLE_CONTAINED"

enum sidecar_say {
	SIDECAR_READY = 1, /* to the keeper: caged, and listening */
	SIDECAR_FAILED,    /* to the keeper: why it gives up; it ends next */
	SIDECAR_LOG,       /* to the keeper: one line of its log */
	SIDECAR_AUDIT,     /* to the keeper: finished audit records, oldest first */
	SIDECAR_STATE,     /* to the keeper: a JSON object for `bottle info` */
	SIDECAR_RESOLVER,  /* to the sidecar: what resolv.conf and hosts hold now */
	SIDECAR_STOP,      /* to the sidecar: finish; SIGTERM says the same */
	SIDECAR_OWN = 64,  /* from here on each sidecar's own, see its own header */
};

enum {
	SIDECAR_AUDIT_BATCH = 64,    /* records in one message */
	SIDECAR_AUDIT_RECORD = 8192, /* bytes of one record */
	SIDECAR_LOG_LINE = 4096,
	SIDECAR_STATE_MAX = 64 * 1024,
	SIDECAR_FILE_MAX = 60 * 1024, /* bytes of resolv.conf, and of hosts */
};

struct sidecar_message {
	enum sidecar_say say;
	struct err why;                /* FAILED */
	enum log_level level;          /* LOG */
	char *text;                    /* LOG: the line; STATE: the JSON text */
	struct strv records;           /* AUDIT: JSON texts of one line, without the chain's fields */
	struct str resolv_conf, hosts; /* RESOLVER */
};
/* clang-format off */
#define SIDECAR_MESSAGE_INIT { 0 }
/* clang-format on */
void sidecar_message_clear(struct sidecar_message *m);
#define own_sidecar_message __attribute__((cleanup(sidecar_message_clear)))

/* Adds the encoded message to @out, which must be empty. Only the fields of @m->say count. */
void sidecar_message_encode(const struct sidecar_message *m, struct str *out);
/* ERR_INPUT for anything but one whole, known message within the limits. A type from
 * SIDECAR_OWN on decodes to just its number: the rest is for that sidecar's own decoder. */
int sidecar_message_decode(const struct str *bytes, struct sidecar_message *out, struct err *err);

/* Encode and send. */
int sidecar_say(int control, const struct sidecar_message *m, struct err *err);
int sidecar_say_ready(int control, struct err *err);
int sidecar_say_failed(int control, const struct err *why, struct err *err);
int sidecar_say_log(int control, enum log_level level, const char *line, struct err *err);
