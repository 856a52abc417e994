#pragma once
/* What the files of the smolmachines backend share. The cage holds smolvm and its VMM, never
 * the agent: that lives in the machine behind it. Whatever runs is started by the cage's init:
 * the smolvm command for what concerns the machine, and through `smolvm machine exec` what
 * runs in it. Its answers come from the hostile side and decide nothing; what is believed is
 * the database, the file beside the disks, and /proc. */
#include "backend/backend.h"
#include "backend/tree.h"
#include "base/json.h"

/* As seen in the cage; the share is MACHINE_SHARE in the machine. */
#define MACHINE_STATE  "/s"
#define MACHINE_B      "/b"
#define MACHINE_SHARE  "/bottle"
#define MACHINE_SMOLVM "/opt/smolvm"
/* One of these stands there: a rootfs, an archive, a .smolmachine. */
#define MACHINE_IMAGE   "/image"
#define MACHINE_ARCHIVE "/image.tar"
#define MACHINE_PACKED  "/image.smolmachine"
#define MACHINE_DIR     GUEST_MACHINE_DIR /* the smolvm home */
#define MACHINE_GUEST   MACHINE_SHARE "/bin/bottle-guest"
/* All that the machine may reach. */
#define MACHINE_CIDR "100.96.0.1/32"

/* smolvm's files, by their paths in the cage. */
struct smolvm {
	char *program;
	char *root;       /* on the host: what is bound; NULL: all of it is in the Nix store */
	char *libraries;  /* NULL: it finds them itself */
	char *agent_root; /* likewise */
};
void smolvm_clear(struct smolvm *s);
#define own_smolvm __attribute__((cleanup(smolvm_clear)))
/* @program: the smolvm command, on the host. */
int smolvm_find(const char *program, struct smolvm *out, struct err *err);

struct machine {
	char *name;
	struct smolvm smolvm;
	struct manifest_resources resources;
	const char *image; /* what create is told, a path in the cage; NULL: smolvm's own minimal guest */
	enum guest_image_kind kind;
	char *image_ref;       /* what smolvm then writes down as image; NULL: null */
	char *workdir;         /* likewise; NULL: null */
	struct strv image_env; /* likewise, NAME=value */
	int dir;               /* of the bottle, borrowed */
	char *database;        /* below @dir */
	json *given;           /* the row as it must be */
	struct tree tree;      /* of the cage, as it must be */
	struct cage_ids ids;
	pid_t init;        /* of the cage, as the host numbers it */
	bool created;      /* a create was begun */
	uint32_t programs; /* numbers given out */
};

/* As smolvm wrote it down: the number is the cage's. */
struct machine_vmm {
	pid_t pid;
	unsigned long long start_time;
};

/* ---- the tree and the profile of the cage ---- */

/* What stands around every smolvm command: itself, libraries, scratch. */
int machine_tree_of_smolvm(struct tree *t, const struct machine *m, const struct cage_ids *ids,
                           struct err *err);
int machine_tree(struct tree *t, const struct guest_request *r, const struct machine *m,
                 const struct cage_ids *ids, struct err *err);
/* Refuses where the device can't be used; adds it to the tree. */
int machine_device_check(struct err *err);
int machine_device_add(struct tree *t, const struct cage_ids *ids, struct err *err);
/* As of the namespace backend's; @processes is the cage's, the machine has its own. */
struct machine_profile {
	struct cage_profile profile;
	struct cage_calls calls[3];
	struct cage_limit limits[7];
};
void machine_profile_fill(struct machine_profile *p);
extern const struct cage_calls machine_calls;

/* ---- one smolvm command, run in the cage to its end ---- */

enum { MACHINE_OUTPUT_MAX = 256 * 1024 };
/* In milliseconds, one for each thing that is waited for. */
extern const struct machine_deadlines {
	int version, create, start, stop, remove, prepare;
	int look;    /* at the database and the files, by ourselves */
	int channel; /* until the first command in the machine runs */
} machine_deadlines;
struct machine_output {
	struct str out, err;
};
/* clang-format off */
#define MACHINE_OUTPUT_INIT { 0 }
/* clang-format on */
void machine_output_clear(struct machine_output *o);
#define own_machine_output __attribute__((cleanup(machine_output_clear)))

/* The environment of every smolvm command: nothing of anybody's. */
void machine_environment(const struct machine *m, struct strv *out);
/* @in: descriptor for its input, -1 none. Returns the exit status. */
int machine_command(struct guest *g, const struct guest_waiting *w, const struct strv *argv, int in, int ms,
                    struct machine_output *out, struct err *err);
/* Where the command failed: its own words, escaped, last line first. */
int machine_fail(const struct strv *argv, int status, const struct machine_output *out, struct err *err);

/* `smolvm --version`, in a throw-away cage. The exit status, as a shell has it; ERR_BUSY: it did
 * not end within @ms. */
int machine_ask_version(const struct smolvm *smolvm, int ms, struct str *out, struct err *err);

/* ---- the machine ---- */

int machine_create(struct guest *g, const struct guest_waiting *w, struct err *err);
int machine_start(struct guest *g, const struct guest_waiting *w, struct err *err);
int machine_prepare(struct guest *g, const struct guest_waiting *w, const struct strv *secrets,
                    struct err *err);
void machine_remove(struct guest *g, const struct guest_waiting *w, struct str *trouble);
int machine_run(struct guest *g, const struct guest_command *c, struct program *p, struct err *err);
/* To the program that machine_run() started under that number. */
int machine_signal(struct guest *g, uint32_t number, int signo, struct err *err);
/* Of the text of /proc/PID/status. */
int machine_status_check(const struct str *status, const struct cage_ids *ids, struct err *err);
/* The VMM as the host sees it: in init's namespaces, without a right. @pidfd becomes the caller's. */
int machine_process_check(const struct machine *m, const struct machine_vmm *seen, int *pidfd,
                          struct err *err);

/* ---- what smolvm wrote down, each look in a process of its own ---- */

/* Sets in the row what the flags could not say, and looks as the next one does. */
int machine_declare(const struct machine *m, const struct guest_waiting *w, struct err *err);
int machine_look_created(const struct machine *m, const struct guest_waiting *w, struct err *err);
/* The row, and the file that says what was launched. */
int machine_look_started(const struct machine *m, const struct guest_waiting *w, struct machine_vmm *out,
                         struct err *err);
/* 1 or 0; -1: the database could not be asked. */
int machine_has_row(const struct machine *m, const struct guest_waiting *w, struct err *err);
