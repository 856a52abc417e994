/* Paths, globs, refs and URLs. */
#include "manifest/check.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "manifest/image.h"
#include "base/banned.h"

/* Judged by whole components. "//" and a trailing "/" are removed, "." and ".." refused. */
static int clean_path(char **text, struct err *err)
{
	own_str struct str clean = STR_INIT;
	const char *p = *text;

	if (*p == '/')
		str_addc(&clean, '/');
	while (*p) {
		size_t n = strcspn(p, "/");
		bool dots = (n == 1 && *p == '.') || (n == 2 && memcmp(p, "..", 2) == 0);
		if (dots)
			return fail(err, ERR_INPUT, "\"%.80s\" has a \"%.*s\" in it; write the path without",
			            *text, (int)n, p);
		if (n > 0 && clean.len > 0 && clean.data[clean.len - 1] != '/')
			str_addc(&clean, '/');
		str_addn(&clean, p, n);
		p += n + (p[n] == '/');
	}
	free(*text);
	*text = str_steal(&clean);
	return 0;
}

int check_absolute(char **text, struct err *err)
{
	if (**text != '/')
		return fail(err, ERR_INPUT, "\"%.80s\" is no absolute path", *text);
	return clean_path(text, err);
}

int check_directory(char **text, struct err *err)
{
	if (**text != '/' && !str_starts(*text, "~/"))
		return fail(err, ERR_INPUT, "\"%.80s\" is no path; it must begin with / or ~/", *text);
	return clean_path(text, err);
}

int check_below_home(char **text, struct err *err)
{
	if (!**text || **text == '/' || **text == '~')
		return fail(err, ERR_INPUT, "\"%.80s\" must be relative to the guest's home", *text);
	return clean_path(text, err);
}

/* The form is judged, and a path in it cleaned. */
int check_image(char **text, struct err *err)
{
	struct image_name name;

	if (check_not_empty(text, err) != 0 || image_name_read(*text, &name, err) != 0)
		return -1;
	if (name.form == IMAGE_IN_DAEMON)
		return 0;
	size_t prefix = (size_t)(name.rest - *text);
	own_mem char *path = xstrdup(name.rest);
	if (check_directory(&path, err) != 0)
		return -1;
	char *whole = xasprintf("%.*s%s", (int)prefix, *text, path);
	free(*text);
	*text = whole;
	return 0;
}

/* Whether @path is @dir, below it, or above it: a directory is seen with all that is in it. */
static bool overlaps(const char *path, const char *dir)
{
	size_t n = strlen(path), m = strlen(dir);

	if (str_is(path, "/"))
		return true;
	if (n <= m)
		return strncmp(path, dir, n) == 0 && (dir[n] == '/' || !dir[n]);
	return strncmp(path, dir, m) == 0 && path[m] == '/';
}

int check_tool(char **text, struct err *err)
{
	static const char *const in_home[] = {
		".ssh",
		".gnupg",
		".aws",
		".azure",
		".config/gcloud",
		".config/gh",
		".config/glab-cli",
		".config/op",
		".config/sops",
		".config/rclone",
		".config/bot-bottle",
		".kube",
		".docker",
		".netrc",
		".git-credentials",
		".npmrc",
		".pypirc",
		".cargo/credentials",
		".cargo/credentials.toml",
		".claude",
		".claude.json",
		".codex",
		".bot-bottle",
		".password-store",
		".local/share/keyrings",
		".local/state/bot-bottle",
		".mozilla",
		".config/google-chrome",
		".config/chromium",
		".gitconfig",
		".bash_history",
		".vault-token",
	};
	static const char *const elsewhere[] = { "/root", "/home", "/etc",     "/proc",    "/sys",
		                                 "/dev",  "/run",  "/var/run", "/var/lib", "/boot" };

	if (check_directory(text, err) != 0)
		return -1;
	const char *path = *text;
	if (str_is(path, "~") || str_is(path, "/home") || str_is(path, "/"))
		return fail(err, ERR_DENIED, "%s is a whole home or host; name the directory of the tool",
		            path);
	for (size_t i = 0; i < ARRAY_LEN(in_home) && str_starts(path, "~/"); i++)
		if (overlaps(path + 2, in_home[i]))
			return fail(err, ERR_DENIED,
			            "%s holds credentials (~/%s); no bottle gets to see them", path,
			            in_home[i]);
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		bool a_home = i < 2; /* a tool may be installed in one, below its own directory */
		if (a_home ? str_is(path, elsewhere[i]) : overlaps(path, elsewhere[i]))
			return fail(err, ERR_DENIED, "%s is the host's own (%s); no bottle gets to see it",
			            path, elsewhere[i]);
	}
	/* The same places by their full names: in the home of root, or of anybody below /home. */
	own_mem char *tail = NULL;
	if (str_starts(path, "/root/"))
		tail = xstrdup(path + strlen("/root/"));
	else if (str_starts(path, "/home/"))
		tail = xstrdup(
			strchr(path + strlen("/home/"), '/') ? strchr(path + strlen("/home/"), '/') + 1 : "");
	if (tail && !*tail)
		return fail(err, ERR_DENIED, "%s is a whole home; name the directory of the tool", path);
	for (size_t i = 0; i < ARRAY_LEN(in_home) && tail; i++)
		if (overlaps(tail, in_home[i]))
			return fail(err, ERR_DENIED, "%s holds credentials (%s); no bottle gets to see them",
			            path, in_home[i]);
	return 0;
}

#define URL_PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

/* The part of an authority behind the user: host[:port], each judged. */
static int check_authority(const char *authority, struct err *err)
{
	const char *colon = strrchr(authority, ':');
	bool has_port = colon && !strchr(colon, ']');
	own_mem char *host = has_port ? xstrndup(authority, (size_t)(colon - authority)) : xstrdup(authority);
	unsigned long port;

	if (has_port && !str_number(colon + 1, 1, 65535, &port))
		return fail(err, ERR_INPUT, "port \"%.20s\" is not within 1 and 65535", colon + 1);
	return check_exact_host(&host, err);
}

int check_repo_url(char **text, struct err *err)
{
	static const char form[] = "write ssh://user@host[:port]/path.git";
	const char *user = *text + strlen("ssh://");

	if (!str_starts(*text, "ssh://"))
		return fail(err, ERR_INPUT, "\"%.80s\" is no SSH URL; %s", *text, form);
	size_t n = strspn(user, URL_PLAIN);
	/* No leading "-": ssh would take it for an option. */
	if (n == 0 || user[n] != '@' || *user == '-')
		return fail(err, ERR_INPUT, "\"%.80s\" names no user; %s", *text, form);
	const char *host = user + n + 1, *path = strchr(host, '/');
	if (!path || strlen(path) < 2 || strspn(path, URL_PLAIN "/") != strlen(path) || path[1] == '-')
		return fail(err, ERR_INPUT, "\"%.80s\" has no plain path; %s", *text, form);
	own_mem char *authority = xstrndup(host, (size_t)(path - host));
	own_mem char *clean = xstrdup(path);
	if (check_authority(authority, err) != 0 || clean_path(&clean, err) != 0)
		return -1;
	return str_is(clean, path) ? 0 : fail(err, ERR_INPUT, "\"%.80s\" has an odd path; %s", *text, form);
}

int check_proxy_url(char **text, struct err *err)
{
	const char *host = *text + strlen("http://");

	if (!str_starts(*text, "http://"))
		return fail(err, ERR_INPUT, "\"%.80s\" is no proxy; write http://host:port", *text);
	own_mem char *authority = xstrdup(host);
	if (str_ends(authority, "/"))
		authority[strlen(authority) - 1] = '\0';
	if (strpbrk(authority, "/@?#"))
		return fail(err, ERR_INPUT, "a proxy's URL is http://host:port and nothing more");
	if (check_authority(authority, err) != 0)
		return -1;
	free(*text);
	*text = xasprintf("http://%s", authority);
	return 0;
}

/* git-check-ref-format(1), with "*" as the last component's wildcard. */
int check_ref(char **text, struct err *err)
{
	const char *ref = *text;

	bool odd = !str_starts(ref, "refs/") || strstr(ref, "..") || strstr(ref, "//") || strstr(ref, "@{") ||
	           strstr(ref, "/.") || str_ends(ref, "/") || str_ends(ref, ".") || str_ends(ref, ".lock") ||
	           strpbrk(ref, " ~^:?[\\") || strlen(ref) > 255;
	const char *star = strchr(ref, '*');
	if (odd || (star && star[1]))
		return fail(err, ERR_INPUT, "\"%.80s\" is no ref; write refs/heads/name, a * only at its end",
		            ref);
	return 0;
}

int check_glob(char **text, struct err *err)
{
	const char *glob = *text;

	if (!*glob || *glob == '/' || *glob == '!' || str_is(glob, "..") || str_starts(glob, "../") ||
	    strstr(glob, "/../") || str_ends(glob, "/.."))
		return fail(err, ERR_INPUT,
		            "\"%.80s\" is no pattern; write one relative to the directory, without ..", glob);
	return 0;
}

int check_host_key(char **text, struct err *err)
{
	static const char *const types[] = { "ssh-ed25519 ", "ecdsa-sha2-nistp256 ", "ecdsa-sha2-nistp384 ",
		                             "ecdsa-sha2-nistp521 ", "ssh-rsa " };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!str_starts(*text, types[i]))
			continue;
		own_str struct str blob = STR_INIT;
		const char *key = *text + strlen(types[i]);
		size_t n = strcspn(key, " ");
		if (n >= 40 && base64_decode(&blob, key, n, false))
			return 0;
	}
	return fail(err, ERR_INPUT,
	            "is no host key; write its line without the host: \"ssh-ed25519 AAAA...\"");
}
