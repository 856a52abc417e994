#include "pool/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/banned.h"

enum { HOLDER_SHOWN = 64 };

static uint32_t number_of(struct in_addr address)
{
	return ntohl(address.s_addr);
}

int pool_range_parse(const char *first, const char *last, struct pool_range *out, struct err *err)
{
	const char *const texts[] = { first, last };
	struct in_addr ends[2];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (inet_pton(AF_INET, texts[i], &ends[i]) != 1 || number_of(ends[i]) >> 24 != 127)
			return fail(err, ERR_INPUT, "leases: %.40s is no address of 127.0.0.0/8", texts[i]);
	if (number_of(ends[0]) > number_of(ends[1]))
		return fail(err, ERR_INPUT, "leases: first %s is behind last %s", first, last);
	*out = (struct pool_range){ ends[0], ends[1] };
	return 0;
}

int pool_open(const char *configured, int own, struct err *err)
{
	int fd;

	if (configured) {
		fd = open(configured, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd >= 0 ? fd : fail_errno(err, "open the leases' directory %s", configured);
	}
	fd = open(POOL_SHARED_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	/* Only where it is absent: one that is there and closed to us holds other users' leases. */
	if (errno != ENOENT)
		return fail_errno(err,
		                  "open " POOL_SHARED_DIR "; join the group bot-bottle and log in again");
	if (mkdirat(own, "leases", 0700) != 0 && errno != EEXIST)
		return fail_errno(err, "making the leases' directory");
	fd = openat(own, "leases", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 ? fd : fail_errno(err, "open the leases' directory");
}

/* The file may have been made by somebody else, with a group that we are in: then it is only
 * opened. Never unlinked: a second opener could lock a file that has no name. */
static int open_lease(int dir, const char *name, struct err *err)
{
	struct stat st;

	own_fd int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		            0660);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return fail_errno(err,
		                  "lease %s; join the group bot-bottle, or name a directory of your own as "
		                  "leases.directory",
		                  name);
	if (fd < 0)
		return fail_errno(err, "lease %s", name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "lease %s is no regular file", name);
	return fd_steal(&fd);
}

static void note_holder(int fd, const char *holder)
{
	/* For people only: that it could not be written changes nothing about who holds it. */
	if (ftruncate(fd, 0) == 0) {
		ssize_t ignored = pwrite(fd, holder, strlen(holder), 0);
		(void)ignored;
	}
}

/* What stands in the file was written by whoever may: it is shown, not believed. */
static void add_holder(struct str *out, const char *name, int fd, bool published)
{
	char text[HOLDER_SHOWN];
	ssize_t n = pread(fd, text, sizeof text, 0);

	str_addf(out, "%s%s ", out->len ? ", " : "", name);
	if (n > 0)
		str_add_escaped(out, text, (size_t)n, sizeof text);
	else if (published)
		str_add(out, "published by a container");
	else
		str_add(out, "by a process that left no name");
}

static int fail_all_held(const struct pool_range *range, const struct str *holders, struct err *err)
{
	return fail(err, ERR_BUSY,
	            "all %u loopback addresses are in use; stop a bottle (bottle ls), or raise leases.last "
	            "in config.json; held: %s",
	            number_of(range->last) - number_of(range->first) + 1, str_c(holders));
}

int pool_acquire(int dir, const struct pool_range *range, const struct pool_taken *taken, const char *holder,
                 struct lease *out, struct err *err)
{
	uint32_t first = number_of(range->first), last = number_of(range->last);
	own_str struct str holders = STR_INIT;

	for (uint32_t i = first; i <= last; i++) {
		struct in_addr address = { htonl(i) };
		char name[INET_ADDRSTRLEN];
		inet_ntop(AF_INET, &address, name, sizeof name);
		own_fd int fd = open_lease(dir, name, err);
		if (fd < 0)
			return -1;
		bool published = pool_is_taken(taken, address);
		if (!published && flock(fd, LOCK_EX | LOCK_NB) == 0) {
			note_holder(fd, holder);
			*out = (struct lease){ address, fd_steal(&fd) };
			return 0;
		}
		if (!published && errno != EWOULDBLOCK)
			return fail_errno(err, "lock lease %s", name);
		if (holders.len < sizeof err->text / 2)
			add_holder(&holders, name, fd, published);
	}
	return fail_all_held(range, &holders, err);
}

/* Shared, and let go at once: who leases the same address at that moment takes the next. Who
 * holds it is added to @holders. */
static int is_free(int dir, const char *name, struct str *holders, bool *out, struct err *err)
{
	own_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno != ENOENT)
		return fail_errno(err, "lease %s; join the group bot-bottle and log in again", name);
	*out = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0;
	if (!*out && holders->len < sizeof err->text / 2)
		add_holder(holders, name, fd, false);
	return 0;
}

int pool_count_free(const char *configured, const char *own, const struct pool_range *range, unsigned *out,
                    struct err *err)
{
	const char *const places[] = { configured ? configured : POOL_SHARED_DIR, configured ? NULL : own };
	own_str struct str holders = STR_INIT;
	unsigned found = 0;
	own_fd int dir = -1;

	for (size_t i = 0; dir < 0 && i < ARRAY_LEN(places) && places[i]; i++) {
		dir = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 && (errno != ENOENT || configured))
			return fail_errno(err,
			                  "open the leases' directory %s; join the group bot-bottle and log "
			                  "in again, or name another as leases.directory",
			                  places[i]);
	}
	for (uint32_t i = number_of(range->first); i <= number_of(range->last); i++) {
		struct in_addr address = { htonl(i) };
		char name[INET_ADDRSTRLEN];
		bool one_is_free = true;
		inet_ntop(AF_INET, &address, name, sizeof name);
		if (dir >= 0 && is_free(dir, name, &holders, &one_is_free, err) != 0)
			return -1;
		found += one_is_free;
	}
	if (found == 0)
		return fail_all_held(range, &holders, err);
	*out = found;
	return 0;
}

void pool_release(struct lease *lease)
{
	if (lease->fd >= 0 && ftruncate(lease->fd, 0) != 0)
		errno = 0; /* a name that stays behind is only text: the lock is what counts */
	fd_drop(&lease->fd);
}
