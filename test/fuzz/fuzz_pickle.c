/*
 * fuzz_pickle.c - the input is a pickle. One that is read is a value whose parts are all there, and
 * consists of no more than the limits allow.
 */
#include "fuzz_target.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../src/checkpoint/pickle.h"
#include "model_directory.h"
#include "rf/utf8.h"

static void
check_value(const RfPickleValue *value)
{
	switch (value->kind)
	{
		case RF_PICKLE_STRING:
			fuzz_require(value->string[value->count] == '\0');
			fuzz_require(rf_utf8_valid_prefix(value->string, value->count) == value->count);
			break;
		case RF_PICKLE_GLOBAL: fuzz_require(value->global->name[0] != '\0'); break;
		case RF_PICKLE_CALL:
			fuzz_require(value->count == 2 && value->items[0].kind == RF_PICKLE_GLOBAL &&
						 value->items[1].kind == RF_PICKLE_TUPLE);
			break;
		case RF_PICKLE_PERSISTENT:
			fuzz_require(value->count == 1 && value->items[0].kind == RF_PICKLE_TUPLE);
			break;
		default: break;
	}
}

/* The value and what it directly consists of. */
static void
check_parts(const RfPickleValue *value)
{
	const RfPickleValue *items = NULL;
	size_t count = 0;

	check_value(value);
	if (value->kind == RF_PICKLE_LIST || value->kind == RF_PICKLE_DICT)
	{
		items = value->container->items;
		count = value->container->count;
		fuzz_require(value->kind == RF_PICKLE_LIST || count % 2 == 0);
	}
	else if (value->kind == RF_PICKLE_TUPLE || value->kind == RF_PICKLE_CALL ||
			 value->kind == RF_PICKLE_PERSISTENT)
	{
		items = value->items;
		count = value->count;
	}
	for (size_t i = 0; i < count; i++)
		check_value(&items[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int directory = open(model_directory_path(), O_RDONLY | O_DIRECTORY);
	RfOpenFile file;
	RfArena arena;
	RfPickleValue value;
	RfError err;
	uint64_t offset = 0;

	model_directory_write("data.pkl", data, size);
	fuzz_require(directory >= 0);
	fuzz_require(rf_directory_open_file(directory, "data.pkl", &file, &err) == RF_OK);
	close(directory);
	rf_arena_init(&arena, rf_memory_malloc);
	if (fuzz_succeeded(rf_pickle_read(&file, &offset, file.size, &arena, &value, &err), &err))
	{
		fuzz_require(offset <= size && data[offset - 1] == '.');
		check_parts(&value);
	}
	rf_arena_free(&arena);
	rf_open_file_close(&file);
	return 0;
}
