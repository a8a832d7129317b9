/*
 * test_spec_original.c - bert_config.json: keys of bert4keras, and what the tensors decide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "rf/spec.h"
#include "scratch_directory.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SIZES                                                                                      \
	"\"vocab_size\":5,\"hidden_size\":4,\"num_attention_heads\":1,\"num_hidden_layers\":1,"        \
	"\"intermediate_size\":6,\"hidden_act\":\"gelu\""

static RfArena arena;
static RfSpec spec;
static RfError err;

static int
set_up(void **state)
{
	(void) state;
	rf_arena_init(&arena, rf_memory_malloc);
	memset(&err, 0, sizeof(err));
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	rf_arena_free(&arena);
	return 0;
}

static RfCode
parse(const char *config)
{
	static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
	RfFile files[] = {{"bert_config.json", config, strlen(config)},
					  {"vocab.txt", vocab, sizeof(vocab) - 1}};

	return rf_spec_parse(files, 2, &arena, &spec, &err);
}

static void
expect_refused(const char *config, const char *words)
{
	assert_int_equal(parse(config), RF_UNSUPPORTED);
	if (strstr(err.message, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.message);
	assert_string_equal(err.origin, "bert_config.json");
}

static void
its_keys_are_translated(void **state)
{
	(void) state;
	assert_int_equal(parse("{" SIZES "}"), RF_OK);
	assert_int_equal(spec.config.hidden_size, 4);
	assert_int_equal(spec.config.type_vocab_size, 2);
	assert_int_equal(spec.config.max_position_embeddings, 1536);
	assert_int_equal(parse("{" SIZES ",\"max_position\":64,\"segment_vocab_size\":3,"
						   "\"attention_head_size\":4,\"attention_key_size\":4,"
						   "\"shared_segment_embeddings\":false}"),
					 RF_OK);
	assert_int_equal(spec.config.type_vocab_size, 3);
	assert_int_equal(spec.config.max_position_embeddings, 64);
}

static void
other_models_are_refused(void **state)
{
	(void) state;
	expect_refused("{" SIZES ",\"attention_head_size\":2}", "\"attention_head_size\" is 2");
	expect_refused("{" SIZES ",\"attention_key_size\":8}", "\"attention_key_size\" is 8");
	expect_refused("{" SIZES ",\"shared_segment_embeddings\":true}", "share the word embeddings");
	expect_refused("{" SIZES ",\"segment_vocab_size\":0}", "without token types");
	expect_refused("{" SIZES ",\"model_type\":\"bert\"}", "is not a RoFormer model");
	assert_int_equal(parse("{" SIZES ",\"max_position\":\"long\"}"), RF_CORRUPT);
}

/* The fewest tensors by which a model is told: matching fails for the rest, but has decided. */
static void
expect_inferred(const char *const *names, size_t count, const char *architecture, bool rms_norm)
{
	RfTensorDesc tensors[8] = {{0}};
	RfMatch match;

	for (size_t i = 0; i < count; i++)
		tensors[i].name = names[i];
	assert_int_equal(parse("{" SIZES "}"), RF_OK);
	assert_int_equal(rf_spec_match(&spec, tensors, count, &arena, &match, &err), RF_CORRUPT);
	assert_string_equal(spec.architecture, architecture);
	assert_int_equal(spec.config.rms_norm, rms_norm);
	assert_int_equal(spec.config.use_bias, !rms_norm);
}

static void
tensors_decide_what_it_is(void **state)
{
	const char *const names[] = {"roformer.embeddings.LayerNorm.weight", "cls.predictions.bias",
								 "roformer.pooler.dense.weight"};
	const char *const pooler[] = {"embeddings.LayerNorm.weight", "pooler.dense.weight"};
	const char *const second[] = {"roformer.embeddings.word_embeddings.weight"};

	(void) state;
	expect_inferred(names, 1, "RoFormerModel", false);
	expect_inferred(names, 2, "RoFormerForMaskedLM", false);
	assert_int_equal(spec.config.task, RF_TASK_MASKED_LM);
	expect_inferred(names, 3, "RoFormerForCausalLM", false);
	assert_int_equal(spec.config.task, RF_TASK_CAUSAL_LM);
	assert_int_equal(spec.config.pooler_act, RF_ACT_LINEAR);
	assert_true(spec.config.is_decoder && spec.config.has_pooler);
	expect_inferred(pooler, 2, "RoFormerModel", false);
	assert_int_equal(spec.config.pooler_act, RF_ACT_TANH);
	expect_inferred(second, 1, "RoFormerForMaskedLM", true);
}

static void
what_it_says_is_not_overruled(void **state)
{
	RfTensorDesc tensor = {.name = "cls.predictions.bias"};
	RfMatch match;

	(void) state;
	assert_int_equal(parse("{" SIZES ",\"architectures\":[\"RoFormerModel\"],"
						   "\"norm_type\":\"layer_norm\"}"),
					 RF_OK);
	assert_int_equal(rf_spec_match(&spec, &tensor, 1, &arena, &match, &err), RF_CORRUPT);
	assert_int_equal(spec.config.task, RF_TASK_ENCODER);
	assert_false(spec.config.rms_norm);
}

static void
bert_is_told_apart(void **state)
{
	RfTensorDesc tensor = {.name = "roformer.embeddings.position_embeddings"};
	RfMatch match;

	(void) state;
	assert_int_equal(parse("{" SIZES "}"), RF_OK);
	assert_int_equal(rf_spec_match(&spec, &tensor, 1, &arena, &match, &err), RF_UNSUPPORTED);
	assert_non_null(strstr(err.message, "it is BERT, not RoFormer"));
}

/* config.json goes before, and then the other one is not stored either. */
static void
one_of_the_two_is_read(void **state)
{
	const char *directory = scratch_make();
	RfFile *files;
	size_t count;

	(void) state;
	scratch_write_text("vocab.txt", "[PAD]\n");
	scratch_write_text("bert_config.json", "{}");
	assert_int_equal(rf_spec_read_files(directory, &arena, &files, &count, &err), RF_OK);
	assert_int_equal(count, 2);
	assert_string_equal(files[0].name, "bert_config.json");
	scratch_write_text("config.json", "{}");
	assert_int_equal(rf_spec_read_files(directory, &arena, &files, &count, &err), RF_OK);
	assert_int_equal(count, 2);
	assert_string_equal(files[0].name, "config.json");
	scratch_remove();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(its_keys_are_translated),   TEST(other_models_are_refused),
		TEST(tensors_decide_what_it_is), TEST(what_it_says_is_not_overruled),
		TEST(bert_is_told_apart),        TEST(one_of_the_two_is_read),
	};

	return cmocka_run_group_tests_name("spec_original", tests, NULL, NULL);
}
