/*
 * fn_cpu_info.c - cpu_info: which sets of kernels there are, and why not the others.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/support.h"
#include "rf/kernels.h"

/* The names of the precisions a set has, NULL for a set that can't be run. */
static Datum
list_precisions(const RfKernelsStatus *status, bool *isnull)
{
	Datum names[RF_PRECISIONS];
	int count = 0;

	for (int i = 0; i < RF_PRECISIONS; i++)
	{
		if (status->precision[i])
			names[count++] = CStringGetTextDatum(rf_precision_name((RfPrecision) i));
	}
	*isnull = count == 0;
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

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
		bool nulls[5] = {false};
		Datum values[5] = {
			CStringGetTextDatum(status.name),
			BoolGetDatum(status.available),
			BoolGetDatum(strcmp(status.name, rf_kernels_name(chosen)) == 0),
			CStringGetTextDatum(status.reason),
		};

		values[4] = list_precisions(&status, &nulls[4]);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
	return (Datum) 0;
}
