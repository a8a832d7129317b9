/*
 * test_tokenizer_jieba.c - dictionaries, words cut with them, and tokens made of the words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer_fixture.h"

typedef struct Words
{
	RfArena arena;
	RfJieba jieba;
	RfError err;
} Words;

static RfCode
compile_bytes(Words *words, const char *dict, size_t length)
{
	void *block;
	size_t size;

	rf_arena_init(&words->arena, rf_memory_malloc);
	RF_TRY(rf_jieba_compile(dict, length, NULL, &words->arena, &block, &size, &words->err));
	return rf_jieba_open(block, size, &words->jieba, &words->err);
}

static RfCode
compile(Words *words, const char *dict)
{
	return compile_bytes(words, dict, strlen(dict));
}

static void
open_words(Words *words, const char *dict)
{
	if (compile(words, dict) != RF_OK)
		fail_msg("%s", words->err.message);
}

/* Lengths of words, separated by blanks. */
static void
expect_words(Words *words, const char *text, const char *expected)
{
	char got[256] = "";
	size_t used = 0;
	RfWords cut;

	assert_int_equal(
		rf_jieba_cut(&words->jieba, text, strlen(text), NULL, &words->arena, &cut, &words->err),
		RF_OK);
	for (size_t i = 0; i < cut.count; i++)
		used += (size_t) sprintf(got + used, "%s%d", i == 0 ? "" : " ", (int) cut.length[i]);
	assert_string_equal(got, expected);
}

static void
most_probable_words_are_cut(void **state)
{
	Words words;

	(void) state;
	open_words(&words, "ab 10 n\nbc 1000 n\na 10 n\nabcd 1\nabcde 1000000\n");
	expect_words(&words, "abc", "1 2");
	expect_words(&words, "abcd", "4");
	expect_words(&words, "xabcdey", "1 5 1");
	expect_words(&words, "", "");
	rf_arena_free(&words.arena);
}

static void
longest_of_equal_words_wins(void **state)
{
	Words words;

	(void) state;
	/* ln 1 - ln 1 is 0 for every word: all cuts are equal. */
	open_words(&words, "\xE4\xB8\x80\xE4\xB8\x81 1\n");
	expect_words(&words, "\xE4\xB8\x80\xE4\xB8\x81\xE4\xB8\x80", "2 1");
	rf_arena_free(&words.arena);
	open_words(&words, "+# 0\n+ 0\n# 0\n& 5\n");
	expect_words(&words, "+#+", "2 1");
	rf_arena_free(&words.arena);
}

static void
letters_and_digits_stay_together(void **state)
{
	Words words;

	(void) state;
	open_words(&words, "c++ 5 nz\nb 100\ncat 3\n");
	expect_words(&words, "hello abc123", "5 1 6");
	expect_words(&words, "3.14%", "1 1 2 1");
	expect_words(&words, "xcaty", "1 3 1");
	expect_words(&words, "c++ c+", "3 1 1 1");
	/* A single letter from the dictionary is joined like any other. */
	expect_words(&words, "abc", "3");
	rf_arena_free(&words.arena);
}

static void
other_characters_are_words(void **state)
{
	Words words;

	(void) state;
	open_words(&words, "\xE4\xB8\x80\xE4\xB8\x81 1\n \xCE\xB1\xCE\xB2 1\n");
	expect_words(&words, "\r\n\r\r\n\n", "2 1 2 1");
	/* Greek letters are no part of blocks, whatever the dictionary says. */
	expect_words(&words, "\xCE\xB1\xCE\xB2!", "1 1 1");
	expect_words(&words, "\xE4\xB8\x80\xEF\xBC\x8C\xE4\xB8\x81", "1 1 1");
	rf_arena_free(&words.arena);
}

/* If only longer words begin at a character, it is a word by itself only where none of them fits.
 */
static void
unlisted_beginnings_need_their_words(void **state)
{
	Words words;

	(void) state;
	open_words(&words, "AB 1\nBCDE 100000000\n");
	expect_words(&words, "+AB", "1 2");
	expect_words(&words, "ABCDE", "2 3");
	expect_words(&words, "AXBCDE", "2 4");
	rf_arena_free(&words.arena);
}

static void
dictionary_lines_are_read(void **state)
{
	Words words;

	(void) state;
	/* Later lines overwrite; empty lines and missing tags are nothing; a frequency may be missing.
	 */
	open_words(&words, "ab 1000000 n\r\n\n  \nab 1\n\tcd\t5\na 2\nb 10\nzz\nbcd 999");
	expect_words(&words, "ab", "2");
	expect_words(&words, "abcd", "1 3");
	rf_arena_free(&words.arena);
}

static void
broken_dictionaries_are_refused(void **state)
{
	static const struct
	{
		const char *dict;
		RfCode code;
		const char *message;
	} cases[] = {
		{"", RF_CORRUPT, "no word"},
		{"\n\n", RF_CORRUPT, "no word"},
		{"a\nb 0\n", RF_CORRUPT, "no word"},
		{"a 1\nb x\n", RF_CORRUPT, "line 2"},
		{"a -1\n", RF_CORRUPT, "line 1"},
		{"a 1.5\n", RF_CORRUPT, "line 1"},
		{"a 99999999999999999999999\n", RF_CORRUPT, "line 1"},
		{"a 9007199254740991\nb 1\n", RF_LIMIT, "2^53"},
		{"a 1\n\xFF 1\n", RF_CORRUPT, "UTF-8"},
	};
	char long_line[1100];
	Words words;

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		assert_int_equal(compile(&words, cases[i].dict), cases[i].code);
		assert_non_null(strstr(words.err.message, cases[i].message));
		rf_arena_free(&words.arena);
	}
	memset(long_line, 'a', sizeof(long_line));
	assert_int_equal(compile_bytes(&words, long_line, 1025), RF_LIMIT);
	rf_arena_free(&words.arena);
	assert_int_equal(compile_bytes(&words, NULL, ((size_t) 1 << 28) + 1), RF_LIMIT);
	rf_arena_free(&words.arena);
}

static void
blocks_may_be_moved_and_are_checked(void **state)
{
	Words words;
	RfJieba jieba;
	void *block;
	size_t size;
	char *copy;

	(void) state;
	rf_arena_init(&words.arena, rf_memory_malloc);
	assert_int_equal(rf_jieba_compile("ab 1\n", 5, NULL, &words.arena, &block, &size, &words.err),
					 RF_OK);
	copy = aligned_alloc(RF_ALIGNMENT, RF_ALIGN(size));
	assert_non_null(copy);
	memcpy(copy, block, size);
	memset(block, 0xA5, size);
	assert_int_equal(rf_jieba_open(block, size, &jieba, &words.err), RF_CORRUPT);
	assert_int_equal(rf_jieba_open(NULL, 0, &jieba, &words.err), RF_CORRUPT);
	assert_int_equal(rf_jieba_open(copy, size - 1, &jieba, &words.err), RF_CORRUPT);
	assert_int_equal(rf_jieba_open(copy, size, &words.jieba, &words.err), RF_OK);
	expect_words(&words, "xaby", "1 2 1");
	copy[8] ^= 1;
	assert_int_equal(rf_jieba_open(copy, size, &jieba, &words.err), RF_CORRUPT);
	free(copy);
	rf_arena_free(&words.arena);
}

static bool
stop_at_once(void *context)
{
	(void) context;
	return true;
}

/* Lets *context polls pass. */
static bool
stop_later(void *context)
{
	size_t *left = context;

	return (*left)-- == 0;
}

/* Wherever it is stopped; 40,000 words are enough for a poll in every phase. */
static void
compiling_can_be_canceled(void **state)
{
	const size_t count = 40000;
	char *dict = malloc(count * 16);
	RfCode code = RF_CANCELED;
	size_t used = 0;
	size_t polls = 0;

	(void) state;
	assert_non_null(dict);
	for (size_t i = 0; i < count; i++)
		used += (size_t) sprintf(dict + used, "w%zu 1\n", i * 7919 % count);
	for (; code != RF_OK; polls++)
	{
		size_t left = polls;
		RfAbort abort_fn = {stop_later, &left};
		RfArena arena;
		RfError err = {0};
		void *block;
		size_t size;

		rf_arena_init(&arena, rf_memory_malloc);
		code = rf_jieba_compile(dict, used, &abort_fn, &arena, &block, &size, &err);
		assert_true(code == RF_OK || code == RF_CANCELED);
		rf_arena_free(&arena);
	}
	assert_true(polls > 5);
	free(dict);
}

static void
bad_texts_are_refused(void **state)
{
	RfAbort abort_fn = {stop_at_once, NULL};
	size_t length = ((size_t) 1 << 20) + 1;
	char *text = malloc(length);
	RfWords cut;
	Words words;

	(void) state;
	assert_non_null(text);
	open_words(&words, "ab 1\n");
	assert_int_equal(rf_jieba_cut(&words.jieba, "a\xFF", 2, NULL, &words.arena, &cut, &words.err),
					 RF_INVALID);
	assert_int_equal(rf_jieba_cut(&words.jieba, "a", ((size_t) 1 << 30) + 1, NULL, &words.arena,
								  &cut, &words.err),
					 RF_LIMIT);
	memset(text, ' ', length);
	assert_int_equal(
		rf_jieba_cut(&words.jieba, text, length, &abort_fn, &words.arena, &cut, &words.err),
		RF_CANCELED);
	/* One run, which is cut as a whole at its end. */
	memset(text, 'a', length);
	assert_int_equal(
		rf_jieba_cut(&words.jieba, text, length - 1, &abort_fn, &words.arena, &cut, &words.err),
		RF_CANCELED);
	/* The longest run there may be, and one letter more. */
	assert_int_equal(
		rf_jieba_cut(&words.jieba, text, length - 1, NULL, &words.arena, &cut, &words.err), RF_OK);
	assert_int_equal(cut.count, 1);
	assert_int_equal(cut.length[0], length - 1);
	assert_int_equal(rf_jieba_cut(&words.jieba, text, length, NULL, &words.arena, &cut, &words.err),
					 RF_LIMIT);
	free(text);
	rf_arena_free(&words.arena);
}

static void
open_word_fixture(Fixture *fixture, Words *words, const char *dict, const char *tokens)
{
	open_words(words, dict);
	fixture->options.tokenizer_class = RF_TOKENIZER_ROFORMER;
	fixture_open(fixture, tokens);
	fixture->tokenizer.jieba = &words->jieba;
}

static void
words_of_the_vocabulary_are_tokens(void **state)
{
	Fixture fixture;
	Words words;

	(void) state;
	fixture_init(&fixture);
	open_word_fixture(&fixture, &words, "\xE4\xB8\xAD\xE5\x9B\xBD 9\nc++ 9\nd+ 9\n",
					  "\xE4\xB8\xAD\xE5\x9B\xBD\n\xE4\xB8\xAD\nc++\nd\n+\nhe\n##llo\n");
	fixture_expect(&fixture, "\xE4\xB8\xAD\xE5\x9B\xBD\xE4\xB8\xAD", "5:0-2 6:2-3");
	/* A word that is no token is cut like a text of its own. */
	fixture_expect(&fixture, "C++d+Hello", "7:0-3 8:3-4 9:4-5 10:5-7 11:7-10");
	fixture_expect(&fixture, "\xC3\xBChe", "0:0-1 10:1-3");
	fixture_close(&fixture);
	rf_arena_free(&words.arena);
}

static void
white_space_next_to_literals_is_dropped(void **state)
{
	Fixture fixture;
	Words words;

	(void) state;
	fixture_init(&fixture);
	open_word_fixture(&fixture, &words, "ab 1\n", " \n\xE3\x80\x80\na\n");
	fixture_expect(&fixture, " a\xE3\x80\x80 a ", "5:0-1 7:1-2 6:2-3 5:3-4 7:4-5 5:5-6");
	fixture_expect(&fixture, " [SEP] a  [MASK] \xE3\x80\x80 [MASK]", "1:1-6 7:7-8 4:10-16 4:19-25");
	fixture_close(&fixture);
	rf_arena_free(&words.arena);
}

static void
words_need_a_dictionary(void **state)
{
	RfTokens tokens;
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.tokenizer_class = RF_TOKENIZER_ROFORMER;
	fixture_open(&fixture, "a\n");
	assert_null(fixture.tokenizer.jieba);
	assert_int_equal(
		rf_tokenize(&fixture.tokenizer, "a", 1, NULL, &fixture.arena, &tokens, &fixture.err),
		RF_UNSUPPORTED);
	assert_non_null(strstr(fixture.err.message, "dictionary"));
	fixture_close(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_probable_words_are_cut),
		cmocka_unit_test(longest_of_equal_words_wins),
		cmocka_unit_test(letters_and_digits_stay_together),
		cmocka_unit_test(other_characters_are_words),
		cmocka_unit_test(unlisted_beginnings_need_their_words),
		cmocka_unit_test(dictionary_lines_are_read),
		cmocka_unit_test(broken_dictionaries_are_refused),
		cmocka_unit_test(blocks_may_be_moved_and_are_checked),
		cmocka_unit_test(compiling_can_be_canceled),
		cmocka_unit_test(bad_texts_are_refused),
		cmocka_unit_test(words_of_the_vocabulary_are_tokens),
		cmocka_unit_test(white_space_next_to_literals_is_dropped),
		cmocka_unit_test(words_need_a_dictionary),
	};

	return cmocka_run_group_tests_name("tokenizer_jieba", tests, NULL, NULL);
}
