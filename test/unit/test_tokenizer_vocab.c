/*
 * test_tokenizer_vocab.c - vocabularies into blocks, and what is in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer_fixture.h"

#define SPECIAL_LINES "[UNK]\n[SEP]\n[PAD]\n[CLS]\n[MASK]\n"

static void
expect_token(const RfTokenizer *tokenizer, int32_t id, const char *expected)
{
	size_t length;
	const char *token = rf_tokenizer_token(tokenizer, id, &length);

	if (length != strlen(expected) || memcmp(token, expected, length) != 0)
		fail_msg("token %d is \"%.*s\", expected \"%s\"", (int) id, (int) length, token, expected);
}

static RfCode
compile_text(Fixture *fixture, const char *vocab)
{
	return fixture_compile(fixture, vocab, strlen(vocab));
}

static void
lines_end_in_three_ways(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	assert_int_equal(compile_text(&fixture, "[UNK]\r\n[SEP]\r[PAD]\n[CLS]\n\r[MASK]\r\r\n a \t\nb"),
					 RF_OK);
	assert_int_equal(fixture.tokenizer.vocab_size, 9);
	expect_token(&fixture.tokenizer, 3, "[CLS]");
	expect_token(&fixture.tokenizer, 5, "[MASK]");
	expect_token(&fixture.tokenizer, 7, " a \t");
	expect_token(&fixture.tokenizer, 8, "b");
	assert_int_equal(rf_tokenizer_id(&fixture.tokenizer, "b", 1), 8);
	assert_int_equal(rf_tokenizer_id(&fixture.tokenizer, "a", 1), -1);
	/* Empty lines are tokens, and the same one: the last has it. */
	assert_int_equal(rf_tokenizer_id(&fixture.tokenizer, "", 0), 6);
	fixture_close(&fixture);
}

static void
repeated_tokens_belong_to_the_last_line(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "a\nb\na\n");
	assert_int_equal(fixture.tokenizer.vocab_size, ID_FIRST + 3);
	fixture_expect(&fixture, "a b", "7:0-1 6:2-3");
	expect_token(&fixture.tokenizer, 7, "a");
	expect_token(&fixture.tokenizer, 5, "[UNK]");
	fixture_close(&fixture);
}

static void
unknown_ids_are_the_unknown_token(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "a\n");
	expect_token(&fixture.tokenizer, -1, "[UNK]");
	expect_token(&fixture.tokenizer, ID_FIRST + 1, "[UNK]");
	expect_token(&fixture.tokenizer, INT32_MAX, "[UNK]");
	assert_false(rf_tokenizer_is_special(&fixture.tokenizer, -1));
	assert_false(rf_tokenizer_is_special(&fixture.tokenizer, INT32_MAX));
	assert_false(rf_tokenizer_is_special(&fixture.tokenizer, ID_FIRST));
	for (int32_t id = 0; id < ID_FIRST; id++)
		assert_true(rf_tokenizer_is_special(&fixture.tokenizer, id));
	fixture_close(&fixture);
}

static void
broken_vocabularies_are_refused(void **state)
{
	static const struct
	{
		const char *vocab;
		size_t length;
		RfCode code;
		const char *message;
	} cases[] = {
		{"", 0, RF_CORRUPT, "empty"},
		{SPECIAL_LINES "a\nb\xFF\n", sizeof(SPECIAL_LINES) - 1 + 5, RF_CORRUPT, "UTF-8"},
		{SPECIAL_LINES "\xED\xA0\x80", sizeof(SPECIAL_LINES) - 1 + 3, RF_CORRUPT, "UTF-8"},
		{"[UNK]\n[SEP]\n[PAD]\n[CLS]\n", 24, RF_CORRUPT, "[MASK]"},
		{"\xEF\xBB\xBF" SPECIAL_LINES, sizeof(SPECIAL_LINES) - 1 + 3, RF_CORRUPT, "[UNK]"},
	};
	Fixture fixture;

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		fixture_init(&fixture);
		assert_int_equal(fixture_compile(&fixture, cases[i].vocab, cases[i].length), cases[i].code);
		assert_non_null(strstr(fixture.err.message, cases[i].message));
		fixture_close(&fixture);
	}
}

static void
place_of_invalid_bytes_is_given(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	assert_int_equal(fixture_compile(&fixture, "a\nb\n\xC0\n", 6), RF_CORRUPT);
	assert_int_equal(fixture.err.offset, 4);
	assert_string_equal(fixture.err.detail, "The first invalid byte is at offset 4, in line 3.");
	fixture_close(&fixture);
}

static void
long_lines_are_refused(void **state)
{
	char vocab[4096] = SPECIAL_LINES;
	size_t used = strlen(vocab);
	Fixture fixture;

	(void) state;
	memset(vocab + used, 'x', 1024);
	vocab[used + 1024] = '\n';
	fixture_init(&fixture);
	assert_int_equal(fixture_compile(&fixture, vocab, used + 1025), RF_OK);
	memset(vocab + used, 'x', 1025);
	vocab[used + 1025] = '\n';
	assert_int_equal(fixture_compile(&fixture, vocab, used + 1026), RF_LIMIT);
	assert_non_null(strstr(fixture.err.message, "line 6"));
	fixture_close(&fixture);
}

static void
too_many_lines_are_refused(void **state)
{
	size_t length = ((size_t) 1 << 24) + 1;
	char *vocab = malloc(length);
	Fixture fixture;

	(void) state;
	assert_non_null(vocab);
	memset(vocab, '\n', length);
	fixture_init(&fixture);
	assert_int_equal(fixture_compile(&fixture, vocab, length), RF_LIMIT);
	fixture_close(&fixture);
	free(vocab);
}

static void
added_tokens_follow_the_vocabulary(void **state)
{
	const char *added[] = {"<x>", "Foo", "[MASK]"};
	const int32_t ids[] = {6, 9, -1};
	const bool special[] = {true, false, true};
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.added = added;
	fixture.options.added_ids = ids;
	fixture.options.added_special = special;
	fixture.options.added_count = 3;
	fixture_open(&fixture, "a\n");
	assert_int_equal(fixture.tokenizer.vocab_size, 10);
	expect_token(&fixture.tokenizer, 6, "<x>");
	expect_token(&fixture.tokenizer, 7, "[UNK]");
	/* What isn't special is lower-cased like the text. */
	expect_token(&fixture.tokenizer, 9, "foo");
	assert_int_equal(rf_tokenizer_id(&fixture.tokenizer, "foo", 3), 9);
	assert_true(rf_tokenizer_is_special(&fixture.tokenizer, 6));
	assert_false(rf_tokenizer_is_special(&fixture.tokenizer, 9));
	fixture_expect(&fixture, "a<x>aFOOa", "5:0-1 6:1-4 5:4-5 9:5-8 5:8-9");
	/* No literal as it stands, but one in the lower-cased text. */
	fixture_expect(&fixture, "<X>", "6:0-3");
	fixture_close(&fixture);
}

static void
contradictions_of_added_tokens_are_refused(void **state)
{
	static const struct
	{
		const char *texts[2];
		int32_t ids[2];
		RfCode code;
	} cases[] = {
		{{"<x>", "<y>"}, {6, 6}, RF_CORRUPT},  /* one id, two tokens */
		{{"<x>", "a"}, {6, 4}, RF_CORRUPT},    /* not the vocabulary's id */
		{{"<x>", "<y>"}, {6, 3}, RF_CORRUPT},  /* the id of another token */
		{{"<x>", "<y>"}, {6, -1}, RF_CORRUPT}, /* no id at all */
		{{"<x>", "<y>"}, {6, 1 << 24}, RF_LIMIT},
		{{"<x>", ""}, {6, 7}, RF_CORRUPT},
		{{"<x>", "\xFF"}, {6, 7}, RF_CORRUPT},
		{{"<x>", "<x>"}, {6, -1}, RF_OK},
		{{"<x>", "a"}, {6, 5}, RF_OK},
	};
	Fixture fixture;

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		fixture_init(&fixture);
		fixture.options.added = cases[i].texts;
		fixture.options.added_ids = cases[i].ids;
		fixture.options.added_count = 2;
		if (compile_text(&fixture, SPECIAL_LINES "a\n") != cases[i].code)
			fail_msg("case %zu", i);
		fixture_close(&fixture);
	}
}

static void
special_tokens_may_be_added_tokens(void **state)
{
	const char *added[] = {"<mask>"};
	const int32_t ids[] = {5};
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.special[RF_SPECIAL_MASK] = "<mask>";
	fixture.options.added = added;
	fixture.options.added_ids = ids;
	fixture.options.added_count = 1;
	fixture_open(&fixture, "");
	assert_int_equal(fixture.tokenizer.special_ids[RF_SPECIAL_MASK], 5);
	fixture_expect(&fixture, "<mask>", "5:0-6");
	fixture_close(&fixture);
}

static void
blocks_may_be_moved(void **state)
{
	Fixture fixture;
	void *block;
	size_t size;
	char *copy;

	(void) state;
	fixture_init(&fixture);
	assert_int_equal(rf_tokenizer_compile(&fixture.options, SPECIAL_LINES "a\n##b\n",
										  strlen(SPECIAL_LINES) + 6, &fixture.arena, &block, &size,
										  &fixture.err),
					 RF_OK);
	assert_int_equal((uintptr_t) block % RF_ALIGNMENT, 0);
	copy = aligned_alloc(RF_ALIGNMENT, RF_ALIGN(size));
	assert_non_null(copy);
	memcpy(copy, block, size);
	memset(block, 0xA5, size);
	assert_int_equal(rf_tokenizer_open(copy, size, &fixture.tokenizer, &fixture.err), RF_OK);
	fixture_expect(&fixture, "ab", "5:0-1 6:1-2");
	free(copy);
	fixture_close(&fixture);
}

static void
blocks_with_broken_headers_are_refused(void **state)
{
	Fixture fixture;
	RfTokenizer tokenizer;
	void *block;
	size_t size;
	unsigned char *bytes;

	(void) state;
	fixture_init(&fixture);
	assert_int_equal(rf_tokenizer_compile(&fixture.options, SPECIAL_LINES, strlen(SPECIAL_LINES),
										  &fixture.arena, &block, &size, &fixture.err),
					 RF_OK);
	bytes = block;
	assert_int_equal(rf_tokenizer_open(NULL, 0, &tokenizer, &fixture.err), RF_CORRUPT);
	assert_int_equal(rf_tokenizer_open(block, 16, &tokenizer, &fixture.err), RF_CORRUPT);
	assert_int_equal(rf_tokenizer_open(block, size - 1, &tokenizer, &fixture.err), RF_CORRUPT);
	assert_non_null(strstr(fixture.err.message, "cut short"));
	assert_int_equal(rf_tokenizer_open(bytes + 1, size - 1, &tokenizer, &fixture.err), RF_CORRUPT);
	bytes[0] ^= 1;
	assert_int_equal(rf_tokenizer_open(block, size, &tokenizer, &fixture.err), RF_CORRUPT);
	bytes[0] ^= 1;
	bytes[8] ^= 1;
	assert_int_equal(rf_tokenizer_open(block, size, &tokenizer, &fixture.err), RF_CORRUPT);
	assert_non_null(strstr(fixture.err.message, "version"));
	bytes[8] ^= 1;
	/* The size, then the number of tokens. */
	bytes[30] ^= 1;
	assert_int_equal(rf_tokenizer_open(block, size, &tokenizer, &fixture.err), RF_CORRUPT);
	bytes[30] ^= 1;
	bytes[32] ^= 1;
	assert_int_equal(rf_tokenizer_open(block, size, &tokenizer, &fixture.err), RF_CORRUPT);
	bytes[32] ^= 1;
	assert_int_equal(rf_tokenizer_open(block, size, &tokenizer, &fixture.err), RF_OK);
	fixture_close(&fixture);
}

/* Every token of a vocabulary of random strings is found again, and nothing else is. */
static void
random_vocabularies_are_searched_exactly(void **state)
{
	enum
	{
		COUNT = 20000
	};
	char *vocab = malloc(COUNT * 12 + 64);
	size_t used = (size_t) sprintf(vocab, SPECIAL_LINES);
	uint32_t seed = 12345;
	Fixture fixture;

	(void) state;
	for (int i = 0; i < COUNT; i++)
	{
		int letters = 1 + i % 9;

		for (int j = 0; j < letters; j++)
		{
			seed = seed * 1664525 + 1013904223;
			vocab[used++] = (char) ('a' + (seed >> 24) % (i % 2 == 0 ? 3 : 26));
		}
		vocab[used++] = '\n';
	}
	fixture_init(&fixture);
	assert_int_equal(fixture_compile(&fixture, vocab, used), RF_OK);
	assert_int_equal(fixture.tokenizer.vocab_size, COUNT + ID_FIRST);
	used = strlen(SPECIAL_LINES);
	for (int i = 0; i < COUNT; i++)
	{
		size_t length = 1 + (size_t) i % 9;
		int32_t id = rf_tokenizer_id(&fixture.tokenizer, vocab + used, length);
		size_t found_length;
		const char *found;

		assert_true(id >= i + ID_FIRST);
		found = rf_tokenizer_token(&fixture.tokenizer, id, &found_length);
		assert_int_equal(found_length, length);
		assert_memory_equal(found, vocab + used, length);
		vocab[used + length - 1] = '!';
		assert_int_equal(rf_tokenizer_id(&fixture.tokenizer, vocab + used, length), -1);
		used += length + 1;
	}
	fixture_close(&fixture);
	free(vocab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_three_ways),
		cmocka_unit_test(repeated_tokens_belong_to_the_last_line),
		cmocka_unit_test(unknown_ids_are_the_unknown_token),
		cmocka_unit_test(broken_vocabularies_are_refused),
		cmocka_unit_test(place_of_invalid_bytes_is_given),
		cmocka_unit_test(long_lines_are_refused),
		cmocka_unit_test(too_many_lines_are_refused),
		cmocka_unit_test(added_tokens_follow_the_vocabulary),
		cmocka_unit_test(contradictions_of_added_tokens_are_refused),
		cmocka_unit_test(special_tokens_may_be_added_tokens),
		cmocka_unit_test(blocks_may_be_moved),
		cmocka_unit_test(blocks_with_broken_headers_are_refused),
		cmocka_unit_test(random_vocabularies_are_searched_exactly),
	};

	return cmocka_run_group_tests_name("tokenizer_vocab", tests, NULL, NULL);
}
