#include "ui/ui.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { WIDTH_DEFAULT = 80, WIDTH_LEAST = 40 };

static const char *const shades[] = {
	[UI_PLAIN] = "",       [UI_BOLD] = "\033[1m",   [UI_DIM] = "\033[2m",
	[UI_RED] = "\033[31m", [UI_GREEN] = "\033[32m", [UI_YELLOW] = "\033[33m",
};
#define SHADE_END "\033[0m"

bool ui_window_size(int fd, unsigned short *rows, unsigned short *columns)
{
	struct winsize size = { 0 };

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
		return false;
	*rows = size.ws_row;
	*columns = size.ws_col;
	return true;
}

void ui_init(struct ui *ui, bool as_json, bool no_colour)
{
	unsigned short rows, columns;

	*ui = (struct ui)UI_INIT;
	ui->json = as_json;
	ui->progress = isatty(STDERR_FILENO);
	ui->colour_out = !no_colour && !as_json && isatty(STDOUT_FILENO);
	ui->colour_err = !no_colour && ui->progress;
	ui->width = WIDTH_DEFAULT;
	if (ui_window_size(STDOUT_FILENO, &rows, &columns) && columns >= WIDTH_LEAST)
		ui->width = columns;
}

static void put_shaded(FILE *to, bool colour, enum ui_shade shade, const char *text)
{
	if (colour && shade != UI_PLAIN)
		fprintf(to, "%s%s" SHADE_END, shades[shade], text);
	else
		fputs(text, to);
}

void ui_progress(const struct ui *ui, const char *step)
{
	if (!ui->progress || ui->json)
		return;
	put_shaded(stderr, ui->colour_err, UI_DIM, step);
	fputc('\n', stderr);
}

void ui_note(const struct ui *ui, const char *fmt, ...)
{
	own_str struct str text = STR_INIT;
	own_str struct str shown = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	/* It may quote what came from elsewhere. */
	str_addn_visible(&shown, str_c(&text), text.len, true);
	(void)ui;
	/* What went to stdout before must not appear after it. */
	fflush(stdout);
	fprintf(stderr, "%s\n", str_c(&shown));
}

/* An error's text is ours, but may quote a file or a peer: it keeps its words and loses
 * whatever a terminal would act on. */
static void split_error(const struct err *err, struct str *message, struct str *remedy)
{
	const char *cut = strstr(err->text, "; ");
	own_mem char *first = xstrndup(err->text, cut ? (size_t)(cut - err->text) : strlen(err->text));

	str_add_visible(message, first);
	if (cut)
		str_add_visible(remedy, cut + 2);
}

static void print_error_json(const struct err *err, const char *message, const char *remedy)
{
	own_json json *whole = json_object_of();
	json *inner = json_object_of();

	json_set_string(inner, "kind", err_kind_name(err->kind));
	json_set_string(inner, "message", message);
	json_set_string(inner, "remedy", *remedy ? remedy : NULL);
	json_set(whole, "error", inner);
	ui_json(whole);
}

void ui_error(const struct ui *ui, const struct err *err)
{
	own_str struct str message = STR_INIT;
	own_str struct str remedy = STR_INIT;

	split_error(err, &message, &remedy);
	if (ui->json) {
		print_error_json(err, str_c(&message), str_c(&remedy));
		return;
	}
	fflush(stdout);
	put_shaded(stderr, ui->colour_err, UI_RED, "bottle:");
	fprintf(stderr, " %s\n", str_c(&message));
	if (remedy.len)
		fprintf(stderr, "        %s\n", str_c(&remedy));
}

void ui_log_sink(void *arg, enum log_level level, const char *line)
{
	static const enum ui_shade of[] = {
		[LOG_ERROR] = UI_RED, [LOG_WARN] = UI_YELLOW, [LOG_INFO] = UI_PLAIN
	};
	const struct ui *ui = arg;

	fflush(stdout);
	put_shaded(stderr, ui->colour_err, of[level], log_level_name(level));
	fprintf(stderr, ": %s\n", line);
}

void ui_json(const json *value)
{
	own_str struct str text = STR_INIT;
	own_str struct str shown = STR_INIT;

	json_print_pretty(value, &text);
	json_add_visible(&shown, &text);
	fputs(str_c(&shown), stdout);
	if (!str_ends(str_c(&shown), "\n"))
		fputc('\n', stdout);
}

void ui_text(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void ui_shaded(const struct ui *ui, enum ui_shade shade, const char *text)
{
	put_shaded(stdout, ui->colour_out, shade, text);
}

int ui_write(const void *bytes, size_t n, struct err *err)
{
	if (n > 0 && fwrite(bytes, 1, n, stdout) != n)
		return fail_errno(err, "write to stdout");
	return 0;
}

int ui_flush(struct err *err)
{
	if (fflush(stdout) != 0)
		return fail_errno(err, "write to stdout");
	if (ferror(stdout))
		return fail(err, ERR_SYSTEM, "what goes to stdout was not all written");
	return 0;
}
