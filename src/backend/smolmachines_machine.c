/* The machine: declared by flags, corrected and verified in smolvm's database, booted, and
 * verified again by what was really launched. Between any two of these another hand may have
 * written: each look is at the whole row, and the last comes after the boot. */
#include "backend/smolmachines.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/msg.h"
#include "smoldb/posture.h"
#include "base/banned.h"

enum { REST_MS = 50, REST_MAX_MS = 1000 };

static void add_words(struct strv *argv, const struct machine *m, const char *const *words)
{
	strv_add(argv, m->smolvm.program);
	for (; *words; words++)
		strv_add(argv, *words);
}
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int command(struct guest *g, const struct guest_waiting *w, const struct strv *argv, int in, int ms,
                   struct err *err)
{
	own_machine_output struct machine_output out = MACHINE_OUTPUT_INIT;
	int status = machine_command(g, w, argv, in, ms, &out, err);

	if (status > 0)
		return machine_fail(argv, status, &out, err);
	return status;
}

static int check_version(struct guest *g, const struct guest_waiting *w, struct err *err)
{
	own_machine_output struct machine_output out = MACHINE_OUTPUT_INIT;
	own_strv struct strv argv = STRV_INIT;
	own_str struct str shown = STR_INIT;

	add_words(&argv, g->machine, WORDS("--version"));
	int status = machine_command(g, w, &argv, -1, machine_deadlines.version, &out, err);
	if (status < 0)
		return -1;
	if (status == 0 && str_is(str_c(&out.out), "smolvm " POSTURE_VERSION "\n"))
		return 0;
	str_add_escaped(&shown, str_c(&out.out), out.out.len, 60);
	return fail(err, ERR_UNCONFINED,
	            "smolvm --version says \"%s\" (status %d), and only " POSTURE_VERSION
	            " is supported; `bottle doctor` says how to get it",
	            str_c(&shown), status);
}

static json *pair_list(const char *const *values, size_t n)
{
	json *list = json_array_of();

	for (size_t i = 0; i < n; i++)
		json_push(list, json_of_string(values[i]));
	return list;
}

/* As smolvm keeps what an image brings: [["NAME","value"],...]. */
static json *env_pairs(const struct strv *env)
{
	json *list = json_array_of();

	for (size_t i = 0; i < env->n; i++) {
		json *pair = json_array_of();
		size_t n = strcspn(env->v[i], "=");
		json_push(pair, json_of_stringn(env->v[i], n));
		json_push(pair, json_of_string(env->v[i] + n + 1));
		json_push(list, pair);
	}
	return list;
}

/* What the row must hold of what depends on the bottle. */
static json *posture_of(const struct machine *m)
{
	static const char *const idle[] = { MACHINE_GUEST, "idle" };
	json *given = json_object_of(), *mounts = json_array_of(), *share = json_array_of();

	json_push(share, json_of_string(MACHINE_B));
	json_push(share, json_of_string(MACHINE_SHARE));
	json_push(share, json_of_truth(false));
	json_push(mounts, share);
	json_set_string(given, "name", m->name);
	json_set_int(given, "cpus", (int64_t)m->resources.cpus);
	json_set_int(given, "mem", (int64_t)m->resources.memory_mib);
	json_set_int(given, "storage_gb", (int64_t)m->resources.disk_gib);
	json_set_int(given, "overlay_gb", (int64_t)m->resources.disk_gib);
	json_set(given, "mounts", mounts);
	json_set(given, "env", env_pairs(&m->image_env));
	json_set_string(given, "image", m->image_ref);
	json_set(given, "entrypoint", json_array_of());
	json_set(given, "cmd", m->image ? pair_list(idle, ARRAY_LEN(idle)) : json_array_of());
	json_set_string(given, "workdir", m->workdir);
	if (m->image && m->kind == GUEST_IMAGE_PACKED)
		json_set_string(given, "source_smolmachine", MACHINE_PACKED);
	return given;
}

static void create_words(const struct machine *m, struct strv *argv)
{
	add_words(argv, m,
	          WORDS("machine", "create", "--name", m->name, "--net", "--net-backend", "virtio-net",
	                "--allow-cidr", MACHINE_CIDR, "-v", MACHINE_B ":" MACHINE_SHARE));
	strv_add(argv, "--cpus");
	strv_addf(argv, "%lu", m->resources.cpus);
	strv_add(argv, "--mem");
	strv_addf(argv, "%lu", m->resources.memory_mib);
	strv_add(argv, "--storage");
	strv_addf(argv, "%lu", m->resources.disk_gib);
	strv_add(argv, "--overlay");
	strv_addf(argv, "%lu", m->resources.disk_gib);
	if (!m->image)
		return;
	const char *flag = m->kind == GUEST_IMAGE_PACKED ? "--from" : "--image";
	const char *const *rest = WORDS(flag, m->image, "--", MACHINE_GUEST, "idle");
	for (; *rest; rest++)
		strv_add(argv, *rest);
}

int machine_create(struct guest *g, const struct guest_waiting *w, struct err *err)
{
	struct machine *m = g->machine;
	own_strv struct strv argv = STRV_INIT;

	if (check_version(g, w, err) != 0)
		return -1;
	json_drop(&m->given);
	m->given = posture_of(m);
	create_words(m, &argv);
	m->created = true;
	if (command(g, w, &argv, -1, machine_deadlines.create, err) != 0)
		return -1;
	return machine_declare(m, w, err);
}

int machine_start(struct guest *g, const struct guest_waiting *w, struct err *err)
{
	const struct machine *m = g->machine;
	own_strv struct strv argv = STRV_INIT;
	struct machine_vmm vmm;
	int pidfd;

	/* Immediately before: whoever wrote since the last look is seen. */
	if (machine_look_created(m, w, err) != 0)
		return -1;
	add_words(&argv, m, WORDS("machine", "start", "--name", m->name));
	if (command(g, w, &argv, -1, machine_deadlines.start, err) != 0 ||
	    machine_look_started(m, w, &vmm, err) != 0)
		return -1;
	if (machine_process_check(m, &vmm, &pidfd, err) != 0)
		return -1;
	return guest_stands_on(g, pidfd, err);
}

static void is_over(void *arg)
{
	*(bool *)arg = true;
}

static int sleep_for(const struct guest_waiting *w, unsigned ms, struct err *err)
{
	struct timer timer = { 0 };
	bool over = false;

	timer_set(w->loop, &timer, ms, is_over, &over);
	int rc = w->wait(w->arg, &over, machine_deadlines.channel, "a timer", err);
	timer_cancel(w->loop, &timer);
	return rc;
}

/* smolvm asks the machine for a sign of life with a short deadline of its own, which a busy
 * host misses: the first command is asked for until it runs, each time after a longer rest. */
static int wait_for_channel(struct guest *g, const struct guest_waiting *w, struct err *err)
{
	uint64_t deadline = clock_ms() + (uint64_t)machine_deadlines.channel;
	own_strv struct strv argv = STRV_INIT;

	add_words(&argv, g->machine,
	          WORDS("machine", "exec", "--name", g->machine->name, "--", MACHINE_GUEST, "ready"));
	for (unsigned rest = REST_MS;; rest = rest < REST_MAX_MS ? rest * 2 : REST_MAX_MS) {
		own_machine_output struct machine_output out = MACHINE_OUTPUT_INIT;
		int status = machine_command(g, w, &argv, -1, machine_deadlines.prepare, &out, err);
		if (status <= 0)
			return status;
		if (clock_ms() >= deadline)
			return machine_fail(&argv, status, &out, err);
		if (sleep_for(w, rest, err) != 0)
			return -1;
	}
}

int machine_prepare(struct guest *g, const struct guest_waiting *w, const struct strv *secrets,
                    struct err *err)
{
	own_strv struct strv argv = STRV_INIT;
	own_str struct str bytes = STR_INIT;
	size_t n = sizeof(uint32_t);

	for (size_t i = 0; i < secrets->n; i++)
		n += sizeof(uint32_t) + strlen(secrets->v[i]);
	str_reserve(&bytes, n);
	pack_strv(&bytes, secrets);
	own_fd int in = file_sealed("secrets", bytes.data, bytes.len, err);
	explicit_bzero(bytes.data, bytes.len);
	if (in < 0)
		return -1;
	if (wait_for_channel(g, w, err) != 0)
		return -1;
	add_words(&argv, g->machine,
	          WORDS("machine", "exec", "--name", g->machine->name, "-i", "--", MACHINE_GUEST, "setup"));
	return command(g, w, &argv, in, machine_deadlines.prepare, err);
}

static void note(struct str *trouble, const struct err *err)
{
	str_addf(trouble, "%s%s", trouble->len ? "; " : "", err->text);
}

void machine_remove(struct guest *g, const struct guest_waiting *w, struct str *trouble)
{
	struct machine *m = g->machine;
	struct err err = ERR_INIT;

	if (!m || !m->created || g->dead)
		return;
	own_strv struct strv stop = STRV_INIT, delete = STRV_INIT;
	m->created = false;
	guest_stands_alone(g);
	if (machine_has_row(m, w, &err) == 0)
		return;
	add_words(&stop, m, WORDS("machine", "stop", "--name", m->name));
	add_words(&delete, m, WORDS("machine", "delete", "-f", "--name", m->name));
	if (command(g, w, &stop, -1, machine_deadlines.stop, &err) != 0)
		note(trouble, &err);
	/* Its word that there is nothing to delete counts only if the database says so too. */
	int rc = command(g, w, &delete, -1, machine_deadlines.remove, &err);
	int left = machine_has_row(m, w, &err);
	if (left != 0) {
		if (left > 0 && rc == 0)
			fail(&err, ERR_SYSTEM, "smolvm deleted machine %s, and its row is still there",
			     m->name);
		note(trouble, &err);
	}
}
