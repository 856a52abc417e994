#include "test.h"

#include <string.h>

#include "base/json.h"
#include "smoldb/posture.h"

/* What smolvm 1.8.1 writes for `machine create --name bb --net --net-backend virtio-net
 * --allow-cidr 100.96.0.1/32 --cpus 1 --mem 512 --storage 1 --overlay 1 -e A=1`, with
 * dns_filter_hosts set as enforce does. */
static const char created[] =
	"{\"name\":\"bb\",\"created_at\":1795376479,\"state\":\"created\",\"pid\":null,\"pid_start_time\":null,"
	"\"cpus\":1,\"mem\":512,\"mounts\":[],\"ports\":[],\"published_sockets\":[],\"network\":true,\"gpu\":null,"
	"\"gpu_vram_mib\":null,\"rosetta\":null,\"restart\":{\"policy\":\"never\",\"max_retries\":0,"
	"\"max_backoff_secs\":0,\"restart_count\":0,\"user_stopped\":false},\"last_exit_code\":null,\"init\":[],"
	"\"init_completed\":false,\"env\":[[\"A\",\"1\"]],\"workdir\":null,\"storage_gb\":1,\"overlay_gb\":1,"
	"\"allowed_cidrs\":[\"100.96.0.1/32\"],\"network_backend\":\"virtio-net\",\"image\":null,\"entrypoint\":[],"
	"\"cmd\":[],\"health_cmd\":null,\"health_interval_secs\":null,\"health_timeout_secs\":null,"
	"\"health_retries\":null,\"health_startup_grace_secs\":null,\"ssh_agent\":false,\"cuda\":false,"
	"\"docker_socket\":false,\"dns_filter_hosts\":[],\"ephemeral\":false,\"runtime_managed\":false}";

static const char launched[] =
	"{\"version\":1,\"mounts\":[],\"ports\":[],\"resources\":{\"cpus\":1,\"memory_mib\":512,\"network\":true,"
	"\"network_backend\":\"virtio-net\",\"gpu\":false,\"gpu_vram_mib\":null,\"cuda\":false,\"rosetta\":false,"
	"\"storage_gib\":1,\"overlay_gib\":1,\"allowed_cidrs\":[\"100.96.0.1/32\"],\"dns\":null}}";

static json *given(void)
{
	static const char text[] =
		"{\"name\":\"bb\",\"cpus\":1,\"mem\":512,\"env\":[[\"A\",\"1\"]],\"mounts\":[],"
		"\"storage_gb\":1,\"overlay_gb\":1,\"image\":null,\"entrypoint\":[],\"cmd\":[],\"workdir\":null}";
	json *j = NULL;
	struct err err = ERR_INIT;

	assert_ok(json_parse(text, strlen(text), 8, &j, &err), &err);
	return j;
}

/* @text with the first @from replaced by @to. */
static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void the_pinned_versions_own_row_is_accepted(void **state)
{
	(void)state;
	own_json json *g = given();
	struct err err = ERR_INIT;

	assert_ok(posture_check(created, strlen(created), g, POSTURE_CREATED, &err), &err);
	own_mem char *one = replaced(created, "\"state\":\"created\",\"pid\":null,\"pid_start_time\":null",
	                             "\"state\":\"running\",\"pid\":134,\"pid_start_time\":1491");
	assert_ok(posture_check(one, strlen(one), g, POSTURE_STARTED, &err), &err);
	assert_refused(posture_check(one, strlen(one), g, POSTURE_CREATED, &err), &err, ERR_UNCONFINED,
	               "state");
	assert_refused(posture_check(created, strlen(created), g, POSTURE_STARTED, &err), &err,
	               ERR_UNCONFINED, "state");
}

static void every_way_to_widen_it_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{ "\"allowed_cidrs\":[\"100.96.0.1/32\"]", "\"allowed_cidrs\":null",
		  "allowed_cidrs is null" },
		{ "\"allowed_cidrs\":[\"100.96.0.1/32\"],", "", "allowed_cidrs is absent" },
		{ "[\"100.96.0.1/32\"]", "[\"100.96.0.1/32\",\"0.0.0.0/0\"]", "allowed_cidrs" },
		{ "[\"100.96.0.1/32\"]", "[\"0.0.0.0/0\"]", "allowed_cidrs" },
		{ "\"network_backend\":\"virtio-net\"", "\"network_backend\":\"tsi\"", "network_backend" },
		{ "\"network_backend\":\"virtio-net\",", "", "network_backend is absent" },
		{ "\"dns_filter_hosts\":[],", "", "dns_filter_hosts is absent" },
		{ "\"dns_filter_hosts\":[]", "\"dns_filter_hosts\":null", "dns_filter_hosts" },
		{ "\"dns_filter_hosts\":[]", "\"dns_filter_hosts\":[\"a.test\"]", "dns_filter_hosts" },
		{ "\"dns_filter_hosts\":[]", "\"dns_filter_hosts\":[],\"dns\":\"1.1.1.1\"", "dns is" },
		{ "\"ports\":[]", "\"ports\":[[8080,80]]", "ports" },
		{ "\"mounts\":[]", "\"mounts\":[[\"/\",\"/host\",false]]", "mounts" },
		{ "\"published_sockets\":[]", "\"published_sockets\":[{}]", "published_sockets" },
		{ "\"network\":true", "\"network\":1", "network" },
		{ "\"ssh_agent\":false", "\"ssh_agent\":true", "ssh_agent" },
		{ "\"docker_socket\":false", "\"docker_socket\":true", "docker_socket" },
		{ "\"gpu\":null", "\"gpu\":true", "gpu" },
		{ "\"cuda\":false", "\"cuda\":true", "cuda" },
		{ "\"env\":[[\"A\",\"1\"]]", "\"env\":[[\"HTTPS_PROXY\",\"x\"],[\"A\",\"1\"]]", "env" },
		{ "\"init\":[]", "\"init\":[\"true\"]", "init" },
		{ "\"cmd\":[]", "\"cmd\":[\"sh\"]", "cmd" },
		{ "\"image\":null", "\"image\":\"alpine\"", "image" },
		{ "\"policy\":\"never\"", "\"policy\":\"always\"", "restart" },
		{ "\"runtime_managed\":false", "\"runtime_managed\":false,\"network_name\":\"n\"",
		  "network_name is unknown" },
		{ "\"runtime_managed\":false", "\"runtime_managed\":false,\"golden\":\"other\"", "golden" },
		{ "\"runtime_managed\":false", "\"runtime_managed\":false,\"secret_refs\":{\"A\":{}}",
		  "secret_refs" },
		{ "\"runtime_managed\":false", "\"runtime_managed\":false,\"user\":\"root\"", "user" },
		{ "\"runtime_managed\":false", "\"runtime_managed\":false,\"source_smolmachine\":\"/x\"",
		  "source_smolmachine" },
		{ "\"cpus\":1", "\"cpus\":1,\"cpus\":2", "twice" },
		{ "\"docker_socket\":false", "\"docker_socket\":true,\"docker_socket\\u0000\":false", "NUL" },
		{ "\"allowed_cidrs\"", "\"allowed_cidrs\\u0000\"", "NUL" },
		{ "\"policy\"", "\"policy\\u0000\"", "NUL" },
		{ "\"cpus\":1", "\"cpus\":\"1\"", "cpus" },
		{ "\"mem\":512", "\"mem\":51200", "mem" },
		{ "\"name\":\"bb\"", "\"name\":\"cc\"", "name" },
	};
	own_json json *g = given();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		own_mem char *row = replaced(created, cases[i].from, cases[i].to);
		assert_refused(posture_check(row, strlen(row), g, POSTURE_CREATED, &err), &err,
		               ERR_UNCONFINED, cases[i].says);
	}
}

/* Every field that the version always writes: left out, it is a refusal. */
static void a_missing_field_is_refused(void **state)
{
	(void)state;
	own_json json *g = given();
	own_json json *row = NULL;
	struct err err = ERR_INIT;
	own_str struct str table = STR_INIT;
	int refused = 0;

	posture_print(&table);
	for (char *line = table.data, *end; (end = strchr(line, '\n')); line = end + 1) {
		own_mem char *key = xstrndup(line, strcspn(line, "\t"));
		own_str struct str text = STR_INIT;
		assert_ok(json_parse(created, strlen(created), 8, &row, &err), &err);
		json_unset(row, key);
		json_print(row, &text);
		bool optional = strncmp(line + strlen(key) + 1, "absent or ", 10) == 0;
		int rc = posture_check(text.data, text.len, g, POSTURE_CREATED, &err);
		if (optional != (rc == 0))
			fail_msg("%s: %s", key, rc == 0 ? "was not missed" : err.text);
		refused += rc != 0;
		json_drop(&row);
	}
	assert_true(refused >= 35);
}

static void what_was_launched_is_compared_too(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{ "[\"100.96.0.1/32\"]", "null", "allowed_cidrs" },
		{ "\"virtio-net\"", "\"tsi\"", "network_backend" },
		{ "\"ports\":[]", "\"ports\":[{\"host\":1,\"guest\":2}]", "ports" },
		{ "\"dns\":null", "\"dns\":\"1.1.1.1\"", "dns" },
		{ "\"dns\":null", "\"dns\":null,\"network_name\":\"n\"", "unknown" },
		{ "\"cpus\":1", "\"cpus\":64", "cpus" },
		{ "\"resources\":{", "\"resource\":{", "unknown" },
		{ "\"mounts\":[]", "\"mounts\":[{}]", "mounts" },
	};
	own_json json *g = given();
	struct err err = ERR_INIT;

	assert_ok(posture_check_launched(launched, strlen(launched), g, &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_mem char *text = replaced(launched, cases[i].from, cases[i].to);
		assert_refused(posture_check_launched(text, strlen(text), g, &err), &err, ERR_UNCONFINED,
		               cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pinned_versions_own_row_is_accepted),
		cmocka_unit_test(every_way_to_widen_it_is_refused),
		cmocka_unit_test(a_missing_field_is_refused),
		cmocka_unit_test(what_was_launched_is_compared_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
