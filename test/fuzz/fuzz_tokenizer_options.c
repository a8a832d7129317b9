/*
 * fuzz_tokenizer_options.c - the input is tokenizer_config.json, special_tokens_map.json and
 * added_tokens.json with a zero byte between; an empty one is absent.
 */
#include "fuzz_target.h"

#include <string.h>

#include "rf/tokenizer.h"
#include "rf/utf8.h"

static void
require_string(const char *string)
{
	fuzz_require(string != NULL);
	fuzz_require(rf_utf8_valid_prefix(string, strlen(string)) == strlen(string));
}

static void
check_options(const RfTokenizerOptions *options)
{
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
		require_string(options->special[i]);
	for (size_t i = 0; i < options->never_split_count; i++)
		require_string(options->never_split[i]);
	for (size_t i = 0; i < options->added_count; i++)
	{
		require_string(options->added[i]);
		fuzz_require(options->added_ids[i] >= -1);
	}
	fuzz_require(options->model_max_length >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzPart parts[3];
	RfTokenizerOptions options;
	RfArena arena;
	RfError err;

	fuzz_split(data, size, parts, 3);
	for (int i = 0; i < 3; i++)
	{
		if (parts[i].size == 0)
		{
			fuzz_free(&parts[i], 1);
			parts[i].data = NULL;
		}
	}
	rf_arena_init(&arena, rf_memory_malloc);
	if (fuzz_succeeded(rf_tokenizer_options_parse(parts[0].data, parts[0].size, parts[1].data,
												  parts[1].size, parts[2].data, parts[2].size,
												  &arena, &options, &err),
					   &err))
		check_options(&options);
	rf_arena_free(&arena);
	fuzz_free(parts, 3);
	return 0;
}
