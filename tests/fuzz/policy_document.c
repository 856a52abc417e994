/* Any document compiles or is refused with a reason; what compiles decides. */
#include "driver/fuzz.h"

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	own_policy struct policy *policy = NULL;
	struct err err = ERR_INIT;
	enum wire_fault fault;

	if (policy_compile((const char *)bytes, n, &policy, &err) < 0) {
		must(err.kind == ERR_INPUT && err.text[0] && !policy);
		return 0;
	}
	for (size_t i = 0; i < policy_count(policy); i++) {
		const struct policy_route *route = policy_route_at(policy, i);
		own_str struct str text = STR_INIT;
		struct policy_verdict verdict;
		struct host host;

		must(host_parse(slice_of(route->wildcard ? route->host + 2 : route->host), &host, &fault) ==
		     0);
		struct policy_request request = { .host = &host,
			                          .port = (uint16_t)(route->port ? route->port : 443),
			                          .method = slice_of("GET"),
			                          .path = slice_of("/v1/models") };
		policy_decide(policy, &request, &verdict);
		must(verdict.allowed == (verdict.reason == POLICY_ALLOWED) &&
		     (!verdict.allowed || verdict.route));
		must(route->wildcard || verdict.route == route);
		policy_explain(&verdict, &request, &text);
		must(text.len > 0);
	}
	return 0;
}
