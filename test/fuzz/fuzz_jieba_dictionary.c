/*
 * fuzz_jieba_dictionary.c - the input is a dictionary of words, a zero byte and a text. What
 * compiles cuts any UTF-8 into words that cover it.
 */
#include "fuzz_target.h"

#include <string.h>

#include "rf/tokenizer.h"
#include "rf/utf8.h"

static void
cut(const RfJieba *jieba, const FuzzPart *text, RfArena *arena)
{
	size_t length = rf_utf8_valid_prefix(text->data, text->size);
	size_t covered = 0;
	RfWords words;
	RfError err;

	fuzz_require(rf_jieba_cut(jieba, text->data, length, NULL, arena, &words, &err) == RF_OK);
	for (size_t i = 0; i < words.count; i++)
	{
		fuzz_require(words.length[i] > 0);
		covered += (size_t) words.length[i];
	}
	fuzz_require(covered == rf_utf8_length(text->data, length));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzPart parts[2];
	RfArena arena;
	RfJieba jieba;
	RfError err;
	void *block;
	size_t block_size;

	fuzz_split(data, size, parts, 2);
	rf_arena_init(&arena, rf_memory_malloc);
	if (fuzz_succeeded(
			rf_jieba_compile(parts[0].data, parts[0].size, NULL, &arena, &block, &block_size, &err),
			&err))
	{
		fuzz_require(rf_jieba_open(block, block_size, &jieba, &err) == RF_OK);
		cut(&jieba, &parts[1], &arena);
	}
	rf_arena_free(&arena);
	fuzz_free(parts, 2);
	return 0;
}
