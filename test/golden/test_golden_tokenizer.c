/*
 * test_golden_tokenizer.c - tokens, encodings and decoded texts against the reference's, exactly.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_tokenizer_files.h"

#define TOKENIZER_DATA GOLDEN_DATA "/tokenizer/"

typedef struct Run
{
	GoldenTokenizer golden;
	bool fast;   /* with the fast tokenizer */
	bool strips; /* accents */
	size_t compared;
} Run;

static bool
is_word_tokenizer(const json_t *config)
{
	const char *name = json_string_value(json_object_get(config, "tokenizer_class"));

	return name != NULL && strncmp(name, "RoFormer", 8) == 0;
}

static bool
strips_accents(const json_t *config)
{
	const json_t *strip = json_object_get(config, "strip_accents");

	if (json_is_boolean(strip))
		return json_is_true(strip);
	return !json_is_false(json_object_get(config, "do_lower_case"));
}

/* start, end, start, end, ... as the records have it; to be freed */
static int32_t *
flatten_offsets(const RfTokens *tokens)
{
	int32_t *flat = malloc((2 * tokens->count + 1) * sizeof(*flat));

	assert_non_null(flat);
	for (size_t i = 0; i < tokens->count; i++)
	{
		flat[2 * i] = tokens->start[i];
		flat[2 * i + 1] = tokens->start[i] + tokens->length[i];
	}
	return flat;
}

static void
compare_offsets(const json_t *record, const RfTokens *tokens)
{
	int32_t *offsets = flatten_offsets(tokens);

	golden_expect_integers(record, "offsets", json_object_get(record, "offsets"), offsets,
						   2 * tokens->count);
	free(offsets);
}

/*
 * Offsets are the slow tokenizer's; the fast one's are the same where the tokens are, unless it
 * leaves accents, without NFC, or keeps characters that Unicode 14 doesn't know ("cn").
 */
static void
compare_tokens(void *context, const json_t *record, size_t line)
{
	Run *run = context;
	const json_t *fast_ids = run->fast ? json_object_get(record, "fast_ids") : NULL;
	char path[256];
	size_t length;
	const char *text;
	RfTokens tokens;
	RfError err = {0};
	RfArenaMark mark;

	if (line == 1)
	{
		snprintf(path, sizeof(path), GOLDEN_DATA "/vocab/%s",
				 json_string_value(json_object_get(record, "vocab")));
		golden_tokenizer_open(&run->golden, record, path);
		run->golden.tokenizer.fast = run->fast;
		run->strips = strips_accents(record);
		return;
	}
	mark = rf_arena_mark(&run->golden.arena);
	text = golden_text(record, "text", &length);
	if (rf_tokenize(&run->golden.tokenizer, text, length, NULL, &run->golden.arena, &tokens,
					&err) != RF_OK)
		fail_msg("%s: %s", json_string_value(json_object_get(record, "id")), err.message);
	if (fast_ids != NULL)
		golden_expect_integers(record, "fast_ids", fast_ids, tokens.ids, tokens.count);
	else
	{
		golden_expect_integers(record, "ids", json_object_get(record, "ids"), tokens.ids,
							   tokens.count);
		if (!run->fast || (run->strips && json_object_get(record, "cn") == NULL))
			compare_offsets(record, &tokens);
	}
	rf_arena_rewind(&run->golden.arena, mark);
	run->compared++;
}

static void
compare_token_file(const char *name, bool fast)
{
	char path[256];
	Run run = {.fast = fast};

	snprintf(path, sizeof(path), TOKENIZER_DATA "%s.jsonl", name);
	golden_each(path, compare_tokens, &run);
	assert_true(run.compared > 0);
	golden_tokenizer_close(&run.golden);
}

static void
compare_wordpiece_files(bool fast)
{
	compare_token_file("wordpiece-uncased", fast);
	compare_token_file("wordpiece-uncased-keepaccents", fast);
	compare_token_file("wordpiece-chinese", fast);
	compare_token_file("wordpiece-chinese-cased", fast);
	compare_token_file("wordpiece-chinese-nocjksplit", fast);
	compare_token_file("wordpiece-cased-stripaccents", fast);
}

static void
wordpiece_tokens_match(void **state)
{
	(void) state;
	compare_wordpiece_files(false);
}

static void
fast_wordpiece_tokens_match(void **state)
{
	(void) state;
	compare_wordpiece_files(true);
}

/* Says why and skips the test where there is no dictionary. */
static void
need_dictionary(void)
{
	if (golden_dictionary() != NULL)
		return;
	print_message("skipped: the dictionary of the package python3-jieba is not installed\n");
	skip();
}

static void
word_tokens_match(void **state)
{
	(void) state;
	need_dictionary();
	compare_token_file("jieba-word", false);
	compare_token_file("jieba-word-cased", false);
}

static void
fast_word_tokens_match(void **state)
{
	(void) state;
	need_dictionary();
	compare_token_file("jieba-word", true);
	compare_token_file("jieba-word-cased", true);
}

static void
compare_words(void *context, const json_t *record, size_t line)
{
	RfArena arena;
	size_t length;
	const char *text = golden_text(record, "text", &length);
	RfWords words;
	RfError err = {0};

	(void) context;
	(void) line;
	rf_arena_init(&arena, rf_memory_malloc);
	assert_int_equal(rf_jieba_cut(golden_dictionary(), text, length, NULL, &arena, &words, &err),
					 RF_OK);
	golden_expect_integers(record, "words_len", json_object_get(record, "words_len"), words.length,
						   words.count);
	rf_arena_free(&arena);
}

static void
words_match(void **state)
{
	(void) state;
	need_dictionary();
	golden_each(TOKENIZER_DATA "jieba-cut.jsonl", compare_words, NULL);
}

static RfTruncation
read_truncation(const json_t *value)
{
	static const char *const names[] = {"longest_first", "only_first", "only_second",
										"do_not_truncate"};

	if (json_is_boolean(value))
		return json_is_true(value) ? RF_TRUNCATE_LONGEST_FIRST : RF_TRUNCATE_NONE;
	for (int i = 0; i < 4; i++)
		if (json_is_string(value) && strcmp(json_string_value(value), names[i]) == 0)
			return (RfTruncation) i;
	assert_null(value);
	return RF_TRUNCATE_NONE;
}

static bool
is_string(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* The call's arguments; the side of truncation stands in args or beside them. */
static RfEncodeOptions
read_arguments(const json_t *record)
{
	const json_t *args = json_object_get(record, "args");
	const json_t *padding = json_object_get(args, "padding");
	RfEncodeOptions options = {.add_special_tokens = true};

	if (json_object_get(args, "add_special_tokens") != NULL)
		options.add_special_tokens = json_is_true(json_object_get(args, "add_special_tokens"));
	options.max_length = (int32_t) json_integer_value(json_object_get(args, "max_length"));
	options.truncation = read_truncation(json_object_get(args, "truncation"));
	options.truncate_left = is_string(json_object_get(args, "truncation_side"), "left") ||
							is_string(json_object_get(record, "truncation_side"), "left");
	options.pad_to_max_length = is_string(padding, "max_length");
	options.pad_left = is_string(json_object_get(record, "padding_side"), "left");
	/* A single row's longest is itself, so that only the multiple can call for padding. */
	if (options.pad_to_max_length || is_string(padding, "longest"))
		options.pad_to_multiple_of =
			(int32_t) json_integer_value(json_object_get(args, "pad_to_multiple_of"));
	return options;
}

static RfInput
read_input(const json_t *record)
{
	RfInput input = {0};

	input.text = golden_text(record, "text", &input.length);
	input.pair = golden_text(record, "text_pair", &input.pair_length);
	return input;
}

static void
expect_flags(const json_t *record, const char *key, const uint8_t *flags, size_t count)
{
	const json_t *expected = json_object_get(record, key);
	int32_t *values;

	if (expected == NULL)
		return;
	values = malloc((count + 1) * sizeof(*values));
	assert_non_null(values);
	for (size_t i = 0; i < count; i++)
		values[i] = flags[i];
	golden_expect_integers(record, key, expected, values, count);
	free(values);
}

static void
compare_encoding(const RfTokenizer *tokenizer, const json_t *record, RfArena *arena)
{
	RfInput input = read_input(record);
	RfEncodeOptions options = read_arguments(record);
	RfEncoding encoding;
	RfError err = {0};
	RfCode code = rf_encode(tokenizer, &input, &options, NULL, arena, &encoding, &err);

	if (json_object_get(record, "error") != NULL)
	{
		assert_int_equal(code, RF_INVALID);
		return;
	}
	if (code != RF_OK)
		fail_msg("%s: %s", json_string_value(json_object_get(record, "id")), err.message);
	golden_expect_integers(record, "input_ids", json_object_get(record, "input_ids"),
						   encoding.input_ids, encoding.count);
	golden_expect_integers(record, "token_type_ids", json_object_get(record, "token_type_ids"),
						   encoding.token_type_ids, encoding.count);
	expect_flags(record, "special_tokens_mask", encoding.special_tokens_mask, encoding.count);
	expect_flags(record, "attention_mask", encoding.attention_mask, encoding.count);
	if (json_object_get(record, "num_truncated_tokens") != NULL &&
		json_integer_value(json_object_get(record, "num_truncated_tokens")) < 0)
		assert_int_equal(encoding.removed, 0);
	if (json_object_get(record, "offsets") == NULL)
		return;
	for (size_t i = 0; i < encoding.count; i++)
	{
		const json_t *range = json_array_get(json_object_get(record, "offsets"), i);
		json_int_t start = json_is_null(range) ? -1 : json_integer_value(json_array_get(range, 0));
		json_int_t end = json_is_null(range) ? -1 : json_integer_value(json_array_get(range, 1));

		if (start != encoding.start[i] || end != encoding.start[i] + encoding.length[i])
			fail_msg("%s: offsets[%zu] is %d+%d, expected %d..%d",
					 json_string_value(json_object_get(record, "id")), i, (int) encoding.start[i],
					 (int) encoding.length[i], (int) start, (int) end);
	}
}

static void
expect_token_texts(const RfTokenizer *tokenizer, const json_t *record)
{
	const json_t *tokens = json_object_get(record, "tokens");
	const json_t *ids = json_object_get(record, "input_ids");

	for (size_t i = 0; i < json_array_size(tokens); i++)
	{
		const json_t *expected = json_array_get(tokens, i);
		int32_t id = (int32_t) json_integer_value(json_array_get(ids, i));
		size_t length;
		const char *token = rf_tokenizer_token(tokenizer, id, &length);

		assert_int_equal(length, json_string_length(expected));
		assert_memory_equal(token, json_string_value(expected), length);
		assert_int_equal(rf_tokenizer_id(tokenizer, token, length), id);
	}
}

#define VOCABULARY_COUNT 3
#define WORD_VOCABULARY 2

typedef struct Vocabularies
{
	GoldenTokenizer golden[VOCABULARY_COUNT];
	size_t compared[VOCABULARY_COUNT];
	bool words; /* compare what needs the dictionary, else what doesn't */
} Vocabularies;

static const char *const vocabulary_names[VOCABULARY_COUNT] = {
	"bert_base_uncased", "bert_base_chinese", "roformer_chinese_base"};

static void
open_vocabularies(Vocabularies *vocabularies)
{
	memset(vocabularies, 0, sizeof(*vocabularies));
	for (int i = 0; i < VOCABULARY_COUNT; i++)
	{
		json_t *config = json_pack("{s:s}", "tokenizer_class",
								   i == WORD_VOCABULARY ? "RoFormerTokenizer" : "BertTokenizer");
		char path[256];

		snprintf(path, sizeof(path), GOLDEN_DATA "/vocab/%s.txt", vocabulary_names[i]);
		golden_tokenizer_open(&vocabularies->golden[i], config, path);
		json_decref(config);
	}
}

static void
close_vocabularies(Vocabularies *vocabularies)
{
	for (int i = 0; i < VOCABULARY_COUNT; i++)
		golden_tokenizer_close(&vocabularies->golden[i]);
}

/* Which vocabulary a record was made with. */
static int
find_vocabulary(const json_t *record)
{
	const char *name = json_string_value(json_object_get(record, "vocab"));

	for (int i = 0; i < VOCABULARY_COUNT; i++)
		if (strcmp(vocabulary_names[i], name) == 0)
			return i;
	fail_msg("unknown vocabulary \"%s\"", name);
	return 0;
}

static void
compare_call(void *context, const json_t *record, size_t line)
{
	Vocabularies *vocabularies = context;
	int which = find_vocabulary(record);
	GoldenTokenizer *golden = &vocabularies->golden[which];

	(void) line;
	if (vocabularies->words != (which == WORD_VOCABULARY))
		return;
	compare_encoding(&golden->tokenizer, record, &golden->arena);
	vocabularies->compared[which]++;
}

static void
calls_match(void **state)
{
	Vocabularies vocabularies;

	(void) state;
	open_vocabularies(&vocabularies);
	golden_each(TOKENIZER_DATA "encode-pairs.jsonl", compare_call, &vocabularies);
	assert_true(vocabularies.compared[0] > 0);
	assert_true(vocabularies.compared[1] > 0);
	close_vocabularies(&vocabularies);
}

static void
word_calls_match(void **state)
{
	Vocabularies vocabularies;

	(void) state;
	need_dictionary();
	open_vocabularies(&vocabularies);
	vocabularies.words = true;
	golden_each(TOKENIZER_DATA "encode-pairs.jsonl", compare_call, &vocabularies);
	assert_true(vocabularies.compared[WORD_VOCABULARY] > 0);
	close_vocabularies(&vocabularies);
}

static void
expect_decoded(GoldenTokenizer *golden, const json_t *record, const char *key, bool skip,
			   bool clean_up)
{
	const json_t *expected = json_object_get(record, key);
	const json_t *list = json_object_get(record, "ids");
	size_t count = json_array_size(list);
	int32_t *ids = malloc((count + 1) * sizeof(*ids));
	RfError err = {0};
	char *text;
	size_t length;

	assert_non_null(ids);
	for (size_t i = 0; i < count; i++)
		ids[i] = (int32_t) json_integer_value(json_array_get(list, i));
	assert_int_equal(rf_decode(&golden->tokenizer, ids, count, skip, clean_up, NULL, &golden->arena,
							   &text, &length, &err),
					 RF_OK);
	if (length != json_string_length(expected) ||
		memcmp(text, json_string_value(expected), length) != 0)
		fail_msg("%s: %s is \"%s\", expected \"%s\"",
				 json_string_value(json_object_get(record, "id")), key, text,
				 json_string_value(expected));
	free(ids);
}

static void
compare_decoded(void *context, const json_t *record, size_t line)
{
	Vocabularies *vocabularies = context;
	int which = find_vocabulary(record);
	GoldenTokenizer *golden = &vocabularies->golden[which];
	const json_t *ids = json_object_get(record, "ids");

	(void) line;
	expect_decoded(golden, record, "decode", false, true);
	expect_decoded(golden, record, "decode_skip", true, true);
	expect_decoded(golden, record, "decode_noclean", false, false);
	expect_decoded(golden, record, "decode_skip_noclean", true, false);
	expect_decoded(golden, record, "tokens_to_string", false, false);
	for (size_t i = 0; i < json_array_size(ids); i++)
	{
		int32_t id = (int32_t) json_integer_value(json_array_get(ids, i));
		const json_t *mask = json_array_get(json_object_get(record, "special_mask_existing"), i);

		assert_int_equal(rf_tokenizer_is_special(&golden->tokenizer, id), json_integer_value(mask));
	}
	vocabularies->compared[which]++;
}

static void
decoded_texts_match(void **state)
{
	Vocabularies vocabularies;

	(void) state;
	open_vocabularies(&vocabularies);
	golden_each(TOKENIZER_DATA "decode.jsonl", compare_decoded, &vocabularies);
	for (int i = 0; i < VOCABULARY_COUNT; i++)
		assert_true(vocabularies.compared[i] > 0);
	close_vocabularies(&vocabularies);
}

static void
compare_model_record(void *context, const json_t *record, size_t line)
{
	Run *run = context;
	RfArenaMark mark = rf_arena_mark(&run->golden.arena);

	(void) line;
	if (json_object_get(record, "special_tokens_mask") == NULL)
		return;
	compare_encoding(&run->golden.tokenizer, record, &run->golden.arena);
	expect_token_texts(&run->golden.tokenizer, record);
	rf_arena_rewind(&run->golden.arena, mark);
	run->compared++;
}

static json_t *
read_model_config(const char *name)
{
	char path[256];
	char *text;
	size_t length = 0;
	json_t *config;

	snprintf(path, sizeof(path), GOLDEN_DATA "/models/%s/tokenizer_config.json", name);
	text = golden_read(path, &length);
	assert_non_null(text);
	config = json_loadb(text, length, 0, NULL);
	assert_non_null(config);
	free(text);
	return config;
}

/* The records of one model, if it has words or hasn't; adds how many there were. */
static void
compare_model(const char *path, bool words, size_t *compared)
{
	const char *base = strrchr(path, '/') + 1;
	char name[64];
	char vocab[256];
	Run run = {0};
	json_t *config;

	snprintf(name, sizeof(name), "%.*s", (int) strcspn(base, "."), base);
	config = read_model_config(name);
	if (is_word_tokenizer(config) == words)
	{
		snprintf(vocab, sizeof(vocab), GOLDEN_DATA "/models/%s/vocab.txt", name);
		golden_tokenizer_open(&run.golden, config, vocab);
		golden_each(path, compare_model_record, &run);
		golden_tokenizer_close(&run.golden);
	}
	json_decref(config);
	*compared += run.compared;
}

static void
compare_models(bool words)
{
	size_t compared = 0;
	glob_t files;

	assert_int_equal(glob(GOLDEN_DATA "/outputs/*.jsonl", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		compare_model(files.gl_pathv[i], words, &compared);
	globfree(&files);
	assert_true(compared > 0);
}

static void
model_inputs_match(void **state)
{
	(void) state;
	compare_models(false);
}

static void
word_model_inputs_match(void **state)
{
	(void) state;
	need_dictionary();
	compare_models(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wordpiece_tokens_match), cmocka_unit_test(fast_wordpiece_tokens_match),
		cmocka_unit_test(fast_word_tokens_match), cmocka_unit_test(words_match),
		cmocka_unit_test(word_tokens_match),      cmocka_unit_test(calls_match),
		cmocka_unit_test(word_calls_match),       cmocka_unit_test(decoded_texts_match),
		cmocka_unit_test(model_inputs_match),     cmocka_unit_test(word_model_inputs_match),
	};

	return cmocka_run_group_tests_name("golden_tokenizer", tests, NULL, NULL);
}
