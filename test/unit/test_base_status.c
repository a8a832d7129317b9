/*
 * test_base_status.c - errors: clearing, clipping at character boundaries, NULL tolerance.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rf/status.h"
#include "rf/utf8.h"

static void
setting_clears_what_was_there(void **state)
{
	RfError err;

	(void) state;
	memset(&err, 0x5A, sizeof(err));
	assert_int_equal(rf_error_os(&err, EACCES, "could not open \"%s\"", "x"), RF_IO);
	rf_error_detail(&err, "Detail %d.", 1);
	rf_error_hint(&err, "Hint.");
	rf_error_origin(&err, "file", 42);
	assert_int_equal(err.os_error, EACCES);
	assert_int_equal(err.offset, 42);
	assert_string_equal(err.origin, "file");
	assert_string_equal(err.detail, "Detail 1.");

	assert_int_equal(rf_error_set(&err, RF_LIMIT, "too %s", "much"), RF_LIMIT);
	assert_int_equal(err.code, RF_LIMIT);
	assert_string_equal(err.message, "too much");
	assert_string_equal(err.detail, "");
	assert_string_equal(err.hint, "");
	assert_string_equal(err.origin, "");
	assert_int_equal(err.os_error, 0);
	assert_true(err.offset == RF_NO_OFFSET);
}

static void
missing_files_are_not_found(void **state)
{
	RfError err;

	(void) state;
	assert_int_equal(rf_error_os(&err, ENOENT, "no"), RF_NOT_FOUND);
	assert_int_equal(rf_error_os(&err, ENOTDIR, "no"), RF_NOT_FOUND);
	assert_int_equal(rf_error_os(&err, EIO, "no"), RF_IO);
	assert_int_equal(err.code, RF_IO);
}

static void
null_error_is_tolerated(void **state)
{
	(void) state;
	assert_int_equal(rf_error_set(NULL, RF_CORRUPT, "x"), RF_CORRUPT);
	assert_int_equal(rf_error_os(NULL, ENOENT, "x"), RF_NOT_FOUND);
	assert_int_equal(rf_error_memory(NULL, 1), RF_NO_MEMORY);
	rf_error_detail(NULL, "x");
	rf_error_hint(NULL, "x");
	rf_error_origin(NULL, "x", 0);
}

static void
check_clipped(const char *field, size_t size)
{
	size_t length = strlen(field);

	assert_in_range(length, size - 7, size - 1);
	assert_string_equal(field + length - 3, "...");
	assert_int_equal(rf_utf8_valid_prefix(field, length), length);
}

/* Every alignment of three-byte characters against the end of the buffer. */
static void
long_texts_end_at_a_character(void **state)
{
	char text[4096];

	(void) state;
	for (size_t shift = 0; shift < 4; shift++)
	{
		RfError err;
		size_t at = shift;

		memset(text, 'a', shift);
		while (at + 3 < sizeof(text))
		{
			memcpy(text + at, "\xE4\xB8\xAD", 3);
			at += 3;
		}
		text[at] = '\0';
		rf_error_set(&err, RF_CORRUPT, "%s", text);
		rf_error_detail(&err, "%s", text);
		rf_error_hint(&err, "%s", text);
		rf_error_origin(&err, text, 0);
		check_clipped(err.message, sizeof(err.message));
		check_clipped(err.detail, sizeof(err.detail));
		check_clipped(err.hint, sizeof(err.hint));
		check_clipped(err.origin, sizeof(err.origin));
	}
}

static void
fitting_text_is_not_clipped(void **state)
{
	RfError err;
	char text[sizeof(err.hint) + 1];

	(void) state;
	rf_error_set(&err, RF_CORRUPT, "x");
	memset(text, 'h', sizeof(text));
	text[sizeof(err.hint) - 1] = '\0';
	rf_error_hint(&err, "%s", text);
	assert_string_equal(err.hint, text);
	text[sizeof(err.hint) - 1] = 'h';
	text[sizeof(err.hint)] = '\0';
	rf_error_hint(&err, "%s", text);
	check_clipped(err.hint, sizeof(err.hint));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setting_clears_what_was_there),
		cmocka_unit_test(missing_files_are_not_found),
		cmocka_unit_test(null_error_is_tolerated),
		cmocka_unit_test(long_texts_end_at_a_character),
		cmocka_unit_test(fitting_text_is_not_clipped),
	};

	return cmocka_run_group_tests_name("base_status", tests, NULL, NULL);
}
