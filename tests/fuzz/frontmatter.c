/* A manifest file of any form: read, checked, and never more than an error. The first byte
 * chooses the kind and the form, the rest is the file. */
#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = { "fuzz.md", "fuzz.json", "fuzz.yaml" };
	struct err err = ERR_INIT;

	if (size == 0)
		return 0;
	enum manifest_kind kind = data[0] & 3;
	own_json json *routes = NULL;
	manifest_check(kind, files[(data[0] >> 2 & 3) % ARRAY_LEN(files)], data + 1, size - 1, &routes, &err);
	return 0;
}
