/*
 * tested_set.h - the kernel sets that the tests run.
 */
#ifndef RF_TEST_TESTED_SET_H
#define RF_TEST_TESTED_SET_H

#include <stdlib.h>
#include <string.h>

#include "rf/kernels.h"

/* As rf_kernels_status; but where ROFORMER_TEST_KERNELS names a set, the others count as missing,
 * which an emulated processor has no time for. */
static inline bool
tested_set(size_t i, RfKernelsStatus *status)
{
	const char *only = getenv("ROFORMER_TEST_KERNELS");

	if (!rf_kernels_status(i, status))
		return false;
	if (only == NULL || strcmp(only, status->name) == 0)
		return true;
	status->available = false;
	status->reason = "ROFORMER_TEST_KERNELS names another";
	for (size_t precision = 0; precision < RF_PRECISIONS; precision++)
		status->precision[precision] = false;
	return true;
}

#endif
