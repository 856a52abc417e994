/* What stands in an image says names and hashes of its own form, or is refused; a .smolmachine's
 * manifest is looked for inside the file. The first byte says which document it is. */
#include <string.h>

#include "driver/fuzz.h"

#include "image/documents.h"

static void a_member(const char *name)
{
	must(*name && *name != '/' && !strstr(name, "/../") && strncmp(name, "../", 3) != 0 &&
	     strcmp(name, "..") != 0);
}

static void a_hash(const struct oci_blob *b)
{
	must(strlen(b->hash) == SHA256_TEXT - 1 && strspn(b->hash, "0123456789abcdef") == SHA256_TEXT - 1);
	must(b->size <= IMAGE_MAX);
}

static void docker(const uint8_t *bytes, size_t n, struct err *err)
{
	own_mem char *config = NULL, *again = NULL;
	own_strv struct strv layers = STRV_INIT, same = STRV_INIT;
	own_str struct str text = STR_INIT;

	if (docker_manifest_read(bytes, n, &config, &layers, err) != 0)
		return;
	a_member(config);
	must(layers.n > 0 && layers.n <= IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < layers.n; i++)
		a_member(layers.v[i]);
	docker_manifest_write(config, &layers, &text);
	must(docker_manifest_read(text.data, text.len, &again, &same, err) == 0 && same.n == layers.n);
}

static void oci(const uint8_t *bytes, size_t n, struct err *err)
{
	own_oci_image struct oci_image image = OCI_IMAGE_INIT;
	struct oci_blob blob;
	bool is_index;

	if (oci_index_read(bytes, n, &blob, &is_index, err) == 0)
		a_hash(&blob);
	if (oci_manifest_read(bytes, n, &image, err) != 0)
		return;
	a_hash(&image.config);
	must(image.nlayers > 0 && image.nlayers <= IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < image.nlayers; i++)
		a_hash(&image.layers[i]);
}

static void packed(const uint8_t *bytes, size_t n, struct err *err)
{
	own_image struct image image = IMAGE_INIT;
	uint64_t offset = 0, size = 0;

	if (n >= PACKED_FOOTER &&
	    packed_footer_read(bytes + n - PACKED_FOOTER, PACKED_FOOTER, n, &offset, &size, err) == 0) {
		must(size > 0 && size <= PACKED_MANIFEST_MAX && offset + size <= n - PACKED_FOOTER);
		bytes += offset;
		n = size;
	}
	if (packed_manifest_read(bytes, n, &image, err) != 0)
		return;
	for (size_t i = 0; i < image.env.n; i++)
		must(strchr(image.env.v[i], '=') > image.env.v[i]);
}

static void config(const uint8_t *bytes, size_t n, struct err *err)
{
	own_str struct str once = STR_INIT, twice = STR_INIT;
	bool changed;

	if (image_config_for_root(bytes, n, &once, &changed, err) != 0)
		return;
	must(image_config_for_root(str_c(&once), once.len, &twice, &changed, err) == 0 && !changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static void (*const readers[])(const uint8_t *bytes, size_t n, struct err *err) = { docker, oci,
		                                                                            packed, config };
	struct err err = ERR_INIT;

	if (n > 0)
		readers[bytes[0] % ARRAY_LEN(readers)](bytes + 1, n - 1, &err);
	return 0;
}
