#include "test.h"

#include "cage/cage.h"

static const struct cage_mount rows[] = {
	{ CAGE_BIND, "/usr/lib", .source = "/usr/lib", .flags = CAGE_READ_ONLY | CAGE_OPTIONAL },
	{ CAGE_LINK, "/lib", .source = "usr/lib" },
	{ CAGE_PROC, .target = "/proc" },
	{ CAGE_TMPFS, .target = "/dev", .flags = CAGE_NOEXEC },
	{ CAGE_BIND, "/dev/kvm", .source = "/dev/kvm", .flags = CAGE_DEVICE },
	{ CAGE_DEVPTS, .target = "/dev/pts" },
	{ CAGE_DIR, .target = "/b" },
	{ CAGE_FILE, .target = "/etc/hosts", .content = "x" },
	{ CAGE_BIND, "/s", .source = "/x/smolvm", .flags = CAGE_NOEXEC },
	{ CAGE_OVERLAY, "/b/workspace", .source = "/work" },
	{ CAGE_BIND, "/b/a b", .source = "/x/a b", .flags = CAGE_READ_ONLY | CAGE_NOEXEC },
	{ CAGE_MASK, .target = "/b/a b/secret" },
	{ CAGE_BIND, "/w", .source = "/w" },
	{ CAGE_BIND, "/w/.envrc", .source = "/w/.envrc", .flags = CAGE_READ_ONLY },
	{ CAGE_PIN, .target = "/w/a" },
	{ CAGE_PIN, .target = "/w/a/.envrc", .flags = CAGE_READ_ONLY },
};

/* What the kernel says of a tree made of them. */
#define HEAD "325 115 0:81 / / ro,nosuid,nodev,relatime - tmpfs none rw,size=16384k,mode=755\n"
static const char planned[] =
	HEAD "165 325 254:0 /usr/lib /usr/lib ro,nosuid,nodev,relatime - ext4 /dev/vda rw,discard\n"
	     "166 165 8:1 / /usr/lib/modules ro,nosuid,nodev,noexec - ext4 /dev/sda rw\n"
	     "326 325 0:82 / /proc rw,nosuid,nodev,noexec,relatime - proc none rw\n"
	     "327 326 0:82 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc none rw\n"
	     "336 326 0:88 / /proc/keys ro,nosuid,nodev,noexec,relatime - tmpfs none rw,mode=755\n"
	     "328 325 0:83 / /dev rw,nosuid,nodev,noexec,relatime - tmpfs none rw,size=64k\n"
	     "307 328 0:6 /kvm /dev/kvm rw,nosuid,relatime - devtmpfs devtmpfs rw,mode=755\n"
	     "329 328 0:84 / /dev/pts rw,nosuid,noexec,relatime - devpts none rw,mode=620\n"
	     "110 325 254:0 /x/smolvm /s rw,nosuid,nodev,noexec,relatime,idmapped - ext4 /dev/vda rw\n"
	     "333 325 0:86 / /b/workspace rw,nosuid,nodev,relatime - overlay none rw,lowerdir=lower\n"
	     "334 325 254:0 /x/a\\040b /b/a\\040b ro,nosuid,nodev,noexec - ext4 /dev/vda rw\n"
	     "335 334 0:87 / /b/a\\040b/secret ro,nosuid,nodev,noexec - tmpfs none rw,mode=0\n";

static void a_tree_as_planned_is_accepted(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(cage_mounts_check(planned, rows, ARRAY_LEN(rows), &err), &err);
	/* Where the host has another mount, what is planned lies over it. */
	own_mem char *over = xasprintf("%s8 325 8:1 / /w rw,nosuid,nodev - ext4 /d rw\n"
	                               "9 8 8:2 / /w/.envrc rw,nosuid,nodev - ext4 /d rw\n"
	                               "10 9 8:2 / /w/.envrc ro,nosuid,nodev - ext4 /d rw\n",
	                               planned);
	assert_ok(cage_mounts_check(over, rows, ARRAY_LEN(rows), &err), &err);
	/* One that is optional, and not there. */
	assert_ok(cage_mounts_check(HEAD, rows, ARRAY_LEN(rows), &err), &err);
	assert_ok(cage_mounts_check(HEAD, NULL, 0, &err), &err);
}

static void another_mount_or_a_wider_one_is_refused(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "9 325 254:0 /home /home ro,nosuid,nodev,noexec - ext4 /dev/vda rw", "/home" },
		{ "9 325 254:0 / /usr ro,nosuid,nodev,noexec - ext4 /dev/vda rw", "/usr" },
		{ "9 325 254:0 / /usr/library ro,nosuid,nodev,noexec - ext4 /dev/vda rw", "/usr/library" },
		{ "9 325 254:0 / /lib ro,nosuid,nodev,noexec - ext4 /dev/vda rw", "/lib" },
		{ "9 325 254:0 / /b ro,nosuid,nodev,noexec - ext4 /dev/vda rw", "/b" },
		{ "9 325 254:0 / /etc/hosts ro,nosuid,nodev,noexec - ext4 /dev/vda rw", "/etc/hosts" },
		{ "9 325 254:0 / / rw,nosuid,nodev - tmpfs none rw", "at / is none" },
		{ "9 325 254:0 / / ro,nosuid,nodev - ext4 /dev/vda rw", "at / is none" },
		{ "9 325 8:1 / /w/.envrc rw,nosuid,nodev - ext4 /d rw", "wider" },
		{ "9 325 8:1 / /w/a rw,nosuid,nodev - ext4 /d rw\n"
		  "8 325 8:1 / /w/a/.envrc rw,nosuid,nodev - ext4 /d rw",
		  "/w/a/.envrc is wider" },
		{ "9 325 254:0 /l /usr/lib rw,nosuid,nodev - ext4 /dev/vda rw", "/usr/lib" },
		{ "9 325 254:0 /l /usr/lib ro,nodev - ext4 /dev/vda rw", "/usr/lib" },
		{ "9 325 254:0 /l /usr/lib ro,nosuid - ext4 /dev/vda rw", "/usr/lib" },
		{ "9 325 254:0 /l /usr/lib/x rw,nosuid,nodev - ext4 /dev/vda rw", "/usr/lib/x" },
		{ "9 325 254:0 /l /usr/lib nosuid,nodev,errors=ro - ext4 /dev/vda ro", "/usr/lib" },
		{ "9 325 254:0 /l /s rw,nosuid,nodev - ext4 /dev/vda rw", "/s" },
		{ "9 325 0:6 /kvm /dev/kvm rw - devtmpfs devtmpfs rw", "/dev/kvm" },
		{ "9 325 0:6 / /dev rw,nosuid,noexec - devtmpfs devtmpfs rw", "/dev" },
		{ "9 325 0:6 / /dev/pts rw,nosuid,noexec - tmpfs none rw", "/dev/pts" },
		{ "9 325 0:6 / /dev/shm rw,nosuid,nodev,noexec - tmpfs none rw", "/dev/shm" },
		{ "9 325 0:5 / /proc rw,nosuid,nodev,noexec - tmpfs none rw", "/proc" },
		{ "9 325 0:5 /sys /proc/sys rw,nosuid,nodev,noexec - proc none rw", "/proc/sys" },
		{ "9 325 0:5 / /proc/keys ro,nosuid,nodev - tmpfs none rw", "/proc/keys" },
		{ "9 325 0:5 / /proc/keys ro,nosuid,nodev,noexec - proc none rw", "/proc/keys" },
		{ "9 325 0:5 / /proc/keyring ro,nosuid,nodev,noexec - tmpfs none rw", "/proc/keyring" },
		{ "9 325 0:5 /1 /proc/1 ro,nosuid,nodev,noexec - proc none rw", "/proc/1" },
		{ "9 325 0:5 / /b/a\\040b/secret rw,nosuid,nodev,noexec - tmpfs none rw", "secret" },
		{ "9 325 0:5 / /b/workspace/x rw,nosuid,nodev - ext4 none rw", "/b/workspace/x" },
		{ "9 325 254:0 /l /usr/lib ro,nosuid,nodev shared:5 - ext4 /dev/vda rw", "shared:5" },
		{ "9 325 254:0 /l /usr/lib ro,nosuid,nodev master:7 - ext4 /dev/vda rw", "master:7" },
		{ "9 325 254:0 /l /usr/lib ro,nosuid,nodev master:7 propagate_from:2 - ext4 /d rw",
		  "/usr/lib" },
		{ "9 325 254:0 /l /usr/lib ro,nosuid,nodev", "none" },
		{ "nonsense", "none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		own_mem char *text = xasprintf("%s%s\n", planned, cases[i].line);
		assert_refused(cage_mounts_check(text, rows, ARRAY_LEN(rows), &err), &err, ERR_UNCONFINED,
		               cases[i].says);
	}
}

static void no_text_is_no_tree(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_refused(cage_mounts_check("", rows, ARRAY_LEN(rows), &err), &err, ERR_UNCONFINED, "at /");
	assert_refused(cage_mounts_check(strchr(planned, '\n') + 1, rows, ARRAY_LEN(rows), &err), &err,
	               ERR_UNCONFINED, "at /");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_as_planned_is_accepted),
		cmocka_unit_test(another_mount_or_a_wider_one_is_refused),
		cmocka_unit_test(no_text_is_no_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
