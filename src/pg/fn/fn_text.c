/*
 * fn_text.c - tokenize, encode, decode, token_count: what the model reads.
 *
 * Nothing is truncated here unless encode() is asked to; roformer.max_length and
 * roformer.overflow are about inference.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "pg/fn.h"

/* Tokens a text may be cut or padded to; as in roformer.max_length. */
#define LARGEST_MAX_LENGTH (1024 * 1024)

PG_FUNCTION_INFO_V1(roformer_tokenize);
PG_FUNCTION_INFO_V1(roformer_tokenize_set);
PG_FUNCTION_INFO_V1(roformer_token_count);
PG_FUNCTION_INFO_V1(roformer_token_count_array);
PG_FUNCTION_INFO_V1(roformer_encode);
PG_FUNCTION_INFO_V1(roformer_encode_array);
PG_FUNCTION_INFO_V1(roformer_decode);

/* The encoding of one input, until the arena is rewound. */
static RfEncoding
encode_input(RoformerCall *call, size_t i, const RfEncodeOptions *options)
{
	RfAbort abort_fn = roformer_abort();
	RfEncoding encoding;
	RfError err;

	/* the tokenizer looks up within long texts only */
	CHECK_FOR_INTERRUPTS();
	roformer_check(rf_encode(rf_session_tokenizer(call->session->engine), &call->inputs[i], options,
							 &abort_fn, &call->arena, &encoding, &err),
				   &err);
	return encoding;
}

static Datum
tokens_of_ids(RoformerCall *call, const int32 *ids, size_t count)
{
	const RfTokenizer *tokenizer = rf_session_tokenizer(call->session->engine);
	Datum *tokens = palloc(sizeof(Datum) * (count + 1));

	for (size_t i = 0; i < count; i++)
	{
		size_t length;
		const char *token = rf_tokenizer_token(tokenizer, ids[i], &length);

		CHECK_FOR_INTERRUPTS();
		tokens[i] = PointerGetDatum(roformer_utf8_to_text(token, length));
	}
	return roformer_array_of_datums(tokens, NULL, (int) count, 1, TEXTOID);
}

static void
tokenize_inputs(RoformerCall *call, Datum *results)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	RfEncodeOptions options = {
		.add_special_tokens = PG_GETARG_BOOL(call->first_option),
		.truncation = RF_TRUNCATE_NONE,
	};

	for (size_t i = 0; i < call->count; i++)
	{
		RfArenaMark mark = rf_arena_mark(&call->arena);
		RfEncoding encoding = encode_input(call, i, &options);

		results[i] = tokens_of_ids(call, encoding.input_ids, encoding.count);
		rf_arena_rewind(&call->arena, mark);
	}
}

static const RoformerFunction tokenize = {.options = 1, .run = tokenize_inputs};

Datum
roformer_tokenize(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &tokenize);
}

Datum
roformer_tokenize_set(PG_FUNCTION_ARGS)
{
	return roformer_call_set(fcinfo, &tokenize);
}

static void
count_inputs(RoformerCall *call, Datum *results)
{
	RfEncodeOptions options = {.add_special_tokens = true, .truncation = RF_TRUNCATE_NONE};

	for (size_t i = 0; i < call->count; i++)
	{
		RfArenaMark mark = rf_arena_mark(&call->arena);

		results[i] = Int32GetDatum((int32) encode_input(call, i, &options).count);
		rf_arena_rewind(&call->arena, mark);
	}
}

static const RoformerFunction token_count = {.options = 0, .run = count_inputs};

Datum
roformer_token_count(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &token_count);
}

Datum
roformer_token_count_array(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &token_count);
}

static const RoformerWord truncations[] = {
	{"longest_first", RF_TRUNCATE_LONGEST_FIRST},
	{"only_first", RF_TRUNCATE_ONLY_FIRST},
	{"only_second", RF_TRUNCATE_ONLY_SECOND},
	{"do_not_truncate", RF_TRUNCATE_NONE},
	{NULL, 0},
};

static const RoformerWord truncation_sides[] = {{"right", false}, {"left", true}, {NULL, 0}};

static const RoformerWord paddings[] = {{"none", false}, {"max_length", true}, {NULL, 0}};

/* add_special_tokens, max_length, truncation, truncation_side, padding, from argument first on */
static RfEncodeOptions
read_encode_options(FunctionCallInfo fcinfo, int first)
{
	RfEncodeOptions options;

	options.add_special_tokens = PG_GETARG_BOOL(first);
	options.max_length =
		roformer_option_integer(fcinfo, first + 1, "max_length", 0, LARGEST_MAX_LENGTH);
	options.truncation = roformer_option_word(fcinfo, first + 2, "truncation", truncations);
	options.truncate_left =
		roformer_option_word(fcinfo, first + 3, "truncation_side", truncation_sides);
	options.pad_to_max_length = roformer_option_word(fcinfo, first + 4, "padding", paddings);
	if (options.pad_to_max_length && options.max_length == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("padding to max_length needs a max_length"),
						errhint("Add the argument max_length => with a number of tokens.")));
	return options;
}

/* start and length become what substr() counts in the text a token came from; added: in none. */
static void
place_tokens(RoformerCall *call, size_t input, RfEncoding *encoding, bool *added)
{
	RoformerPositions positions[2];

	roformer_call_positions(&call->texts[input], &positions[0]);
	if (call->pairs != NULL)
		roformer_call_positions(&call->pairs[input], &positions[1]);
	for (size_t t = 0; t < encoding->count; t++)
	{
		bool second = call->pairs != NULL && encoding->token_type_ids[t] == 1;

		CHECK_FOR_INTERRUPTS();
		added[t] = encoding->start[t] < 0;
		if (!added[t])
			roformer_positions_map(&positions[second], encoding->start[t], encoding->length[t],
								   &encoding->start[t], &encoding->length[t]);
	}
}

static Datum
array_of_mask(const uint8 *mask, size_t count)
{
	int32 *values = palloc(sizeof(int32) * (count + 1));
	Datum result;

	for (size_t i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[i] = mask[i];
	}
	result = roformer_array_of_ints(values, NULL, count);
	pfree(values);
	return result;
}

static Datum
form_encoding(RoformerCall *call, size_t input, RfEncoding *encoding, TupleDesc row_type)
{
	size_t count = encoding->count;
	bool *added = palloc(sizeof(bool) * (count + 1));
	bool nulls[5] = {false};
	Datum values[5];
	Datum row;

	place_tokens(call, input, encoding, added);
	values[0] = roformer_array_of_ints(encoding->input_ids, NULL, count);
	values[1] = roformer_array_of_ints(encoding->token_type_ids, NULL, count);
	values[2] = array_of_mask(encoding->special_tokens_mask, count);
	values[3] = roformer_array_of_ints(encoding->start, added, count);
	values[4] = roformer_array_of_ints(encoding->length, added, count);
	CHECK_FOR_INTERRUPTS();
	row = HeapTupleGetDatum(heap_form_tuple(row_type, values, nulls));
	for (int i = 0; i < 5; i++)
		pfree(DatumGetPointer(values[i]));
	pfree(added);
	return row;
}

static void
encode_inputs(RoformerCall *call, Datum *results)
{
	RfEncodeOptions options = read_encode_options(call->fcinfo, call->first_option);
	TupleDesc row_type = roformer_array_row_type(call->fcinfo);

	for (size_t i = 0; i < call->count; i++)
	{
		RfArenaMark mark = rf_arena_mark(&call->arena);
		RfEncoding encoding = encode_input(call, i, &options);

		results[i] = form_encoding(call, i, &encoding, row_type);
		rf_arena_rewind(&call->arena, mark);
	}
	ReleaseTupleDesc(row_type);
}

static const RoformerFunction encode = {.options = 5, .run = encode_inputs};

Datum
roformer_encode(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &encode);
}

Datum
roformer_encode_array(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &encode);
}

static int32 *
read_ids(ArrayType *array, int *count)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("token ids must be given as a one-dimensional array"),
						errdetail("The array has %d dimensions.", ARR_NDIM(array))));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("token ids must not be null")));
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (int32 *) ARR_DATA_PTR(array);
}

/* decode(model, ids, skip_special_tokens) */
Datum
roformer_decode(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(1);
	int count;
	int32 *ids = read_ids(array, &count);
	RfAbort abort_fn = roformer_abort();
	RoformerCall call;
	RfError err;
	char *decoded;
	size_t length;
	text *result;

	roformer_call_begin(&call, fcinfo, 1);
	roformer_check(rf_decode(rf_session_tokenizer(call.session->engine), ids, count,
							 PG_GETARG_BOOL(2), true, &abort_fn, &call.arena, &decoded, &length,
							 &err),
				   &err);
	result = roformer_utf8_to_text(decoded, length);
	roformer_call_end(&call);
	PG_RETURN_TEXT_P(result);
}
