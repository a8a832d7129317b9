/*
 * test_golden_precision.c - hidden states of golden models in bf16 and int8, with every kernel set
 * of this machine, against those in fp32.
 *
 * The models' weights are random, so nothing is said here about labels. Bounds are for the worst
 * token of any record, by the cosine with what the same set computes in fp32: 0.9999 in bf16, 0.999
 * in int8, as of trained models (test_bundled_precision.c).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_model_files.h"
#include "tested_set.h"

#define RECORDS 8 /* of a model */

typedef struct Comparing
{
	GoldenModel exact;
	GoldenModel rounded;
	size_t records;
	double worst;
} Comparing;

static double
cosine(const float *a, const float *b, size_t n)
{
	double product = 0;
	double left = 0;
	double right = 0;

	for (size_t i = 0; i < n; i++)
	{
		product += (double) a[i] * (double) b[i];
		left += (double) a[i] * (double) a[i];
		right += (double) b[i] * (double) b[i];
	}
	return product / sqrt(left * right);
}

static const float *
forward(GoldenModel *model, const GoldenRow *row)
{
	const float *hidden;
	RfError err = {0};

	if (rf_encoder_forward(&model->encoder, &row->batch, &hidden, &err) != RF_OK)
		fail_msg("%s: %s", model->name, err.message);
	return hidden;
}

static void
compare_record(void *context, const json_t *record, size_t line)
{
	Comparing *comparing = context;
	size_t width = (size_t) comparing->exact.view.config->hidden_size;
	GoldenRow row;
	const float *exact;
	const float *rounded;

	(void) line;
	if (comparing->records == RECORDS || json_object_get(record, "input_ids") == NULL)
		return;
	golden_row_read(&row, record, "input_ids");
	exact = forward(&comparing->exact, &row);
	rounded = forward(&comparing->rounded, &row);
	for (size_t i = 0; i < row.row_start[1]; i++)
		comparing->worst =
			fmin(comparing->worst, cosine(exact + i * width, rounded + i * width, width));
	comparing->records++;
	golden_row_free(&row);
}

static size_t
compare_model(const char *name, const char *kernels, RfPrecision precision)
{
	Comparing comparing = {.worst = 1};
	const RfConfig *config;
	char path[512];

	if (!golden_model_open(&comparing.exact, name, kernels))
		return 0;
	assert_true(golden_model_open_in(&comparing.rounded, name, kernels, precision));
	assert_int_equal(comparing.rounded.view.precision, precision);
	assert_true(comparing.rounded.image_size < comparing.exact.image_size);
	config = comparing.exact.view.config;
	snprintf(path, sizeof(path), "%s/outputs/%s.jsonl", golden_directory(), name);
	if (!config->add_cross_attention && config->task != RF_TASK_MULTIPLE_CHOICE)
		golden_each(path, compare_record, &comparing);
	print_message("# %s in %s: %s, %zu records, worst cosine %.6f\n", kernels,
				  rf_precision_name(precision), name, comparing.records, comparing.worst);
	if (comparing.worst < (precision == RF_PRECISION_BF16 ? 0.9999 : 0.999))
		fail_msg("%s, %s in %s: cosine %.6f", name, kernels, rf_precision_name(precision),
				 comparing.worst);
	golden_model_close(&comparing.exact);
	golden_model_close(&comparing.rounded);
	return comparing.records;
}

static void
check_precision(RfPrecision precision)
{
	char **names = golden_model_names();
	RfKernelsStatus status;

	for (size_t set = 0; tested_set(set, &status); set++)
	{
		size_t records = 0;

		if (!status.precision[precision])
			continue;
		for (size_t i = 0; names[i] != NULL; i++)
			records += compare_model(names[i], status.name, precision);
		assert_true(records >= 100);
	}
	for (size_t i = 0; names[i] != NULL; i++)
		free(names[i]);
	free(names);
}

static void
test_bf16(void **state)
{
	(void) state;
	check_precision(RF_PRECISION_BF16);
}

static void
test_int8(void **state)
{
	(void) state;
	check_precision(RF_PRECISION_INT8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bf16), cmocka_unit_test(test_int8)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
