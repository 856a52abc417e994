#include "manifest/image.h"

#include <ctype.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { REFERENCE_MAX = 255, PATH_LENGTH_MAX = 4095 };

#define FORMS                                                                                        \
	"a path (a rootfs directory, an OCI layout, a docker save or OCI archive, a .smolmachine), " \
	"docker-daemon:REF or dockerfile:PATH"

static const struct {
	const char *prefix;
	enum image_form form;
} prefixes[] = {
	{ "docker-daemon:", IMAGE_IN_DAEMON },
	{ "dockerfile:", IMAGE_DOCKERFILE },
};

static bool is_path(const char *text)
{
	return *text == '/' || str_starts(text, "~/");
}

/* As docker reads references: NAME, NAME:TAG, HOST:PORT/NAME@sha256:..., or an image's id. It
 * never begins like an option. */
static int check_reference(const char *text, struct err *err)
{
	size_t n = strlen(text);

	if (n == 0 || n > REFERENCE_MAX || !isalnum((unsigned char)*text))
		return fail(err, ERR_INPUT,
		            "docker-daemon: is followed by an image's name, as in docker-daemon:agent:1");
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-/:@", *p))
			return fail(err, ERR_INPUT, "\"%.80s\" is no name of a docker image", text);
	return 0;
}

static int check_path(const char *text, struct err *err)
{
	if (!is_path(text))
		return fail(err, ERR_INPUT, "\"%.80s\" is no path; it must begin with / or ~/", text);
	if (strlen(text) > PATH_LENGTH_MAX)
		return fail(err, ERR_INPUT, "a path of %zu bytes is too long", strlen(text));
	return strchr(text, '\n') ? fail(err, ERR_INPUT, "a path with a line break in it") : 0;
}

int image_name_read(const char *text, struct image_name *out, struct err *err)
{
	struct image_name name = { IMAGE_AT_PATH, text };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(text, prefixes[i].prefix))
			name = (struct image_name){ prefixes[i].form, text + strlen(prefixes[i].prefix) };
	if (name.form == IMAGE_IN_DAEMON ? check_reference(name.rest, err) != 0 :
	                                   name.form == IMAGE_DOCKERFILE && check_path(name.rest, err) != 0)
		return -1;
	if (name.form == IMAGE_AT_PATH && !is_path(text))
		return fail(err, ERR_INPUT,
		            "\"%.80s\" is none of " FORMS
		            "; nothing is fetched from a registry: docker pull, then docker-daemon:",
		            text);
	if (name.form == IMAGE_AT_PATH && check_path(text, err) != 0)
		return -1;
	if (name.form == IMAGE_AT_PATH && str_ends(text, ".smolmachine"))
		name.form = IMAGE_SMOLMACHINE;
	*out = name;
	return 0;
}

bool image_name_needs_docker(const char *text)
{
	struct image_name name;
	struct err ignored = ERR_INIT;

	return image_name_read(text, &name, &ignored) == 0 &&
	       (name.form == IMAGE_IN_DAEMON || name.form == IMAGE_DOCKERFILE);
}
