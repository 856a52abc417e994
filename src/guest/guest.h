#pragma once
/* The one program that is ours inside: static, without a library, trusting nothing around it.
 * Its first argument says what it is; each returns an exit status. */

enum { GUEST_FAILED = 125, GUEST_CANNOT_RUN = 126, GUEST_NOT_FOUND = 127 };

int guest_init(int argc, char **argv); /* process 1 */
int guest_run(int argc, char **argv);  /* run FD -- PROGRAM [ARGUMENT...] */
/* Where init started it: takes the errno of a program that could not be run, and is closed by one
 * that was. */
enum { GUEST_REPORT = 62 };
int guest_probe(int argc, char **argv);   /* probe: task on 0, report on 1 */
int guest_send(int argc, char **argv);    /* send PATH: a tree as a stream on 1 */
int guest_receive(int argc, char **argv); /* receive PATH NAME: the stream on 0 as a tree */

/* In a machine, where our side of the wall is its root. */
#define GUEST_PRIVATE  "/run/bot-bottle" /* in memory, root's alone */
#define GUEST_SECRETS  GUEST_PRIVATE "/secrets"
#define GUEST_PROGRAMS GUEST_PRIVATE "/programs" /* NUMBER: which process it is */
int guest_setup(int argc, char **argv);          /* setup: the secrets on 0 */
int guest_enter(int argc, char **argv); /* enter DIRECTORY PROCESSES NUMBER -- PROGRAM [ARGUMENT...] */
int guest_signal_program(int argc, char **argv); /* signal NUMBER SIGNAL: to what was entered by it */
int guest_idle(int argc, char **argv);           /* idle: until it is told to end */
int guest_ready(int argc, char **argv);          /* ready: programs can be run here */

/* Adds the variables that stand behind @fd to an environment. */
struct strv;
struct err;
int guest_add_secrets(int fd, struct strv *env, struct err *err);

/* One line on descriptor 2. */
int guest_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
