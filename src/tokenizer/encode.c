/*
 * encode.c - tokens to a model's input: truncation, special tokens, padding.
 *
 * The rules are the reference's, also where they surprise: a text that is cut by itself keeps at
 * least one token or isn't cut at all, while a pair cut with longest_first can lose everything; and
 * without special tokens a pair's types are all 0.
 */
#include "rf/tokenizer.h"

#include <string.h>

#include "token_sink.h"

#define SPECIAL_SINGLE 2 /* [CLS] A [SEP] */
#define SPECIAL_PAIR 3   /* [CLS] A [SEP] B [SEP] */

/* Between looks at whether to stop. */
#define POLL_TOKENS ((size_t) 65536)

/* Of total tokens keep stay; stored has them at least. */
typedef struct Part
{
	const RfTokens *stored;
	size_t total;
	size_t keep;
} Part;

typedef struct Writer
{
	const RfTokenizer *tokenizer;
	const RfEncodeOptions *options;
	const RfAbort *abort_fn;
	RfEncoding *encoding;
	RfError *err;
	size_t at;
	int32_t type; /* of what is written next */
} Writer;

static size_t
count_special(const RfEncodeOptions *options, bool has_pair)
{
	if (!options->add_special_tokens)
		return 0;
	return has_pair ? SPECIAL_PAIR : SPECIAL_SINGLE;
}

static RfCode
check_options(const RfEncodeOptions *options, RfError *err)
{
	RF_FAIL_IF(options->max_length < 0, err, RF_INVALID, "maximum length %d is negative",
			   (int) options->max_length);
	RF_FAIL_IF(options->pad_to_multiple_of < 0, err, RF_INVALID,
			   "padding to a multiple of %d is not possible", (int) options->pad_to_multiple_of);
	RF_FAIL_IF(options->pad_to_multiple_of > 0 && options->truncation != RF_TRUNCATE_NONE &&
				   options->max_length % options->pad_to_multiple_of != 0,
			   err, RF_INVALID, "maximum length %d is not a multiple of %d, to which is padded",
			   (int) options->max_length, (int) options->pad_to_multiple_of);
	return RF_OK;
}

/* Drops excess tokens one by one from the longer part, from the second when they are equal. */
static void
cut_longest_first(Part *text, Part *pair, size_t excess)
{
	size_t both = text->keep + pair->keep;
	Part *longer = text->keep > pair->keep ? text : pair;
	size_t difference = longer->keep - (both - longer->keep);

	if (excess >= both)
	{
		text->keep = 0;
		pair->keep = 0;
		return;
	}
	if (difference > excess)
		difference = excess;
	longer->keep -= difference;
	excess -= difference;
	pair->keep -= (excess + 1) / 2;
	text->keep -= excess / 2;
}

static void
cut_one(Part *part, size_t excess)
{
	if (part->keep > excess)
		part->keep -= excess;
}

/* Sets how many tokens stay; pair is NULL for a single text. */
static void
truncate_parts(const RfEncodeOptions *options, Part *text, Part *pair)
{
	size_t total = text->total + count_special(options, pair != NULL);
	size_t limit = (size_t) options->max_length;

	text->keep = text->total;
	if (pair != NULL)
	{
		pair->keep = pair->total;
		total += pair->total;
	}
	if (limit == 0 || total <= limit)
		return;
	switch (options->truncation)
	{
		case RF_TRUNCATE_LONGEST_FIRST:
			if (pair != NULL)
				cut_longest_first(text, pair, total - limit);
			else
				cut_one(text, total - limit);
			break;
		case RF_TRUNCATE_ONLY_FIRST:
			cut_one(text, total - limit);
			break;
		case RF_TRUNCATE_ONLY_SECOND:
			if (pair != NULL)
				cut_one(pair, total - limit);
			break;
		case RF_TRUNCATE_NONE:
			break;
	}
}

static RfCode
allocate_encoding(RfEncoding *encoding, size_t count, RfArena *arena, RfError *err)
{
	encoding->count = count;
	RF_NEW(arena, encoding->input_ids, count, err);
	RF_NEW(arena, encoding->token_type_ids, count, err);
	RF_NEW(arena, encoding->special_tokens_mask, count, err);
	RF_NEW(arena, encoding->attention_mask, count, err);
	RF_NEW(arena, encoding->start, count, err);
	RF_NEW(arena, encoding->length, count, err);
	return RF_OK;
}

/* A token that stands for no characters: a special one added here, or padding. */
static void
write_added(Writer *writer, RfSpecial special, uint8_t attention)
{
	RfEncoding *encoding = writer->encoding;
	size_t at = writer->at++;

	encoding->input_ids[at] = writer->tokenizer->special_ids[special];
	encoding->token_type_ids[at] = writer->type;
	encoding->special_tokens_mask[at] = 1;
	encoding->attention_mask[at] = attention;
	encoding->start[at] = -1;
	encoding->length[at] = 0;
}

static RfCode
write_part(Writer *writer, const Part *part)
{
	RfEncoding *encoding = writer->encoding;
	size_t first = writer->options->truncate_left ? part->stored->count - part->keep : 0;

	for (size_t i = first; i < first + part->keep; i++)
	{
		size_t at = writer->at++;

		RF_FAIL_IF(at % POLL_TOKENS == 0 && rf_abort_requested(writer->abort_fn), writer->err,
				   RF_CANCELED, "tokenizing was canceled");
		encoding->input_ids[at] = part->stored->ids[i];
		encoding->token_type_ids[at] = writer->type;
		encoding->special_tokens_mask[at] = 0;
		encoding->attention_mask[at] = 1;
		encoding->start[at] = part->stored->start[i];
		encoding->length[at] = part->stored->length[i];
	}
	return RF_OK;
}

static RfCode
write_sequence(Writer *writer, const Part *text, const Part *pair)
{
	bool special = writer->options->add_special_tokens;

	if (special)
		write_added(writer, RF_SPECIAL_CLS, 1);
	RF_TRY(write_part(writer, text));
	if (special)
		write_added(writer, RF_SPECIAL_SEP, 1);
	if (pair == NULL)
		return RF_OK;
	writer->type = special ? 1 : 0;
	RF_TRY(write_part(writer, pair));
	if (special)
		write_added(writer, RF_SPECIAL_SEP, 1);
	writer->type = 0;
	return RF_OK;
}

static void
write_padding(Writer *writer, size_t end)
{
	while (writer->at < end)
		write_added(writer, RF_SPECIAL_PAD, 0);
}

static size_t
padded_length(const RfEncodeOptions *options, size_t count)
{
	size_t wanted = count;
	size_t multiple = (size_t) options->pad_to_multiple_of;

	if (options->pad_to_max_length && options->max_length > 0)
		wanted = (size_t) options->max_length;
	if (multiple > 0)
		wanted = (wanted + multiple - 1) / multiple * multiple;
	return wanted > count ? wanted : count;
}

static RfCode
encode_parts(const RfTokenizer *tokenizer, Part *text, Part *pair, const RfEncodeOptions *options,
			 const RfAbort *abort_fn, RfArena *arena, RfEncoding *encoding, RfError *err)
{
	Writer writer = {tokenizer, options, abort_fn, encoding, err, 0, 0};
	size_t count;
	size_t padded;

	truncate_parts(options, text, pair);
	count = text->keep + (pair == NULL ? 0 : pair->keep) + count_special(options, pair != NULL);
	padded = padded_length(options, count);
	RF_TRY(allocate_encoding(encoding, padded, arena, err));
	encoding->removed = text->total - text->keep;
	if (pair != NULL)
		encoding->removed += pair->total - pair->keep;
	if (options->pad_left)
		write_padding(&writer, padded - count);
	RF_TRY(write_sequence(&writer, text, pair));
	write_padding(&writer, padded);
	return RF_OK;
}

RfCode
rf_encode_tokens(const RfTokenizer *tokenizer, const RfTokens *text, const RfTokens *pair,
				 const RfEncodeOptions *options, RfArena *arena, RfEncoding *encoding, RfError *err)
{
	Part first = {text, text->count, 0};
	Part second = {pair, pair == NULL ? 0 : pair->count, 0};

	RF_TRY(check_options(options, err));
	return encode_parts(tokenizer, &first, pair == NULL ? NULL : &second, options, NULL, arena,
						encoding, err);
}

/*
 * The most tokens of one text that can remain, whatever the other's length: SIZE_MAX where that
 * depends on it or nothing is cut.
 */
static size_t
most_tokens(const RfEncodeOptions *options, bool has_pair)
{
	size_t limit = (size_t) options->max_length;
	size_t special = count_special(options, has_pair);

	if (limit == 0)
		return SIZE_MAX;
	if (options->truncation == RF_TRUNCATE_LONGEST_FIRST && has_pair)
		return limit > special ? limit - special : 0;
	if ((options->truncation == RF_TRUNCATE_LONGEST_FIRST ||
		 options->truncation == RF_TRUNCATE_ONLY_FIRST) &&
		!has_pair && limit > special)
		return limit - special;
	return SIZE_MAX;
}

RfCode
rf_encode(const RfTokenizer *tokenizer, const RfInput *input, const RfEncodeOptions *options,
		  const RfAbort *abort_fn, RfArena *arena, RfEncoding *encoding, RfError *err)
{
	bool has_pair = input->pair != NULL;
	RfTokenSink first;
	RfTokenSink second = {0};
	Part text;
	Part pair;
	size_t most;

	RF_TRY(check_options(options, err));
	most = most_tokens(options, has_pair);
	RF_TRY(rf_token_sink_init(&first, input->length, most, options->truncate_left, arena, err));
	RF_TRY(rf_tokenize_into(tokenizer, input->text, input->length, abort_fn, arena, &first, err));
	if (has_pair)
	{
		RF_TRY(rf_token_sink_init(&second, input->pair_length, most, options->truncate_left, arena,
								  err));
		RF_TRY(rf_tokenize_into(tokenizer, input->pair, input->pair_length, abort_fn, arena,
								&second, err));
	}
	text = (Part){&first.tokens, first.total, 0};
	pair = (Part){&second.tokens, second.total, 0};
	return encode_parts(tokenizer, &text, has_pair ? &pair : NULL, options, abort_fn, arena,
						encoding, err);
}
