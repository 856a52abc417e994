#include "cmd/proof_text.h"

#include "ui/ui.h"
#include "base/banned.h"

static bool is_skipped(const json *check)
{
	return json_get(check, "not_applicable") != NULL;
}

void proof_text(const json *proof, struct str *out)
{
	const json *checks = json_get(proof, "checks");
	size_t tried = 0, failed = 0;

	if (!checks) {
		str_add(out, "none");
		return;
	}
	for (size_t i = 0; i < json_count(checks); i++) {
		tried += !is_skipped(json_at(checks, i));
		failed += !is_skipped(json_at(checks, i)) &&
		          !json_get_truth(json_at(checks, i), "as_expected", false);
	}
	bool confined = json_get_truth(proof, "confined", false);
	str_addf(out, "%s, %zu check%s", confined ? "confined" : "not confined", tried, str_plural(tried));
	if (failed > 0)
		str_addf(out, ", %zu failed", failed);
	if (tried < json_count(checks))
		str_addf(out, ", %zu not applicable", json_count(checks) - tried);
	str_addf(out, ", %lld ms", (long long)json_get_int(proof, "ms", 0));
}

json *proof_lines(const json *proof)
{
	const json *checks = json_get(proof, "checks");
	json *lines = json_array_of();
	own_str struct str text = STR_INIT;

	proof_text(proof, &text);
	json_push(lines, json_of_string(str_c(&text)));
	for (size_t i = 0; i < json_count(checks); i++) {
		const json *check = json_at(checks, i);
		if (is_skipped(check) || json_get_truth(check, "as_expected", false))
			continue;
		str_reset(&text);
		str_add_visible(&text, json_get_string(check, "check", "?"));
		str_addf(&text, ": expected %s, was ", json_get_string(check, "expected", "?"));
		str_add_visible(&text, json_get_string(check, "found", "?"));
		if (json_get(check, "error")) {
			str_addc(&text, ' ');
			str_add_visible(&text, json_get_string(check, "error", ""));
		}
		json_push(lines, json_of_string(str_c(&text)));
	}
	return lines;
}
