/*
 * tokenizer_fixture.h - small tokenizers made of a list of tokens.
 */
#ifndef TEST_TOKENIZER_FIXTURE_H
#define TEST_TOKENIZER_FIXTURE_H

#include "rf/tokenizer.h"

/* Ids 0 to 4 of every fixture's vocabulary. */
enum
{
	ID_UNK,
	ID_SEP,
	ID_PAD,
	ID_CLS,
	ID_MASK,
	ID_FIRST /* the first token of the test's own */
};

typedef struct Fixture
{
	RfArena arena;
	RfTokenizerOptions options;
	RfTokenizer tokenizer;
	RfError err;
} Fixture;

/* Options of a BertTokenizer, to be changed before the fixture is opened. */
extern void fixture_init(Fixture *fixture);
/* tokens: one a line, behind the special ones. Fails the test when it does not compile. */
extern void fixture_open(Fixture *fixture, const char *tokens);
/* The same, returning what compiling returned. */
extern RfCode fixture_compile(Fixture *fixture, const char *vocab, size_t length);
extern void fixture_close(Fixture *fixture);

/* Fails unless text gives these tokens: "id:start-end" separated by blanks. */
extern void fixture_expect(Fixture *fixture, const char *text, const char *tokens);
extern void fixture_expect_bytes(Fixture *fixture, const char *text, size_t length,
								 const char *tokens);

#endif
