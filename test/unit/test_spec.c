/*
 * test_spec.c - every golden model's files are understood, and its tensors match what they say.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_memory.h"
#include "rf/checkpoint.h"
#include "rf/spec.h"
#include "spec_files.h"

#define GOLDEN "test/golden/data/models"

typedef struct Golden
{
	const char *name;
	RfTask task;
	int32_t labels;
	int32_t sizes[5]; /* hidden, embedding, heads, layers, intermediate */
	RfActivation act;
	const char *traits; /* r: rotary_value, 2: V2, p: pooler, x: cross attention, u: untied */
	size_t unexpected;
	bool safetensors;
} Golden;

/* From the table of the goldens' README. */
static const Golden goldens[] = {
	{"clm-xattn", RF_TASK_CAUSAL_LM, 0, {32, 32, 4, 2, 64}, RF_ACT_GELU, "x", 0, true},
	{"clm-zh-char", RF_TASK_CAUSAL_LM, 0, {64, 64, 2, 2, 128}, RF_ACT_GELU, "", 0, true},
	{"enc-cased-nostrip", RF_TASK_ENCODER, 0, {32, 16, 2, 2, 64}, RF_ACT_SILU, "", 0, true},
	{"enc-en-proj", RF_TASK_ENCODER, 0, {40, 24, 4, 3, 96}, RF_ACT_RELU, "r", 2, true},
	{"enc-long", RF_TASK_ENCODER, 0, {32, 32, 2, 2, 64}, RF_ACT_GELU, "", 0, true},
	{"enc-zh-char-pool", RF_TASK_ENCODER, 0, {48, 48, 3, 2, 96}, RF_ACT_GELU, "p", 0, true},
	{"enc-zh-word", RF_TASK_ENCODER, 0, {64, 64, 4, 2, 128}, RF_ACT_GELU, "", 0, true},
	{"mc-en", RF_TASK_MULTIPLE_CHOICE, 0, {40, 40, 4, 2, 80}, RF_ACT_GELU, "", 0, true},
	{"mc-summary", RF_TASK_MULTIPLE_CHOICE, 0, {40, 40, 4, 2, 80}, RF_ACT_GELU, "", 0, false},
	{"mlm-en-untied", RF_TASK_MASKED_LM, 0, {64, 32, 2, 2, 128}, RF_ACT_GELU_TANH, "ru", 0, true},
	{"mlm-v2-zh", RF_TASK_MASKED_LM, 0, {64, 64, 4, 2, 160}, RF_ACT_RELU, "2", 0, true},
	{"mlm-zh-word", RF_TASK_MASKED_LM, 0, {48, 48, 4, 2, 128}, RF_ACT_GELU, "", 0, true},
	{"mlm-zh-word-bf16", RF_TASK_MASKED_LM, 0, {48, 48, 4, 2, 128}, RF_ACT_GELU, "", 0, true},
	{"mlm-zh-word-fp16", RF_TASK_MASKED_LM, 0, {48, 48, 4, 2, 128}, RF_ACT_GELU, "", 0, true},
	{"qa-en", RF_TASK_QUESTION_ANSWERING, 2, {128, 48, 2, 2, 256}, RF_ACT_GELU, "", 0, true},
	{"seqcls-en",
	 RF_TASK_SEQUENCE_CLASSIFICATION,
	 3,
	 {64, 64, 8, 2, 128},
	 RF_ACT_GELU,
	 "",
	 0,
	 true},
	{"seqcls-en-multi",
	 RF_TASK_SEQUENCE_CLASSIFICATION,
	 4,
	 {40, 40, 4, 2, 80},
	 RF_ACT_SILU,
	 "",
	 0,
	 false},
	{"seqcls-v2-zh",
	 RF_TASK_SEQUENCE_CLASSIFICATION,
	 3,
	 {48, 48, 4, 2, 96},
	 RF_ACT_RELU,
	 "2",
	 0,
	 true},
	{"seqcls-zh-reg",
	 RF_TASK_SEQUENCE_CLASSIFICATION,
	 1,
	 {32, 32, 4, 2, 64},
	 RF_ACT_GELU,
	 "",
	 0,
	 true},
	{"sim-zh-char", RF_TASK_CAUSAL_LM, 0, {64, 64, 4, 2, 128}, RF_ACT_GELU, "p", 0, true},
	{"tokcls-en", RF_TASK_TOKEN_CLASSIFICATION, 7, {96, 96, 3, 2, 160}, RF_ACT_GELU, "", 0, true},
	{"tokcls-zh-word",
	 RF_TASK_TOKEN_CLASSIFICATION,
	 5,
	 {32, 32, 2, 2, 64},
	 RF_ACT_GELU,
	 "",
	 0,
	 false},
};

#define GOLDEN_COUNT (sizeof(goldens) / sizeof(goldens[0]))

static RfArena arena;

static int
set_up(void **state)
{
	(void) state;
	rf_arena_init(&arena, rf_memory_malloc);
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	rf_arena_free(&arena);
	return 0;
}

static void
parse_directory(const char *directory, RfSpec *spec)
{
	RfFile *files;
	size_t count = spec_files_read(directory, &arena, &files);
	RfError err;

	if (rf_spec_parse(files, count, &arena, spec, &err) != RF_OK)
		fail_msg("%s: %s (%s)", directory, err.message, err.detail);
}

static bool
has_trait(const Golden *golden, char trait)
{
	return strchr(golden->traits, trait) != NULL;
}

static void
check_config(const Golden *golden, const RfConfig *config)
{
	assert_int_equal(config->task, golden->task);
	assert_int_equal(config->num_labels, golden->labels);
	assert_int_equal(config->hidden_size, golden->sizes[0]);
	assert_int_equal(config->embedding_size, golden->sizes[1]);
	assert_int_equal(config->num_attention_heads, golden->sizes[2]);
	assert_int_equal(config->num_hidden_layers, golden->sizes[3]);
	assert_int_equal(config->intermediate_size, golden->sizes[4]);
	assert_int_equal(config->hidden_act, golden->act);
	assert_int_equal(config->rotary_value, has_trait(golden, 'r'));
	assert_int_equal(config->rms_norm, has_trait(golden, '2'));
	assert_int_equal(config->use_bias, !has_trait(golden, '2'));
	assert_int_equal(config->add_cross_attention, has_trait(golden, 'x'));
	assert_int_equal(config->tie_word_embeddings, !has_trait(golden, 'u'));
}

static RfCheckpoint *
open_weights(const char *directory)
{
	RfCheckpoint *checkpoint;
	RfError err;

	if (rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err) != RF_OK)
		fail_msg("%s: %s (%s)", directory, err.message, err.detail);
	return checkpoint;
}

static void
match_all(RfSpec *spec, const RfTensorDesc *tensors, size_t count, RfMatch *match)
{
	RfError err;

	if (rf_spec_match(spec, tensors, count, &arena, match, &err) != RF_OK)
		fail_msg("%s: %s (%s)", spec->architecture, err.message, err.detail);
	for (size_t i = 1; i < match->count; i++)
		assert_true(strcmp(match->parameters[i - 1].name, match->parameters[i].name) < 0);
}

/* Stored under their canonical names, as the server does, the parameters match one by one. */
static void
check_matched_again(RfSpec *spec, const RfTensorDesc *tensors, const RfMatch *match)
{
	RfTensorDesc *stored = rf_arena_alloc(&arena, match->count, sizeof(*stored));
	RfMatch again;

	for (size_t i = 0; i < match->count; i++)
	{
		stored[i] = tensors[match->parameters[i].source];
		stored[i].name = match->parameters[i].name;
	}
	match_all(spec, stored, match->count, &again);
	assert_int_equal(again.count, match->count);
	assert_int_equal(again.unexpected_count, 0);
	assert_true(again.total == match->total);
	for (size_t i = 0; i < match->count; i++)
	{
		assert_string_equal(again.parameters[i].name, match->parameters[i].name);
		assert_int_equal(again.parameters[i].source, i);
	}
}

static void
golden_models_are_understood(void **state)
{
	(void) state;
	for (size_t i = 0; i < GOLDEN_COUNT; i++)
	{
		char directory[256];
		RfSpec spec;
		RfCheckpoint *checkpoint;
		RfMatch match;

		snprintf(directory, sizeof(directory), "%s/%s", GOLDEN, goldens[i].name);
		parse_directory(directory, &spec);
		check_config(&goldens[i], &spec.config);
		if (!goldens[i].safetensors)
			continue;
		checkpoint = open_weights(directory);
		match_all(&spec, rf_checkpoint_tensor(checkpoint, 0), rf_checkpoint_count(checkpoint),
				  &match);
		assert_int_equal(match.unexpected_count, goldens[i].unexpected);
		assert_int_equal(spec.config.has_pooler, has_trait(&goldens[i], 'p'));
		check_matched_again(&spec, rf_checkpoint_tensor(checkpoint, 0), &match);
		rf_checkpoint_close(checkpoint);
	}
}

static void
table_is_complete(void **state)
{
	DIR *directory = opendir(GOLDEN);
	struct dirent *entry;
	size_t models = 0;

	(void) state;
	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL)
		models += entry->d_name[0] != '.';
	closedir(directory);
	assert_int_equal(models, GOLDEN_COUNT);
}

static void
golden_details(void **state)
{
	RfSpec spec;

	(void) state;
	parse_directory(GOLDEN "/seqcls-zh-reg", &spec);
	assert_int_equal(spec.config.problem, RF_PROBLEM_REGRESSION);
	assert_string_equal(spec.labels[0], "score");
	parse_directory(GOLDEN "/seqcls-en-multi", &spec);
	assert_int_equal(spec.config.problem, RF_PROBLEM_MULTI_LABEL);
	assert_string_equal(spec.labels[3], "obscene");
	parse_directory(GOLDEN "/seqcls-v2-zh", &spec);
	assert_string_equal(spec.labels[1], "\xE4\xB8\xAD\xE6\x80\xA7");
	parse_directory(GOLDEN "/sim-zh-char", &spec);
	assert_int_equal(spec.config.pooler_act, RF_ACT_LINEAR);
	assert_int_equal(spec.config.eos_token_id, 8);
	assert_int_equal(spec.config.bos_token_id, -1);
	parse_directory(GOLDEN "/enc-zh-char-pool", &spec);
	assert_int_equal(spec.config.pooler_act, RF_ACT_TANH);
	parse_directory(GOLDEN "/mc-summary", &spec);
	assert_int_equal(spec.config.summary, RF_SUMMARY_FIRST);
	assert_true(spec.config.summary_use_proj);
	assert_int_equal(spec.config.summary_activation, RF_ACT_TANH);
	parse_directory(GOLDEN "/enc-long", &spec);
	assert_int_equal(spec.config.max_position_embeddings, 2048);
	parse_directory(GOLDEN "/enc-cased-nostrip", &spec);
	assert_true(spec.config.layer_norm_eps == 1e-5);
	assert_int_equal(spec.tokenizer.do_lower_case, false);
	parse_directory(GOLDEN "/enc-zh-word", &spec);
	assert_int_equal(spec.tokenizer.tokenizer_class, RF_TOKENIZER_ROFORMER);
	assert_string_equal(spec.architecture, "RoFormerModel");
	assert_string_equal(spec.vocab.name, "vocab.txt");
}

/* A sentence-transformers directory: mean pooling, normalised. */
static void
bundled_embedding_model(void **state)
{
	RfSpec spec;
	RfMatch match;
	RfCheckpoint *checkpoint;

	(void) state;
	parse_directory("models/roformer-embed-en", &spec);
	assert_int_equal(spec.config.pooling, RF_POOL_MEAN);
	assert_true(spec.config.normalize_embedding);
	checkpoint = open_weights("models/roformer-embed-en");
	match_all(&spec, rf_checkpoint_tensor(checkpoint, 0), rf_checkpoint_count(checkpoint), &match);
	assert_int_equal(match.unexpected_count, 0);
	rf_checkpoint_close(checkpoint);
}

/* config.json calls for as many embeddings as the vocabulary has tokens, or for one less. */
static void
tokens_without_embedding_are_refused(void **state)
{
	static const char five[] =
		"{\"model_type\": \"roformer\", \"vocab_size\": 5}";
	static const char four[] =
		"{\"model_type\": \"roformer\", \"vocab_size\": 4}";
	RfFile files[2];
	RfSpec spec;
	RfError err;
	void *block;
	size_t size;

	(void) state;
	spec_files_make(five, files);
	assert_int_equal(rf_spec_parse(files, 2, &arena, &spec, &err), RF_OK);
	assert_int_equal(rf_spec_compile_tokenizer(&spec, &arena, &block, &size, &err), RF_OK);
	spec_files_make(four, files);
	assert_int_equal(rf_spec_parse(files, 2, &arena, &spec, &err), RF_OK);
	assert_int_equal(rf_spec_compile_tokenizer(&spec, &arena, &block, &size, &err), RF_CORRUPT);
	assert_string_equal(err.origin, "vocab.txt");
	assert_non_null(strstr(err.detail, "is 4"));
}

/* The parsed JSON is not in the arena: a sanitizer tells when a failure leaves it behind. */
static void
running_out_of_memory_is_an_error(void **state)
{
	RfFile *files;
	size_t count = spec_files_read("models/roformer-intent-clinc150", &arena, &files);
	RfCheckpoint *checkpoint = open_weights("models/roformer-intent-clinc150");
	FailingMemory failing;
	RfMemory memory = failing_memory(&failing);
	RfCode code = RF_NO_MEMORY;

	(void) state;
	for (size_t calls = 0; code != RF_OK; calls++)
	{
		RfArena scarce;
		RfSpec spec;
		RfMatch match;
		RfError err;

		failing = (FailingMemory){calls, 0};
		rf_arena_init(&scarce, memory);
		code = rf_spec_parse(files, count, &scarce, &spec, &err);
		if (code == RF_OK)
			code = rf_spec_match(&spec, rf_checkpoint_tensor(checkpoint, 0),
								 rf_checkpoint_count(checkpoint), &scarce, &match, &err);
		rf_arena_free(&scarce);
		assert_true(code == RF_OK || code == RF_NO_MEMORY);
		assert_int_equal(failing.held, 0);
		assert_true(calls < 100);
	}
	rf_checkpoint_close(checkpoint);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(golden_models_are_understood),
		TEST(table_is_complete),
		TEST(golden_details),
		TEST(bundled_embedding_model),
		TEST(tokens_without_embedding_are_refused),
		TEST(running_out_of_memory_is_an_error),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
