/*
 * decode.c - ids back to text.
 *
 * Tokens that are not in vocab.txt stand by themselves; the runs between them are joined, lose
 * their " ##" and the white space at their ends, and all of that is joined by blanks. Clean-up is
 * ten replacements one after the other over the whole text, as in the reference: their order shows.
 */
#include "rf/tokenizer.h"

#include <string.h>

#include "rf/utf8.h"
#include "tokenizer_block.h"

typedef struct Output
{
	char *bytes;
	size_t used;
} Output;

static const struct
{
	const char *from;
	const char *to; /* shorter than from */
} replacements[] = {
	{" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
	{" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

static void
append(Output *output, const char *bytes, size_t length)
{
	if (length > 0)
		memcpy(output->bytes + output->used, bytes, length);
	output->used += length;
}

/* Replaces from the byte start on, in place, left to right without overlap. */
static void
replace(Output *output, size_t start, const char *from, const char *to)
{
	size_t from_length = strlen(from);
	size_t to_length = strlen(to);
	size_t kept = start;
	size_t at = start;

	while (at < output->used)
	{
		if (output->used - at >= from_length && memcmp(output->bytes + at, from, from_length) == 0)
		{
			memcpy(output->bytes + kept, to, to_length);
			kept += to_length;
			at += from_length;
		}
		else
			output->bytes[kept++] = output->bytes[at++];
	}
	output->used = kept;
}

static bool
is_blank(const RfUnicode *unicode, uint32_t code_point)
{
	return (rf_unicode_entry(unicode, code_point) & RF_UNICODE_BLANK) != 0;
}

/* Removes white space at both ends of what begins at the byte start. */
static void
strip(Output *output, size_t start, const RfUnicode *unicode)
{
	size_t first = start;
	uint32_t c = 0;

	while (output->used > start)
	{
		size_t last = output->used - 1;

		while (last > start && ((unsigned char) output->bytes[last] & 0xC0) == 0x80)
			last--;
		if (rf_utf8_decode(output->bytes + last, output->used - last, &c) == 0 ||
			!is_blank(unicode, c))
			break;
		output->used = last;
	}
	while (first < output->used)
	{
		size_t step = rf_utf8_decode(output->bytes + first, output->used - first, &c);

		if (step == 0 || !is_blank(unicode, c))
			break;
		first += step;
	}
	memmove(output->bytes + start, output->bytes + first, output->used - first);
	output->used -= first - start;
}

static void
finish_run(Output *output, size_t start, const RfUnicode *unicode)
{
	replace(output, start, " ##", "");
	strip(output, start, unicode);
}

static void
join_tokens(const RfTokenizer *tokenizer, const RfTokenizerView *view, const int32_t *ids,
			size_t count, bool skip_special_tokens, Output *output)
{
	bool any = false;
	bool in_run = false;
	size_t run = 0;

	for (size_t i = 0; i < count; i++)
	{
		bool known = ids[i] >= 0 && ids[i] < tokenizer->vocab_size;
		bool added = known && (view->token_flags[ids[i]] & RF_TOKEN_ADDED);
		size_t length;
		const char *token = rf_tokenizer_token(tokenizer, ids[i], &length);

		if (skip_special_tokens && rf_tokenizer_is_special(tokenizer, ids[i]))
			continue;
		if (in_run && added)
			finish_run(output, run, &view->unicode);
		if (any)
			append(output, " ", 1);
		if (!in_run)
			run = output->used;
		any = true;
		in_run = !added;
		append(output, token, length);
	}
	if (in_run)
		finish_run(output, run, &view->unicode);
}

RfCode
rf_decode(const RfTokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens,
		  bool clean_up, RfArena *arena, char **text, size_t *length, RfError *err)
{
	RfTokenizerView view;
	Output output = {0};
	size_t room = 1;

	rf_tokenizer_view(tokenizer, &view);
	for (size_t i = 0; i < count; i++)
	{
		size_t token_length;

		rf_tokenizer_token(tokenizer, ids[i], &token_length);
		if (!rf_size_add(room, token_length + 1, &room))
			return rf_error_memory(err, SIZE_MAX);
	}
	RF_NEW(arena, output.bytes, room, err);
	join_tokens(tokenizer, &view, ids, count, skip_special_tokens, &output);
	if (clean_up)
		for (size_t i = 0; i < sizeof(replacements) / sizeof(replacements[0]); i++)
			replace(&output, 0, replacements[i].from, replacements[i].to);
	output.bytes[output.used] = '\0';
	*text = output.bytes;
	*length = output.used;
	return RF_OK;
}
