#include "cmd/cmd.h"
#include "cmd/host_check.h"
#include "manifest/config.h"
#include "base/banned.h"

static void print_row(struct command *c, const json *row)
{
	own_str struct str found = STR_INIT;
	bool ok = json_get_truth(row, "ok", false);
	bool needed = json_get_truth(row, "needed", false);

	ui_shaded(&c->ui,
	          ok     ? UI_GREEN :
	          needed ? UI_RED :
	                   UI_YELLOW,
	          ok     ? "ok      " :
	          needed ? "FAILED  " :
	                   "absent  ");
	str_add_visible(&found, json_get_string(row, "found", ""));
	ui_text("%s%s%s\n", json_get_string(row, "check", ""), found.len ? ": " : "", str_c(&found));
	if (ok)
		return;
	ui_text("          why: %s\n", json_get_string(row, "why", ""));
	if (json_get_string(row, "fix", NULL))
		ui_text("          fix: %s\n", json_get_string(row, "fix", ""));
}

static int doctor_run(struct command *c, struct err *err)
{
	own_preflight_report struct preflight_report report = PREFLIGHT_REPORT_INIT;
	own_host_told struct host_told told = HOST_TOLD_INIT;
	const struct preflight_host *host = &told.host;
	own_json json *data = NULL;
	const struct host_config *config = command_config(c, err);
	const char *backend = config ? command_backend(c, err) : NULL;
	const char *bundle = command_value(c, "bundle");

	if (!backend || host_tell(c, backend, bundle ? bundle : config->bundle, &told, err) != 0)
		return -1;
	if (preflight_run(host, &report, err) < 0)
		return -1;
	data = preflight_to_json(&report, host);
	if (c->json) {
		ui_json(data);
		return report.able ? 0 : 1;
	}
	for (size_t i = 0; i < report.n; i++)
		print_row(c, json_at(json_get(data, "checks"), i));
	if (report.able)
		ui_text("\nThis host can run the backend %s.\n", host->backend);
	else
		ui_text("\nThis host can't run the backend %s yet.%s\n", host->backend,
		        str_is(host->backend, "namespace") ?
		                "" :
		                " The weaker tier: bottle start --backend namespace");
	return report.able ? 0 : 1;
}

static const struct option doctor_options[] = {
	{ .name = "backend",
	  .value = "NAME",
	  .complete = COMPLETE_BACKEND,
	  .help = "judge by what this backend needs" },
	{ .name = "bundle", .value = "NAME", .complete = COMPLETE_BUNDLE, .help = "embedded or docker" },
	{ 0 },
};

const struct verb verb_doctor = {
	.name = "doctor",
	.args = "[--backend NAME] [--bundle NAME]",
	.summary = "can this host run a bottle: every check, why it matters, how to fix it",
	.details =
		"Exits 1 if the chosen backend can't run. What another backend needs and this one does not is\n"
		"\"absent\".",
	.group = GROUP_HOST,
	.flags = VERB_JSON,
	.options = doctor_options,
	.run = doctor_run,
};
