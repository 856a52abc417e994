#include "cmd/demo_tour.h"
#include <string.h>
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

void tour_add_bottle(struct str *out, const char *host, const char *port)
{
	str_addf(out,
	         "---\n"
	         "agent_provider:\n"
	         "  template: shell\n"
	         "egress:\n"
	         "  routes:\n"
	         "    - host: %s\n"
	         "      port: %s\n"
	         "      allow_private: true   # the demo's origin is on this machine\n"
	         "      auth:\n"
	         "        scheme: bearer\n"
	         "        token_ref: DEMO_TOKEN\n"
	         "      matches:\n"
	         "        - paths:\n"
	         "            - type: prefix\n"
	         "              value: /v1/\n"
	         "          methods: [GET]\n"
	         "---\n"
	         "What `bottle demo` runs in.\n",
	         host, port);
}

const char *const tour_start[] = { "--backend=namespace",
	                           "--bundle=embedded",
	                           "--bottle=demo",
	                           "--label=demo",
	                           "--headless",
	                           "--yes",
	                           "--rm",
	                           NULL };

/* A refusal of the gateway is a JSON body with a reason; one of the kernel is curl's own exit
 * status, or a program's message. */
const char tour_script[] =
	"url=https://api.bottle.test:$1\n"
	"say() { printf '%s\\t%s\\t%s\\n' \"$1\" \"$2\" \"$3\"; }\n"
	"ask() {\n"
	"\tname=$1; shift\n"
	"\tanswer=$(curl -sS -m 20 -w '\\n%{http_code}' \"$@\" 2>&1); status=$?\n"
	"\tcode=$(printf '%s\\n' \"$answer\" | tail -n 1)\n"
	"\treason=$(printf '%s' \"$answer\" | sed -n 's/.*\"reason\":\"\\([^\"]*\\)\".*/\\1/p' | head -n 1)\n"
	"\ttoken=$(printf '%s' \"$answer\" | sed -n 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/p' | head -n 1)\n"
	"\tcase $answer in\n"
	"\t*'\"origin\":\"reached\"'*) say \"$name\" reached \"$token\" ;;\n"
	"\t*egress-denied*) say \"$name\" denied \"$reason\" ;;\n"
	"\t*'response 403'*) say \"$name\" denied \"no route\" ;;\n"
	"\t*) say \"$name\" failed \"curl $status\" ;;\n"
	"\tesac\n"
	"}\n"
	"ask allowed \"$url/v1/items\"\n"
	"say token \"${DEMO_TOKEN:-none}\" -\n"
	"ask method -X POST -d x=1 \"$url/v1/items\"\n"
	"ask path \"$url/admin\"\n"
	"ask dots --path-as-is \"$url/v1/../admin\"\n"
	"ask foreign -H 'Authorization: Bearer somebody-elses' \"$url/v1/items\"\n"
	"ask host https://example.com/\n"
	"ask direct --noproxy '*' --connect-timeout 5 https://1.1.1.1/\n"
	"ask loopback --noproxy '*' --connect-timeout 5 -k \"https://127.0.0.1:$1/v1/items\"\n"
	"if cat \"$2\" >/dev/null 2>&1; then say file read -; else say file absent -; fi\n"
	"if unshare -U true 2>/dev/null; then say namespace made -; else say namespace refused -; fi\n"
	"if (echo >/usr/bin/planted) 2>/dev/null; then say program written -; else say program refused -; fi\n"
	"if echo changed >>/workspace/notes.txt; then say workspace changed -; else say workspace refused -; fi\n";

#define GATEWAY "the gateway"
#define KERNEL  "the network namespace"

static const struct attempt {
	const char *name; /* as the script prints it */
	const char *tried;
	const char *outcome;  /* what it must be; NULL: judged by its own rule */
	const char *happened; /* in words, when it is */
	const char *by;       /* who refused; NULL: nobody */
} attempts[] = {
	{ "allowed", "GET /v1/items, which a route allows", "reached", "200; the origin saw the real token",
	  NULL },
	{ "token", "read the token", NULL, "a placeholder; the real one never came in", "the keeper" },
	{ "method", "POST where only GET is allowed", "denied", "403", GATEWAY },
	{ "path", "GET /admin, outside of /v1/", "denied", "403", GATEWAY },
	{ "dots", "GET /v1/../admin", "denied", "refused, not tidied up", GATEWAY },
	{ "foreign", "use somebody else's credential there", "denied", "403", GATEWAY },
	{ "host", "a host without a route", "denied", "403", GATEWAY },
	{ "direct", "dial 1.1.1.1, past the gateway", "failed", "no way there", KERNEL },
	{ "loopback", "dial the host's 127.0.0.1", "failed", "another 127.0.0.1 is in there", KERNEL },
	{ "file", "read a file of your home", "absent", "there is no such file inside",
	  "the mount namespace" },
	{ "namespace", "make a user namespace", "refused", "not permitted", "seccomp" },
	{ "program", "write to /usr/bin", "refused", "read-only", "the mount namespace" },
	{ "workspace", "change the workspace", "changed", "a change in the bottle; your copy is as it was",
	  "the overlay" },
};

/* The line of @name: its two fields. False: the script did not print it. */
static bool find_line(const char *output, const char *name, char **outcome, char **detail)
{
	size_t n = strlen(name);

	for (const char *line = output; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *first = line + n + 1;
		const char *second;

		if (strncmp(line, name, n) != 0 || line[n] != '\t')
			continue;
		second = first + strcspn(first, "\t\r\n");
		*outcome = xstrndup(first, (size_t)(second - first));
		if (*second == '\t')
			second++;
		*detail = xstrndup(second, strcspn(second, "\r\n"));
		return true;
	}
	return false;
}

static bool is_as_it_must(const struct attempt *a, const char *outcome, const char *detail, const char *token,
                          bool untouched)
{
	if (str_is(a->name, "token"))
		return !str_is(outcome, "none") && !strstr(outcome, token);
	if (!str_is(outcome, a->outcome))
		return false;
	if (str_is(a->name, "allowed"))
		return str_is(detail, "right");
	if (str_is(a->name, "workspace"))
		return untouched;
	return true;
}

json *tour_judge(const char *output, const char *token, bool untouched, bool *as_told)
{
	json *rows = json_array_of();

	*as_told = true;
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		const struct attempt *a = &attempts[i];
		own_mem char *outcome = NULL;
		own_mem char *detail = NULL;
		own_mem char *happened = NULL;
		json *row = json_object_of();
		bool found = find_line(output, a->name, &outcome, &detail);
		bool good = found && is_as_it_must(a, outcome, detail, token, untouched);

		if (!good)
			happened = found ? xasprintf("NOT AS IT MUST BE: %s %s", outcome, detail) :
			                   xstrdup("NOT TRIED: the agent ended before");
		else if (str_is(a->outcome, "denied") && *detail)
			happened = xasprintf("%s: %s", a->happened, detail);
		else
			happened = xstrdup(a->happened);
		json_set_string(row, "tried", a->tried);
		json_set_string(row, "happened", happened);
		json_set_string(row, "refused_by", good ? a->by : NULL);
		json_set_truth(row, "as_it_must", good);
		json_push(rows, row);
		*as_told &= good;
	}
	return rows;
}

void tour_print(const struct ui *ui, const json *rows, bool as_told)
{
	static const struct ui_column columns[] = {
		{ "tried", "THE AGENT TRIED TO", false },
		{ "happened", "WHAT HAPPENED", false },
		{ "refused_by", "WHO STOPPED IT", false },
	};

	ui_rows(ui, rows, columns, ARRAY_LEN(columns));
	if (ui->json)
		return;
	if (!as_told) {
		ui_text("\nSomething went otherwise than it must. Do not trust a bottle on this host.\n");
		return;
	}
	ui_text("\nAll as it must be. A real agent, in a bottle of its own:\n\n"
	        "  bottle init                                      # a manifest to begin with\n"
	        "  export BOT_BOTTLE_CLAUDE_OAUTH_TOKEN=...         # stays on this side\n"
	        "  cd your/project && bottle start --backend namespace AGENT\n\n"
	        "  bottle doctor                                    # what this host still needs for microVMs\n");
}
