/*
 * trigger_row.c - BEFORE INSERT OR UPDATE FOR EACH ROW: the row gets its results as it is written.
 *
 * An UPDATE that leaves the source as it was changes nothing, also where it sets the target: who
 * corrects a label by hand keeps his correction until the text changes.
 */
#include "trigger_private.h"

#include "access/htup_details.h"
#include "utils/datum.h"
#include "utils/rel.h"

/* Byte for byte: what is equal only under some collation may read differently. */
static bool
is_unchanged(const RoformerTriggerState *state, const TriggerData *trigger)
{
	TupleDesc row_type = RelationGetDescr(trigger->tg_relation);
	Form_pg_attribute column = TupleDescAttr(row_type, state->source - 1);
	bool old_null;
	bool new_null;
	Datum old_value = heap_getattr(trigger->tg_trigtuple, state->source, row_type, &old_null);
	Datum new_value = heap_getattr(trigger->tg_newtuple, state->source, row_type, &new_null);

	if (old_null || new_null)
		return old_null && new_null;
	return datum_image_eq(old_value, new_value, column->attbyval, column->attlen);
}

HeapTuple
roformer_trigger_row(RoformerTriggerState *state, TriggerData *trigger)
{
	bool updates = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple row = updates ? trigger->tg_newtuple : trigger->tg_trigtuple;
	TupleDesc row_type = RelationGetDescr(trigger->tg_relation);
	int numbers[ROFORMER_TARGETS];
	Datum none[ROFORMER_TARGETS] = {0};
	bool nulls[ROFORMER_TARGETS];
	Datum *results = none;
	bool is_null;
	Datum source;

	if (updates && is_unchanged(state, trigger))
		return row;
	source = heap_getattr(row, state->source, row_type, &is_null);
	if (is_null)
		roformer_trigger_check_null(state);
	else
	{
		source = roformer_cast(&state->to_text, source);
		results = roformer_trigger_score(state, &source, 1);
	}
	for (int i = 0; i < state->target_count; i++)
	{
		numbers[i] = state->targets[i].number;
		nulls[i] = is_null;
	}
	return heap_modify_tuple_by_cols(row, row_type, state->target_count, numbers, results, nulls);
}
