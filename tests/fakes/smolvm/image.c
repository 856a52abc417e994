/* What create makes of --image and --from, and start of an archive. */
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "double.h"

static char *read_file(const char *path, size_t *n)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) != 0)
		die("config operation failed: --image: cannot read archive %s", path);
	char *bytes = calloc(1, (size_t)st.st_size + 1);
	*n = 0;
	for (ssize_t got = 1; *n < (size_t)st.st_size && got > 0; *n += (size_t)got)
		got = read(fd, bytes + *n, (size_t)st.st_size - *n);
	close(fd);
	return bytes;
}

/* A directory is kept by its name, an archive by the hash of its bytes. */
static char *reference_of(const char *image)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char text[2 * SHA256_DIGEST_LENGTH + 1], *out;
	struct stat st;
	size_t n;

	if (*image != '/' || stat(image, &st) != 0)
		die("config operation failed: --image: cannot read archive %s", image);
	if (S_ISDIR(st.st_mode)) {
		if (asprintf(&out, "\"local-dir:%s\"", image) < 0)
			abort();
		return out;
	}
	char *bytes = read_file(image, &n);
	SHA256((const unsigned char *)bytes, n, hash);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	if (asprintf(&out, "\"local:%s\"", text) < 0)
		abort();
	return out;
}

/* A .smolmachine's manifest stands where its last 64 bytes say. */
static char *manifest_of(const char *path)
{
	uint64_t at, len;
	uint32_t version;
	size_t n;
	char *bytes = read_file(path, &n);

	if (n < 64 || memcmp(bytes + n - 64, "SMOLPACK", 8) != 0)
		die("not a packed machine: %s", path);
	memcpy(&version, bytes + n - 56, sizeof version);
	if (version < 1 || version > 3)
		die("unsupported version: %u", (unsigned)version);
	memcpy(&at, bytes + n - 28, sizeof at);
	memcpy(&len, bytes + n - 20, sizeof len);
	if (at > n || len > n - 64 || at + len > n - 64)
		die("not a packed machine: %s", path);
	return strndup(bytes + at, len);
}

/* A text of it, as JSON. */
static const char *text_of(const char *manifest, const char *key, char *out, size_t size)
{
	char name[64], value[256];

	snprintf(name, sizeof name, "\"%s\": \"", key);
	snprintf(out, size, "null");
	if (strstr(manifest, name))
		snprintf(out, size, "\"%s\"", between(manifest, name, '"', value, sizeof value));
	return out;
}

/* A size that is smolvm's own default counts as not given: the file's comes in its place. */
static char *with_size(const char *row, const char *manifest, const char *key, const char *given,
                       const char *fallback)
{
	char name[64], value[32];

	snprintf(name, sizeof name, "\"%s\": ", key);
	return strcmp(given, fallback) == 0 ?
	               with_field(row, key, between(manifest, name, ',', value, sizeof value)) :
	               strdup(row);
}

static char *with_packed(const char *row, const struct options *o)
{
	const char *path = o->from;
	char value[512], name[256], *manifest = manifest_of(path), *out;
	const char *env = strstr(manifest, "\"env\": [");

	out = with_size(row, manifest, "cpus", o->cpus, "4");
	out = with_size(out, manifest, "mem", o->mem, "8192");
	out = with_field(out, "image", text_of(manifest, "image", value, sizeof value));
	out = with_field(out, "workdir", text_of(manifest, "workdir", value, sizeof value));
	if (env) {
		env = strchr(env, '[');
		between(env, "\"", '=', name, sizeof name);
		snprintf(value, sizeof value, "[[\"%s\",\"%.*s\"]]", name,
		         (int)strcspn(strchr(env, '=') + 1, "\""), strchr(env, '=') + 1);
		out = with_field(out, "env", value);
	}
	snprintf(value, sizeof value, "\"ephemeral\":false,\"source_smolmachine\":\"%s\"", path);
	return replaced(out, "\"ephemeral\":false", value);
}

char *with_image(const char *row, const struct options *o)
{
	if (o->from)
		return with_packed(row, o);
	return o->image ? with_field(row, "image", reference_of(o->image)) : strdup(row);
}

/* The guest's crane looks for the list of layers by its exact name. */
void flatten(const char *row)
{
	size_t n = 0;
	bool found = false;

	if (!strstr(row, "\"image\":\"local:"))
		return;
	char *bytes = read_file("/image.tar", &n);
	for (size_t i = 0; i + 512 <= n && !found; i += 512)
		found = strcmp(bytes + i, "manifest.json") == 0;
	if (!found)
		die("crane export failed: reading tarball from stdin: file manifest.json not found in tar");
}
