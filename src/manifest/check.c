#include "manifest/check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "base/banned.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static bool only(const char *text, const char *allowed)
{
	return *text && strspn(text, allowed) == strlen(text);
}

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text += 'a' - 'A';
}

bool manifest_name_is_valid(const char *name)
{
	if (!name || !only(name, LOWER DIGIT "-") || !strchr(LOWER, *name) ||
	    strlen(name) > MANIFEST_NAME_MAX)
		return false;
	return !str_ends(name, "-") && !strstr(name, "--");
}

int check_name(char **text, struct err *err)
{
	if (manifest_name_is_valid(*text))
		return 0;
	return fail(err, ERR_INPUT,
	            "\"%.60s\" is no name; a letter, then letters, digits and single hyphens, lower case, "
	            "at most %d",
	            *text, MANIFEST_NAME_MAX);
}

int check_variable(char **text, struct err *err)
{
	if (only(*text, UPPER LOWER DIGIT "_") && !strchr(DIGIT, **text))
		return 0;
	return fail(err, ERR_INPUT,
	            "\"%.60s\" is no variable's name; letters, digits and _, not beginning with a digit",
	            *text);
}

/* One label of a DNS name: 1 to 63 letters, digits and hyphens, none at the ends. The
 * underscore is in use (_acme-challenge and the like), though not for hosts of HTTP. */
static bool is_label(const char *p, size_t n)
{
	if (n < 1 || n > 63 || p[0] == '-' || p[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strchr(LOWER DIGIT "-", p[i]))
			return false;
	return true;
}

/* What a resolver would read as an address though it is not spelled as one: 127.1, 0x7f.1. */
static bool looks_like_address(const char *host)
{
	const char *last = strrchr(host, '.');

	last = last ? last + 1 : host;
	return only(last, DIGIT) ||
	       (str_starts(last, "0x") && strspn(last + 2, DIGIT "abcdef") == strlen(last + 2));
}

static int check_dns_name(const char *host, struct err *err)
{
	if (strlen(host) > 253)
		return fail(err, ERR_INPUT, "a host name of %zu bytes is too long; the limit is 253",
		            strlen(host));
	for (const char *p = host;;) {
		size_t n = strcspn(p, ".");
		if (!is_label(p, n))
			return fail(err, ERR_INPUT,
			            "\"%.80s\" is no host name; write a DNS name without scheme, port and "
			            "path, international names as xn--...",
			            host);
		if (!p[n])
			break;
		p += n + 1;
	}
	if (looks_like_address(host))
		return fail(err, ERR_INPUT,
		            "\"%.80s\" is an odd spelling of an address; write four decimal numbers", host);
	return 0;
}

/* IPv6 stands in brackets, so that no colon of it is taken for a port's. */
static bool as_address(const char *text, char **out)
{
	unsigned char bytes[16];
	char shown[INET6_ADDRSTRLEN];
	own_mem char *bare = NULL;
	size_t n = strlen(text);

	if (inet_pton(AF_INET, text, bytes) == 1) {
		*out = xstrdup(text);
		return true;
	}
	bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';
	bare = brackets ? xstrndup(text + 1, n - 2) : xstrdup(text);
	if (inet_pton(AF_INET6, bare, bytes) != 1 || !inet_ntop(AF_INET6, bytes, shown, sizeof shown))
		return false;
	*out = xasprintf("[%s]", shown);
	return true;
}

int check_exact_host(char **text, struct err *err)
{
	char *address = NULL;
	size_t n = strlen(*text);

	if (as_address(*text, &address)) {
		free(*text);
		*text = address;
		return 0;
	}
	lower(*text);
	if (n > 1 && (*text)[n - 1] == '.')
		(*text)[n - 1] = '\0';
	return check_dns_name(*text, err);
}

int check_host(char **text, struct err *err)
{
	own_mem char *rest = NULL;

	if (!str_starts(*text, "*."))
		return check_exact_host(text, err);
	rest = xstrdup(*text + 2);
	lower(rest);
	size_t n = strlen(rest);
	if (n > 1 && rest[n - 1] == '.')
		rest[n - 1] = '\0';
	if (check_dns_name(rest, err) != 0)
		return -1;
	if (!strchr(rest, '.'))
		return fail(err, ERR_INPUT, "\"%.80s\" would match a whole top-level domain", *text);
	free(*text);
	*text = xasprintf("*.%s", rest);
	return 0;
}

int check_address(char **text, struct err *err)
{
	char *address = NULL;

	if (!as_address(*text, &address))
		return fail(err, ERR_INPUT, "\"%.60s\" is no IPv4 or IPv6 address", *text);
	/* Without brackets: nothing follows it. */
	free(*text);
	if (*address == '[') {
		*text = xstrndup(address + 1, strlen(address) - 2);
		free(address);
	} else {
		*text = address;
	}
	return 0;
}

int check_resolver(char **text, struct err *err)
{
	unsigned char bytes[16];
	own_mem char *host = NULL;
	char *address = NULL;
	const char *colon = strrchr(*text, ':');
	bool has_port = colon && ((*text)[0] == '[' ? colon[-1] == ']' : strchr(*text, ':') == colon);
	unsigned long port;

	host = has_port ? xstrndup(*text, (size_t)(colon - *text)) : xstrdup(*text);
	bool whole_v6 = !has_port && inet_pton(AF_INET6, host, bytes) == 1;
	if ((has_port && !str_number(colon + 1, 1, 65535, &port)) ||
	    !(whole_v6 || as_address(host, &address)))
		return fail(err, ERR_INPUT,
		            "\"%.60s\" is no resolver; write 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53",
		            *text);
	free(address);
	return 0;
}

int check_loopback(char **text, struct err *err)
{
	unsigned char bytes[4];

	if (inet_pton(AF_INET, *text, bytes) == 1 && bytes[0] == 127)
		return 0;
	return fail(err, ERR_INPUT, "\"%.60s\" is no loopback address; write one of 127.0.0.0/8", *text);
}

#define TOKEN UPPER LOWER DIGIT "!#$%&'*+-.^_`|~"

int check_header_name(char **text, struct err *err)
{
	/* The gateway writes these itself, or their meaning is the connection's and not the request's. */
	static const char *const ruled[] = {
		"host",    "content-length", "transfer-encoding", "connection",      "upgrade", "te",
		"trailer", "expect",         "keep-alive",        "accept-encoding", "via",     "forwarded"
	};
	own_mem char *name = xstrdup(*text);

	if (!only(name, TOKEN) || strlen(name) > 64)
		return fail(err, ERR_INPUT, "\"%.60s\" is no header's name", *text);
	lower(name);
	for (size_t i = 0; i < ARRAY_LEN(ruled); i++)
		if (str_is(name, ruled[i]))
			return fail(err, ERR_INPUT, "the gateway sets \"%s\" itself", *text);
	if (str_starts(name, "proxy-") || str_starts(name, "x-forwarded-"))
		return fail(err, ERR_INPUT, "the gateway strips \"%s\"", *text);
	return 0;
}

int check_header_rule(char **text, struct err *err)
{
	if (!only(*text, TOKEN) || strlen(*text) > 64)
		return fail(err, ERR_INPUT, "\"%.60s\" is no header's name", *text);
	lower(*text);
	return 0;
}

int check_method(char **text, struct err *err)
{
	if (!only(*text, UPPER LOWER "-") || strlen(*text) > 32)
		return fail(err, ERR_INPUT, "\"%.60s\" is no method", *text);
	for (char *p = *text; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (str_is(*text, "CONNECT") || str_is(*text, "TRACE"))
		return fail(err, ERR_INPUT, "%s is never forwarded", *text);
	return 0;
}

int check_not_empty(char **text, struct err *err)
{
	return **text ? 0 : fail(err, ERR_INPUT, "is empty");
}

/* RFC 5322 would allow more; a commit's header would not. */
int check_identity(char **text, struct err *err)
{
	if (!**text || strpbrk(*text, "<>\n") || **text == ' ')
		return fail(err, ERR_INPUT,
		            "\"%.60s\" can't stand in a commit; no <, > or leading blank, not empty", *text);
	return 0;
}

int check_credential(char **text, struct err *err)
{
	if (only(*text, UPPER LOWER DIGIT "_.-") && **text != '.' && strlen(*text) <= 255)
		return 0;
	return fail(err, ERR_INPUT, "\"%.60s\" is no credential's name; letters, digits, _, . and -", *text);
}

int check_placeholder(char **text, struct err *err)
{
	const char *random = strstr(*text, "{random}");

	if (random && !strstr(random + 1, "{random}") && strspn(*text, TOKEN "{}/=") == strlen(*text))
		return 0;
	return fail(err, ERR_INPUT,
	            "\"%.60s\" is no placeholder; it has {random} once, and only what a token may have",
	            *text);
}
