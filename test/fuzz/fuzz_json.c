/*
 * fuzz_json.c - the input is one byte, which says how it is parsed, and JSON. What is parsed stays
 * the same when it is written and parsed again.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "rf/json.h"

static RfCode
parse(uint8_t how, const char *text, size_t length, json_t **value, RfError *err)
{
	switch (how % 3)
	{
		case 0:
			return rf_json_parse("input", text, length, value, err);
		case 1:
			return rf_json_parse_reals("input", text, length, value, err);
		default:
			return rf_json_parse_array("input", text, length, value, err);
	}
}

/* Every member under a name that readers ask for, as each of the types they ask for. */
static void
ask_for_members(const json_t *object)
{
	static const char *const keys[] = {"a", "hidden_size", "dtype"};
	RfError err;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		int64_t integer;
		double number;
		bool boolean;
		const char *string;

		if (fuzz_succeeded(rf_json_integer(object, keys[i], 1, 0, 100, &integer, &err), &err))
			fuzz_require(integer >= 0 && integer <= 100);
		fuzz_succeeded(rf_json_number(object, keys[i], 1, &number, &err), &err);
		fuzz_succeeded(rf_json_boolean(object, keys[i], true, &boolean, &err), &err);
		if (fuzz_succeeded(rf_json_string(object, keys[i], "", &string, &err), &err))
			fuzz_require(string != NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzPart part;
	json_t *value;
	json_t *again;
	char *text;
	RfError err;

	if (size == 0)
		return 0;
	part = (FuzzPart){malloc(size - 1), size - 1};
	if (size > 1)
		memcpy(part.data, data + 1, part.size);
	if (fuzz_succeeded(parse(data[0], part.data, part.size, &value, &err), &err))
	{
		ask_for_members(value);
		text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17));
		fuzz_require(text != NULL);
		fuzz_require(parse(data[0], text, strlen(text), &again, &err) == RF_OK);
		fuzz_require(json_equal(value, again));
		free(text);
		json_decref(again);
		json_decref(value);
	}
	free(part.data);
	return 0;
}
