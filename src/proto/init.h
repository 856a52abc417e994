#pragma once
/* Keeper and init, over one SOCK_SEQPACKET socket (init's descriptor INIT_SOCKET). The keeper
 * asks, init obeys; init starts whatever runs in the cage. To init every byte comes from its
 * maker; to the keeper every byte comes from inside, so it is checked. When the keeper's end
 * closes, init kills everything and ends. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/msg.h"
#include "base/own.h"
#include "base/str.h"

enum {
	INIT_SOCKET = 3,
	INIT_TEXT_MAX = 64 * 1024, /* one argument, variable or path */
	INIT_COUNT_MAX = 8192,     /* arguments, or variables */
	/* Of what is asked for, with its environment: a backend puts words of its own before them. A
	 * word counts with INIT_WORD_EXTRA bytes more, which is what it takes in a message. */
	INIT_WORDS_MAX = 4096,
	INIT_WORD_EXTRA = 10,
	INIT_COMMAND_MAX = MSG_MAX - 16 * 1024,
	INIT_SECRETS_MAX = 1024 * 1024, /* the secret part of an environment, which travels apart */
	INIT_FDS_MAX = MSG_FDS,
	INIT_RUNNING_MAX = 256, /* programs at a time */
};

enum init_kind {
	/* keeper to init */
	INIT_RUN = 1, /* start a program; answered by INIT_STARTED or INIT_FAILED */
	INIT_RESIZE,  /* its terminal has a new size */
	INIT_SIGNAL,  /* to its process group */
	/* init to keeper */
	INIT_READY,   /* once, first: it listens */
	INIT_STARTED, /* it runs, not our runner; its terminal's master comes along, if it has one */
	INIT_FAILED,  /* it could not be started */
	INIT_EXITED,  /* its end; the id is free again */
};

/* Beside the message: one descriptor for each entry of @targets, which says its number in the
 * program. Of 0, 1, 2 those not named are the terminal, else /dev/null. */
struct init_run {
	bool self;     /* argv is for init's own executable: {"bottle-guest", "probe", ...} */
	bool terminal; /* a terminal of its own from the cage's devpts */
	uint16_t rows, columns;
	struct strv argv; /* argv[0] without a slash is looked up in PATH of @env */
	struct strv env;  /* all of it */
	char *cwd;
	uid_t uid;
	gid_t gid; /* taken where init may (a VM); elsewhere they must be its own */
	uint8_t targets[INIT_FDS_MAX];
	size_t ntargets;
};

struct init_msg {
	enum init_kind kind;
	uint32_t id;            /* the keeper's name for the program; 0 in INIT_READY */
	struct init_run run;    /* INIT_RUN */
	uint16_t rows, columns; /* INIT_RESIZE */
	int signal;             /* INIT_SIGNAL */
	int pid;                /* INIT_STARTED: as seen inside */
	bool has_terminal;      /* INIT_STARTED: the master is beside the message */
	int status;             /* INIT_EXITED: as of waitpid(2) */
	int sys;                /* INIT_FAILED: errno; ENOENT is 127, what exec refuses 126 */
	char *text;             /* INIT_FAILED: hostile, escape before showing */
};
/* clang-format off */
#define INIT_MSG_INIT { 0 }
/* clang-format on */
void init_msg_clear(struct init_msg *m);
#define own_init_msg __attribute__((cleanup(init_msg_clear)))

void init_msg_encode(const struct init_msg *m, struct str *out);
/* @nfds: descriptors that came beside it; a message that names another number is refused. */
int init_msg_decode(const void *bytes, size_t n, size_t nfds, struct init_msg *out, struct err *err);

/* Whether it can be asked for: ERR_USAGE names the limit, and what to do instead. */
int init_check_command(const struct strv *argv, const struct strv *env, struct err *err);

/* Encode and send; the descriptors stay the caller's. */
int init_msg_send(int fd, const struct init_msg *m, const int *fds, size_t nfds, struct err *err);
