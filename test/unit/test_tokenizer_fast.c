/*
 * test_tokenizer_fast.c - where the fast tokenizers do something else than the slow ones.
 *
 * What is expected here is what the npm package tokenizers 0.23.2 gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer_fixture.h"

#define HAN_MIDDLE "\xE4\xB8\xAD"        /* U+4E2D */
#define HAN_TEXT "\xE6\x96\x87"          /* U+6587 */
#define UNASSIGNED "\xCD\xB8"            /* U+0378 */
#define ACUTE "\xCC\x81"                 /* U+0301 */
#define NEW_MARK "\xDF\xBD"              /* U+07FD, Mn since Unicode 11 */
#define ZERO_WIDTH "\xE2\x80\x8B"        /* U+200B */
#define COMPATIBLE "\xEF\xA4\x80"        /* U+F900, which decomposes to U+8C48 */
#define DECOMPOSED "\xE8\xB1\x88"        /* U+8C48 */
#define HAN_EXTENSION "\xF0\xAB\xA0\xA0" /* U+2B820 */
#define STEM "\xF0\x9D\x85\xA5"          /* U+1D165, Mc of combining class 216 */
#define FLAG "\xF0\x9D\x85\xAD"          /* U+1D16D, Mc of combining class 226 */

static void
open_fast(Fixture *fixture, const char *tokens)
{
	fixture_open(fixture, tokens);
	rf_tokenizer_choose(&fixture->tokenizer, RF_TOKENIZER_FAST);
}

static void
class_says_which_is_followed(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.fast = true;
	fixture_open(&fixture, "ab\na\n##b\n");
	fixture_expect(&fixture, "a" UNASSIGNED "b", "0:0-3");
	rf_tokenizer_choose(&fixture.tokenizer, RF_TOKENIZER_SLOW);
	fixture_expect(&fixture, "a" UNASSIGNED "b", "5:0-3");
	rf_tokenizer_choose(&fixture.tokenizer, RF_TOKENIZER_AS_NAMED);
	fixture_expect(&fixture, "a" UNASSIGNED "b", "0:0-3");
	fixture_close(&fixture);
}

static void
older_tables_class_newer_characters(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	open_fast(&fixture, "ab\na\nb\n##" NEW_MARK "\n##" UNASSIGNED "\n");
	fixture_expect(&fixture, "a" ACUTE "b a" NEW_MARK " a" UNASSIGNED,
				   "5:0-3 6:4-5 8:5-6 6:7-8 9:8-9");
	/* A dash since Unicode 14, and a Chinese character that a slip keeps from being one. */
	fixture_expect(&fixture,
				   "a\xE2\xB9\x9D"
				   "b",
				   "0:0-3");
	fixture_expect(&fixture, "a" HAN_EXTENSION "b", "0:0-3");
	rf_tokenizer_choose(&fixture.tokenizer, RF_TOKENIZER_SLOW);
	fixture_expect(&fixture,
				   "a\xE2\xB9\x9D"
				   "b",
				   "6:0-1 0:1-2 7:2-3");
	fixture_expect(&fixture, "a" HAN_EXTENSION "b", "6:0-1 0:1-2 7:2-3");
	fixture_close(&fixture);
}

static void
accents_that_stay_are_not_composed(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.do_lower_case = false;
	fixture.options.strip_accents = false;
	fixture_open(&fixture, "\xC3\xA9\ne\n##" ACUTE "\n");
	fixture_expect(&fixture, "e" ACUTE, "5:0-2");
	rf_tokenizer_choose(&fixture.tokenizer, RF_TOKENIZER_FAST);
	fixture_expect(&fixture, "e" ACUTE " \xC3\xA9", "6:0-1 7:1-2 5:3-4");
	fixture_close(&fixture);
}

static void
nothing_is_protected(void **state)
{
	static const char *const never[] = {"a-b"};
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.never_split = never;
	fixture.options.never_split_count = 1;
	fixture_open(&fixture, "a-b\na\n-\nb\n[\n]\nmask\n");
	fixture_expect(&fixture, "a-b [MA" ZERO_WIDTH "SK]", "5:0-3 9:4-5 11:5-10 10:10-11");
	rf_tokenizer_choose(&fixture.tokenizer, RF_TOKENIZER_FAST);
	fixture_expect(&fixture, "a-b [MASK]", "6:0-1 7:1-2 8:2-3 4:4-10");
	fixture_expect(&fixture, "[MA" ZERO_WIDTH "SK]", "9:0-1 11:1-6 10:6-7");
	fixture_close(&fixture);
}

/* The fast classes have no do_basic_tokenize. */
static void
basic_tokenizing_is_always_done(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.do_basic_tokenize = false;
	fixture_open(&fixture, "ab\n,\n");
	fixture_expect(&fixture, "AB,", "0:0-3");
	rf_tokenizer_choose(&fixture.tokenizer, RF_TOKENIZER_FAST);
	fixture_expect(&fixture, "AB,", "5:0-2 6:2-3");
	fixture_close(&fixture);
}

/* Where one special token begins with another the raw text's longest counts. */
static void
longest_literal_keeps_its_case(void **state)
{
	static const char *const added[] = {"[SEP]X"};
	static const int32_t ids[] = {-1};
	static const bool special[] = {true};
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.added = added;
	fixture.options.added_ids = ids;
	fixture.options.added_special = special;
	fixture.options.added_count = 1;
	fixture_open(&fixture, "x\n[SEP]X\n");
	fixture_expect(&fixture, "[SEP]X", "1:0-5 5:5-6");
	rf_tokenizer_choose(&fixture.tokenizer, RF_TOKENIZER_FAST);
	fixture_expect(&fixture, "[SEP]Xx[SEP]x", "6:0-6 5:6-7 1:7-12 5:12-13");
	fixture_close(&fixture);
}

/* ---- words ----------------------------------------------------------------------------------- */

typedef struct WordFixture
{
	Fixture fixture;
	RfJieba jieba;
} WordFixture;

static void
open_words(WordFixture *words, const char *dict, const char *tokens)
{
	Fixture *fixture = &words->fixture;
	void *block;
	size_t size;

	assert_int_equal(
		rf_jieba_compile(dict, strlen(dict), NULL, &fixture->arena, &block, &size, &fixture->err),
		RF_OK);
	assert_int_equal(rf_jieba_open(block, size, &words->jieba, &fixture->err), RF_OK);
	fixture->options.tokenizer_class = RF_TOKENIZER_ROFORMER;
	open_fast(fixture, tokens);
	fixture->tokenizer.jieba = &words->jieba;
}

static void
accents_are_gone_before_words_are_cut(void **state)
{
	WordFixture words;

	(void) state;
	fixture_init(&words.fixture);
	open_words(&words, HAN_MIDDLE HAN_TEXT " 9\n",
			   HAN_MIDDLE HAN_TEXT "\neq\ne\nq\n" DECOMPOSED "\n");
	fixture_expect(&words.fixture, HAN_MIDDLE ACUTE HAN_TEXT, "5:0-3");
	fixture_expect(&words.fixture, "\xC3\x89" ZERO_WIDTH "q", "6:0-3");
	fixture_expect(&words.fixture, "E\xC2\xA0Q" COMPATIBLE, "7:0-1 8:2-3 9:3-4");
	rf_tokenizer_choose(&words.fixture.tokenizer, RF_TOKENIZER_SLOW);
	fixture_expect(&words.fixture, "\xC3\x89q", "7:0-1 8:1-2");
	fixture_close(&words.fixture);
}

static void
unknown_words_are_cut_at_chinese_characters_only(void **state)
{
	WordFixture words;
	char text[256] = "";

	(void) state;
	fixture_init(&words.fixture);
	open_words(&words, "c++ 9\nt" HAN_MIDDLE "x 9\n", "c\n+\nt\nx\n##y\n" HAN_MIDDLE "\n");
	fixture_expect(&words.fixture, "c++", "0:0-3");
	fixture_expect(&words.fixture, "T" HAN_MIDDLE "x", "7:0-1 10:1-2 8:2-3");
	fixture_expect(&words.fixture, "a\r\nb [MASK] c", "0:0-1 0:3-4 4:5-11 5:12-13");
	/* 101 letters, in the vocabulary or not */
	memset(text, 'x', 101);
	fixture_expect(&words.fixture, text, "0:0-101");
	fixture_close(&words.fixture);
}

/* WordPiece takes no word of more than 100 characters, also when it is in the vocabulary. */
static void
long_words_of_the_vocabulary_are_unknown(void **state)
{
	WordFixture words;
	char tokens[256] = "";

	(void) state;
	memset(tokens, 'x', 101);
	tokens[101] = '\n';
	fixture_init(&words.fixture);
	open_words(&words, "c++ 9\n", tokens);
	tokens[101] = '\0';
	fixture_expect(&words.fixture, tokens, "0:0-101");
	rf_tokenizer_choose(&words.fixture.tokenizer, RF_TOKENIZER_SLOW);
	fixture_expect(&words.fixture, tokens, "5:0-101");
	fixture_close(&words.fixture);
}

/* Two notes' parts, which canonical order puts the other way round; each is a word by itself. */
static void
what_stays_is_in_canonical_order(void **state)
{
	WordFixture words;

	(void) state;
	fixture_init(&words.fixture);
	open_words(&words, "c++ 9\n", STEM "\n" FLAG "\na\n");
	fixture_expect(&words.fixture, "a" FLAG STEM "a", "7:0-1 5:2-3 6:1-2 7:3-4");
	fixture_close(&words.fixture);
}

static void
combining_characters_are_limited(void **state)
{
	const size_t count = ((size_t) 1 << 20) + 1;
	char *text = malloc(4 * count);
	WordFixture words;
	RfTokens tokens;

	(void) state;
	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + 4 * i, STEM, 4);
	fixture_init(&words.fixture);
	open_words(&words, "c++ 9\n", "a\n");
	assert_int_equal(rf_tokenize(&words.fixture.tokenizer, text, 4 * (count - 1), NULL,
								 &words.fixture.arena, &tokens, &words.fixture.err),
					 RF_OK);
	assert_int_equal(tokens.count, count - 1);
	assert_int_equal(rf_tokenize(&words.fixture.tokenizer, text, 4 * count, NULL,
								 &words.fixture.arena, &tokens, &words.fixture.err),
					 RF_LIMIT);
	fixture_close(&words.fixture);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(class_says_which_is_followed),
		cmocka_unit_test(older_tables_class_newer_characters),
		cmocka_unit_test(accents_that_stay_are_not_composed),
		cmocka_unit_test(nothing_is_protected),
		cmocka_unit_test(basic_tokenizing_is_always_done),
		cmocka_unit_test(longest_literal_keeps_its_case),
		cmocka_unit_test(accents_are_gone_before_words_are_cut),
		cmocka_unit_test(unknown_words_are_cut_at_chinese_characters_only),
		cmocka_unit_test(long_words_of_the_vocabulary_are_unknown),
		cmocka_unit_test(what_stays_is_in_canonical_order),
		cmocka_unit_test(combining_characters_are_limited),
	};

	return cmocka_run_group_tests_name("tokenizer_fast", tests, NULL, NULL);
}
