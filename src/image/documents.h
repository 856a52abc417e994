#pragma once
/* The JSON documents of an image: text in, names and hashes out. */
#include "base/str.h"
#include "image/image.h"

enum { IMAGE_LAYERS_MAX = 512, IMAGE_DOCUMENT_MAX = 4 << 20 };

/* manifest.json of docker save: of its one image the configuration's member and the layers'. */
int docker_manifest_read(const void *bytes, size_t n, char **config, struct strv *layers, struct err *err);
/* The same document, of one image. */
void docker_manifest_write(const char *config, const struct strv *layers, struct str *out);

/* The configuration, as @out has it afterwards: of root. smolvm would run every command as the
 * user that an image names, our own among them, which makes the agent's user from root. True:
 * it named another. */
int image_config_for_root(const void *bytes, size_t n, struct str *out, bool *changed, struct err *err);

/* A blob by its hash. */
struct oci_blob {
	char hash[SHA256_TEXT];
	uint64_t size;
};

/* index.json, or an index inside it: the one image for linux on this machine's processor.
 * @is_index: what it names is an index again. */
int oci_index_read(const void *bytes, size_t n, struct oci_blob *out, bool *is_index, struct err *err);

struct oci_image {
	struct oci_blob config;
	struct oci_blob *layers;
	size_t nlayers;
};
/* clang-format off */
#define OCI_IMAGE_INIT { 0 }
/* clang-format on */
void oci_image_clear(struct oci_image *i);
#define own_oci_image __attribute__((cleanup(oci_image_clear)))
int oci_manifest_read(const void *bytes, size_t n, struct oci_image *out, struct err *err);

/* "blobs/sha256/HASH". The caller frees. */
char *oci_blob_member(const struct oci_blob *b);
