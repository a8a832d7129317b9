/*
 * test_content.c - a model put together from files and tensors, and the bytes of its digest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_memory.h"
#include "rf/checkpoint.h"
#include "rf/content.h"
#include "rf/digest.h"
#include "scratch_directory.h"

#define WORDS "test/golden/data/models/enc-zh-word"
#define CLASSES "test/golden/data/models/seqcls-en"

static RfContent content;
static RfError err;

static int
set_up(void **state)
{
	(void) state;
	rf_content_init(&content, rf_memory_malloc);
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	rf_content_free(&content);
	return 0;
}

static void
files_lie_in_order(void **state)
{
	(void) state;
	assert_int_equal(rf_content_add_file(&content, "vocab.txt", "v", 1, &err), RF_OK);
	assert_int_equal(rf_content_add_file(&content, "1_Pooling/config.json", "p", 1, &err), RF_OK);
	assert_int_equal(rf_content_add_file(&content, RF_DICTIONARY_FILE, "d", 1, &err), RF_OK);
	assert_int_equal(rf_content_add_file(&content, "config.json", "c", 1, &err), RF_OK);
	assert_int_equal(content.file_count, 4);
	assert_string_equal(content.files[0].name, "1_Pooling/config.json");
	assert_string_equal(content.files[1].name, "config.json");
	assert_string_equal(content.files[2].name, RF_DICTIONARY_FILE);
	assert_string_equal(content.files[3].name, "vocab.txt");
	assert_ptr_equal(rf_content_dictionary(&content), &content.files[2]);
}

static void
strange_files_are_refused(void **state)
{
	(void) state;
	assert_int_equal(rf_content_add_file(&content, "config.json", "c", 1, &err), RF_OK);
	assert_int_equal(rf_content_add_file(&content, "config.json", "c", 1, &err), RF_INVALID);
	assert_string_equal(err.message, "file \"config.json\" is given twice");
	assert_int_equal(rf_content_add_file(&content, "model.safetensors", "c", 1, &err), RF_INVALID);
	assert_string_equal(err.message, "\"model.safetensors\" is no file of a model");
	assert_int_equal(rf_content_check_file(&content, "modules.json", 1024 * 1024, &err), RF_OK);
	assert_int_equal(rf_content_check_file(&content, "modules.json", 1024 * 1024 + 1, &err),
					 RF_LIMIT);
	assert_int_equal(
		rf_content_check_file(&content, RF_DICTIONARY_FILE, RF_DICTIONARY_LIMIT + 1, &err),
		RF_LIMIT);
	assert_int_equal(content.file_count, 1);
}

static RfCode
load(RfContent *loaded, const char *directory, RfCheckpoint **checkpoint, RfMemory memory)
{
	RF_TRY(rf_content_read_files(loaded, directory, &err));
	RF_TRY(rf_content_parse(loaded, &err));
	RF_TRY(rf_checkpoint_open(directory, memory, checkpoint, &err));
	RF_TRY(rf_content_match(loaded, rf_checkpoint_tensor(*checkpoint, 0),
							rf_checkpoint_count(*checkpoint), &err));
	if (!rf_content_needs_dictionary(loaded))
		return RF_OK;
	RF_TRY(rf_content_read_dictionary(loaded, scratch_path("words.txt"), &err));
	return rf_content_check_dictionary(loaded, NULL, &err);
}

static void
a_directory_becomes_a_content(void **state)
{
	RfCheckpoint *checkpoint;

	(void) state;
	assert_int_equal(load(&content, CLASSES, &checkpoint, rf_memory_malloc), RF_OK);
	assert_string_equal(rf_checkpoint_file(checkpoint), "model.safetensors");
	assert_int_equal(content.match.count, 40);
	assert_string_equal(rf_content_parameter(&content, 0).name, "classifier.dense.bias");
	assert_int_equal(rf_content_parameter(&content, 0).rank, 1);
	assert_int_equal(rf_content_parameter(&content, 0).shape[0], 64);
	assert_false(rf_content_needs_dictionary(&content));
	assert_null(rf_content_dictionary(&content));
	assert_int_equal(rf_content_check_dictionary(&content, NULL, &err), RF_NOT_FOUND);
	rf_checkpoint_close(checkpoint);
}

static void
a_dictionary_is_read_and_checked(void **state)
{
	RfCheckpoint *checkpoint;

	(void) state;
	scratch_make();
	scratch_write_text("words.txt", "中文 3 n\n");
	assert_int_equal(load(&content, WORDS, &checkpoint, rf_memory_malloc), RF_OK);
	assert_int_equal(rf_content_dictionary(&content)->size, strlen("中文 3 n\n"));
	rf_checkpoint_close(checkpoint);

	rf_content_free(&content);
	rf_content_init(&content, rf_memory_malloc);
	scratch_write("words.txt", "\xff", 1);
	assert_int_equal(load(&content, WORDS, &checkpoint, rf_memory_malloc), RF_CORRUPT);
	rf_checkpoint_close(checkpoint);
	scratch_remove();

	rf_content_free(&content);
	rf_content_init(&content, rf_memory_malloc);
	assert_int_equal(rf_content_read_dictionary(&content, "README.md", &err), RF_OK);
	rf_content_free(&content);
	rf_content_init(&content, rf_memory_malloc);
	assert_int_equal(rf_content_read_dictionary(&content, "/no-such-file", &err), RF_NOT_FOUND);
}

static void
memory_may_end_anywhere(void **state)
{
	RfCode code = RF_NO_MEMORY;

	(void) state;
	scratch_make();
	scratch_write_text("words.txt", "中文 3 n\n");
	for (size_t calls = 0; code == RF_NO_MEMORY; calls++)
	{
		FailingMemory failing = {.left = calls};
		RfMemory memory = failing_memory(&failing);
		RfContent scarce;
		RfCheckpoint *checkpoint = NULL;

		assert_true(calls < 10000);
		rf_content_init(&scarce, memory);
		code = load(&scarce, WORDS, &checkpoint, memory);
		rf_checkpoint_close(checkpoint);
		rf_content_free(&scarce);
		assert_int_equal(failing.held, 0);
	}
	assert_int_equal(code, RF_OK);
	scratch_remove();
}

/* ---- digest ---------------------------------------------------------------------------------- */

typedef struct Recorder
{
	unsigned char bytes[256];
	size_t used;
	size_t limit; /* refuses what goes beyond */
} Recorder;

static bool
record(void *context, const void *data, size_t size)
{
	Recorder *recorder = context;

	if (recorder->used + size > recorder->limit)
		return false;
	memcpy(recorder->bytes + recorder->used, data, size);
	recorder->used += size;
	return true;
}

#define NUMBER(n) n "\0\0\0\0\0\0\0"

static void
digests_are_made_of_these_bytes(void **state)
{
	static const char file_bytes[] = "f" NUMBER("\4") "name" NUMBER("\3") "a\0b";
	static const char tensor_bytes[] =
		"t" NUMBER("\1") "w" NUMBER("\4") "BF16" NUMBER("\2") NUMBER("\2") "\0\3\0\0\0\0\0\0";
	RfFile file = {"name", "a\0b", 3};
	RfTensorDesc tensor = {.name = "w", .dtype = RF_BF16, .rank = 2, .shape = {2, 768}};
	Recorder recorder = {.limit = sizeof(recorder.bytes)};
	RfHash hash = {record, &recorder};

	(void) state;
	assert_true(rf_digest_file(&hash, &file));
	assert_int_equal(recorder.used, sizeof(file_bytes) - 1);
	assert_memory_equal(recorder.bytes, file_bytes, recorder.used);
	recorder.used = 0;
	assert_true(rf_digest_tensor(&hash, &tensor));
	assert_int_equal(recorder.used, sizeof(tensor_bytes) - 1);
	assert_memory_equal(recorder.bytes, tensor_bytes, recorder.used);
	for (recorder.limit = 0; recorder.limit < sizeof(tensor_bytes) - 1; recorder.limit++)
	{
		recorder.used = 0;
		assert_false(rf_digest_tensor(&hash, &tensor));
		recorder.used = 0;
		assert_true(rf_digest_file(&hash, &file) == (recorder.limit >= sizeof(file_bytes) - 1));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_lie_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(strange_files_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_directory_becomes_a_content, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dictionary_is_read_and_checked, set_up, tear_down),
		cmocka_unit_test(memory_may_end_anywhere),
		cmocka_unit_test(digests_are_made_of_these_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
