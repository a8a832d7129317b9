/*
 * test_tokenizer_encode.c - special tokens, truncation, padding; and ids back to text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer_fixture.h"

/* The tokens a, b, c, ... are written as themselves, the special ones as capitals. */
static const char letters[] = "USPCMabcdefghijklm";

static Fixture fixture;

static int
set_up(void **state)
{
	(void) state;
	fixture_init(&fixture);
	fixture_open(&fixture, "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n");
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	fixture_close(&fixture);
	return 0;
}

static RfCode
encode(const char *text, const char *pair, const RfEncodeOptions *options, RfEncoding *encoding)
{
	RfInput input = {text, strlen(text), pair, pair == NULL ? 0 : strlen(pair)};

	return rf_encode(&fixture.tokenizer, &input, options, NULL, &fixture.arena, encoding,
					 &fixture.err);
}

/* Compares ids as letters, and types; the same from tokens that are there already. */
static void
expect_encoding(const char *text, const char *pair, const RfEncodeOptions *options, const char *ids,
				const char *types, size_t removed)
{
	RfEncoding encoding;
	RfTokens tokens[2];
	RfEncoding again;

	assert_int_equal(encode(text, pair, options, &encoding), RF_OK);
	assert_int_equal(encoding.count, strlen(ids));
	for (size_t i = 0; i < encoding.count; i++)
	{
		if (letters[encoding.input_ids[i]] != ids[i])
			fail_msg("token %zu is %c, expected %c of %s", i, letters[encoding.input_ids[i]],
					 ids[i], ids);
		assert_int_equal(encoding.token_type_ids[i], types[i] - '0');
	}
	assert_int_equal(encoding.removed, removed);
	assert_int_equal(rf_tokenize(&fixture.tokenizer, text, strlen(text), NULL, &fixture.arena,
								 &tokens[0], &fixture.err),
					 RF_OK);
	if (pair != NULL)
		assert_int_equal(rf_tokenize(&fixture.tokenizer, pair, strlen(pair), NULL, &fixture.arena,
									 &tokens[1], &fixture.err),
						 RF_OK);
	assert_int_equal(rf_encode_tokens(&fixture.tokenizer, &tokens[0],
									  pair == NULL ? NULL : &tokens[1], options, &fixture.arena,
									  &again, &fixture.err),
					 RF_OK);
	assert_int_equal(again.count, encoding.count);
	assert_int_equal(again.removed, removed);
	assert_memory_equal(again.input_ids, encoding.input_ids,
						encoding.count * sizeof(*again.input_ids));
	assert_memory_equal(again.start, encoding.start, encoding.count * sizeof(*again.start));
}

static void
special_tokens_surround_texts(void **state)
{
	RfEncodeOptions with = {.add_special_tokens = true};
	RfEncodeOptions without = {.add_special_tokens = false};

	(void) state;
	expect_encoding("a b", NULL, &with, "CabS", "0000", 0);
	expect_encoding("a b", "c", &with, "CabScS", "000011", 0);
	expect_encoding("", NULL, &with, "CS", "00", 0);
	expect_encoding("a", "", &with, "CaSS", "0001", 0);
	expect_encoding("", "", &with, "CSS", "001", 0);
	expect_encoding("a b", "c", &without, "abc", "000", 0);
	expect_encoding("", "", &without, "", "", 0);
}

static void
masks_mark_what_was_added(void **state)
{
	RfEncodeOptions options = {
		.add_special_tokens = true, .max_length = 8, .pad_to_max_length = true};
	static const uint8_t special[] = {1, 0, 0, 1, 0, 1, 1, 1};
	static const uint8_t attention[] = {1, 1, 1, 1, 1, 1, 0, 0};
	static const int32_t start[] = {-1, 0, 2, -1, 3, -1, -1, -1};
	static const int32_t length[] = {0, 1, 6, 0, 1, 0, 0, 0};
	RfEncoding encoding;

	(void) state;
	/* A literal in the text is not added. */
	assert_int_equal(encode("a [MASK]", "   b", &options, &encoding), RF_OK);
	assert_int_equal(encoding.count, 8);
	assert_memory_equal(encoding.special_tokens_mask, special, sizeof(special));
	assert_memory_equal(encoding.attention_mask, attention, sizeof(attention));
	assert_memory_equal(encoding.start, start, sizeof(start));
	assert_memory_equal(encoding.length, length, sizeof(length));
}

static void
single_texts_are_cut_at_either_side(void **state)
{
	RfEncodeOptions options = {.add_special_tokens = true, .max_length = 5};

	(void) state;
	expect_encoding("a b c d e", NULL, &options, "CabcS", "00000", 2);
	options.truncate_left = true;
	expect_encoding("a b c d e", NULL, &options, "CcdeS", "00000", 2);
	expect_encoding("a b c d e f g h i j k l m", NULL, &options, "CklmS", "00000", 10);
	options.truncation = RF_TRUNCATE_ONLY_FIRST;
	expect_encoding("a b c d e", NULL, &options, "CcdeS", "00000", 2);
	options.truncation = RF_TRUNCATE_ONLY_SECOND;
	expect_encoding("a b c d e", NULL, &options, "CabcdeS", "0000000", 0);
	options.truncation = RF_TRUNCATE_NONE;
	expect_encoding("a b c d e", NULL, &options, "CabcdeS", "0000000", 0);
	options = (RfEncodeOptions){.max_length = 2};
	expect_encoding("a b c d e", NULL, &options, "ab", "00", 3);
}

static void
single_texts_keep_a_token_or_all(void **state)
{
	RfEncodeOptions options = {.add_special_tokens = true, .max_length = 3};

	(void) state;
	expect_encoding("a b c", NULL, &options, "CaS", "000", 2);
	options.max_length = 2;
	expect_encoding("a b c", NULL, &options, "CabcS", "00000", 0);
	options.max_length = 1;
	expect_encoding("a b c", NULL, &options, "CabcS", "00000", 0);
	expect_encoding("", NULL, &options, "CS", "00", 0);
}

static void
longer_texts_of_pairs_are_cut_first(void **state)
{
	RfEncodeOptions options = {.add_special_tokens = true, .max_length = 7};

	(void) state;
	expect_encoding("a b c d e", "f g", &options, "CabSfgS", "0000111", 3);
	expect_encoding("a b", "c d e f g", &options, "CabScdS", "0000111", 3);
	expect_encoding("a b c", "d e f", &options, "CabSdeS", "0000111", 2);
	options.max_length = 8;
	expect_encoding("a b c d", "e f g h", &options, "CabcSefS", "00000111", 3);
	options.max_length = 6;
	expect_encoding("a b c", "d e f", &options, "CabSdS", "000011", 3);
	options.truncate_left = true;
	expect_encoding("a b c", "d e f", &options, "CbcSfS", "000011", 3);
	options.max_length = 4;
	expect_encoding("a b c", "d e f", &options, "CcSS", "0001", 5);
	options.max_length = 3;
	expect_encoding("a b c", "d e f", &options, "CSS", "001", 6);
	options.max_length = 2;
	expect_encoding("a b c", "d e f", &options, "CSS", "001", 6);
}

static void
one_text_of_a_pair_may_be_cut(void **state)
{
	RfEncodeOptions options = {
		.add_special_tokens = true, .max_length = 7, .truncation = RF_TRUNCATE_ONLY_FIRST};

	(void) state;
	expect_encoding("a b c d e", "f g h", &options, "CaSfghS", "0001111", 4);
	options.max_length = 6;
	expect_encoding("a b c d e", "f g h", &options, "CabcdeSfghS", "00000001111", 0);
	options.truncation = RF_TRUNCATE_ONLY_SECOND;
	expect_encoding("a b", "f g h", &options, "CabSfS", "000011", 2);
	options.truncate_left = true;
	expect_encoding("a b", "f g h", &options, "CabShS", "000011", 2);
	options.max_length = 5;
	expect_encoding("a b", "f g h", &options, "CabSfghS", "00001111", 0);
}

static void
padding_is_added_on_either_side(void **state)
{
	RfEncodeOptions options = {
		.add_special_tokens = true, .max_length = 6, .pad_to_max_length = true};

	(void) state;
	expect_encoding("a b", NULL, &options, "CabSPP", "000000", 0);
	expect_encoding("a", "b", &options, "CaSbSP", "000110", 0);
	expect_encoding("a b c d e", NULL, &options, "CabcdS", "000000", 1);
	options.pad_left = true;
	expect_encoding("a", "b", &options, "PCaSbS", "000011", 0);
	options = (RfEncodeOptions){.add_special_tokens = true, .pad_to_multiple_of = 4};
	expect_encoding("a b c", NULL, &options, "CabcSPPP", "00000000", 0);
	expect_encoding("a b", NULL, &options, "CabS", "0000", 0);
	options.max_length = 6;
	options.pad_to_max_length = true;
	options.truncation = RF_TRUNCATE_NONE;
	expect_encoding("a", NULL, &options, "CaSPPPPP", "00000000", 0);
	/* Nothing to pad to. */
	options = (RfEncodeOptions){.add_special_tokens = true, .pad_to_max_length = true};
	expect_encoding("a", NULL, &options, "CaS", "000", 0);
}

static void
impossible_options_are_refused(void **state)
{
	RfEncodeOptions options = {.max_length = -1};
	RfEncoding encoding;

	(void) state;
	assert_int_equal(encode("a", NULL, &options, &encoding), RF_INVALID);
	options = (RfEncodeOptions){.max_length = 6, .pad_to_multiple_of = 4};
	assert_int_equal(encode("a", NULL, &options, &encoding), RF_INVALID);
	options = (RfEncodeOptions){.pad_to_multiple_of = -4};
	assert_int_equal(encode("a", NULL, &options, &encoding), RF_INVALID);
}

/* Cutting a long text needs memory for what stays only. */
static void
long_texts_are_cut_in_little_memory(void **state)
{
	size_t count = 2000000;
	char *text = malloc(2 * count);
	size_t before = fixture.arena.total;

	(void) state;
	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + 2 * i, i % 13 == 0 ? "a " : "b ", 2);
	for (int left = 0; left < 2; left++)
	{
		RfEncodeOptions options = {
			.add_special_tokens = true, .max_length = 512, .truncate_left = left == 1};
		RfInput input = {text, 2 * count, NULL, 0};
		RfEncoding encoding;

		assert_int_equal(rf_encode(&fixture.tokenizer, &input, &options, NULL, &fixture.arena,
								   &encoding, &fixture.err),
						 RF_OK);
		assert_int_equal(encoding.count, 512);
		assert_int_equal(encoding.removed, count - 510);
		for (size_t i = 1; i < 511; i++)
		{
			size_t at = left == 1 ? count - 511 + i : i - 1;

			assert_int_equal(encoding.start[i], 2 * at);
			assert_int_equal(encoding.input_ids[i], at % 13 == 0 ? ID_FIRST : ID_FIRST + 1);
		}
	}
	assert_true(fixture.arena.total - before < 256 * 1024);
	free(text);
}

static void
expect_decoded(const char *vocab, const char *added, bool skip, bool clean_up, const char *expected)
{
	const char *added_texts[] = {added};
	const int32_t added_ids[] = {20};
	const int32_t ids[] = {ID_CLS, 5, 6, 20, 7, 8, 99, ID_SEP, -1};
	Fixture here;
	char *text;
	size_t length;

	fixture_init(&here);
	here.options.added = added_texts;
	here.options.added_ids = added_ids;
	here.options.added_count = 1;
	fixture_open(&here, vocab);
	assert_int_equal(rf_decode(&here.tokenizer, ids, sizeof(ids) / sizeof(ids[0]), skip, clean_up,
							   NULL, &here.arena, &text, &length, &here.err),
					 RF_OK);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
	fixture_close(&here);
}

static void
tokens_are_joined_to_text(void **state)
{
	(void) state;
	expect_decoded("do\n##es\n##x\ny\n", "+", false, false, "[CLS] does + ##x y [UNK] [SEP] [UNK]");
	expect_decoded("do\n##es\n##x\ny\n", "+", true, false, "does + ##x y [UNK] [UNK]");
	/* White space at the ends of what stands between added tokens goes. */
	expect_decoded("\xE3\x80\x80\nb \n c\n\n", "+", true, false, "b + c  [UNK] [UNK]");
	expect_decoded("a##\n ##b\n##\n####d\n", "+", true, false, "a## b + ####d [UNK] [UNK]");
}

static void
cleaning_up_follows_the_order_of_replacements(void **state)
{
	(void) state;
	expect_decoded("do\nn't\n.\n?\n", "!", true, true, "don't!.? [UNK] [UNK]");
	expect_decoded("'\ns\n'm\n.\n", ",", true, true, "' s,'m. [UNK] [UNK]");
	expect_decoded("a\nb\n'\ns\n", "+", true, true, "a b +'s [UNK] [UNK]");
}

static void
nothing_decodes_to_nothing(void **state)
{
	const int32_t special[] = {ID_CLS, ID_SEP};
	char *text;
	size_t length;

	(void) state;
	assert_int_equal(rf_decode(&fixture.tokenizer, NULL, 0, false, true, NULL, &fixture.arena,
							   &text, &length, &fixture.err),
					 RF_OK);
	assert_string_equal(text, "");
	assert_int_equal(rf_decode(&fixture.tokenizer, special, 2, true, true, NULL, &fixture.arena,
							   &text, &length, &fixture.err),
					 RF_OK);
	assert_string_equal(text, "");
	assert_int_equal(length, 0);
}

static bool
request_after(void *context)
{
	size_t *left = context;

	return (*left)-- == 0;
}

/* Joining, each of the replacements and what they go through are looked at. */
static void
decoding_can_be_canceled(void **state)
{
	enum
	{
		COUNT = 2 * 1024 * 1024
	};
	int32_t *ids = malloc(COUNT * sizeof(*ids));
	size_t polls = 0;
	char *text;
	size_t length;
	RfCode code = RF_CANCELED;

	(void) state;
	assert_non_null(ids);
	for (size_t i = 0; i < COUNT; i++)
		ids[i] = ID_FIRST + (int32_t) (i % 2);
	for (; code == RF_CANCELED; polls = 2 * polls + 1)
	{
		RfArenaMark mark = rf_arena_mark(&fixture.arena);
		size_t left = polls;
		RfAbort abort_fn = {request_after, &left};

		code = rf_decode(&fixture.tokenizer, ids, COUNT, false, true, &abort_fn, &fixture.arena,
						 &text, &length, &fixture.err);
		rf_arena_rewind(&fixture.arena, mark);
	}
	assert_int_equal(code, RF_OK);
	assert_true(polls > COUNT / 4096);
	free(ids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_tokens_surround_texts),
		cmocka_unit_test(masks_mark_what_was_added),
		cmocka_unit_test(single_texts_are_cut_at_either_side),
		cmocka_unit_test(single_texts_keep_a_token_or_all),
		cmocka_unit_test(longer_texts_of_pairs_are_cut_first),
		cmocka_unit_test(one_text_of_a_pair_may_be_cut),
		cmocka_unit_test(padding_is_added_on_either_side),
		cmocka_unit_test(impossible_options_are_refused),
		cmocka_unit_test(long_texts_are_cut_in_little_memory),
		cmocka_unit_test(tokens_are_joined_to_text),
		cmocka_unit_test(cleaning_up_follows_the_order_of_replacements),
		cmocka_unit_test(nothing_decodes_to_nothing),
		cmocka_unit_test(decoding_can_be_canceled),
	};

	return cmocka_run_group_tests_name("tokenizer_encode", tests, set_up, tear_down);
}
