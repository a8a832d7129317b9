/*
 * golden_tokenizer_files.h - golden records and the tokenizers they were made with.
 */
#ifndef TEST_GOLDEN_TOKENIZER_FILES_H
#define TEST_GOLDEN_TOKENIZER_FILES_H

#include <jansson.h>

#include "rf/tokenizer.h"

#define GOLDEN_DATA "test/golden/data"

/* The contents of a file with a NUL behind, or NULL when there is none; to be freed. */
extern char *golden_read(const char *path, size_t *length);

/* Called for each record of a file; line counts from 1. */
typedef void (*GoldenRecord)(void *context, const json_t *record, size_t line);

/* Calls back for all records; fails the test when there are none. Returns how many. */
extern size_t golden_each(const char *path, GoldenRecord record, void *context);

/*
 * The dictionary of Debian's python3-jieba, which the word records were made with; NULL where the
 * package is not installed. It lives to the end of the program.
 */
extern const void *golden_dictionary_block(size_t *size);
extern const RfJieba *golden_dictionary(void);

typedef struct GoldenTokenizer
{
	RfArena arena;
	RfTokenizer tokenizer;
} GoldenTokenizer;

/*
 * config: tokenizer_config.json's object, or the first record of a tokenizer file. The tokenizer
 * has golden_dictionary().
 */
extern void golden_tokenizer_open(GoldenTokenizer *golden, const json_t *config,
								  const char *vocab_path);
extern void golden_tokenizer_close(GoldenTokenizer *golden);

/* A string member with its length, which may hold U+0000. */
extern const char *golden_text(const json_t *record, const char *key, size_t *length);

/* Fails, naming the record, unless values [count] are those of an array of integers or nulls (-1).
 */
extern void golden_expect_integers(const json_t *record, const char *key, const json_t *expected,
								   const int32_t *values, size_t count);

#endif
