/* Capabilities. All of them are of the cage's own user namespace, so none reaches the host;
 * they are given up nevertheless, because every one left is kernel code that can be reached. */
#include "cage/inside.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/banned.h"

/* What cage_enter() needs: mounting, and emptying the bounding set. */
static const int entering[] = { CAP_SYS_ADMIN, CAP_SETPCAP };

enum {
	LOCKED_BITS = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
	              SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
	              SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
};

static int set_capabilities(const int *keep, size_t n, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct __user_cap_data_struct *d = &data[CAP_TO_INDEX(keep[i])];
		d->effective |= CAP_TO_MASK(keep[i]);
		d->permitted |= CAP_TO_MASK(keep[i]);
		d->inheritable |= CAP_TO_MASK(keep[i]);
	}
	return syscall(SYS_capset, &head, data) == 0 ? 0 : fail_errno(err, "setting capabilities");
}

static bool is_for_entering(int cap)
{
	for (size_t i = 0; i < ARRAY_LEN(entering); i++)
		if (entering[i] == cap)
			return true;
	return false;
}

static int drop_bounding(bool keep_for_entering, struct err *err)
{
	/* Up to the first number that this kernel doesn't know. */
	for (int cap = 0; cap < 64; cap++) {
		if (keep_for_entering && is_for_entering(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return errno == EINVAL && cap > CAP_SETFCAP ?
			               0 :
			               fail_errno(err, "dropping capability %d", cap);
	}
	return 0;
}

/* Does: leaves exactly what cage_enter() needs, and carries it over exec.
 * Must not yet: lock the ambient set. */
int privilege_keep_for_entering(struct err *err)
{
	if (drop_bounding(true, err) != 0 || set_capabilities(entering, ARRAY_LEN(entering), err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(entering); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, entering[i], 0, 0) != 0)
			return fail_errno(err, "carrying a capability over exec");
	return 0;
}

/* Does: empties every set, and locks the ways in which a program could be given one.
 * Must not yet be called while something is to be mounted. */
int privilege_drop_all(struct err *err)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return fail_errno(err, "clearing ambient capabilities");
	if (drop_bounding(false, err) != 0)
		return -1;
	if (prctl(PR_SET_SECUREBITS, LOCKED_BITS, 0, 0, 0) != 0)
		return fail_errno(err, "locking the secure bits");
	return set_capabilities(NULL, 0, err);
}

/* Does: empties every set that this process has; who has none of the rights to it may be without the
 * right to empty the bounding set too, which then gives nobody anything: new privileges are refused. */
int privilege_drop_own(struct err *err)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return fail_errno(err, "clearing ambient capabilities");
	return set_capabilities(NULL, 0, err);
}

/* Does: nothing but look. Where an engine made the container there is nothing to give up, and
 * no right to lock anything either: what it promised must be so. */
int privilege_check_none(struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
		return fail(err, ERR_UNCONFINED, "the container runs its program as root");
	if (syscall(SYS_capget, &head, data) != 0)
		return fail_errno(err, "asking for the capabilities");
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return fail(err, ERR_UNCONFINED, "the container leaves its program capabilities");
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			return fail(err, ERR_UNCONFINED, "the container leaves capability %d to be had", cap);
	return 0;
}

/* Set-id bits and file capabilities mean nothing from here on, and filters may be installed
 * without a capability. */
int privilege_refuse_new(struct err *err)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : fail_errno(err, "refusing new privileges");
}
