/* The row of smolvm's database. What the scanner takes for one object without equal keys, the
 * JSON library reads as well; where a value is replaced, every other byte stays, the new value is
 * found, and replacing it again changes nothing. */
#include "driver/fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "smoldb/scan.h"

static const char key[] = "allowed_cidrs", value[] = "[\"100.96.0.1/32\"]";

static void must_scan(const struct str *text, struct scan *found)
{
	struct err err = ERR_INIT;

	must(scan_object(text->data, text->len, key, found, &err) == 0);
}

static void check_splice(const uint8_t *bytes, size_t n, const struct scan *found)
{
	own_str struct str once = STR_INIT, twice = STR_INIT;
	struct scan again;
	size_t cut = found->value.len ? found->value.at : found->close;
	size_t rest = n - cut - found->value.len;

	scan_splice(bytes, n, found, key, value, &once);
	must_scan(&once, &again);
	must(again.value.len == strlen(value) && !again.empty);
	must(memcmp(once.data + again.value.at, value, again.value.len) == 0);
	must(memcmp(once.data, bytes, cut) == 0);
	must(memcmp(once.data + once.len - rest, bytes + n - rest, rest) == 0);
	must(found->value.len == 0 || once.len == n - found->value.len + strlen(value));
	scan_splice(once.data, once.len, &again, key, value, &twice);
	must(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct scan found = { .close = SIZE_MAX }, none;
	own_json json *read = NULL;
	struct err err = ERR_INIT;

	if (scan_object(bytes, n, key, &found, &err) != 0) {
		must(err.kind == ERR_INPUT && err.text[0] != '\0' && found.close == SIZE_MAX);
		return 0;
	}
	must(found.close < n && bytes[found.close] == '}');
	must(found.value.at + found.value.len <= found.close);
	/* One that is cut is none. */
	for (size_t cut = 0; cut <= found.close; cut += 1 + n / 30)
		must(scan_object(bytes, cut, key, &none, &err) != 0);
	must(json_parse(bytes, n, SCAN_DEPTH, &read, &err) == 0);
	bool is_null = found.value.len == 4 && memcmp(bytes + found.value.at, "null", 4) == 0;
	must((json_get(read, key) != NULL) == (found.value.len > 0 && !is_null));
	check_splice(bytes, n, &found);
	return 0;
}
