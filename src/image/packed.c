/* The end of a .smolmachine: a footer of fixed size that says where the manifest stands, and the
 * manifest, JSON. What it packs is smolvm's to read, in the cage; here is read what it would
 * have the machine be. smolvm guards the file with a CRC alone: its hash is ours. */
#include "image/image.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/banned.h"

enum { VERSION_AT = 8, OFFSET_AT = 36, SIZE_AT = 44, DEPTH = 16, ENV_MAX = 1000 };
/* smolvm 1.8.1 writes the first and reads all of them: the number was reset, the layout is one. */
enum { PACK_FIRST = 1, PACK_LAST = 3 };

static uint64_t little(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

int packed_footer_read(const void *bytes, size_t n, uint64_t file_size, uint64_t *offset, uint64_t *size,
                       struct err *err)
{
	const unsigned char *p = bytes;

	if (n != PACKED_FOOTER || memcmp(p, "SMOLPACK", 8) != 0)
		return fail(err, ERR_INPUT,
		            "it is no .smolmachine: its end is not that of one; make one with "
		            "smolvm pack create");
	uint64_t version = little(p + VERSION_AT, 4), at = little(p + OFFSET_AT, 8),
		 len = little(p + SIZE_AT, 8);
	if (version < PACK_FIRST || version > PACK_LAST)
		return fail(err, ERR_INPUT, "it is a .smolmachine of version %llu, not %d to %d",
		            (unsigned long long)version, PACK_FIRST, PACK_LAST);
	if (len == 0 || len > PACKED_MANIFEST_MAX || file_size < PACKED_FOOTER ||
	    at > file_size - PACKED_FOOTER || len > file_size - PACKED_FOOTER - at)
		return fail(err, ERR_INPUT, "its manifest stands outside of it");
	*offset = at;
	*size = len;
	return 0;
}

/* NAME=value; the row has them as pairs. */
static int read_env(const json *list, struct strv *out, struct err *err)
{
	if (json_kind(list) != JSON_NULL && json_kind(list) != JSON_ARRAY)
		return fail(err, ERR_INPUT, "its env is no list");
	if (json_count(list) > ENV_MAX)
		return fail(err, ERR_INPUT, "its env has over %d entries", ENV_MAX);
	for (size_t i = 0; i < json_count(list); i++) {
		size_t n = 0;
		const char *text = json_string_n(json_at(list, i), &n);
		if (!text || strlen(text) != n || !strchr(text, '=') || *text == '=')
			return fail(err, ERR_INPUT, "its env holds something that is no NAME=value");
		strv_add(out, text);
	}
	return 0;
}

static bool is_empty(const json *j)
{
	return json_kind(j) == JSON_NULL || (json_kind(j) == JSON_BOOL && !json_truth(j, true)) ||
	       ((json_kind(j) == JSON_OBJECT || json_kind(j) == JSON_ARRAY) && json_count(j) == 0);
}

int packed_manifest_read(const void *bytes, size_t n, struct image *out, struct err *err)
{
	static const struct {
		const char *key, *why;
	} refused[] = {
		{ "gpu", "a GPU is a large piece of the host's code behind a guest's device" },
		{ "cuda", "it asks the host's CUDA driver" },
		{ "secret_refs", "it makes smolvm read variables and files of the host" },
	};
	own_json json *m = NULL;
	own_strv struct strv env = STRV_INIT;

	if (json_parse_unique(bytes, n, DEPTH, &m, err) != 0)
		return fail_in(err, "its manifest");
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (!is_empty(json_get(m, refused[i].key)))
			return fail(err, ERR_DENIED, "its manifest sets %s: %s; pack it without",
			            refused[i].key, refused[i].why);
	const char *mode = json_get_string(m, "mode", "container"), *name = json_get_string(m, "image", NULL);
	/* Such a machine has no image, and smolvm's start waits for the end of the command that keeps
	 * one with an image alive. */
	if (str_is(mode, "vm"))
		return fail(
			err, ERR_INPUT,
			"it is a machine's disks (mode vm), not an image, and no agent can be started in "
			"them; pack an image (smolvm pack create --image), or name its root file system's "
			"directory or a docker save archive");
	if (json_kind(m) != JSON_OBJECT || !str_is(mode, "container") || !name)
		return fail(err, ERR_INPUT, "its manifest says no image, or a mode other than container");
	if (read_env(json_get(m, "env"), &env, err) != 0)
		return -1;
	const char *workdir = json_get_string(m, "workdir", NULL);
	mem_drop(&out->name);
	mem_drop(&out->workdir);
	strv_clear(&out->env);
	out->name = xstrdup(name);
	out->workdir = workdir ? xstrdup(workdir) : NULL;
	out->env = env;
	env = (struct strv)STRV_INIT;
	return 0;
}

static int read_at(int fd, void *out, size_t n, uint64_t at, struct err *err)
{
	ssize_t got = pread(fd, out, n, (off_t)at);

	if (got < 0)
		return fail_errno(err, "reading it");
	return (size_t)got == n ? 0 : fail(err, ERR_INPUT, "it is cut off");
}

int image_read_packed(int fd, struct image *out, struct err *err)
{
	unsigned char footer[PACKED_FOOTER];
	uint64_t offset, size;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail_errno(err, "stat");
	if (st.st_size < PACKED_FOOTER)
		return fail(err, ERR_INPUT, "it is no .smolmachine: it is too short");
	if (read_at(fd, footer, sizeof footer, (uint64_t)st.st_size - PACKED_FOOTER, err) != 0 ||
	    packed_footer_read(footer, sizeof footer, (uint64_t)st.st_size, &offset, &size, err) != 0)
		return -1;
	own_mem char *bytes = xmalloc(size);
	return read_at(fd, bytes, size, offset, err) != 0 ? -1 : packed_manifest_read(bytes, size, out, err);
}
