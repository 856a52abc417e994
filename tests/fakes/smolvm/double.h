#pragma once
/* A double of smolvm 1.8.1, and no more than that: what it shows is conformance to our reading
 * of the contract. Commands, exit codes, the database's schema, every key of a row, the file
 * beside the disks and the life of the processes are as the real one's; the "machine" is a
 * process in the cage, and a program "in" it is one more.
 *
 *   main.c     the command line          row.c      the database
 *   behave.c   misbehaving, as told      machine.c  create, start, stop, delete
 *   inside.c   exec: what a program in the machine would find there
 *   image.c    what a machine is made from */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...);
extern const char *home; /* of the installation */

/* ---- the file "behave" beside it: one way to misbehave in each line, see behave.c ---- */

void behave_read(void);
bool is(const char *word);
/* What stands behind @word in its line; NULL: it is not there. */
const char *told(const char *word);
void misbehave_at(const char *step);
void misbehave_after(const char *step);
__attribute__((noreturn)) void hang(void);

/* ---- the database: every text is the caller's ---- */

void open_database(void);
void close_database(void);
char *read_row(const char *name); /* NULL: no such machine */
void write_row(const char *name, const char *row);
void remove_row(const char *name);
/* @row with every @from replaced. */
char *replaced(const char *row, const char *from, const char *to);
/* @row with that field at the top set to @value (JSON); "" takes it out. */
char *with_field(const char *row, const char *key, const char *value);
const char *between(const char *row, const char *key, char stop, char *out, size_t size);

/* ---- the commands ---- */

struct options {
	const char *name, *image, *from, *volume, *cpus, *mem, *storage, *overlay, *cidr, *backend;
	bool net;
	char **rest;
};
void create(const struct options *o);
void start(const struct options *o);
void stop(const struct options *o);
void delete_machine(const struct options *o);
void exec(const struct options *o);
/* @row with what --image or --from puts into it. */
char *with_image(const char *row, const struct options *o);
void flatten(const char *row);   /* at the start: the archive becomes layers, or it fails */
pid_t running(const char *name); /* 0: the machine does not run */
/* A text of the machine's as it is in the cage: addresses and paths. */
char *played(const char *text);
