/*
 * test_checkpoint_shards.c - safetensors in shards with an index file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_memory.h"
#include "rf/checkpoint.h"
#include "safetensors_file.h"
#include "scratch_directory.h"

#define INDEX "model.safetensors.index.json"
#define BYTE(begin, end) "{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[" begin "," end "]}"

static const char *directory;
static RfError err;

static int
set_up(void **state)
{
	(void) state;
	directory = scratch_make();
	safetensors_write("one.safetensors", "{\"b\":" BYTE("0", "1") ",\"d\":" BYTE("1", "2") "}", 2);
	safetensors_write("two.safetensors", "{\"a\":" BYTE("1", "2") ",\"c\":" BYTE("0", "1") "}", 2);
	return 0;
}

static RfCheckpoint *
open_index(const char *index)
{
	RfCheckpoint *checkpoint;

	scratch_write_text(INDEX, index);
	if (rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err) != RF_OK)
		fail_msg("%s (%s)", err.message, err.detail);
	return checkpoint;
}

static void
expect_failure(const char *index, RfCode code, const char *message)
{
	RfCheckpoint *checkpoint;

	scratch_write_text(INDEX, index);
	assert_int_equal(rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err), code);
	assert_null(checkpoint);
	if (strstr(err.message, message) == NULL)
		fail_msg("message is: %s", err.message);
	assert_true(err.origin[0] != '\0');
}

static void
tensors_come_from_their_shards(void **state)
{
	RfCheckpoint *checkpoint = open_index(
		"{\"metadata\":{\"total_size\":4},\"weight_map\":{\"a\":\"two.safetensors\","
		"\"b\":\"one.safetensors\",\"c\":\"two.safetensors\",\"d\":\"one.safetensors\"}}");
	static const char *const names[] = {"a", "b", "c", "d"};
	static const unsigned char values[] = {1, 0, 0, 1};

	(void) state;
	assert_int_equal(rf_checkpoint_count(checkpoint), 4);
	for (size_t i = 0; i < 4; i++)
	{
		unsigned char byte;

		assert_string_equal(rf_checkpoint_tensor(checkpoint, i)->name, names[i]);
		assert_int_equal(rf_checkpoint_read(checkpoint, i, 0, 1, &byte, &err), RF_OK);
		assert_int_equal(byte, values[i]);
	}
	rf_checkpoint_close(checkpoint);
}

static void
only_mapped_tensors_count(void **state)
{
	RfCheckpoint *checkpoint =
		open_index("{\"weight_map\":{\"d\":\"one.safetensors\",\"a\":\"two.safetensors\"}}");

	(void) state;
	assert_int_equal(rf_checkpoint_count(checkpoint), 2);
	assert_string_equal(rf_checkpoint_tensor(checkpoint, 0)->name, "a");
	assert_string_equal(rf_checkpoint_tensor(checkpoint, 1)->name, "d");
	rf_checkpoint_close(checkpoint);
	checkpoint = open_index("{\"weight_map\":{}}");
	assert_int_equal(rf_checkpoint_count(checkpoint), 0);
	rf_checkpoint_close(checkpoint);
}

static void
single_file_goes_first(void **state)
{
	RfCheckpoint *checkpoint;

	(void) state;
	safetensors_write("model.safetensors", "{\"z\":" BYTE("0", "1") "}", 1);
	checkpoint = open_index("{\"weight_map\":{\"a\":\"two.safetensors\"}}");
	assert_string_equal(rf_checkpoint_tensor(checkpoint, 0)->name, "z");
	rf_checkpoint_close(checkpoint);
}

static void
bad_indexes_are_refused(void **state)
{
	(void) state;
	expect_failure("", RF_CORRUPT, "not valid JSON");
	expect_failure("[]", RF_CORRUPT, "not a JSON object");
	expect_failure("{}", RF_CORRUPT, "has no weight_map");
	expect_failure("{\"weight_map\":[\"a\"]}", RF_CORRUPT, "has no weight_map");
	expect_failure("{\"weight_map\":{\"a\":1}}", RF_CORRUPT, "no plain file name");
	expect_failure("{\"weight_map\":{\"a\":\"two.safetensors\",\"a\":\"two.safetensors\"}}",
				   RF_CORRUPT, "not valid JSON");
	expect_failure("{\"weight_map\":{\"x\":\"two.safetensors\"}}", RF_CORRUPT,
				   "tensor \"x\" is not in shard \"two.safetensors\"");
	expect_failure("{\"weight_map\":{\"b\":\"two.safetensors\",\"d\":\"one.safetensors\"}}",
				   RF_CORRUPT, "tensor \"b\" is not in shard \"two.safetensors\"");
	expect_failure("{\"weight_map\":{\"a\":\"three.safetensors\"}}", RF_NOT_FOUND,
				   "could not open file \"three.safetensors\"");
}

static void
shards_stay_in_the_directory(void **state)
{
	static const char *const names[] = {"../one.safetensors",  "/etc/passwd",      "..", ".", "",
										"sub/one.safetensors", "./one.safetensors"};

	(void) state;
	scratch_write_text("sub/one.safetensors", "x");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char index[256];

		snprintf(index, sizeof(index), "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
		expect_failure(index, RF_CORRUPT, "no plain file name");
		assert_non_null(strstr(err.detail, names[i]));
	}
}

static void
shards_must_be_regular_files(void **state)
{
	(void) state;
	assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
	expect_failure("{\"weight_map\":{\"a\":\"fifo\"}}", RF_INVALID, "not a regular file");
	expect_failure("{\"weight_map\":{\"a\":\"" INDEX "\"}}", RF_CORRUPT, INDEX);
}

static void
duplicates_across_shards_are_refused(void **state)
{
	(void) state;
	safetensors_write("three.safetensors", "{\"a\":" BYTE("0", "1") ",\"e\":" BYTE("1", "2") "}",
					  2);
	expect_failure("{\"weight_map\":{\"a\":\"two.safetensors\",\"e\":\"three.safetensors\"}}",
				   RF_CORRUPT, "tensor \"a\" is in more than one shard");
	assert_non_null(strstr(err.detail, "two.safetensors"));
	assert_non_null(strstr(err.detail, "three.safetensors"));
}

static void
broken_shards_are_named(void **state)
{
	(void) state;
	safetensors_write("two.safetensors", "{\"a\":" BYTE("0", "1") "}", 2);
	expect_failure("{\"weight_map\":{\"b\":\"one.safetensors\",\"a\":\"two.safetensors\"}}",
				   RF_CORRUPT, "file \"two.safetensors\" has 1 unused bytes at its end");
	assert_string_equal(err.origin, "two.safetensors");
}

static void
too_many_shards_are_refused(void **state)
{
	char *index = malloc((RF_MAX_SHARDS + 1) * 64);
	size_t at = (size_t) sprintf(index, "{\"weight_map\":{");

	(void) state;
	for (int i = 0; i <= RF_MAX_SHARDS; i++)
		at += (size_t) sprintf(index + at, "%s\"t%d\":\"s%d\"", i == 0 ? "" : ",", i, i);
	strcpy(index + at, "}}");
	expect_failure(index, RF_LIMIT, "names 257 shards, more than 256");
	free(index);
}

static void
no_changed_index_byte_does_harm(void **state)
{
	static const char index[] =
		"{\"weight_map\":{\"a\":\"two.safetensors\",\"b\":\"one.safetensors\"}}";
	char changed[sizeof(index)];
	size_t opened = 0;

	(void) state;
	for (size_t i = 0; i < 8 * (sizeof(index) - 1); i++)
	{
		RfCheckpoint *checkpoint;

		memcpy(changed, index, sizeof(index));
		changed[i / 8] ^= (char) (1 << (i % 8));
		scratch_write(INDEX, changed, sizeof(index) - 1);
		opened += rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err) == RF_OK;
		rf_checkpoint_close(checkpoint);
	}
	/* "a" can become "c", which is in the same shard; nothing else stays right. */
	assert_int_equal(opened, 1);
}

static void
running_out_of_memory_leaks_nothing(void **state)
{
	FailingMemory failing;
	RfMemory memory = failing_memory(&failing);
	RfCheckpoint *checkpoint = NULL;

	(void) state;
	scratch_write_text(INDEX, "{\"weight_map\":{\"a\":\"two.safetensors\","
							  "\"b\":\"one.safetensors\",\"d\":\"one.safetensors\"}}");
	for (size_t calls = 0; checkpoint == NULL; calls++)
	{
		RfCode code;

		failing = (FailingMemory){calls, 0};
		code = rf_checkpoint_open(directory, memory, &checkpoint, &err);
		assert_int_equal(code, checkpoint == NULL ? RF_NO_MEMORY : RF_OK);
		assert_true(checkpoint != NULL || failing.held == 0);
		assert_true(calls < 100);
	}
	rf_checkpoint_close(checkpoint);
	assert_int_equal(failing.held, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, scratch_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tensors_come_from_their_shards),
		TEST(only_mapped_tensors_count),
		TEST(single_file_goes_first),
		TEST(bad_indexes_are_refused),
		TEST(shards_stay_in_the_directory),
		TEST(shards_must_be_regular_files),
		TEST(duplicates_across_shards_are_refused),
		TEST(broken_shards_are_named),
		TEST(too_many_shards_are_refused),
		TEST(no_changed_index_byte_does_harm),
		TEST(running_out_of_memory_leaks_nothing),
	};

	return cmocka_run_group_tests_name("checkpoint_shards", tests, NULL, NULL);
}
