#include "proto/files_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "proto/files.h"
#include "base/banned.h"

/* Of a path in a message: four times as much, escaped, fits into a remark. */
enum { PATH_SHOWN = 200 };

bool files_name_is_valid(const char *name, size_t n)
{
	if (n == 0 || n > FILES_NAME || memchr(name, '/', n) || memchr(name, '\0', n))
		return false;
	return !(n == 1 && name[0] == '.') && !(n == 2 && name[0] == '.' && name[1] == '.');
}

void files_path_begin(struct str *out, const char *path)
{
	size_t n = strlen(path);

	while ((n > 0 && path[n - 1] == '/') || (n > 1 && path[n - 1] == '.' && path[n - 2] == '/'))
		n--;
	str_addn(out, path, n);
}

void files_path_cut(struct str *path, size_t n)
{
	path->len = n;
	if (path->data)
		path->data[n] = '\0';
}

void files_path_show(struct str *out, const struct str *path)
{
	size_t cut = path->len > PATH_SHOWN ? path->len - PATH_SHOWN : 0;

	str_add(out, cut ? "..." : "");
	str_addn_visible(out, str_c(path) + cut, path->len - cut, false);
}

int files_path_fail(const struct str *path, const char *what, struct err *err)
{
	own_str struct str shown = STR_INIT;
	int number = errno;

	files_path_show(&shown, path);
	errno = number;
	return fail_errno(err, "%s%s", what, str_c(&shown));
}

bool files_is_top_name(const char *name)
{
	return str_is(name, ".") || files_name_is_valid(name, strlen(name));
}

int files_open_above(const char *path, char name[FILES_NAME + 1], struct err *err)
{
	own_mem char *copy = xstrdup(path);
	size_t n = strlen(copy);

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	char *slash = strrchr(copy, '/');
	const char *last = slash ? slash + 1 : copy;
	if (!files_is_top_name(last))
		return fail(err, ERR_INPUT, "\"%.200s\" does not end in the name of a file or directory",
		            path);
	snprintf(name, FILES_NAME + 1, "%s", last);
	if (!slash)
		return dir_open(AT_FDCWD, ".", err);
	*slash = '\0';
	return dir_open(AT_FDCWD, slash == copy ? "/" : copy, err);
}
