#pragma once
/* How things look. ui is told what happened and decides only how to say it: data goes to
 * stdout, everything else to stderr, colour and progress only where a terminal is. Text that
 * came from elsewhere is escaped before it reaches a terminal. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"

struct ui {
	bool json; /* data is JSON, and so is the error */
	bool colour_out, colour_err;
	bool progress;  /* stderr is a terminal */
	unsigned width; /* of the terminal on stdout; 80 where there is none */
};
/* clang-format off */
#define UI_INIT { .width = 80 }
/* clang-format on */

/* From here on a stdout or stderr that may not block is waited for: that is a matter of whoever has the
 * same terminal or pipe, and can change at any moment. */
void ui_wait_for_readers(void);
/* @as_json: the verb was given --json. @no_colour: the environment's NO_COLOR is set and not empty. */
void ui_init(struct ui *ui, bool as_json, bool no_colour);

/* A shade for a word; the empty string where colour is off. */
enum ui_shade { UI_PLAIN, UI_BOLD, UI_DIM, UI_RED, UI_GREEN, UI_YELLOW };

/* --- stderr ------------------------------------------------------------------------- */

/* "starting guest", one line per step; shown on a terminal only. */
void ui_progress(const struct ui *ui, const char *step);
/* A line for the person, beside whatever goes to stdout. */
void ui_note(const struct ui *ui, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "bottle: text", the remedy on a line of its own; under --json one object on stdout. */
void ui_error(const struct ui *ui, const struct err *err);
/* For log_set_sink(); @arg is the ui. */
void ui_log_sink(void *arg, enum log_level level, const char *line);

/* --- stdout ------------------------------------------------------------------------- */

struct ui_column {
	const char *key; /* member of each row */
	const char *heading;
	bool right; /* numbers */
};
/* An array of objects: as a table, or under --json as it is. The last column is cut at the
 * terminal's width, and only there. */
void ui_rows(const struct ui *ui, const json *rows, const struct ui_column *columns, size_t n);
/* One object: "heading: value" lines, arrays as indented lines, - where there is no value; or as it
 * is. */
void ui_object(const struct ui *ui, const json *object, const struct ui_column *fields, size_t n);
/* One value, pretty, whatever --json says. */
void ui_json(const json *value);
/* Text of our own (help, YAML); written as it is. */
void ui_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with a word in a shade. */
void ui_shaded(const struct ui *ui, enum ui_shade shade, const char *text);
/* Bytes for stdout as they are (a log, a patch): ERR_SYSTEM when the reader is gone. */
int ui_write(const void *bytes, size_t n, struct err *err);
/* Everything written has arrived; a full disk or a closed pipe is ERR_SYSTEM. */
int ui_flush(struct err *err);

/* --- the person --------------------------------------------------------------------- */

/* stdin and stderr are terminals: somebody can be asked. */
bool ui_can_ask(void);
/* y/N on /dev/tty; an empty answer and end of file are no. ERR_MISSING: no terminal. */
int ui_ask(const char *question, bool *yes, struct err *err);
/* A line without echo from /dev/tty. ERR_MISSING: no terminal; ERR_INPUT: empty. */
int ui_ask_secret(const char *prompt, struct secret *out, struct err *err);

/* Raw mode for the time that a guest has the terminal. Leaving twice is fine. */
struct ui_raw {
	int fd; /* -1: not raw */
	struct termios saved;
};
/* clang-format off */
#define UI_RAW_INIT { .fd = -1 }
/* clang-format on */
/* @lines: what is shown has line ends of its own kind and what is typed is not shown by others,
 * so only the keys that the terminal would act on come through as they are. */
int ui_raw_enter(struct ui_raw *raw, int fd, bool lines, struct err *err);
void ui_raw_leave(struct ui_raw *raw);
#define own_ui_raw __attribute__((cleanup(ui_raw_leave)))
/* Rows and columns; ask again on SIGWINCH (loop_signals takes it). False: no terminal. */
bool ui_window_size(int fd, unsigned short *rows, unsigned short *columns);

/* --- pickers ------------------------------------------------------------------------ */

struct ui_choice {
	const char *name;
	const char *note; /* shown dim beside it; NULL: none */
};
/* Typing filters, arrows move, Enter takes. Returns the index; ERR_DENIED: given up. */
int ui_pick(const char *title, const struct ui_choice *choices, size_t n, struct err *err);
/* Space toggles, Tab goes to the order panel (K and J move, Space or Enter removes), Enter
 * confirms. @out gets the indices in order and must have room for @n. Returns the count. */
int ui_pick_many(const char *title, const struct ui_choice *choices, size_t n, size_t *out, struct err *err);
