#pragma once
/* What the files of the keeper share: the bottle, its agent, and who is connected. */
#include <stdbool.h>
#include "base/loop.h"
#include "keeper/audit.h"
#include "launch/launch.h"
#include "proto/keeper.h"

enum {
	CONNECTIONS_MAX = 64,
	AGENT_LOG_MAX = 4 << 20, /* bytes; the one before it is kept */
	SAVE_MS = 2000,          /* the record follows the audit log at this distance */
	STARVED_MS = 100,
	INPUT_MAX = 1 << 20,        /* bytes that wait for the agent; over it, nobody's are read */
	LINGER_MS = 10 * 60 * 1000, /* for a launcher that reads nothing of what is left for it */
	BEHIND_MAX = 1 << 20,       /* bytes that wait for one who looks on; over it, that one is let go */
	STOP_MS = 5000,             /* between the agent's SIGTERM and the end of everything */
};

struct keeper;

enum role { ROLE_NEW, ROLE_LAUNCHER, ROLE_ATTACHED, ROLE_EXEC, ROLE_STOPPER };

/* One connection of a CLI. */
struct connection {
	struct keeper *keeper;
	int fd;
	enum role role;
	struct watch watch;
	struct str pending;     /* encoded messages that did not fit yet, each behind its length */
	size_t pending_at;      /* where the first of them begins */
	bool let_go;            /* it was too far behind: nothing more for it */
	uint32_t owed;          /* bytes of its INPUT that it was not told of yet */
	struct program program; /* ROLE_EXEC */
	int ours[3];            /* ROLE_EXEC: ends to be handed out at its start */
	bool terminal;
	struct connection *next;
};

/* The main program and its streams. */
struct agent {
	struct program program;
	bool running, ended;
	bool terminal;
	int in, out, err; /* our ends; with a terminal all is in @in and @out (two copies) */
	struct watch on_in, on_out, on_err;
	struct str input; /* not written yet */
	bool input_ends;
	bool input_closed; /* what comes from now on is dropped */
	int log;
	size_t logged;
	int status;
	struct err why; /* it could not be started */
	int why_status;
};

struct keeper {
	struct loop loop;
	struct launch launch;
	struct plan plan;
	json *plan_json;
	struct launch_secrets secrets;
	struct audit audit;
	struct connection *connections;
	size_t nconnections;
	struct agent agent;
	int runtime, listener, signals, log;
	struct watch on_listener, on_signal;
	struct timer save, stop;
	struct timer starved; /* set: no descriptor for a connection; nobody is let in until it fires */
	bool stopping, down;
	struct err why; /* of the end; kind ERR_NONE: nothing was wrong */
	uint16_t rows, columns;
	uint64_t began;
	int watcher;        /* inotify where the resolver's files are; -1: none */
	int in_etc, beside; /* its watches; @beside: where a link leads, -1: no other place */
	struct watch on_watcher;
};

/* keeper.c */
void keeper_end(struct keeper *k, const struct err *why); /* the loop ends, then everything */
void keeper_stop(struct keeper *k, int signo);            /* the agent first, politely */
int keeper_audit(struct keeper *k, const char *event, json *details, struct err *err);

/* connection.c */
int connections_listen(struct keeper *k, struct err *err);
struct connection *connection_add(struct keeper *k, int fd, enum role role, struct err *err);
void connections_close(struct keeper *k);
void connections_tell(struct keeper *k, const struct keeper_message *m, bool attached_only);
/* True while the one whose terminal it is, is behind: only it may hold the agent up. */
bool connections_behind(const struct keeper *k);
/* After the end: what the launcher has not read yet, for as long as it goes on reading. */
void connections_linger(struct keeper *k);
/* The agent's input has become more or less: who may be read from, who is told that it was taken. */
void connections_input(struct keeper *k);

/* agent.c */
int agent_start(struct keeper *k, struct err *err);
void agent_input(struct keeper *k, const struct str *bytes);
void agent_flow(struct keeper *k);  /* output goes on, if nobody is behind */
void agent_drain(struct keeper *k); /* what it still said before its end */
void agent_clear(struct keeper *k);

/* status.c */
json *keeper_status(const struct keeper *k);

/* resolver.c */
void resolver_watch(struct keeper *k);
void resolver_unwatch(struct keeper *k);
