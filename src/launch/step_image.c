/* The image's step: whatever form the manifest names becomes a directory or a file of the cache,
 * named by its hash, before anything of the bottle stands. What is made on the way lies in a
 * directory of this launch alone, which the record names before it exists. */
#include "launch/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "image/cache.h"
#include "image/reader.h"
#include "launch/fault.h"
#include "launch/job.h"
#include "manifest/image.h"
#include "registry/paths.h"
#include "base/banned.h"

enum { BUILD_MS = 60 * 60 * 1000, SAVE_MS = 20 * 60 * 1000, READ_MS = 20 * 60 * 1000 };

#define STEP     "preparing the image"
#define RESOURCE "image"
#define COPY     "copy"
#define WRITTEN  "written"
#define BUILT    "id"
#define CONFIG   "docker"

struct making {
	struct launch *l;
	struct image_cache cache;
	struct image_pace pace;
	struct docker docker;
	int work;
	bool reused; /* it was in the cache */
};

static void making_clear(struct making *m)
{
	image_cache_clear(&m->cache);
	fd_drop(&m->work);
}

bool image_wanted(void *arg)
{
	const struct launch *l = arg;

	return l->plan->image != NULL;
}

/* Between two pieces of a long read the loop has its turn. */
static int go_on(void *arg, struct err *err)
{
	struct launch *l = arg;

	if (loop_step(l->loop, 0, err) != 0)
		return -1;
	if (l->interrupted.kind == ERR_NONE)
		return 0;
	*err = l->interrupted;
	return -1;
}

static int open_cache(struct making *m, struct err *err)
{
	const char *path = m->l->plan->image_cache;

	if (!path)
		return fail(err, ERR_INPUT, "the plan names no cache directory; start the bottle anew");
	own_fd int parent = paths_open_private(path, PATHS_CACHE_FIX, err);
	return parent < 0 || image_cache_open(parent, path, &m->cache, err) != 0 ?
	               fail_in(err, "the cache directory") :
	               0;
}

/* ---- the scratch directory ---- */

static int work_make(struct making *m, struct err *err)
{
	struct launch *l = m->l;

	l->image_work = xasprintf(IMAGE_WORK_PREFIX "%s", l->record.slug);
	record_add_resource(&l->record, RESOURCE, l->image_work);
	if (launch_save(l, err) != 0)
		return -1;
	/* Of an earlier run of this bottle, which did not get to remove it. */
	if (dir_remove(m->cache.dir, l->image_work, err) != 0)
		return -1;
	m->work = dir_make(m->cache.dir, l->image_work, 0700, err);
	return m->work < 0 ? -1 : launch_fault(STEP, FAULT_DURING, err);
}

static void work_remove(struct launch *l, int cache)
{
	struct err err = ERR_INIT;

	if (!l->image_work)
		return;
	if (dir_remove(cache, l->image_work, &err) == 0) {
		record_drop_resource(&l->record, RESOURCE, l->image_work);
		launch_save(l, &err);
	} else {
		fail_in(&err, "%s stays, for bottle cleanup", l->image_work);
		l->events->log(l->arg, LOG_ERROR, err.text);
	}
	mem_drop(&l->image_work);
}

static int work_file(const struct making *m, const char *name, struct err *err)
{
	int fd = openat(m->work, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd >= 0 ? fd : fail_errno(err, "making %s", name);
}

/* ---- an archive ---- */

/* Whether the archive is one that smolvm takes; else @written holds one that it does. */
static int ask_reader(struct making *m, int archive, int written, bool *converted, struct err *err)
{
	own_cage_ids struct cage_ids ids = CAGE_IDS_INIT;
	own_job struct job job = JOB_INIT;
	own_mem char *program = xasprintf("%s/bottle-image", m->l->libexec);
	int theirs = -1;

	if (cage_ids_choose(&ids, err) != 0 || job_open(&job, &theirs, err) != 0)
		return -1;
	int rc = image_reader_start(program, &ids, archive, written, theirs, &job.proc, err);
	fd_drop(&theirs);
	if (rc != 0)
		return fail_in(err, "the image's reader");
	int status = job_wait(m->l, &job, READ_MS, "the image's reader", err);
	if (status < 0)
		return -1;
	const char *said = str_c(&job.last);
	if (str_starts(said, READER_REFUSED))
		return fail(err, ERR_INPUT, "%.400s", said + strlen(READER_REFUSED));
	*converted = str_is(said, READER_CONVERTED);
	if (status != 0 || (!*converted && !str_is(said, READER_AS_IT_IS)))
		return fail(err, ERR_INPUT, "reading it ended with status %d: %.200s", status,
		            *said ? said : "it said nothing; is it damaged?");
	return 0;
}

static int take(struct making *m, const char *name, enum image_kind kind, struct err *err)
{
	return image_cache_take(&m->cache, m->work, name, kind, &m->pace, &m->l->image, err);
}

/* 1: what this source became is in the cache. */
static int find_known(struct making *m, const char *key, struct err *err)
{
	char hash[SHA256_TEXT];
	int known = image_cache_recall(&m->cache, key, hash, err);

	if (known == 1)
		known = image_cache_find(&m->cache, IMAGE_ARCHIVE, hash, &m->pace, &m->l->image, err);
	m->reused = known == 1;
	return known;
}

/* The archive is @name in the scratch directory. @key: by what it is found the next time. */
static int settle_archive(struct making *m, const char *name, const char *key, struct err *err)
{
	own_fd int archive = openat(m->work, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	own_fd int written = work_file(m, WRITTEN, err);
	bool converted = false;

	if (archive < 0 || written < 0)
		return archive < 0 ? fail_errno(err, "the image's copy") : -1;
	if (ask_reader(m, archive, written, &converted, err) != 0 ||
	    take(m, converted ? WRITTEN : name, IMAGE_ARCHIVE, err) != 0)
		return -1;
	return image_cache_remember(&m->cache, key, m->l->image.hash, err);
}

/* ---- what stands at a path ---- */

/* A copy, so that what is used later is what was hashed: the file may change any time. */
static int copy_in(struct making *m, int from, char hash[SHA256_TEXT], struct err *err)
{
	own_fd int to = work_file(m, COPY, err);
	uint64_t size;

	return to < 0 ? -1 : image_copy_file(from, to, IMAGE_MAX, &m->pace, hash, &size, err);
}

static int make_archive(struct making *m, int fd, struct err *err)
{
	char hash[SHA256_TEXT];
	uint64_t size;

	if (image_hash_file(fd, IMAGE_MAX, &m->pace, hash, &size, err) != 0)
		return -1;
	int known = find_known(m, hash, err);
	if (known != 0)
		return known < 0 ? -1 : 0;
	return copy_in(m, fd, hash, err) == 0 ? settle_archive(m, COPY, hash, err) : -1;
}

static int make_packed(struct making *m, int fd, struct err *err)
{
	struct image *i = &m->l->image;
	char hash[SHA256_TEXT];
	uint64_t size;

	if (image_hash_file(fd, IMAGE_MAX, &m->pace, hash, &size, err) != 0)
		return -1;
	int known = image_cache_find(&m->cache, IMAGE_PACKED, hash, &m->pace, i, err);
	m->reused = known == 1;
	if (known < 0)
		return -1;
	/* Judged twice: before it is kept, and as what is kept. */
	if (known == 0 && (image_read_packed(fd, i, err) != 0 || copy_in(m, fd, hash, err) != 0 ||
	                   take(m, COPY, IMAGE_PACKED, err) != 0))
		return -1;
	return image_read_packed(i->fd, i, err);
}

static int make_layout(struct making *m, int dir, struct err *err)
{
	own_fd int to = work_file(m, COPY, err);
	char hash[SHA256_TEXT];
	uint64_t size;

	if (to < 0 || image_write_layout(dir, to, &m->pace, err) != 0 ||
	    image_hash_file(to, IMAGE_MAX, &m->pace, hash, &size, err) != 0)
		return -1;
	int known = find_known(m, hash, err);
	return known != 0 ? (known < 0 ? -1 : 0) : settle_archive(m, COPY, hash, err);
}

static int make_directory(struct making *m, int dir, const char *path, struct err *err)
{
	struct image *i = &m->l->image;

	if (image_hash_tree(dir, IMAGE_MAX, &m->pace, i->hash, &i->size, err) != 0)
		return -1;
	i->kind = IMAGE_DIRECTORY;
	i->path = xstrdup(path);
	return 0;
}

static int make_of_path(struct making *m, const struct image_name *name, struct err *err)
{
	struct stat st;
	own_fd int fd = open(name->rest, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) != 0)
		return fail_errno(err, "%s", name->rest);
	if (S_ISDIR(st.st_mode))
		return image_is_layout(fd) ? make_layout(m, fd, err) : make_directory(m, fd, name->rest, err);
	if (!S_ISREG(st.st_mode))
		return fail(err, ERR_INPUT, "%s is neither a directory nor a file", name->rest);
	int rc = name->form == IMAGE_SMOLMACHINE ? make_packed(m, fd, err) : make_archive(m, fd, err);
	return rc == 0 ? 0 : fail_in(err, "%s", name->rest);
}

/* ---- docker ---- */

static void on_word(void *arg, const char *line)
{
	struct launch *l = arg;
	own_mem char *note = xasprintf("docker: %s", line);

	l->events->note(l->arg, note);
}

static int wait_for_docker(struct making *m, struct job *job, int ms, const char *verb, struct err *err)
{
	own_mem char *what = xasprintf("the end of docker %s", verb);
	own_str struct str said = STR_INIT;
	int status = job_wait(m->l, job, ms, what, err);

	if (status <= 0)
		return status;
	str_add(&said, str_c(&job->last));
	return docker_explain(&m->docker, verb, status, &said, err);
}

static int save(struct making *m, const char *id, struct err *err)
{
	own_fd int to = work_file(m, COPY, err);
	own_job struct job job = JOB_INIT;
	int theirs = -1;

	if (to < 0 || job_open(&job, &theirs, err) != 0)
		return -1;
	int rc = docker_save(&m->docker, id, to, IMAGE_MAX, theirs, &job.proc, err);
	fd_drop(&theirs);
	return rc == 0 ? wait_for_docker(m, &job, SAVE_MS, "save", err) : -1;
}

/* docker names an image by a hash of what it is: what that became is looked up by it. */
static int make_of_id(struct making *m, const char *id, struct err *err)
{
	int known = find_known(m, id, err);

	if (known != 0)
		return known < 0 ? -1 : 0;
	return save(m, id, err) == 0 ? settle_archive(m, COPY, id, err) : -1;
}

static int build(struct making *m, const char *file, char id[SHA256_TEXT], struct err *err)
{
	own_mem char *base = xasprintf("%s/%s", m->cache.path, m->l->image_work);
	own_mem char *config = xasprintf("%s/" CONFIG, base), *id_file = xasprintf("%s/" BUILT, base);
	own_job struct job job = JOB_INIT;
	own_str struct str built = STR_INIT;
	int theirs = -1;

	own_fd int made = dir_make(m->work, CONFIG, 0700, err);
	if (made < 0 || job_open(&job, &theirs, err) != 0)
		return -1;
	job.said = on_word;
	job.arg = m->l;
	int rc = docker_build(&m->docker, config, file, id_file, theirs, &job.proc, err);
	fd_drop(&theirs);
	if (rc != 0 || wait_for_docker(m, &job, BUILD_MS, "build", err) != 0)
		return -1;
	if (file_read(m->work, BUILT, 2 * SHA256_TEXT, &built, err) != 0)
		return fail_in(err, "what docker built");
	const char *hash =
		str_starts(str_c(&built), "sha256:") ? built.data + strlen("sha256:") : str_c(&built);
	if (!image_hash_is_valid(hash))
		return fail(err, ERR_INPUT, "docker build names what it built by no sha256 id");
	memcpy(id, hash, SHA256_TEXT);
	return 0;
}

static int make_with_docker(struct making *m, const struct image_name *name, struct err *err)
{
	char id[SHA256_TEXT];

	m->docker = (struct docker){ m->l->plan->docker_program, m->l->plan->docker_host };
	if (name->form == IMAGE_IN_DAEMON && docker_image_id(&m->docker, name->rest, id, err) != 0)
		return -1;
	if (name->form == IMAGE_DOCKERFILE && build(m, name->rest, id, err) != 0)
		return -1;
	return make_of_id(m, id, err);
}

/* ---- the step ---- */

/* A bottle that is resumed has the image that it had, or is not resumed. */
static int find_earlier(struct making *m, struct err *err)
{
	static const enum image_kind kinds[] = { IMAGE_ARCHIVE, IMAGE_PACKED };
	const char *hash = m->l->plan->image_hash;

	for (size_t i = 0; hash && i < ARRAY_LEN(kinds) && image_hash_is_valid(hash); i++) {
		int found = image_cache_find(&m->cache, kinds[i], hash, &m->pace, &m->l->image, err);
		m->reused = found == 1;
		if (found == 1 && kinds[i] == IMAGE_PACKED &&
		    image_read_packed(m->l->image.fd, &m->l->image, err) != 0)
			return -1;
		if (found != 0)
			return found;
	}
	return 0;
}

static int make(struct making *m, struct err *err)
{
	const struct plan *p = m->l->plan;
	struct image_name name;

	if (image_name_read(p->image, &name, err) != 0 || open_cache(m, err) != 0)
		return -1;
	int earlier = find_earlier(m, err);
	if (earlier != 0)
		return earlier < 0 ? -1 : 0;
	if (work_make(m, err) != 0)
		return -1;
	bool docker = name.form == IMAGE_IN_DAEMON || name.form == IMAGE_DOCKERFILE;
	if ((docker ? make_with_docker(m, &name, err) : make_of_path(m, &name, err)) != 0)
		return -1;
	if (p->image_hash && !str_is(p->image_hash, m->l->image.hash))
		return fail(
			err, ERR_INPUT,
			"it has changed since this bottle began (%.12s then, %.12s now); start a new bottle",
			p->image_hash, m->l->image.hash);
	return 0;
}

/* What it was stands in the record's plan and in the audit log. */
static int tell(struct making *m, struct err *err)
{
	static const char *const kinds[] = {
		[IMAGE_DIRECTORY] = "directory", [IMAGE_ARCHIVE] = "archive", [IMAGE_PACKED] = "smolmachine"
	};
	struct launch *l = m->l;
	own_json json *record = json_object_of();
	json *details = json_object_of();

	json_set_string(details, "image", l->plan->image);
	json_set_string(details, "form", kinds[l->image.kind]);
	json_set_string(details, "sha256", l->image.hash);
	json_set_int(details, "bytes", (int64_t)l->image.size);
	json_set_truth(details, "from_cache", m->reused);
	json_set_string(record, "kind", "image");
	json_set(record, "details", details);
	json_set_string(l->record.plan, "image_hash", l->image.hash);
	return l->events->audit(l->arg, record, err) == 0 ? launch_save(l, err) : -1;
}

int image_up(void *arg, struct err *err)
{
	struct launch *l = arg;
	OWN(making_clear)
	struct making m = { .l = l, .cache = IMAGE_CACHE_INIT, .pace = { go_on, l }, .work = -1 };
	int rc = make(&m, err);

	if (m.cache.dir >= 0)
		work_remove(l, m.cache.dir);
	return rc == 0 ? tell(&m, err) : fail_in(err, "image");
}

void image_down(void *arg)
{
	struct launch *l = arg;

	image_clear(&l->image);
}
