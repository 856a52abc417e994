#pragma once
/* Ownership by scope. A local that holds a resource is declared own_..., initialised in
 * its declaration, and freed when the scope ends; handing it on is spelled at the spot
 * with fd_steal() or mem_steal(). Cleanup preserves errno and disarms the variable. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

/* Closes unless -1 and leaves -1. */
static inline void fd_drop(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
	*fd = -1;
}

static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void mem_drop(void *where)
{
	void **p = where;
	int saved = errno;

	free(*p);
	*p = NULL;
	errno = saved;
}

static inline void file_drop(FILE **f)
{
	if (*f) {
		int saved = errno;
		fclose(*f);
		errno = saved;
	}
	*f = NULL;
}

#define own_fd   OWN(fd_drop)
#define own_mem  OWN(mem_drop)
#define own_file OWN(file_drop)

#define mem_steal(where)                       \
	({                                     \
		__auto_type steal_ = *(where); \
		*(where) = NULL;               \
		steal_;                        \
	})

/* Allocation aborts on exhaustion: sizes are capped before they get here. */
void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* A NULL-terminated vector of strings (argv, an environment, a list of paths). */
struct strv {
	char **v; /* NULL while empty; else NULL-terminated */
	size_t n;
};
/* clang-format off */
#define STRV_INIT { 0 }
/* clang-format on */
#define own_strv OWN(strv_clear)

void strv_clear(struct strv *sv);
void strv_add(struct strv *sv, const char *s);
void strv_addf(struct strv *sv, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_take(struct strv *sv, char *s); /* @s becomes the vector's */
void strv_copy(struct strv *to, const struct strv *from);
bool strv_has(const struct strv *sv, const char *s);
/* For an environment: the value of NAME, or NULL; set replaces. */
const char *strv_env(const struct strv *sv, const char *name);
void strv_setenv(struct strv *sv, const char *name, const char *value);
