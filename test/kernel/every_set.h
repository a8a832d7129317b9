/*
 * every_set.h - runs a check with each kernel set that this machine has; seeded random numbers.
 */
#ifndef RF_TEST_EVERY_SET_H
#define RF_TEST_EVERY_SET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/kernels/dispatch.h"
#include "amx_emulated.h"
#include "tested_set.h"

static inline void
with_every_set(void (*check)(const RfKernels *kernels))
{
	RfKernelsStatus status;

	for (size_t i = 0; tested_set(i, &status); i++)
	{
		const RfKernels *kernels;
		RfError err;

		if (!status.available)
		{
			print_message("# kernel set %s is left out: %s\n", status.name, status.reason);
			continue;
		}
		assert_int_equal(rf_kernels_choose(status.name, &kernels, &err), RF_OK);
		check(kernels);
	}
}

/* The same with each precision that the set has, and, of no set alone, with those of AMX on a model
 * of it. */
static inline void
with_every_format(void (*check)(const RfKernels *kernels, RfPrecision precision))
{
	RfKernelsStatus status;

	for (size_t i = 0; tested_set(i, &status); i++)
		for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
		{
			const RfKernels *kernels;
			RfError err;

			if (!status.precision[precision])
				continue;
			assert_int_equal(rf_kernels_choose(status.name, &kernels, &err), RF_OK);
			check(kernels, precision);
		}
	if (getenv("ROFORMER_TEST_KERNELS") != NULL)
		return;
	check(emulated_amx(), RF_PRECISION_BF16);
	check(emulated_amx(), RF_PRECISION_INT8);
}

/* Uniform in [-1, 1), xorshift64*. */
static inline float
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (float) ((double) ((*state * UINT64_C(2685821657736338717)) >> 40) / 8388608.0 - 1.0);
}

/* n numbers of random size up to scale; caller frees */
static inline float *
random_floats(size_t n, float scale, uint64_t *state)
{
	float *values = malloc((n + 1) * sizeof(float));

	for (size_t i = 0; i < n; i++)
		values[i] = scale * next_random(state);
	return values;
}

#endif
