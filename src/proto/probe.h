#pragma once
/* The proof's messages. The keeper writes a task to the probe's descriptor 0 and closes it; the
 * probe writes one report to its descriptor 1 and ends. It tries everything at once and judges
 * nothing: it says what happened. */
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum {
	PROBE_TARGETS_MAX = 64,
	PROBE_NONCE = 32, /* bytes */
	PROBE_REQUEST_MAX = 4096,
	PROBE_ANSWER_MAX = 4096, /* kept of what the target sent */
	PROBE_PATH_MAX = 108,
	PROBE_PACK_MAX = PROBE_TARGETS_MAX * (PROBE_REQUEST_MAX + 512),
};

enum probe_family {
	PROBE_TCP = 1, /* @address is numeric, of either version */
	PROBE_UDP,
	PROBE_UNIX_PATH,     /* @address is the path */
	PROBE_UNIX_ABSTRACT, /* @address is the name, without the leading NUL */
	PROBE_NAME,          /* @address is a name, asked for as a resolver library would: of the first
				 * name server in /etc/resolv.conf, or of 127.0.0.1 without one */
};

struct probe_target {
	uint32_t id;
	enum probe_family family;
	char *address;
	uint16_t port;
	unsigned char nonce[PROBE_NONCE]; /* what the target answers with; all zero: none is awaited */
	struct str request;               /* sent after connecting, for UDP the datagram; may be empty */
	uint32_t want;                    /* bytes of answer after which it is done. 0: the nonce, or the end;
				 * with no nonce either it is done when it is connected (UDP: answered) */
};

struct probe_task {
	unsigned char launch[PROBE_NONCE]; /* given back in the report */
	uint32_t deadline_ms;
	struct probe_target targets[PROBE_TARGETS_MAX];
	size_t n;
};
/* clang-format off */
#define PROBE_TASK_INIT { 0 }
/* clang-format on */
void probe_task_clear(struct probe_task *t);
#define own_probe_task __attribute__((cleanup(probe_task_clear)))

enum probe_outcome {
	PROBE_REFUSED = 1, /* the kernel said no: @error, @stage */
	PROBE_SILENT,      /* the deadline passed before it connected or, for UDP, answered */
	PROBE_CONNECTED,   /* and then the end or the deadline, without the nonce */
	PROBE_NONCE_SEEN,
	PROBE_RESOLVED, /* PROBE_NAME: somebody answered the question, whatever the answer */
};
enum probe_stage { PROBE_AT_SOCKET = 1, PROBE_AT_CONNECT, PROBE_AT_SEND, PROBE_AT_RECEIVE };

struct probe_result {
	uint32_t id;
	enum probe_outcome outcome;
	enum probe_stage stage; /* how far it came */
	int error;              /* errno */
	struct str answer;      /* at most PROBE_ANSWER_MAX bytes; hostile */
};

struct probe_report {
	unsigned char launch[PROBE_NONCE];
	struct probe_result results[PROBE_TARGETS_MAX];
	size_t n;
};
/* clang-format off */
#define PROBE_REPORT_INIT { 0 }
/* clang-format on */
void probe_report_clear(struct probe_report *r);
#define own_probe_report __attribute__((cleanup(probe_report_clear)))

void probe_task_encode(const struct probe_task *t, struct str *out);
int probe_task_decode(const void *bytes, size_t n, struct probe_task *out, struct err *err);
void probe_report_encode(const struct probe_report *r, struct str *out);
int probe_report_decode(const void *bytes, size_t n, struct probe_report *out, struct err *err);
