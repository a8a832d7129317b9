/*
 * test_base_json.c - JSON behind limits: types, ranges, nesting, duplicates, sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rf/json.h"
#include "rf/utf8.h"

static json_t *
parse(const char *text)
{
	RfError err;
	json_t *object;

	assert_int_equal(rf_json_parse("test.json", text, strlen(text), &object, &err), RF_OK);
	assert_non_null(object);
	return object;
}

static void
expect_failure(const char *text, size_t length, RfCode code, const char *message)
{
	RfError err;
	json_t *object = (json_t *) &err;

	assert_int_equal(rf_json_parse("test.json", text, length, &object, &err), code);
	assert_null(object);
	assert_non_null(strstr(err.message, message));
	assert_int_equal(rf_utf8_valid_prefix(err.detail, strlen(err.detail)), strlen(err.detail));
}

static void
broken_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"{\"a\":1",
		"{\"a\":1}x",
		"{\"a\":1,\"a\":2}",
		"{\"a\":\"\\u0000\"}",
		"{a:1}",
		"{\"a\":NaN}",
		"{\"a\":1e999}",
		"{\"a\":99999999999999999999}",
		"{\"a\":\"\xFF\"}",
		"{\"a\":\"\xED\xA0\x80\"}",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":01}",
		"{\"a\":1,}",
		"{\"a\":\"\n\"}",
		"{\"\\u\xCA\x9A\xCD\x9B\xA3",
		"{\"m\\\\\xE5\x86\x90\xDC\xDD\"}",
	};

	(void) state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_failure(texts[i], strlen(texts[i]), RF_CORRUPT, "\"test.json\" is not valid JSON");
	expect_failure("{\"a\":\0}", 7, RF_CORRUPT, "not valid JSON");
}

static void
place_of_the_error_is_given(void **state)
{
	RfError err;
	json_t *object;

	(void) state;
	rf_json_parse("test.json", "{\n  x\n}", 7, &object, &err);
	assert_string_equal(err.origin, "test.json");
	assert_non_null(strstr(err.detail, "Line 2, column 3"));
	assert_in_range(err.offset, 2, 6);
}

static void
other_types_are_refused(void **state)
{
	RfError err;
	json_t *value;

	(void) state;
	expect_failure("[]", 2, RF_CORRUPT, "not a JSON object");
	assert_int_equal(rf_json_parse_array("m.json", "{}", 2, &value, &err), RF_CORRUPT);
	assert_null(value);
	assert_string_equal(err.message, "\"m.json\" is not a JSON array");
	assert_int_equal(rf_json_parse_array("m.json", "[1]", 3, &value, &err), RF_OK);
	assert_int_equal(json_array_size(value), 1);
	json_decref(value);
}

static void
deep_nesting_is_refused(void **state)
{
	const size_t depth = 100000;
	char *text = malloc(2 * depth + 16);
	size_t at = (size_t) sprintf(text, "{\"a\":");

	(void) state;
	memset(text + at, '[', depth);
	memset(text + at + depth, ']', depth);
	text[at + 2 * depth] = '}';
	expect_failure(text, at + 2 * depth + 1, RF_CORRUPT, "not valid JSON");
	free(text);
}

static void
too_many_values_are_refused(void **state)
{
	const size_t count = RF_JSON_MAX_VALUES + 1;
	char *text = malloc(3 * count + 16);
	size_t at = (size_t) sprintf(text, "{\"a\":[");

	(void) state;
	for (size_t i = 0; i < count; i++)
	{
		memcpy(text + at, "[],", 3);
		at += 3;
	}
	expect_failure(text, at, RF_LIMIT, "JSON values");

	/* The same characters inside a string are no values. */
	at = (size_t) sprintf(text, "{\"\\\"\":\"");
	memset(text + at, '[', count);
	memcpy(text + at + count, "\"}", 2);
	{
		RfError err;
		json_t *object;

		assert_int_equal(rf_json_parse("test.json", text, at + count + 2, &object, &err), RF_OK);
		json_decref(object);
	}
	free(text);
}

static void
too_long_text_is_refused(void **state)
{
	(void) state;
	expect_failure("{}", RF_JSON_MAX_BYTES + 1, RF_LIMIT, "more than");
}

static void
integers_are_checked(void **state)
{
	json_t *object = parse("{\"a\":5,\"r\":5.0,\"s\":\"5\",\"n\":null,\"b\":true}");
	RfError err;
	int64_t value;

	(void) state;
	assert_int_equal(rf_json_integer(object, "a", 7, 5, 5, &value, &err), RF_OK);
	assert_int_equal(value, 5);
	assert_int_equal(rf_json_integer(object, "n", 7, 0, 1, &value, &err), RF_OK);
	assert_int_equal(value, 7);
	assert_int_equal(rf_json_integer(object, "absent", -7, 0, 1, &value, &err), RF_OK);
	assert_int_equal(value, -7);
	assert_int_equal(rf_json_integer(object, "a", 7, 6, 9, &value, &err), RF_CORRUPT);
	assert_string_equal(err.message, "\"a\" is 5, outside 6 .. 9");
	assert_int_equal(rf_json_integer(object, "a", 7, 1, 4, &value, &err), RF_CORRUPT);
	assert_int_equal(rf_json_integer(object, "r", 7, 1, 9, &value, &err), RF_CORRUPT);
	assert_int_equal(rf_json_integer(object, "s", 7, 1, 9, &value, &err), RF_CORRUPT);
	assert_int_equal(rf_json_integer(object, "b", 7, 0, 9, &value, &err), RF_CORRUPT);
	json_decref(object);
}

static void
other_members_are_checked(void **state)
{
	json_t *object = parse("{\"b\":false,\"x\":1e-12,\"i\":3,\"s\":\"t\",\"n\":null}");
	RfError err;
	bool flag;
	double number;
	const char *string;

	(void) state;
	assert_int_equal(rf_json_boolean(object, "b", true, &flag, &err), RF_OK);
	assert_false(flag);
	assert_int_equal(rf_json_boolean(object, "n", true, &flag, &err), RF_OK);
	assert_true(flag);
	assert_int_equal(rf_json_boolean(object, "i", true, &flag, &err), RF_CORRUPT);
	assert_int_equal(rf_json_number(object, "x", 0, &number, &err), RF_OK);
	assert_true(number == 1e-12);
	assert_int_equal(rf_json_number(object, "i", 0, &number, &err), RF_OK);
	assert_true(number == 3);
	assert_int_equal(rf_json_number(object, "n", 0.5, &number, &err), RF_OK);
	assert_true(number == 0.5);
	assert_int_equal(rf_json_number(object, "s", 0, &number, &err), RF_CORRUPT);
	assert_int_equal(rf_json_string(object, "s", "d", &string, &err), RF_OK);
	assert_string_equal(string, "t");
	assert_int_equal(rf_json_string(object, "n", NULL, &string, &err), RF_OK);
	assert_null(string);
	assert_int_equal(rf_json_string(object, "i", NULL, &string, &err), RF_CORRUPT);
	assert_string_equal(err.message, "\"i\" is not a string");
	json_decref(object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_texts_are_refused),
		cmocka_unit_test(place_of_the_error_is_given),
		cmocka_unit_test(other_types_are_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(too_many_values_are_refused),
		cmocka_unit_test(too_long_text_is_refused),
		cmocka_unit_test(integers_are_checked),
		cmocka_unit_test(other_members_are_checked),
	};

	return cmocka_run_group_tests_name("base_json", tests, NULL, NULL);
}
