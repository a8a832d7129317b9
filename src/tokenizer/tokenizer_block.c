/*
 * tokenizer_block.c - opening a compiled tokenizer, and what its tokens are.
 *
 * Opening checks the header and that every section lies inside the block, in time independent of
 * the vocabulary. The contents of the sections are the compiler's and are trusted.
 */
#include "tokenizer_block.h"

#include <string.h>

const size_t rf_tokenizer_element_size[RF_SECTION_COUNT] = {
	[RF_SECTION_TOKEN_STARTS] = sizeof(uint32_t),
	[RF_SECTION_TOKEN_BYTES] = sizeof(char),
	[RF_SECTION_TOKEN_FLAGS] = sizeof(uint8_t),
	[RF_SECTION_VOCAB_NODES] = sizeof(RfTrieNode),
	[RF_SECTION_VOCAB_VALUES] = sizeof(int32_t),
	[RF_SECTION_LITERAL_NODES] = sizeof(RfTrieNode),
	[RF_SECTION_LITERAL_VALUES] = sizeof(int32_t),
	[RF_SECTION_PROTECTED_NODES] = sizeof(RfTrieNode),
	[RF_SECTION_PROTECTED_VALUES] = sizeof(int32_t),
	[RF_SECTION_PAGES] = sizeof(uint16_t),
	[RF_SECTION_ENTRIES] = sizeof(uint32_t),
	[RF_SECTION_RECORDS] = sizeof(uint32_t),
	[RF_SECTION_COMPOSITIONS] = sizeof(RfComposition),
};

static const void *
find_section(const RfTokenizerBlock *block, RfTokenizerSection section)
{
	return (const char *) block + block->offset[section];
}

void
rf_tokenizer_view(const RfTokenizer *tokenizer, RfTokenizerView *view)
{
	const RfTokenizerBlock *block = tokenizer->block;

	view->block = block;
	view->flags = tokenizer->fast ? block->fast_flags : block->flags;
	view->token_starts = find_section(block, RF_SECTION_TOKEN_STARTS);
	view->token_bytes = find_section(block, RF_SECTION_TOKEN_BYTES);
	view->token_flags = find_section(block, RF_SECTION_TOKEN_FLAGS);
	view->vocab.nodes = find_section(block, RF_SECTION_VOCAB_NODES);
	view->vocab.values = find_section(block, RF_SECTION_VOCAB_VALUES);
	view->vocab.count = block->count[RF_SECTION_VOCAB_NODES];
	view->literals.nodes = find_section(block, RF_SECTION_LITERAL_NODES);
	view->literals.values = find_section(block, RF_SECTION_LITERAL_VALUES);
	view->literals.count = block->count[RF_SECTION_LITERAL_NODES];
	view->protected.nodes = find_section(block, RF_SECTION_PROTECTED_NODES);
	view->protected.values = find_section(block, RF_SECTION_PROTECTED_VALUES);
	view->protected.count = block->count[RF_SECTION_PROTECTED_NODES];
	view->unicode.pages = find_section(block, RF_SECTION_PAGES);
	view->unicode.entries = find_section(block, RF_SECTION_ENTRIES);
	view->unicode.entry_count = block->count[RF_SECTION_ENTRIES];
	view->unicode.records = find_section(block, RF_SECTION_RECORDS);
	view->unicode.record_count = block->count[RF_SECTION_RECORDS];
	view->unicode.compositions = find_section(block, RF_SECTION_COMPOSITIONS);
	view->unicode.composition_count = block->count[RF_SECTION_COMPOSITIONS];
	view->unicode.fast = tokenizer->fast;
}

static bool
sections_fit(const RfTokenizerBlock *block)
{
	for (int i = 0; i < RF_SECTION_COUNT; i++)
	{
		uint64_t bytes;
		uint64_t end;

		if (block->offset[i] % RF_ALIGNMENT != 0 || block->offset[i] < sizeof(*block) ||
			__builtin_mul_overflow(block->count[i], rf_tokenizer_element_size[i], &bytes) ||
			__builtin_add_overflow(block->offset[i], bytes, &end) || end > block->size)
			return false;
	}
	return true;
}

static bool
counts_agree(const RfTokenizerBlock *block)
{
	uint64_t vocab_size = (uint64_t) block->vocab_size;

	if (block->vocab_size <= 0)
		return false;
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
		if (block->special_ids[i] < 0 || block->special_ids[i] >= block->vocab_size)
			return false;
	return block->count[RF_SECTION_TOKEN_STARTS] == vocab_size + 1 &&
		   block->count[RF_SECTION_TOKEN_FLAGS] == vocab_size &&
		   block->count[RF_SECTION_VOCAB_NODES] == block->count[RF_SECTION_VOCAB_VALUES] &&
		   block->count[RF_SECTION_LITERAL_NODES] == block->count[RF_SECTION_LITERAL_VALUES] &&
		   block->count[RF_SECTION_PROTECTED_NODES] == block->count[RF_SECTION_PROTECTED_VALUES] &&
		   block->count[RF_SECTION_PAGES] == RF_UNICODE_PAGES;
}

RfCode
rf_tokenizer_open(const void *block, size_t size, RfTokenizer *tokenizer, RfError *err)
{
	const RfTokenizerBlock *header = block;

	RF_FAIL_IF(block == NULL || (uintptr_t) block % _Alignof(RfTokenizerBlock) != 0 ||
				   size < sizeof(*header) ||
				   memcmp(header->magic, RF_TOKENIZER_MAGIC, sizeof(header->magic)) != 0,
			   err, RF_CORRUPT, "not a compiled tokenizer");
	RF_FAIL_IF(header->version != RF_TOKENIZER_VERSION, err, RF_CORRUPT,
			   "compiled tokenizer has version %u, not %d", (unsigned) header->version,
			   RF_TOKENIZER_VERSION);
	RF_FAIL_IF(header->size > size, err, RF_CORRUPT,
			   "compiled tokenizer is cut short: %zu of %zu bytes", size, (size_t) header->size);
	RF_FAIL_IF(!sections_fit(header) || !counts_agree(header), err, RF_CORRUPT,
			   "compiled tokenizer has an inconsistent header");
	tokenizer->block = header;
	tokenizer->jieba = NULL;
	rf_tokenizer_choose(tokenizer, RF_TOKENIZER_AS_NAMED);
	tokenizer->vocab_size = header->vocab_size;
	memcpy(tokenizer->special_ids, header->special_ids, sizeof(tokenizer->special_ids));
	return RF_OK;
}

void
rf_tokenizer_choose(RfTokenizer *tokenizer, RfTokenizerChoice choice)
{
	bool named = tokenizer->block->fast != 0;

	tokenizer->fast = choice == RF_TOKENIZER_AS_NAMED ? named : choice == RF_TOKENIZER_FAST;
}

const char *
rf_tokenizer_token(const RfTokenizer *tokenizer, int32_t id, size_t *length)
{
	RfTokenizerView view;

	rf_tokenizer_view(tokenizer, &view);
	if (id < 0 || id >= tokenizer->vocab_size || !(view.token_flags[id] & RF_TOKEN_PRESENT))
		id = tokenizer->special_ids[RF_SPECIAL_UNK];
	*length = view.token_starts[id + 1] - view.token_starts[id];
	return view.token_bytes + view.token_starts[id];
}

int32_t
rf_tokenizer_id(const RfTokenizer *tokenizer, const char *token, size_t length)
{
	RfTokenizerView view;
	int32_t id;

	rf_tokenizer_view(tokenizer, &view);
	id = rf_trie_find(&view.vocab, token, length);
	return id >= 0 ? id : rf_trie_find(&view.literals, token, length);
}

bool
rf_tokenizer_is_special(const RfTokenizer *tokenizer, int32_t id)
{
	RfTokenizerView view;

	if (id < 0 || id >= tokenizer->vocab_size)
		return false;
	rf_tokenizer_view(tokenizer, &view);
	return (view.token_flags[id] & RF_TOKEN_SPECIAL) != 0;
}
