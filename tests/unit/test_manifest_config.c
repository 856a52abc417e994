#include "test.h"

#include "manifest/config.h"
#include "manifest_files.h"
#include "proto/egress.h"
#include "wire/http.h"

static int load(struct files *f, struct host_config *out, struct err *err)
{
	host_config_clear(out);
	return host_config_load(f->dirs.etc, "etc", f->dirs.home, "home", out, err);
}

static void the_hosts_configuration_is_two_files_laid_on_each_other(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "{\"backed\":\"docker\"}", "did you mean \"backend\"" },
		{ "{\"backend\":\"podman\"}", "no backend" },
		{ "{\"upstream_proxy\":\"socks5://x:1\"}", "no proxy" },
		{ "{\"upstream_proxy\":\"http://u:p@x:1\"}", "nothing more" },
		{ "{\"resolver\":[\"dns.example\"]}", "no resolver" },
		{ "{\"hosts\":{\"a.example\":\"b.example\"}}", "no IPv4 or IPv6" },
		{ "{\"leases\":{\"first\":\"10.0.0.1\"}}", "no loopback" },
		{ "{\"leases\":{\"first\":\"127.0.0.9\",\"last\":\"127.0.0.8\"}}", "is behind last" },
		{ "{\"limits\":{\"headers\":1}}", "1 is not within 8 and 128" },
		{ "{\"limits\":{\"headers\":129}}", "129 is not within 8 and 128" },
		{ "{\"limits\":{\"connections\":1985,\"pool\":0}}", "1985 is not within 1 and 1984" },
		{ "{\"limits\":{\"connections\":1984}}",
		  "need 4000 descriptors; twice connections and pool are at most 3968" },
		{ "{\"limits\":{\"pool\":3966}}", "need 4478 descriptors" },
		{ "{\"extra_ca\":[\"ca.pem\"]}", "no absolute path" },
		{ "{\"providers\":{}}", "must be a list" },
		{ "{\"backend\":\"docker\",\"backend\":\"docker\"}", "twice" },
	};
	own_files struct files f;
	own_host_config struct host_config config = HOST_CONFIG_INIT;
	struct err err = ERR_INIT;

	files_up(&f);
	assert_ok(load(&f, &config, &err), &err);
	assert_string_equal(config.backend, "smolmachines");
	assert_false(config.backend_given);
	assert_int_equal(config.limits.head_bytes, 65536);
	assert_string_equal(config.leases.last, "127.0.0.31");
	put(&f, "etc/config.json",
	    "{\"backend\":\"smolmachines\",\"hosts\":{\"A.example\":\"10.0.0.1\",\"b\":\"::1\"},"
	    "\"extra_ca\":[\"/etc/a.pem\"],\"limits\":{\"headers\":64}}");
	put(&f, "home/config.json",
	    "{\"backend\":\"namespace\",\"hosts\":{\"b\":\"10.0.0.2\"},\"extra_ca\":[\"/b.pem\"],"
	    "\"resolver\":[\"192.0.2.1:53\",\"[::1]:53\",\"::1\"]}");
	assert_ok(load(&f, &config, &err), &err);
	assert_string_equal(config.backend, "namespace");
	assert_true(config.backend_given);
	assert_int_equal(config.nhosts, 2);
	assert_string_equal(config.hosts[0].name, "a.example");
	assert_string_equal(config.hosts[1].address, "10.0.0.2");
	assert_int_equal(config.extra_ca.n, 2);
	assert_int_equal(config.resolver.n, 3);
	assert_int_equal(config.limits.headers, 64);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		put(&f, "home/config.json", wrong[i].text);
		if (load(&f, &config, &err) == 0)
			fail_msg("%s", wrong[i].text);
		assert_refused(load(&f, &config, &err), &err, ERR_INPUT, wrong[i].says);
	}
}

static void limits_are_those_that_the_gateway_keeps_to(void **state)
{
	(void)state;
	own_files struct files f;
	own_host_config struct host_config config = HOST_CONFIG_INIT;
	struct err err = ERR_INIT;
	const int most = EGRESS_DESCRIPTORS - EGRESS_DESCRIPTORS_OWN;

	files_up(&f);
	for (int over = 0; over < 2; over++) {
		own_mem char *fields = xasprintf("{\"limits\":{\"headers\":%d}}", HTTP_FIELDS_MAX + over);
		own_mem char *connections =
			xasprintf("{\"limits\":{\"connections\":%d,\"pool\":%d}}", most / 2 - 50, 100 + over);
		put(&f, "home/config.json", fields);
		assert_int_equal(load(&f, &config, &err), -over);
		put(&f, "home/config.json", connections);
		assert_int_equal(load(&f, &config, &err), -over);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_those_that_the_gateway_keeps_to),
		cmocka_unit_test(the_hosts_configuration_is_two_files_laid_on_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
