/* An archive of an image, read with libarchive, which is included here only. docker save's own
 * form passes as it is; an OCI archive, and what is compressed or spelled otherwise, is written
 * anew in docker save's form, each blob compared with the hash that names it. Nothing is
 * unpacked: layers are bytes. */
#include "reader/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "image/documents.h"
#include "image/image.h"
#include "image/tar.h"
#include "base/banned.h"

enum { MEMBERS_MAX = 8192, NAME_LENGTH_MAX = 255, BLOCK = 128 * 1024, LINKS_MAX = 8, INDEXES_MAX = 3 };

/* What the archive lists, by canonical name: without a leading "./". */
struct member {
	char *name;
	char *link; /* where it leads, in the archive; NULL: no link */
	uint64_t size;
	bool plain; /* named as docker save does */
};

struct contents {
	int in, out;
	struct member *members;
	size_t n;
	bool compressed;
};

/* One that is copied: under its name, with this content. */
struct wanted {
	const char *name;
	const struct oci_blob *blob; /* NULL: docker's, whose names say nothing */
};

static void contents_clear(struct contents *c)
{
	for (size_t i = 0; i < c->n; i++) {
		mem_drop(&c->members[i].name);
		mem_drop(&c->members[i].link);
	}
	mem_drop(&c->members);
	c->n = 0;
}

static void archive_drop(struct archive **a)
{
	if (*a)
		archive_read_free(*a);
}
#define own_archive __attribute__((cleanup(archive_drop)))

static int fail_archive(struct archive *a, struct err *err)
{
	const char *why = archive_error_string(a);

	return fail(err, ERR_INPUT, "it is no archive that can be read: %.200s",
	            why ? why : "no reason is given");
}

static struct archive *open_archive(const struct contents *c, struct err *err)
{
	own_archive struct archive *a = archive_read_new();
	struct archive *opened;

	if (!a || archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK) {
		fail(err, ERR_SYSTEM, "libarchive lacks tar, gzip or zstd");
		return NULL;
	}
	if (lseek(c->in, 0, SEEK_SET) != 0) {
		fail_errno(err, "the archive");
		return NULL;
	}
	if (archive_read_open_fd(a, c->in, BLOCK) != ARCHIVE_OK) {
		fail_archive(a, err);
		return NULL;
	}
	opened = a;
	a = NULL;
	return opened;
}

/* 1: a member; 0: the end. */
static int next(struct archive *a, struct archive_entry **e, struct err *err)
{
	int rc = archive_read_next_header(a, e);

	if (rc == ARCHIVE_EOF)
		return 0;
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? 1 : fail_archive(a, err);
}

static const char *canonical(const char *name)
{
	while (str_starts(name, "./"))
		name += 2;
	return name;
}

/* A link of docker save leads to another layer's file, relative to its own directory. */
static char *link_target(const char *name, const char *target, bool hard)
{
	own_mem char *base = xstrdup(hard ? "" : name);
	char *slash = strrchr(base, '/');

	if (slash)
		*slash = '\0';
	else
		*base = '\0';
	while (str_starts(target, "../")) {
		target += 3;
		slash = strrchr(base, '/');
		if (slash)
			*slash = '\0';
		else
			*base = '\0';
	}
	return *base ? xasprintf("%s/%s", base, target) : xstrdup(canonical(target));
}

static int add_member(struct contents *c, struct archive_entry *e, struct err *err)
{
	const char *name = archive_entry_pathname(e);
	const char *soft = archive_entry_symlink(e), *hard = archive_entry_hardlink(e);

	if (!name || strlen(name) > NAME_LENGTH_MAX)
		return fail(err, ERR_INPUT, "a member's name is not ASCII, or is over %d bytes",
		            NAME_LENGTH_MAX);
	if (!soft && !hard && archive_entry_filetype(e) == AE_IFDIR)
		return 0;
	if (!soft && !hard && archive_entry_filetype(e) != AE_IFREG)
		return fail(err, ERR_INPUT, "it holds a device or a pipe; an image's archive holds none");
	if (c->n == MEMBERS_MAX)
		return fail(err, ERR_INPUT,
		            "it has over %d members; is it a root file system? unpack that into a "
		            "directory, and name the directory",
		            MEMBERS_MAX);
	if (archive_entry_size(e) < 0 || (uint64_t)archive_entry_size(e) > IMAGE_MAX)
		return fail(err, ERR_INPUT, "a member of it is over %llu MiB", IMAGE_MAX >> 20);
	for (size_t i = 0; i < c->n; i++)
		if (str_is(c->members[i].name, canonical(name)))
			return fail(err, ERR_INPUT, "it has two members of one name");
	c->members = xrealloc(c->members, c->n + 1, sizeof *c->members);
	c->members[c->n++] = (struct member){
		.name = xstrdup(canonical(name)),
		.link = soft || hard ? link_target(canonical(name), soft ? soft : hard, !soft) : NULL,
		.size = (uint64_t)archive_entry_size(e),
		.plain = name == canonical(name),
	};
	return 0;
}

static int list(struct contents *c, struct err *err)
{
	own_archive struct archive *a = open_archive(c, err);
	struct archive_entry *e;
	int more;

	if (!a)
		return -1;
	while ((more = next(a, &e, err)) == 1)
		if (add_member(c, e, err) != 0)
			return -1;
	c->compressed = archive_filter_code(a, 0) != ARCHIVE_FILTER_NONE;
	return more;
}

/* The regular file behind a name, through links; NULL: none. */
static const struct member *find(const struct contents *c, const char *name)
{
	for (int hops = 0; hops < LINKS_MAX; hops++) {
		const struct member *found = NULL;
		for (size_t i = 0; i < c->n && !found; i++)
			if (str_is(c->members[i].name, name))
				found = &c->members[i];
		if (!found || !found->link)
			return found;
		name = found->link;
	}
	return NULL;
}

static int read_data(struct archive *a, char *piece, size_t n, size_t *got, struct err *err)
{
	la_ssize_t rc = archive_read_data(a, piece, n);

	if (rc < 0)
		return fail_archive(a, err);
	*got = (size_t)rc;
	return 0;
}

static int read_member(const struct contents *c, const char *name, struct str *out, struct err *err)
{
	own_archive struct archive *a = open_archive(c, err);
	own_mem char *piece = xmalloc(BLOCK);
	struct archive_entry *e;
	int more;
	size_t n = 1;

	if (!a)
		return -1;
	while ((more = next(a, &e, err)) == 1)
		if (str_is(canonical(archive_entry_pathname(e)), name))
			break;
	if (more != 1)
		return more < 0 ? -1 : fail(err, ERR_INPUT, "it lacks %.100s", name);
	while (n > 0) {
		if (read_data(a, piece, BLOCK, &n, err) != 0)
			return -1;
		if (out->len + n > IMAGE_DOCUMENT_MAX)
			return fail(err, ERR_INPUT, "%.100s is over %d MiB", name, IMAGE_DOCUMENT_MAX >> 20);
		str_addn(out, piece, n);
	}
	return 0;
}

/* ---- writing ---- */

static int copy_member(const struct contents *c, struct archive *a, uint64_t size, const struct wanted *w,
                       struct err *err)
{
	own_sha256 struct sha256_stream sum = { 0 };
	own_mem char *piece = xmalloc(BLOCK);
	char hash[SHA256_TEXT];
	uint64_t left = size;
	size_t n = 1;

	if (tar_write_head(c->out, w->name, size, err) != 0)
		return -1;
	sha256_begin(&sum);
	while (n > 0) {
		if (read_data(a, piece, BLOCK, &n, err) != 0)
			return -1;
		if (n > left)
			return fail(err, ERR_INPUT, "%.100s is longer than its head says", w->name);
		left -= n;
		sha256_add(&sum, piece, n);
		if (file_write_all(c->out, piece, n, err) != 0)
			return -1;
	}
	sha256_end_text(&sum, hash);
	if (left > 0)
		return fail(err, ERR_INPUT, "%.100s is cut off", w->name);
	if (w->blob && (size != w->blob->size || !str_is(hash, w->blob->hash)))
		return fail(err, ERR_INPUT, "the content of %.100s is not what its name says", w->name);
	return tar_write_padding(c->out, size, err);
}

/* In the order of @wanted, whatever the archive's: equal images become equal files. Each pass
 * writes at least one. */
static int copy_wanted(const struct contents *c, const struct wanted *wanted, size_t n, struct err *err)
{
	size_t done = 0;

	while (done < n) {
		own_archive struct archive *a = open_archive(c, err);
		struct archive_entry *e;
		size_t before = done;
		int more;
		if (!a)
			return -1;
		while (done < n && (more = next(a, &e, err)) == 1) {
			if (!str_is(wanted[done].name, canonical(archive_entry_pathname(e))))
				continue;
			if (copy_member(c, a, (uint64_t)archive_entry_size(e), &wanted[done], err) != 0)
				return -1;
			done++;
		}
		if (done < n && more < 0)
			return -1;
		if (done == before)
			return fail(err, ERR_INPUT, "it lacks %.100s", wanted[done].name);
	}
	return 0;
}

/* A configuration, and the layers, without repetition. */
static int write_image(const struct contents *c, const char *config, const struct str *text,
                       const struct strv *layers, const struct wanted *wanted, size_t n, struct err *err)
{
	own_str struct str manifest = STR_INIT;

	docker_manifest_write(config, layers, &manifest);
	const struct {
		const char *name;
		const struct str *text;
	} documents[] = { { "manifest.json", &manifest }, { config, text } };
	if (lseek(c->out, 0, SEEK_SET) != 0 || ftruncate(c->out, 0) != 0)
		return fail_errno(err, "the file to write");
	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		if (tar_write_head(c->out, documents[i].name, documents[i].text->len, err) != 0 ||
		    file_write_all(c->out, documents[i].text->data, documents[i].text->len, err) != 0 ||
		    tar_write_padding(c->out, documents[i].text->len, err) != 0)
			return -1;
	return copy_wanted(c, wanted, n, err) == 0 ? tar_write_end(c->out, err) : -1;
}

static void want(struct wanted *all, size_t *n, const char *name, const struct oci_blob *blob)
{
	for (size_t i = 0; i < *n; i++)
		if (str_is(all[i].name, name))
			return;
	all[(*n)++] = (struct wanted){ name, blob };
}

/* ---- the two forms ---- */

static int read_docker(const struct contents *c, bool *converted, struct err *err)
{
	own_str struct str text = STR_INIT, config_text = STR_INIT, for_root = STR_INIT;
	own_strv struct strv layers = STRV_INIT, real = STRV_INIT;
	own_mem char *config = NULL;
	bool changed = false;
	size_t n = 0;

	if (read_member(c, "manifest.json", &text, err) != 0 ||
	    docker_manifest_read(text.data, text.len, &config, &layers, err) != 0)
		return -1;
	own_mem struct wanted *wanted = xcalloc(layers.n, sizeof *wanted);
	const struct member *m = find(c, config);
	if (!m)
		return fail(err, ERR_INPUT, "it lacks %.100s, which manifest.json names", config);
	bool plain = !c->compressed && find(c, "manifest.json")->plain && m->plain;
	if (read_member(c, m->name, &config_text, err) != 0 ||
	    image_config_for_root(str_c(&config_text), config_text.len, &for_root, &changed, err) != 0)
		return -1;
	for (size_t i = 0; i < layers.n; i++) {
		m = find(c, layers.v[i]);
		if (!m)
			return fail(err, ERR_INPUT, "it lacks %.100s, which manifest.json names",
			            layers.v[i]);
		plain = plain && m->plain;
		strv_add(&real, m->name);
		want(wanted, &n, m->name, NULL);
	}
	*converted = !plain || changed;
	return *converted ? write_image(c, "config.json", &for_root, &real, wanted, n, err) : 0;
}

/* A document by its hash: its content must be what that says. */
static int read_blob(const struct contents *c, const struct oci_blob *blob, struct str *out, struct err *err)
{
	own_mem char *name = oci_blob_member(blob);
	char hash[SHA256_TEXT];

	str_reset(out);
	if (read_member(c, name, out, err) != 0)
		return -1;
	sha256_text(str_c(out), out->len, hash);
	return str_is(hash, blob->hash) ?
	               0 :
	               fail(err, ERR_INPUT, "the content of %s is not what its name says", name);
}

static int find_manifest(const struct contents *c, struct str *text, struct err *err)
{
	struct oci_blob blob;
	bool is_index = true;

	if (read_member(c, "index.json", text, err) != 0)
		return -1;
	for (int i = 0; is_index; i++) {
		if (i == INDEXES_MAX)
			return fail(err, ERR_INPUT, "its indexes name each other");
		if (oci_index_read(str_c(text), text->len, &blob, &is_index, err) != 0 ||
		    read_blob(c, &blob, text, err) != 0)
			return -1;
	}
	return 0;
}

static int read_oci(const struct contents *c, struct err *err)
{
	own_str struct str text = STR_INIT, for_root = STR_INIT;
	own_oci_image struct oci_image image = OCI_IMAGE_INIT;
	own_strv struct strv layers = STRV_INIT;
	bool changed;
	size_t n = 0;

	if (find_manifest(c, &text, err) != 0 ||
	    oci_manifest_read(str_c(&text), text.len, &image, err) != 0 ||
	    read_blob(c, &image.config, &text, err) != 0 ||
	    image_config_for_root(str_c(&text), text.len, &for_root, &changed, err) != 0)
		return -1;
	own_mem struct wanted *wanted = xcalloc(image.nlayers, sizeof *wanted);
	for (size_t i = 0; i < image.nlayers; i++)
		strv_take(&layers, oci_blob_member(&image.layers[i]));
	for (size_t i = 0; i < image.nlayers; i++)
		want(wanted, &n, layers.v[i], &image.layers[i]);
	return write_image(c, "config.json", &for_root, &layers, wanted, n, err);
}

int archive_read_image(int in, int out, bool *converted, struct err *err)
{
	OWN(contents_clear) struct contents c = { .in = in, .out = out };

	if (list(&c, err) != 0)
		return -1;
	*converted = true;
	if (find(&c, "manifest.json"))
		return read_docker(&c, converted, err);
	if (find(&c, "oci-layout") && find(&c, "index.json"))
		return read_oci(&c, err);
	return fail(
		err, ERR_INPUT,
		"it holds neither manifest.json (docker save) nor index.json (OCI); a root file system is "
		"unpacked into a directory, and the directory named");
}
