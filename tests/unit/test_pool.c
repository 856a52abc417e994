#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/file.h"
#include "base/proc.h"
#include "pool/pool.h"

struct place {
	char path[64];
	int dir;
	struct pool_range range;
};

static int set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof *p);
	struct err err = ERR_INIT;

	snprintf(p->path, sizeof p->path, "/tmp/bb-pool.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->dir >= 0);
	assert_ok(pool_range_parse("127.0.0.16", "127.0.0.31", &p->range, &err), &err);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;

	close(p->dir);
	dir_remove(AT_FDCWD, p->path, &err);
	free(p);
	return 0;
}

static struct in_addr address(const char *text)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, text, &a), 1);
	return a;
}

static struct lease take(struct place *p, const struct pool_taken *taken, const char *holder)
{
	struct lease lease = LEASE_INIT;
	struct err err = ERR_INIT;

	assert_ok(pool_acquire(p->dir, &p->range, taken, holder, &lease, &err), &err);
	return lease;
}

static void assert_address(struct in_addr a, const char *text)
{
	char shown[INET_ADDRSTRLEN];

	assert_string_equal(inet_ntop(AF_INET, &a, shown, sizeof shown), text);
}

/* ---- the pool ---- */

static void the_lowest_free_address_is_leased_and_leased_again_once_free(void **state)
{
	const struct pool_taken none = POOL_TAKEN_INIT;
	own_lease struct lease a = take(*state, &none, "one");
	own_lease struct lease b = take(*state, &none, "two");

	assert_address(a.address, "127.0.0.16");
	assert_address(b.address, "127.0.0.17");
	pool_release(&a);
	assert_int_equal(a.fd, -1);
	own_lease struct lease again = take(*state, &none, "three");
	assert_address(again.address, "127.0.0.16");
}

static void an_address_that_is_published_is_passed_over(void **state)
{
	own_pool_taken struct pool_taken taken = POOL_TAKEN_INIT;

	pool_taken_add(&taken, address("127.0.0.16"));
	pool_taken_add(&taken, address("127.0.0.18"));
	own_lease struct lease a = take(*state, &taken, "one");
	own_lease struct lease b = take(*state, &taken, "two");
	assert_address(a.address, "127.0.0.17");
	assert_address(b.address, "127.0.0.19");
}

static void an_exhausted_pool_names_the_count_the_holders_and_the_remedy(void **state)
{
	struct place *p = *state;
	own_pool_taken struct pool_taken taken = POOL_TAKEN_INIT;
	struct lease unchanged = LEASE_INIT;
	struct err err = ERR_INIT;

	assert_ok(pool_range_parse("127.0.0.16", "127.0.0.18", &p->range, &err), &err);
	pool_taken_add(&taken, address("127.0.0.17"));
	own_lease struct lease a = take(p, &taken, "reviewer-ab12c");
	own_lease struct lease b = take(p, &taken, "builder-cd34e");
	assert_refused(pool_acquire(p->dir, &p->range, &taken, "late", &unchanged, &err), &err, ERR_BUSY,
	               "all 3 loopback addresses");
	assert_non_null(strstr(err.text, "127.0.0.16 reviewer-ab12c"));
	assert_non_null(strstr(err.text, "127.0.0.17 published"));
	assert_non_null(strstr(err.text, "127.0.0.18 builder-cd34e"));
	assert_non_null(strstr(err.text, "leases.last"));
	assert_int_equal(unchanged.fd, -1);
	pool_release(&b);
	own_lease struct lease control = take(p, &taken, "late");
	assert_address(control.address, "127.0.0.18");
}

/* Each child leases, tells which, and holds on until it is told to end: no two may agree. */
enum { RIVALS = 12 };
static int lease_and_hold(void *arg, struct err *err)
{
	struct {
		struct place *p;
		int say, hold;
	} *r = arg;
	const struct pool_taken none = POOL_TAKEN_INIT;
	struct lease lease = LEASE_INIT;
	char byte;

	if (pool_acquire(r->p->dir, &r->p->range, &none, "rival", &lease, err) != 0)
		return -1;
	if (write(r->say, &lease.address, sizeof lease.address) != (ssize_t)sizeof lease.address)
		return -1;
	ssize_t ignored = read(r->hold, &byte, 1);
	(void)ignored;
	return 0;
}

static void launches_at_the_same_moment_get_different_addresses(void **state)
{
	int say[2], hold[2];
	struct proc rivals[RIVALS];
	struct in_addr got[RIVALS];
	struct err err = ERR_INIT;

	assert_int_equal(pipe2(say, O_CLOEXEC), 0);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	struct {
		struct place *p;
		int say, hold;
	} rival = { *state, say[1], hold[0] };
	const struct proc_fd fds[] = { { say[1], 40 }, { hold[0], 41 } };
	rival.say = 40;
	rival.hold = 41;
	const struct proc_spec spec = {
		.child = lease_and_hold, .arg = &rival, .fds = fds, .nfds = 2, .die_with_parent = true
	};
	for (int i = 0; i < RIVALS; i++)
		assert_ok(proc_fork(&spec, &rivals[i], &err), &err);
	for (int i = 0; i < RIVALS; i++) {
		assert_int_equal(read(say[0], &got[i], sizeof got[i]), sizeof got[i]);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(got[i].s_addr, got[j].s_addr);
	}
	for (int i = 0; i < RIVALS; i++)
		proc_clear(&rivals[i]);
	/* Killed, not released: the kernel gave all of them back. */
	const struct pool_taken none = POOL_TAKEN_INIT;
	own_lease struct lease after = take(*state, &none, "after");
	assert_address(after.address, "127.0.0.16");
	close(say[0]);
	close(say[1]);
	close(hold[0]);
	close(hold[1]);
}

static void a_lease_file_that_is_there_is_locked_and_not_made_anew(void **state)
{
	struct place *p = *state;
	const struct pool_taken none = POOL_TAKEN_INIT;
	struct stat before, after;

	int fd = openat(p->dir, "127.0.0.16", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && fchmod(fd, 0660) == 0 && fstat(fd, &before) == 0);
	close(fd);
	own_lease struct lease a = take(p, &none, "one");
	assert_int_equal(fstat(a.fd, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mode & 0777, 0660);
	pool_release(&a);
	assert_int_equal(fstatat(p->dir, "127.0.0.16", &after, 0), 0);
}

static void a_lease_file_that_is_a_link_or_no_file_is_refused(void **state)
{
	struct place *p = *state;
	const struct pool_taken none = POOL_TAKEN_INIT;
	struct lease lease = LEASE_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(symlinkat("/etc/passwd", p->dir, "127.0.0.16"), 0);
	assert_true(pool_acquire(p->dir, &p->range, &none, "one", &lease, &err) < 0);
	assert_non_null(strstr(err.text, "127.0.0.16"));
	assert_int_equal(unlinkat(p->dir, "127.0.0.16", 0), 0);
	assert_int_equal(mkfifoat(p->dir, "127.0.0.16", 0600), 0);
	assert_refused(pool_acquire(p->dir, &p->range, &none, "one", &lease, &err), &err, ERR_INPUT,
	               "no regular file");
}

static int lease_as_nobody(void *arg, struct err *err)
{
	struct {
		struct place *p;
		int report;
	} *r = arg;
	const struct pool_taken none = POOL_TAKEN_INIT;
	struct lease lease = LEASE_INIT;

	if (geteuid() == 0 && (setgid(65000) != 0 || setuid(65000) != 0))
		return fail_errno(err, "becoming somebody else");
	if (pool_acquire(r->p->dir, &r->p->range, &none, "one", &lease, err) == 0)
		*err = (struct err)ERR_INIT;
	return write(r->report, err, sizeof *err) == (ssize_t)sizeof *err ? 0 : -1;
}

static void a_directory_that_may_not_be_written_names_the_group(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT, told;
	int report[2], status;
	own_proc struct proc child = PROC_INIT;

	assert_int_equal(fchmod(p->dir, 0555), 0);
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	struct {
		struct place *p;
		int report;
	} other = { p, 40 };
	const struct proc_fd fds[] = { { report[1], 40 } };
	const struct proc_spec spec = { .child = lease_as_nobody, .arg = &other, .fds = fds, .nfds = 1 };
	assert_ok(proc_fork(&spec, &child, &err), &err);
	assert_int_equal(read(report[0], &told, sizeof told), sizeof told);
	assert_ok(proc_wait(&child, &status, &err), &err);
	assert_int_equal(told.kind, ERR_DENIED);
	assert_non_null(strstr(told.text, "bot-bottle"));
	assert_int_equal(fchmod(p->dir, 0777), 0);
	/* Control: where it may be written it is made. */
	assert_ok(proc_fork(&spec, &child, &err), &err);
	assert_int_equal(read(report[0], &told, sizeof told), sizeof told);
	assert_ok(proc_wait(&child, &status, &err), &err);
	assert_int_equal(told.kind, ERR_NONE);
	close(report[0]);
	close(report[1]);
}

static void a_range_is_loopback_and_in_order(void **state)
{
	static const struct {
		const char *first, *last, *word;
	} bad[] = {
		{ "10.0.0.1", "127.0.0.31", "10.0.0.1" },
		{ "127.0.0.16", "128.0.0.1", "128.0.0.1" },
		{ "127.0.0.31", "127.0.0.16", "behind" },
		{ "here", "127.0.0.16", "here" },
	};
	struct pool_range range;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(pool_range_parse(bad[i].first, bad[i].last, &range, &err), &err, ERR_INPUT,
		               bad[i].word);
	assert_ok(pool_range_parse("127.0.0.40", "127.0.0.40", &range, &err), &err);
}

static void the_range_is_a_setting(void **state)
{
	struct place *p = *state;
	const struct pool_taken none = POOL_TAKEN_INIT;
	struct err err = ERR_INIT;

	assert_ok(pool_range_parse("127.9.0.255", "127.9.1.0", &p->range, &err), &err);
	own_lease struct lease a = take(p, &none, "one");
	own_lease struct lease b = take(p, &none, "two");
	assert_address(a.address, "127.9.0.255");
	assert_address(b.address, "127.9.1.0");
}

static void the_directory_is_the_configured_one_or_the_users_own(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	struct stat st, same;

	own_fd int configured = pool_open(p->path, -1, &err);
	assert_ok(configured, &err);
	assert_int_equal(fstat(configured, &st), 0);
	assert_int_equal(fstat(p->dir, &same), 0);
	assert_int_equal(st.st_ino, same.st_ino);
	own_mem char *missing = xasprintf("%s/none", p->path);
	assert_refused(pool_open(missing, -1, &err), &err, ERR_MISSING, missing);
	if (access(POOL_SHARED_DIR, F_OK) == 0)
		skip();
	own_fd int own = pool_open(NULL, p->dir, &err);
	assert_ok(own, &err);
	assert_int_equal(fstatat(p->dir, "leases", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

/* ---- what docker says is published ---- */

#define NAMED(name, settings, config)                                     \
	"{\"Name\":\"" name "\",\"NetworkSettings\":{\"Ports\":" settings \
	"},\"HostConfig\":{\"PortBindings\":" config "}}"
#define AT(ip) "{\"9099/tcp\":[{\"HostIp\":\"" ip "\",\"HostPort\":\"9099\"}]}"

static void published_addresses_are_found(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *found[3];
	} cases[] = {
		{ "[]", 0, { NULL } },
		{ "[" NAMED("/bot-bottle-sidecars-a-11111", AT("127.0.0.16"), AT("127.0.0.16")) "]",
		  1,
		  { "127.0.0.16" } },
		{ "[" NAMED("/bot-bottle-sidecars-a-11111", AT("127.0.0.16"),
		            "{}") "," NAMED("/bot-bottle-sidecars-b-22222", "{}", AT("127.0.0.18")) "]",
		  2,
		  { "127.0.0.16", "127.0.0.18" } },
		/* One that is created and not started has its binding in HostConfig alone. */
		{ "[" NAMED("/bot-bottle-sidecars-a-11111", "{\"9099/tcp\":null}", AT("127.0.0.20")) "]",
		  1,
		  { "127.0.0.20" } },
		{ "[" NAMED("/bot-bottle-sidecars-a-11111", "null", "null") "]", 0, { NULL } },
		/* The name is anchored: docker's own filter is not. */
		{ "[" NAMED("/my-bot-bottle-sidecars-a", AT("127.0.0.16"), AT("127.0.0.16")) "]",
		  0,
		  { NULL } },
		{ "[" NAMED("/web", AT("127.0.0.17"), AT("127.0.0.17")) "]", 0, { NULL } },
		{ "[" NAMED("/bot-bottle-sidecars-a-11111", AT(""), AT("::")) "]", 0, { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_pool_taken struct pool_taken taken = POOL_TAKEN_INIT;
		struct err err = ERR_INIT;
		assert_ok(pool_read_inspect(cases[i].text, strlen(cases[i].text), &taken, &err), &err);
		assert_int_equal(taken.n, cases[i].n);
		for (size_t j = 0; j < cases[i].n; j++)
			assert_true(pool_is_taken(&taken, address(cases[i].found[j])));
	}
}

static void what_can_not_be_read_is_an_error_and_not_free(void **state)
{
	static const char *const bad[] = {
		"",
		"Error: No such object",
		"{}",
		"[{\"Id\":\"1\"}]",
		"[" NAMED("/bot-bottle-sidecars-a", "[]", "{}") "]",
		"[" NAMED("/bot-bottle-sidecars-a", "{\"9099/tcp\":{}}", "{}") "]",
		"[" NAMED("/bot-bottle-sidecars-a", "{\"9099/tcp\":[{}]}", "{}") "]",
		"[" NAMED("/bot-bottle-sidecars-a", AT("127.0.0.016x"), "{}") "]",
		"[" NAMED("/bot-bottle-sidecars-a", "{}",
		          "{\"9099/tcp\":[{\"HostIp\":\"127.0.0.16\",\"HostPort\":\"-1\"}]}") "]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		own_pool_taken struct pool_taken taken = POOL_TAKEN_INIT;
		struct err err = ERR_INIT;
		assert_refused(pool_read_inspect(bad[i], strlen(bad[i]), &taken, &err), &err, ERR_INPUT,
		               "docker inspect");
	}
}

static void only_network_settings_say_that_something_is_published(void **state)
{
	static const char yes[] = "[" NAMED("/bot-bottle-sidecars-a", AT("127.0.0.16"), AT("127.0.0.16")) "]";
	static const char no[] = "[" NAMED("/bot-bottle-sidecars-a", "{}", AT("127.0.0.16")) "]";
	static const char other[] =
		"[" NAMED("/bot-bottle-sidecars-a",
	                  "{\"80/tcp\":[{\"HostIp\":\"127.0.0.16\",\"HostPort\":\"80\"}]}", "{}") "]";
	struct sockaddr_in at;
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(pool_read_published(yes, strlen(yes), "9099/tcp", &at, &err), &err);
	assert_address(at.sin_addr, "127.0.0.16");
	assert_int_equal(ntohs(at.sin_port), 9099);
	assert_refused(pool_read_published(no, strlen(no), "9099/tcp", &at, &err), &err, ERR_MISSING,
	               "publishes nothing");
	assert_refused(pool_read_published(other, strlen(other), "9099/tcp", &at, &err), &err, ERR_MISSING,
	               "9099/tcp");
	static const char two[] =
		"[" NAMED("/bot-bottle-sidecars-a",
	                  "{\"9099/tcp\":[{\"HostIp\":\"127.0.0.16\",\"HostPort\":\"9099\"},"
	                  "{\"HostIp\":\"::\",\"HostPort\":\"9099\"}]}",
	                  "{}") "]";
	assert_refused(pool_read_published(two, strlen(two), "9099/tcp", &at, &err), &err, ERR_UNCONFINED,
	               "publishes 2 ports");
	assert_refused(pool_read_published("[]", 2, "9099/tcp", &at, &err), &err, ERR_INPUT, "not one");
}

/* ---- bridges ---- */

static void the_network_of_a_slug_is_always_the_same(void **state)
{
	struct subnet net;

	(void)state;
	assert_int_equal(subnet_choice("reviewer-ab12c", 0), 181);
	assert_int_equal(subnet_choice("reviewer-ab12c", 0), subnet_choice("reviewer-ab12c", 0));
	subnet_of(subnet_choice("reviewer-ab12c", 0), &net);
	assert_string_equal(net.cidr, "192.168.181.0/24");
	assert_string_equal(net.gateway, "192.168.181.1");
	assert_string_equal(net.bundle, "192.168.181.2");
}

static void seventeen_becomes_eighteen(void **state)
{
	(void)state;
	/* SHA-256 of the first begins with a byte that gives 17, of the second 16, of the third 254. */
	assert_int_equal(subnet_choice("bottle-00056", 0), 18);
	assert_int_equal(subnet_choice("bottle-00092", 0), 16);
	assert_int_equal(subnet_choice("bottle-00092", 1), 18);
	assert_int_equal(subnet_choice("bottle-00207", 0), 254);
	assert_int_equal(subnet_choice("bottle-00207", 1), 1);
}

static void an_overlap_moves_on_until_every_network_was_tried(void **state)
{
	bool seen[256] = { false };

	(void)state;
	for (unsigned i = 0; i < SUBNETS - 1; i++) {
		unsigned x = subnet_choice("reviewer-ab12c", i);
		assert_true(x >= 1 && x <= 254 && x != 17);
		assert_false(seen[x]);
		seen[x] = true;
	}
}

/* ---- macOS's lo0 ---- */

static void an_alias_is_found_as_a_whole_word(void **state)
{
	static const char lo0[] =
		"lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384\n"
		"\tinet 127.0.0.1 netmask 0xff000000\n\tinet6 ::1 prefixlen 128\n"
		"\tinet 127.0.0.160 netmask 0xffffffff\n\tinet 127.0.0.18 netmask 0xffffffff\n";

	(void)state;
	assert_true(pool_has_alias(lo0, address("127.0.0.1")));
	assert_true(pool_has_alias(lo0, address("127.0.0.18")));
	assert_false(pool_has_alias(lo0, address("127.0.0.16")));
	assert_false(pool_has_alias("\tinet 127.0.0.16 netmask 0xffffffff\n", address("127.0.0.1")));
	assert_false(pool_has_alias("", address("127.0.0.1")));
	assert_true(pool_has_alias("127.0.0.1", address("127.0.0.1")));
}

static void here_no_alias_is_made_and_nothing_is_run(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;

	assert_ok(pool_make_aliases(&p->range, &err), &err);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACED(the_lowest_free_address_is_leased_and_leased_again_once_free),
		PLACED(an_address_that_is_published_is_passed_over),
		PLACED(an_exhausted_pool_names_the_count_the_holders_and_the_remedy),
		PLACED(launches_at_the_same_moment_get_different_addresses),
		PLACED(a_lease_file_that_is_there_is_locked_and_not_made_anew),
		PLACED(a_lease_file_that_is_a_link_or_no_file_is_refused),
		PLACED(a_directory_that_may_not_be_written_names_the_group),
		PLACED(the_range_is_a_setting),
		PLACED(the_directory_is_the_configured_one_or_the_users_own),
		PLACED(here_no_alias_is_made_and_nothing_is_run),
		cmocka_unit_test(a_range_is_loopback_and_in_order),
		cmocka_unit_test(published_addresses_are_found),
		cmocka_unit_test(what_can_not_be_read_is_an_error_and_not_free),
		cmocka_unit_test(only_network_settings_say_that_something_is_published),
		cmocka_unit_test(the_network_of_a_slug_is_always_the_same),
		cmocka_unit_test(seventeen_becomes_eighteen),
		cmocka_unit_test(an_overlap_moves_on_until_every_network_was_tried),
		cmocka_unit_test(an_alias_is_found_as_a_whole_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
