#pragma once
/* Confinement of any process, from tables. The room knows nobody's name: who is confined,
 * what stands in its tree and which calls it may make are rows that the customer owns.
 *
 * Two calls. cage_spawn() in the parent makes a process in namespaces of its own, under an
 * id that owns nothing on the host. cage_enter() in that process builds a root from nothing
 * and gives up everything else; it can't be undone. A program that was started by somebody
 * else's hand (a guest's init) is entered by cage_spawn() itself, before exec; a program of
 * ours that must first load what it needs (`enters_itself`) calls cage_enter() on its own.
 * (cage_narrow() makes no cage: it takes from a process that stays where it is.)
 *
 * What the kernel can't do is an error with the line that fixes it, never a downgrade. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/proc.h"

enum {
	CAGE_UID = 1000,       /* the one user, and the one group, that exist in a cage */
	CAGE_LANDLOCK_ABI = 2, /* less is refused; what newer kernels add is used */
	CAGE_LISTENERS_MAX = 8,
};

/* ---- who: the host's id behind CAGE_UID ---- */

struct cage_ids {
	uid_t uid;
	gid_t gid;
	bool as_root; /* the parent is root: uid and gid are unused ones, not its own */
	int lock;     /* holds an unused id for this cage alone; -1: own id */
};
/* clang-format off */
#define CAGE_IDS_INIT { .lock = -1 }
/* clang-format on */

/* An ordinary user's own id; for root an unused id that no other cage has: from root's range
 * in /etc/subuid and /etc/subgid, else from 0x70000000 up. Never 0. */
int cage_ids_choose(struct cage_ids *out, struct err *err);
void cage_ids_clear(struct cage_ids *ids);
#define own_cage_ids __attribute__((cleanup(cage_ids_clear)))

/* ---- what stands in the tree ---- */

enum cage_mount_kind {
	CAGE_DIR,    /* an empty directory of @mode in the tree itself */
	CAGE_FILE,   /* a file holding @content, of @mode */
	CAGE_LINK,   /* a symbolic link to @source */
	CAGE_BIND,   /* the host's @source (with all below it), or the detached mount @tree */
	CAGE_TMPFS,  /* of @size bytes (0: the kernel's default) and @mode */
	CAGE_PROC,   /* of the cage's own pid namespace; /proc/sys below it read-only, and closed what
			 * tells of the host's keyrings and of the kernel's inside. What is counted for the
			 * maker of a namespace, too, is lowered to a part of that one's */
	CAGE_DEVPTS, /* of its own, with some hundred terminals; the target's sibling "ptmx" is made a
			 * link to it */
	CAGE_MQUEUE,
	CAGE_OVERLAY, /* lower: @source or @tree; above it "upper" and "work" below @layers or
			 * @layers_tree, or nothing: read-only, which is for masks in a shared directory */
	CAGE_PIN,     /* the file or directory that an earlier row brought to @target, over itself: it
			 * can't be moved away or removed, nor, with CAGE_READ_ONLY, changed. It must be
			 * there, and no link is followed to it */
	CAGE_MASK,    /* what would stand at @target is not visible: below an overlay of this table it
			 * does not exist, elsewhere it is empty and can't be opened. Missing is success;
			 * no link is followed to it */
};

enum cage_mount_flag {
	CAGE_READ_ONLY = 1 << 0,
	CAGE_NOEXEC = 1 << 1,
	CAGE_DEVICE = 1 << 2,   /* a device node: without this device files don't work in a bind */
	CAGE_OPTIONAL = 1 << 3, /* a @source that does not exist on this host leaves the row out */
	/* CAGE_OVERLAY: what is written is not worth more than the host's life: nothing waits for the
	 * disk, and the end does not write out the whole file system. "work" can't be used again. */
	CAGE_VOLATILE = 1 << 4,
};

/* Rows are walked in order, so a parent stands before what is below it; directories on the
 * way to a target are made (0755) where they are missing. Descriptors are never 0: 0 is none.
 * Every bind is recursive, nosuid, and nodev but for CAGE_DEVICE. Paths are looked up as the
 * cage's own id: what only root can reach is handed in as a detached mount. */
struct cage_mount {
	enum cage_mount_kind kind;
	const char *target; /* absolute, as seen inside */
	const char *source;
	const char *layers; /* CAGE_OVERLAY: a directory that holds "upper" and "work" */
	int tree;           /* CAGE_BIND, CAGE_OVERLAY: in place of @source, from cage_tree_open() */
	int held;           /* the same two: @source must be this very one, and no link leads to it */
	int layers_tree;    /* CAGE_OVERLAY: in place of @layers, likewise */
	unsigned flags;
	mode_t mode; /* 0: 0755, files 0644 */
	size_t size;
	const char *content; /* CAGE_FILE */
	size_t content_len;  /* 0: strlen(content) */
};

/* For a root parent: a mapping between owners, for any number of mounts. Through it, files that
 * belong to @disk_uid:@disk_gid on disk belong to the cage's user inside, and what it makes
 * belongs to them on disk. Returns a descriptor. */
int cage_mapping_open(const struct cage_ids *ids, uid_t disk_uid, gid_t disk_gid, struct err *err);
/* For a root parent: a detached copy of the mount at @dirfd/@path, to be handed in by number,
 * through a @mapping (an idmapped mount); -1: none, and what is mounted below comes along. It is
 * private: no mount made on it appears on the host, nor the other way round. */
int cage_tree_open(int dirfd, const char *path, int mapping, struct err *err);

/* ---- what it may do ---- */

struct cage_call {
	const char *name; /* of the system call */
	const char *why;
	int refusal; /* 0: allowed; else the errno it gets */
	int arg;     /* -1: always; else only when (argument & mask) == value */
	uint64_t mask, value;
	int and_arg; /* with a mask: and only when this one, too, is so */
	uint64_t and_mask, and_value;
};
/* Every row has a reason: without the literal it does not compile. What no row names gets
 * ENOSYS, as on a kernel that doesn't have it. */
/* clang-format off */
#define CALL(name, why) { #name, "" why, 0, -1, 0, 0, 0, 0, 0 }
#define REFUSE(name, why) { #name, "" why, 1 /* EPERM */, -1, 0, 0, 0, 0, 0 }
/* clang-format on */
/* Of a call that no other row names, the one use that is allowed. */
/* clang-format off */
#define CALL_IF(name, arg, mask, value, why) { #name, "" why, 0, arg, mask, value, 0, 0, 0 }
/* clang-format on */
/* Of a call that is allowed, the one use that is not. */
/* clang-format off */
#define REFUSE_IF(name, arg, mask, value, why) { #name, "" why, 1 /* EPERM */, arg, mask, value, 0, 0, 0 }
#define REFUSE_IF_BOTH(name, arg, bits, and_arg, and_bits, why) \
	{ #name, "" why, 1 /* EPERM */, arg, bits, bits, and_arg, and_bits, and_bits }
/* clang-format on */

enum cage_socket { /* families for socket(2) and socketpair(2); all others: EAFNOSUPPORT */
	           CAGE_SOCKET_UNIX = 1 << 0,
	           CAGE_SOCKET_INET = 1 << 1,  /* both versions; TCP and UDP, no other type, nothing rarer */
	           CAGE_SOCKET_ROUTE = 1 << 2, /* netlink, protocol NETLINK_ROUTE alone */
};

enum cage_path_right {
	CAGE_PATH_READ = 1 << 0,  /* and list */
	CAGE_PATH_WRITE = 1 << 1, /* everything a writer may do, below it too */
	CAGE_PATH_EXECUTE = 1 << 2,
	CAGE_PATH_DEVICE = 1 << 3, /* ioctl on device files */
};
struct cage_path {
	const char *path;
	unsigned rights;
	const char *why;
};
/* clang-format off */
#define PATH(path, rights, why) { path, rights, "" why }
/* clang-format on */

struct cage_limit {
	int resource;
	uint64_t soft, hard;
	const char *why;
};
/* clang-format off */
#define LIMIT(resource, soft, hard, why) { RLIMIT_##resource, soft, hard, "" why }
/* clang-format on */

struct cage_calls {
	const struct cage_call *rows;
	size_t n;
};
/* clang-format off */
#define CAGE_CALLS(table) { (table), sizeof(table) / sizeof *(table) }
/* clang-format on */

struct cage_profile {
	const char *name; /* for messages */
	/* Groups of rows: cage_calls_common (what any program of ours needs), the customer's own. */
	const struct cage_calls *calls; /* rows are static: filters are kept by them */
	size_t ncalls;
	unsigned sockets;              /* enum cage_socket */
	const struct cage_path *paths; /* Landlock; none: no file at all can be opened */
	size_t npaths;
	bool no_tcp_bind, no_tcp_connect; /* Landlock, where the kernel has it (ABI 4) */
	const struct cage_limit *limits;
	size_t nlimits;
	bool dumpable; /* false: no ptrace by others, no core, /proc closed to them */
	/* It stands in a container that an engine made: nothing can be mounted there, and no
	 * capability is left to give up. Both are checked (a root that can be written to, a
	 * capability in any set, or uid 0 is refused); every other stage is the same. */
	bool contained;
};

/* Memory, clocks, signals, descriptors that are already open: what a loop on inherited
 * sockets needs, and nothing that opens a file, makes a socket or starts a process. */
extern const struct cage_calls cage_calls_common;
/* A program that starts others, opens files, and uses the network by itself: for a whole
 * user land behind the wall. Holds its refusals by name. */
extern const struct cage_calls cage_calls_userland;
/* What a profile adds whose programs make files on a disk of the host. */
extern const struct cage_calls cage_calls_set_id;

/* ---- the two calls ---- */

/* TCP, bound inside the cage to 127.0.0.1, for the parent to accept on. SO_REUSEADDR, never
 * SO_REUSEPORT: nothing inside can share the port. */
struct cage_listener {
	uint16_t port;
	int backlog;
};

struct cage_spec {
	const struct cage_profile *profile; /* NULL with enters_itself */
	const struct cage_ids *ids;
	const struct cage_mount *mounts;
	size_t nmounts;
	bool enters_itself; /* the program calls cage_enter(); it keeps what that needs until then */
	bool host_network;  /* no network namespace: for the one that talks to the network */
	const struct cage_listener *listeners; /* only with a network of its own */
	size_t nlisteners;
	const char *hostname; /* NULL: "cage" */
	int cgroup;           /* directory from cage_cgroup_make(); 0: none */
	int *starting;        /* NULL: wait until the program runs; else see cage_started() */
	/* As of struct proc_spec. A path is the host's with enters_itself, else one in the tree. */
	const char *path;
	int exe;
	char *const *argv;
	char *const *env;
	const struct proc_fd *fds;
	size_t nfds;
	unsigned listen_fds;
};

/* Starts the program; it dies with the calling thread. @listeners (spec->nlisteners entries,
 * may be NULL if that is 0) takes the listening sockets, close-on-exec, in the table's order. */
int cage_spawn(const struct cage_spec *spec, struct proc *out, int *listeners, struct err *err);
/* With spec->starting, cage_spawn() returns as soon as the sockets are there: the tree, and all
 * that is given up before the program runs, come after it. This waits for them. */
int cage_started(int *starting, struct err *err);

/* Called by the program itself, once: builds the tree, moves into it and gives up the rest.
 * Descriptors that are open stay open. With no rows the tree is an empty, read-only directory. */
int cage_enter(const struct cage_profile *profile, const struct cage_mount *mounts, size_t nmounts,
               struct err *err);

/* The lesser of the two, for a process of ours that stays where it is, and was made to read what
 * nobody vouches for: limits, no privilege and no way to one, only those @paths of the host's tree, and
 * only those calls. Its network, its neighbours and its memory are still the host's: the calls must
 * lead to none of them. */
int cage_narrow(const struct cage_profile *profile, struct err *err);

/* Compiles the profile's filters before they are needed; cage_spawn() and cage_enter() find
 * them again. Optional: it only moves the time (a parent that starts many cages). */
int cage_profile_compile(const struct cage_profile *profile, struct err *err);

/* A sealed, executable copy of a program file, for cage_spec.exe: what runs is what was read,
 * and needs no name inside. Returns the descriptor. */
int cage_seal_program(const char *path, struct err *err);

/* ---- is it as it was planned ---- */

/* The text of /proc/PID/mountinfo of a process in the cage, against the rows of its tree: each
 * mount is at a row's target, or came along below a bind, lacks what the row takes away, and
 * shares its changes with no other. ERR_UNCONFINED names the first that is otherwise. */
int cage_mounts_check(const char *mountinfo, const struct cage_mount *rows, size_t n, struct err *err);

/* ---- resources ---- */

struct cage_resources {
	uint64_t memory; /* bytes; 0: not limited */
	uint64_t processes;
	unsigned cpus;
};
enum cage_resource { CAGE_MEMORY = 1 << 0, CAGE_PROCESSES = 1 << 1, CAGE_CPUS = 1 << 2 };

/* Makes a control group below the caller's own, if it is delegated to it and holds nobody else,
 * and sets what can be set; @enforced gets the bits of enum cage_resource, and @why says why what
 * is missing is. Returns a directory descriptor, or 0 when there is no such group.
 * cage_cgroup_remove() after everything in it has ended. */
struct str;
int cage_cgroup_make(const char *name, const struct cage_resources *want, unsigned *enforced, struct str *why,
                     struct err *err);
void cage_cgroup_remove(const char *name);
/* For whoever starts the one that will make it: a group that holds a process gives no controller
 * to the groups below. Moves this process out of the delegated group that it stands in, into the
 * leaf beside those; does nothing where none is delegated, or others stand there too. */
void cage_cgroup_step_aside(void);
/* Where cage_cgroup_make() makes it: "/path/name" in the unified tree, for a record. 1, and @out
 * is the caller's; 0 when no group is delegated. */
int cage_cgroup_path(const char *name, char **out, struct err *err);
/* The same group, after its maker was killed and from wherever one stands: ends what is left in
 * it and removes it, and the leaf that its maker stood in unless somebody else does. One that is
 * gone is fine. */
int cage_cgroup_free(const char *path, struct err *err);

/* ---- can this host do it ---- */

/* Each tries the thing itself, in a process of its own, leaves nothing, and on failure says
 * what was found and the line that allows it. ERR_UNCONFINED unless it is ours. */
int cage_probe_user_namespace(struct err *err);
int cage_probe_network(struct err *err); /* network namespace, `lo` up */
int cage_probe_proc(struct err *err);    /* mount namespace, a fresh /proc */
int cage_probe_seccomp(struct err *err);
int cage_probe_landlock(struct err *err); /* ABI >= CAGE_LANDLOCK_ABI; the ABI is returned */
int cage_probe_overlay(struct err *err);  /* overlay in a user namespace */
int cage_probe_idmap(struct err *err);    /* idmapped mounts; matters for root alone */
/* User, network and mount namespaces, /proc, seccomp and overlay in one go, since a launch waits
 * for it. What it was that failed is for the ones above to say. */
int cage_probe_together(struct err *err);
int cage_probe_cgroup(struct err *err); /* delegated; returns the bits that can be enforced */
