/*
 * tokenizer_fixture.c - small tokenizers made of a list of tokens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer_fixture.h"

#define SPECIAL_TOKENS "[UNK]\n[SEP]\n[PAD]\n[CLS]\n[MASK]\n"

void
fixture_init(Fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	rf_arena_init(&fixture->arena, rf_memory_malloc);
	assert_int_equal(rf_tokenizer_options_parse(NULL, 0, NULL, 0, NULL, 0, &fixture->arena,
												&fixture->options, &fixture->err),
					 RF_OK);
	fixture->options.tokenizer_class = RF_TOKENIZER_BERT;
}

RfCode
fixture_compile(Fixture *fixture, const char *vocab, size_t length)
{
	void *block;
	size_t size;

	RF_TRY(rf_tokenizer_compile(&fixture->options, vocab, length, &fixture->arena, &block, &size,
								&fixture->err));
	return rf_tokenizer_open(block, size, &fixture->tokenizer, &fixture->err);
}

void
fixture_open(Fixture *fixture, const char *tokens)
{
	size_t length = strlen(SPECIAL_TOKENS) + strlen(tokens);
	char *vocab = malloc(length + 1);

	assert_non_null(vocab);
	strcpy(vocab, SPECIAL_TOKENS);
	strcat(vocab, tokens);
	if (fixture_compile(fixture, vocab, length) != RF_OK)
		fail_msg("%s", fixture->err.message);
	free(vocab);
}

void
fixture_close(Fixture *fixture)
{
	rf_arena_free(&fixture->arena);
}

void
fixture_expect_bytes(Fixture *fixture, const char *text, size_t length, const char *expected)
{
	RfTokens tokens;
	char *got;
	size_t used = 0;

	if (rf_tokenize(&fixture->tokenizer, text, length, NULL, &fixture->arena, &tokens,
					&fixture->err) != RF_OK)
		fail_msg("%s", fixture->err.message);
	got = malloc(tokens.count * 40 + 1);
	assert_non_null(got);
	got[0] = '\0';
	for (size_t i = 0; i < tokens.count; i++)
		used += (size_t) sprintf(got + used, "%s%d:%d-%d", i == 0 ? "" : " ", (int) tokens.ids[i],
								 (int) tokens.start[i], (int) (tokens.start[i] + tokens.length[i]));
	assert_string_equal(got, expected);
	free(got);
}

void
fixture_expect(Fixture *fixture, const char *text, const char *tokens)
{
	fixture_expect_bytes(fixture, text, strlen(text), tokens);
}
