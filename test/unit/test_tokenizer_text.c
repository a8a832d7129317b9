/*
 * test_tokenizer_text.c - texts to tokens: literals, case, accents, normal form, cutting,
 * WordPiece, very long and broken texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer_fixture.h"

#define MANY 50000

static void
special_literals_are_case_sensitive(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "a\nmask\n[\n]\n");
	fixture_expect(&fixture, "a[MASK]a", "5:0-1 4:1-7 5:7-8");
	fixture_expect(&fixture, "  [MASK]  [CLS][SEP]", "4:2-8 3:10-15 1:15-20");
	fixture_expect(&fixture, "[mask]", "7:0-1 6:1-5 8:5-6");
	fixture_expect(&fixture, "[MASK", "7:0-1 6:1-5");
	/* Cleaning joins what is no literal in the text; it was lower-cased by then. */
	fixture_expect_bytes(&fixture, "[MA\0SK]", 7, "7:0-1 6:1-6 8:6-7");
	fixture_close(&fixture);
}

static void
special_tokens_joined_by_cleaning_stay_whole(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.do_lower_case = false;
	fixture.options.strip_accents = false;
	fixture_open(&fixture, "");
	fixture_expect_bytes(&fixture, "[MA\0SK]", 7, "4:0-7");
	fixture_expect(&fixture, "x[MA\xE2\x80\x8BSK]", "0:0-1 0:1-2 0:2-7 0:7-8");
	fixture_close(&fixture);
	/* And so does one that removing accents makes. */
	fixture_init(&fixture);
	fixture.options.do_lower_case = false;
	fixture_open(&fixture, "");
	fixture_expect(&fixture, "[M\xC3\x81SK]", "4:0-6");
	fixture_close(&fixture);
}

static void
shortest_literal_keeps_its_case_and_longest_is_cut(void **state)
{
	const char *added[] = {"<M", "<Mask"};
	const int32_t ids[] = {6, 7};
	const bool special[] = {true, true};
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.added = added;
	fixture.options.added_ids = ids;
	fixture.options.added_special = special;
	fixture.options.added_count = 2;
	fixture_open(&fixture, "x\n");
	fixture_expect(&fixture, "<MASKx", "7:0-5 5:5-6");
	fixture_expect(&fixture, "<Mx", "6:0-2 5:2-3");
	fixture_close(&fixture);
}

static void
capitals_are_lowered_one_by_one(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.strip_accents = false;
	/* i, combining dot; sigma in the middle and at the end is the same */
	fixture_open(&fixture, "i\xCC\x87\n\xCF\x83\n##\xCF\x83\n");
	fixture_expect(&fixture, "\xC4\xB0", "5:0-1");
	fixture_expect(&fixture, "\xCE\xA3\xCE\xA3", "6:0-1 7:1-2");
	fixture_close(&fixture);
}

static void
accents_are_stripped_or_composed(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "e\n##e\n\xC3\xA9\n");
	fixture_expect(&fixture,
				   "\xC3\x89"
				   "e\xCC\x81",
				   "5:0-1 6:1-2");
	fixture_expect(&fixture, "\xCC\x81", "");
	fixture_close(&fixture);
	fixture_init(&fixture);
	fixture.options.strip_accents = false;
	fixture_open(&fixture, "e\n##e\n\xC3\xA9\n##\xC3\xA9\n");
	fixture_expect(&fixture,
				   "\xC3\x89"
				   "e\xCC\x81",
				   "7:0-1 8:1-3");
	fixture_close(&fixture);
}

static void
long_runs_of_marks_are_ordered(void **state)
{
	char text[128] = "a";
	size_t used = 1;
	char expected[1024] = "5:0-42";
	size_t written = 6;
	Fixture fixture;

	(void) state;
	/* 40 acutes (class 230), then a dot below (220), which moves to the front and composes. */
	for (int i = 0; i < 40; i++)
		used += (size_t) sprintf(text + used, "\xCC\x81");
	used += (size_t) sprintf(text + used, "\xCC\xA3");
	for (int i = 0; i < 40; i++)
		written += (size_t) sprintf(expected + written, " 6:0-42");
	fixture_init(&fixture);
	fixture.options.strip_accents = false;
	fixture_open(&fixture, "\xE1\xBA\xA1\n##\xCC\x81\n");
	fixture_expect(&fixture, text, expected);
	fixture_close(&fixture);
}

static void
hangul_falls_apart_or_is_composed(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	/* U+AC01 is U+1100 U+1161 U+11A8. */
	fixture_open(&fixture, "\xE1\x84\x80\n##\xE1\x85\xA1\n##\xE1\x86\xA8\n");
	fixture_expect(&fixture, "\xEA\xB0\x81", "5:0-1 6:0-1 7:0-1");
	fixture_close(&fixture);
	fixture_init(&fixture);
	fixture.options.strip_accents = false;
	fixture_open(&fixture, "\xEA\xB0\x81\n");
	fixture_expect(&fixture, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "5:0-3");
	fixture_close(&fixture);
}

static void
dropped_characters_are_inside_tokens_only(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "ab\n");
	fixture_expect(&fixture,
				   "\xE2\x80\x8B"
				   "a\xE2\x80\x8B"
				   "b\xE2\x80\x8B",
				   "5:1-4");
	fixture_close(&fixture);
}

static void
pieces_of_never_split_stay_whole(void **state)
{
	const char *never_split[] = {"a.b", "foo", "\xC3\xA9", "unseen"};
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.never_split = never_split;
	fixture.options.never_split_count = 4;
	fixture_open(&fixture, "a.b\nfoo\nfo\n##o\n.\n\xC3\xA9\ne\nb\na\nun\n##seen\n");
	fixture_expect(&fixture, "A.B a.b.", "5:0-3 13:4-5 9:5-6 12:6-7 9:7-8");
	/* A word of it between punctuation is one, too. */
	fixture_expect(&fixture, "foo.fooo", "6:0-3 9:3-4 6:4-7 8:7-8");
	fixture_expect(&fixture, "\xC3\xA9 e\xCC\x81 \xC3\xA9\xC3\xA9", "10:0-1 10:2-4 0:5-7");
	/* One that is not in the vocabulary is unknown, not cut. */
	fixture_expect(&fixture, "unseen unseen.", "0:0-6 0:7-13 9:13-14");
	fixture_close(&fixture);
}

static void
long_words_are_unknown(void **state)
{
	char text[256];
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "x\n##xxx\n##x\n");
	memset(text, 'x', sizeof(text));
	text[100] = '\0';
	fixture_expect(&fixture, text + 96, "5:0-1 6:1-4");
	text[101] = '\0';
	text[100] = 'x';
	fixture_expect(&fixture, text, "0:0-101");
	/* Length is counted without accents, so that 100 letters of two characters each are a word. */
	memset(text, 0, sizeof(text));
	for (int i = 0; i < 50; i++)
		strcat(text, "x\xCC\x81");
	fixture_expect(&fixture, text + 144, "5:0-1 7:2-3");
	text[0] = 'y';
	fixture_expect(&fixture, text, "0:0-99");
	fixture_close(&fixture);
}

static void
words_without_a_match_are_unknown_as_a_whole(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "ab\n##c\nd\n");
	fixture_expect(&fixture, "abc abd abcd d", "5:0-2 6:2-3 0:4-7 0:8-12 7:13-14");
	fixture_close(&fixture);
	/* No token at all continues a word. */
	fixture_init(&fixture);
	fixture_open(&fixture, "a\n");
	fixture_expect(&fixture, "a aa \xC3\xA4\xC3\xA4", "5:0-1 0:2-4 0:5-7");
	fixture_close(&fixture);
}

static void
without_basic_tokenizer_only_blanks_cut(void **state)
{
	const char *never_split[] = {"a,b"};
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture.options.do_basic_tokenize = false;
	fixture.options.never_split = never_split;
	fixture.options.never_split_count = 1;
	fixture_open(&fixture, "A\n##,\n##B\n\xE4\xB8\xAD\n##\xE5\x9B\xBD\n##\x01\n");
	fixture_expect(&fixture, "A,B\v\xE4\xB8\xAD\xE5\x9B\xBD [MASK]a",
				   "5:0-1 6:1-2 7:2-3 8:4-5 9:5-6 4:7-13 0:13-14");
	fixture_expect(&fixture,
				   "A\x01\x1C"
				   "A\xC2\x85"
				   "A",
				   "5:0-1 10:1-2 5:3-4 5:5-6");
	fixture_close(&fixture);
}

static void
chinese_characters_are_words_if_wanted(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "\xE4\xB8\xAD\n\xE5\x9B\xBD\n##\xE5\x9B\xBD\na\n");
	fixture_expect(&fixture,
				   "a\xE4\xB8\xAD\xE5\x9B\xBD"
				   "a",
				   "8:0-1 5:1-2 6:2-3 8:3-4");
	fixture_close(&fixture);
	fixture_init(&fixture);
	fixture.options.tokenize_chinese_chars = false;
	fixture_open(&fixture, "\xE4\xB8\xAD\n\xE5\x9B\xBD\n##\xE5\x9B\xBD\na\n");
	fixture_expect(&fixture, "\xE4\xB8\xAD\xE5\x9B\xBD a", "5:0-1 7:1-2 8:3-4");
	fixture_close(&fixture);
}

static void
empty_texts_have_no_tokens(void **state)
{
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "a\n");
	fixture_expect(&fixture, "", "");
	fixture_expect_bytes(&fixture, NULL, 0, "");
	fixture_expect(&fixture, " \t\n\r\xE2\x80\xA8\xE3\x80\x80\xEF\xBB\xBF", "");
	fixture_close(&fixture);
}

/* A piece far longer than what is buffered gives the same tokens as the same in short pieces. */
static void
pieces_without_blanks_may_be_long(void **state)
{
	char *text = malloc((size_t) MANY * 4);
	size_t used = 0;
	RfTokens tokens;
	Fixture fixture;

	(void) state;
	assert_non_null(text);
	for (int i = 0; i < MANY; i++)
		used += (size_t) sprintf(text + used, "%s", i % 2 == 0 ? "e\xCC\x81" : ",");
	for (int strip = 0; strip < 2; strip++)
	{
		fixture_init(&fixture);
		fixture.options.strip_accents = strip == 1;
		fixture_open(&fixture, "\xC3\xA9\n,\ne\n");
		assert_int_equal(rf_tokenize(&fixture.tokenizer, text, used, NULL, &fixture.arena, &tokens,
									 &fixture.err),
						 RF_OK);
		assert_int_equal(tokens.count, MANY);
		for (int i = 0; i < MANY; i++)
		{
			assert_int_equal(tokens.ids[i], i % 2 == 1 ? 6 : strip == 1 ? 7 : 5);
			assert_int_equal(tokens.start[i], i / 2 * 3 + (i % 2) * 2);
			assert_int_equal(tokens.length[i], i % 2 == 0 && strip == 0 ? 2 : 1);
		}
		fixture_close(&fixture);
	}
	free(text);
}

static void
memory_does_not_grow_with_a_word(void **state)
{
	size_t length = 8 * 1024 * 1024;
	char *text = malloc(length);
	size_t before;
	RfTokens tokens;
	Fixture fixture;

	(void) state;
	assert_non_null(text);
	memset(text, 'x', length);
	text[0] = '\x01';
	fixture_init(&fixture);
	fixture_open(&fixture, "x\n");
	before = fixture.arena.total;
	assert_int_equal(
		rf_tokenize(&fixture.tokenizer, text, length, NULL, &fixture.arena, &tokens, &fixture.err),
		RF_OK);
	assert_int_equal(tokens.count, 1);
	assert_int_equal(tokens.ids[0], ID_UNK);
	assert_int_equal(tokens.start[0], 1);
	assert_int_equal(tokens.length[0], length - 1);
	/* Three int32_t for every four bytes are reserved for tokens at once, little else is needed. */
	assert_true(fixture.arena.total - before < 3 * length + 4 * 1024 * 1024);
	fixture_close(&fixture);
	free(text);
}

static void
endless_marks_are_dropped_or_refused(void **state)
{
	size_t length = 3 * 1024 * 1024;
	char *text = malloc(length);
	size_t before;
	RfTokens tokens;
	Fixture fixture;

	(void) state;
	assert_non_null(text);
	for (size_t i = 0; i + 2 <= length; i += 2)
		memcpy(text + i, "\xCC\x81", 2);
	text[0] = text[1] = 'a';
	fixture_init(&fixture);
	fixture_open(&fixture, "aa\n");
	before = fixture.arena.total;
	assert_int_equal(
		rf_tokenize(&fixture.tokenizer, text, length, NULL, &fixture.arena, &tokens, &fixture.err),
		RF_OK);
	assert_int_equal(tokens.count, 1);
	assert_int_equal(tokens.ids[0], ID_FIRST);
	assert_int_equal(tokens.length[0], 2);
	assert_true(fixture.arena.total - before < 4 * length);
	fixture_close(&fixture);
	fixture_init(&fixture);
	fixture.options.strip_accents = false;
	fixture_open(&fixture, "a\n");
	assert_int_equal(
		rf_tokenize(&fixture.tokenizer, text, length, NULL, &fixture.arena, &tokens, &fixture.err),
		RF_LIMIT);
	fixture_close(&fixture);
	free(text);
}

static void
invalid_utf8_is_refused(void **state)
{
	static const char *const texts[] = {
		"abc\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a \xE4\xB8",
		"\xC3",    "a\x80",    "[MASK\xC3",    "\xE4\xB8\xAD\xE5",
	};
	RfTokens tokens;
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "a\n");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		assert_int_equal(rf_tokenize(&fixture.tokenizer, texts[i], strlen(texts[i]), NULL,
									 &fixture.arena, &tokens, &fixture.err),
						 RF_INVALID);
		assert_string_equal(fixture.err.message, "text is not valid UTF-8");
	}
	assert_string_equal(fixture.err.detail, "The first invalid byte is at offset 3.");
	fixture_close(&fixture);
}

static void
too_long_texts_are_refused(void **state)
{
	RfTokens tokens;
	Fixture fixture;

	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "a\n");
	/* Refused by its length, before a byte is read. */
	assert_int_equal(rf_tokenize(&fixture.tokenizer, "a", ((size_t) 1 << 30) + 1, NULL,
								 &fixture.arena, &tokens, &fixture.err),
					 RF_LIMIT);
	fixture_close(&fixture);
}

static bool
count_down(void *context)
{
	int *left = context;

	return --*left < 0;
}

static void
work_stops_when_asked_to(void **state)
{
	static const char *const repeated[] = {"a ",       "x", "\xC3\xA9", "\xE4\xB8\xAD",
										   "\xCC\x81", " ", "a.b,"};
	size_t length = 600000;
	char *text = malloc(length);
	RfTokens tokens;
	Fixture fixture;

	(void) state;
	assert_non_null(text);
	fixture_init(&fixture);
	fixture_open(&fixture, "a\n");
	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++)
	{
		size_t step = strlen(repeated[i]);
		int left = 5;
		RfAbort abort_fn = {count_down, &left};

		for (size_t at = 0; at + step <= length; at += step)
			memcpy(text + at, repeated[i], step);
		assert_int_equal(rf_tokenize(&fixture.tokenizer, text, length - length % step, &abort_fn,
									 &fixture.arena, &tokens, &fixture.err),
						 RF_CANCELED);
		/* Polled at least every 32 KB. */
		left = 600000 / 32768;
		assert_int_equal(rf_tokenize(&fixture.tokenizer, text, length - length % step, &abort_fn,
									 &fixture.arena, &tokens, &fixture.err),
						 RF_CANCELED);
	}
	fixture_close(&fixture);
	free(text);
}

typedef struct Scarce
{
	int left; /* allocations that succeed */
	int held;
} Scarce;

static void *
scarce_alloc(void *context, size_t size)
{
	Scarce *scarce = context;

	if (scarce->left-- <= 0)
		return NULL;
	scarce->held++;
	return malloc(size);
}

static void
scarce_release(void *context, void *block)
{
	Scarce *scarce = context;

	scarce->held--;
	free(block);
}

static RfCode
do_everything(RfArena *arena, const char *text, size_t length)
{
	static const char vocab[] = "[UNK]\n[SEP]\n[PAD]\n[CLS]\n[MASK]\na\n\xC3\xA9\n";
	static const char config[] = "{\"tokenizer_class\":\"BertTokenizer\",\"strip_accents\":false}";
	RfEncodeOptions encode = {.add_special_tokens = true};
	RfInput input = {text, length, text, length};
	RfTokenizerOptions options;
	RfTokenizer tokenizer;
	RfEncoding encoding;
	RfError err;
	void *block;
	size_t size;
	char *decoded;
	size_t decoded_length;

	RF_TRY(rf_tokenizer_options_parse(config, strlen(config), NULL, 0, "{\"x\":7}", 7, arena,
									  &options, &err));
	RF_TRY(rf_tokenizer_compile(&options, vocab, strlen(vocab), arena, &block, &size, &err));
	RF_TRY(rf_tokenizer_open(block, size, &tokenizer, &err));
	RF_TRY(rf_encode(&tokenizer, &input, &encode, NULL, arena, &encoding, &err));
	return rf_decode(&tokenizer, encoding.input_ids, encoding.count, false, true, NULL, arena,
					 &decoded, &decoded_length, &err);
}

static void
running_out_of_memory_is_an_error(void **state)
{
	size_t length = 300000;
	char *text = malloc(length);
	RfCode code = RF_NO_MEMORY;
	int enough = 0;

	(void) state;
	assert_non_null(text);
	for (size_t at = 0; at + 2 <= length; at += 2)
		memcpy(text + at, at % 3 == 0 ? "a," : "\xCC\x81", 2);
	while (code == RF_NO_MEMORY)
	{
		Scarce scarce = {enough++, 0};
		RfMemory memory = {scarce_alloc, scarce_release, &scarce};
		RfArena arena;

		rf_arena_init(&arena, memory);
		code = do_everything(&arena, text, length);
		rf_arena_free(&arena);
		assert_int_equal(scarce.held, 0);
	}
	assert_int_equal(code, RF_OK);
	assert_true(enough > 10);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_literals_are_case_sensitive),
		cmocka_unit_test(special_tokens_joined_by_cleaning_stay_whole),
		cmocka_unit_test(shortest_literal_keeps_its_case_and_longest_is_cut),
		cmocka_unit_test(capitals_are_lowered_one_by_one),
		cmocka_unit_test(accents_are_stripped_or_composed),
		cmocka_unit_test(long_runs_of_marks_are_ordered),
		cmocka_unit_test(hangul_falls_apart_or_is_composed),
		cmocka_unit_test(dropped_characters_are_inside_tokens_only),
		cmocka_unit_test(pieces_of_never_split_stay_whole),
		cmocka_unit_test(long_words_are_unknown),
		cmocka_unit_test(words_without_a_match_are_unknown_as_a_whole),
		cmocka_unit_test(without_basic_tokenizer_only_blanks_cut),
		cmocka_unit_test(chinese_characters_are_words_if_wanted),
		cmocka_unit_test(empty_texts_have_no_tokens),
		cmocka_unit_test(pieces_without_blanks_may_be_long),
		cmocka_unit_test(memory_does_not_grow_with_a_word),
		cmocka_unit_test(endless_marks_are_dropped_or_refused),
		cmocka_unit_test(invalid_utf8_is_refused),
		cmocka_unit_test(too_long_texts_are_refused),
		cmocka_unit_test(work_stops_when_asked_to),
		cmocka_unit_test(running_out_of_memory_is_an_error),
	};

	return cmocka_run_group_tests_name("tokenizer_text", tests, NULL, NULL);
}
