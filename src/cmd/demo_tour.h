#pragma once
/* What the demo's agent tries, and what must come of it. The script prints one line for each
 * attempt, "NAME<tab>OUTCOME<tab>DETAIL"; the table says what it must be. */
#include <stdbool.h>
#include "base/json.h"
#include "ui/ui.h"

extern const char tour_script[];       /* sh; $1: port, $2: a file of the host */
extern const char *const tour_start[]; /* options of `bottle start` */

/* The manifest's text. */
void tour_add_bottle(struct str *out, const char *host, const char *port);
/* Rows {tried, happened, by, as_it_must}. @untouched: the host's workspace is as it was. */
json *tour_judge(const char *output, const char *token, bool untouched, bool *as_told);
void tour_print(const struct ui *ui, const json *rows, bool as_told);
