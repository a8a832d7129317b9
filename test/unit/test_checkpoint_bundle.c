/*
 * test_checkpoint_bundle.c - reading TensorFlow 1 checkpoints: good ones, names, and files that
 * lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bundle_file.h"
#include "failing_memory.h"
#include "rf/checkpoint.h"
#include "rf/checksum.h"
#include "scratch_directory.h"

#define INDEX "bert_model.ckpt.index"
#define ONE_SHARD "bert_model.ckpt.data-00000-of-00001"
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *directory;
static RfError err;

/* What the data file holds: 12 floats, then 2 integers. */
static const float floats[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const int64_t integers[2] = {7, -7};

static int
set_up(void **state)
{
	Bytes data = {0};

	(void) state;
	directory = scratch_make();
	memset(&err, 0, sizeof(err));
	bytes_add(&data, floats, sizeof(floats));
	bytes_add(&data, integers, sizeof(integers));
	scratch_write(ONE_SHARD, data.data, data.size);
	bytes_free(&data);
	return 0;
}

static BundleTensor
matrix(void)
{
	return (BundleTensor){.name = "bert/encoder/layer_3/output/dense/kernel",
						  .type = TF_FLOAT,
						  .rank = 2,
						  .shape = {3, 4},
						  .size = sizeof(floats),
						  .checksum = bundle_checksum(floats, sizeof(floats))};
}

static BundleTensor
vector(const char *name, uint64_t first, int64_t count)
{
	return (BundleTensor){.name = name,
						  .type = TF_FLOAT,
						  .rank = 1,
						  .shape = {count},
						  .offset = first * sizeof(float),
						  .size = (uint64_t) count * sizeof(float),
						  .checksum =
							  bundle_checksum(floats + first, (size_t) count * sizeof(float))};
}

static RfCode
open_index(const Bytes *index, RfCheckpoint **checkpoint)
{
	scratch_write(INDEX, index->data, index->size);
	return rf_checkpoint_open(directory, rf_memory_malloc, checkpoint, &err);
}

static RfCheckpoint *
open_tensors(const BundleTensor *tensors, size_t count)
{
	RfCheckpoint *checkpoint;
	Bytes index = {0};

	bundle_index(&index, tensors, count, 1, NULL);
	if (open_index(&index, &checkpoint) != RF_OK)
		fail_msg("%s (%s)", err.message, err.detail);
	bytes_free(&index);
	return checkpoint;
}

/* Opening must fail with this code and a message that contains these words. */
static void
expect_index_refused(const Bytes *index, RfCode code, const char *words)
{
	RfCheckpoint *checkpoint;

	assert_int_equal(open_index(index, &checkpoint), code);
	assert_null(checkpoint);
	if (strstr(err.message, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.message);
}

static void
expect_refused(const BundleTensor *tensors, size_t count, const TableFault *fault, RfCode code,
			   const char *words)
{
	Bytes index = {0};

	bundle_index(&index, tensors, count, 1, fault);
	expect_index_refused(&index, code, words);
	bytes_free(&index);
}

/* ---- what is right --------------------------------------------------------------------------- */

/* RFC 3720, B.4 */
static void
checksum_is_castagnolis(void **state)
{
	unsigned char bytes[32];

	(void) state;
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(rf_crc32c(0, bytes, sizeof(bytes)), 0x8A9136AA);
	memset(bytes, 0xFF, sizeof(bytes));
	assert_int_equal(rf_crc32c(0, bytes, sizeof(bytes)), 0x62A8AB43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char) i;
	assert_int_equal(rf_crc32c(0, bytes, sizeof(bytes)), 0x46DD794E);
	for (size_t cut = 0; cut <= sizeof(bytes); cut++)
		assert_int_equal(rf_crc32c(rf_crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut),
						 0x46DD794E);
	assert_int_equal(rf_crc32c(0, "123456789", 9), 0xE3069283);
	assert_int_equal(rf_crc32c(0, bytes, 0), 0);
}

static void
kernels_are_transposed(void **state)
{
	static const float transposed[12] = {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11};
	BundleTensor tensors[] = {matrix()};
	RfCheckpoint *checkpoint = open_tensors(tensors, 1);
	const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, 0);
	float values[12];

	(void) state;
	assert_int_equal(rf_checkpoint_count(checkpoint), 1);
	assert_string_equal(tensor->name, "roformer.encoder.layer.3.output.dense.weight");
	assert_int_equal(tensor->dtype, RF_F32);
	assert_int_equal(tensor->rank, 2);
	assert_int_equal(tensor->shape[0], 4);
	assert_int_equal(tensor->shape[1], 3);
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 0, 4, values, &err), RF_OK);
	assert_memory_equal(values, transposed, sizeof(values));
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 2, 1, values, &err), RF_OK);
	assert_memory_equal(values, transposed + 6, 3 * sizeof(float));
	rf_checkpoint_close(checkpoint);
}

static void
types_are_known_or_left_out(void **state)
{
	static const struct
	{
		uint64_t type;
		RfDtype dtype;
		size_t size;
	} types[] = {{1, RF_F32, 4},  {2, RF_F64, 8},   {3, RF_I32, 4}, {4, RF_U8, 1},
				 {5, RF_I16, 2},  {6, RF_I8, 1},    {7, 0, 0},      {8, 0, 0},
				 {9, RF_I64, 8},  {10, RF_BOOL, 1}, {11, 0, 0},     {14, RF_BF16, 2},
				 {19, RF_F16, 2}, {101, 0, 0}};

	(void) state;
	for (size_t i = 0; i < LENGTH(types); i++)
	{
		BundleTensor tensor = {.name = "x", .type = types[i].type, .size = types[i].size};
		RfCheckpoint *checkpoint = open_tensors(&tensor, 1);

		assert_int_equal(rf_checkpoint_count(checkpoint), types[i].size > 0);
		if (types[i].size > 0)
			assert_int_equal(rf_checkpoint_tensor(checkpoint, 0)->dtype, types[i].dtype);
		rf_checkpoint_close(checkpoint);
	}
}

static void
names_are_pytorchs(void **state)
{
	static const struct
	{
		const char *variable;
		const char *name; /* NULL: left out */
	} names[] = {
		{"AdamWeightDecayOptimizer/x", NULL},
		{"bert/embeddings/LayerNorm/beta", "roformer.embeddings.LayerNorm.bias"},
		{"bert/embeddings/LayerNorm/gamma", "roformer.embeddings.LayerNorm.weight"},
		{"bert/embeddings/LayerNorm/gamma/adam_m", NULL},
		{"bert/embeddings/LayerNorm/gamma/adam_v", NULL},
		{"bert/embeddings/token_type_embeddings",
		 "roformer.embeddings.token_type_embeddings.weight"},
		{"bert/embeddings/word_embeddings", "roformer.embeddings.word_embeddings.weight"},
		{"bert/encoder/embedding_hidden_mapping_in/bias", "roformer.embeddings_project.bias"},
		{"bert/encoder/embedding_hidden_mapping_in/kernel", "roformer.embeddings_project.weight"},
		{"bert/encoder/layer_0/attention/self/query/bias",
		 "roformer.encoder.layer.0.attention.self.query.bias"},
		{"bert/encoder/layer_11/attention/output/LayerNorm/beta",
		 "roformer.encoder.layer.11.attention.output.LayerNorm.bias"},
		{"bert/encoder/layer_11/intermediate/dense/kernel",
		 "roformer.encoder.layer.11.intermediate.dense.weight"},
		{"bert/pooler/dense/kernel", "roformer.pooler.dense.weight"},
		{"cls/predictions/output_bias", "cls.predictions.bias"},
		{"cls/predictions/transform/LayerNorm/gamma", "cls.predictions.transform.LayerNorm.weight"},
		{"cls/seq_relationship/output_bias", "cls.seq_relationship.bias"},
		{"cls/seq_relationship/output_weights", "cls.seq_relationship.weight"},
		{"global_step", NULL},
	};
	BundleTensor tensors[LENGTH(names)];
	RfCheckpoint *checkpoint;

	(void) state;
	for (size_t i = 0; i < LENGTH(names); i++)
		tensors[i] = vector(names[i].variable, 0, 0);
	checkpoint = open_tensors(tensors, LENGTH(tensors));
	for (size_t i = 0; i < LENGTH(names); i++)
	{
		size_t found = 0;

		if (names[i].name == NULL)
			continue;
		while (found < rf_checkpoint_count(checkpoint) &&
			   strcmp(rf_checkpoint_tensor(checkpoint, found)->name, names[i].name) != 0)
			found++;
		if (found == rf_checkpoint_count(checkpoint))
			fail_msg("there is no \"%s\"", names[i].name);
	}
	assert_int_equal(rf_checkpoint_count(checkpoint), LENGTH(names) - 4);
	rf_checkpoint_close(checkpoint);
}

/* Enough keys for several blocks and restart points. */
static void
many_tensors_are_found(void **state)
{
	BundleTensor tensors[300];
	char names[300][32];
	RfCheckpoint *checkpoint;
	float value;

	(void) state;
	for (size_t i = 0; i < LENGTH(tensors); i++)
	{
		snprintf(names[i], sizeof(names[i]), "layer_%03zu/%s", i, i % 2 == 0 ? "beta" : "gamma");
		tensors[i] = vector(names[i], i % 12, i < 12);
	}
	checkpoint = open_tensors(tensors, LENGTH(tensors));
	assert_int_equal(rf_checkpoint_count(checkpoint), 300);
	for (size_t i = 0; i < 12; i++)
	{
		assert_int_equal(rf_checkpoint_read(checkpoint, i, 0, 1, &value, &err), RF_OK);
		assert_true(value == (float) i);
	}
	rf_checkpoint_close(checkpoint);
}

static void
tensors_lie_in_several_files(void **state)
{
	BundleTensor tensors[] = {vector("a", 0, 4), vector("b", 0, 4)};
	Bytes index = {0};
	RfCheckpoint *checkpoint;
	float values[4];

	(void) state;
	tensors[1].shard = 1;
	tensors[1].checksum = bundle_checksum(floats + 4, 16);
	bundle_index(&index, tensors, 2, 2, NULL);
	scratch_write("bert_model.ckpt.data-00000-of-00002", floats, 16);
	expect_index_refused(&index, RF_NOT_FOUND, "bert_model.ckpt.data-00001-of-00002");
	assert_string_equal(err.detail, "File \"" INDEX "\" names it as a data file.");
	scratch_write("bert_model.ckpt.data-00001-of-00002", floats + 4, 16);
	assert_int_equal(open_index(&index, &checkpoint), RF_OK);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 0, 4, values, &err), RF_OK);
	assert_memory_equal(values, floats + 4, 16);
	rf_checkpoint_close(checkpoint);
	bytes_free(&index);
}

/* ---- what lies ------------------------------------------------------------------------------- */

static void
data_are_compared_with_their_checksum(void **state)
{
	BundleTensor tensors[] = {vector("a", 0, 4), vector("b", 4, 4)};
	RfCheckpoint *checkpoint;
	float values[4];

	(void) state;
	tensors[1].checksum ^= 1;
	checkpoint = open_tensors(tensors, 2);
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 0, 4, values, &err), RF_OK);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 3, 1, values, &err), RF_CORRUPT);
	assert_string_equal(err.message, "tensor \"b\" in file \"" ONE_SHARD "\" has a wrong checksum");
	assert_int_equal(err.offset, 16);
	rf_checkpoint_close(checkpoint);
}

static void
tables_that_lie_are_refused(void **state)
{
	static const struct
	{
		TableFault fault;
		RfCode code;
		const char *words;
	} faults[] = {
		{{.is_compressed = true}, RF_UNSUPPORTED, "has a compressed block"},
		{{.has_wrong_checksum = true}, RF_CORRUPT, "has a block with a wrong checksum"},
		{{.repeats_block = true}, RF_CORRUPT, "has blocks that overlap"},
		{{.handle_offset = 1u << 20}, RF_CORRUPT, "has a block outside the file"},
		{{.handle_offset = UINT64_MAX}, RF_CORRUPT, "has a block outside the file"},
		{{.handle_size = 1u << 20}, RF_CORRUPT, "has a block outside the file"},
		{{.handle_size = UINT64_MAX}, RF_CORRUPT, "has a block outside the file"},
		{{.handle_size = 20}, RF_CORRUPT, "has a block with a wrong checksum"},
		{{.shared = 1}, RF_CORRUPT, "shares more than the one before has"},
		{{.shared = UINT64_MAX}, RF_CORRUPT, "shares more than the one before has"},
		{{.restarts = 1000}, RF_CORRUPT, "more restart points than bytes"},
		{{.restarts = UINT32_MAX}, RF_CORRUPT, "more restart points than bytes"},
	};
	BundleTensor tensors[] = {vector("a", 0, 1), vector("b", 1, 1), vector("c", 2, 1)};

	(void) state;
	for (size_t i = 0; i < LENGTH(faults); i++)
		expect_refused(tensors, 3, &faults[i].fault, faults[i].code, faults[i].words);
}

static void
keys_out_of_order_are_refused(void **state)
{
	BundleTensor tensors[] = {vector("b", 0, 1), vector("a", 1, 1)};
	BundleTensor twice[] = {vector("a", 0, 1), vector("a", 1, 1)};

	(void) state;
	expect_refused(tensors, 2, NULL, RF_CORRUPT, "has keys that are not in order");
	expect_refused(twice, 2, NULL, RF_CORRUPT, "has keys that are not in order");
}

static void
tensors_that_lie_are_refused(void **state)
{
	const struct
	{
		BundleTensor tensor;
		RfCode code;
		const char *words;
	} lies[] = {
		{{"x", TF_FLOAT, 1, {4}, 1, 0, 16, 0, false},
		 RF_CORRUPT,
		 "a data file that there is none of"},
		{{"x", TF_FLOAT, 1, {4}, UINT64_MAX, 0, 16, 0, false},
		 RF_CORRUPT,
		 "a data file that there is none of"},
		{{"x", TF_FLOAT, 1, {4}, 0, 60, 16, 0, false}, RF_CORRUPT, "lies outside its data file"},
		{{"x", TF_FLOAT, 1, {4}, 0, UINT64_MAX - 7, 16, 0, false},
		 RF_CORRUPT,
		 "lies outside its data file"},
		{{"x", TF_FLOAT, 1, {1000}, 0, 0, 4000, 0, false},
		 RF_CORRUPT,
		 "lies outside its data file"},
		{{"x", TF_FLOAT, 1, {4}, 0, 0, 12, 0, false},
		 RF_CORRUPT,
		 "does not have the bytes its shape calls for"},
		{{"x", TF_FLOAT, 1, {-1}, 0, 0, 16, 0, false},
		 RF_CORRUPT,
		 "has a shape that is not a list of sizes"},
		{{"x", TF_FLOAT, 3, {INT64_C(1) << 31, INT64_C(1) << 31, 4}, 0, 0, 0, 0, false},
		 RF_CORRUPT,
		 "too many elements"},
		{{"x/kernel", TF_FLOAT, 2, {INT64_MAX, 2}, 0, 0, 16, 0, false},
		 RF_CORRUPT,
		 "has too many bytes"},
		{{"x", TF_FLOAT, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, 0, 0, 4, 0, false},
		 RF_LIMIT,
		 "has more than 8 dimensions"},
		{{"x", TF_FLOAT, 1, {4}, 0, 0, 16, 0, true}, RF_UNSUPPORTED, "is stored in slices"},
		{{"x\ny", TF_FLOAT, 1, {4}, 0, 0, 16, 0, false}, RF_CORRUPT, "control character"},
		{{"x\xFF", TF_FLOAT, 1, {4}, 0, 0, 16, 0, false}, RF_CORRUPT, "is not UTF-8"},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(lies); i++)
		expect_refused(&lies[i].tensor, 1, NULL, lies[i].code, lies[i].words);
}

static void
long_names_are_refused(void **state)
{
	char name[RF_MAX_TENSOR_NAME + 2] = {0};
	char longer[1026];
	BundleTensor tensor = vector(name, 0, 1);

	(void) state;
	memset(name, 'x', sizeof(name));
	name[RF_MAX_TENSOR_NAME] = '\0';
	rf_checkpoint_close(open_tensors(&tensor, 1));
	name[RF_MAX_TENSOR_NAME] = 'x';
	name[RF_MAX_TENSOR_NAME + 1] = '\0';
	expect_refused(&tensor, 1, NULL, RF_LIMIT, "more than 255");
	memset(longer, 'x', sizeof(longer));
	longer[1025] = '\0';
	tensor.name = longer;
	expect_refused(&tensor, 1, NULL, RF_LIMIT, "a key of more than 1024 bytes");
	longer[1024] = '\0';
	expect_refused(&tensor, 1, NULL, RF_LIMIT, "a tensor whose name is too long");
}

static void
overlapping_tensors_are_refused(void **state)
{
	BundleTensor tensors[] = {vector("a", 0, 4), vector("b", 3, 4)};
	BundleTensor same[] = {vector("a", 2, 4), vector("b", 2, 4)};
	BundleTensor empty[] = {vector("a", 2, 4), vector("b", 2, 0), vector("c", 6, 0)};

	(void) state;
	expect_refused(tensors, 2, NULL, RF_CORRUPT, "tensor \"b\" in file \"" INDEX "\" overlaps");
	assert_string_equal(err.detail, "The other one is \"a\".");
	expect_refused(same, 2, NULL, RF_CORRUPT, "overlaps another tensor");
	rf_checkpoint_close(open_tensors(empty, 3));
}

static void
two_variables_of_one_name_are_refused(void **state)
{
	BundleTensor tensors[] = {vector("x/beta", 0, 4), vector("x/output_bias", 4, 4)};

	(void) state;
	expect_refused(tensors, 2, NULL, RF_CORRUPT,
				   "tensor \"x.bias\" is in file \"" INDEX "\" twice");
}

static void
expect_header_refused(uint64_t shards, uint64_t big_endian, uint64_t reader, RfCode code,
					  const char *words)
{
	static const TableFault none;
	Bytes value = {0};
	Bytes index = {0};

	bundle_header(&value, shards, big_endian, reader);
	bundle_table(&index, &(TableEntry){"", 0, value.data, value.size}, 1, 0, &none);
	expect_index_refused(&index, code, words);
	bytes_free(&index);
	bytes_free(&value);
}

static void
headers_that_lie_are_refused(void **state)
{
	static const TableFault none;
	TableEntry no_header = {"a", 1, "", 0};
	TableEntry cut = {"", 0, "\x08", 1};
	TableEntry endless = {"", 0, "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 11};
	TableEntry group = {"", 0, "\x0B", 1};
	Bytes index = {0};

	(void) state;
	expect_header_refused(0, 0, 0, RF_CORRUPT, "names no data file");
	expect_header_refused(257, 0, 0, RF_LIMIT, "more than 256 data files");
	expect_header_refused(UINT64_MAX, 0, 0, RF_LIMIT, "more than 256 data files");
	expect_header_refused(1, 1, 0, RF_UNSUPPORTED, "big-endian");
	expect_header_refused(1, 0, 2, RF_UNSUPPORTED, "is of a newer version");
	bundle_table(&index, &no_header, 1, 0, &none);
	expect_index_refused(&index, RF_CORRUPT, "has no header");
	index.size = 0;
	bundle_table(&index, NULL, 0, 0, &none);
	expect_index_refused(&index, RF_CORRUPT, "has no header");
	for (size_t i = 0; i < 3; i++)
	{
		const TableEntry *entries[] = {&cut, &endless, &group};

		index.size = 0;
		bundle_table(&index, entries[i], 1, 0, &none);
		expect_index_refused(&index, RF_CORRUPT, "has a header that is cut off");
	}
	bytes_free(&index);
}

/* Every prefix of a good file, and every byte of it changed: an error or the same tensors. */
static void
damaged_files_are_refused(void **state)
{
	BundleTensor tensors[] = {vector("bert/a", 0, 4), matrix()};
	Bytes index = {0};
	RfCheckpoint *checkpoint;

	(void) state;
	tensors[1].offset = 0;
	tensors[0].offset = 48;
	tensors[0].checksum = bundle_checksum(integers, 16);
	bundle_index(&index, tensors, 2, 1, NULL);
	assert_int_equal(open_index(&index, &checkpoint), RF_OK);
	rf_checkpoint_close(checkpoint);
	for (size_t size = 0; size < index.size; size++)
	{
		Bytes part = {index.data, size, 0};

		assert_int_equal(open_index(&part, &checkpoint), RF_CORRUPT);
		assert_null(checkpoint);
	}
	for (size_t i = 0; i < index.size; i++)
	{
		index.data[i] ^= 0x55;
		if (open_index(&index, &checkpoint) == RF_OK)
		{
			/* Padding and the metaindex, which nobody reads. */
			assert_int_equal(rf_checkpoint_count(checkpoint), 2);
			rf_checkpoint_close(checkpoint);
		}
		index.data[i] ^= 0x55;
	}
	bytes_free(&index);
}

static void
running_out_of_memory_is_an_error(void **state)
{
	BundleTensor tensors[] = {vector("a", 0, 4), vector("x/kernel", 4, 4)};
	RfCheckpoint *checkpoint = open_tensors(tensors, 2);
	FailingMemory failing;
	RfMemory memory = failing_memory(&failing);
	RfCode code = RF_NO_MEMORY;

	(void) state;
	rf_checkpoint_close(checkpoint);
	for (size_t calls = 0; code != RF_OK; calls++)
	{
		failing = (FailingMemory){calls, 0};
		code = rf_checkpoint_open(directory, memory, &checkpoint, &err);
		assert_true(code == RF_OK || code == RF_NO_MEMORY);
		assert_true(calls < 100);
		rf_checkpoint_close(checkpoint);
		assert_int_equal(failing.held, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scratch_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(checksum_is_castagnolis),
		TEST(kernels_are_transposed),
		TEST(types_are_known_or_left_out),
		TEST(names_are_pytorchs),
		TEST(many_tensors_are_found),
		TEST(tensors_lie_in_several_files),
		TEST(data_are_compared_with_their_checksum),
		TEST(tables_that_lie_are_refused),
		TEST(keys_out_of_order_are_refused),
		TEST(tensors_that_lie_are_refused),
		TEST(long_names_are_refused),
		TEST(overlapping_tensors_are_refused),
		TEST(two_variables_of_one_name_are_refused),
		TEST(headers_that_lie_are_refused),
		TEST(damaged_files_are_refused),
		TEST(running_out_of_memory_is_an_error),
	};

	return cmocka_run_group_tests_name("checkpoint_bundle", tests, NULL, NULL);
}
