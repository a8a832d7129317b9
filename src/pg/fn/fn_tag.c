/*
 * fn_tag.c - tag: entities with the characters they cover.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_tag);
PG_FUNCTION_INFO_V1(roformer_tag_set);

static const RoformerWord aggregations[] = {
	{"none", RF_AGGREGATE_NONE},   {"simple", RF_AGGREGATE_SIMPLE},
	{"first", RF_AGGREGATE_FIRST}, {"average", RF_AGGREGATE_AVERAGE},
	{"max", RF_AGGREGATE_MAX},     {NULL, 0},
};

static Datum
form_entity(const RfEntity *entity, RoformerSpans *spans, TupleDesc row_type)
{
	bool nulls[5] = {false};
	Datum values[5];
	int32 start;
	int32 length;

	values[0] = PointerGetDatum(roformer_utf8_to_text(entity->label, strlen(entity->label)));
	values[1] = Float4GetDatum(entity->score);
	values[2] =
		PointerGetDatum(roformer_spans_cut(spans, entity->start, entity->length, &start, &length));
	values[3] = Int32GetDatum(start);
	values[4] = Int32GetDatum(length);
	return HeapTupleGetDatum(heap_form_tuple(row_type, values, nulls));
}

static Datum
form_entities(const RfEntities *entities, const RoformerText *text, TupleDesc row_type)
{
	Datum *rows = palloc(sizeof(Datum) * (entities->count + 1));
	RoformerSpans spans;

	roformer_spans_begin(&spans, text);
	for (size_t i = 0; i < entities->count; i++)
		rows[i] = form_entity(&entities->entities[i], &spans, row_type);
	return roformer_array_of_datums(rows, NULL, (int) entities->count, 1, row_type->tdtypeid);
}

/* The labels of set_model_option, in UTF-8; NULL where the model's own count. */
static const char **
read_labels(const RoformerModelOptions *options)
{
	const char **labels;

	if (options->label_count == 0)
		return NULL;
	labels = palloc(sizeof(*labels) * options->label_count);
	for (int i = 0; i < options->label_count; i++)
	{
		size_t length;

		labels[i] = roformer_text_to_utf8(options->labels[i], strlen(options->labels[i]), &length);
	}
	return labels;
}

static void
tag_inputs(RoformerCall *call, Datum *results)
{
	RfAggregation aggregation;
	TupleDesc row_type;
	RfEntities *entities;
	RfError err;

	roformer_task_require(call, RF_TASK_TOKEN_CLASSIFICATION);
	aggregation =
		roformer_option_word(call->fcinfo, call->first_option, "aggregation", aggregations);
	call->run.labels = read_labels(&call->session->model->options);
	roformer_check(rf_run_tag(call->session->engine, &call->run, call->inputs, call->count,
							  aggregation, &entities, &err),
				   &err);
	row_type = roformer_array_row_type(call->fcinfo);
	for (size_t i = 0; i < call->count; i++)
		results[i] = form_entities(&entities[i], &call->texts[i], row_type);
	ReleaseTupleDesc(row_type);
}

static const RoformerFunction tag = {.options = 1, .run = tag_inputs};

Datum
roformer_tag(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &tag);
}

Datum
roformer_tag_set(PG_FUNCTION_ARGS)
{
	return roformer_call_set(fcinfo, &tag);
}
