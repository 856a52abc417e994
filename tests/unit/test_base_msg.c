/* Descriptors beside a message, where the user's other programs have used up what may be on its way. */
#include "test.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/msg.h"
#include "base/proc.h"

/* Until no more may be on their way. */
static int fill_the_way(int fd, struct err *err)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr hdr = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		               .cmsg_type = SCM_RIGHTS,
		               .cmsg_len = CMSG_LEN(sizeof fd) };
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	for (int i = 0; i < 1000; i++)
		if (sendmsg(fd, &hdr, MSG_DONTWAIT) != 1)
			return errno == ETOOMANYREFS ? 0 : fail_errno(err, "filling it");
	return fail(err, ERR_SYSTEM, "it is never full");
}

static int send_on_a_full_way(void *arg, struct err *err)
{
	enum { FEW = 32 };
	own_str struct str s = STR_INIT;
	struct rlimit given, after;
	int full[2], other[2];

	/* Root is not counted. */
	if (geteuid() == 0 && (setresgid(65011, 65011, 65011) != 0 || setresuid(65011, 65011, 65011) != 0))
		return fail_errno(err, "becoming somebody");
	if (getrlimit(RLIMIT_NOFILE, &given) != 0 || msg_pair(full, err) != 0 || msg_pair(other, err) != 0)
		return -1;
	given = (struct rlimit){ FEW, *(bool *)arg ? given.rlim_max : FEW };
	if (setrlimit(RLIMIT_NOFILE, &given) != 0 || fill_the_way(full[0], err) != 0)
		return -1;
	pack_text(&s, "x");
	if (msg_send(other[0], &s, full, 1, err) != 0)
		return -1;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
	return after.rlim_cur == FEW ? 0 : -1;
}

static int send_in_a_child(bool may_more, struct err *err)
{
	const struct proc_spec spec = { .child = send_on_a_full_way, .arg = &may_more };
	own_proc struct proc child = PROC_INIT;
	int status;

	if (proc_fork(&spec, &child, err) != 0)
		return -1;
	assert_ok(proc_wait(&child, &status, err), err);
	return proc_exit_code(status);
}

static void descriptors_are_sent_where_others_have_filled_the_way(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(send_in_a_child(true, &err), 0);
	assert_int_equal(send_in_a_child(false, &err), 125); /* control: no more is allowed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_sent_where_others_have_filled_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
