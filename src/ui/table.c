#include "ui/ui.h"
#include <stdio.h>
#include <string.h>
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

enum { GAP = 2 };

/* Columns that a terminal uses for valid UTF-8: one a character is near enough for a table. */
static size_t columns_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static size_t bytes_of(const char *text, size_t columns)
{
	size_t n = 0;

	for (; text[n]; n++)
		if ((text[n] & 0xc0) != 0x80 && columns-- == 0)
			break;
	return n;
}

static void cell_text(const json *value, struct str *out)
{
	own_str struct str raw = STR_INIT;

	switch (json_kind(value)) {
	case JSON_NULL:
		str_add(out, "-");
		return;
	case JSON_STRING:
		str_add_visible(out, json_string(value, ""));
		return;
	case JSON_BOOL:
		str_add(out, json_truth(value, false) ? "yes" : "no");
		return;
	case JSON_ARRAY:
		for (size_t i = 0; i < json_count(value); i++) {
			if (i > 0)
				str_add(out, ", ");
			cell_text(json_at(value, i), out);
		}
		return;
	default:
		json_print(value, &raw);
		str_add_visible(out, str_c(&raw));
	}
}

static void put_cell(const char *text, size_t width, bool right, bool last)
{
	size_t used = columns_of(text);
	int pad = width > used ? (int)(width - used) : 0;

	if (right)
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, last ? 0 : pad, "");
	if (!last)
		printf("%*s", GAP, "");
}

/* Widths of all columns; the last one gets what the terminal has left, if there is one. */
static void measure(const json *rows, const struct ui_column *columns, size_t n, size_t *width)
{
	for (size_t c = 0; c < n; c++) {
		width[c] = columns_of(columns[c].heading);
		for (size_t r = 0; r < json_count(rows); r++) {
			own_str struct str text = STR_INIT;
			size_t used;

			cell_text(json_get(json_at(rows, r), columns[c].key), &text);
			used = columns_of(str_c(&text));
			width[c] = used > width[c] ? used : width[c];
		}
	}
}

static void cut_to(struct str *text, size_t columns)
{
	if (columns < 4 || columns_of(str_c(text)) <= columns)
		return;
	text->len = bytes_of(text->data, columns - 3);
	text->data[text->len] = 0;
	str_add(text, "...");
}

void ui_rows(const struct ui *ui, const json *rows, const struct ui_column *columns, size_t n)
{
	own_mem size_t *width = xcalloc(n, sizeof *width);
	size_t before = 0;

	if (ui->json) {
		ui_json(rows);
		return;
	}
	measure(rows, columns, n, width);
	for (size_t c = 0; c + 1 < n; c++)
		before += width[c] + GAP;
	if (ui->colour_out)
		ui_shaded(ui, UI_PLAIN, "\033[1m");
	for (size_t c = 0; c < n; c++)
		put_cell(columns[c].heading, width[c], columns[c].right, c + 1 == n);
	printf("%s\n", ui->colour_out ? "\033[0m" : "");
	for (size_t r = 0; r < json_count(rows); r++) {
		for (size_t c = 0; c < n; c++) {
			own_str struct str text = STR_INIT;

			cell_text(json_get(json_at(rows, r), columns[c].key), &text);
			if (c + 1 == n && ui->colour_out && ui->width > before)
				cut_to(&text, ui->width - before);
			put_cell(str_c(&text), width[c], columns[c].right, c + 1 == n);
		}
		printf("\n");
	}
}

void ui_object(const struct ui *ui, const json *object, const struct ui_column *fields, size_t n)
{
	size_t width = 0;

	if (ui->json) {
		ui_json(object);
		return;
	}
	for (size_t i = 0; i < n; i++)
		width = columns_of(fields[i].heading) > width ? columns_of(fields[i].heading) : width;
	for (size_t i = 0; i < n; i++) {
		const json *value = json_get(object, fields[i].key);
		bool list = json_kind(value) == JSON_ARRAY && json_count(value) > 0;

		for (size_t r = 0; r < (list ? json_count(value) : 1); r++) {
			own_str struct str text = STR_INIT;

			cell_text(list ? json_at(value, r) : value, &text);
			if (text.len == 0)
				str_add(&text, "-");
			printf("%s%-*s  %s\n", r == 0 ? fields[i].heading : "",
			       (int)(width + 1 - (r == 0 ? columns_of(fields[i].heading) : 0)),
			       r == 0 ? ":" : "", str_c(&text));
		}
	}
}
