/*
 * tokenizer.h - text to token ids with the positions they came from, and back.
 *
 * Follows the slow and the fast tokenizers of the reference implementation (docs/tokenizer.md):
 * BertTokenizer, that is basic tokenizer and WordPiece, and RoFormerTokenizer, which cuts Chinese
 * words with jieba first. A compiled tokenizer is one position-independent, read-only block: it lies in the model
 * image that all backends share. So is a compiled dictionary.
 *
 * All texts are UTF-8. Positions count code points of the original text from 0.
 */
#ifndef RF_TOKENIZER_H
#define RF_TOKENIZER_H

#include "rf/memory.h"

typedef enum RfTokenizerClass
{
	RF_TOKENIZER_BERT,
	RF_TOKENIZER_ROFORMER
} RfTokenizerClass;

typedef enum RfSpecial
{
	RF_SPECIAL_UNK,
	RF_SPECIAL_SEP,
	RF_SPECIAL_PAD,
	RF_SPECIAL_CLS,
	RF_SPECIAL_MASK,
	RF_SPECIAL_COUNT
} RfSpecial;

/* What tokenizer_config.json, special_tokens_map.json and added_tokens.json say. */
typedef struct RfTokenizerOptions
{
	RfTokenizerClass tokenizer_class;
	bool fast; /* the class named is the fast one */
	bool do_lower_case;
	bool do_basic_tokenize;
	bool strip_accents; /* null in the file: as do_lower_case */
	bool tokenize_chinese_chars;
	int64_t model_max_length;				 /* 0: not given (or the reference's "very large") */
	const char *special[RF_SPECIAL_COUNT];	 /* literals such as "[CLS]" */
	const char *const *never_split;			 /* [never_split_count] */
	size_t never_split_count;
	const char *const *added;				 /* [added_count] further tokens matched in raw text */
	const int32_t *added_ids;				 /* [added_count] -1: as in the vocabulary */
	const bool *added_special;				 /* [added_count]; NULL: none is special */
	size_t added_count;
} RfTokenizerOptions;

/* Parses the three files; any may be NULL (length 0). Strings live in arena. */
extern RfCode rf_tokenizer_options_parse(const char *config, size_t config_length,
										 const char *special_map, size_t special_map_length,
										 const char *added, size_t added_length, RfArena *arena,
										 RfTokenizerOptions *options, RfError *err);

/*
 * Compiles options and vocab.txt into a block of *size bytes in arena (aligned to RF_ALIGNMENT).
 * RF_CORRUPT for invalid UTF-8, an empty vocabulary or a special token that is not in it;
 * RF_LIMIT beyond 2^24 tokens.
 */
extern RfCode rf_tokenizer_compile(const RfTokenizerOptions *options, const char *vocab,
								   size_t vocab_length, RfArena *arena, void **block, size_t *size,
								   RfError *err);

/*
 * Compiles jieba's dict.txt (a line for each word: word, frequency, tag) into a position-independent,
 * read-only block of *size bytes in arena (aligned to RF_ALIGNMENT). RF_CORRUPT for invalid UTF-8,
 * broken frequencies or a dictionary without any; RF_LIMIT beyond 2^24 words or 2^28 bytes.
 */
extern RfCode rf_jieba_compile(const char *dict, size_t length, const RfAbort *abort_fn,
							   RfArena *arena, void **block, size_t *size, RfError *err);

typedef struct RfJiebaBlock RfJiebaBlock; /* private layout of the compiled dictionary */

/* A pointer into a block; valid as long as the block. */
typedef struct RfJieba
{
	const RfJiebaBlock *block;
} RfJieba;

/* Checks magic, version and size of the block. */
extern RfCode rf_jieba_open(const void *block, size_t size, RfJieba *jieba, RfError *err);

/* Words of a text, one behind the other; together they are the text. */
typedef struct RfWords
{
	size_t count;
	int32_t *length; /* [count] code points */
} RfWords;

/* Cuts a text as jieba does without its hidden Markov model. */
extern RfCode rf_jieba_cut(const RfJieba *jieba, const char *text, size_t length,
						   const RfAbort *abort_fn, RfArena *arena, RfWords *words, RfError *err);

typedef struct RfTokenizerBlock RfTokenizerBlock; /* private layout of the compiled block */

/* Pointers into a block; valid as long as the block. */
typedef struct RfTokenizer
{
	const RfTokenizerBlock *block;
	int32_t vocab_size;					  /* ids are 0 .. vocab_size - 1 */
	int32_t special_ids[RF_SPECIAL_COUNT];
	const RfJieba *jieba; /* set by the owner; what RF_TOKENIZER_ROFORMER can't do without */
	bool fast;            /* as the fast tokenizer of the reference: rf_tokenizer_choose */
} RfTokenizer;

/* Checks magic, version and size of the block. */
extern RfCode rf_tokenizer_open(const void *block, size_t size, RfTokenizer *tokenizer,
								RfError *err);

/* Which of the reference's two tokenizers is followed. */
typedef enum RfTokenizerChoice
{
	RF_TOKENIZER_AS_NAMED, /* the one whose class tokenizer_config.json names */
	RF_TOKENIZER_SLOW,
	RF_TOKENIZER_FAST
} RfTokenizerChoice;

/* An opened tokenizer is as named. */
extern void rf_tokenizer_choose(RfTokenizer *tokenizer, RfTokenizerChoice choice);

/* The token's text (not terminated); "[UNK]"'s for an id outside the vocabulary. */
extern const char *rf_tokenizer_token(const RfTokenizer *tokenizer, int32_t id, size_t *length);
/* The id of a token as it stands in the vocabulary, -1 when there is none. */
extern int32_t rf_tokenizer_id(const RfTokenizer *tokenizer, const char *token, size_t length);
/* unk, sep, pad, cls, mask or an added special token */
extern bool rf_tokenizer_is_special(const RfTokenizer *tokenizer, int32_t id);

/* Tokens of one text, without added special tokens. */
typedef struct RfTokens
{
	size_t count;
	int32_t *ids;	 /* [count] */
	int32_t *start;	 /* [count] first code point of the source characters in the token */
	int32_t *length; /* [count] code points; 0 never occurs */
} RfTokens;

extern RfCode rf_tokenize(const RfTokenizer *tokenizer, const char *text, size_t length,
						  const RfAbort *abort_fn, RfArena *arena, RfTokens *tokens, RfError *err);

typedef enum RfTruncation
{
	RF_TRUNCATE_LONGEST_FIRST,
	RF_TRUNCATE_ONLY_FIRST,
	RF_TRUNCATE_ONLY_SECOND,
	RF_TRUNCATE_NONE
} RfTruncation;

typedef struct RfEncodeOptions
{
	bool add_special_tokens;
	int32_t max_length; /* special tokens included; 0: no limit and no padding */
	RfTruncation truncation;
	bool truncate_left; /* keep the end of the text */
	bool pad_to_max_length;
	bool pad_left;				/* padding goes before the text */
	int32_t pad_to_multiple_of; /* > 0: pads up to a multiple of this */
} RfEncodeOptions;

/* One text, or a pair (pair != NULL; an empty second text is still a pair). */
typedef struct RfInput
{
	const char *text;
	size_t length;
	const char *pair;
	size_t pair_length;
} RfInput;

/* The model's input for one text or pair: T = count tokens. */
typedef struct RfEncoding
{
	size_t count;
	int32_t *input_ids;			  /* [T] */
	int32_t *token_type_ids;	  /* [T] */
	uint8_t *special_tokens_mask; /* [T] 1: added here, also padding */
	uint8_t *attention_mask;	  /* [T] 0: padding */
	int32_t *start;				  /* [T] in text (type 0) or pair (type 1); -1: added token */
	int32_t *length;			  /* [T] code points; 0 where start is -1 */
	size_t removed;				  /* tokens cut by truncation */
} RfEncoding;

extern RfCode rf_encode(const RfTokenizer *tokenizer, const RfInput *input,
						const RfEncodeOptions *options, const RfAbort *abort_fn, RfArena *arena,
						RfEncoding *encoding, RfError *err);

/* The same from tokens that are there already (pair NULL: none). */
extern RfCode rf_encode_tokens(const RfTokenizer *tokenizer, const RfTokens *text,
							   const RfTokens *pair, const RfEncodeOptions *options,
							   RfArena *arena, RfEncoding *encoding, RfError *err);

/*
 * Ids to text: tokens joined by blanks, " ##" removed; clean_up also removes the blanks before
 * punctuation and English contractions as the reference does. The result is NUL-terminated. abort_fn
 * may be NULL.
 */
extern RfCode rf_decode(const RfTokenizer *tokenizer, const int32_t *ids, size_t count,
						bool skip_special_tokens, bool clean_up, const RfAbort *abort_fn,
						RfArena *arena, char **text, size_t *length, RfError *err);

#endif
