#include "cmd/cmd.h"
#include "base/banned.h"

/* Every verb, in the order of help. To add one: src/cmd/<name>.c with a `verb_<name>`, and a
 * line here. */
#define VERBS(V)             \
	V(init)              \
	V(manifest_check)    \
	V(manifest_show)     \
	V(start)             \
	V(exec)              \
	V(attach)            \
	V(stop)              \
	V(resume)            \
	V(keeper)            \
	V(ls)                \
	V(info)              \
	V(diff)              \
	V(export)            \
	V(cp)                \
	V(logs)              \
	V(audit)             \
	V(rm)                \
	V(cleanup)           \
	V(policy_test)       \
	V(policy_suggest)    \
	V(allowlist_verify)  \
	V(allowlist_enforce) \
	V(demo)              \
	V(doctor)            \
	V(completion)        \
	V(help)              \
	V(version)           \
	V(complete)          \
	V(manual)

#define DECLARE(name) extern const struct verb verb_##name;
VERBS(DECLARE)

#define ROW(name) &verb_##name,
const struct verb *const verbs[] = { VERBS(ROW) NULL };
