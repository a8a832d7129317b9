/*
 * tokenizer_block.h - the layout of a compiled tokenizer.
 *
 * A header, then sections of plain arrays, each aligned to RF_ALIGNMENT and found by its offset
 * from the header. Nothing in it is ever written once it is compiled.
 */
#ifndef RF_TOKENIZER_BLOCK_H
#define RF_TOKENIZER_BLOCK_H

#include "rf/tokenizer.h"
#include "trie.h"
#include "unicode_class.h"

#define RF_TOKENIZER_MAGIC "RFTOKENS"
#define RF_TOKENIZER_VERSION 2

/* Limits of what is compiled. */
#define RF_TOKENIZER_MAX_TOKENS ((size_t) 1 << 24)
#define RF_TOKENIZER_MAX_VOCAB_BYTES ((size_t) 1 << 30)
#define RF_TOKENIZER_MAX_TOKEN_BYTES 1024

/* Bits of RfTokenizerBlock.flags; the slow tokenizer's BASIC to IDEOGRAPHS are clear without it. */
#define RF_TOKENIZER_JIEBA 1u       /* words first: RoFormerTokenizer */
#define RF_TOKENIZER_BASIC 2u       /* cleaning and cutting before WordPiece */
#define RF_TOKENIZER_LOWER 4u       /* lower-case outside special literals */
#define RF_TOKENIZER_STRIP 8u       /* remove accents; else NFC */
#define RF_TOKENIZER_IDEOGRAPHS 16u /* each Chinese character is a word */
#define RF_TOKENIZER_ACCENTED 32u   /* a protected piece isn't plain ASCII */
#define RF_TOKENIZER_BLANKS 64u     /* a token of the vocabulary is white space */
#define RF_TOKENIZER_IS_FAST 128u   /* as the fast tokenizer does it */

/* Bits of a token's flags. */
#define RF_TOKEN_PRESENT 1u /* clear: the id belongs to no token (a line repeated later, a gap) */
#define RF_TOKEN_SPECIAL 2u
#define RF_TOKEN_ADDED 4u /* not from vocab.txt */

/* How the short way through plain ASCII takes a byte. */
typedef enum RfByteKind
{
	RF_BYTE_OTHER, /* not at all: the piece goes the long way */
	RF_BYTE_WORD,
	RF_BYTE_PUNCTUATION,
	RF_BYTE_BLANK
} RfByteKind;

/* Bits of RfTokenizerBlock.first. */
#define RF_FIRST_OF_LITERAL 1u
#define RF_FIRST_OF_PROTECTED 2u

typedef enum RfTokenizerSection
{
	RF_SECTION_TOKEN_STARTS, /* uint32_t [vocab_size + 1] offsets into the token bytes */
	RF_SECTION_TOKEN_BYTES,  /* char */
	RF_SECTION_TOKEN_FLAGS,  /* uint8_t [vocab_size] */
	RF_SECTION_VOCAB_NODES,  /* vocab.txt: token to id */
	RF_SECTION_VOCAB_VALUES,
	RF_SECTION_LITERAL_NODES, /* special and added tokens matched in the text: to id */
	RF_SECTION_LITERAL_VALUES,
	RF_SECTION_PROTECTED_NODES, /* pieces left whole: 1 if from never_split, 0 if a special token */
	RF_SECTION_PROTECTED_VALUES,
	RF_SECTION_PAGES, /* the tables of unicode_class.h */
	RF_SECTION_ENTRIES,
	RF_SECTION_RECORDS,
	RF_SECTION_COMPOSITIONS,
	RF_SECTION_COUNT
} RfTokenizerSection;

struct RfTokenizerBlock
{
	char magic[8];
	uint32_t version;
	uint32_t flags;      /* of the slow tokenizer */
	uint32_t fast_flags; /* of the fast one */
	uint32_t fast;       /* 1: the fast one unless the model's user says otherwise */
	uint64_t size;       /* bytes, header included */
	int32_t vocab_size;
	int32_t special_ids[RF_SPECIAL_COUNT];
	uint32_t continuation; /* node of "##" among the vocabulary's, 0: no token begins so */
	uint8_t ascii[256];    /* RfByteKind of a byte */
	uint8_t fold[256];     /* a byte's lower case, where that is wanted */
	uint8_t first[256];    /* what may begin with a byte */
	uint64_t offset[RF_SECTION_COUNT];
	uint64_t count[RF_SECTION_COUNT]; /* elements */
};

/* A block's sections as pointers. */
typedef struct RfTokenizerView
{
	const RfTokenizerBlock *block;
	uint32_t flags; /* of the slow or of the fast tokenizer */
	const uint32_t *token_starts;
	const char *token_bytes;
	const uint8_t *token_flags;
	RfTrie vocab;
	RfTrie literals;
	RfTrie protected;
	RfUnicode unicode;
} RfTokenizerView;

extern const size_t rf_tokenizer_element_size[RF_SECTION_COUNT];

/* Of tokenizer only block and fast are looked at. */
extern void rf_tokenizer_view(const RfTokenizer *tokenizer, RfTokenizerView *view);

#endif
