/*
 * fn_generate.c - generate: how a language model goes on after a prompt.
 *
 * Not STRICT, because no seed (NULL) is a choice of its own: every row then gets one that nobody
 * can foresee. With a seed every row begins with that one, so that a row's text depends on nothing
 * but its prompt, the seed and the model.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/fn.h"

PG_FUNCTION_INFO_V1(roformer_generate);
PG_FUNCTION_INFO_V1(roformer_generate_array);

/* Arguments behind the texts, in their order. */
enum
{
	MAX_NEW_TOKENS,
	TEMPERATURE,
	TOP_K,
	TOP_P,
	SEED,
	OPTIONS
};

#define HIGHEST_TEMPERATURE 1000.0

static uint64 *
choose_seeds(const RoformerCall *call)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	int argument = call->first_option + SEED;
	uint64 *seeds = palloc(sizeof(uint64) * call->count);

	if (PG_ARGISNULL(argument))
	{
		if (!pg_strong_random(seeds, sizeof(uint64) * call->count))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random numbers")));
		return seeds;
	}
	for (size_t i = 0; i < call->count; i++)
		seeds[i] = (uint64) PG_GETARG_INT64(argument);
	return seeds;
}

static RfGenerateOptions
read_options(const RoformerCall *call)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	int first = call->first_option;

	return (RfGenerateOptions){
		.max_new_tokens = roformer_option_integer(fcinfo, first + MAX_NEW_TOKENS, "max_new_tokens",
												  1, ROFORMER_MAX_TOKENS),
		.temperature = roformer_option_real(fcinfo, first + TEMPERATURE, "temperature", 0,
											HIGHEST_TEMPERATURE),
		.top_k = roformer_option_integer(fcinfo, first + TOP_K, "top_k", 0, PG_INT32_MAX),
		.top_p = roformer_option_real(fcinfo, first + TOP_P, "top_p", 0, 1),
	};
}

static void
generate_texts(RoformerCall *call, Datum *results)
{
	RfSession *engine = call->session->engine;
	RfGenerateOptions options;
	RfGenerated *generated;
	uint64 *seeds;
	RfError err;

	roformer_task_require(call, RF_TASK_CAUSAL_LM);
	options = read_options(call);
	seeds = choose_seeds(call);
	roformer_check(rf_run_generate(engine, &call->run, call->inputs, call->count, &options, seeds,
								   &generated, &err),
				   &err);
	for (size_t i = 0; i < call->count; i++)
		results[i] = PointerGetDatum(roformer_utf8_to_text(generated[i].text, generated[i].length));
	pfree(seeds);
}

static const RoformerFunction generate = {.options = OPTIONS, .run = generate_texts};

/* Any argument but the seed. */
static bool
has_null(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i) && i != PG_NARGS() - OPTIONS + SEED)
			return true;
	}
	return false;
}

Datum
roformer_generate(PG_FUNCTION_ARGS)
{
	if (has_null(fcinfo))
		PG_RETURN_NULL();
	return roformer_call_text(fcinfo, &generate);
}

Datum
roformer_generate_array(PG_FUNCTION_ARGS)
{
	if (has_null(fcinfo))
		PG_RETURN_NULL();
	return roformer_call_array(fcinfo, &generate);
}
