/*
 * test_spec_match.c - tensors to parameters: naming rules, what may be absent, what is reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rf/spec.h"
#include "rf/utf8.h"
#include "spec_files.h"

#define MAX_TENSORS 128

static RfArena arena;
static RfSpec spec;
static RfError err;
static RfTensorDesc tensors[MAX_TENSORS];
static size_t tensor_count;
static RfMatch match;
static int layers;

static int
set_up(void **state)
{
	(void) state;
	rf_arena_init(&arena, rf_memory_malloc);
	tensor_count = 0;
	layers = 1;
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	rf_arena_free(&arena);
	return 0;
}

/* rows, columns: -1 for a vector */
static void
add(const char *prefix, const char *name, int rows, int columns)
{
	RfTensorDesc *tensor = &tensors[tensor_count++];
	char full[RF_MAX_TENSOR_NAME + 1];
	int length = snprintf(full, sizeof(full), "%s%s", prefix, name);

	assert_in_range(tensor_count, 1, MAX_TENSORS);
	*tensor = (RfTensorDesc){rf_arena_copy(&arena, full, (size_t) length),
							 RF_F32,
							 columns < 0 ? 1 : 2,
							 {(uint64_t) rows, columns < 0 ? 0 : (uint64_t) columns}};
}

static void
add_linear(const char *prefix, const char *name, int rows, int columns, bool bias)
{
	char full[RF_MAX_TENSOR_NAME + 1];

	snprintf(full, sizeof(full), "%s.weight", name);
	add(prefix, full, rows, columns);
	snprintf(full, sizeof(full), "%s.bias", name);
	if (bias)
		add(prefix, full, rows, -1);
}

/* One layer, H 4, I 6, V 10, two token types: 20 tensors, or 8 without biases and norms. */
static void
add_encoder(const char *prefix, bool v2)
{
	add(prefix, "embeddings.word_embeddings.weight", 10, 4);
	add(prefix, "embeddings.token_type_embeddings.weight", 2, 4);
	add_linear(prefix, "encoder.layer.0.attention.self.query", 4, 4, !v2);
	add_linear(prefix, "encoder.layer.0.attention.self.key", 4, 4, !v2);
	add_linear(prefix, "encoder.layer.0.attention.self.value", 4, 4, !v2);
	add_linear(prefix, "encoder.layer.0.attention.output.dense", 4, 4, !v2);
	add_linear(prefix, "encoder.layer.0.intermediate.dense", 6, 4, !v2);
	add_linear(prefix, "encoder.layer.0.output.dense", 4, 6, !v2);
	if (v2)
		return;
	add_linear(prefix, "embeddings.LayerNorm", 4, -1, true);
	add_linear(prefix, "encoder.layer.0.attention.output.LayerNorm", 4, -1, true);
	add_linear(prefix, "encoder.layer.0.output.LayerNorm", 4, -1, true);
}

static void
add_lm_head(void)
{
	add_linear("", "cls.predictions.transform.dense", 4, 4, true);
	add_linear("", "cls.predictions.transform.LayerNorm", 4, -1, true);
	add("", "cls.predictions.bias", 10, -1);
}

static RfTensorDesc *
find(const char *name)
{
	for (size_t i = 0; i < tensor_count; i++)
		if (strcmp(tensors[i].name, name) == 0)
			return &tensors[i];
	fail_msg("no tensor %s", name);
	return NULL;
}

static void
remove_tensor(const char *name)
{
	*find(name) = tensors[tensor_count - 1];
	tensor_count--;
}

static RfCode
try_match(const char *architecture, const char *members)
{
	char config[512];
	RfFile files[2];

	snprintf(config, sizeof(config),
			 "{\"architectures\":[\"%s\"],\"hidden_size\":4,\"num_attention_heads\":2,"
			 "\"num_hidden_layers\":%d,\"intermediate_size\":6,\"vocab_size\":10%s}",
			 architecture, layers, members);
	spec_files_make(config, files);
	if (rf_spec_parse(files, 2, &arena, &spec, &err) != RF_OK)
		fail_msg("%s: %s", config, err.message);
	return rf_spec_match(&spec, tensors, tensor_count, &arena, &match, &err);
}

static void
expect_match(const char *architecture, const char *members, size_t count)
{
	if (try_match(architecture, members) != RF_OK)
		fail_msg("%s: %s (%s)", architecture, err.message, err.detail);
	assert_int_equal(match.count, count);
}

static const RfParameter *
parameter(const char *name)
{
	for (size_t i = 0; i < match.count; i++)
		if (strcmp(match.parameters[i].name, name) == 0)
			return &match.parameters[i];
	fail_msg("no parameter %s", name);
	return NULL;
}

static void
bare_model_has_bare_names(void **state)
{
	(void) state;
	add_encoder("", false);
	expect_match("RoFormerModel", "", 20);
	assert_int_equal(match.total, 40 + 8 + 4 * 20 + 30 + 28 + 24);
	assert_int_equal(match.unexpected_count, 0);
	assert_int_equal(parameter("embeddings.word_embeddings.weight")->rank, 2);
	assert_int_equal(parameter("embeddings.word_embeddings.weight")->shape[0], 10);
	assert_int_equal(parameter("encoder.layer.0.intermediate.dense.bias")->rank, 1);
	assert_int_equal(parameter("encoder.layer.0.intermediate.dense.bias")->shape[0], 6);
	assert_string_equal(tensors[parameter("encoder.layer.0.output.dense.weight")->source].name,
						"encoder.layer.0.output.dense.weight");
}

static void
prefix_goes_in_bare_models(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add("", "cls.seq_relationship.weight", 2, 4);
	expect_match("RoFormerModel", "", 20);
	assert_string_equal(match.parameters[0].name, "embeddings.LayerNorm.bias");
	assert_int_equal(match.unexpected_count, 1);
	assert_string_equal(match.unexpected[0], "cls.seq_relationship.weight");
}

static void
prefix_comes_in_models_with_a_head(void **state)
{
	(void) state;
	add_encoder("", false);
	add_lm_head();
	expect_match("RoFormerForMaskedLM", "", 25);
	assert_string_equal(match.parameters[0].name, "cls.predictions.bias");
	assert_string_equal(match.parameters[24].name, "roformer.encoder.layer.0.output.dense.weight");
}

/* Once any name has the prefix, a name without it means something else. */
static void
mixed_prefixes_are_not_mended(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add_lm_head();
	find("roformer.embeddings.LayerNorm.bias")->name = "embeddings.LayerNorm.bias";
	assert_int_equal(try_match("RoFormerForMaskedLM", ""), RF_CORRUPT);
	assert_string_equal(err.detail, "Missing: \"roformer.embeddings.LayerNorm.bias\". "
									"Not used: \"embeddings.LayerNorm.bias\".");
}

static void
old_norm_names_are_known(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	find("roformer.embeddings.LayerNorm.weight")->name = "roformer.embeddings.LayerNorm.gamma";
	find("roformer.embeddings.LayerNorm.bias")->name = "roformer.embeddings.LayerNorm.beta";
	expect_match("RoFormerModel", "", 20);
	assert_string_equal(match.parameters[1].name, "embeddings.LayerNorm.weight");
	assert_string_equal(tensors[match.parameters[1].source].name,
						"roformer.embeddings.LayerNorm.gamma");
}

static void
ambiguous_names_are_refused(void **state)
{
	(void) state;
	add_encoder("", false);
	add("", "embeddings.LayerNorm.gamma", 4, -1);
	assert_int_equal(try_match("RoFormerModel", ""), RF_CORRUPT);
	assert_non_null(strstr(err.message, "are the same parameter"));
	remove_tensor("embeddings.LayerNorm.gamma");
	add("", "pooler.dense.x", 1, -1);
	add("roformer.", "pooler.dense.x", 1, -1);
	assert_int_equal(try_match("RoFormerModel", ""), RF_CORRUPT);
	assert_non_null(strstr(err.message, "\"pooler.dense.x\""));
	assert_non_null(strstr(err.message, "\"roformer.pooler.dense.x\""));
}

static void
position_tables_are_passed_over(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add("roformer.", "encoder.embed_positions.weight", 1536, 2);
	add("roformer.", "embeddings.position_ids", 1, 1536);
	tensors[tensor_count - 1].dtype = RF_I64;
	expect_match("RoFormerModel", "", 20);
	assert_int_equal(match.unexpected_count, 0);
}

static void
tied_decoder_is_not_a_parameter(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add_lm_head();
	expect_match("RoFormerForMaskedLM", "", 25);
	add("", "cls.predictions.decoder.weight", 3, 3);
	add("", "cls.predictions.decoder.bias", 10, -1);
	expect_match("RoFormerForMaskedLM", "", 25);
	assert_int_equal(match.unexpected_count, 0);
	remove_tensor("cls.predictions.bias");
	expect_match("RoFormerForCausalLM", "", 25);
	assert_string_equal(tensors[parameter("cls.predictions.bias")->source].name,
						"cls.predictions.decoder.bias");
	remove_tensor("cls.predictions.decoder.bias");
	assert_int_equal(try_match("RoFormerForMaskedLM", ""), RF_CORRUPT);
	assert_string_equal(err.detail, "Missing: \"cls.predictions.bias\".");
}

static void
untied_decoder_is_required(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add_lm_head();
	assert_int_equal(try_match("RoFormerForMaskedLM", ",\"tie_word_embeddings\":false"),
					 RF_CORRUPT);
	assert_string_equal(err.detail, "Missing: \"cls.predictions.decoder.weight\".");
	add("", "cls.predictions.decoder.weight", 10, 4);
	expect_match("RoFormerForMaskedLM", ",\"tie_word_embeddings\":false", 26);
}

#define V2 ",\"norm_type\":\"rms_norm\",\"use_bias\":false"

static void
second_version_has_fewer_parameters(void **state)
{
	(void) state;
	add_encoder("roformer.", true);
	expect_match("RoFormerForMaskedLM", V2, 8);
	add_linear("", "classifier.dense", 4, 4, true);
	add_linear("", "classifier.out_proj", 2, 4, true);
	expect_match("RoFormerForSequenceClassification", V2, 12);
	remove_tensor("classifier.out_proj.bias");
	assert_int_equal(try_match("RoFormerForSequenceClassification", V2), RF_CORRUPT);
	assert_string_equal(err.detail, "Missing: \"classifier.out_proj.bias\".");
}

static void
projection_s_bias_goes_by_version(void **state)
{
	(void) state;
	add_encoder("", true);
	*find("embeddings.word_embeddings.weight") =
		(RfTensorDesc){"embeddings.word_embeddings.weight", RF_F32, 2, {10, 3}};
	*find("embeddings.token_type_embeddings.weight") =
		(RfTensorDesc){"embeddings.token_type_embeddings.weight", RF_F32, 2, {2, 3}};
	add("", "embeddings_project.weight", 4, 3);
	expect_match("RoFormerModel", V2 ",\"embedding_size\":3", 9);
	add("", "embeddings_project.bias", 4, -1);
	expect_match("RoFormerModel", V2 ",\"embedding_size\":3", 10);

	tensor_count = 0;
	add_encoder("", false);
	find("embeddings.word_embeddings.weight")->shape[1] = 3;
	find("embeddings.token_type_embeddings.weight")->shape[1] = 3;
	find("embeddings.LayerNorm.weight")->shape[0] = 3;
	find("embeddings.LayerNorm.bias")->shape[0] = 3;
	add("", "embeddings_project.weight", 4, 3);
	assert_int_equal(try_match("RoFormerModel", ",\"embedding_size\":3"), RF_CORRUPT);
	assert_string_equal(err.detail, "Missing: \"embeddings_project.bias\".");
}

static void
pooler_is_found_in_every_class(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add_lm_head();
	expect_match("RoFormerForCausalLM", "", 25);
	assert_false(spec.config.has_pooler);
	add_linear("roformer.", "pooler.dense", 4, 4, true);
	expect_match("RoFormerForCausalLM", "", 27);
	assert_true(spec.config.has_pooler);
	remove_tensor("roformer.pooler.dense.weight");
	assert_int_equal(try_match("RoFormerForCausalLM", ""), RF_CORRUPT);
	assert_string_equal(err.detail, "Missing: \"roformer.pooler.dense.weight\".");
}

static void
heads_have_their_layers(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add_linear("", "qa_outputs", 2, 4, true);
	add_linear("", "classifier", 5, 4, true);
	expect_match("RoFormerForQuestionAnswering", "", 22);
	assert_int_equal(match.unexpected_count, 2);
	expect_match("RoFormerForTokenClassification", ",\"num_labels\":5", 22);
	assert_int_equal(try_match("RoFormerForMultipleChoice", ""), RF_CORRUPT);
	assert_non_null(strstr(err.detail, "\"classifier.weight\" is [5, 4], not [1, 4]"));
	find("classifier.weight")->shape[0] = 1;
	find("classifier.bias")->shape[0] = 1;
	expect_match("RoFormerForMultipleChoice", "", 22);
	add_linear("", "sequence_summary.summary", 4, 4, true);
	expect_match("RoFormerForMultipleChoice", ",\"summary_use_proj\":true", 24);
	expect_match("RoFormerForMultipleChoice", "", 22);
}

static void
cross_attention_is_matched_when_configured(void **state)
{
	(void) state;
	add_encoder("roformer.", false);
	add_lm_head();
	add_linear("roformer.", "encoder.layer.0.crossattention.self.query", 4, 4, true);
	add_linear("roformer.", "encoder.layer.0.crossattention.self.key", 4, 4, true);
	add_linear("roformer.", "encoder.layer.0.crossattention.self.value", 4, 4, true);
	add_linear("roformer.", "encoder.layer.0.crossattention.output.dense", 4, 4, true);
	add_linear("roformer.", "encoder.layer.0.crossattention.output.LayerNorm", 4, -1, true);
	expect_match("RoFormerForCausalLM", ",\"is_decoder\":true,\"add_cross_attention\":true", 35);
	expect_match("RoFormerForCausalLM", ",\"is_decoder\":true", 25);
	assert_int_equal(match.unexpected_count, 10);
}

static void
everything_wrong_is_listed(void **state)
{
	(void) state;
	add_encoder("", false);
	remove_tensor("embeddings.LayerNorm.bias");
	remove_tensor("encoder.layer.0.output.dense.weight");
	find("embeddings.word_embeddings.weight")->shape[0] = 11;
	find("embeddings.LayerNorm.weight")->rank = 2;
	find("embeddings.LayerNorm.weight")->shape[1] = 1;
	find("encoder.layer.0.attention.self.key.weight")->dtype = RF_I8;
	find("encoder.layer.0.attention.self.key.bias")->dtype = RF_F64;
	add("", "lm_head.weight", 1, -1);
	assert_int_equal(try_match("RoFormerModel", ""), RF_CORRUPT);
	assert_string_equal(err.message,
						"tensors do not fit the RoFormerModel that \"config.json\" describes");
	assert_string_equal(
		err.detail,
		"Missing: \"embeddings.LayerNorm.bias\", \"encoder.layer.0.output.dense.weight\". "
		"Of another shape: \"embeddings.word_embeddings.weight\" is [11, 4], not [10, 4], "
		"\"embeddings.LayerNorm.weight\" is [4, 1], not [4]. "
		"Of a type that is no weight: \"encoder.layer.0.attention.self.key.weight\" is I8, "
		"\"encoder.layer.0.attention.self.key.bias\" is F64. "
		"Not used: \"lm_head.weight\".");
}

static void
long_lists_are_counted(void **state)
{
	(void) state;
	for (int i = 0; i < 100; i++)
	{
		char name[64];

		snprintf(name, sizeof(name), "unknown.tensor.number.%03d", i);
		add("", name, 1, -1);
	}
	layers = 40;
	assert_int_equal(try_match("RoFormerForMaskedLM", ""), RF_CORRUPT);
	assert_non_null(strstr(err.detail, "Missing: \"roformer.embeddings.word_embeddings.weight\""));
	assert_non_null(strstr(err.detail, " more. Not used: \"unknown.tensor.number.000\""));
	assert_string_equal(err.detail + strlen(err.detail) - 6, " more.");
	assert_int_equal(match.unexpected_count, 100);
}

/* The longest names leave no room for a single item in places: still counted, still valid text. */
static void
long_names_are_reported(void **state)
{
	char name[RF_MAX_TENSOR_NAME + 1];

	(void) state;
	memset(name, 0, sizeof(name));
	for (size_t i = 0; i + 3 < sizeof(name); i += 3)
		memcpy(name + i, "\xE4\xB8\xAD", 3);
	add_encoder("", false);
	for (int i = 0; i < 5; i++)
	{
		name[0] = (char) ('a' + i);
		name[1] = name[2] = 'x';
		add("", name, 1, -1);
	}
	remove_tensor("embeddings.LayerNorm.bias");
	assert_int_equal(try_match("RoFormerModel", ""), RF_CORRUPT);
	assert_int_equal(rf_utf8_valid_prefix(err.detail, strlen(err.detail)), strlen(err.detail));
	assert_non_null(strstr(err.detail, " and 4 more."));
}

static void
no_tensors_are_no_model(void **state)
{
	(void) state;
	assert_int_equal(try_match("RoFormerModel", ""), RF_CORRUPT);
	assert_int_equal(rf_spec_match(&spec, NULL, 0, &arena, &match, &err), RF_CORRUPT);
	assert_non_null(strstr(err.detail, "Missing: \"embeddings.word_embeddings.weight\""));
}

static void
numbers_of_layers_are_matched_exactly(void **state)
{
	(void) state;
	add_encoder("", false);
	layers = 2;
	assert_int_equal(try_match("RoFormerModel", ""), RF_CORRUPT);
	assert_non_null(strstr(err.detail, "\"encoder.layer.1.attention.self.query.weight\""));
	layers = 1;
	add("", "encoder.layer.1.output.dense.weight", 4, 6);
	expect_match("RoFormerModel", "", 20);
	assert_int_equal(match.unexpected_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bare_model_has_bare_names),
		TEST(prefix_goes_in_bare_models),
		TEST(prefix_comes_in_models_with_a_head),
		TEST(mixed_prefixes_are_not_mended),
		TEST(old_norm_names_are_known),
		TEST(ambiguous_names_are_refused),
		TEST(position_tables_are_passed_over),
		TEST(tied_decoder_is_not_a_parameter),
		TEST(untied_decoder_is_required),
		TEST(second_version_has_fewer_parameters),
		TEST(projection_s_bias_goes_by_version),
		TEST(pooler_is_found_in_every_class),
		TEST(heads_have_their_layers),
		TEST(cross_attention_is_matched_when_configured),
		TEST(everything_wrong_is_listed),
		TEST(long_lists_are_counted),
		TEST(long_names_are_reported),
		TEST(no_tensors_are_no_model),
		TEST(numbers_of_layers_are_matched_exactly),
	};

	return cmocka_run_group_tests_name("spec_match", tests, NULL, NULL);
}
