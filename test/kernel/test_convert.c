/*
 * test_convert.c - rows as the GEMMs of each precision read them: every set writes the numbers that
 * the reference writes, in the size of term that its format asks for.
 */
#include "every_set.h"

#include <math.h>
#include <string.h>

#include "../../src/kernels/convert.h"

#define LONGEST 600

static const size_t lengths[] = {1,  2,   3,   7,   8,   15,  16,  17,     48,
								 63, 255, 256, 257, 300, 512, 599, LONGEST};

/* Term i of a converted row, whatever its size. */
static double
read_term(const RfFormat *format, RfPrecision precision, const char *row, size_t i)
{
	const char *block =
		row + i / format->k_block * (format->row_head + format->k_block * format->row_term);
	const char *term = block + format->row_head + i % format->k_block * format->row_term;
	uint16_t half;
	float single;

	memcpy(&half, term, format->row_term == 1 ? 1 : 2);
	if (precision == RF_PRECISION_INT8)
		return format->row_term == 1 ? *(const uint8_t *) term : half;
	if (format->row_term == sizeof(half))
		return rf_float_of_bf16(half);
	memcpy(&single, term, sizeof(single));
	return single;
}

static void
compare_rows(const RfKernels *kernels, RfPrecision precision, const float *values, size_t k)
{
	const RfFormat *format = &kernels->formats[precision];
	const RfFormat *reference;
	const RfKernels *ref;
	size_t size = rf_row_size(format, k);
	char *found = malloc(size + 8);
	char *expected;
	size_t last = (k + format->k_step - 1) / format->k_step * format->k_step;
	RfError err;

	assert_int_equal(rf_kernels_choose("ref", &ref, &err), RF_OK);
	reference = &ref->formats[precision];
	expected = malloc(rf_row_size(reference, k));
	reference->convert(reference, values, k, expected);
	memset(found, 0x5A, size + 8);
	format->convert(format, values, k, found);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(found[size + i], 0x5A);
	for (size_t i = 0; i < k; i += format->k_block)
		assert_memory_equal(
			found + i / format->k_block * (format->row_head + format->k_block * format->row_term),
			expected +
				i / format->k_block * (reference->row_head + format->k_block * reference->row_term),
			reference->row_head);
	for (size_t i = 0; i < last; i++)
	{
		double expected_term = i < k ? read_term(reference, precision, expected, i) : 0;

		/* Where products take it for zero, conversion may. */
		if (format->row_term == 2 && precision == RF_PRECISION_BF16 &&
			fabs(expected_term) < 0x1p-126 && read_term(format, precision, found, i) == 0)
			continue;
		if (read_term(format, precision, found, i) != expected_term)
			fail_msg("%s in %s, K %zu, term %zu: %g, not %g", rf_kernels_name(kernels),
					 rf_precision_name(precision), k, i, read_term(format, precision, found, i),
					 expected_term);
	}
	free(found);
	free(expected);
}

static void
check_format(const RfKernels *kernels, RfPrecision precision)
{
	uint64_t state = 17;

	if (kernels->formats[precision].convert == NULL)
		return;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		float *values = random_floats(lengths[i], 3, &state);

		compare_rows(kernels, precision, values, lengths[i]);
		for (size_t j = 0; j < lengths[i]; j++)
			values[j] = 0.25f; /* nothing between lowest and highest */
		compare_rows(kernels, precision, values, lengths[i]);
		values[lengths[i] / 2] = 1e30f; /* an outlier */
		compare_rows(kernels, precision, values, lengths[i]);
		for (size_t j = 0; j < lengths[i]; j++)
			values[j] = (float) j * 1e-41f; /* subnormal */
		compare_rows(kernels, precision, values, lengths[i]);
		free(values);
	}
}

static void
test_rows(void **state)
{
	(void) state;
	with_every_format(check_format);
}

/* Every pattern that matters to rounding: ties, carries into the exponent, infinities, no number.
 */
static void
test_bf16_rounding(void **state)
{
	static const struct
	{
		float value;
		uint16_t half;
	} cases[] = {{1, 0x3F80},
				 {-2, 0xC000},
				 {0x1.01p0f, 0x3F80},       /* a tie, to even */
				 {0x1.03p0f, 0x3F82},       /* a tie, to even */
				 {0x1.010002p0f, 0x3F81},   /* above the tie */
				 {0x1.FFp0f, 0x4000},       /* carries */
				 {0x1.FFFFFEp127f, 0x7F80}, /* to infinity */
				 {INFINITY, 0x7F80},
				 {-0.0f, 0x8000}};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(rf_bf16_of_float(cases[i].value), cases[i].half);
	assert_true(isnan(rf_float_of_bf16(rf_bf16_of_float(NAN))));
	for (uint32_t half = 0; half < 0x10000; half++)
	{
		float value = rf_float_of_bf16((uint16_t) half);

		if (!isnan(value))
			assert_int_equal(rf_bf16_of_float(value), half);
	}
}

/* The ends of a row's range are kept, what is between is off by half a step. */
static void
test_int8_range(void **state)
{
	float inverse;
	RfRowHead head = rf_row_head(-1, 3, &inverse);

	(void) state;
	assert_int_equal(rf_row_code(-1, -1, inverse), 0);
	assert_int_equal(rf_row_code(3, -1, inverse), RF_QUANTUM_STEPS);
	assert_int_equal(rf_row_code(NAN, -1, inverse), 0);
	assert_int_equal(rf_row_code(INFINITY, -1, inverse), RF_QUANTUM_STEPS);
	for (float x = -1; x <= 3; x += 0.001f)
		assert_true(fabsf(head.low + head.scale * rf_row_code(x, -1, inverse) - x) <=
					0.5001f * head.scale);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_bf16_rounding),
		cmocka_unit_test(test_int8_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
