/*
 * fn_cpu_info.c - cpu_info: which sets of kernels there are, and why not the others.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/support.h"
#include "rf/kernels.h"

PG_FUNCTION_INFO_V1(roformer_cpu_info);

Datum
roformer_cpu_info(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	const RfKernels *chosen;
	RfKernelsStatus status;
	RfError err;

	InitMaterializedSRF(fcinfo, 0);
	roformer_check(rf_kernels_choose(roformer_kernels, &chosen, &err), &err);
	for (size_t i = 0; rf_kernels_status(i, &status); i++)
	{
		bool nulls[4] = {false};
		Datum values[4] = {
			CStringGetTextDatum(status.name),
			BoolGetDatum(status.available),
			BoolGetDatum(strcmp(status.name, rf_kernels_name(chosen)) == 0),
			CStringGetTextDatum(status.reason),
		};

		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
	return (Datum) 0;
}
