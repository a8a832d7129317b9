/*
 * test_checkpoint_torch.c - files of torch.save: what golden ones hold, and that no bad one is
 * believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_memory.h"
#include "rf/checkpoint.h"
#include "rf/spec.h"
#include "scratch_directory.h"
#include "spec_files.h"
#include "torch_file.h"

#define MODELS "test/golden/data/models/"
#define FILE_NAME "pytorch_model.bin"
#define MAGIC "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *directory;
static RfError err;

static int
set_up(void **state)
{
	(void) state;
	directory = scratch_make();
	return 0;
}

static RfCheckpoint *
open_at(const char *path)
{
	RfCheckpoint *checkpoint;

	if (rf_checkpoint_open(path, rf_memory_malloc, &checkpoint, &err) != RF_OK)
		fail_msg("%s: %s (%s)", path, err.message, err.detail);
	return checkpoint;
}

static void
expect_failure(const Bytes *bytes, RfCode code, const char *message)
{
	RfCheckpoint *checkpoint;

	scratch_write(FILE_NAME, bytes->data, bytes->size);
	assert_int_equal(rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err), code);
	assert_null(checkpoint);
	if (strstr(err.message, message) == NULL)
		fail_msg("message is: %s", err.message);
	assert_string_equal(err.origin, FILE_NAME);
}

static char *
read_tensor(RfCheckpoint *checkpoint, size_t index, size_t *size)
{
	const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, index);
	char *data;

	assert_int_equal(rf_tensor_bytes(tensor, size, &err), RF_OK);
	data = malloc(*size + 1);
	if (rf_checkpoint_read(checkpoint, index, 0, rf_tensor_rows(tensor), data, &err) != RF_OK)
		fail_msg("%s", err.message);
	return data;
}

/* Golden files */

/* Both formats of a model; the PyTorch one is copied to where it is the only one. */
static void
expect_same_tensors(const char *model, size_t least)
{
	char path[256];
	char *bytes;
	size_t size;
	RfCheckpoint *one;
	RfCheckpoint *other;

	snprintf(path, sizeof(path), MODELS "%s/" FILE_NAME, model);
	bytes = scratch_slurp(path, &size);
	assert_non_null(bytes);
	scratch_write(FILE_NAME, bytes, size);
	free(bytes);
	snprintf(path, sizeof(path), MODELS "%s", model);
	one = open_at(path);
	other = open_at(directory);
	assert_true(rf_checkpoint_count(one) >= least);
	for (size_t i = 0; i < rf_checkpoint_count(one); i++)
	{
		const RfTensorDesc *tensor = rf_checkpoint_tensor(one, i);
		size_t sizes[2];
		char *data[2];
		size_t j = 0;

		while (j < rf_checkpoint_count(other) &&
			   strcmp(rf_checkpoint_tensor(other, j)->name, tensor->name) != 0)
			j++;
		assert_true(j < rf_checkpoint_count(other));
		assert_int_equal(rf_checkpoint_tensor(other, j)->dtype, tensor->dtype);
		assert_int_equal(rf_checkpoint_tensor(other, j)->rank, tensor->rank);
		assert_memory_equal(rf_checkpoint_tensor(other, j)->shape, tensor->shape,
							(size_t) tensor->rank * sizeof(tensor->shape[0]));
		data[0] = read_tensor(one, i, &sizes[0]);
		data[1] = read_tensor(other, j, &sizes[1]);
		assert_int_equal(sizes[0], sizes[1]);
		assert_memory_equal(data[0], data[1], sizes[0]);
		free(data[0]);
		free(data[1]);
	}
	rf_checkpoint_close(one);
	rf_checkpoint_close(other);
}

static void
both_formats_have_the_same_bits(void **state)
{
	(void) state;
	expect_same_tensors("enc-zh-word", 36);
	expect_same_tensors("mlm-zh-word", 36);
}

static void
golden_models_match_their_spec(void **state)
{
	static const char *const models[] = {"seqcls-en-multi", "tokcls-zh-word", "mc-summary"};

	(void) state;
	for (size_t i = 0; i < LENGTH(models); i++)
	{
		char path[256];
		RfArena arena;
		RfCheckpoint *checkpoint;
		RfFile *files;
		RfSpec spec;
		RfMatch match;
		size_t count;

		snprintf(path, sizeof(path), MODELS "%s", models[i]);
		rf_arena_init(&arena, rf_memory_malloc);
		checkpoint = open_at(path);
		count = spec_files_read(path, &arena, &files);
		assert_int_equal(rf_spec_parse(files, count, &arena, &spec, &err), RF_OK);
		if (rf_spec_match(&spec, rf_checkpoint_tensor(checkpoint, 0),
						  rf_checkpoint_count(checkpoint), &arena, &match, &err) != RF_OK)
			fail_msg("%s: %s (%s)", models[i], err.message, err.detail);
		rf_checkpoint_close(checkpoint);
		rf_arena_free(&arena);
	}
}

/* Composed files */

/* Storage "0" has the floats 0 to 11, storage "1" the integers 0 and 1. */
static const TorchTensor good_tensors[] = {
	{"whole", "FloatStorage", "0", 12, 0, 2, {3, 4}, {4, 1}, false},
	{"transposed", "FloatStorage", "0", 12, 0, 2, {4, 3}, {1, 4}, true},
	{"slice", "FloatStorage", "0", 12, 5, 2, {2, 2}, {4, 1}, false},
	{"step", "FloatStorage", "0", 12, 1, 1, {4}, {3}, false},
	{"deep", "FloatStorage", "0", 12, 0, 3, {2, 3, 2}, {1, 4, 2}, false},
	{"row", "FloatStorage", "0", 12, 8, 2, {1, 4}, {77, 1}, false},
	{"scalar", "FloatStorage", "0", 12, 11, 0, {0}, {0}, false},
	{"none", "FloatStorage", "0", 12, 12, 2, {0, 5}, {5, 1}, false},
	{"position_ids", "LongStorage", "1", 2, 0, 1, {2}, {1}, false},
};

static const struct
{
	const char *name;
	size_t count;
	float values[12];
} good_values[] = {
	{"deep", 12, {0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}},
	{"row", 4, {8, 9, 10, 11}},
	{"scalar", 1, {11}},
	{"slice", 4, {5, 6, 9, 10}},
	{"step", 4, {1, 4, 7, 10}},
	{"transposed", 12, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
	{"whole", 12, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
};

static const float floats[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const int64_t integers[2] = {0, 1};

static size_t
find_tensor(RfCheckpoint *checkpoint, const char *name)
{
	for (size_t i = 0; i < rf_checkpoint_count(checkpoint); i++)
	{
		if (strcmp(rf_checkpoint_tensor(checkpoint, i)->name, name) == 0)
			return i;
	}
	fail_msg("there is no \"%s\"", name);
	return 0;
}

static void
expect_good(const Bytes *bytes)
{
	RfCheckpoint *checkpoint;

	scratch_write(FILE_NAME, bytes->data, bytes->size);
	checkpoint = open_at(directory);
	assert_int_equal(rf_checkpoint_count(checkpoint), LENGTH(good_tensors));
	for (size_t i = 0; i < LENGTH(good_values); i++)
	{
		size_t index = find_tensor(checkpoint, good_values[i].name);
		uint64_t rows = rf_tensor_rows(rf_checkpoint_tensor(checkpoint, index));
		size_t size;
		char *data = read_tensor(checkpoint, index, &size);

		assert_int_equal(size, good_values[i].count * sizeof(float));
		assert_memory_equal(data, good_values[i].values, size);
		/* Row by row, from the last. */
		for (uint64_t row = rows; row-- > 0;)
		{
			char one[sizeof(floats)];

			assert_int_equal(rf_checkpoint_read(checkpoint, index, row, 1, one, &err), RF_OK);
			assert_memory_equal(one, data + row * (size / rows), size / rows);
		}
		free(data);
	}
	rf_checkpoint_close(checkpoint);
}

static void
compose_keys(Bytes *bytes, const char *const *keys, size_t count)
{
	pickle_add(bytes, "\x80\x02](");
	for (size_t i = 0; i < count; i++)
		pickle_string(bytes, keys[i]);
	pickle_add(bytes, "e.");
}

static void
add_legacy(Bytes *bytes, const TorchTensor *tensors, size_t count, const char *byte_order,
		   const char *const *keys, size_t key_count)
{
	Bytes list = {0};

	compose_keys(&list, keys, key_count);
	bytes_add(bytes, MAGIC, sizeof(MAGIC) - 1);
	bytes_add(bytes, "\x80\x02M\xe9\x03.\x80\x02}", 9);
	pickle_string(bytes, "little_endian");
	pickle_add(bytes, byte_order);
	pickle_add(bytes, "s.");
	pickle_state_dict(bytes, tensors, count, true);
	bytes_add(bytes, list.data, list.size);
	bytes_number(bytes, 12, 8);
	bytes_add(bytes, floats, sizeof(floats));
	bytes_number(bytes, 2, 8);
	bytes_add(bytes, integers, sizeof(integers));
	bytes_free(&list);
}

static const char *const good_keys[] = {"0", "1"};

static void
compose_good_legacy(Bytes *bytes)
{
	add_legacy(bytes, good_tensors, LENGTH(good_tensors), "\x88", good_keys, 2);
}

/* pickle, "0" and "1" of a good archive, with changes made by the caller before it is composed. */
static void
good_entries(Bytes *pickle, ZipEntry *entries)
{
	pickle_state_dict(pickle, good_tensors, LENGTH(good_tensors), false);
	entries[0] = (ZipEntry){.name = "m/data.pkl", .data = pickle->data, .size = pickle->size};
	entries[1] = (ZipEntry){.name = "m/data/0", .data = floats, .size = sizeof(floats)};
	entries[2] = (ZipEntry){.name = "m/data/1", .data = integers, .size = sizeof(integers)};
}

static void
compose_good_zip(Bytes *bytes)
{
	Bytes pickle = {0};
	ZipEntry entries[3];

	good_entries(&pickle, entries);
	zip_compose(bytes, entries, 3, (ZipClaims){0});
	bytes_free(&pickle);
}

static void
good_files_are_read(void **state)
{
	Bytes bytes = {0};
	Bytes pickle = {0};
	ZipEntry entries[4];

	(void) state;
	compose_good_legacy(&bytes);
	expect_good(&bytes);
	bytes_free(&bytes);
	compose_good_zip(&bytes);
	expect_good(&bytes);
	bytes_free(&bytes);
	good_entries(&pickle, entries);
	entries[3] = (ZipEntry){.name = "m/byteorder", .data = "little", .size = 6};
	for (int i = 0; i < 4; i++)
	{
		entries[i].has_descriptor = i != 1;
		entries[i].is_zip64 = i != 2;
	}
	zip_compose(&bytes, entries, 4, (ZipClaims){4, "a comment"});
	expect_good(&bytes);
	bytes_free(&bytes);
	bytes_free(&pickle);
}

/* Writes a good archive with one entry changed, or a fourth one added. */
static void
expect_bad_entry(size_t index, ZipEntry changed, ZipClaims claims, RfCode code, const char *message)
{
	Bytes bytes = {0};
	Bytes pickle = {0};
	ZipEntry entries[4];

	good_entries(&pickle, entries);
	if (changed.name == NULL)
		changed.name = entries[index].name;
	if (changed.data == NULL)
	{
		changed.data = entries[index].data;
		changed.size = entries[index].size;
	}
	entries[index] = changed;
	zip_compose(&bytes, entries, index == 3 ? 4 : 3, claims);
	expect_failure(&bytes, code, message);
	bytes_free(&bytes);
	bytes_free(&pickle);
}

static void
bad_archives_are_refused(void **state)
{
	ZipClaims none = {0};

	(void) state;
	expect_bad_entry(1, (ZipEntry){.method = 8}, none, RF_UNSUPPORTED, "is compressed");
	expect_bad_entry(0, (ZipEntry){.method = 8}, none, RF_UNSUPPORTED, "is compressed");
	expect_bad_entry(1, (ZipEntry){.same_as = 1}, none, RF_CORRUPT, "overlaps another one");
	expect_bad_entry(1, (ZipEntry){.claimed = 100}, none, RF_CORRUPT, "overlaps another one");
	expect_bad_entry(2, (ZipEntry){.claimed = 1u << 30}, none, RF_CORRUPT, "lies outside the file");
	expect_bad_entry(2, (ZipEntry){.claimed = INT64_MAX, .is_zip64 = true}, none, RF_CORRUPT, "");
	expect_bad_entry(2, (ZipEntry){.claimed = UINT64_MAX - 2, .is_zip64 = true}, none, RF_CORRUPT,
					 "");
	expect_bad_entry(2, (ZipEntry){.claimed = 15}, none, RF_CORRUPT, "does not have the bytes");
	expect_bad_entry(2, (ZipEntry){.name = "m/data/0"}, none, RF_CORRUPT, "more than once");
	expect_bad_entry(2, (ZipEntry){.name = "m/data/2"}, none, RF_CORRUPT,
					 "entry \"data/1\" of zip archive \"pytorch_model.bin\" is missing");
	expect_bad_entry(0, (ZipEntry){.name = "m/other.pkl"}, none, RF_CORRUPT, "\"data.pkl\"");
	expect_bad_entry(3, (ZipEntry){.name = "m/../x", .data = "x", .size = 1}, none, RF_CORRUPT,
					 "leaves the archive");
	expect_bad_entry(3, (ZipEntry){.name = "/m/x", .data = "x", .size = 1}, none, RF_CORRUPT,
					 "no relative name");
	expect_bad_entry(3, (ZipEntry){.name = "n/x", .data = "x", .size = 1}, none, RF_CORRUPT,
					 "in another folder");
	expect_bad_entry(3, (ZipEntry){.name = "x", .data = "x", .size = 1}, none, RF_CORRUPT,
					 "in no folder");
	expect_bad_entry(3, (ZipEntry){.name = "m/\x1b", .data = "x", .size = 1}, none, RF_CORRUPT,
					 "unusual characters");
	expect_bad_entry(3, (ZipEntry){.name = "m/byteorder", .data = "big", .size = 3}, none,
					 RF_UNSUPPORTED, "big-endian");
	expect_bad_entry(3, (ZipEntry){.name = "m/byteorder", .data = "middle", .size = 6}, none,
					 RF_CORRUPT, "byte order");
	expect_bad_entry(1, (ZipEntry){0}, (ZipClaims){.entries64 = (uint64_t) 1 << 40}, RF_LIMIT,
					 "has 1099511627776 entries");
}

/* A zero byte in the name of an entry that otherwise would be data/0. */
static void
zero_bytes_in_names_are_refused(void **state)
{
	Bytes bytes = {0};

	(void) state;
	compose_good_zip(&bytes);
	for (size_t i = 0; i + 8 <= bytes.size; i++)
	{
		if (memcmp(bytes.data + i, "m/data/0", 8) == 0)
			bytes.data[i + 7] = '\0';
	}
	expect_failure(&bytes, RF_CORRUPT, "");
	bytes_free(&bytes);
}

static void
expect_bad_tensor(TorchTensor tensor, RfCode code, const char *message)
{
	Bytes bytes = {0};
	Bytes pickle = {0};
	ZipEntry entries[3];

	good_entries(&pickle, entries);
	bytes_free(&pickle);
	pickle_state_dict(&pickle, &tensor, 1, false);
	entries[0].data = pickle.data;
	entries[0].size = pickle.size;
	zip_compose(&bytes, entries, 3, (ZipClaims){0});
	expect_failure(&bytes, code, message);
	bytes_free(&bytes);
	bytes_free(&pickle);
}

static void
lying_tensors_are_refused(void **state)
{
	TorchTensor good = {"w", "FloatStorage", "0", 12, 0, 2, {3, 4}, {4, 1}, false};
	TorchTensor bad;

#define BAD(change, code, message)                                                                 \
	bad = good;                                                                                    \
	change;                                                                                        \
	expect_bad_tensor(bad, code, message)

	(void) state;
	BAD(bad.offset = 1, RF_CORRUPT, "lies outside its storage");
	BAD(bad.offset = -1, RF_CORRUPT, "offset that is no count");
	BAD(bad.offset = INT64_MAX, RF_CORRUPT, "offset that is no count");
	BAD(bad.shape[0] = 4, RF_CORRUPT, "lies outside its storage");
	BAD(bad.shape[0] = -3, RF_CORRUPT, "size that is no count");
	BAD((bad.shape[0] = 1LL << 40, bad.shape[1] = 1LL << 40), RF_CORRUPT, "too many elements");
	BAD(bad.strides[0] = 5, RF_CORRUPT, "lies outside its storage");
	BAD(bad.strides[0] = -4, RF_CORRUPT, "stride that is no count");
	BAD(bad.strides[0] = 1LL << 59, RF_CORRUPT, "lies outside its storage");
	BAD(bad.strides[0] = 0, RF_UNSUPPORTED, "stride of 0");
	BAD((bad.shape[0] = 8, bad.strides[0] = 1), RF_UNSUPPORTED, "more elements than its storage");
	BAD(bad.rank = 9, RF_LIMIT, "more than 8 dimensions");
	BAD(bad.elements = 13, RF_CORRUPT, "does not have the bytes");
	BAD(bad.elements = 1LL << 60, RF_CORRUPT, "");
	BAD(bad.storage_class = "DoubleStorage", RF_CORRUPT, "does not have the bytes");
	BAD(bad.storage_class = "ComplexFloatStorage", RF_UNSUPPORTED, "\"torch.ComplexFloatStorage\"");
	BAD(bad.key = "../0", RF_CORRUPT, "is missing");
	BAD(bad.name = "", RF_CORRUPT, "without a name");
	BAD(bad.name = "a\nb", RF_CORRUPT, "control character");
#undef BAD
}

static void
expect_bad_pickle(const char *pickle, size_t size, RfCode code, const char *message)
{
	Bytes bytes = {0};
	ZipEntry entry = {.name = "m/data.pkl", .data = pickle, .size = size};

	zip_compose(&bytes, &entry, 1, (ZipClaims){0});
	expect_failure(&bytes, code, message);
	bytes_free(&bytes);
}

static void
other_objects_are_refused(void **state)
{
	static const char system_call[] = "\x80\x02"
									  "cposix\nsystem\n(X\4\0\0\0truetR.";
	TorchTensor twice[] = {good_tensors[0], good_tensors[0]};
	Bytes pickle = {0};

	(void) state;
	expect_bad_pickle(system_call, sizeof(system_call) - 1, RF_UNSUPPORTED, "\"posix.system\"");
	expect_bad_pickle("\x80\x02].", 4, RF_UNSUPPORTED, "does not hold a state dict");
	expect_bad_pickle("\x80\x02}NNs.", 7, RF_CORRUPT, "whose name is no text");
	expect_bad_pickle("\x80\x02}X\1\0\0\0aK\1s.", 13, RF_UNSUPPORTED, "\"a\" in file");
	expect_bad_pickle("\x80\x02}X\3\0\0\0a\0bK\1s.", 15, RF_CORRUPT, "whose name is no text");
	pickle_state_dict(&pickle, twice, 2, false);
	expect_bad_pickle(pickle.data, pickle.size, RF_CORRUPT, "is there more than once");
	bytes_free(&pickle);
}

static void
expect_bad_legacy(const char *byte_order, const char *const *keys, size_t count, size_t cut,
				  RfCode code, const char *message)
{
	Bytes bytes = {0};

	add_legacy(&bytes, good_tensors, LENGTH(good_tensors), byte_order, keys, count);
	bytes.size -= cut;
	expect_failure(&bytes, code, message);
	bytes_free(&bytes);
}

static void
bad_legacy_files_are_refused(void **state)
{
	static const char *const swapped[] = {"1", "0"};
	static const char *const repeated[] = {"0", "0"};
	static const char *const unknown[] = {"0", "2"};
	Bytes bytes = {0};

	(void) state;
	expect_bad_legacy("\x89", good_keys, 2, 0, RF_UNSUPPORTED, "big-endian");
	expect_bad_legacy("N", good_keys, 2, 0, RF_CORRUPT, "byte order");
	expect_bad_legacy("\x88", swapped, 2, 0, RF_CORRUPT, "does not have the elements");
	expect_bad_legacy("\x88", repeated, 2, 0, RF_CORRUPT, "is there more than once");
	expect_bad_legacy("\x88", unknown, 2, 0, RF_CORRUPT, "belongs to no tensor");
	expect_bad_legacy("\x88", good_keys, 1, 0, RF_CORRUPT, "is missing");
	expect_bad_legacy("\x88", good_keys, 2, 1, RF_CORRUPT, "lies outside the file");
	compose_good_legacy(&bytes);
	pickle_add(&bytes, "x");
	expect_failure(&bytes, RF_CORRUPT, "1 unused bytes");
	bytes_free(&bytes);
	pickle_add(&bytes, "neither");
	expect_failure(&bytes, RF_CORRUPT, "is not one that torch.save writes");
	bytes_free(&bytes);
}

/* Whatever opens can be read whole; what does not says why. Returns whether it opened. */
static bool
expect_consistent(const char *bytes, size_t size)
{
	RfCheckpoint *checkpoint;

	scratch_write(FILE_NAME, bytes, size);
	if (rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err) != RF_OK)
	{
		assert_true(err.message[0] != '\0');
		return false;
	}
	for (size_t i = 0; i < rf_checkpoint_count(checkpoint); i++)
	{
		size_t ignored;

		free(read_tensor(checkpoint, i, &ignored));
	}
	rf_checkpoint_close(checkpoint);
	return true;
}

static void
damage(void (*compose)(Bytes *bytes))
{
	Bytes bytes = {0};

	compose(&bytes);
	for (size_t size = 0; size < bytes.size; size++)
		assert_false(expect_consistent(bytes.data, size));
	assert_true(expect_consistent(bytes.data, bytes.size));
	for (size_t i = 0; i < bytes.size; i++)
	{
		for (int bit = 0; bit < 8; bit += 3)
		{
			bytes.data[i] ^= (char) (1 << bit);
			expect_consistent(bytes.data, bytes.size);
			bytes.data[i] ^= (char) (1 << bit);
		}
	}
	bytes_free(&bytes);
}

static void
damaged_files_are_no_danger(void **state)
{
	(void) state;
	damage(compose_good_zip);
	damage(compose_good_legacy);
}

static void
failing_memory_is_reported(void **state)
{
	void (*const forms[])(Bytes * bytes) = {compose_good_zip, compose_good_legacy};

	(void) state;
	for (size_t form = 0; form < LENGTH(forms); form++)
	{
		Bytes bytes = {0};
		RfCode code = RF_NO_MEMORY;
		size_t left;

		forms[form](&bytes);
		scratch_write(FILE_NAME, bytes.data, bytes.size);
		for (left = 0; code != RF_OK; left++)
		{
			FailingMemory failing = {.left = left};
			RfCheckpoint *checkpoint;

			code = rf_checkpoint_open(directory, failing_memory(&failing), &checkpoint, &err);
			assert_true(code == RF_OK || code == RF_NO_MEMORY);
			rf_checkpoint_close(checkpoint);
			assert_int_equal(failing.held, 0);
		}
		assert_true(left > 2);
		bytes_free(&bytes);
	}
}

static void
safetensors_go_first(void **state)
{
	static const char safetensors[] = "\2\0\0\0\0\0\0\0{}";
	Bytes bytes = {0};
	RfCheckpoint *checkpoint;

	(void) state;
	compose_good_zip(&bytes);
	scratch_write(FILE_NAME, bytes.data, bytes.size);
	scratch_write_text(FILE_NAME ".index.json", "no JSON");
	checkpoint = open_at(directory);
	assert_int_equal(rf_checkpoint_count(checkpoint), LENGTH(good_tensors));
	rf_checkpoint_close(checkpoint);
	scratch_write("model.safetensors", safetensors, sizeof(safetensors) - 1);
	checkpoint = open_at(directory);
	assert_int_equal(rf_checkpoint_count(checkpoint), 0);
	rf_checkpoint_close(checkpoint);
	bytes_free(&bytes);
}

static void
shards_may_have_either_form(void **state)
{
	Bytes bytes = {0};
	RfCheckpoint *checkpoint;
	size_t size;
	char *data;

	(void) state;
	compose_good_zip(&bytes);
	scratch_write("zip.bin", bytes.data, bytes.size);
	bytes_free(&bytes);
	compose_good_legacy(&bytes);
	scratch_write("legacy.bin", bytes.data, bytes.size);
	bytes_free(&bytes);
	scratch_write_text(FILE_NAME ".index.json", "{\"weight_map\":{\"step\":\"zip.bin\"}}");
	checkpoint = open_at(directory);
	assert_int_equal(rf_checkpoint_count(checkpoint), 1);
	data = read_tensor(checkpoint, 0, &size);
	assert_memory_equal(data, good_values[4].values, size);
	free(data);
	rf_checkpoint_close(checkpoint);
	scratch_write_text(FILE_NAME ".index.json",
					   "{\"weight_map\":{\"step\":\"zip.bin\",\"row\":\"legacy.bin\"}}");
	assert_int_equal(rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err), RF_CORRUPT);
	assert_non_null(strstr(err.message, "is in more than one shard"));
	assert_string_equal(err.origin, FILE_NAME ".index.json");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scratch_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_formats_have_the_same_bits), TEST(golden_models_match_their_spec),
		TEST(good_files_are_read),             TEST(bad_archives_are_refused),
		TEST(zero_bytes_in_names_are_refused), TEST(lying_tensors_are_refused),
		TEST(other_objects_are_refused),       TEST(bad_legacy_files_are_refused),
		TEST(damaged_files_are_no_danger),     TEST(failing_memory_is_reported),
		TEST(safetensors_go_first),            TEST(shards_may_have_either_form),
	};

	return cmocka_run_group_tests_name("checkpoint_torch", tests, NULL, NULL);
}
