/*
 * test_spec_config.c - defaults, names, and absurd values of config.json and the pooling files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rf/spec.h"
#include "spec_files.h"

static RfArena arena;
static RfSpec spec;
static RfError err;

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

static RfCode
parse(const char *config)
{
	RfFile files[2];

	spec_files_make(config, files);
	return rf_spec_parse(files, 2, &arena, &spec, &err);
}

static void
expect_good(const char *config)
{
	if (parse(config) != RF_OK)
		fail_msg("%s: %s", config, err.message);
}

/* members: what follows the opening brace of a good configuration */
static RfCode
parse_with(const char *members)
{
	char config[1024];

	snprintf(config, sizeof(config), "{\"model_type\":\"roformer\",%s}", members);
	return parse(config);
}

static void
expect_bad(const char *members, RfCode code, const char *message)
{
	RfCode got = parse_with(members);

	if (got != code || strstr(err.message, message) == NULL)
		fail_msg("%s gives %d: %s", members, got, got == RF_OK ? "" : err.message);
	assert_string_equal(err.origin, "config.json");
}

static void
defaults_are_the_reference_s(void **state)
{
	const RfConfig *config = &spec.config;

	(void) state;
	expect_good("{\"model_type\":\"roformer\"}");
	assert_string_equal(spec.architecture, "RoFormerModel");
	assert_int_equal(config->task, RF_TASK_ENCODER);
	assert_int_equal(config->vocab_size, 50000);
	assert_int_equal(config->embedding_size, 768);
	assert_int_equal(config->hidden_size, 768);
	assert_int_equal(config->num_hidden_layers, 12);
	assert_int_equal(config->num_attention_heads, 12);
	assert_int_equal(config->intermediate_size, 3072);
	assert_int_equal(config->type_vocab_size, 2);
	assert_int_equal(config->max_position_embeddings, 1536);
	assert_int_equal(config->num_labels, 0);
	assert_null(spec.labels);
	assert_int_equal(config->pad_token_id, 0);
	assert_int_equal(config->bos_token_id, -1);
	assert_int_equal(config->eos_token_id, -1);
	assert_true(config->layer_norm_eps == 1e-12);
	assert_int_equal(config->hidden_act, RF_ACT_GELU);
	assert_int_equal(config->pooler_act, RF_ACT_TANH);
	assert_false(config->rotary_value);
	assert_false(config->is_decoder);
	assert_false(config->add_cross_attention);
	assert_true(config->tie_word_embeddings);
	assert_false(config->rms_norm);
	assert_true(config->use_bias);
	assert_false(config->has_pooler);
	assert_int_equal(config->summary, RF_SUMMARY_LAST);
	assert_false(config->summary_use_proj);
	assert_int_equal(config->summary_activation, -1);
	assert_int_equal(config->pooling, RF_POOL_MEAN);
	assert_false(config->normalize_embedding);
}

static void
null_means_default(void **state)
{
	(void) state;
	expect_good("{\"model_type\":\"roformer\",\"architectures\":null,\"embedding_size\":null,"
				"\"hidden_size\":null,\"pad_token_id\":null,\"eos_token_id\":null,"
				"\"id2label\":null,\"problem_type\":null,\"hidden_act\":null,\"use_bias\":null}");
	assert_int_equal(spec.config.embedding_size, 768);
	assert_int_equal(spec.config.eos_token_id, -1);
	assert_true(spec.config.use_bias);
}

static void
architecture_chooses_the_task(void **state)
{
	static const struct
	{
		const char *name;
		RfTask task;
		const char *task_name;
	} rows[] = {
		{"RoFormerModel", RF_TASK_ENCODER, "encoder"},
		{"RoFormerForMaskedLM", RF_TASK_MASKED_LM, "masked language modeling"},
		{"RoFormerForSequenceClassification", RF_TASK_SEQUENCE_CLASSIFICATION,
		 "sequence classification"},
		{"RoFormerForTokenClassification", RF_TASK_TOKEN_CLASSIFICATION, "token classification"},
		{"RoFormerForQuestionAnswering", RF_TASK_QUESTION_ANSWERING, "question answering"},
		{"RoFormerForMultipleChoice", RF_TASK_MULTIPLE_CHOICE, "multiple choice"},
		{"RoFormerForCausalLM", RF_TASK_CAUSAL_LM, "causal language modeling"},
	};
	char config[256];

	(void) state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		snprintf(config, sizeof(config), "{\"architectures\":[\"%s\"]}", rows[i].name);
		expect_good(config);
		assert_string_equal(spec.architecture, rows[i].name);
		assert_int_equal(spec.config.task, rows[i].task);
		assert_string_equal(rf_task_name(spec.config.task), rows[i].task_name);
	}
	expect_bad("\"architectures\":[\"RoFormerForPreTraining\"]", RF_UNSUPPORTED,
			   "unknown model architecture \"RoFormerForPreTraining\"");
	assert_non_null(strstr(err.hint, "RoFormerModel"));
	expect_bad("\"architectures\":[\"BertModel\"]", RF_UNSUPPORTED, "\"BertModel\"");
	expect_bad("\"architectures\":\"RoFormerModel\"", RF_CORRUPT, "not an array");
	expect_bad("\"architectures\":[1]", RF_CORRUPT, "not an array of strings");
	assert_int_equal(parse("{\"model_type\":\"bert\",\"architectures\":[\"RoFormerModel\"]}"),
					 RF_UNSUPPORTED);
	assert_string_equal(err.message, "model of type \"bert\" is not a RoFormer model");
	assert_int_equal(parse("{}"), RF_UNSUPPORTED);
	assert_int_equal(parse("{\"model_type\":7}"), RF_CORRUPT);
	assert_int_equal(parse("{"), RF_CORRUPT);
	assert_int_equal(parse(""), RF_CORRUPT);
}

static void
sizes_are_sane(void **state)
{
	(void) state;
	expect_bad("\"num_attention_heads\":0", RF_CORRUPT, "\"num_attention_heads\" is 0, outside 1");
	expect_bad("\"num_attention_heads\":-12", RF_CORRUPT, "\"num_attention_heads\" is -12");
	expect_bad("\"num_attention_heads\":7", RF_CORRUPT,
			   "hidden_size 768 is not a multiple of num_attention_heads 7");
	expect_bad("\"num_attention_heads\":1536", RF_CORRUPT, "is not a multiple of");
	expect_bad("\"num_attention_heads\":256", RF_CORRUPT, "head size 3 is odd");
	expect_bad("\"num_hidden_layers\":1000000000", RF_LIMIT,
			   "\"num_hidden_layers\" is 1000000000, more than 4096");
	expect_bad("\"num_hidden_layers\":0", RF_CORRUPT, "\"num_hidden_layers\" is 0");
	expect_bad("\"num_hidden_layers\":99999999999999999999", RF_CORRUPT, "not valid JSON");
	expect_bad("\"num_hidden_layers\":\"12\"", RF_CORRUPT, "not an integer");
	expect_bad("\"num_hidden_layers\":12.5", RF_CORRUPT, "not an integer");
	expect_bad("\"hidden_size\":0", RF_CORRUPT, "\"hidden_size\" is 0");
	expect_bad("\"hidden_size\":4294967296", RF_LIMIT, "\"hidden_size\" is 4294967296, more than");
	expect_bad("\"embedding_size\":0", RF_CORRUPT, "\"embedding_size\" is 0");
	expect_bad("\"embedding_size\":65537", RF_LIMIT, "\"embedding_size\" is 65537");
	expect_bad("\"intermediate_size\":-1", RF_CORRUPT, "\"intermediate_size\" is -1");
	expect_bad("\"intermediate_size\":262145", RF_LIMIT, "\"intermediate_size\"");
	expect_bad("\"vocab_size\":0", RF_CORRUPT, "\"vocab_size\" is 0");
	expect_bad("\"vocab_size\":16777217", RF_LIMIT, "\"vocab_size\" is 16777217");
	expect_bad("\"type_vocab_size\":0", RF_CORRUPT, "\"type_vocab_size\" is 0");
	expect_bad("\"type_vocab_size\":1025", RF_LIMIT, "\"type_vocab_size\"");
	expect_bad("\"max_position_embeddings\":0", RF_CORRUPT, "\"max_position_embeddings\" is 0");
	expect_bad("\"max_position_embeddings\":16777217", RF_LIMIT, "\"max_position_embeddings\"");
	expect_bad("\"pad_token_id\":50000", RF_CORRUPT, "\"pad_token_id\" is 50000, outside 0");
	expect_bad("\"eos_token_id\":50000", RF_CORRUPT, "\"eos_token_id\"");
	expect_bad("\"bos_token_id\":-2", RF_CORRUPT, "\"bos_token_id\"");
	expect_bad("\"layer_norm_eps\":-1e-12", RF_CORRUPT, "\"layer_norm_eps\" is -1e-12");
	expect_bad("\"layer_norm_eps\":0", RF_CORRUPT, "\"layer_norm_eps\" is 0");
	expect_bad("\"layer_norm_eps\":2", RF_CORRUPT, "\"layer_norm_eps\" is 2");
	expect_bad("\"layer_norm_eps\":NaN", RF_CORRUPT, "not valid JSON");
	expect_bad("\"layer_norm_eps\":\"1e-12\"", RF_CORRUPT, "not a number");
	expect_bad("\"rotary_value\":1", RF_CORRUPT, "not a boolean");
	expect_bad("\"add_cross_attention\":true", RF_CORRUPT, "not a decoder");
}

static void
largest_sizes_are_taken(void **state)
{
	(void) state;
	expect_good("{\"model_type\":\"roformer\",\"num_hidden_layers\":4096,\"hidden_size\":65536,"
				"\"num_attention_heads\":32768,\"intermediate_size\":262144,"
				"\"vocab_size\":16777216,\"embedding_size\":65536,\"type_vocab_size\":1024,"
				"\"max_position_embeddings\":16777216}");
	assert_int_equal(spec.config.vocab_size, 16777216);
}

static void
activations_have_their_names(void **state)
{
	static const struct
	{
		const char *name;
		RfActivation activation;
	} rows[] = {
		{"gelu", RF_ACT_GELU},           {"gelu_python", RF_ACT_GELU},
		{"gelu_new", RF_ACT_GELU_TANH},  {"gelu_pytorch_tanh", RF_ACT_GELU_TANH},
		{"gelu_fast", RF_ACT_GELU_FAST}, {"quick_gelu", RF_ACT_QUICK_GELU},
		{"gelu_10", RF_ACT_GELU_10},     {"gelu_accurate", RF_ACT_GELU_ACCURATE},
		{"relu", RF_ACT_RELU},           {"relu6", RF_ACT_RELU6},
		{"relu2", RF_ACT_RELU2},         {"leaky_relu", RF_ACT_LEAKY_RELU},
		{"silu", RF_ACT_SILU},           {"swish", RF_ACT_SILU},
		{"tanh", RF_ACT_TANH},           {"sigmoid", RF_ACT_SIGMOID},
		{"linear", RF_ACT_LINEAR},       {"mish", RF_ACT_MISH},
		{"selu", RF_ACT_SELU},           {"laplace", RF_ACT_LAPLACE},
	};
	char members[128];

	(void) state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		snprintf(members, sizeof(members), "\"hidden_act\":\"%s\"", rows[i].name);
		assert_int_equal(parse_with(members), RF_OK);
		assert_int_equal(spec.config.hidden_act, rows[i].activation);
		snprintf(members, sizeof(members), "\"pooler_activation\":\"%s\"", rows[i].name);
		assert_int_equal(parse_with(members), RF_OK);
		assert_int_equal(spec.config.pooler_act, rows[i].activation);
	}
	expect_bad("\"hidden_act\":\"gelu2\"", RF_UNSUPPORTED,
			   "unknown activation \"gelu2\" in \"hidden_act\"");
	expect_bad("\"hidden_act\":7", RF_CORRUPT, "not a string");
	expect_bad("\"pooler_activation\":\"\"", RF_UNSUPPORTED, "unknown activation");
	/* RoFormer-Sim's pooler is linear though its file may not say so. */
	assert_int_equal(parse_with("\"architectures\":[\"RoFormerForCausalLM\"]"), RF_OK);
	assert_int_equal(spec.config.pooler_act, RF_ACT_LINEAR);
}

static void
second_version_is_recognised(void **state)
{
	(void) state;
	assert_int_equal(parse_with("\"norm_type\":\"rms_norm\",\"use_bias\":false"), RF_OK);
	assert_true(spec.config.rms_norm);
	assert_false(spec.config.use_bias);
	expect_bad("\"norm_type\":\"batch_norm\"", RF_UNSUPPORTED, "unknown norm_type \"batch_norm\"");
	expect_bad("\"architectures\":[\"RoFormerForMaskedLM\"],\"norm_type\":\"rms_norm\","
			   "\"embedding_size\":384",
			   RF_UNSUPPORTED, "RoFormer-V2 language model with embedding_size 384");
}

#define CLASSIFIER "\"architectures\":[\"RoFormerForSequenceClassification\"],"

static void
labels_are_ordered_and_complete(void **state)
{
	(void) state;
	assert_int_equal(
		parse_with(CLASSIFIER "\"num_labels\":9,\"id2label\":{\"2\":\"c\",\"0\":\"\",\"1\":\"b\"}"),
		RF_OK);
	assert_int_equal(spec.config.num_labels, 3);
	assert_string_equal(spec.labels[0], "");
	assert_string_equal(spec.labels[1], "b");
	assert_string_equal(spec.labels[2], "c");
	assert_int_equal(parse_with(CLASSIFIER "\"num_labels\":11"), RF_OK);
	assert_int_equal(spec.config.num_labels, 11);
	assert_string_equal(spec.labels[10], "LABEL_10");
	assert_int_equal(parse_with(CLASSIFIER "\"x\":0"), RF_OK);
	assert_int_equal(spec.config.num_labels, 2);
	assert_int_equal(parse_with("\"architectures\":[\"RoFormerForQuestionAnswering\"],"
								"\"id2label\":{\"0\":\"a\",\"1\":\"b\",\"2\":\"c\"}"),
					 RF_OK);
	assert_int_equal(spec.config.num_labels, 2);
	assert_string_equal(spec.labels[1], "LABEL_1");
	/* What a model without labels says about them does not count. */
	assert_int_equal(parse_with("\"id2label\":{\"5\":\"x\"},\"num_labels\":-1"), RF_OK);
	assert_int_equal(spec.config.num_labels, 0);
}

static void
broken_labels_are_refused(void **state)
{
	static const char *const keys[] = {"2",  "-1", "01", "00",         " 1",
									   "1 ", "x",  "",   "4294967296", "18446744073709551616"};
	char members[256];

	(void) state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		snprintf(members, sizeof(members), CLASSIFIER "\"id2label\":{\"0\":\"a\",\"%s\":\"b\"}",
				 keys[i]);
		expect_bad(members, RF_CORRUPT, "\"id2label\" has 2 labels, but");
	}
	expect_bad(CLASSIFIER "\"id2label\":{\"0\":1}", RF_CORRUPT, "label 0 is not a string");
	expect_bad(CLASSIFIER "\"id2label\":{}", RF_CORRUPT, "\"id2label\" is empty");
	expect_bad(CLASSIFIER "\"id2label\":[\"a\"]", RF_CORRUPT, "\"id2label\" is not an object");
	expect_bad(CLASSIFIER "\"num_labels\":0", RF_CORRUPT, "\"num_labels\" is 0");
	expect_bad(CLASSIFIER "\"num_labels\":1048577", RF_LIMIT, "1048577 labels, more than");
	expect_bad(CLASSIFIER "\"id2label\":{\"0\":\"a\",\"0\":\"b\"}", RF_CORRUPT, "not valid JSON");
}

static void
problem_decides_the_scores(void **state)
{
	(void) state;
	assert_int_equal(parse_with(CLASSIFIER "\"num_labels\":3"), RF_OK);
	assert_int_equal(spec.config.problem, RF_PROBLEM_SINGLE_LABEL);
	assert_int_equal(parse_with(CLASSIFIER "\"num_labels\":1"), RF_OK);
	assert_int_equal(spec.config.problem, RF_PROBLEM_REGRESSION);
	assert_int_equal(
		parse_with(CLASSIFIER "\"num_labels\":1,\"problem_type\":\"multi_label_classification\""),
		RF_OK);
	assert_int_equal(spec.config.problem, RF_PROBLEM_MULTI_LABEL);
	assert_int_equal(parse_with(CLASSIFIER "\"problem_type\":\"regression\""), RF_OK);
	assert_int_equal(spec.config.problem, RF_PROBLEM_REGRESSION);
	assert_int_equal(
		parse_with(CLASSIFIER "\"num_labels\":1,\"problem_type\":\"single_label_classification\""),
		RF_OK);
	assert_int_equal(spec.config.problem, RF_PROBLEM_SINGLE_LABEL);
	expect_bad(CLASSIFIER "\"problem_type\":\"ranking\"", RF_UNSUPPORTED,
			   "unknown problem_type \"ranking\"");
	assert_int_equal(
		parse_with("\"architectures\":[\"RoFormerForTokenClassification\"],\"num_labels\":1"),
		RF_OK);
	assert_int_equal(spec.config.problem, RF_PROBLEM_SINGLE_LABEL);
}

#define CHOICE "\"architectures\":[\"RoFormerForMultipleChoice\"],"

static void
summary_is_read(void **state)
{
	(void) state;
	assert_int_equal(parse_with(CHOICE "\"summary_type\":\"mean\",\"summary_use_proj\":false"),
					 RF_OK);
	assert_int_equal(spec.config.summary, RF_SUMMARY_MEAN);
	assert_int_equal(spec.config.num_labels, 0);
	assert_int_equal(parse_with(CHOICE "\"summary_type\":\"cls_index\""), RF_OK);
	assert_int_equal(spec.config.summary, RF_SUMMARY_LAST);
	assert_int_equal(parse_with(CHOICE "\"summary_activation\":\"\""), RF_OK);
	assert_int_equal(spec.config.summary_activation, -1);
	assert_int_equal(parse_with(CHOICE "\"summary_activation\":\"relu\""), RF_OK);
	assert_int_equal(spec.config.summary_activation, RF_ACT_RELU);
	expect_bad(CHOICE "\"summary_type\":\"attn\"", RF_UNSUPPORTED,
			   "summary_type \"attn\" is not supported");
	expect_bad(CHOICE "\"summary_type\":\"best\"", RF_UNSUPPORTED, "unknown summary_type \"best\"");
	expect_bad(CHOICE "\"summary_activation\":\"x\"", RF_UNSUPPORTED, "in \"summary_activation\"");
	expect_bad(CHOICE "\"summary_use_proj\":true,\"summary_proj_to_labels\":true", RF_CORRUPT,
			   "summary projection to 2 labels does not fit hidden_size 768");
	assert_int_equal(parse_with(CHOICE "\"summary_use_proj\":true,\"summary_proj_to_labels\":true,"
									   "\"num_labels\":768"),
					 RF_OK);
	assert_true(spec.config.summary_use_proj);
	assert_int_equal(parse_with("\"summary_use_proj\":true,\"summary_type\":\"attn\""), RF_OK);
	assert_false(spec.config.summary_use_proj);
}

static RfCode
parse_pooling(const char *modules, const char *pooling)
{
	RfFile files[4];
	size_t count = 2;

	spec_files_make("{\"model_type\":\"roformer\"}", files);
	if (modules != NULL)
		files[count++] = (RfFile){"modules.json", modules, strlen(modules)};
	if (pooling != NULL)
		files[count++] = (RfFile){"1_Pooling/config.json", pooling, strlen(pooling)};
	return rf_spec_parse(files, count, &arena, &spec, &err);
}

#define MODULE(path, type) "{\"idx\":0,\"name\":\"0\",\"path\":\"" path "\",\"type\":\"" type "\"}"
#define TRANSFORMER MODULE("", "sentence_transformers.models.Transformer")
#define POOLING MODULE("1_Pooling", "sentence_transformers.models.Pooling")
#define NORMALIZE MODULE("2_Normalize", "sentence_transformers.models.Normalize")
#define DENSE MODULE("2_Dense", "sentence_transformers.models.Dense")

static void
pooling_comes_from_the_files(void **state)
{
	(void) state;
	assert_int_equal(parse_pooling("[" TRANSFORMER "," POOLING "," NORMALIZE "]",
								   "{\"word_embedding_dimension\":768,"
								   "\"pooling_mode_cls_token\":true,"
								   "\"pooling_mode_mean_tokens\":false}"),
					 RF_OK);
	assert_int_equal(spec.config.pooling, RF_POOL_CLS);
	assert_true(spec.config.normalize_embedding);
	assert_int_equal(
		parse_pooling("[" TRANSFORMER "," POOLING "]", "{\"pooling_mode_max_tokens\":true}"),
		RF_OK);
	assert_int_equal(spec.config.pooling, RF_POOL_MAX);
	assert_false(spec.config.normalize_embedding);
	assert_int_equal(parse_pooling(NULL, "{\"pooling_mode\":\"cls\"}"), RF_OK);
	assert_int_equal(spec.config.pooling, RF_POOL_CLS);
	assert_int_equal(parse_pooling(NULL, "{}"), RF_OK);
	assert_int_equal(spec.config.pooling, RF_POOL_MEAN);
	/* A pooling file that modules.json does not name is not part of the model. */
	assert_int_equal(parse_pooling("[" TRANSFORMER "," NORMALIZE "]", "{\"pooling_mode\":\"cls\"}"),
					 RF_OK);
	assert_int_equal(spec.config.pooling, RF_POOL_MEAN);
	assert_true(spec.config.normalize_embedding);
	assert_int_equal(parse_pooling("[]", NULL), RF_OK);
}

static void
other_pooling_is_refused(void **state)
{
	(void) state;
	assert_int_equal(parse_pooling("{}", NULL), RF_CORRUPT);
	assert_int_equal(parse_pooling("[1]", NULL), RF_CORRUPT);
	assert_string_equal(err.origin, "modules.json");
	assert_int_equal(parse_pooling("[{\"type\":1}]", NULL), RF_CORRUPT);
	assert_int_equal(parse_pooling("[" TRANSFORMER "," POOLING "]", NULL), RF_NOT_FOUND);
	assert_non_null(strstr(err.message, "1_Pooling/config.json"));
	assert_int_equal(parse_pooling("[" TRANSFORMER "," POOLING "," DENSE "]", "{}"),
					 RF_UNSUPPORTED);
	assert_non_null(strstr(err.message, "sentence_transformers.models.Dense"));
	assert_int_equal(parse_pooling("[" MODULE("../x", "Pooling") "]", "{}"), RF_UNSUPPORTED);
	assert_int_equal(parse_pooling("[" POOLING "," POOLING "]", "{}"), RF_UNSUPPORTED);
	assert_int_equal(parse_pooling(NULL, "[]"), RF_CORRUPT);
	assert_int_equal(parse_pooling(NULL, "{\"word_embedding_dimension\":767}"), RF_CORRUPT);
	assert_string_equal(err.origin, "1_Pooling/config.json");
	assert_int_equal(parse_pooling(NULL, "{\"pooling_mode_mean_tokens\":false}"), RF_CORRUPT);
	assert_int_equal(parse_pooling(NULL, "{\"pooling_mode\":\"median\"}"), RF_UNSUPPORTED);
	assert_int_equal(parse_pooling(NULL, "{\"pooling_mode_lasttoken\":true}"), RF_UNSUPPORTED);
	assert_int_equal(parse_pooling(NULL, "{\"pooling_mode_cls_token\":true,"
										 "\"pooling_mode_max_tokens\":true}"),
					 RF_UNSUPPORTED);
	assert_non_null(strstr(err.message, "together is not supported"));
}

static void
required_files_are_named(void **state)
{
	RfFile files[2];

	(void) state;
	spec_files_make("{\"model_type\":\"roformer\"}", files);
	assert_int_equal(rf_spec_parse(files, 1, &arena, &spec, &err), RF_NOT_FOUND);
	assert_string_equal(err.message, "model has no file \"vocab.txt\"");
	assert_int_equal(rf_spec_parse(files + 1, 1, &arena, &spec, &err), RF_NOT_FOUND);
	assert_string_equal(err.message, "model has no file \"config.json\"");
	assert_int_equal(rf_spec_parse(NULL, 0, &arena, &spec, &err), RF_NOT_FOUND);
}

/* The configuration is hashed as it lies in memory: padding must not vary. */
static void
equal_files_give_equal_bytes(void **state)
{
	RfConfig first;

	(void) state;
	memset(&spec, 0xAA, sizeof(spec));
	assert_int_equal(parse_with(CLASSIFIER "\"hidden_size\":96"), RF_OK);
	memcpy(&first, &spec.config, sizeof(first));
	memset(&spec, 0x55, sizeof(spec));
	assert_int_equal(parse_with(CLASSIFIER "\"hidden_size\":96"), RF_OK);
	assert_memory_equal(&first, &spec.config, sizeof(first));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_the_reference_s),
		TEST(null_means_default),
		TEST(architecture_chooses_the_task),
		TEST(sizes_are_sane),
		TEST(largest_sizes_are_taken),
		TEST(activations_have_their_names),
		TEST(second_version_is_recognised),
		TEST(labels_are_ordered_and_complete),
		TEST(broken_labels_are_refused),
		TEST(problem_decides_the_scores),
		TEST(summary_is_read),
		TEST(pooling_comes_from_the_files),
		TEST(other_pooling_is_refused),
		TEST(required_files_are_named),
		TEST(equal_files_give_equal_bytes),
	};

	return cmocka_run_group_tests_name("spec_config", tests, NULL, NULL);
}
