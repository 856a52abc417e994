#include "policy/compiled.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/banned.h"

/* A pattern comes from the manifest, but the text from the guest, who may look for the one that
 * takes exponential time. No JIT: it needs memory that is writable and executable. */
enum { MATCH_LIMIT = 20000, DEPTH_LIMIT = 500, HEAP_LIMIT_KIB = 256, PATTERN_MAX = 1024 };

struct policy_regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

int policy_regex_compile(struct slice pattern, struct policy_regex **out, struct err *err)
{
	int why = 0;
	PCRE2_SIZE offset = 0;

	if (pattern.n > PATTERN_MAX)
		return fail(err, ERR_INPUT, "regex has %zu bytes, at most %d", pattern.n, PATTERN_MAX);
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.at, pattern.n,
	                                 PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
	                                         PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP,
	                                 &why, &offset, NULL);
	if (!code) {
		PCRE2_UCHAR text[128];
		pcre2_get_error_message(why, text, sizeof text);
		return fail(err, ERR_INPUT, "regex \"%.*s\" at offset %zu: %s", (int)pattern.n, pattern.at,
		            offset, (char *)text);
	}
	struct policy_regex *regex = xcalloc(1, sizeof *regex);
	*regex = (struct policy_regex){ code, pcre2_match_data_create(1, NULL),
		                        pcre2_match_context_create(NULL) };
	if (!regex->data || !regex->context) {
		policy_regex_free(regex);
		return fail(err, ERR_SYSTEM, "no memory for a regex");
	}
	pcre2_set_match_limit(regex->context, MATCH_LIMIT);
	pcre2_set_depth_limit(regex->context, DEPTH_LIMIT);
	pcre2_set_heap_limit(regex->context, HEAP_LIMIT_KIB);
	*out = regex;
	return 0;
}

void policy_regex_free(struct policy_regex *regex)
{
	if (!regex)
		return;
	pcre2_match_context_free(regex->context);
	pcre2_match_data_free(regex->data);
	pcre2_code_free(regex->code);
	free(regex);
}

bool policy_regex_fits(const struct policy_regex *regex, struct slice text)
{
	PCRE2_SPTR at = (PCRE2_SPTR)(text.at ? text.at : "");

	/* Negative is "no match" as well as every error: all of them mean no. */
	if (pcre2_match(regex->code, at, text.n, 0, 0, regex->data, regex->context) < 0)
		return false;
	/* \K may move the start of what "matched". */
	const PCRE2_SIZE *span = pcre2_get_ovector_pointer(regex->data);
	return span[0] == 0 && span[1] == text.n;
}
