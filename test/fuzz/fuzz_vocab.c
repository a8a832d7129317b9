/*
 * fuzz_vocab.c - the input is one byte of options, a vocab.txt, a zero byte and a text. What
 * compiles must tokenize any UTF-8; fuzz_tokenize.c looks closer at how.
 */
#include "fuzz_target.h"

#include "rf/tokenizer.h"
#include "rf/utf8.h"

/* Every id has a text, and none that the vocabulary knows is outside it. */
static void
check_vocabulary(const RfTokenizer *tokenizer)
{
	for (int32_t id = 0; id < tokenizer->vocab_size; id++)
	{
		size_t length;
		const char *token = rf_tokenizer_token(tokenizer, id, &length);
		int32_t back = rf_tokenizer_id(tokenizer, token, length);

		fuzz_require(rf_utf8_valid_prefix(token, length) == length);
		fuzz_require(back >= -1 && back < tokenizer->vocab_size);
	}
}

static void
tokenize(const RfTokenizer *tokenizer, const FuzzPart *text, RfArena *arena)
{
	size_t length = rf_utf8_valid_prefix(text->data, text->size);
	RfTokens tokens;
	RfError err;

	fuzz_require(rf_tokenize(tokenizer, text->data, length, NULL, arena, &tokens, &err) == RF_OK);
	for (size_t i = 0; i < tokens.count; i++)
		fuzz_require(tokens.ids[i] >= 0 && tokens.ids[i] < tokenizer->vocab_size);
}

static void
compile(uint8_t switches, const FuzzPart *parts, RfArena *arena)
{
	RfTokenizerOptions options;
	RfTokenizer tokenizer;
	RfError err;
	void *block;
	size_t size;

	fuzz_require(rf_tokenizer_options_parse(NULL, 0, NULL, 0, NULL, 0, arena, &options, &err) ==
				 RF_OK);
	options.tokenizer_class = RF_TOKENIZER_BERT;
	options.do_lower_case = switches & 1;
	options.strip_accents = switches & 2;
	options.tokenize_chinese_chars = switches & 4;
	options.do_basic_tokenize = switches & 8;
	if (!fuzz_succeeded(rf_tokenizer_compile(&options, parts[0].data, parts[0].size, arena, &block,
											 &size, &err),
						&err))
		return;
	fuzz_require(rf_tokenizer_open(block, size, &tokenizer, &err) == RF_OK);
	check_vocabulary(&tokenizer);
	tokenize(&tokenizer, &parts[1], arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzPart parts[2];
	RfArena arena;

	if (size == 0)
		return 0;
	fuzz_split(data + 1, size - 1, parts, 2);
	rf_arena_init(&arena, rf_memory_malloc);
	compile(data[0], parts, &arena);
	rf_arena_free(&arena);
	fuzz_free(parts, 2);
	return 0;
}
