#pragma once
/* cmocka wants these first; its fail() would hide ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#undef fail
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__), abort())
#include "base/err.h"
#include "base/own.h"
#include "base/str.h"

/* Asserts success and shows the error's text where there was one. */
#define assert_ok(call, e)                                                                  \
	do {                                                                                \
		if ((call) < 0)                                                             \
			fail_msg("%s: %s: %s", #call, err_kind_name((e)->kind), (e)->text); \
	} while (0)

/* Asserts a refusal of that kind whose text holds @word. */
#define assert_refused(call, e, wanted_kind, word)                                         \
	do {                                                                               \
		if ((call) >= 0)                                                           \
			fail_msg("%s: was not refused", #call);                            \
		assert_string_equal(err_kind_name((e)->kind), err_kind_name(wanted_kind)); \
		if (!strstr((e)->text, word))                                              \
			fail_msg("\"%s\" does not say \"%s\"", (e)->text, word);           \
	} while (0)
