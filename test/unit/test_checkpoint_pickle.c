/*
 * test_checkpoint_pickle.c - what a pickle may hold, and that everything else is refused by name.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/checkpoint/pickle.h"
#include "failing_memory.h"
#include "scratch_directory.h"
#include "torch_file.h"

#define FILE_NAME "data.pkl"

static RfArena arena;
static const char *directory;
static RfPickleValue value;
static RfError err;

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
read_bytes(const void *bytes, size_t size, uint64_t *offset)
{
	RfOpenFile file;
	RfCode code;
	int fd;

	scratch_write(FILE_NAME, bytes, size);
	assert_int_equal(rf_directory_open(directory, &fd, &err), RF_OK);
	assert_int_equal(rf_directory_open_file(fd, FILE_NAME, &file, &err), RF_OK);
	close(fd);
	*offset = 0;
	code = rf_pickle_read(&file, offset, file.size, &arena, &value, &err);
	rf_open_file_close(&file);
	return code;
}

static void
expect_failure(const void *bytes, size_t size, RfCode code, const char *message)
{
	uint64_t offset;

	assert_int_equal(read_bytes(bytes, size, &offset), code);
	if (strstr(err.message, message) == NULL)
		fail_msg("message is: %s", err.message);
	assert_string_equal(err.origin, FILE_NAME);
}

#define REFUSED(literal, code, message) expect_failure(literal, sizeof(literal) - 1, code, message)

static void
plain_values_are_read(void **state)
{
	static const char bytes[] = "\x80\x02]q\0(NK\xffM\xff\xffJ\xff\xff\xff\xff"
								"\x8a\0\x8a\1\x80\x8a\x8\0\0\0\0\0\0\0\x80\x88X\2\0\0\0\xc3\xbc"
								")\x87q\1h\1}q\2X\1\0\0\0kK\5s(K\1K\2ue.rest";
	static const int64_t integers[] = {255, 65535, -1, 0, -128, INT64_MIN};
	const RfPickleValue *items;
	uint64_t offset;

	(void) state;
	assert_int_equal(read_bytes(bytes, sizeof(bytes) - 1, &offset), RF_OK);
	assert_int_equal(offset, sizeof(bytes) - 1 - strlen("rest"));
	assert_int_equal(value.kind, RF_PICKLE_LIST);
	assert_int_equal(value.container->count, 10);
	items = value.container->items;
	assert_int_equal(items[0].kind, RF_PICKLE_NONE);
	for (int i = 0; i < 6; i++)
	{
		assert_int_equal(items[1 + i].kind, RF_PICKLE_INTEGER);
		assert_true(items[1 + i].integer == integers[i]);
	}
	assert_int_equal(items[7].kind, RF_PICKLE_TUPLE);
	assert_int_equal(items[7].count, 3);
	assert_int_equal(items[7].items[0].kind, RF_PICKLE_BOOLEAN);
	assert_string_equal(items[7].items[1].string, "\xc3\xbc");
	assert_int_equal(items[8].kind, RF_PICKLE_TUPLE);
	assert_ptr_equal(items[8].items, items[7].items);
	assert_int_equal(items[9].container->count, 4);
	assert_int_equal(rf_pickle_get(&items[9], "k")->integer, 5);
	assert_null(rf_pickle_get(&items[9], "l"));
}

static void
metadata_is_dropped(void **state)
{
	static const char good[] = "\x80\x02"
							   "ccollections\nOrderedDict\n)R}X\x9\0\0\0_metadataK\1sb.";
	uint64_t offset;

	(void) state;
	assert_int_equal(read_bytes(good, sizeof(good) - 1, &offset), RF_OK);
	assert_int_equal(value.kind, RF_PICKLE_DICT);
	assert_int_equal(value.container->count, 0);
	REFUSED("\x80\x02}}X\5\0\0\0otherK\1sb.", RF_UNSUPPORTED, "uses opcode \"BUILD\"");
	REFUSED("\x80\x02}Nb.", RF_UNSUPPORTED, "uses opcode \"BUILD\"");
	REFUSED("\x80\x02]}X\x9\0\0\0_metadataK\1sb.", RF_UNSUPPORTED, "uses opcode \"BUILD\"");
}

static void
programs_are_refused_by_name(void **state)
{
	(void) state;
	REFUSED("\x80\x02"
			"cposix\nsystem\n(X\4\0\0\0truetR.",
			RF_UNSUPPORTED, "refers to \"posix.system\"");
	assert_non_null(strstr(err.detail, "executed"));
	REFUSED("\x80\x02"
			"cbuiltins\neval\n.",
			RF_UNSUPPORTED, "\"builtins.eval\"");
	REFUSED("\x80\x02"
			"ctorch._utils\n_rebuild_tensor\n.",
			RF_UNSUPPORTED, "\"torch._utils._rebuild_tensor\"");
	REFUSED("\x80\x02(iposix\nsystem\n.", RF_UNSUPPORTED, "opcode \"INST\"");
	REFUSED("\x80\x02(o.", RF_UNSUPPORTED, "opcode \"OBJ\"");
	REFUSED("\x80\x02)\x81.", RF_UNSUPPORTED, "opcode \"NEWOBJ\"");
	REFUSED("\x80\x02\x82\1.", RF_UNSUPPORTED, "opcode \"EXT1\"");
	REFUSED("\x80\x02\x83\1\0.", RF_UNSUPPORTED, "opcode \"EXT2\"");
	REFUSED("\x80\x02\x84\1\0\0\0.", RF_UNSUPPORTED, "opcode \"EXT4\"");
	REFUSED("\x80\x02Pid\n.", RF_UNSUPPORTED, "opcode \"PERSID\"");
	REFUSED("\x80\x02\x93.", RF_UNSUPPORTED, "opcode \"STACK_GLOBAL\"");
	REFUSED("\x80\x02"
			"ctorch\nFloatStorage\n)R.",
			RF_UNSUPPORTED, "calls \"FloatStorage\"");
	REFUSED("\x80\x02N)R.", RF_CORRUPT, "calls what is no function");
	REFUSED("\x80\x04N.", RF_UNSUPPORTED, "uses \"protocol 4\"");
	REFUSED("\x80\xffN.", RF_UNSUPPORTED, "uses \"protocol 255\"");
	REFUSED("N.", RF_CORRUPT, "does not begin with its protocol");
	REFUSED("\x80\x02\xff.", RF_CORRUPT, "unknown opcode 0xFF");
}

static void
values_can_not_contain_themselves(void **state)
{
	(void) state;
	REFUSED("\x80\x02]q\0h\0a.", RF_CORRUPT, "refers back to a list or dict");
	REFUSED("\x80\x02}q\0X\1\0\0\0ah\0s.", RF_CORRUPT, "refers back to a list or dict");
	REFUSED("\x80\x02]q\0\x85q\1h\0h\1a.", RF_CORRUPT, "refers back to a list or dict");
}

static void
memo_grows_by_one(void **state)
{
	(void) state;
	REFUSED("\x80\x02]r\xff\xff\xff\x7f.", RF_LIMIT, "slot 2147483647 of its memo");
	REFUSED("\x80\x02Nr\0\0\0\x80.", RF_LIMIT, "slot 2147483648 of its memo");
	REFUSED("\x80\x02Nq\1.", RF_LIMIT, "slot 1 of its memo");
	REFUSED("\x80\x02h\0.", RF_CORRUPT, "takes from its memo");
	REFUSED("\x80\x02q\0.", RF_CORRUPT, "takes more from its stack");
}

static void
stack_is_respected(void **state)
{
	(void) state;
	REFUSED("\x80\x02.", RF_CORRUPT, "does not end with one value");
	REFUSED("\x80\x02NN.", RF_CORRUPT, "does not end with one value");
	REFUSED("\x80\x02N(.", RF_CORRUPT, "does not end with one value");
	REFUSED("\x80\x02t.", RF_CORRUPT, "has no MARK");
	REFUSED("\x80\x02N(\x85.", RF_CORRUPT, "takes more from its stack");
	REFUSED("\x80\x02](a.", RF_CORRUPT, "takes more from its stack");
	REFUSED("\x80\x02(e.", RF_CORRUPT, "takes more from its stack");
	REFUSED("\x80\x02NNa.", RF_CORRUPT, "appends to what is no list");
	REFUSED("\x80\x02](NNu.", RF_CORRUPT, "sets items of what is no dict");
	REFUSED("\x80\x02}(Nu.", RF_CORRUPT, "has a key without a value");
	REFUSED("\x80\x02NQ.", RF_CORRUPT, "persistent id that is no tuple");
	REFUSED("\x80\x02"
			"ccollections\nOrderedDict\nN\x85R.",
			RF_CORRUPT, "OrderedDict of arguments");
}

static void
texts_are_checked(void **state)
{
	(void) state;
	REFUSED("\x80\x02X\1\0\0\0\xff.", RF_CORRUPT, "not valid UTF-8");
	REFUSED("\x80\x02X\xff\xff\xff\xff.", RF_LIMIT, "bytes in a string");
	REFUSED("\x80\x02X\5\0\0\0ab", RF_CORRUPT, "ends before its STOP");
	REFUSED("\x80\x02"
			"ca\tb\nc\n.",
			RF_CORRUPT, "unusual characters");
	REFUSED("\x80\x02\x8a\x09\1\1\1\1\1\1\1\1\1.", RF_LIMIT, "bytes in an integer");
}

static void
expect_repeated(const char *opcodes, size_t times, const char *message)
{
	Bytes bytes = {0};

	pickle_add(&bytes, "\x80\x02");
	for (size_t i = 0; i < times; i++)
		pickle_add(&bytes, opcodes);
	expect_failure(bytes.data, bytes.size, RF_LIMIT, message);
	bytes_free(&bytes);
}

static void
limits_are_kept(void **state)
{
	Bytes name = {0};

	(void) state;
	expect_repeated("(", RF_PICKLE_MAX_DEPTH + 1, "more than 64 levels of nesting");
	expect_repeated("N", RF_PICKLE_MAX_STACK + 1, "values on its stack");
	pickle_add(&name, "\x80\x02"
					  "c");
	for (int i = 0; i < 128; i++)
		pickle_add(&name, "a");
	expect_failure(name.data, name.size, RF_LIMIT, "name of a global");
	bytes_free(&name);
}

/* Appending the same value over and over needs little stack: the number of values ends it. */
static void
values_are_counted(void **state)
{
	Bytes bytes = {0};

	(void) state;
	pickle_add(&bytes, "\x80\x02]");
	for (size_t i = 0; i < RF_PICKLE_MAX_VALUES; i++)
		pickle_add(&bytes, "Na");
	expect_failure(bytes.data, bytes.size, RF_LIMIT, "more than 4194304 values");
	bytes_free(&bytes);
}

static void
failing_memory_is_reported(void **state)
{
	Bytes bytes = {0};
	TorchTensor tensor = {"a", "FloatStorage", "0", 4, 0, 1, {4}, {1}, true};
	size_t failures = 0;
	RfCode code = RF_NO_MEMORY;

	(void) state;
	pickle_state_dict(&bytes, &tensor, 1, false);
	for (size_t left = 0; code != RF_OK; left++)
	{
		FailingMemory failing = {.left = left};
		uint64_t offset;

		rf_arena_free(&arena);
		rf_arena_init(&arena, failing_memory(&failing));
		code = read_bytes(bytes.data, bytes.size, &offset);
		assert_true(code == RF_OK || code == RF_NO_MEMORY);
		failures += code == RF_NO_MEMORY;
		rf_arena_free(&arena);
		assert_int_equal(failing.held, 0);
	}
	assert_true(failures >= 2);
	bytes_free(&bytes);
	rf_arena_init(&arena, rf_memory_malloc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_values_are_read),
		TEST(metadata_is_dropped),
		TEST(programs_are_refused_by_name),
		TEST(values_can_not_contain_themselves),
		TEST(memo_grows_by_one),
		TEST(stack_is_respected),
		TEST(texts_are_checked),
		TEST(limits_are_kept),
		TEST(values_are_counted),
		TEST(failing_memory_is_reported),
	};

	return cmocka_run_group_tests_name("checkpoint_pickle", tests, NULL, NULL);
}
