/*
 * test_dispatch.c - choosing a kernel set.
 */
#include "every_set.h"

#include <string.h>

static void
test_automatic(void **state)
{
	const RfKernels *automatic;
	RfKernelsStatus status;
	size_t marked = 0;
	RfError err;

	(void) state;
	assert_int_equal(rf_kernels_choose("auto", &automatic, &err), RF_OK);
	for (size_t i = 0; rf_kernels_status(i, &status); i++)
	{
		marked += status.automatic;
		assert_non_null(status.reason);
		assert_true(strlen(status.reason) > 0);
		if (status.automatic)
		{
			assert_true(status.available);
			assert_string_equal(status.name, rf_kernels_name(automatic));
		}
	}
	assert_int_equal(marked, 1);
}

static void
test_named(void **state)
{
	RfKernelsStatus status;

	(void) state;
	for (size_t i = 0; rf_kernels_status(i, &status); i++)
	{
		const RfKernels *kernels;
		RfError err;
		RfCode code = rf_kernels_choose(status.name, &kernels, &err);

		if (status.available)
		{
			assert_int_equal(code, RF_OK);
			assert_string_equal(rf_kernels_name(kernels), status.name);
		}
		else
		{
			assert_int_equal(code, RF_UNSUPPORTED);
			assert_non_null(strstr(err.message, status.reason));
		}
	}
}

static void
test_unknown(void **state)
{
	const RfKernels *kernels;
	RfError err;

	(void) state;
	assert_int_equal(rf_kernels_choose("abacus", &kernels, &err), RF_INVALID);
	assert_string_equal(err.message, "unknown kernel set \"abacus\"");
	assert_null(kernels);
}

static void
check_format(const RfFormat *format)
{
	if (format->gemm == NULL)
		return;
	assert_non_null(format->weight_size);
	assert_non_null(format->pack);
	assert_non_null(format->unpack);
	assert_int_equal(format->panel % RF_LANES, 0);
	assert_int_equal(format->column_block % RF_LANES, 0);
	assert_true(format->row_group > 0);
	assert_int_equal(format->k_block % format->k_step, 0);
	assert_true(format->k_block <= RF_MAX_K_BLOCK);
	assert_int_equal(format->k_block % format->k_unit, 0);
	assert_int_equal(format->k_unit % format->k_step, 0);
	if (format->head > 0)
		return;
	assert_non_null(format->encode_lanes);
	assert_non_null(format->encode_step);
	assert_non_null(format->weigh);
}

/* All sets have all precisions but blas, which has fp32; the others are refused by name. */
static void
check_precisions(const RfKernels *kernels)
{
	bool blas = strcmp(rf_kernels_name(kernels), "blas") == 0;
	RfError err;

	for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
	{
		RfCode code = rf_kernels_require(kernels, precision, &err);

		assert_int_equal(code, blas && precision != RF_PRECISION_FP32 ? RF_UNSUPPORTED : RF_OK);
	}
	if (blas)
		assert_string_equal(err.message, "kernel set \"blas\" has no precision \"int8\"");
	assert_int_equal(rf_kernels_require(kernels, rf_kernels_preferred(kernels), &err), RF_OK);
}

static void
test_precisions(void **state)
{
	(void) state;
	with_every_set(check_precisions);
}

static void
check_rows(const RfKernels *kernels)
{
	assert_non_null(kernels->layer_norm);
	assert_non_null(kernels->rms_norm);
	assert_non_null(kernels->rotate);
	assert_non_null(kernels->scale);
	for (size_t i = 0; i < RF_PRECISIONS; i++)
		check_format(&kernels->formats[i]);
	for (size_t i = 0; i < RF_ACTIVATIONS; i++)
		assert_non_null(kernels->activate[i]);
}

static void
test_tables_are_full(void **state)
{
	(void) state;
	with_every_set(check_rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_automatic),  cmocka_unit_test(test_named),
		cmocka_unit_test(test_unknown),    cmocka_unit_test(test_tables_are_full),
		cmocka_unit_test(test_precisions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
