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

/* Bytes, or tokens, between two looks at whether to stop. */
#define POLL_BYTES ((size_t) 1024 * 1024)
#define POLL_TOKENS 4096

typedef struct Output
{
	char *bytes;
	size_t used;
	const RfAbort *abort_fn;
	RfError *err;
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

static RfCode
poll_abort(const Output *output)
{
	RF_FAIL_IF(rf_abort_requested(output->abort_fn), output->err, RF_CANCELED,
			   "decoding was canceled");
	return RF_OK;
}

/* Replaces from the byte start on, in place, left to right without overlap. */
static RfCode
replace(Output *output, size_t start, const char *from, const char *to)
{
	size_t from_length = strlen(from);
	size_t to_length = strlen(to);
	size_t kept = start;
	size_t at = start;
	size_t poll = start + POLL_BYTES;

	while (at < output->used)
	{
		const char *next = memchr(output->bytes + at, from[0], output->used - at);
		size_t plain = next == NULL ? output->used - at : (size_t) (next - output->bytes) - at;

		memmove(output->bytes + kept, output->bytes + at, plain);
		kept += plain;
		at += plain;
		if (output->used - at >= from_length && memcmp(output->bytes + at, from, from_length) == 0)
		{
			memcpy(output->bytes + kept, to, to_length);
			kept += to_length;
			at += from_length;
		}
		else if (at < output->used)
			output->bytes[kept++] = output->bytes[at++];
		if (at < poll)
			continue;
		RF_TRY(poll_abort(output));
		poll = at + POLL_BYTES;
	}
	output->used = kept;
	return RF_OK;
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

static RfCode
finish_run(Output *output, size_t start, const RfUnicode *unicode)
{
	RF_TRY(replace(output, start, " ##", ""));
	strip(output, start, unicode);
	return RF_OK;
}

static RfCode
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

		if (i % POLL_TOKENS == 0)
			RF_TRY(poll_abort(output));
		if (skip_special_tokens && rf_tokenizer_is_special(tokenizer, ids[i]))
			continue;
		if (in_run && added)
			RF_TRY(finish_run(output, run, &view->unicode));
		if (any)
			append(output, " ", 1);
		if (!in_run)
			run = output->used;
		any = true;
		in_run = !added;
		append(output, token, length);
	}
	return in_run ? finish_run(output, run, &view->unicode) : RF_OK;
}

RfCode
rf_decode(const RfTokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens,
		  bool clean_up, const RfAbort *abort_fn, RfArena *arena, char **text, size_t *length,
		  RfError *err)
{
	RfTokenizerView view;
	Output output = {.abort_fn = abort_fn, .err = err};
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
	RF_TRY(join_tokens(tokenizer, &view, ids, count, skip_special_tokens, &output));
	for (size_t i = 0; clean_up && i < sizeof(replacements) / sizeof(replacements[0]); i++)
		RF_TRY(replace(&output, 0, replacements[i].from, replacements[i].to));
	output.bytes[output.used] = '\0';
	*text = output.bytes;
	*length = output.used;
	return RF_OK;
}
