/*
 * test_checkpoint.c - what is a model directory's file and what is not; choosing the weights'
 * format.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/checkpoint/reader.h"
#include "safetensors_file.h"
#include "scratch_directory.h"

static RfArena arena;
static const char *directory;

static int
set_up(void **state)
{
	(void) state;
	rf_arena_init(&arena, rf_memory_malloc);
	directory = scratch_make();
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	rf_arena_free(&arena);
	scratch_remove();
	return 0;
}

static RfCode
read_file(const char *name, size_t limit, RfError *err)
{
	char *data;
	size_t length;

	return rf_directory_read(directory, name, limit, &arena, &data, &length, err);
}

static void
files_are_read_whole(void **state)
{
	RfError err;
	char *data;
	size_t length;

	(void) state;
	scratch_write("a", "x\0y", 3);
	scratch_write("empty", "", 0);
	scratch_write_text("1_Pooling/config.json", "{}");
	assert_int_equal(rf_directory_read(directory, "a", 3, &arena, &data, &length, &err), RF_OK);
	assert_int_equal(length, 3);
	assert_memory_equal(data, "x\0y\0", 4);
	assert_int_equal(rf_directory_read(directory, "empty", 0, &arena, &data, &length, &err), RF_OK);
	assert_int_equal(length, 0);
	assert_string_equal(data, "");
	assert_int_equal(read_file("1_Pooling/config.json", 100, &err), RF_OK);
}

static void
links_are_followed(void **state)
{
	RfError err;

	(void) state;
	scratch_write_text("blobs/0123", "{}");
	assert_int_equal(symlink("blobs/0123", scratch_path("config.json")), 0);
	assert_int_equal(read_file("config.json", 100, &err), RF_OK);
	assert_int_equal(symlink("nowhere", scratch_path("dangling")), 0);
	assert_int_equal(read_file("dangling", 100, &err), RF_NOT_FOUND);
	assert_int_equal(symlink("loop", scratch_path("loop")), 0);
	assert_int_equal(read_file("loop", 100, &err), RF_IO);
}

static void
names_stay_in_the_directory(void **state)
{
	static const char *const names[] = {
		"",   "..",   "../x", "/etc/passwd", "a/../b", "a/..",
		"a/", "a//b", "//",   "/",           "./../x", "1_Pooling/../../x",
	};
	RfError err;

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		assert_int_equal(read_file(names[i], 100, &err), RF_INVALID);
		assert_non_null(strstr(err.message, "does not stay inside the model directory"));
	}
	scratch_write_text("..x", "fine");
	assert_int_equal(read_file("..x", 100, &err), RF_OK);
}

static void
larger_files_are_refused(void **state)
{
	RfError err;

	(void) state;
	scratch_write_text("a", "12345");
	assert_int_equal(read_file("a", 5, &err), RF_OK);
	assert_int_equal(read_file("a", 4, &err), RF_LIMIT);
	assert_string_equal(err.message, "file \"a\" has 5 bytes, more than 4");
}

static void
missing_files_are_named(void **state)
{
	RfError err;
	char *data;
	size_t length;

	(void) state;
	assert_int_equal(read_file("vocab.txt", 5, &err), RF_NOT_FOUND);
	assert_string_equal(err.message,
						"could not open file \"vocab.txt\": No such file or directory");
	assert_int_equal(read_file("1_Pooling/config.json", 5, &err), RF_NOT_FOUND);
	assert_int_equal(rf_directory_read("/nonexistent/x", "a", 5, &arena, &data, &length, &err),
					 RF_NOT_FOUND);
	assert_non_null(strstr(err.message, "could not open directory \"/nonexistent/x\""));
}

/* A FIFO must not hang the reader (the runner's time limit would tell). */
static void
only_regular_files_are_read(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	RfError err;

	(void) state;
	assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
	assert_int_equal(mkdir(scratch_path("directory"), 0700), 0);
	assert_int_equal(symlink("/dev/zero", scratch_path("device")), 0);
	strncpy(address.sun_path, scratch_path("socket"), sizeof(address.sun_path) - 1);
	assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
	assert_int_equal(read_file("fifo", 100, &err), RF_INVALID);
	assert_string_equal(err.message, "\"fifo\" is not a regular file");
	assert_int_equal(read_file("directory", 100, &err), RF_INVALID);
	assert_int_equal(read_file("device", 100, &err), RF_INVALID);
	assert_int_equal(read_file("socket", 100, &err), RF_IO);
	close(listener);
}

/* Root may read everything, so a test run as root does this one as somebody else. */
static void
unreadable_files_are_refused(void **state)
{
	const bool root = geteuid() == 0;
	RfCode code;
	RfError err;

	(void) state;
	scratch_write_text("a", "x");
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(chmod(scratch_path("a"), 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	code = read_file("a", 100, &err);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(code, RF_IO);
	assert_string_equal(err.message, "could not open file \"a\": Permission denied");
}

static RfCode
open_checkpoint(RfError *err)
{
	RfCheckpoint *checkpoint = (RfCheckpoint *) &arena;
	RfCode code = rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, err);

	assert_int_equal(code == RF_OK, checkpoint != NULL);
	rf_checkpoint_close(checkpoint);
	return code;
}

static void
missing_weights_are_reported(void **state)
{
	RfError err;

	(void) state;
	assert_int_equal(open_checkpoint(&err), RF_NOT_FOUND);
	assert_non_null(strstr(err.message, "no weights found in directory"));
	assert_string_equal(err.detail,
						"Looked for \"model.safetensors\", \"model.safetensors.index.json\", "
						"\"pytorch_model.bin\", \"pytorch_model.bin.index.json\", "
						"\"bert_model.ckpt.index\".");
}

static void
weights_without_a_reader_are_reported(void **state)
{
	static const char *const names[] = {
		"tf_model.h5",
		"flax_model.msgpack",
	};
	RfError err;

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		scratch_write_text(names[i], "x");
		assert_int_equal(open_checkpoint(&err), RF_UNSUPPORTED);
		assert_non_null(strstr(err.message, names[i]));
		assert_non_null(strstr(err.hint, "roformer_import"));
		assert_int_equal(unlink(scratch_path(names[i])), 0);
	}
	scratch_write_text("tf_model.h5", "x");
	safetensors_write("model.safetensors", "{}", 0);
	assert_int_equal(open_checkpoint(&err), RF_OK);
}

/* A reader of a test's own: its checkpoint has one tensor, "x". */
static RfCode
open_fake(RfCheckpoint *checkpoint, int fd, RfError *err)
{
	(void) fd;
	RF_NEW0(&checkpoint->arena, checkpoint->tensors, 1, err);
	checkpoint->tensors[0].name = "x";
	checkpoint->count = 1;
	return RF_OK;
}

static RfCode
read_fake(RfCheckpoint *checkpoint, size_t index, uint64_t first, uint64_t rows, void *buffer,
		  RfError *err)
{
	(void) checkpoint, (void) index, (void) first, (void) rows, (void) err;
	memcpy(buffer, "fake", 4);
	return RF_OK;
}

static const RfReader fake = {"flax_model.msgpack", open_fake, read_fake};
static const RfReader *const fakes[] = {&fake};

static size_t
count_with_fake(void)
{
	RfCheckpoint *checkpoint;
	RfError err;
	size_t count;

	assert_int_equal(
		rf_checkpoint_open_with(directory, fakes, 1, rf_memory_malloc, &checkpoint, &err), RF_OK);
	count = rf_checkpoint_count(checkpoint);
	rf_checkpoint_close(checkpoint);
	return count;
}

/* Only where nothing that goes before is there; a format nobody reads doesn't go before. */
static void
callers_bring_readers(void **state)
{
	RfCheckpoint *checkpoint;
	char value[4];
	RfError err;

	(void) state;
	assert_int_equal(
		rf_checkpoint_open_with(directory, fakes, 1, rf_memory_malloc, &checkpoint, &err),
		RF_NOT_FOUND);
	assert_null(checkpoint);
	assert_non_null(strstr(err.detail, ", \"flax_model.msgpack\""));
	scratch_write_text("tf_model.h5", "x");
	scratch_write_text("flax_model.msgpack", "x");
	assert_int_equal(
		rf_checkpoint_open_with(directory, fakes, 1, rf_memory_malloc, &checkpoint, &err), RF_OK);
	assert_string_equal(rf_checkpoint_tensor(checkpoint, 0)->name, "x");
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 0, 1, value, &err), RF_OK);
	assert_memory_equal(value, "fake", 4);
	assert_int_equal(rf_checkpoint_read(checkpoint, 0, 1, 1, value, &err), RF_INVALID);
	rf_checkpoint_close(checkpoint);
	assert_int_equal(count_with_fake(), 1);
	safetensors_write("model.safetensors", "{}", 0);
	assert_int_equal(count_with_fake(), 0);
}

static void
special_files_are_no_weights(void **state)
{
	RfError err;

	(void) state;
	assert_int_equal(mkfifo(scratch_path("model.safetensors"), 0600), 0);
	assert_int_equal(open_checkpoint(&err), RF_INVALID);
	assert_int_equal(unlink(scratch_path("model.safetensors")), 0);
	assert_int_equal(mkdir(scratch_path("model.safetensors"), 0700), 0);
	assert_int_equal(open_checkpoint(&err), RF_INVALID);
	assert_string_equal(err.message, "\"model.safetensors\" is not a regular file");
}

static void
directory_must_be_one(void **state)
{
	RfCheckpoint *checkpoint;
	RfError err;

	(void) state;
	scratch_write_text("a", "x");
	assert_int_equal(rf_checkpoint_open(scratch_path("a"), rf_memory_malloc, &checkpoint, &err),
					 RF_NOT_FOUND);
	assert_null(checkpoint);
	assert_int_equal(rf_checkpoint_open(scratch_path("b"), rf_memory_malloc, &checkpoint, &err),
					 RF_NOT_FOUND);
	assert_int_equal(rf_checkpoint_open("", rf_memory_malloc, &checkpoint, &err), RF_NOT_FOUND);
}

/* Descriptors of failed and of closed checkpoints are given back. */
static void
descriptors_are_given_back(void **state)
{
	int before = dup(0);
	int after;
	RfError err;

	(void) state;
	close(before);
	safetensors_write("model.safetensors", "{}", 1);
	for (int i = 0; i < 20; i++)
		assert_int_equal(open_checkpoint(&err), RF_CORRUPT);
	safetensors_write("model.safetensors", "{}", 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(open_checkpoint(&err), RF_OK);
	for (int i = 0; i < 20; i++)
		assert_int_equal(read_file("model.safetensors", 1, &err), RF_LIMIT);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_are_read_whole),
		TEST(links_are_followed),
		TEST(names_stay_in_the_directory),
		TEST(larger_files_are_refused),
		TEST(missing_files_are_named),
		TEST(only_regular_files_are_read),
		TEST(unreadable_files_are_refused),
		TEST(missing_weights_are_reported),
		TEST(weights_without_a_reader_are_reported),
		TEST(callers_bring_readers),
		TEST(special_files_are_no_weights),
		TEST(directory_must_be_one),
		TEST(descriptors_are_given_back),
	};

	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
