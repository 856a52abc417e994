/* A canonical path is its own canonical form, and goes up nowhere however often it is decoded. */
#include "driver/fuzz.h"

#include "policy/path.h"
#include "wire/chars.h"
#include "wire/percent.h"

static void goes_nowhere_up(struct str *text)
{
	for (size_t layer = 0; layer < 4; layer++) {
		must(!memmem(text->data, text->len, "/../", 4) && !memmem(text->data, text->len, "/./", 3));
		must(!memmem(text->data, text->len, "\\..\\", 4) && !memchr(text->data, '\0', text->len));
		text->len = percent_decode(text->data, text->len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice in = { (const char *)bytes, n };
	own_str struct str once = STR_INIT, twice = STR_INIT;
	enum wire_fault fault = WIRE_FINE;

	if (path_canonical(in, &once, &fault) < 0) {
		must(fault == WIRE_PATH || fault == WIRE_PATH_DOTS);
		return 0;
	}
	must(once.len > 0 && once.data[0] == '/');
	for (size_t i = 0; i < once.len; i++)
		must(char_is(once.data[i], CHAR_PATH) || once.data[i] == '%');
	must(path_canonical((struct slice){ once.data, once.len }, &twice, &fault) == 0);
	must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	goes_nowhere_up(&twice);
	return 0;
}
