/*
 * fuzz_tokenize.c - the input is one byte of options, a text, a zero byte and a second text, for a
 * fixed vocabulary: compiling one takes longer than a thousand texts (fuzz_vocab.c does that).
 * Encoding must respect max_length, and what is decoded must be UTF-8.
 */
#include "fuzz_target.h"

#include "rf/tokenizer.h"
#include "rf/utf8.h"

#define VARIANTS 32

static const char vocab[] =
	"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nab\n##a\n##b\n##ab\ne\n##e\ni\n,\n"
	"\xE4\xB8\xAD\n##\xE4\xB8\xAD\n\xE1\x84\x92\n##\xE1\x85\xA1\n\xC3\xA9\n";

/* Tokenizers with each combination of switches, compiled when first asked for and then kept. */
static const RfTokenizer *
tokenizer_of(uint8_t switches)
{
	static RfTokenizer tokenizers[VARIANTS];
	static RfArena arenas[VARIANTS];
	RfTokenizer *tokenizer = &tokenizers[switches % VARIANTS];
	RfArena *arena = &arenas[switches % VARIANTS];
	RfTokenizerOptions options;
	RfError err;
	void *block;
	size_t size;

	if (tokenizer->block != NULL)
		return tokenizer;
	rf_arena_init(arena, rf_memory_malloc);
	fuzz_require(rf_tokenizer_options_parse(NULL, 0, NULL, 0, NULL, 0, arena, &options, &err) ==
				 RF_OK);
	options.tokenizer_class = RF_TOKENIZER_BERT;
	options.do_lower_case = switches & 1;
	options.strip_accents = switches & 2;
	options.tokenize_chinese_chars = switches & 4;
	options.do_basic_tokenize = switches & 8;
	fuzz_require(rf_tokenizer_compile(&options, vocab, sizeof(vocab) - 1, arena, &block, &size,
									  &err) == RF_OK);
	fuzz_require(rf_tokenizer_open(block, size, tokenizer, &err) == RF_OK);
	rf_tokenizer_choose(tokenizer, switches & 16 ? RF_TOKENIZER_FAST : RF_TOKENIZER_SLOW);
	return tokenizer;
}

static void
check_tokens(const RfTokenizer *tokenizer, const RfTokens *tokens, size_t characters)
{
	for (size_t i = 0; i < tokens->count; i++)
	{
		size_t start = (size_t) tokens->start[i];
		size_t length = (size_t) tokens->length[i];

		fuzz_require(tokens->ids[i] >= 0 && tokens->ids[i] < tokenizer->vocab_size);
		fuzz_require(tokens->start[i] >= 0 && tokens->length[i] > 0);
		fuzz_require(start < characters && length <= characters - start);
		fuzz_require(i == 0 || tokens->start[i] >= tokens->start[i - 1]);
	}
}

static void
check_encoding(const RfTokenizer *tokenizer, const RfInput *input, RfArena *arena)
{
	RfEncodeOptions options = {
		.add_special_tokens = true, .max_length = 16, .pad_to_max_length = true};
	RfEncoding encoding;
	RfError err;
	char *decoded;
	size_t length;

	fuzz_require(rf_encode(tokenizer, input, &options, NULL, arena, &encoding, &err) == RF_OK);
	fuzz_require(encoding.count == 16);
	fuzz_require(rf_decode(tokenizer, encoding.input_ids, encoding.count, false, true, NULL, arena,
						   &decoded, &length, &err) == RF_OK);
	fuzz_require(rf_utf8_valid_prefix(decoded, length) == length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const RfTokenizer *tokenizer;
	FuzzPart parts[2];
	RfArena arena;
	RfTokens tokens;
	RfError err;

	if (size == 0)
		return 0;
	tokenizer = tokenizer_of(data[0]);
	fuzz_split(data + 1, size - 1, parts, 2);
	rf_arena_init(&arena, rf_memory_malloc);
	for (int i = 0; i < 2; i++)
		parts[i].size = rf_utf8_valid_prefix(parts[i].data, parts[i].size);
	fuzz_require(
		rf_tokenize(tokenizer, parts[0].data, parts[0].size, NULL, &arena, &tokens, &err) == RF_OK);
	check_tokens(tokenizer, &tokens, rf_utf8_length(parts[0].data, parts[0].size));
	check_encoding(tokenizer,
				   &(RfInput){.text = parts[0].data,
							  .length = parts[0].size,
							  .pair = parts[1].data,
							  .pair_length = parts[1].size},
				   &arena);
	rf_arena_free(&arena);
	fuzz_free(parts, 2);
	return 0;
}
