#include "cmd/cmd.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "base/banned.h"

/* What a failure of each kind exits with. A verb that passes the guest's status on needs a
 * status of its own that no guest's program uses by convention. */
static const struct {
	enum err_kind kind;
	int status;
} statuses[] = {
	{ ERR_USAGE, 2 }, { ERR_INPUT, 1 },      { ERR_DENIED, 1 }, { ERR_MISSING, 1 },
	{ ERR_BUSY, 1 },  { ERR_UNCONFINED, 1 }, { ERR_SYSTEM, 1 },
};
enum { STATUS_OWN_FAILURE = 125, STATUS_NO_ANSWER = 2 };

int exit_status_of(const struct verb *verb, enum err_kind kind)
{
	if (verb && (verb->flags & VERB_STATUS))
		return STATUS_OWN_FAILURE;
	if (verb && (verb->flags & VERB_ANSWER))
		return STATUS_NO_ANSWER;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].kind == kind)
			return statuses[i].status;
	return 1;
}

/* A caller may have closed 0, 1 or 2; the next file that is opened must not take that number
 * and get our messages written into it. Read-only: data that nobody gets is a failure. */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* On a terminal that knows no colour its codes would be text. */
static bool wants_no_colour(void)
{
	const char *no_colour = command_env("NO_COLOR"), *term = command_env("TERM");

	return no_colour || (term && str_is(term, "dumb"));
}

static int run(struct command *c, char *const *words, struct err *err)
{
	int rc = command_parse(c, words, err);

	ui_init(&c->ui, c->json, wants_no_colour());
	log_set_sink(ui_log_sink, &c->ui, LOG_INFO);
	if (rc < 0)
		return -1;
	if (c->help) {
		if (c->verb)
			help_print_verb(c, c->verb);
		else if (c->group)
			help_print_group(c->group);
		else
			help_print_overview(c);
		return 0;
	}
	return c->verb->run(c, err);
}

int main(int argc, char **argv)
{
	own_command struct command c = COMMAND_INIT;
	struct err err = ERR_INIT;
	int status;

	fill_standard_descriptors();
	ui_wait_for_readers();
	status = run(&c, argc > 0 ? argv + 1 : argv, &err);
	if (status < 0) {
		ui_error(&c.ui, &err);
		status = exit_status_of(c.verb, err.kind);
	}
	err = (struct err)ERR_INIT;
	if (ui_flush(&err) < 0) {
		c.ui.json = false; /* an object would go where nothing arrives */
		ui_error(&c.ui, &err);
		if (status == 0)
			status = exit_status_of(c.verb, err.kind);
	}
	return status;
}
