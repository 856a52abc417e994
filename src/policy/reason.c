#include "policy/compiled.h"

#include "base/banned.h"

/* %-marks of a sentence: h host, p port, m method, u path, r rule, n what came nearest. */
static const struct {
	const char *word, *sentence;
} reasons[POLICY_REASONS] = {
	[POLICY_ALLOWED] = { "allowed", "%r allows %m %u on %h:%p" },
	[POLICY_HOST_NOT_ROUTED] = { "host-not-routed", "no route of this bottle names %h" },
	[POLICY_PORT_NOT_ROUTED] = { "port-not-routed", "%h has a route, but not on port %p" },
	[POLICY_ADDRESS_NOT_ROUTED] = { "address-not-routed",
	                                "%h is an address, and no route names it; use the host's name" },
	[POLICY_NAME_NOT_QUALIFIED] = { "name-not-qualified",
	                                "%h is a single label, and no route names it; use a fully qualified name" },
	[POLICY_WILDCARD_LABEL] = { "wildcard-label",
	                            "%h fits a wildcard route, but its first label looks like data, not like a name" },
	[POLICY_PLAIN_HTTP] = { "plain-http", "%r does not allow plain http to %h:%p; use https" },
	[POLICY_TLS_ON_PLAIN_PORT] = { "tls-on-plain-port", "%r serves %h:%p as plain http only" },
	[POLICY_NO_MATCH] = { "no-match", "%h has a route (%r), but none of its matches fits %m %u%n" },
	[POLICY_METHOD_FORBIDDEN] = { "method-forbidden", "the method %m is never passed on" },
	[POLICY_METHOD_OVERRIDE] = { "method-override",
	                             "the request asks the origin to read %m as another method, and %r limits methods" },
	[POLICY_SECOND_PATH] = { "second-path",
	                         "a field of the request names another path beside %u, and %r limits paths; a header rule "
	                         "can allow its value" },
	[POLICY_UPGRADE] = { "upgrade",
	                     "%r does not allow this protocol upgrade; only \"websocket: true\" opens WebSocket" },
	[POLICY_GIT_PUSH] = { "git-push",
	                      "a push over https is never allowed; push through the bottle's git gate" },
	[POLICY_GIT_FETCH] = { "git-fetch",
	                       "%r does not allow git over https; it needs \"git: {fetch: true}\"" },
	[POLICY_DNS_OVER_HTTPS] = { "dns-over-https",
	                            "this is a DNS query over https; the gateway resolves names itself" },
};

const char *policy_reason_word(enum policy_reason reason)
{
	return reasons[reason].word;
}

static void add_place(struct str *out, const char *list, size_t index)
{
	str_add(out, list);
	str_add_number(out, index);
	str_addc(out, ']');
}

void policy_rule_print(const struct policy_verdict *verdict, struct str *out)
{
	static const char *const compares[] = { "exact", "prefix", "regex" };

	if (!verdict->route)
		return;
	add_place(out, "routes[", verdict->route->index);
	if (verdict->match < 0)
		return;
	add_place(out, ".matches[", (size_t)verdict->match);
	if (verdict->path < 0)
		return;
	const struct policy_path *path = &verdict->route->matches[verdict->match].paths[verdict->path];
	add_place(out, ".paths[", (size_t)verdict->path);
	str_addc(out, ' ');
	str_add(out, compares[path->compare]);
	str_addc(out, ' ');
	str_add_escaped(out, path->value.at, path->value.n, 200);
}

static void add_names(const struct policy_match *match, enum policy_miss missed, struct str *out)
{
	size_t n = missed == POLICY_MISS_METHOD ? match->nmethods : match->nheaders;

	for (size_t i = 0; i < n; i++) {
		struct slice name = missed == POLICY_MISS_METHOD ? match->methods[i] : match->headers[i].name;
		str_add(out, i ? ", " : "");
		str_add_escaped(out, name.at, name.n, 64);
	}
}

/* The operator's own words, and nothing of the request. */
static void add_nearest(const struct policy_verdict *verdict, struct str *out)
{
	if (verdict->near < 0 || !verdict->route)
		return;
	if (verdict->missed == POLICY_MISS_PATH) {
		str_add(out, ": the path is in none of them");
		return;
	}
	bool method = verdict->missed == POLICY_MISS_METHOD;
	str_addf(out,
	         method ? ": for this path matches[%d] allows only " :
	                  ": matches[%d] also asks for a certain value of ",
	         verdict->near);
	add_names(&verdict->route->matches[verdict->near], verdict->missed, out);
}

void policy_explain(const struct policy_verdict *verdict, const struct policy_request *request,
                    struct str *out)
{
	for (const char *s = reasons[verdict->reason].sentence; *s; s++) {
		if (*s != '%') {
			str_addc(out, *s);
			continue;
		}
		switch (*++s) {
		case 'h':
			str_addn(out, request->host->text, request->host->n);
			break;
		case 'p':
			str_addf(out, "%u", request->port);
			break;
		case 'm':
			str_add_escaped(out, request->method.at, request->method.n, 32);
			break;
		case 'u':
			str_add_escaped(out, request->path.at, request->path.n, 200);
			break;
		case 'n':
			add_nearest(verdict, out);
			break;
		case 'r':
			policy_rule_print(verdict, out);
			break;
		default:
			bug("no mark %%%c in a sentence", *s);
		}
	}
}
