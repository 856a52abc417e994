#include "ui/ui.h"
#include <ctype.h>
#include <curses.h>
#include <term.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>
#include "base/own.h"
#include "base/str.h"
#include "base/banned.h"

/* One screen: a title, what was typed to filter by, the names, a line of help. With @many a
 * panel on the right holds what was chosen, in its order. */

enum { FILTER_MAX = 64, KEY_ESCAPE = 27, KEY_RETURN = 13, ROWS_AROUND = 4 };

struct picker {
	const char *title;
	const struct ui_choice *choices;
	size_t n;
	bool many;
	char filter[FILTER_MAX];
	size_t *shown;     /* indices that pass the filter */
	size_t nshown, at; /* the cursor among them */
	size_t *chosen;    /* indices, in order */
	size_t nchosen, order_at;
	bool in_order; /* the panel on the right has the keys */
	SCREEN *screen;
	FILE *tty;
};

static void picker_clear(struct picker *p)
{
	if (p->screen) {
		endwin();
		delscreen(p->screen);
	}
	p->screen = NULL;
	file_drop(&p->tty);
	mem_drop(&p->shown);
	mem_drop(&p->chosen);
}

static void apply_filter(struct picker *p)
{
	p->nshown = 0;
	for (size_t i = 0; i < p->n; i++)
		if (strcasestr(p->choices[i].name, p->filter))
			p->shown[p->nshown++] = i;
	if (p->at >= p->nshown)
		p->at = p->nshown ? p->nshown - 1 : 0;
}

static size_t chosen_place(const struct picker *p, size_t choice)
{
	for (size_t i = 0; i < p->nchosen; i++)
		if (p->chosen[i] == choice)
			return i;
	return p->nchosen;
}

static void drop_chosen(struct picker *p, size_t place)
{
	memmove(&p->chosen[place], &p->chosen[place + 1], (p->nchosen - place - 1) * sizeof *p->chosen);
	p->nchosen--;
	if (p->order_at >= p->nchosen)
		p->order_at = p->nchosen ? p->nchosen - 1 : 0;
}

static void toggle(struct picker *p)
{
	size_t place;

	if (p->nshown == 0)
		return;
	place = chosen_place(p, p->shown[p->at]);
	if (place < p->nchosen)
		drop_chosen(p, place);
	else
		p->chosen[p->nchosen++] = p->shown[p->at];
}

static void put_text(int row, int column, int width, attr_t look, const char *text)
{
	own_str struct str safe = STR_INIT;

	if (width <= 0)
		return;
	str_add_visible(&safe, text);
	attrset(look);
	mvaddnstr(row, column, str_c(&safe), width);
	attrset(A_NORMAL);
}

static void draw_list(const struct picker *p, int rows, int width)
{
	size_t first = p->at >= (size_t)rows ? p->at - (size_t)rows + 1 : 0;

	for (int r = 0; r < rows && first + (size_t)r < p->nshown; r++) {
		size_t i = first + (size_t)r;
		const struct ui_choice *choice = &p->choices[p->shown[i]];
		bool marked = p->many && chosen_place(p, p->shown[i]) < p->nchosen;
		own_mem char *line =
			xasprintf("%s%s", p->many ? (marked ? "[x] " : "[ ] ") : "  ", choice->name);
		int used = (int)strlen(line);

		put_text(r + 2, 0, width,
		         (i == p->at && !p->in_order ? A_REVERSE : 0) | (p->in_order ? A_DIM : 0), line);
		if (choice->note && used + 2 < width)
			put_text(r + 2, used + 2, width - used - 2, A_DIM, choice->note);
	}
}

static void draw_order(const struct picker *p, int rows, int column, int width)
{
	put_text(1, column, width, A_BOLD, "order");
	for (int r = 0; r < rows && (size_t)r < p->nchosen; r++) {
		own_mem char *line = xasprintf("%d. %s", r + 1, p->choices[p->chosen[r]].name);

		put_text(r + 2, column, width, (size_t)r == p->order_at && p->in_order ? A_REVERSE : A_NORMAL,
		         line);
	}
}

static void draw(const struct picker *p)
{
	int rows = LINES > ROWS_AROUND ? LINES - ROWS_AROUND : 1;
	int split = p->many ? COLS * 3 / 5 : COLS;
	own_mem char *filter = xasprintf("filter: %s", p->filter);
	const char *help =
		!p->many ? "type to filter, arrows move, Enter takes, Esc leaves" :
		p->in_order ?
			   "K up, J down, Space removes, Tab back to the list, Enter on the list confirms" :
			   "type to filter, Space toggles, Tab to the order, Enter confirms, Esc leaves";

	erase();
	put_text(0, 0, COLS, A_BOLD, p->title);
	put_text(1, 0, split, p->in_order ? A_DIM : A_NORMAL, filter);
	draw_list(p, rows, split - 1);
	if (p->many)
		draw_order(p, rows, split, COLS - split);
	put_text(LINES - 1, 0, COLS - 1, A_DIM, help);
	refresh();
}

static void key_in_order(struct picker *p, int key)
{
	size_t *at = &p->chosen[p->order_at];
	size_t moved;

	if (p->nchosen == 0)
		return;
	moved = *at;
	if (key == KEY_UP && p->order_at > 0) {
		p->order_at--;
	} else if (key == KEY_DOWN && p->order_at + 1 < p->nchosen) {
		p->order_at++;
	} else if ((key == 'K' || key == 'k') && p->order_at > 0) {
		at[0] = at[-1];
		at[-1] = moved;
		p->order_at--;
	} else if ((key == 'J' || key == 'j') && p->order_at + 1 < p->nchosen) {
		at[0] = at[1];
		at[1] = moved;
		p->order_at++;
	} else if (key == ' ' || key == KEY_RETURN || key == '\n' || key == KEY_ENTER) {
		drop_chosen(p, p->order_at);
	}
}

static void key_in_list(struct picker *p, int key)
{
	size_t n = strlen(p->filter);

	if (key == KEY_UP && p->at > 0) {
		p->at--;
	} else if (key == KEY_DOWN && p->at + 1 < p->nshown) {
		p->at++;
	} else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && n > 0) {
		p->filter[n - 1] = 0;
	} else if (key == ' ' && p->many) {
		toggle(p);
	} else if (key > ' ' && key < 127 && n + 1 < sizeof p->filter) {
		p->filter[n] = (char)key;
		p->filter[n + 1] = 0;
	}
	apply_filter(p);
}

/* 1: taken, 0: given up. */
static int walk(struct picker *p)
{
	for (;;) {
		int key;

		draw(p);
		key = getch();
		if (key == KEY_ESCAPE || key == ERR || key == 3)
			return 0;
		if (key == '\t' && p->many)
			p->in_order = !p->in_order;
		else if (p->in_order)
			key_in_order(p, key);
		else if (key == KEY_RETURN || key == '\n' || key == KEY_ENTER) {
			if (p->many || p->nshown > 0)
				return 1;
		} else
			key_in_list(p, key);
	}
}

static int run(struct picker *p, struct err *err)
{
	int taken, known;

	p->shown = xcalloc(p->n + 1, sizeof *p->shown);
	p->chosen = xcalloc(p->n + 1, sizeof *p->chosen);
	apply_filter(p);
	p->tty = fopen("/dev/tty", "r+e");
	if (!p->tty)
		return fail(err, ERR_MISSING, "there is no terminal to choose on");
	setlocale(LC_CTYPE, "");
	/* Not initscr(): it ends the program where the terminal is unknown. And asked before newterm(),
	 * which gives back nothing of what it took for one that it then does not know. */
	if (setupterm(NULL, fileno(p->tty), &known) != OK)
		return fail(err, ERR_MISSING, "the terminal's kind is unknown; set TERM");
	bool places = cursor_address != NULL;
	del_curterm(cur_term);
	if (!places)
		return fail(
			err, ERR_MISSING,
			"this kind of terminal can't show a list to choose from; say what is meant on the command line");
	p->screen = newterm(NULL, p->tty, p->tty);
	if (!p->screen)
		return fail(err, ERR_MISSING, "the terminal's kind is unknown; set TERM");
	set_term(p->screen);
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	taken = walk(p);
	endwin();
	return taken ? 0 : fail(err, ERR_DENIED, "nothing was chosen");
}

int ui_pick(const char *title, const struct ui_choice *choices, size_t n, struct err *err)
{
	OWN(picker_clear) struct picker p = { .title = title, .choices = choices, .n = n };

	if (run(&p, err) < 0)
		return -1;
	return (int)p.shown[p.at];
}

int ui_pick_many(const char *title, const struct ui_choice *choices, size_t n, size_t *out, struct err *err)
{
	OWN(picker_clear) struct picker p = { .title = title, .choices = choices, .n = n, .many = true };

	if (run(&p, err) < 0)
		return -1;
	memcpy(out, p.chosen, p.nchosen * sizeof *out);
	return (int)p.nchosen;
}
