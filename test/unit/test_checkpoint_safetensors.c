/*
 * test_checkpoint_safetensors.c - one safetensors file: what is read from a good one, and that no
 * bad one is believed.
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
#include "rf/utf8.h"
#include "safetensors_file.h"
#include "scratch_directory.h"

#define FILE_NAME "model.safetensors"

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
open_good(void)
{
	RfCheckpoint *checkpoint;

	if (rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err) != RF_OK)
		fail_msg("%s (%s)", err.message, err.detail);
	return checkpoint;
}

static void
expect_failure(RfCode code, const char *message)
{
	RfCheckpoint *checkpoint;

	assert_int_equal(rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err), code);
	assert_null(checkpoint);
	if (strstr(err.message, message) == NULL)
		fail_msg("message is: %s", err.message);
	assert_string_equal(err.origin, FILE_NAME);
}

static const char good_header[] =
	"{\"__metadata__\":{\"format\":\"pt\"},"
	"\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
	"\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
	"\"empty\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[16,16]},"
	"\"c.d\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[16,32]}}   ";

static void
good_file_is_described(void **state)
{
	RfCheckpoint *checkpoint;
	const RfTensorDesc *tensors;

	(void) state;
	safetensors_write(FILE_NAME, good_header, 32);
	checkpoint = open_good();
	assert_int_equal(rf_checkpoint_count(checkpoint), 4);
	tensors = rf_checkpoint_tensor(checkpoint, 0);
	assert_string_equal(tensors[0].name, "a");
	assert_int_equal(tensors[0].rank, 0);
	assert_string_equal(tensors[1].name, "b");
	assert_int_equal(tensors[1].dtype, RF_F16);
	assert_int_equal(tensors[1].rank, 2);
	assert_int_equal(tensors[1].shape[0], 2);
	assert_int_equal(tensors[1].shape[1], 3);
	assert_string_equal(tensors[2].name, "c.d");
	assert_string_equal(tensors[3].name, "empty");
	assert_ptr_equal(rf_checkpoint_tensor(checkpoint, 3), &tensors[3]);
	rf_checkpoint_close(checkpoint);
}

static void
rows_are_read(void **state)
{
	RfCheckpoint *checkpoint;
	unsigned char bytes[16];

	(void) state;
	safetensors_write(FILE_NAME, good_header, 32);
	checkpoint = open_good();
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 0, 1, bytes, &err), RF_OK);
	assert_memory_equal(bytes, "\0\1\2\3", 4);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 1, 1, bytes, &err), RF_OK);
	assert_memory_equal(bytes, "\12\13\14\15\16\17", 6);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 0, 2, bytes, &err), RF_OK);
	assert_memory_equal(bytes, "\4\5\6\7\10\11\12\13\14\15\16\17", 12);
	assert_int_equal(rf_checkpoint_read(checkpoint, 2, 1, 1, bytes, &err), RF_OK);
	assert_memory_equal(bytes, "\30\31\32\33\34\35\36\37", 8);
	assert_int_equal(rf_checkpoint_read(checkpoint, 3, 0, 3, bytes, &err), RF_OK);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 2, 0, bytes, &err), RF_OK);
	rf_checkpoint_close(checkpoint);
}

static void
rows_outside_are_refused(void **state)
{
	RfCheckpoint *checkpoint;
	unsigned char bytes[16];

	(void) state;
	safetensors_write(FILE_NAME, good_header, 32);
	checkpoint = open_good();
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 0, 3, bytes, &err), RF_INVALID);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 3, 0, bytes, &err), RF_INVALID);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 1, UINT64_MAX, bytes, &err), RF_INVALID);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, UINT64_MAX, 2, bytes, &err), RF_INVALID);
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 0, 2, bytes, &err), RF_INVALID);
	assert_int_equal(rf_checkpoint_read(checkpoint, 4, 0, 1, bytes, &err), RF_INVALID);
	rf_checkpoint_close(checkpoint);
}

static void
file_may_shrink_while_open(void **state)
{
	RfCheckpoint *checkpoint;
	unsigned char bytes[16];

	(void) state;
	safetensors_write(FILE_NAME, good_header, 32);
	checkpoint = open_good();
	assert_int_equal(truncate(scratch_path(FILE_NAME), (off_t) (8 + strlen(good_header) + 10)), 0);
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 0, 1, bytes, &err), RF_OK);
	assert_int_equal(rf_checkpoint_read(checkpoint, 1, 0, 2, bytes, &err), RF_CORRUPT);
	assert_string_equal(err.message, "file \"model.safetensors\" ended unexpectedly");
	assert_int_equal(err.offset, 8 + strlen(good_header) + 10);
	rf_checkpoint_close(checkpoint);
}

typedef struct BadHeader
{
	const char *header;
	size_t data_size;
	RfCode code;
	const char *message;
} BadHeader;

#define ONE(dtype, shape, offsets)                                                                 \
	"{\"t\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const BadHeader bad_headers[] = {
	/* JSON that is none, or another kind of value */
	{"", 0, RF_CORRUPT, "no safetensors header"},
	{" {}", 0, RF_CORRUPT, "no safetensors header"},
	{"[]", 0, RF_CORRUPT, "no safetensors header"},
	{"{\"t\":", 0, RF_CORRUPT, "not valid JSON"},
	{"{}{}", 0, RF_CORRUPT, "not valid JSON"},
	{"{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
	 "\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}}",
	 8, RF_CORRUPT, "not valid JSON"},
	{"{\"t\":[]}", 0, RF_CORRUPT, "tensor \"t\" in file \"model.safetensors\" is not described"},
	{"{\"__metadata__\":{\"format\":1}}", 0, RF_CORRUPT, "not an object of strings"},
	{"{\"__metadata__\":\"x\"}", 0, RF_CORRUPT, "not an object of strings"},
	/* names */
	{"{\"\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, RF_CORRUPT,
	 "without a name"},
	{"{\"a\\u0007\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, RF_CORRUPT,
	 "control character (0x07)"},
	/* dtype */
	{"{\"t\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, RF_CORRUPT, "has no dtype"},
	{ONE("1", "[]", "[0,4]"), 4, RF_CORRUPT, "has no dtype"},
	{ONE("\"F8_E4M3\"", "[4]", "[0,4]"), 4, RF_UNSUPPORTED, "unsupported dtype \"F8_E4M3\""},
	/* shape */
	{ONE("\"F32\"", "null", "[0,4]"), 4, RF_CORRUPT, "has no shape"},
	{ONE("\"F32\"", "[-1]", "[0,4]"), 4, RF_CORRUPT, "not a list of sizes"},
	{ONE("\"F32\"", "[1.0]", "[0,4]"), 4, RF_CORRUPT, "not a list of sizes"},
	{ONE("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, RF_LIMIT, "9 dimensions, more than 8"},
	{ONE("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0, RF_CORRUPT, "too many elements"},
	{ONE("\"F32\"", "[4611686018427387904]", "[0,0]"), 0, RF_CORRUPT, "too many bytes"},
	{ONE("\"F32\"", "[2305843009213693952,8]", "[0,0]"), 0, RF_CORRUPT, "too many elements"},
	/* data_offsets */
	{"{\"t\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, RF_CORRUPT, "has no data_offsets"},
	{ONE("\"F32\"", "[]", "[0]"), 4, RF_CORRUPT, "has no data_offsets"},
	{ONE("\"F32\"", "[]", "[0,4,4]"), 4, RF_CORRUPT, "has no data_offsets"},
	{ONE("\"F32\"", "[]", "[0,\"4\"]"), 4, RF_CORRUPT, "has no data_offsets"},
	{ONE("\"F32\"", "[]", "[-4,0]"), 4, RF_CORRUPT, "has no data_offsets"},
	{ONE("\"F32\"", "[]", "[4,0]"), 4, RF_CORRUPT, "lies outside the file"},
	{ONE("\"F32\"", "[]", "[0,5]"), 4, RF_CORRUPT, "lies outside the file"},
	{ONE("\"F32\"", "[]", "[9223372036854775804,9223372036854775807]"), 4, RF_CORRUPT,
	 "lies outside the file"},
	{ONE("\"F32\"", "[]", "[0,18446744073709551616]"), 4, RF_CORRUPT, "not valid JSON"},
	{ONE("\"F32\"", "[2]", "[0,4]"), 4, RF_CORRUPT, "does not have the bytes its shape calls for"},
	{ONE("\"F16\"", "[]", "[0,4]"), 4, RF_CORRUPT, "does not have the bytes its shape calls for"},
	{ONE("\"F32\"", "[0]", "[0,4]"), 4, RF_CORRUPT, "does not have the bytes its shape calls for"},
	/* coverage */
	{"{}", 1, RF_CORRUPT, "1 unused bytes at its end"},
	{ONE("\"F32\"", "[]", "[0,4]"), 5, RF_CORRUPT, "1 unused bytes at its end"},
	{ONE("\"F32\"", "[]", "[1,5]"), 5, RF_CORRUPT, "has unused bytes before it"},
	{"{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
	 "\"u\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[5,9]}}",
	 9, RF_CORRUPT, "tensor \"u\" in file \"model.safetensors\" has unused bytes before it"},
	{"{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
	 "\"u\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[3,7]}}",
	 7, RF_CORRUPT, "tensor \"u\" in file \"model.safetensors\" overlaps another tensor"},
	{"{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
	 "\"u\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}",
	 4, RF_CORRUPT, "overlaps another tensor"},
	{"{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
	 "\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[2,2]}}",
	 4, RF_CORRUPT, "overlaps another tensor"},
};

static void
lying_headers_are_refused(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++)
	{
		safetensors_write(FILE_NAME, bad_headers[i].header, bad_headers[i].data_size);
		expect_failure(bad_headers[i].code, bad_headers[i].message);
	}
}

static void
failures_say_where(void **state)
{
	const char *header = ONE("\"F16\"", "[2,3]", "[0,8]");

	(void) state;
	safetensors_write(FILE_NAME, header, 8);
	expect_failure(RF_CORRUPT, "tensor \"t\" in file \"model.safetensors\"");
	assert_string_equal(err.detail, "Shape [2, 3] of F16 takes 12 bytes, data_offsets give 8.");
	assert_int_equal(err.offset, 8 + strlen(header));
	safetensors_write(FILE_NAME, "{\"a\" 1}", 0);
	expect_failure(RF_CORRUPT, "not valid JSON");
	assert_in_range(err.offset, 8 + 4, 8 + 6);
}

static void
header_lengths_are_checked(void **state)
{
	struct
	{
		uint64_t length;
		char rest[16];
	} file = {0, "{}              "};
	static const uint64_t lengths[] = {17, 1000, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};

	(void) state;
	for (size_t size = 0; size < 8; size++)
	{
		scratch_write(FILE_NAME, &file, size);
		expect_failure(RF_CORRUPT, "too short for a safetensors header");
	}
	scratch_write(FILE_NAME, &file, 8);
	expect_failure(RF_CORRUPT, "no safetensors header");
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		file.length = lengths[i];
		scratch_write(FILE_NAME, &file, sizeof(file));
		expect_failure(RF_CORRUPT, "longer than the file");
	}
	/* A sparse file whose header would be read into memory. */
	file.length = UINT64_C(90) << 20;
	scratch_write(FILE_NAME, &file, sizeof(file));
	assert_int_equal(truncate(scratch_path(FILE_NAME), 100 << 20), 0);
	expect_failure(RF_LIMIT, "bytes, more than");
}

static void
long_names_are_refused(void **state)
{
	char header[1024];
	char name[RF_MAX_TENSOR_NAME + 2];
	RfCheckpoint *checkpoint;

	(void) state;
	memset(name, 'n', sizeof(name));
	name[RF_MAX_TENSOR_NAME + 1] = '\0';
	snprintf(header, sizeof(header),
			 "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", name);
	safetensors_write(FILE_NAME, header, 1);
	expect_failure(RF_LIMIT, "has 256 bytes, more than 255");
	name[RF_MAX_TENSOR_NAME] = '\0';
	snprintf(header, sizeof(header),
			 "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", name);
	safetensors_write(FILE_NAME, header, 1);
	checkpoint = open_good();
	assert_string_equal(rf_checkpoint_tensor(checkpoint, 0)->name, name);
	rf_checkpoint_close(checkpoint);
}

static void
too_many_tensors_are_refused(void **state)
{
	const size_t count = RF_MAX_TENSORS + 1;
	char *header = malloc(count * 80);
	size_t at = 0;

	(void) state;
	for (size_t i = 0; i < count; i++)
		at += (size_t) sprintf(header + at,
							   "%c\"%zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
							   i == 0 ? '{' : ',', i);
	strcpy(header + at, "}");
	safetensors_write(FILE_NAME, header, 0);
	expect_failure(RF_LIMIT, "has 262145 tensors, more than 262144");
	free(header);
}

/*
 * Reads everything of whatever opens. A file that passes must be consistent, so reading can't fail;
 * what does not pass must say so in valid UTF-8.
 */
static void
open_and_read_all(void)
{
	RfCheckpoint *checkpoint;

	if (rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err) != RF_OK)
	{
		assert_true(err.message[0] != '\0');
		assert_int_equal(rf_utf8_valid_prefix(err.message, strlen(err.message)),
						 strlen(err.message));
		assert_int_equal(rf_utf8_valid_prefix(err.detail, strlen(err.detail)), strlen(err.detail));
		return;
	}
	for (size_t i = 0; i < rf_checkpoint_count(checkpoint); i++)
	{
		const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, i);
		size_t bytes;
		char *data;

		assert_int_equal(rf_tensor_bytes(tensor, &bytes, &err), RF_OK);
		data = malloc(bytes + 1);
		assert_int_equal(rf_checkpoint_read(checkpoint, i, 0, rf_tensor_rows(tensor), data, &err),
						 RF_OK);
		free(data);
	}
	rf_checkpoint_close(checkpoint);
}

static char *
good_bytes(size_t *size)
{
	safetensors_write(FILE_NAME, good_header, 32);
	return scratch_slurp(scratch_path(FILE_NAME), size);
}

static void
every_truncation_is_refused(void **state)
{
	size_t size;
	char *bytes = good_bytes(&size);

	(void) state;
	for (size_t cut = 0; cut < size; cut++)
	{
		RfCheckpoint *checkpoint;

		scratch_write(FILE_NAME, bytes, cut);
		if (rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err) != RF_CORRUPT)
			fail_msg("a file cut to %zu of %zu bytes opens", cut, size);
	}
	free(bytes);
}

static void
no_flipped_bit_does_harm(void **state)
{
	size_t size;
	char *bytes = good_bytes(&size);

	(void) state;
	for (size_t i = 0; i < size * 8; i++)
	{
		bytes[i / 8] ^= (char) (1 << (i % 8));
		scratch_write(FILE_NAME, bytes, size);
		open_and_read_all();
		bytes[i / 8] ^= (char) (1 << (i % 8));
	}
	free(bytes);
}

static void
no_replaced_byte_does_harm(void **state)
{
	static const char replacements[] = {0,   '"', '\\', '{', '}', '[',        ']',
										'0', '9', '-',  ' ', 'e', (char) 0xFF};
	size_t size;
	char *bytes = good_bytes(&size);

	(void) state;
	for (size_t i = 0; i < size - 32; i++)
	{
		char saved = bytes[i];

		for (size_t j = 0; j < sizeof(replacements); j++)
		{
			bytes[i] = replacements[j];
			scratch_write(FILE_NAME, bytes, size);
			open_and_read_all();
		}
		bytes[i] = saved;
	}
	free(bytes);
}

/* Fails at its n-th call for n = 1, 2, ... until opening succeeds. */
static void
running_out_of_memory_leaks_nothing(void **state)
{
	FailingMemory failing;
	RfMemory memory = failing_memory(&failing);
	RfCheckpoint *checkpoint = NULL;

	(void) state;
	safetensors_write(FILE_NAME, good_header, 32);
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
		TEST(good_file_is_described),
		TEST(rows_are_read),
		TEST(rows_outside_are_refused),
		TEST(file_may_shrink_while_open),
		TEST(lying_headers_are_refused),
		TEST(failures_say_where),
		TEST(header_lengths_are_checked),
		TEST(long_names_are_refused),
		TEST(too_many_tensors_are_refused),
		TEST(every_truncation_is_refused),
		TEST(no_flipped_bit_does_harm),
		TEST(no_replaced_byte_does_harm),
		TEST(running_out_of_memory_leaks_nothing),
	};

	return cmocka_run_group_tests_name("checkpoint_safetensors", tests, NULL, NULL);
}
