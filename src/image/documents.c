#include "image/documents.h"

#include <string.h>

#include "base/json.h"
#include "base/banned.h"

#if defined(__x86_64__)
#define PROCESSOR "amd64"
#elif defined(__aarch64__)
#define PROCESSOR "arm64"
#else
#define PROCESSOR "unknown"
#endif

enum { DEPTH = 24, NAME_MAX_BYTES = 100, INDEX_MAX = 4096 };

/* ---- docker save ---- */

/* A member's name as docker writes it: relative, without dots. */
static int check_member(const char *name, struct err *err)
{
	if (!name || !*name || *name == '/' || strlen(name) > NAME_MAX_BYTES)
		return fail(err, ERR_INPUT, "manifest.json names no member of the archive where it should");
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");
		if (n == 0 || (n == 1 && *p == '.') || (n == 2 && memcmp(p, "..", 2) == 0))
			return fail(err, ERR_INPUT, "manifest.json names a member that leads elsewhere");
		p += n + (p[n] == '/');
	}
	return 0;
}

static const char *member(const json *j)
{
	size_t n = 0;
	const char *text = json_string_n(j, &n);

	return text && strlen(text) == n ? text : NULL;
}

int docker_manifest_read(const void *bytes, size_t n, char **config, struct strv *layers, struct err *err)
{
	own_json json *all = NULL;
	own_strv struct strv found = STRV_INIT;

	if (json_parse_unique(bytes, n, DEPTH, &all, err) != 0)
		return fail_in(err, "manifest.json");
	if (json_kind(all) != JSON_ARRAY || json_count(all) != 1)
		return fail(err, ERR_INPUT,
		            "the archive holds %zu images, and must hold one; docker save one image",
		            json_kind(all) == JSON_ARRAY ? json_count(all) : 0);
	const json *one = json_at(all, 0), *list = json_get(one, "Layers");
	const char *name = member(json_get(one, "Config"));
	if (check_member(name, err) != 0)
		return -1;
	if (json_kind(list) != JSON_ARRAY || json_count(list) == 0 || json_count(list) > IMAGE_LAYERS_MAX)
		return fail(err, ERR_INPUT, "manifest.json lists %zu layers; 1 to %d are taken",
		            json_count(list), IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < json_count(list); i++) {
		const char *layer = member(json_at(list, i));
		if (check_member(layer, err) != 0)
			return -1;
		strv_add(&found, layer);
	}
	*config = xstrdup(name);
	*layers = found;
	found = (struct strv)STRV_INIT;
	return 0;
}

void docker_manifest_write(const char *config, const struct strv *layers, struct str *out)
{
	own_json json *all = json_array_of();
	json *one = json_object_of(), *list = json_array_of();

	for (size_t i = 0; i < layers->n; i++)
		json_push(list, json_of_string(layers->v[i]));
	json_set_string(one, "Config", config);
	json_set(one, "RepoTags", json_array_of());
	json_set(one, "Layers", list);
	json_push(all, one);
	json_print(all, out);
}

int image_config_for_root(const void *bytes, size_t n, struct str *out, bool *changed, struct err *err)
{
	own_json json *all = NULL;

	if (json_parse_unique(bytes, n, DEPTH, &all, err) != 0)
		return fail_in(err, "its configuration");
	json *config = json_get(all, "config");
	const char *user = json_get_string(config, "User", "");
	*changed = *user && !str_is(user, "0") && !str_is(user, "root") && !str_is(user, "0:0") &&
	           !str_is(user, "root:root");
	if (!*changed) {
		str_addn(out, bytes, n);
		return 0;
	}
	json_unset(config, "User");
	json_print(all, out);
	return 0;
}

/* ---- OCI ---- */

static int read_blob(const json *descriptor, struct oci_blob *out, struct err *err)
{
	const char *digest = member(json_get(descriptor, "digest"));
	int64_t size = json_get_int(descriptor, "size", -1);

	if (!digest || !str_starts(digest, "sha256:") || strlen(digest) != 7 + SHA256_TEXT - 1 ||
	    strspn(digest + 7, "0123456789abcdef") != SHA256_TEXT - 1)
		return fail(err, ERR_INPUT, "a descriptor's digest is no sha256");
	if (size < 0 || (uint64_t)size > IMAGE_MAX)
		return fail(err, ERR_INPUT, "a descriptor's size is none, or over %llu MiB", IMAGE_MAX >> 20);
	memcpy(out->hash, digest + 7, SHA256_TEXT);
	out->size = (uint64_t)size;
	return 0;
}

static bool is_for_us(const json *descriptor)
{
	const json *platform = json_get(descriptor, "platform");

	return !platform || (str_is(json_get_string(platform, "os", ""), "linux") &&
	                     str_is(json_get_string(platform, "architecture", ""), PROCESSOR));
}

static bool ends_in(const json *descriptor, const char *a, const char *b)
{
	const char *type = json_get_string(descriptor, "mediaType", "");

	return str_is(type, a) || str_is(type, b);
}

int oci_index_read(const void *bytes, size_t n, struct oci_blob *out, bool *is_index, struct err *err)
{
	own_json json *index = NULL;
	const json *chosen = NULL;
	size_t fit = 0;

	if (json_parse_unique(bytes, n, DEPTH, &index, err) != 0)
		return fail_in(err, "its index");
	const json *list = json_get(index, "manifests");
	if (json_kind(list) != JSON_ARRAY || json_count(list) > INDEX_MAX)
		return fail(err, ERR_INPUT, "its index lists no manifests, or over %d", INDEX_MAX);
	for (size_t i = 0; i < json_count(list); i++)
		if (is_for_us(json_at(list, i)) && fit++ == 0)
			chosen = json_at(list, i);
	if (fit != 1)
		return fail(err, ERR_INPUT,
		            "its index names %zu images for linux on " PROCESSOR
		            ", and must name one; copy one image into a layout of its own",
		            fit);
	if (read_blob(chosen, out, err) != 0)
		return -1;
	if (out->size > IMAGE_DOCUMENT_MAX)
		return fail(err, ERR_INPUT, "a manifest of it is over %d MiB", IMAGE_DOCUMENT_MAX >> 20);
	*is_index = ends_in(chosen, "application/vnd.oci.image.index.v1+json",
	                    "application/vnd.docker.distribution.manifest.list.v2+json");
	return 0;
}

static bool is_layer(const json *descriptor)
{
	static const char *const types[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_is(json_get_string(descriptor, "mediaType", ""), types[i]))
			return true;
	return false;
}

void oci_image_clear(struct oci_image *i)
{
	mem_drop(&i->layers);
	i->nlayers = 0;
}

int oci_manifest_read(const void *bytes, size_t n, struct oci_image *out, struct err *err)
{
	own_oci_image struct oci_image found = OCI_IMAGE_INIT;
	own_json json *m = NULL;

	if (json_parse_unique(bytes, n, DEPTH, &m, err) != 0)
		return fail_in(err, "its manifest");
	const json *layers = json_get(m, "layers");
	if (read_blob(json_get(m, "config"), &found.config, err) != 0)
		return fail_in(err, "its configuration");
	if (json_kind(layers) != JSON_ARRAY || json_count(layers) == 0 ||
	    json_count(layers) > IMAGE_LAYERS_MAX)
		return fail(err, ERR_INPUT, "its manifest lists %zu layers; 1 to %d are taken",
		            json_count(layers), IMAGE_LAYERS_MAX);
	found.layers = xcalloc(json_count(layers), sizeof *found.layers);
	for (; found.nlayers < json_count(layers); found.nlayers++) {
		const json *layer = json_at(layers, found.nlayers);
		if (!is_layer(layer))
			return fail(err, ERR_INPUT, "layer %zu is of a kind that is not taken: \"%.60s\"",
			            found.nlayers + 1, json_get_string(layer, "mediaType", ""));
		if (read_blob(layer, &found.layers[found.nlayers], err) != 0)
			return fail_in(err, "layer %zu", found.nlayers + 1);
	}
	*out = found;
	found = (struct oci_image)OCI_IMAGE_INIT;
	return 0;
}

char *oci_blob_member(const struct oci_blob *b)
{
	return xasprintf("blobs/sha256/%s", b->hash);
}
