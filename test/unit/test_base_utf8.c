/*
 * test_base_utf8.c - strict UTF-8: every code point there and back, every malformed sequence of up
 * to four bytes that matters refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rf/utf8.h"

static bool
is_scalar(uint32_t c)
{
	return c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

static size_t
expected_size(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void
every_code_point_round_trips(void **state)
{
	char bytes[RF_UTF8_MAX];

	(void) state;
	for (uint32_t c = 0; c <= 0x10FFFF; c++)
	{
		size_t size = rf_utf8_encode(c, bytes);
		uint32_t back = 0xFFFFFFFF;

		if (size != expected_size(c))
			fail_msg("U+%04X takes %zu bytes", c, size);
		if (!is_scalar(c))
		{
			if (rf_utf8_decode(bytes, size, &back) != 0)
				fail_msg("surrogate U+%04X is decoded", c);
			continue;
		}
		if (rf_utf8_decode(bytes, size, &back) != size || back != c)
			fail_msg("U+%04X comes back as U+%04X", c, back);
		for (size_t cut = 0; cut < size; cut++)
		{
			if (rf_utf8_decode(bytes, cut, &back) != 0)
				fail_msg("U+%04X is decoded from %zu bytes", c, cut);
		}
	}
}

/*
 * All sequences of two bytes, and all of three and four over the bytes at which something changes:
 * whatever is decoded must be the shortest form of a scalar value.
 */
static void
only_shortest_forms_are_decoded(void **state)
{
	static const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
										  0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC,
										  0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5,
										  0xF7, 0xF8, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF};
	const size_t n = sizeof(edges);

	(void) state;
	for (size_t i = 0; i < n * n * n * 256; i++)
	{
		char bytes[4] = {(char) (i % 256), (char) edges[i / 256 % n], (char) edges[i / 256 / n % n],
						 (char) edges[i / 256 / n / n]};
		char again[RF_UTF8_MAX];
		uint32_t c;
		size_t size = rf_utf8_decode(bytes, sizeof(bytes), &c);

		if (size == 0)
			continue;
		if (!is_scalar(c) || rf_utf8_encode(c, again) != size || memcmp(bytes, again, size) != 0)
			fail_msg("%02X %02X %02X %02X is decoded", (unsigned char) bytes[0],
					 (unsigned char) bytes[1], (unsigned char) bytes[2], (unsigned char) bytes[3]);
	}
}

static void
prefix_stops_at_the_first_bad_byte(void **state)
{
	(void) state;
	assert_int_equal(rf_utf8_valid_prefix("", 0), 0);
	assert_int_equal(rf_utf8_valid_prefix("abc", 3), 3);
	assert_int_equal(rf_utf8_valid_prefix("a\xC3\xA9\xFFz", 5), 3);
	assert_int_equal(rf_utf8_valid_prefix("a\xC3", 2), 1);
	assert_int_equal(rf_utf8_valid_prefix("\x80", 1), 0);
	assert_int_equal(rf_utf8_valid_prefix("a\0b", 3), 3);
}

static void
length_counts_code_points(void **state)
{
	(void) state;
	assert_int_equal(rf_utf8_length("", 0), 0);
	assert_int_equal(rf_utf8_length("a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80", 10), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_round_trips),
		cmocka_unit_test(only_shortest_forms_are_decoded),
		cmocka_unit_test(prefix_stops_at_the_first_bad_byte),
		cmocka_unit_test(length_counts_code_points),
	};

	return cmocka_run_group_tests_name("base_utf8", tests, NULL, NULL);
}
