/*
 * test_tensor.c - element types, sizes of shapes, and widening of every half-precision value.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "rf/tensor.h"

static void
names_and_sizes_agree(void **state)
{
	static const struct
	{
		const char *name;
		RfDtype dtype;
		size_t size;
		bool weight;
	} rows[] = {
		{"F32", RF_F32, 4, true},    {"F16", RF_F16, 2, true},  {"BF16", RF_BF16, 2, true},
		{"F64", RF_F64, 8, false},   {"I64", RF_I64, 8, false}, {"I32", RF_I32, 4, false},
		{"I16", RF_I16, 2, false},   {"I8", RF_I8, 1, false},   {"U8", RF_U8, 1, false},
		{"BOOL", RF_BOOL, 1, false},
	};
	RfDtype dtype;

	(void) state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		assert_true(rf_dtype_parse(rows[i].name, strlen(rows[i].name), &dtype));
		assert_int_equal(dtype, rows[i].dtype);
		assert_string_equal(rf_dtype_name(dtype), rows[i].name);
		assert_int_equal(rf_dtype_size(dtype), rows[i].size);
		assert_int_equal(rf_dtype_is_weight(dtype), rows[i].weight);
	}
	assert_false(rf_dtype_parse("F3", 2, &dtype));
	assert_false(rf_dtype_parse("f32", 3, &dtype));
	assert_false(rf_dtype_parse("F32 ", 4, &dtype));
	assert_false(rf_dtype_parse("", 0, &dtype));
	assert_false(rf_dtype_parse("F8_E4M3", 7, &dtype));
}

static void
shapes_are_multiplied_with_care(void **state)
{
	RfTensorDesc scalar = {"s", RF_F32, 0, {0}};
	RfTensorDesc matrix = {"m", RF_BF16, 2, {3, 5}};
	RfTensorDesc huge = {"h", RF_F32, 2, {UINT64_C(1) << 33, UINT64_C(1) << 33}};
	RfTensorDesc empty = {"e", RF_F32, 3, {UINT64_MAX, UINT64_MAX, 0}};
	RfTensorDesc wide = {"w", RF_F64, 1, {UINT64_C(1) << 62}};
	RfError err;
	size_t size;

	(void) state;
	assert_int_equal(rf_tensor_elements(&scalar, &size, &err), RF_OK);
	assert_int_equal(size, 1);
	assert_int_equal(rf_tensor_rows(&scalar), 1);
	assert_int_equal(rf_tensor_bytes(&matrix, &size, &err), RF_OK);
	assert_int_equal(size, 30);
	assert_int_equal(rf_tensor_rows(&matrix), 3);
	assert_int_equal(rf_tensor_bytes(&empty, &size, &err), RF_OK);
	assert_int_equal(size, 0);
	assert_int_equal(rf_tensor_elements(&huge, &size, &err), RF_CORRUPT);
	assert_non_null(strstr(err.message, "[8589934592, 8589934592]"));
	assert_int_equal(rf_tensor_elements(&wide, &size, &err), RF_OK);
	assert_int_equal(rf_tensor_bytes(&wide, &size, &err), RF_CORRUPT);
	assert_non_null(strstr(err.message, "\"w\""));
}

static void
shape_text_is_clipped(void **state)
{
	RfTensorDesc scalar = {"s", RF_F32, 0, {0}};
	RfTensorDesc matrix = {"m", RF_F32, 3, {768, 3072, 1}};
	char buffer[32];

	(void) state;
	assert_string_equal(rf_tensor_shape_text(&scalar, buffer, sizeof(buffer)), "[]");
	assert_string_equal(rf_tensor_shape_text(&matrix, buffer, sizeof(buffer)), "[768, 3072, 1]");
	for (size_t size = 1; size < 15; size++)
	{
		memset(buffer, 'x', sizeof(buffer));
		rf_tensor_shape_text(&matrix, buffer, size);
		assert_int_equal(strlen(buffer), size - 1);
		assert_memory_equal(buffer, "[768, 3072, 1]", size - 1);
		assert_int_equal(buffer[size], 'x');
	}
}

/* From the definition of binary16, by another way than the code: sign * mantissa * 2^e. */
static uint32_t
expected_f16(uint32_t half)
{
	uint32_t exponent = half >> 10 & 31;
	uint32_t mantissa = half & 1023;
	double value;
	float single;
	uint32_t bits;

	if (exponent == 31)
		return (half & 0x8000) << 16 | 0x7F800000 | mantissa << 13;
	value = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, (int) exponent - 25);
	single = (float) (half & 0x8000 ? -value : value);
	memcpy(&bits, &single, sizeof(bits));
	return bits;
}

static void
check_all_halves(void)
{
	char *source = malloc(2 * 65536 + 1);
	uint32_t *wide = malloc(65536 * sizeof(float));

	for (uint32_t i = 0; i < 65536; i++)
	{
		source[1 + 2 * i] = (char) i; /* unaligned, little-endian */
		source[2 + 2 * i] = (char) (i >> 8);
	}
	rf_tensor_widen(source + 1, RF_F16, 65536, (float *) wide);
	for (uint32_t i = 0; i < 65536; i++)
	{
		if (wide[i] != expected_f16(i))
			fail_msg("F16 %04X gives %08X, not %08X", i, wide[i], expected_f16(i));
	}
	rf_tensor_widen(source + 1, RF_BF16, 65536, (float *) wide);
	for (uint32_t i = 0; i < 65536; i++)
	{
		if (wide[i] != i << 16)
			fail_msg("BF16 %04X gives %08X", i, wide[i]);
	}
	free(source);
	free(wide);
}

static void
every_half_is_exact(void **state)
{
	(void) state;
	check_all_halves();
}

/* Some libraries switch this on for the whole process when they are loaded. */
static void
every_half_is_exact_when_subnormals_are_flushed(void **state)
{
	(void) state;
#if defined(__SSE2__)
	unsigned int saved = _mm_getcsr();

	_mm_setcsr(saved | 0x8040); /* FTZ and DAZ */
	check_all_halves();
	_mm_setcsr(saved);
#else
	skip();
#endif
}

static void
odd_counts_stay_in_bounds(void **state)
{
	static const uint16_t one = 0x3C00;

	(void) state;
	for (size_t n = 0; n < 70; n++)
	{
		uint16_t *source = malloc(n * sizeof(*source) + 1);
		float *wide = malloc((n + 1) * sizeof(float));

		for (size_t i = 0; i < n; i++)
			source[i] = one;
		wide[n] = 42;
		rf_tensor_widen(source, RF_F16, n, wide);
		for (size_t i = 0; i < n; i++)
			assert_true(wide[i] == 1);
		assert_true(wide[n] == 42);
		free(source);
		free(wide);
	}
}

static void
singles_are_copied(void **state)
{
	const uint32_t bits[] = {0x00000001, 0x7F800001, 0xFFC12345, 0x80000000};
	uint32_t copy[4];

	(void) state;
	rf_tensor_widen(bits, RF_F32, 4, (float *) copy);
	assert_memory_equal(copy, bits, sizeof(bits));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_sizes_agree),
		cmocka_unit_test(shapes_are_multiplied_with_care),
		cmocka_unit_test(shape_text_is_clipped),
		cmocka_unit_test(every_half_is_exact),
		cmocka_unit_test(every_half_is_exact_when_subnormals_are_flushed),
		cmocka_unit_test(odd_counts_stay_in_bounds),
		cmocka_unit_test(singles_are_copied),
	};

	return cmocka_run_group_tests_name("tensor", tests, NULL, NULL);
}
