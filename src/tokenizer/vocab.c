/*
 * vocab.c - vocab.txt into tokens, as Python's universal newlines cut it.
 *
 * Limits: RF_TOKENIZER_MAX_VOCAB_BYTES, RF_TOKENIZER_MAX_TOKENS lines of at most
 * RF_TOKENIZER_MAX_TOKEN_BYTES bytes. Rejected: invalid UTF-8, an empty file. A byte order mark is
 * part of the first token, as in the reference.
 */
#include "vocab.h"

#include "rf/utf8.h"
#include "tokenizer_block.h"

/* The end of the line that starts at at; *next is where the one after it starts. */
static size_t
find_line_end(const char *text, size_t length, size_t at, size_t *next)
{
	while (at < length && text[at] != '\n' && text[at] != '\r')
		at++;
	*next = at + 1;
	if (at + 1 < length && text[at] == '\r' && text[at + 1] == '\n')
		*next = at + 2;
	return at;
}

static size_t
count_lines(const char *text, size_t length)
{
	size_t count = 0;

	for (size_t at = 0; at < length; count++)
		find_line_end(text, length, at, &at);
	return count;
}

RfCode
rf_vocab_parse(const char *text, size_t length, RfArena *arena, RfVocab *vocab, RfError *err)
{
	size_t valid;
	size_t at = 0;

	RF_FAIL_IF(length > RF_TOKENIZER_MAX_VOCAB_BYTES, err, RF_LIMIT,
			   "vocabulary has %zu bytes, more than %zu", length, RF_TOKENIZER_MAX_VOCAB_BYTES);
	valid = rf_utf8_valid_prefix(text, length);
	if (valid != length)
	{
		rf_error_set(err, RF_CORRUPT, "vocabulary is not valid UTF-8");
		rf_error_detail(err, "The first invalid byte is at offset %zu, in line %zu.", valid,
						count_lines(text, valid + 1));
		rf_error_origin(err, "vocab.txt", valid);
		return RF_CORRUPT;
	}
	vocab->count = count_lines(text, length);
	RF_FAIL_IF(vocab->count == 0, err, RF_CORRUPT, "vocabulary is empty");
	RF_FAIL_IF(vocab->count > RF_TOKENIZER_MAX_TOKENS, err, RF_LIMIT,
			   "vocabulary has %zu tokens, more than %zu", vocab->count, RF_TOKENIZER_MAX_TOKENS);
	RF_NEW(arena, vocab->keys, vocab->count, err);
	for (size_t line = 0; line < vocab->count; line++)
	{
		size_t start = at;
		size_t end = find_line_end(text, length, start, &at);

		RF_FAIL_IF(end - start > RF_TOKENIZER_MAX_TOKEN_BYTES, err, RF_LIMIT,
				   "line %zu of the vocabulary has %zu bytes, more than %d", line + 1, end - start,
				   RF_TOKENIZER_MAX_TOKEN_BYTES);
		vocab->keys[line] = (RfTrieKey){text + start, (uint32_t) (end - start), (int32_t) line};
	}
	return RF_OK;
}
