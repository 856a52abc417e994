#include "smoldb/posture.h"

#include <string.h>

#include "base/own.h"
#include "smoldb/scan.h"
#include "base/banned.h"

enum presence {
	ALWAYS,    /* the version writes the key whatever its value */
	OR_ABSENT, /* the version leaves it out while empty: absent, or exactly the value */
	PRESENT,   /* it would be left out while empty, and must be there */
};

enum rule {
	IS,     /* the JSON text in `value` */
	GIVEN,  /* the caller's value; where the caller has none, absent */
	NUMBER, /* any whole number >= 0 */
	STATE,  /* by phase: created, running, stopped */
	PID,    /* by phase: a number while running, else null */
	EXIT,   /* null until it ran, then a number or null */
	FLAG,   /* true or false: smolvm's own bookkeeping */
};

struct field {
	const char *key;
	enum presence presence;
	enum rule rule;
	const char *value;
	const char *why;
};

#define RESTART_NEVER \
	"{\"policy\":\"never\",\"max_retries\":0,\"max_backoff_secs\":0,\"restart_count\":0,\"user_stopped\":false}"

/* smolvm 1.8.1, src/config.rs, struct VmRecord, in its order. */
static const struct field fields[] = {
	{ "name", ALWAYS, GIVEN, NULL, "another machine's row" },
	{ "created_at", ALWAYS, NUMBER, NULL, "bookkeeping" },
	{ "state", ALWAYS, STATE, NULL, "a row of another moment" },
	{ "pid", ALWAYS, PID, NULL, "bookkeeping: whether that process is ours is asked of /proc" },
	{ "pid_start_time", ALWAYS, PID, NULL, "bookkeeping" },
	{ "cpus", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "mem", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "mounts", ALWAYS, GIVEN, NULL, "each is a host directory in the guest" },
	{ "ports", ALWAYS, IS, "[]", "a host listener that leads into the guest" },
	{ "published_sockets", ALWAYS, IS, "[]", "bridges a host UNIX socket into the guest" },
	{ "network", ALWAYS, IS, "true", "false would leave the guest without its sidecars" },
	{ "gpu", ALWAYS, IS, "null", "a large piece of host code behind a guest device" },
	{ "gpu_vram_mib", ALWAYS, IS, "null", "as gpu" },
	{ "rosetta", ALWAYS, IS, "null", "a host translator mounted into the guest" },
	{ "restart", ALWAYS, IS, RESTART_NEVER, "a machine that comes back was not launched by us" },
	{ "last_exit_code", ALWAYS, EXIT, NULL, "bookkeeping" },
	{ "init", ALWAYS, IS, "[]", "commands run in the guest before ours" },
	{ "init_completed", ALWAYS, FLAG, NULL, "bookkeeping: there are no init commands" },
	{ "env", ALWAYS, GIVEN, NULL, "an artifact can put proxies or tokens before ours" },
	{ "secret_refs", OR_ABSENT, IS, "{}", "makes smolvm read host variables and files" },
	{ "workdir", ALWAYS, GIVEN, NULL, "where the artifact's command would run" },
	{ "user", OR_ABSENT, GIVEN, NULL, "as whom the artifact's command would run" },
	{ "storage_gb", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "overlay_gb", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "allowed_cidrs", ALWAYS, IS, "[\"100.96.0.1/32\"]", "null or absent is no restriction at all" },
	{ "network_backend", PRESENT, IS, "\"virtio-net\"",
	  "absent is chosen by smolvm, and TSI does not enforce the list" },
	{ "dns", OR_ABSENT, GIVEN, NULL, "names would be asked of that resolver" },
	{ "image", ALWAYS, GIVEN, NULL, "the artifact that was verified" },
	{ "entrypoint", ALWAYS, GIVEN, NULL, "run in the guest at start" },
	{ "cmd", ALWAYS, GIVEN, NULL, "run in the guest at start" },
	{ "labels", OR_ABSENT, IS, "{}", "unused" },
	{ "health_cmd", ALWAYS, IS, "null", "run in the guest again and again" },
	{ "health_interval_secs", ALWAYS, IS, "null", "as health_cmd" },
	{ "health_timeout_secs", ALWAYS, IS, "null", "as health_cmd" },
	{ "health_retries", ALWAYS, IS, "null", "as health_cmd" },
	{ "health_startup_grace_secs", ALWAYS, IS, "null", "as health_cmd" },
	{ "ssh_agent", ALWAYS, IS, "false", "hands the operator's SSH agent to the guest" },
	{ "cuda", ALWAYS, IS, "false", "a host server for guest calls" },
	{ "forkable", OR_ABSENT, IS, "false", "guest memory becomes a file for clones" },
	{ "cuda_fork_pool_size", OR_ABSENT, IS, "null", "as cuda" },
	{ "cuda_vram_limit_mib", OR_ABSENT, IS, "null", "as cuda" },
	{ "cuda_preload_modules", OR_ABSENT, IS, "false", "as cuda" },
	{ "docker_socket", ALWAYS, IS, "false", "a socket between the host and a daemon in the guest" },
	{ "dns_filter_hosts", PRESENT, IS, "[]", "absent leaves DNS open to every name, empty answers none" },
	{ "ephemeral", ALWAYS, IS, "false", "smolvm would delete the machine by itself" },
	{ "source_smolmachine", OR_ABSENT, GIVEN, NULL, "the artifact that was verified" },
	{ "golden", OR_ABSENT, IS, "null", "disks backed by another machine's" },
	{ "forkpoint_held", OR_ABSENT, IS, "false", "as forkable" },
	{ "fork_env", OR_ABSENT, IS, "[]", "as env" },
	{ "runtime_managed", ALWAYS, IS, "false", "another program reconciles such machines" },
};

/* agent.config.json of 1.8.1; the members of "resources" stand below it. */
static const struct field launched[] = {
	{ "version", ALWAYS, IS, "1", "another format" },
	{ "mounts", ALWAYS, GIVEN, NULL, "each is a host directory in the guest" },
	{ "ports", ALWAYS, IS, "[]", "a host listener that leads into the guest" },
	{ "forkable", OR_ABSENT, IS, "false", "guest memory becomes a file for clones" },
};
static const struct field resources[] = {
	{ "cpus", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "memory_mib", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "network", ALWAYS, IS, "true", "false would leave the guest without its sidecars" },
	{ "network_backend", PRESENT, IS, "\"virtio-net\"", "the only backend that enforces the list" },
	{ "gpu", ALWAYS, IS, "false", "a large piece of host code behind a guest device" },
	{ "gpu_vram_mib", ALWAYS, IS, "null", "as gpu" },
	{ "cuda", ALWAYS, IS, "false", "a host server for guest calls" },
	{ "rosetta", ALWAYS, IS, "false", "a host translator mounted into the guest" },
	{ "storage_gib", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "overlay_gib", ALWAYS, GIVEN, NULL, "a limit of the manifest" },
	{ "allowed_cidrs", ALWAYS, IS, "[\"100.96.0.1/32\"]", "null is no restriction at all" },
	{ "dns", OR_ABSENT, IS, "null", "names would be asked of that resolver" },
};

static bool is_number(const json *value)
{
	return json_kind(value) == JSON_INT && json_int(value, -1) >= 0;
}

/* The expected value of a rule that has one; *own is filled where it was made for this. */
static const json *expected_of(const struct field *f, const json *given, enum posture_phase phase, json **own)
{
	static const char *const states[] = { "created", "running", "stopped" };
	struct err err = ERR_INIT;

	if (f->rule == GIVEN)
		return json_get(given, f->key);
	if (f->rule == STATE)
		*own = json_of_string(states[phase]);
	else if (json_parse(f->value, strlen(f->value), SCAN_DEPTH, own, &err) != 0)
		bug("expected value of %s: %s", f->key, err.text);
	return *own;
}

static bool value_is_right(const struct field *f, const json *value, const json *expected,
                           enum posture_phase phase)
{
	switch (f->rule) {
	case NUMBER:
		return is_number(value);
	case PID:
		return phase == POSTURE_STARTED ? is_number(value) : json_kind(value) == JSON_NULL;
	case EXIT:
		return json_kind(value) == JSON_NULL ||
		       (phase != POSTURE_CREATED && json_kind(value) == JSON_INT);
	case FLAG:
		return json_kind(value) == JSON_BOOL;
	default:
		return json_kind(value) == json_kind(expected) && json_equal(value, expected);
	}
}

static void show(const json *value, struct str *out)
{
	own_str struct str text = STR_INIT;

	json_print(value, &text);
	str_add_escaped(out, str_c(&text), text.len, 100);
}

static int refuse(const struct field *f, bool there, const json *value, const json *expected, struct err *err)
{
	own_str struct str is = STR_INIT, wanted = STR_INIT;

	if (there)
		show(value, &is);
	if (f->rule == PID || f->rule == NUMBER || f->rule == EXIT || f->rule == FLAG)
		str_add(&wanted, "what fits its state");
	else
		show(expected, &wanted);
	return fail(err, ERR_UNCONFINED, "%s is %s, expected %s (%s)", f->key, there ? str_c(&is) : "absent",
	            str_c(&wanted), f->why);
}

struct presence_of {
	const char *key;
	bool there;
};

static bool note_presence(void *arg, const char *key, json *value)
{
	struct presence_of *p = arg;

	(void)value;
	p->there = p->there || str_is(key, p->key);
	return !p->there;
}

/* json_get() can't tell null from absent. */
static bool has_key(const json *object, const char *key)
{
	struct presence_of p = { key, false };

	json_each(object, note_presence, &p);
	return p.there;
}

static int check_field(const struct field *f, const json *object, const json *given, enum posture_phase phase,
                       struct err *err)
{
	own_json json *made = NULL;
	bool there = has_key(object, f->key);
	const json *value = json_get(object, f->key);
	bool valued = f->rule == IS || f->rule == GIVEN || f->rule == STATE;
	const json *expected = valued ? expected_of(f, given, phase, &made) : NULL;

	if (!there && f->presence == OR_ABSENT && (f->rule != GIVEN || !has_key(given, f->key)))
		return 0;
	/* An optional field that the caller did not give must not be there. */
	if (there && f->presence == OR_ABSENT && f->rule == GIVEN && !has_key(given, f->key))
		return refuse(f, there, value, NULL, err);
	if (!there || !value_is_right(f, value, expected, phase))
		return refuse(f, there, value, expected, err);
	return 0;
}

struct unknown {
	const struct field *fields;
	size_t n;
	const char *also; /* a key that is checked elsewhere */
	struct err *err;
	int rc;
};

static bool find_unknown(void *arg, const char *key, json *value)
{
	struct unknown *u = arg;

	(void)value;
	if (str_is(key, u->also))
		return true;
	for (size_t i = 0; i < u->n; i++)
		if (str_is(key, u->fields[i].key))
			return true;
	own_str struct str shown = STR_INIT;
	str_add_escaped(&shown, key, strlen(key), 60);
	u->rc = fail(u->err, ERR_UNCONFINED, "the field %s is unknown to smolvm " POSTURE_VERSION,
	             str_c(&shown));
	return false;
}

static int check_object(const json *object, const struct field *table, size_t n, const char *also,
                        const json *given, enum posture_phase phase, struct err *err)
{
	struct unknown unknown = { table, n, also, err, 0 };

	if (json_kind(object) != JSON_OBJECT)
		return fail(err, ERR_UNCONFINED, "it is %s, not an object",
		            json_kind_name(json_kind(object)));
	json_each(object, find_unknown, &unknown);
	if (unknown.rc != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (check_field(&table[i], object, given, phase, err) != 0)
			return -1;
	return 0;
}

/* Strict: the scanner refuses what two readers could read differently. */
static int parse(const void *text, size_t n, json **out, struct err *err)
{
	struct scan ignored;

	if (scan_object(text, n, "", &ignored, err) != 0 || json_parse(text, n, SCAN_DEPTH, out, err) != 0) {
		err->kind = ERR_UNCONFINED;
		return -1;
	}
	return 0;
}

int posture_check(const void *row, size_t n, const json *given, enum posture_phase phase, struct err *err)
{
	own_json json *object = NULL;

	if (parse(row, n, &object, err) != 0 ||
	    check_object(object, fields, ARRAY_LEN(fields), NULL, given, phase, err) != 0)
		return fail_in(err, "smolvm's row of machine %s", json_get_string(given, "name", "?"));
	return 0;
}

/* The row has [source, target, read_only]; the file has the same three by name. */
static json *mounts_as_launched(const json *mounts)
{
	json *out = json_array_of();

	for (size_t i = 0; i < json_count(mounts); i++) {
		const json *m = json_at(mounts, i);
		json *row = json_object_of();
		json_set(row, "source", json_ref(json_at(m, 0)));
		json_set(row, "target", json_ref(json_at(m, 1)));
		json_set(row, "read_only", json_ref(json_at(m, 2)));
		json_push(out, row);
	}
	return out;
}

int posture_check_launched(const void *text, size_t n, const json *given, struct err *err)
{
	own_json json *object = NULL;
	own_json json *as_launched = json_object_of();

	json_set(as_launched, "mounts", mounts_as_launched(json_get(given, "mounts")));
	json_set(as_launched, "cpus", json_ref(json_get(given, "cpus")));
	json_set(as_launched, "memory_mib", json_ref(json_get(given, "mem")));
	json_set(as_launched, "storage_gib", json_ref(json_get(given, "storage_gb")));
	json_set(as_launched, "overlay_gib", json_ref(json_get(given, "overlay_gb")));
	if (parse(text, n, &object, err) != 0 ||
	    check_object(object, launched, ARRAY_LEN(launched), "resources", as_launched, POSTURE_STARTED,
	                 err) != 0 ||
	    check_object(json_get(object, "resources"), resources, ARRAY_LEN(resources), NULL, as_launched,
	                 POSTURE_STARTED, err) != 0)
		return fail_in(err, "what smolvm launched for machine %s",
		               json_get_string(given, "name", "?"));
	return 0;
}

void posture_print(struct str *out)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field *f = &fields[i];
		str_addf(out, "%s\t%s%s\t%s\n", f->key, f->presence == OR_ABSENT ? "absent or " : "",
		         f->rule == IS    ? f->value :
		         f->rule == GIVEN ? "as planned" :
		                            "as its state",
		         f->why);
	}
}
