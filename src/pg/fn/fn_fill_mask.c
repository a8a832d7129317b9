/*
 * fn_fill_mask.c - fill_mask: the likeliest tokens in place of each [MASK].
 *
 * A text without [MASK] gives an empty array, so that one such row does not end a statement over
 * many.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_fill_mask);
PG_FUNCTION_INFO_V1(roformer_fill_mask_set);

static Datum
text_of_utf8(const char *utf8)
{
	return PointerGetDatum(roformer_utf8_to_text(utf8, strlen(utf8)));
}

static Datum
form_fills(const RfFills *fills, TupleDesc row_type)
{
	Datum *rows = palloc(sizeof(Datum) * (fills->count + 1));

	for (size_t i = 0; i < fills->count; i++)
	{
		const RfFill *fill = &fills->fills[i];
		bool nulls[4] = {false};
		Datum values[4] = {
			Int32GetDatum(fill->mask + 1),
			text_of_utf8(fill->token),
			Float4GetDatum(fill->score),
			text_of_utf8(fill->sequence),
		};

		rows[i] = HeapTupleGetDatum(heap_form_tuple(row_type, values, nulls));
	}
	return roformer_array_of_datums(rows, NULL, (int) fills->count, 1, row_type->tdtypeid);
}

static void
fill_inputs(RoformerCall *call, Datum *results)
{
	RfSession *engine = call->session->engine;
	TupleDesc row_type;
	RfFills *fills;
	int32 top_k;
	RfError err;

	roformer_task_require(call, RF_TASK_MASKED_LM);
	top_k = roformer_option_integer(call->fcinfo, call->first_option, "top_k", 1,
									rf_session_config(engine)->vocab_size);
	roformer_check(
		rf_run_fill_mask(engine, &call->run, call->inputs, call->count, top_k, &fills, &err), &err);
	row_type = roformer_array_row_type(call->fcinfo);
	for (size_t i = 0; i < call->count; i++)
		results[i] = form_fills(&fills[i], row_type);
	ReleaseTupleDesc(row_type);
}

static const RoformerFunction fill_mask = {.options = 1, .run = fill_inputs};

Datum
roformer_fill_mask(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &fill_mask);
}

Datum
roformer_fill_mask_set(PG_FUNCTION_ARGS)
{
	return roformer_call_set(fcinfo, &fill_mask);
}
