#pragma once
/* Errors are values on the caller's stack. A function that can fail returns 0 (or a
 * count >= 0) or -1, takes a `struct err *` last, never NULL, and fills it on failure
 * only. The text names the thing and the limit; a remedy follows "; ". */
#include <stdarg.h>
#include <stddef.h>

/* Few, because each maps to behaviour: the exit status and the "kind" of --json. */
enum err_kind {
	ERR_NONE,
	ERR_USAGE,      /* the command line is wrong */
	ERR_INPUT,      /* a file, a manifest or a message is wrong */
	ERR_DENIED,     /* somebody said no: permissions, policy, the operator */
	ERR_MISSING,    /* a thing that must exist does not */
	ERR_BUSY,       /* it exists, and somebody else has it */
	ERR_UNCONFINED, /* confinement can't be confirmed: nothing may boot */
	ERR_SYSTEM,     /* the kernel or a library failed us */
};

struct err {
	enum err_kind kind;
	int sys; /* errno, 0 where none was involved */
	char text[480];
};

/* clang-format off */
#define ERR_INIT { .kind = ERR_NONE }
/* clang-format on */

/* All return -1, so that failing is one line: return fail(err, ...). Text that does not
 * fit is cut with "...". fail_errno() maps EACCES/EPERM, ENOENT and EBUSY/EAGAIN to their
 * kinds, all else to ERR_SYSTEM, and adds ": strerror". fail_in() puts a prefix before
 * the text that is there and leaves the kind alone. */
int fail(struct err *err, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int fail_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int fail_in(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The -1 in sight of the compiler and the analysers: what follows a failure is not success. */
#define fail(...)                    \
	({                           \
		(fail)(__VA_ARGS__); \
		-1;                  \
	})
#define fail_errno(...)                    \
	({                                 \
		(fail_errno)(__VA_ARGS__); \
		-1;                        \
	})
#define fail_in(...)                    \
	({                              \
		(fail_in)(__VA_ARGS__); \
		-1;                     \
	})

/* The word for a kind, as in --json: "usage", "input", ... */
const char *err_kind_name(enum err_kind kind);

/* A broken invariant of ours: says where, then aborts. Never for input. */
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void bug_at(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
