/*
 * test_foreign.c - tf_model.h5 and flax_model.msgpack: good files, names, files that lie or do
 * harm.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/foreign/walk.h"
#include "flax_file.h"
#include "hdf5_file.h"
#include "rf/foreign.h"
#include "scratch_directory.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *directory;
static RfError err;

static const float floats[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const float transposed[12] = {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11};

static int
set_up(void **state)
{
	(void) state;
	directory = scratch_make();
	memset(&err, 0, sizeof(err));
	return 0;
}

static RfCode
open_foreign(RfCheckpoint **checkpoint)
{
	return rf_checkpoint_open_with(directory, rf_foreign_readers, RF_FOREIGN_READER_COUNT,
								   rf_memory_malloc, checkpoint, &err);
}

static RfCheckpoint *
open_good(void)
{
	RfCheckpoint *checkpoint;

	if (open_foreign(&checkpoint) != RF_OK)
		fail_msg("%s (%s)", err.message, err.detail);
	return checkpoint;
}

static void
expect_refused(RfCode code, const char *words)
{
	RfCheckpoint *checkpoint;

	assert_int_equal(open_foreign(&checkpoint), code);
	assert_null(checkpoint);
	if (strstr(err.message, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.message);
}

/* The tensor of that name has these floats, whole and row by row. */
static void
expect_floats(RfCheckpoint *checkpoint, const char *name, const float *values, uint64_t rows,
			  size_t row_count)
{
	size_t index = 0;
	float got[12];

	while (index < rf_checkpoint_count(checkpoint) &&
		   strcmp(rf_checkpoint_tensor(checkpoint, index)->name, name) != 0)
		index++;
	if (index == rf_checkpoint_count(checkpoint))
		fail_msg("there is no \"%s\"", name);
	assert_int_equal(rf_tensor_rows(rf_checkpoint_tensor(checkpoint, index)), rows);
	assert_int_equal(rf_checkpoint_read(checkpoint, index, 0, rows, got, &err), RF_OK);
	assert_memory_equal(got, values, rows * row_count * sizeof(float));
	for (uint64_t row = rows; row-- > 0;)
	{
		assert_int_equal(rf_checkpoint_read(checkpoint, index, row, 1, got, &err), RF_OK);
		assert_memory_equal(got, values + row * row_count, row_count * sizeof(float));
	}
}

static void
names_are_pytorchs(void **state)
{
	static const struct
	{
		RfWalkMapName map;
		const char *path;
		const char *name;
		RfVariableUse use;
	} names[] = {
		{rf_hdf5_map_name, "roformer/tf_x/roformer/embeddings/word_embeddings/weight:0",
		 "roformer.embeddings.word_embeddings.weight", RF_VARIABLE_WEIGHT},
		{rf_hdf5_map_name, "roformer/tf_x/roformer/embeddings/token_type_embeddings/embeddings:0",
		 "roformer.embeddings.token_type_embeddings.weight", RF_VARIABLE_WEIGHT},
		{rf_hdf5_map_name,
		 "roformer/tf_x/roformer/encoder/layer_._11/attention/self/query/kernel:0",
		 "roformer.encoder.layer.11.attention.self.query.weight", RF_VARIABLE_TRANSPOSED},
		{rf_hdf5_map_name, "roformer/tf_x/roformer/embeddings/LayerNorm/gamma:0",
		 "roformer.embeddings.LayerNorm.weight", RF_VARIABLE_WEIGHT},
		{rf_hdf5_map_name, "mlm___cls/tf_x/mlm___cls/predictions/transform/LayerNorm/beta:0",
		 "cls.predictions.transform.LayerNorm.bias", RF_VARIABLE_WEIGHT},
		{rf_hdf5_map_name, "mlm___cls/tf_x/mlm___cls/predictions/bias:0", "cls.predictions.bias",
		 RF_VARIABLE_WEIGHT},
		{rf_hdf5_map_name, "l/s/a___b___c_._1_._2/x", "c.1.2.x", RF_VARIABLE_WEIGHT},
		{rf_hdf5_map_name, "x:0", "x", RF_VARIABLE_WEIGHT},
		{rf_flax_map_name, "roformer/encoder/layer/0/output/dense/kernel",
		 "roformer.encoder.layer.0.output.dense.weight", RF_VARIABLE_TRANSPOSED},
		{rf_flax_map_name, "params/embeddings/word_embeddings/embedding",
		 "embeddings.word_embeddings.weight", RF_VARIABLE_WEIGHT},
		{rf_flax_map_name, "cls/predictions/transform/LayerNorm/scale",
		 "cls.predictions.transform.LayerNorm.weight", RF_VARIABLE_WEIGHT},
		{rf_flax_map_name, "cls/predictions/bias", "cls.predictions.bias", RF_VARIABLE_WEIGHT},
	};
	char name[64];
	RfVariableUse use;

	(void) state;
	for (size_t i = 0; i < LENGTH(names); i++)
	{
		assert_true(names[i].map(names[i].path, name, sizeof(name), &use));
		assert_string_equal(name, names[i].name);
		assert_int_equal(use, names[i].use);
		assert_false(names[i].map(names[i].path, name, strlen(names[i].name), &use));
	}
}

/* ---- HDF5 ------------------------------------------------------------------------------------ */

static hid_t
create_hdf5(void)
{
	return hdf5_create(scratch_path("tf_model.h5"));
}

static void
hdf5_files_are_read(void **state)
{
	const double doubles[1] = {0.5};
	const uint16_t halves[2] = {0x3C00, 0xBC00};
	hid_t file = create_hdf5();
	RfCheckpoint *checkpoint;

	(void) state;
	hdf5_add(file, &(Hdf5Array){"l/s/dense/kernel:0", H5T_IEEE_F32LE, 2, {3, 4}, floats},
			 H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"l/s/dense/bias:0", H5T_IEEE_F32LE, 1, {4}, floats}, H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"l/s/scalar:0", H5T_IEEE_F64LE, 0, {0}, doubles}, H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"l/s/half:0", hdf5_short_float(5), 1, {2}, halves}, H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"l/s/brain:0", hdf5_short_float(8), 1, {2}, halves}, H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"l/s/empty:0", H5T_IEEE_F32LE, 2, {0, 4}, NULL}, H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"l/s/text:0", H5T_C_S1, 0, {0}, "x"}, H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"l/s/big:0", H5T_IEEE_F32BE, 1, {4}, floats}, H5P_DEFAULT);
	H5Fclose(file);
	checkpoint = open_good();
	assert_int_equal(rf_checkpoint_count(checkpoint), 6);
	expect_floats(checkpoint, "dense.weight", transposed, 4, 3);
	expect_floats(checkpoint, "dense.bias", floats, 4, 1);
	assert_string_equal(rf_checkpoint_tensor(checkpoint, 0)->name, "brain");
	assert_int_equal(rf_checkpoint_tensor(checkpoint, 0)->dtype, RF_BF16);
	assert_int_equal(rf_checkpoint_tensor(checkpoint, 4)->dtype, RF_F16);
	assert_int_equal(rf_checkpoint_tensor(checkpoint, 5)->dtype, RF_F64);
	rf_checkpoint_close(checkpoint);
}

static void
expect_layout_refused(hid_t properties, const char *words)
{
	hid_t file = create_hdf5();

	hdf5_add(file, &(Hdf5Array){"l/s/x:0", H5T_IEEE_F32LE, 2, {3, 4}, NULL}, properties);
	H5Fclose(file);
	H5Pclose(properties);
	expect_refused(RF_UNSUPPORTED, words);
}

/* Of /etc/passwd and of another HDF5 file nothing must be read. */
static void
hdf5_data_elsewhere_are_refused(void **state)
{
	const hsize_t chunk[2] = {1, 4};
	const hsize_t shape[2] = {3, 4};
	hid_t external = H5Pcreate(H5P_DATASET_CREATE);
	hid_t chunked = H5Pcreate(H5P_DATASET_CREATE);
	hid_t compressed = H5Pcreate(H5P_DATASET_CREATE);
	hid_t compact = H5Pcreate(H5P_DATASET_CREATE);
	hid_t virtual = H5Pcreate(H5P_DATASET_CREATE);
	hid_t space = H5Screate_simple(2, shape, NULL);

	(void) state;
	H5Pset_external(external, "/etc/passwd", 0, 48);
	expect_layout_refused(external, "has its data in another file");
	H5Pset_virtual(virtual, space, "/tmp/other.h5", "x", space);
	expect_layout_refused(virtual, "is a virtual dataset");
	H5Pset_chunk(chunked, 2, chunk);
	expect_layout_refused(chunked, "in chunks or compressed");
	H5Pset_chunk(compressed, 2, chunk);
	H5Pset_deflate(compressed, 9);
	expect_layout_refused(compressed, "in chunks or compressed");
	H5Pset_layout(compact, H5D_COMPACT);
	expect_layout_refused(compact, "in chunks or compressed");
	H5Sclose(space);
}

static void
hdf5_links_elsewhere_are_refused(void **state)
{
	hid_t file = create_hdf5();

	(void) state;
	H5Lcreate_external("/tmp/other.h5", "/x", file, "x", H5P_DEFAULT, H5P_DEFAULT);
	H5Fclose(file);
	expect_refused(RF_UNSUPPORTED, "\"x\" in file \"tf_model.h5\" is a link to a place elsewhere");
	file = create_hdf5();
	H5Lcreate_soft("/x", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
	H5Fclose(file);
	expect_refused(RF_UNSUPPORTED, "is a link to a place elsewhere");
}

static void
hdf5_groups_end(void **state)
{
	hid_t file = create_hdf5();
	hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
	char path[256] = "a";
	hid_t links = H5Pcreate(H5P_LINK_CREATE);

	(void) state;
	H5Lcreate_hard(file, "/", file, "again", H5P_DEFAULT, H5P_DEFAULT);
	H5Gclose(root);
	H5Fclose(file);
	expect_refused(RF_LIMIT, "has groups nested too deeply");
	file = create_hdf5();
	for (int i = 0; i < 40; i++)
		strcat(path, "/a");
	H5Pset_create_intermediate_group(links, 1);
	H5Gclose(H5Gcreate2(file, path, links, H5P_DEFAULT, H5P_DEFAULT));
	H5Pclose(links);
	H5Fclose(file);
	expect_refused(RF_LIMIT, "has groups nested too deeply");
}

static void
hdf5_tensors_that_lie_are_refused(void **state)
{
	hid_t file = create_hdf5();
	hid_t late = H5Pcreate(H5P_DATASET_CREATE);

	(void) state;
	H5Pset_alloc_time(late, H5D_ALLOC_TIME_LATE);
	hdf5_add(file, &(Hdf5Array){"l/s/x:0", H5T_IEEE_F32LE, 2, {3, 4}, NULL}, late);
	H5Pclose(late);
	H5Fclose(file);
	expect_refused(RF_CORRUPT, "has no data");
	file = create_hdf5();
	hdf5_add(
		file,
		&(Hdf5Array){"l/s/x:0", H5T_IEEE_F32LE, 2, {(hsize_t) 1 << 40, (hsize_t) 1 << 20}, NULL},
		H5P_DEFAULT);
	H5Fclose(file);
	expect_refused(RF_CORRUPT, "has no data");
	file = create_hdf5();
	hdf5_add(file, &(Hdf5Array){"l/s/x:0", H5T_IEEE_F32LE, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, floats},
			 H5P_DEFAULT);
	H5Fclose(file);
	expect_refused(RF_LIMIT, "has more than 8 dimensions");
	file = create_hdf5();
	hdf5_add(file, &(Hdf5Array){"l/s/x:0", H5T_IEEE_F32LE, 1, {4}, floats}, H5P_DEFAULT);
	hdf5_add(file, &(Hdf5Array){"m/s/x:0", H5T_IEEE_F32LE, 1, {4}, floats}, H5P_DEFAULT);
	H5Fclose(file);
	expect_refused(RF_CORRUPT, "tensor \"x\" is in file \"tf_model.h5\" twice");
	scratch_write_text("tf_model.h5", "no HDF5 at all");
	expect_refused(RF_CORRUPT, "is not an HDF5 file, or a damaged one");
	scratch_write("tf_model.h5", "", 0);
	expect_refused(RF_CORRUPT, "is not an HDF5 file, or a damaged one");
}

/* ---- Flax ------------------------------------------------------------------------------------ */

static void
write_flax(const Bytes *bytes)
{
	scratch_write("flax_model.msgpack", bytes->data, bytes->size);
}

static FlaxArray
matrix(void)
{
	return (FlaxArray){"float32", 2, {3, 4}, floats, sizeof(floats)};
}

static void
flax_files_are_read(void **state)
{
	FlaxArray whole = matrix();
	FlaxArray half = {"float16", 1, {2}, "\0\x3C\0\xBC", 4};
	FlaxArray scalar = {"bfloat16", 0, {0}, "\x80\x3F", 2};
	FlaxArray complex = {"complex64", 1, {1}, floats, 8};
	Bytes bytes = {0};
	RfCheckpoint *checkpoint;

	(void) state;
	flax_map(&bytes, 1);
	flax_string(&bytes, "params");
	flax_map(&bytes, 7);
	flax_string(&bytes, "dense");
	flax_map(&bytes, 2);
	flax_string(&bytes, "kernel");
	flax_leaf(&bytes, &whole);
	flax_string(&bytes, "bias");
	flax_leaf(&bytes, &half);
	flax_string(&bytes, "x");
	flax_map(&bytes, 1);
	flax_string(&bytes, "embedding");
	flax_leaf(&bytes, &whole);
	flax_string(&bytes, "scalar");
	flax_leaf(&bytes, &scalar);
	flax_string(&bytes, "complex");
	flax_leaf(&bytes, &complex);
	flax_string(&bytes, "step");
	flax_integer(&bytes, 1000);
	flax_string(&bytes, "none");
	bytes_number(&bytes, 0xC0, 1);
	flax_string(&bytes, "empty");
	flax_map(&bytes, 0);
	write_flax(&bytes);
	bytes_free(&bytes);
	checkpoint = open_good();
	assert_int_equal(rf_checkpoint_count(checkpoint), 4);
	expect_floats(checkpoint, "dense.weight", transposed, 4, 3);
	expect_floats(checkpoint, "x.weight", floats, 3, 4);
	assert_int_equal(rf_checkpoint_tensor(checkpoint, 0)->dtype, RF_F16);
	assert_int_equal(rf_checkpoint_tensor(checkpoint, 2)->dtype, RF_BF16);
	rf_checkpoint_close(checkpoint);
}

/* Chunks end inside rows, and a transposed one is gathered from all of them. */
static void
flax_chunks_are_joined(void **state)
{
	FlaxArray whole = matrix();

	(void) state;
	for (size_t chunk = 4; chunk <= 52; chunk += 4)
	{
		Bytes bytes = {0};
		RfCheckpoint *checkpoint;

		flax_map(&bytes, 2);
		flax_string(&bytes, "kernel");
		flax_chunks(&bytes, &whole, sizeof(float), chunk);
		flax_string(&bytes, "embedding");
		flax_map(&bytes, 1);
		flax_string(&bytes, "embedding");
		flax_chunks(&bytes, &whole, sizeof(float), chunk);
		write_flax(&bytes);
		bytes_free(&bytes);
		checkpoint = open_good();
		assert_int_equal(rf_checkpoint_count(checkpoint), 2);
		expect_floats(checkpoint, "weight", transposed, 4, 3);
		expect_floats(checkpoint, "embedding.weight", floats, 3, 4);
		rf_checkpoint_close(checkpoint);
	}
}

/* A file that is one leaf of the name "x". */
static void
expect_leaf_refused(const FlaxArray *array, RfCode code, const char *words)
{
	Bytes bytes = {0};

	flax_map(&bytes, 1);
	flax_string(&bytes, "x");
	flax_leaf(&bytes, array);
	write_flax(&bytes);
	bytes_free(&bytes);
	expect_refused(code, words);
}

static void
flax_arrays_that_lie_are_refused(void **state)
{
	FlaxArray array = matrix();

	(void) state;
	array.shape[1] = 5;
	expect_leaf_refused(&array, RF_CORRUPT, "does not have the bytes its shape calls for");
	array.shape[0] = UINT64_MAX;
	expect_leaf_refused(&array, RF_CORRUPT, "too many elements");
	array = (FlaxArray){"float32", 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, floats, 4};
	expect_leaf_refused(&array, RF_LIMIT, "has more than 8 dimensions");
}

static void
expect_bytes_refused(const char *data, size_t size, RfCode code, const char *words)
{
	scratch_write("flax_model.msgpack", data, size);
	expect_refused(code, words);
}

#define EXPECT_REFUSED(bytes, code, words)                                                         \
	expect_bytes_refused(bytes, sizeof(bytes) - 1, code, words)

static void
flax_files_that_lie_are_refused(void **state)
{
	char deep[2 * 20 + 1];
	char deeper[200];

	(void) state;
	EXPECT_REFUSED("", RF_CORRUPT, "is empty");
	EXPECT_REFUSED("\x81", RF_CORRUPT, "is not MessagePack, or cut off");
	EXPECT_REFUSED("\xC1", RF_CORRUPT, "is not MessagePack, or cut off");
	EXPECT_REFUSED("\x80\x80", RF_CORRUPT, "has unused bytes at its end");
	EXPECT_REFUSED("\x90", RF_CORRUPT, "does not hold a map");
	EXPECT_REFUSED("\x81\x01\x02", RF_CORRUPT, "has a key that is not a string");
	EXPECT_REFUSED("\x81\xA3x\0y\x02", RF_LIMIT, "is too long or has zero bytes");
	EXPECT_REFUSED("\x81\xA1x\xD4\x01\x90", RF_CORRUPT, "not an array of shape, type and data");
	EXPECT_REFUSED("\x81\xA1x\xC7\xFF\x01\x90", RF_CORRUPT, "is not MessagePack, or cut off");
	EXPECT_REFUSED("\x81\xA1x\xC7\x04\x01\x93\x90\xA1x", RF_CORRUPT, "not an array of shape");
	EXPECT_REFUSED("\x81\xA1x\xC7\x04\x01\x93\x90\xA1x\xC4\0", RF_CORRUPT,
				   "has unused bytes at its end");
	EXPECT_REFUSED("\x81\xA1x\xC7\x05\x01\x93\x90\xA0\x01\x02", RF_CORRUPT,
				   "not an array of shape");
	EXPECT_REFUSED("\x81\xA1x\x81\xB9__msgpack_chunked_array__\xC3", RF_CORRUPT,
				   "is an array in chunks without shape or chunks");
	EXPECT_REFUSED("\x81\xA1x\x83\xB9__msgpack_chunked_array__\xC3\xA5shape\x90\xA6"
				   "chunks\x91\xC0",
				   RF_CORRUPT, "has a chunk that is no array");
	for (int i = 0; i < 20; i++)
		memcpy(deep + 2 * i, "\x81\xA0", 2);
	deep[40] = (char) 0x80;
	expect_bytes_refused(deep, sizeof(deep), RF_LIMIT, "nested too deeply");
	memset(deeper, 0x91, sizeof(deeper));
	expect_bytes_refused(deeper, sizeof(deeper), RF_LIMIT, "nested too deeply");
}

/* ---- the child ------------------------------------------------------------------------------- */

static RfCode
crash(RfWalk *walk, RfError *unused)
{
	(void) walk, (void) unused;
	abort();
}

static RfCode
spin(RfWalk *walk, RfError *unused)
{
	(void) walk, (void) unused;
	raise(SIGXCPU);
	return RF_OK;
}

static RfCode
stop(RfWalk *walk, RfError *unused)
{
	(void) walk, (void) unused;
	_exit(0);
}

/* Reports of a library that a file has taken over. */
static RfCode
report_nonsense(RfWalk *walk, RfError *unused)
{
	RfWalkTensor tensor = {.path = "x", .dtype = (RfDtype) 77};

	return rf_walk_report_tensor(walk, &tensor, unused);
}

static RfCode
report_outside(RfWalk *walk, RfError *unused)
{
	RfWalkTensor tensor = {.path = "x"};

	RF_TRY(rf_walk_report_tensor(walk, &tensor, unused));
	return rf_walk_report_piece(walk, UINT64_MAX - 1, 4, unused);
}

static RfCode
report_no_tensor(RfWalk *walk, RfError *unused)
{
	return rf_walk_report_piece(walk, 0, 1, unused);
}

static RfCode
report_bad_failure(RfWalk *walk, RfError *failure)
{
	(void) walk;
	memset(failure, 0xFF, sizeof(*failure));
	failure->code = RF_CORRUPT;
	return RF_CORRUPT;
}

/* Neither another file nor what the parent has open is there. */
static RfCode
look_around(RfWalk *walk, RfError *failure)
{
	bool alone = write(walk->report + 1, "", 0) < 0 && write(walk->report + 7, "", 0) < 0;

	return rf_error_set(failure, RF_UNSUPPORTED, "%s", alone ? "alone" : "not alone");
}

static void
expect_walk(RfWalker walker, RfCode code, const char *words)
{
	RfCheckpoint checkpoint = {0};
	RfOpenFile file = {"some file", dup(0), 100};
	RfWeightEntry *entries;
	size_t count;

	rf_arena_init(&checkpoint.arena, rf_memory_malloc);
	checkpoint.files = &file;
	assert_int_equal(rf_walk_file(&checkpoint, 0, walker, rf_flax_map_name, &entries, &count, &err),
					 code);
	if (strstr(err.message, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, err.message);
	rf_arena_free(&checkpoint.arena);
	close(file.fd);
}

static void
children_are_not_believed(void **state)
{
	(void) state;
	expect_walk(crash, RF_CORRUPT, "file \"some file\" broke the library that reads it");
	assert_non_null(strstr(err.detail, "signal 6"));
	expect_walk(spin, RF_LIMIT, "takes too much time or memory");
	expect_walk(stop, RF_CORRUPT, "broke the library that reads it");
	expect_walk(report_nonsense, RF_CORRUPT, "has a tensor of an unknown kind");
	expect_walk(report_outside, RF_CORRUPT, "has a tensor outside the file");
	expect_walk(report_no_tensor, RF_CORRUPT, "has data of no tensor");
	expect_walk(report_bad_failure, RF_CORRUPT, "?");
	expect_walk(look_around, RF_UNSUPPORTED, "alone");
	assert_null(strstr(err.message, "not"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scratch_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_pytorchs),
		TEST(hdf5_files_are_read),
		TEST(hdf5_data_elsewhere_are_refused),
		TEST(hdf5_links_elsewhere_are_refused),
		TEST(hdf5_groups_end),
		TEST(hdf5_tensors_that_lie_are_refused),
		TEST(flax_files_are_read),
		TEST(flax_chunks_are_joined),
		TEST(flax_arrays_that_lie_are_refused),
		TEST(flax_files_that_lie_are_refused),
		TEST(children_are_not_believed),
	};

	return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
