#include "test.h"

#include <string.h>

#include "image/documents.h"

#define HASH   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "\"digest\":\"sha256:" HASH "\""

static void dockers_list_of_one_image_is_read(void **state)
{
	static const char good[] =
		"[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"a/layer.tar\",\"b\"]}]";
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[]", "holds 0 images" },
		{ "{}", "holds 0 images" },
		{ "[{},{}]", "holds 2 images" },
		{ "[{\"Config\":\"c\",\"Layers\":[]}]", "lists 0 layers" },
		{ "[{\"Layers\":[\"a\"]}]", "names no member" },
		{ "[{\"Config\":\"/etc/passwd\",\"Layers\":[\"a\"]}]", "names no member" },
		{ "[{\"Config\":\"c\",\"Layers\":[\"../a\"]}]", "leads elsewhere" },
		{ "[{\"Config\":\"c\",\"Layers\":[\"a/./b\"]}]", "leads elsewhere" },
		{ "[{\"Config\":\"c\",\"Layers\":[\"a//b\"]}]", "leads elsewhere" },
		{ "[{\"Config\":\"c\",\"Layers\":[1]}]", "names no member" },
		{ "[{\"Config\":\"c\",\"Config\":\"d\",\"Layers\":[\"a\"]}]", "manifest.json" },
	};
	own_mem char *config = NULL;
	own_strv struct strv layers = STRV_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(docker_manifest_read(good, strlen(good), &config, &layers, &err), &err);
	assert_string_equal(config, "c.json");
	assert_int_equal(layers.n, 2);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_mem char *none = NULL;
		own_strv struct strv nothing = STRV_INIT;
		assert_refused(
			docker_manifest_read(cases[i].text, strlen(cases[i].text), &none, &nothing, &err),
			&err, ERR_INPUT, cases[i].says);
	}
}

static void an_index_names_one_image_for_this_machine(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: it is taken */
	} cases[] = {
		{ "{\"manifests\":[{" DIGEST ",\"size\":7}]}", NULL },
		{ "{\"manifests\":[{" DIGEST ",\"size\":7},{" DIGEST
		  ",\"size\":7,\"platform\":{\"os\":\"unknown\","
		  "\"architecture\":\"unknown\"}}]}",
		  NULL },
		{ "{\"manifests\":[{" DIGEST ",\"size\":7},{" DIGEST ",\"size\":7}]}", "names 2 images" },
		{ "{\"manifests\":[]}", "names 0 images" },
		{ "{}", "lists no manifests" },
		{ "{\"manifests\":[{" DIGEST "}]}", "size" },
		{ "{\"manifests\":[{" DIGEST ",\"size\":99999999}]}", "over 4 MiB" },
		{ "{\"manifests\":[{\"digest\":\"sha512:00\",\"size\":7}]}", "no sha256" },
		{ "{\"manifests\":[{\"digest\":\"sha256:../../x\",\"size\":7}]}", "no sha256" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct oci_blob blob;
		struct err err = ERR_INIT;
		bool is_index = true;
		int rc = oci_index_read(cases[i].text, strlen(cases[i].text), &blob, &is_index, &err);
		if (cases[i].says) {
			assert_refused(rc, &err, ERR_INPUT, cases[i].says);
			continue;
		}
		assert_ok(rc, &err);
		assert_string_equal(blob.hash, HASH);
		assert_false(is_index);
	}
}

static void a_configuration_loses_a_user_and_nothing_else(void **state)
{
	static const struct {
		const char *text, *becomes; /* NULL: stays */
	} cases[] = {
		{ "{\"config\":{\"User\":\"node\",\"Env\":[\"A=1\"]},\"os\":\"linux\"}",
		  "{\"config\":{\"Env\":[\"A=1\"]},\"os\":\"linux\"}" },
		{ "{\"config\":{\"User\":\"1000:1000\"}}", "{\"config\":{}}" },
		{ "{ \"config\": {\"User\":\"0\"} }", NULL },
		{ "{\"config\":{\"User\":\"\"}}", NULL },
		{ "{}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str out = STR_INIT;
		struct err err = ERR_INIT;
		bool changed;
		assert_ok(image_config_for_root(cases[i].text, strlen(cases[i].text), &out, &changed, &err),
		          &err);
		assert_int_equal(changed, cases[i].becomes != NULL);
		assert_string_equal(str_c(&out), cases[i].becomes ? cases[i].becomes : cases[i].text);
	}
}

/* The footer of a file of 200 bytes whose manifest stands at 100. */
static int read_footer(uint32_t version, struct err *err)
{
	unsigned char footer[PACKED_FOOTER] = "SMOLPACK";
	uint64_t at = 0, size = 0;

	memcpy(footer + 8, &version, sizeof version);
	footer[36] = 100;
	footer[44] = 20;
	int rc = packed_footer_read(footer, sizeof footer, 200, &at, &size, err);
	assert_int_equal(at, rc == 0 ? 100 : 0);
	return rc;
}

static void the_versions_that_smolvm_reads_are_taken(void **state)
{
	static const uint32_t others[] = { 0, 4, 0x100, 0x01000000, UINT32_MAX };
	struct err err = ERR_INIT;

	(void)state;
	for (uint32_t version = 1; version <= 3; version++)
		assert_ok(read_footer(version, &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_refused(read_footer(others[i], &err), &err, ERR_INPUT, "not 1 to 3");
}

static void a_packed_manifest_brings_a_name_and_an_environment(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ "[]", ERR_INPUT, "no image" },
		{ "{\"image\":\"a\",\"mode\":\"other\"}", ERR_INPUT, "mode" },
		{ "{\"image\":\"vm://a\",\"mode\":\"vm\"}", ERR_INPUT, "pack an image" },
		{ "{\"image\":\"a\",\"env\":[\"NOVALUE\"]}", ERR_INPUT, "NAME=value" },
		{ "{\"image\":\"a\",\"env\":{}}", ERR_INPUT, "no list" },
		{ "{\"image\":\"a\",\"gpu\":true}", ERR_DENIED, "gpu" },
		{ "{\"image\":\"a\",\"cuda\":1}", ERR_DENIED, "cuda" },
		{ "{\"image\":\"a\",\"secret_refs\":{\"A\":{}}}", ERR_DENIED, "secret_refs" },
	};
	static const char good[] =
		"{\"image\":\"a:1\",\"env\":[\"A=b=c\"],\"workdir\":\"/x\",\"gpu\":false,\"secret_refs\":{}}";
	own_image struct image i = IMAGE_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(packed_manifest_read(good, strlen(good), &i, &err), &err);
	assert_string_equal(i.name, "a:1");
	assert_string_equal(i.workdir, "/x");
	assert_int_equal(i.env.n, 1);
	assert_string_equal(i.env.v[0], "A=b=c");
	for (size_t k = 0; k < ARRAY_LEN(cases); k++)
		assert_refused(packed_manifest_read(cases[k].text, strlen(cases[k].text), &i, &err), &err,
		               cases[k].kind, cases[k].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dockers_list_of_one_image_is_read),
		cmocka_unit_test(an_index_names_one_image_for_this_machine),
		cmocka_unit_test(a_configuration_loses_a_user_and_nothing_else),
		cmocka_unit_test(the_versions_that_smolvm_reads_are_taken),
		cmocka_unit_test(a_packed_manifest_brings_a_name_and_an_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
