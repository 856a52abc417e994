#include "test.h"
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/file.h"
#include "base/own.h"
#include "preflight/preflight.h"
#include "preflight/probes.h"

static int dir_of_programs(char *path)
{
	return mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void put_program(int dir, const char *name, const char *script)
{
	struct err err = ERR_INIT;

	assert_ok(file_write(dir, name, script, strlen(script), 0755, &err), &err);
}

/* What a user must be able to read off the screen to get further. */
static const char *const smolvm_words[] = {
	"smolvm",
	"1.8.1",
	"services.bot-bottle.enable",
	"https://github.com/smol-machines/smolvm/releases/download/v1.8.1/",
	"sha256sum -c",
	"tar -xzf",
	"--backend namespace",
};

/* Which way out is for the reader to choose; the line for a shell is whole, and the last. */
static void every_way_out_is_named(const struct err *err, enum err_kind kind)
{
	assert_int_equal(err->kind, kind);
	for (size_t w = 0; w < ARRAY_LEN(smolvm_words); w++)
		if (!strstr(err->text, smolvm_words[w]))
			fail_msg("\"%s\" does not say \"%s\"", err->text, smolvm_words[w]);
	assert_true(str_ends(err->text, ":$PATH"));
}

static void smolvm_is_refused_by_what_it_says(void **state)
{
	static const struct {
		int status;
		const char *said;
		const char *seen; /* NULL: it is taken */
	} cases[] = {
		{ 0, "smolvm 1.8.1\n", NULL },
		{ 0, "smolvm 1.8.0\n", "1.8.0" },
		{ 0, "smolvm 1.9.3\n", "1.9.3" },
		{ 0, "", "\"\"" },
		{ 0, "\033[2Jsmolvm 1.8.1", "\\x1b" },
		{ 0, "smolvm 1.8.1\nmore\n", "1.8.1\\x0a" },
		{ 0, "\1\2\3\4\5\6\7\1\2\3\4\5\6\7\1\2\3\4\5\6\7\1\2\3\4\5\6\7", "\\x01" },
		{ 3, "smolvm 1.8.1\n", "exited 3" },
		{ 137, "", "exited 137" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str said = STR_INIT;
		struct err err = ERR_INIT;

		str_add(&said, cases[i].said);
		int rc = check_smolvm_version(cases[i].status, &said, &err);
		if (!cases[i].seen) {
			assert_ok(rc, &err);
			continue;
		}
		assert_refused(rc, &err, ERR_UNCONFINED, cases[i].seen);
		every_way_out_is_named(&err, ERR_UNCONFINED);
	}
}

static void smolvm_that_is_not_there_is_missing(void **state)
{
	char path[] = "/tmp/bb-preflight-XXXXXX";
	own_fd int dir = dir_of_programs(path);
	own_str struct str found = STR_INIT;
	struct preflight_host host = {
		.share = "/nonexistent", .backend = "smolmachines", .path = path, .state = "/tmp"
	};
	struct err err = ERR_INIT;
	(void)state;

	assert_refused(probe_smolvm(&host, &found, &err), &err, ERR_MISSING, "not on PATH");
	every_way_out_is_named(&err, ERR_MISSING);
	/* A program by itself is no installation; nothing is run outside of a cage to find out. */
	put_program(dir, "smolvm", "#!/bin/sh\n>${0%/*}/ran; echo smolvm 1.8.1\n");
	assert_refused(probe_smolvm(&host, &found, &err), &err, ERR_MISSING, "agent-rootfs");
	every_way_out_is_named(&err, ERR_MISSING);
	assert_int_equal(faccessat(dir, "ran", F_OK, 0), -1);
	assert_ok(dir_remove(AT_FDCWD, path, &err), &err);
}

static void a_program_is_never_taken_from_the_working_directory(void **state)
{
	char path[] = "/tmp/bb-preflight-XXXXXX";
	own_fd int dir = dir_of_programs(path);
	own_fd int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_mem char *absolute = xasprintf("::.:%s", path);
	struct err err = ERR_INIT;
	(void)state;

	put_program(dir, "tool", "#!/bin/sh\n");
	assert_int_equal(fchdir(dir), 0);
	own_mem char *relative_found = preflight_find_program(":.:", "tool", &err);
	own_mem char *absolute_found = preflight_find_program(absolute, "tool", &err);
	assert_int_equal(fchdir(here), 0);
	assert_null(relative_found);
	assert_non_null(absolute_found);
	assert_ok(dir_remove(AT_FDCWD, path, &err), &err);
}

/* Bound, and listening or not. */
static int docker_socket(const char *url, bool listens)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, url + strlen("unix://"), strlen(url) - strlen("unix://"));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	if (listens)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Whatever is missing, it names the socket and the group that may use it. */
static void docker_is_missed(const struct preflight_host *host, enum err_kind kind, const char *says)
{
	own_str struct str found = STR_INIT;
	struct err err = ERR_INIT;

	assert_refused(probe_docker(host, &found, &err), &err, kind, says);
	assert_refused(probe_docker(host, &found, &err), &err, kind, "docker.sock");
	assert_refused(probe_docker(host, &found, &err), &err, kind, "group docker");
	assert_int_equal(found.len, 0);
}

static void docker_is_a_program_a_socket_and_an_answer(void **state)
{
	char path[] = "/tmp/bb-preflight-XXXXXX";
	own_fd int dir = dir_of_programs(path);
	own_mem char *url = xasprintf("unix://%s/docker.sock", path);
	struct preflight_host host = { .share = "/nonexistent",
		                       .backend = "namespace",
		                       .path = "/nonexistent",
		                       .state = "/tmp",
		                       .docker = url };
	own_str struct str found = STR_INIT;
	struct err err = ERR_INIT;
	(void)state;

	docker_is_missed(&host, ERR_MISSING, "not on PATH");
	host.path = path;
	put_program(dir, "docker",
	            "#!/bin/sh\n[ \"$4\" != ${4#unix:///} ] && [ $5 = version ] && echo 1.2-3\n");
	docker_is_missed(&host, ERR_MISSING, "no docker socket");
	own_fd int deaf = docker_socket(url, false);
	docker_is_missed(&host, ERR_MISSING, "nobody listens");
	assert_int_equal(unlinkat(dir, "docker.sock", 0), 0);
	own_fd int fd = docker_socket(url, true);
	assert_ok(probe_docker(&host, &found, &err), &err);
	assert_non_null(strstr(str_c(&found), "version 1.2-3"));
	/* That somebody takes the connection is no answer. */
	put_program(dir, "docker", "#!/bin/sh\necho Cannot connect to the Docker daemon >&2; exit 1\n");
	docker_is_missed(&host, ERR_MISSING, "no docker answers");
	put_program(dir, "docker", "#!/bin/sh\necho something else >&2; exit 3\n");
	docker_is_missed(&host, ERR_SYSTEM, "something else");
	put_program(dir, "docker", "#!/bin/sh\n");
	docker_is_missed(&host, ERR_SYSTEM, "says nothing");

	/* Not ours to use: another failure than "not there". Root may use anything. */
	if (geteuid() != 0) {
		assert_int_equal(fchmodat(dir, "docker.sock", 0, 0), 0);
		docker_is_missed(&host, ERR_DENIED, "may not be used by you");
	}
	assert_ok(dir_remove(AT_FDCWD, path, &err), &err);
}

static void a_state_directory_that_is_not_there_yet_is_measured_above(void **state)
{
	struct preflight_host host = {
		.share = "/nonexistent", .backend = "namespace", .path = "", .state = "/tmp/not/there/yet"
	};
	own_str struct str found = STR_INIT;
	struct err err = ERR_INIT;
	(void)state;

	assert_ok(probe_disk(&host, &found, &err), &err);
	assert_non_null(strstr(str_c(&found), "below /tmp"));
}

static void the_sidecars_image_is_missed_and_found_by_its_content(void **state)
{
	char path[] = "/tmp/bb-preflight-XXXXXX";
	own_fd int dir = dir_of_programs(path);
	struct preflight_host host = { .backend = "namespace", .path = "", .state = "/tmp", .share = path };
	own_str struct str found = STR_INIT;
	own_str struct str other = STR_INIT;
	struct err err = ERR_INIT;
	(void)state;

	assert_refused(probe_image(&host, &found, &err), &err, ERR_MISSING, "make sidecar-image");
	assert_non_null(strstr(err.text, "sidecar-image.tar"));
	assert_ok(file_write(dir, "sidecar-image.tar", "one", 3, 0644, &err), &err);
	assert_ok(probe_image(&host, &found, &err), &err);
	assert_non_null(strstr(str_c(&found), "bot-bottle-sidecars:"));
	assert_non_null(strstr(str_c(&found), "docker can't be asked"));
	assert_ok(file_write(dir, "sidecar-image.tar", "two", 3, 0644, &err), &err);
	assert_ok(probe_image(&host, &other, &err), &err);
	assert_string_not_equal(str_c(&found), str_c(&other));
	assert_ok(dir_remove(AT_FDCWD, path, &err), &err);
}

static void a_list_of_programs_that_is_wrong_is_told_by_doctor(void **state)
{
	char path[] = "/tmp/bb-preflight-XXXXXX";
	own_fd int dir = dir_of_programs(path);
	struct preflight_host host = { .backend = "namespace", .path = "", .state = "/tmp", .share = path };
	own_str struct str found = STR_INIT;
	struct err err = ERR_INIT;
	(void)state;

	assert_ok(probe_programs(&host, &found, &err), &err);
	assert_string_equal(str_c(&found), "the host's own");
	assert_ok(file_write(dir, "closure", "usr\n", 4, 0644, &err), &err);
	assert_refused(probe_programs(&host, &found, &err), &err, ERR_INPUT, "closure line 1: usr");
	assert_ok(dir_remove(AT_FDCWD, path, &err), &err);
}

static void leases_are_counted_and_an_exhausted_range_is_busy(void **state)
{
	char path[] = "/tmp/bb-preflight-XXXXXX";
	own_fd int dir = dir_of_programs(path);
	struct preflight_host host = { .backend = "namespace",
		                       .bundle = "docker",
		                       .path = "",
		                       .state = "/tmp",
		                       .lease_first = "127.0.0.16",
		                       .lease_last = "127.0.0.16",
		                       .lease_directory = path };
	own_str struct str found = STR_INIT;
	struct err err = ERR_INIT;
	(void)state;

	assert_ok(probe_leases(&host, &found, &err), &err);
	assert_string_equal(str_c(&found), "1 free from 127.0.0.16 to 127.0.0.16");
	/* Looking makes nothing, and keeps nothing. */
	assert_int_equal(faccessat(dir, "127.0.0.16", F_OK, 0), -1);
	own_fd int held = openat(dir, "127.0.0.16", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
	assert_refused(probe_leases(&host, &found, &err), &err, ERR_BUSY, "leases.last");
	assert_int_equal(flock(held, LOCK_UN), 0);
	assert_ok(probe_leases(&host, &found, &err), &err);
	assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
	host.lease_directory = "/nonexistent";
	assert_int_equal(probe_leases(&host, &found, &err), -1);
	assert_non_null(strstr(err.text, "group bot-bottle"));
	assert_ok(dir_remove(AT_FDCWD, path, &err), &err);
}

static void an_unknown_backend_or_bundle_is_a_usage_error(void **state)
{
	own_preflight_report struct preflight_report report = PREFLIGHT_REPORT_INIT;
	struct preflight_host host = {
		.share = "/nonexistent", .backend = "chroot", .path = "", .state = "/tmp"
	};
	struct err err = ERR_INIT;
	(void)state;

	assert_refused(preflight_run(&host, &report, &err), &err, ERR_USAGE, "chroot");
	host = (struct preflight_host){
		.backend = "namespace", .bundle = "podman", .path = "", .state = "/tmp"
	};
	assert_refused(preflight_require(&host, &err), &err, ERR_USAGE, "podman");
}

static void every_row_runs_and_only_needed_ones_decide(void **state)
{
	own_preflight_report struct preflight_report report = PREFLIGHT_REPORT_INIT;
	struct preflight_host host = { .share = "/nonexistent",
		                       .libexec = "/nonexistent",
		                       .backend = "smolmachines",
		                       .path = "",
		                       .state = "/dev/null",
		                       .state_fix = "set X" };
	struct err err = ERR_INIT;
	(void)state;

	assert_ok(preflight_run(&host, &report, &err), &err);
	/* No PATH, so no smolvm, which this backend needs. */
	assert_false(report.able);
	assert_int_equal(preflight_require(&host, &err), -1);
	for (size_t i = 0; i < report.n; i++) {
		const struct preflight_result *r = &report.v[i];

		assert_non_null(r->why);
		if (!r->ok)
			assert_true(r->fix || strstr(r->err.text, "; "));
		if (strcmp(r->name, "own programs") == 0 || strcmp(r->name, "state directory") == 0)
			assert_true(r->needed && !r->ok);
		if (strcmp(r->name, "gitleaks") == 0)
			assert_false(r->ok || r->needed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smolvm_is_refused_by_what_it_says),
		cmocka_unit_test(smolvm_that_is_not_there_is_missing),
		cmocka_unit_test(a_program_is_never_taken_from_the_working_directory),
		cmocka_unit_test(docker_is_a_program_a_socket_and_an_answer),
		cmocka_unit_test(a_state_directory_that_is_not_there_yet_is_measured_above),
		cmocka_unit_test(the_sidecars_image_is_missed_and_found_by_its_content),
		cmocka_unit_test(a_list_of_programs_that_is_wrong_is_told_by_doctor),
		cmocka_unit_test(leases_are_counted_and_an_exhausted_range_is_busy),
		cmocka_unit_test(an_unknown_backend_or_bundle_is_a_usage_error),
		cmocka_unit_test(every_row_runs_and_only_needed_ones_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
