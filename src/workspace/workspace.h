#pragma once
/* What a bottle changed in its workspace, and bringing it out. The overlay's upper layer was
 * written by the guest and may still be: every name, link, mode and attribute in it is
 * hostile. So each step opens one component below a held descriptor, follows no link, looks
 * at what it has opened, and acts on that descriptor only; a swap meanwhile changes which
 * bytes come out, never whose. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

enum {
	WORKSPACE_DEPTH = 200,        /* directory levels that are looked into */
	WORKSPACE_ENTRIES = 1000000,  /* names that one walk reads */
	WORKSPACE_TEXT = 1024 * 1024, /* a larger file is not shown by diff, only named */
};

struct workspace {
	int lower;                  /* the directory that the bottle was given; borrowed */
	int upper;                  /* the overlay's upper layer; borrowed */
	const struct strv *exclude; /* globs of files that the bottle does not see; NULL: none */
};

enum change_status {
	CHANGE_ADDED,
	CHANGE_MODIFIED,
	CHANGE_DELETED,
	CHANGE_TYPE, /* another kind of thing stands there now */
	CHANGE_MODE, /* same contents, other permissions */
};
const char *change_status_name(enum change_status status);

enum entry_kind { ENTRY_FILE, ENTRY_DIRECTORY, ENTRY_SYMLINK, ENTRY_SPECIAL };
const char *entry_kind_name(enum entry_kind kind);

struct change {
	char *path; /* below the workspace; hostile bytes: show it escaped */
	enum change_status status;
	enum entry_kind kind; /* what stands there now; what stood there, if deleted */
	mode_t mode;
	mode_t mode_before; /* of the same kind of thing before; with nothing to compare, @mode */
	int64_t size;
	char *target;           /* of a symlink; hostile */
	const char *executable; /* why a tool on the host would run or obey it; NULL: none does */
	const char *unreadable; /* why it could not be looked at; NULL: it could */
	bool closed; /* because its permissions, or those of what is compared, let nobody read it */
};

struct changes {
	struct change *v; /* sorted: a directory before what is in it */
	size_t n, cap;
	bool more; /* a limit ended the walk, or something could not be looked at: there may be more */
};
/* clang-format off */
#define CHANGES_INIT { 0 }
/* clang-format on */
void changes_clear(struct changes *c);
#define own_changes __attribute__((cleanup(changes_clear)))

/* Everything that differs, at most @limit entries. Contents are compared, so a file that was
 * only touched is none. */
int workspace_changes(const struct workspace *w, size_t limit, struct changes *out, struct err *err);

/* The same as a number of files (directories do not count), quickly: at most @limit. */
int workspace_count(const struct workspace *w, size_t limit, size_t *out, bool *more, struct err *err);

/* Why a tool on the host would run @path (a directory's ends in a slash) or obey it as its
 * configuration; NULL: none known. Case, Unicode twins and what some file systems ignore in a
 * name do not hide one. */
const char *workspace_executable(const char *path);
/* The same for a path below the top of a git repository. */
const char *workspace_executable_in_repository(const char *rest);

/* Whether git takes @dir (-1: none) for a repository without its being called .git, and so obeys
 * what lies in it. @also: names that stand in it as well, in whatever letters; NULL: none do. */
bool workspace_is_repository(int dir, const struct strv *also);

/* True when one of the globs hides @path or a directory above it. A glob without a slash is
 * held against each name, one with a slash against the whole path. */
bool workspace_excluded(const struct strv *globs, const char *path);
/* By a pattern without a slash, which counts wherever the name stands. */
bool workspace_excluded_anywhere(const struct strv *globs, const char *name);

/* Adds the unified diff of one change of a regular file, with everything that is not
 * printable text escaped; what is binary or too large is named in one line. Other permissions
 * are told whatever else changed. False where it could
 * not be read, and the walk met nothing of that. */
bool workspace_diff(const struct workspace *w, const struct change *c, struct str *out);

enum export_verdict {
	EXPORT_DONE,
	EXPORT_HELD,     /* needs the operator's explicit word: a symlink, executable configuration */
	EXPORT_DELETION, /* a deletion, which is carried out only when asked for */
	EXPORT_REFUSED,  /* never: a device, a link that leads out, a hidden file */
	EXPORT_CLOSED,   /* not while its permissions let nobody read it */
	EXPORT_KEPT,     /* nothing of it comes out: permissions that stay as they are */
	EXPORT_FAILED,   /* tried, or in a dry run what is seen to fail */
};
const char *export_verdict_name(enum export_verdict verdict);

struct export_options {
	int to;      /* where to; borrowed */
	uid_t owner; /* given to what is made, when running as root */
	gid_t group;
	bool executable_config; /* also symlinks that stay inside */
	bool deletions;
	bool dry_run;            /* says what would happen */
	const struct strv *only; /* paths; NULL or empty: everything */
};

/* Brings the changes out, one at a time: each file appears whole under its name or not at
 * all, and gives nobody more than what it replaces, but its owner leave to execute it. @told hears
 * about every change that was chosen. Returns how many failed. */
int workspace_export(const struct workspace *w, const struct changes *changes,
                     const struct export_options *options,
                     void (*told)(void *arg, const struct change *c, enum export_verdict verdict,
                                  const char *why),
                     void *arg, struct err *err);
