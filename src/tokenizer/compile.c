/*
 * compile.c - options and vocabulary into a block, and a block into a tokenizer.
 *
 * Compiling works in an arena of its own, which needs about 20 bytes for a byte of the vocabulary
 * and 10 MB for Unicode; the block is then put together from what came out. Special tokens must be
 * in the vocabulary or among the added tokens with their ids: a model has no embedding for an id
 * that would be made up here.
 */
#include "tokenizer_block.h"

#include <inttypes.h>
#include <string.h>

#include "rf/utf8.h"
#include "vocab.h"

static const char *const special_names[RF_SPECIAL_COUNT] = {"unk_token", "sep_token", "pad_token",
															"cls_token", "mask_token"};

typedef struct Compiler
{
	const RfTokenizerOptions *options;
	RfArena scratch;
	RfError *err;
	RfTokenizerBlock header;
	RfTokenizerView view; /* counts and pointers into scratch */
	RfTrieKey *added;     /* [options->added_count] in their final spelling, with their ids */
	RfTrie named;         /* those of them that came with an id: text to id */
	RfTrieKey *tokens;    /* [header.vocab_size] by id; bytes NULL where there is none */
	uint32_t *token_starts;
	uint8_t *token_flags;
	char *token_bytes;
	size_t token_bytes_count;
} Compiler;

/* The fast tokenizers have no do_basic_tokenize. */
static void
set_flags(Compiler *compiler)
{
	const RfTokenizerOptions *options = compiler->options;
	uint32_t words = options->tokenizer_class == RF_TOKENIZER_ROFORMER ? RF_TOKENIZER_JIEBA : 0;
	uint32_t flags = RF_TOKENIZER_BASIC;

	if (options->do_lower_case)
		flags |= RF_TOKENIZER_LOWER;
	if (options->strip_accents)
		flags |= RF_TOKENIZER_STRIP;
	if (options->tokenize_chinese_chars)
		flags |= RF_TOKENIZER_IDEOGRAPHS;
	compiler->header.flags = options->do_basic_tokenize ? words | flags : words;
	compiler->header.fast_flags = words | flags | RF_TOKENIZER_IS_FAST;
	compiler->header.fast = options->fast;
}

static void
add_flag(Compiler *compiler, uint32_t flag)
{
	compiler->header.flags |= flag;
	compiler->header.fast_flags |= flag;
}

static RfCode
check_literal(Compiler *compiler, const char *name, const char *text, size_t *length)
{
	RF_FAIL_IF(text == NULL || text[0] == '\0', compiler->err, RF_CORRUPT, "\"%s\" is empty", name);
	*length = strlen(text);
	RF_FAIL_IF(*length > RF_TOKENIZER_MAX_TOKEN_BYTES, compiler->err, RF_LIMIT,
			   "a string of \"%s\" has %zu bytes, more than %d", name, *length,
			   RF_TOKENIZER_MAX_TOKEN_BYTES);
	RF_FAIL_IF(rf_utf8_valid_prefix(text, *length) != *length, compiler->err, RF_CORRUPT,
			   "\"%s\" is not valid UTF-8", name);
	return RF_OK;
}

static bool
is_added_special(const RfTokenizerOptions *options, size_t i)
{
	return options->added_special != NULL && options->added_special[i];
}

/* Added tokens that are not special are lower-cased like the text they are looked for in. */
static RfCode
spell_added(Compiler *compiler, size_t i, RfTrieKey *key)
{
	const char *text = compiler->options->added[i];
	uint32_t lower[RF_UNICODE_MAX_LOWER];
	size_t length;
	size_t used = 0;
	char *bytes;

	RF_TRY(check_literal(compiler, "added_tokens", text, &length));
	key->bytes = text;
	key->length = (uint32_t) length;
	key->value = compiler->options->added_ids[i];
	if (is_added_special(compiler->options, i) || !(compiler->header.flags & RF_TOKENIZER_LOWER))
		return RF_OK;
	RF_NEW(&compiler->scratch, bytes, length * RF_UNICODE_MAX_LOWER * RF_UTF8_MAX, compiler->err);
	for (size_t at = 0; at < length;)
	{
		uint32_t c;
		size_t count;

		at += rf_utf8_decode(text + at, length - at, &c);
		count = rf_unicode_lower(&compiler->view.unicode, c, lower);
		for (size_t part = 0; part < count; part++)
			used += rf_utf8_encode(lower[part], bytes + used);
	}
	key->bytes = bytes;
	key->length = (uint32_t) used;
	return RF_OK;
}

static RfCode
index_added(Compiler *compiler)
{
	size_t count = compiler->options->added_count;
	size_t used = 0;
	RfTrieKey *keys;

	RF_NEW(&compiler->scratch, keys, count, compiler->err);
	for (size_t i = 0; i < count; i++)
		if (compiler->added[i].value >= 0)
			keys[used++] = compiler->added[i];
	return rf_trie_build(keys, used, NULL, &compiler->scratch, &compiler->named, compiler->err);
}

/*
 * Gives an added token its id: the vocabulary's, else the one the file says, for it or (additional
 * special tokens are listed without ids) for the same text elsewhere.
 */
static RfCode
resolve_added(Compiler *compiler, const RfVocab *vocab, RfTrieKey *key)
{
	int32_t known = rf_trie_find(&compiler->view.vocab, key->bytes, key->length);
	int length = (int) key->length;

	if (known >= 0)
	{
		RF_FAIL_IF(key->value >= 0 && key->value != known, compiler->err, RF_CORRUPT,
				   "added token \"%.*s\" has id %" PRId32 " but is token %" PRId32
				   " of the vocabulary",
				   length, key->bytes, key->value, known);
		key->value = known;
		return RF_OK;
	}
	if (key->value < 0)
		key->value = rf_trie_find(&compiler->named, key->bytes, key->length);
	RF_FAIL_IF(key->value < 0, compiler->err, RF_CORRUPT,
			   "special token \"%.*s\" is not in the vocabulary", length, key->bytes);
	RF_FAIL_IF((size_t) key->value >= RF_TOKENIZER_MAX_TOKENS, compiler->err, RF_LIMIT,
			   "added token \"%.*s\" has id %" PRId32 ", more than %zu", length, key->bytes,
			   key->value, RF_TOKENIZER_MAX_TOKENS - 1);
	RF_FAIL_IF((size_t) key->value < vocab->count, compiler->err, RF_CORRUPT,
			   "added token \"%.*s\" has id %" PRId32 ", which belongs to the vocabulary", length,
			   key->bytes, key->value);
	return RF_OK;
}

static RfCode
resolve_all_added(Compiler *compiler, const RfVocab *vocab)
{
	const RfTokenizerOptions *options = compiler->options;

	RF_NEW(&compiler->scratch, compiler->added, options->added_count, compiler->err);
	for (size_t i = 0; i < options->added_count; i++)
		RF_TRY(spell_added(compiler, i, &compiler->added[i]));
	RF_TRY(index_added(compiler));
	compiler->header.vocab_size = (int32_t) vocab->count;
	for (size_t i = 0; i < options->added_count; i++)
	{
		RF_TRY(resolve_added(compiler, vocab, &compiler->added[i]));
		if (compiler->added[i].value >= compiler->header.vocab_size)
			compiler->header.vocab_size = compiler->added[i].value + 1;
	}
	return RF_OK;
}

static bool
is_blank(const RfUnicode *unicode, const RfTrieKey *key)
{
	uint32_t c;
	size_t step = rf_utf8_decode(key->bytes, key->length, &c);

	return step > 0 && step == key->length && (rf_unicode_entry(unicode, c) & RF_UNICODE_BLANK);
}

/* The trie sorts its keys: it gets a copy, tokens stay in the order of their ids. */
static RfCode
index_vocab(Compiler *compiler, const RfVocab *vocab)
{
	RfTrieKey *keys;
	uint32_t node;

	RF_NEW(&compiler->scratch, keys, vocab->count, compiler->err);
	memcpy(keys, vocab->keys, vocab->count * sizeof(*keys));
	for (size_t i = 0; i < vocab->count; i++)
		if (is_blank(&compiler->view.unicode, &keys[i]))
			add_flag(compiler, RF_TOKENIZER_BLANKS);
	RF_TRY(rf_trie_build(keys, vocab->count, NULL, &compiler->scratch, &compiler->view.vocab,
						 compiler->err));
	node = rf_trie_step(&compiler->view.vocab, 0, '#');
	compiler->header.continuation = node == 0 ? 0 : rf_trie_step(&compiler->view.vocab, node, '#');
	return RF_OK;
}

static RfCode
resolve_special(Compiler *compiler)
{
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
	{
		const char *text = compiler->options->special[i];
		size_t length;

		RF_TRY(check_literal(compiler, special_names[i], text, &length));
		compiler->header.special_ids[i] = rf_trie_find(&compiler->view.vocab, text, length);
		if (compiler->header.special_ids[i] < 0)
			compiler->header.special_ids[i] = rf_trie_find(&compiler->named, text, length);
		RF_FAIL_IF(compiler->header.special_ids[i] < 0, compiler->err, RF_CORRUPT,
				   "special token \"%s\" (\"%s\") is not in the vocabulary", text,
				   special_names[i]);
	}
	return RF_OK;
}

/* Special and added tokens as they are looked for in the text. */
static RfCode
index_literals(Compiler *compiler)
{
	const RfTokenizerOptions *options = compiler->options;
	RfTrieKey *keys;

	RF_NEW(&compiler->scratch, keys, options->added_count + RF_SPECIAL_COUNT, compiler->err);
	for (size_t i = 0; i < options->added_count; i++)
		keys[i] = compiler->added[i];
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
		keys[options->added_count + i] =
			(RfTrieKey){options->special[i], (uint32_t) strlen(options->special[i]),
						compiler->header.special_ids[i]};
	return rf_trie_build(keys, options->added_count + RF_SPECIAL_COUNT, NULL, &compiler->scratch,
						 &compiler->view.literals, compiler->err);
}

/* Pieces that are left whole; where a special token is in never_split too, that wins. */
static RfCode
index_protected(Compiler *compiler)
{
	const RfTokenizerOptions *options = compiler->options;
	size_t count = 0;
	RfTrieKey *keys;

	RF_NEW(&compiler->scratch, keys,
		   options->added_count + options->never_split_count + RF_SPECIAL_COUNT, compiler->err);
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
		keys[count++] = (RfTrieKey){options->special[i], (uint32_t) strlen(options->special[i]), 0};
	for (size_t i = 0; i < options->added_count; i++)
		if (is_added_special(options, i))
			keys[count++] = (RfTrieKey){compiler->added[i].bytes, compiler->added[i].length, 0};
	for (size_t i = 0; i < options->never_split_count; i++)
	{
		size_t length;

		RF_TRY(check_literal(compiler, "never_split", options->never_split[i], &length));
		keys[count++] = (RfTrieKey){options->never_split[i], (uint32_t) length, 1};
	}
	for (size_t i = 0; i < count; i++)
		for (uint32_t at = 0; at < keys[i].length; at++)
			if ((unsigned char) keys[i].bytes[at] >= 0x80)
				add_flag(compiler, RF_TOKENIZER_ACCENTED);
	return rf_trie_build(keys, count, NULL, &compiler->scratch, &compiler->view.protected,
						 compiler->err);
}

static RfCode
place_added(Compiler *compiler, const RfTrieKey *key, bool special)
{
	RfTrieKey *token = &compiler->tokens[key->value];
	uint8_t *flags = &compiler->token_flags[key->value];

	if (special)
		*flags |= RF_TOKEN_SPECIAL;
	if (!(*flags & RF_TOKEN_PRESENT))
	{
		*token = *key;
		*flags |= RF_TOKEN_PRESENT | RF_TOKEN_ADDED;
		return RF_OK;
	}
	RF_FAIL_IF(token->length != key->length || memcmp(token->bytes, key->bytes, key->length) != 0,
			   compiler->err, RF_CORRUPT,
			   "added tokens \"%.*s\" and \"%.*s\" have the same id %" PRId32, (int) token->length,
			   token->bytes, (int) key->length, key->bytes, key->value);
	return RF_OK;
}

/* Who has which id: of a line that occurs twice the later one. */
static RfCode
place_tokens(Compiler *compiler, const RfVocab *vocab)
{
	size_t count = (size_t) compiler->header.vocab_size;

	RF_NEW0(&compiler->scratch, compiler->tokens, count, compiler->err);
	RF_NEW0(&compiler->scratch, compiler->token_flags, count, compiler->err);
	for (size_t id = 0; id < vocab->count; id++)
	{
		const RfTrieKey *key = &vocab->keys[id];

		if (rf_trie_find(&compiler->view.vocab, key->bytes, key->length) != key->value)
			continue;
		compiler->tokens[id] = *key;
		compiler->token_flags[id] = RF_TOKEN_PRESENT;
	}
	for (size_t i = 0; i < compiler->options->added_count; i++)
		RF_TRY(place_added(compiler, &compiler->added[i], is_added_special(compiler->options, i)));
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
		compiler->token_flags[compiler->header.special_ids[i]] |= RF_TOKEN_SPECIAL;
	return RF_OK;
}

static RfCode
write_tokens(Compiler *compiler)
{
	size_t count = (size_t) compiler->header.vocab_size;
	size_t total = 0;

	for (size_t id = 0; id < count; id++)
		total += compiler->tokens[id].length;
	RF_FAIL_IF(total > UINT32_MAX, compiler->err, RF_LIMIT, "tokens have %zu bytes", total);
	RF_NEW(&compiler->scratch, compiler->token_starts, count + 1, compiler->err);
	RF_NEW(&compiler->scratch, compiler->token_bytes, total, compiler->err);
	for (size_t id = 0; id < count; id++)
	{
		const RfTrieKey *token = &compiler->tokens[id];

		compiler->token_starts[id] = (uint32_t) compiler->token_bytes_count;
		if (token->length > 0)
			memcpy(compiler->token_bytes + compiler->token_bytes_count, token->bytes,
				   token->length);
		compiler->token_bytes_count += token->length;
	}
	compiler->token_starts[count] = (uint32_t) compiler->token_bytes_count;
	return RF_OK;
}

static RfByteKind
classify_ascii(const Compiler *compiler, unsigned byte)
{
	uint32_t entry = rf_unicode_entry(&compiler->view.unicode, byte);

	if (!(compiler->header.flags & RF_TOKENIZER_BASIC))
		return entry & RF_UNICODE_BLANK ? RF_BYTE_BLANK : RF_BYTE_WORD;
	switch (RF_UNICODE_CATEGORY(entry))
	{
		case RF_CATEGORY_SPACE:
			return RF_BYTE_BLANK;
		case RF_CATEGORY_PUNCTUATION:
			return RF_BYTE_PUNCTUATION;
		case RF_CATEGORY_OTHER:
			return RF_BYTE_WORD;
		default:
			return RF_BYTE_OTHER;
	}
}

/* A byte that may begin a literal or a protected piece never goes the short way. */
static void
set_byte_tables(Compiler *compiler)
{
	RfTokenizerBlock *header = &compiler->header;

	for (unsigned byte = 0; byte < 256; byte++)
	{
		header->fold[byte] = (uint8_t) byte;
		if ((header->flags & RF_TOKENIZER_LOWER) && byte >= 'A' && byte <= 'Z')
			header->fold[byte] = (uint8_t) (byte - 'A' + 'a');
		if (rf_trie_step(&compiler->view.literals, 0, (unsigned char) byte) != 0)
			header->first[byte] |= RF_FIRST_OF_LITERAL;
		if (rf_trie_step(&compiler->view.protected, 0, (unsigned char) byte) != 0)
			header->first[byte] |= RF_FIRST_OF_PROTECTED;
	}
	for (unsigned byte = 0; byte < 256; byte++)
	{
		header->ascii[byte] = RF_BYTE_OTHER;
		if (byte < 128 && header->first[byte] == 0 && header->first[header->fold[byte]] == 0)
			header->ascii[byte] = (uint8_t) classify_ascii(compiler, byte);
	}
}

static RfCode
compile_parts(Compiler *compiler, const char *text, size_t length)
{
	RfVocab vocab;

	set_flags(compiler);
	RF_TRY(rf_vocab_parse(text, length, &compiler->scratch, &vocab, compiler->err));
	RF_TRY(rf_unicode_build(&compiler->scratch, &compiler->view.unicode, compiler->err));
	RF_TRY(index_vocab(compiler, &vocab));
	RF_TRY(resolve_all_added(compiler, &vocab));
	RF_TRY(resolve_special(compiler));
	RF_TRY(index_literals(compiler));
	RF_TRY(index_protected(compiler));
	RF_TRY(place_tokens(compiler, &vocab));
	RF_TRY(write_tokens(compiler));
	set_byte_tables(compiler);
	return RF_OK;
}

static RfCode
write_block(Compiler *compiler, RfArena *arena, void **block, size_t *size)
{
	const RfTokenizerView *view = &compiler->view;
	RfTokenizerBlock *header = &compiler->header;
	const struct
	{
		const void *data;
		size_t count;
	} sections[RF_SECTION_COUNT] = {
		[RF_SECTION_TOKEN_STARTS] = {compiler->token_starts, (size_t) header->vocab_size + 1},
		[RF_SECTION_TOKEN_BYTES] = {compiler->token_bytes, compiler->token_bytes_count},
		[RF_SECTION_TOKEN_FLAGS] = {compiler->token_flags, (size_t) header->vocab_size},
		[RF_SECTION_VOCAB_NODES] = {view->vocab.nodes, view->vocab.count},
		[RF_SECTION_VOCAB_VALUES] = {view->vocab.values, view->vocab.count},
		[RF_SECTION_LITERAL_NODES] = {view->literals.nodes, view->literals.count},
		[RF_SECTION_LITERAL_VALUES] = {view->literals.values, view->literals.count},
		[RF_SECTION_PROTECTED_NODES] = {view->protected.nodes, view->protected.count},
		[RF_SECTION_PROTECTED_VALUES] = {view->protected.values, view->protected.count},
		[RF_SECTION_PAGES] = {view->unicode.pages, RF_UNICODE_PAGES},
		[RF_SECTION_ENTRIES] = {view->unicode.entries, view->unicode.entry_count},
		[RF_SECTION_RECORDS] = {view->unicode.records, view->unicode.record_count},
		[RF_SECTION_COMPOSITIONS] = {view->unicode.compositions, view->unicode.composition_count},
	};
	size_t total = RF_ALIGN(sizeof(*header));
	char *bytes;

	for (int i = 0; i < RF_SECTION_COUNT; i++)
	{
		header->offset[i] = total;
		header->count[i] = sections[i].count;
		total += RF_ALIGN(sections[i].count * rf_tokenizer_element_size[i]);
	}
	memcpy(header->magic, RF_TOKENIZER_MAGIC, sizeof(header->magic));
	header->version = RF_TOKENIZER_VERSION;
	header->size = total;
	bytes = rf_arena_zalloc(arena, total, 1);
	if (bytes == NULL)
		return rf_error_memory(compiler->err, total);
	memcpy(bytes, header, sizeof(*header));
	for (int i = 0; i < RF_SECTION_COUNT; i++)
		if (sections[i].count > 0)
			memcpy(bytes + header->offset[i], sections[i].data,
				   sections[i].count * rf_tokenizer_element_size[i]);
	*block = bytes;
	*size = total;
	return RF_OK;
}

RfCode
rf_tokenizer_compile(const RfTokenizerOptions *options, const char *vocab, size_t vocab_length,
					 RfArena *arena, void **block, size_t *size, RfError *err)
{
	Compiler compiler = {.options = options, .err = err};
	RfCode code;

	rf_arena_init(&compiler.scratch, arena->memory);
	code = compile_parts(&compiler, vocab, vocab_length);
	if (code == RF_OK)
		code = write_block(&compiler, arena, block, size);
	rf_arena_free(&compiler.scratch);
	return code;
}
