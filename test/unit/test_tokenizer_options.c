/*
 * test_tokenizer_options.c - tokenizer_config.json, special_tokens_map.json, added_tokens.json.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rf/tokenizer.h"

typedef struct Parsed
{
	RfArena arena;
	RfTokenizerOptions options;
	RfError err;
	RfCode code;
} Parsed;

static Parsed parsed;

static size_t
length_of(const char *text)
{
	return text == NULL ? 0 : strlen(text);
}

static RfCode
parse(const char *config, const char *special_map, const char *added)
{
	rf_arena_free(&parsed.arena);
	parsed.code = rf_tokenizer_options_parse(config, length_of(config), special_map,
											 length_of(special_map), added, length_of(added),
											 &parsed.arena, &parsed.options, &parsed.err);
	return parsed.code;
}

static int
set_up(void **state)
{
	(void) state;
	rf_arena_init(&parsed.arena, rf_memory_malloc);
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	rf_arena_free(&parsed.arena);
	return 0;
}

static void
missing_files_mean_defaults(void **state)
{
	static const char *const literals[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};

	(void) state;
	assert_int_equal(parse(NULL, NULL, NULL), RF_OK);
	assert_int_equal(parsed.options.tokenizer_class, RF_TOKENIZER_ROFORMER);
	assert_true(parsed.options.do_lower_case);
	assert_true(parsed.options.do_basic_tokenize);
	assert_true(parsed.options.strip_accents);
	assert_true(parsed.options.tokenize_chinese_chars);
	assert_int_equal(parsed.options.model_max_length, 0);
	assert_int_equal(parsed.options.never_split_count, 0);
	assert_int_equal(parsed.options.added_count, 0);
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
		assert_string_equal(parsed.options.special[i], literals[i]);
}

static void
classes_are_known_by_name(void **state)
{
	(void) state;
	assert_int_equal(parse("{\"tokenizer_class\":\"BertTokenizer\"}", NULL, NULL), RF_OK);
	assert_int_equal(parsed.options.tokenizer_class, RF_TOKENIZER_BERT);
	assert_false(parsed.options.fast);
	assert_int_equal(parse("{\"tokenizer_class\":\"BertTokenizerFast\"}", NULL, NULL), RF_OK);
	assert_int_equal(parsed.options.tokenizer_class, RF_TOKENIZER_BERT);
	assert_true(parsed.options.fast);
	assert_int_equal(parse("{\"tokenizer_class\":\"RoFormerTokenizerFast\"}", NULL, NULL), RF_OK);
	assert_int_equal(parsed.options.tokenizer_class, RF_TOKENIZER_ROFORMER);
	assert_true(parsed.options.fast);
	assert_int_equal(parse("{\"tokenizer_class\":null}", NULL, NULL), RF_OK);
	assert_int_equal(parsed.options.tokenizer_class, RF_TOKENIZER_ROFORMER);
	assert_int_equal(parse("{\"tokenizer_class\":\"GPT2Tokenizer\"}", NULL, NULL), RF_UNSUPPORTED);
	assert_non_null(strstr(parsed.err.message, "GPT2Tokenizer"));
}

static void
accents_follow_case_unless_said(void **state)
{
	(void) state;
	assert_int_equal(parse("{\"do_lower_case\":false}", NULL, NULL), RF_OK);
	assert_false(parsed.options.strip_accents);
	assert_int_equal(parse("{\"do_lower_case\":false,\"strip_accents\":null}", NULL, NULL), RF_OK);
	assert_false(parsed.options.strip_accents);
	assert_int_equal(parse("{\"do_lower_case\":false,\"strip_accents\":true}", NULL, NULL), RF_OK);
	assert_true(parsed.options.strip_accents);
	assert_int_equal(parse("{\"strip_accents\":false}", NULL, NULL), RF_OK);
	assert_false(parsed.options.strip_accents);
}

static void
length_limits_are_read(void **state)
{
	static const struct
	{
		const char *config;
		int64_t length;
	} cases[] = {
		{"{\"model_max_length\":512}", 512},
		{"{\"model_max_length\":1000000000000000019884624838656}", 0},
		{"{\"model_max_length\":1e30}", 0},
		{"{\"model_max_length\":null}", 0},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		assert_int_equal(parse(cases[i].config, NULL, NULL), RF_OK);
		assert_int_equal(parsed.options.model_max_length, cases[i].length);
	}
	assert_int_equal(parse("{\"model_max_length\":-1}", NULL, NULL), RF_CORRUPT);
	assert_int_equal(parse("{\"model_max_length\":1.5}", NULL, NULL), RF_CORRUPT);
}

static void
special_tokens_come_in_two_forms(void **state)
{
	(void) state;
	assert_int_equal(parse("{\"cls_token\":\"<s>\",\"sep_token\":\"</s>\"}",
						   "{\"sep_token\":{\"content\":\"<sep>\",\"lstrip\":false},"
						   "\"mask_token\":null}",
						   NULL),
					 RF_OK);
	assert_string_equal(parsed.options.special[RF_SPECIAL_CLS], "<s>");
	assert_string_equal(parsed.options.special[RF_SPECIAL_SEP], "<sep>");
	assert_string_equal(parsed.options.special[RF_SPECIAL_MASK], "[MASK]");
}

/* Which of the added tokens a text is; -1 when it is none. */
static int
find_added(const char *text, int32_t id)
{
	for (size_t i = 0; i < parsed.options.added_count; i++)
		if (strcmp(parsed.options.added[i], text) == 0 && parsed.options.added_ids[i] == id)
			return (int) i;
	return -1;
}

static void
added_tokens_come_from_three_places(void **state)
{
	int at;

	(void) state;
	assert_int_equal(
		parse("{\"added_tokens_decoder\":{\"7\":{\"content\":\"<x>\",\"special\":true},"
			  "\"8\":{\"content\":\"y\",\"special\":false},\"0\":{\"content\":\"[PAD]\"}}}",
			  "{\"additional_special_tokens\":[\"<t>\",{\"content\":\"<u>\"}],"
			  "\"bos_token\":\"<b>\"}",
			  "{\"z\":9,\"<t>\":10}"),
		RF_OK);
	assert_int_equal(parsed.options.added_count, 8);
	assert_true((at = find_added("<x>", 7)) >= 0 && parsed.options.added_special[at]);
	assert_true((at = find_added("y", 8)) >= 0 && !parsed.options.added_special[at]);
	assert_true((at = find_added("[PAD]", 0)) >= 0 && parsed.options.added_special[at]);
	assert_true((at = find_added("<u>", -1)) >= 0 && parsed.options.added_special[at]);
	assert_true((at = find_added("<b>", -1)) >= 0 && parsed.options.added_special[at]);
	assert_true((at = find_added("z", 9)) >= 0 && !parsed.options.added_special[at]);
	/* Listed as special without an id and with an id as plain: special both times. */
	assert_true((at = find_added("<t>", -1)) >= 0 && parsed.options.added_special[at]);
	assert_true((at = find_added("<t>", 10)) >= 0 && parsed.options.added_special[at]);
}

static void
never_split_is_a_list(void **state)
{
	(void) state;
	assert_int_equal(parse("{\"never_split\":[\"a.b\",\"c\"]}", NULL, NULL), RF_OK);
	assert_int_equal(parsed.options.never_split_count, 2);
	assert_string_equal(parsed.options.never_split[1], "c");
	assert_int_equal(parse("{\"never_split\":null}", NULL, NULL), RF_OK);
	assert_int_equal(parsed.options.never_split_count, 0);
}

static void
wrong_types_are_refused(void **state)
{
	static const struct
	{
		const char *config;
		const char *special_map;
		const char *added;
		const char *named;
	} cases[] = {
		{"{\"do_lower_case\":\"yes\"}", NULL, NULL, "do_lower_case"},
		{"{\"tokenizer_class\":1}", NULL, NULL, "tokenizer_class"},
		{"{\"strip_accents\":0}", NULL, NULL, "strip_accents"},
		{"{\"model_max_length\":\"512\"}", NULL, NULL, "model_max_length"},
		{"{\"never_split\":\"a\"}", NULL, NULL, "never_split"},
		{"{\"never_split\":[1]}", NULL, NULL, "never_split"},
		{"{\"cls_token\":5}", NULL, NULL, "cls_token"},
		{"{\"cls_token\":\"\"}", NULL, NULL, "cls_token"},
		{NULL, "{\"mask_token\":{\"text\":\"[MASK]\"}}", NULL, "mask_token"},
		{NULL, "{\"additional_special_tokens\":\"x\"}", NULL, "additional_special_tokens"},
		{NULL, "{\"additional_special_tokens\":[{}]}", NULL, "additional_special_tokens"},
		{"{\"added_tokens_decoder\":[]}", NULL, NULL, "added_tokens_decoder"},
		{"{\"added_tokens_decoder\":{\"-1\":{\"content\":\"x\"}}}", NULL, NULL,
		 "added_tokens_decoder"},
		{"{\"added_tokens_decoder\":{\"0x1\":{\"content\":\"x\"}}}", NULL, NULL,
		 "added_tokens_decoder"},
		{"{\"added_tokens_decoder\":{\"1\":\"x\"}}", NULL, NULL, "added_tokens_decoder"},
		{"{\"added_tokens_decoder\":{\"1\":{\"content\":\"x\",\"special\":1}}}", NULL, NULL,
		 "special"},
		{NULL, NULL, "{\"x\":\"1\"}", "x"},
		{NULL, NULL, "{\"x\":-1}", "added_tokens.json"},
		{NULL, NULL, "{\"x\":1e20}", "added_tokens.json"},
		{NULL, NULL, "{\"x\":1.5}", "added_tokens.json"},
		{"[]", NULL, NULL, "tokenizer_config.json"},
		{"{", NULL, NULL, "tokenizer_config.json"},
		{NULL, "", NULL, "special_tokens_map.json"},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		assert_int_equal(parse(cases[i].config, cases[i].special_map, cases[i].added), RF_CORRUPT);
		if (strstr(parsed.err.message, cases[i].named) == NULL)
			fail_msg("case %zu: \"%s\" does not name \"%s\"", i, parsed.err.message,
					 cases[i].named);
		assert_int_not_equal(parsed.err.origin[0], '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_files_mean_defaults),
		cmocka_unit_test(classes_are_known_by_name),
		cmocka_unit_test(accents_follow_case_unless_said),
		cmocka_unit_test(length_limits_are_read),
		cmocka_unit_test(special_tokens_come_in_two_forms),
		cmocka_unit_test(added_tokens_come_from_three_places),
		cmocka_unit_test(never_split_is_a_list),
		cmocka_unit_test(wrong_types_are_refused),
	};

	return cmocka_run_group_tests_name("tokenizer_options", tests, set_up, tear_down);
}
