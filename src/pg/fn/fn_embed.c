/*
 * fn_embed.c - embed, similarity: one vector for a text, and the cosine of two.
 *
 * A model whose directory has a normalize module (sentence-transformers) gives vectors of length 1
 * whatever the pooling; similarity() is a cosine in any case.
 */
#include "postgres.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_embed);
PG_FUNCTION_INFO_V1(roformer_embed_array);
PG_FUNCTION_INFO_V1(roformer_similarity);
PG_FUNCTION_INFO_V1(roformer_similarity_array);

/* The pooling is set_model_option's, else the directory's. */
#define POOLING_OF_MODEL (-1)

static const RoformerWord poolings[] = {
	{"default", POOLING_OF_MODEL}, {"cls", RF_POOL_CLS},       {"mean", RF_POOL_MEAN},
	{"max", RF_POOL_MAX},          {"pooler", RF_POOL_POOLER}, {NULL, 0},
};

static RfPooling
choose_pooling(const RoformerCall *call, int asked)
{
	const RoformerSession *session = call->session;
	int pooling = asked;

	if (pooling == POOLING_OF_MODEL)
		pooling = session->model->options.pooling;
	if (pooling == POOLING_OF_MODEL)
		pooling = rf_session_config(session->engine)->pooling;
	if (pooling == RF_POOL_POOLER && !rf_session_config(session->engine)->has_pooler)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("model \"%s\" has no pooler", session->model->name),
						errhint("Use pooling \"cls\", \"mean\" or \"max\".")));
	return pooling;
}

/* [count,H] */
static float *
compute_vectors(RoformerCall *call, const RfInput *inputs, size_t count, int pooling,
				bool normalize)
{
	float *vectors;
	RfError err;

	roformer_check(rf_run_embed(call->session->engine, &call->run, inputs, count,
								choose_pooling(call, pooling), normalize, &vectors, &err),
				   &err);
	return vectors;
}

static float *
embed_inputs(RoformerCall *call)
{
	int pooling = roformer_option_word(call->fcinfo, call->first_option, "pooling", poolings);

	return compute_vectors(call, call->inputs, call->count, pooling,
						   rf_session_config(call->session->engine)->normalize_embedding);
}

static void
embed_input(RoformerCall *call, Datum *results)
{
	results[0] = roformer_array_of_reals(embed_inputs(call),
										 rf_session_config(call->session->engine)->hidden_size);
}

static const RoformerFunction embed = {.options = 1, .run = embed_input};

Datum
roformer_embed(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &embed);
}

/* One array of two dimensions: a row for each element. */
Datum
roformer_embed_array(PG_FUNCTION_ARGS)
{
	RoformerCall call;
	RoformerElements elements;
	const float *vectors = NULL;
	size_t size;
	Datum result;

	roformer_call_begin(&call, fcinfo, embed.options);
	roformer_call_read_array(&call, &elements);
	size = rf_session_config(call.session->engine)->hidden_size;
	roformer_array_check(elements.count * size);
	if (call.count > 0)
		vectors = embed_inputs(&call);
	result = roformer_array_of_rows(vectors, size, &elements);
	roformer_call_end(&call);
	PG_RETURN_DATUM(result);
}

/* Of vectors of length 1 (or 0, when a text gives nothing); rounding may lead beyond 1. */
static float
compute_cosine(const float *a, const float *b, int32 size)
{
	double sum = 0;

	for (int32 i = 0; i < size; i++)
		sum += (double) a[i] * b[i];
	return (float) Max(-1.0, Min(1.0, sum));
}

/* First and second texts go through the model as one batch. */
static void
compare_inputs(RoformerCall *call, Datum *results)
{
	int32 size = rf_session_config(call->session->engine)->hidden_size;
	size_t count = call->count;
	RfInput *inputs = palloc0(sizeof(RfInput) * 2 * count);
	const float *vectors;

	for (size_t i = 0; i < count; i++)
	{
		inputs[i].text = call->inputs[i].text;
		inputs[i].length = call->inputs[i].length;
		inputs[count + i].text = call->inputs[i].pair;
		inputs[count + i].length = call->inputs[i].pair_length;
	}
	vectors = compute_vectors(call, inputs, 2 * count, POOLING_OF_MODEL, true);
	for (size_t i = 0; i < count; i++)
		results[i] =
			Float4GetDatum(compute_cosine(vectors + i * size, vectors + (count + i) * size, size));
	pfree(inputs);
}

static const RoformerFunction similarity = {
	.options = 0, .separate = true, .run = compare_inputs};

Datum
roformer_similarity(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &similarity);
}

Datum
roformer_similarity_array(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &similarity);
}
