#pragma once
/* What stands in a workspace by a name that counts: hidden from the guest (excluded; in a shared
 * directory the host's sockets and pipes too), or obeyed by a tool of the host. It is looked
 * through before there is a guest, by walking held directories. A shared one is watched from
 * then on, and looked through again at the end: the guest was in it, and so was the host. */
#include <stdbool.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/own.h"
#include "base/sha256.h"
#include "launch/lookout.h"
#include "launch/plan.h"

/* What a name led to. */
struct sight {
	char *path; /* below the workspace */
	bool hidden;
	struct stat st;
	char content[SHA256_TEXT]; /* of a file that is obeyed and not large; "": not read */
};

struct look {
	int dir;                    /* the workspace, held: its name is only a name; -1: there is none */
	bool shared;                /* workspace: mount */
	struct strv hidden, obeyed; /* for the guest's tree: paths below it; hidden from a copy also by
				     * names that are not there, so that they don't appear */
	/* Shared: the hidden ones that are so by their place, which they must keep: elsewhere nothing
	 * would hide them at the next start. */
	struct strv placed;
	/* Shared: all of these as they were at the start, and what lies in something obeyed and has a
	 * second name, through which it can be written. Sorted by path. */
	struct sight *sights;
	size_t nsights;
	struct lookout lookout; /* shared: over all that is mounted there by its name */
};
/* clang-format off */
#define LOOK_INIT { .dir = -1, .lookout = LOOKOUT_INIT }
/* clang-format on */
void look_clear(struct look *k);

/* Opens the plan's workspace and looks through it, as far as its mode and its globs ask for. A
 * link that has come into its path is refused, and so is one by a name that would have to be
 * hidden or kept in a shared directory, and a shared directory that is a git repository itself. */
int look_begin(struct look *k, const struct plan *p, struct err *err);

/* Paths that are not as they were at the start of a shared directory. */
struct look_again {
	struct strv fresh;    /* obeyed, and new; ".": the workspace itself */
	struct strv changed;  /* obeyed, and other than it was, or gone */
	struct strv replaced; /* was hidden; another stands there, which nothing hid */
	struct strv closed;   /* directories that could not be read */
	char *cut;            /* why it was not looked through to its end; NULL: it was */
};
/* clang-format off */
#define LOOK_AGAIN_INIT { 0 }
/* clang-format on */
void look_again_clear(struct look_again *a);
#define own_look_again __attribute__((cleanup(look_again_clear)))
/* The guest decides how much there is to look at: after @ms the look is cut. What stood there at the
 * start is compared all the same. */
void look_end(const struct look *k, uint64_t ms, struct look_again *out);

/* ---- between the two ---- */

/* A name that a walk has met. */
struct met {
	const struct met *above; /* the directory that it stands in; NULL: the workspace itself */
	int dir;                 /* the same, open */
	const char *name, *path;
	unsigned char type; /* DT_... */
	int depth;          /* 1: in the workspace itself */
};
struct look_walk {
	int (*met)(void *arg, const struct met *m, struct err *err); /* 1: go into it */
	/* A directory that can't be opened (errno), or lies too deep (0); NULL: the workspace itself. */
	int (*closed)(void *arg, const struct met *m, int sys, struct err *err);
	/* One that was opened; NULL: nobody wants to know. */
	void (*entered)(void *arg, const struct met *m, int dir);
	void *arg;
	int deepest;
};
/* Whether a tool of the host obeys it, where none obeys what it stands in: by its name, or as a git
 * repository by another one. */
bool met_is_obeyed(const struct met *m);
/* 0, or what one of the two made of it. */
int look_walk(const struct look *k, const struct look_walk *w, struct err *err);

/* What stands at @path below @dir now; -1 with errno. */
int sight_take(int dir, const char *path, bool hidden, struct sight *out);
const struct sight *sight_find(const struct look *k, const char *path);
/* The same thing as then, whatever is in it. */
bool sight_is_same(const struct sight *then, const struct sight *now);
/* And, of what is obeyed, as it was. */
bool sight_is_unchanged(const struct sight *then, const struct sight *now);
