/*
 * test_golden_tokenizer_codepoints.c - every code point of Unicode, treated as the reference treats
 * it.
 *
 * The vocabulary is made for the purpose: every character is a token, as a word and inside one. The
 * text "a" X "b" then shows by its tokens what became of X.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utf8proc.h>

#include "golden_tokenizer_files.h"
#include "rf/utf8.h"

#define CODE_POINTS 0x110000
#define MAX_IMAGES 4

typedef enum Treatment
{
	UNKNOWN,
	DELETED,
	BLANK, /* cuts, and leaves nothing */
	WORD,  /* a word by itself */
	KEPT,  /* stays in the word, as its images */
	NO_CHARACTER
} Treatment;

typedef struct Expectation
{
	Treatment treatment;
	uint32_t images[MAX_IMAGES]; /* 0: none, or the character itself */
} Expectation;

static Treatment
read_treatment(const char *name)
{
	static const struct
	{
		const char *name;
		Treatment treatment;
	} names[] = {
		{"delete", DELETED}, {"space", BLANK},  {"split", BLANK}, {"cjk", WORD},
		{"punct", WORD},     {"mark", DELETED}, {"keep", KEPT},   {"surrogate", NO_CHARACTER},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].treatment;
	fail_msg("unknown class \"%s\"", name);
	return UNKNOWN;
}

static uint32_t
read_hexadecimal(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	assert_non_null(text);
	return (uint32_t) strtoul(text, NULL, 16);
}

static void
read_images(const json_t *text, uint32_t *images)
{
	const char *bytes = json_string_value(text);
	size_t length = json_string_length(text);
	size_t count = 0;

	for (size_t at = 0; at < length;)
	{
		assert_true(count < MAX_IMAGES);
		at += rf_utf8_decode(bytes + at, length - at, &images[count++]);
	}
}

static void
read_expectation(void *context, const json_t *record, size_t line)
{
	Expectation *expectations = context;

	if (line == 1)
	{
		assert_string_equal(json_string_value(json_object_get(record, "unicode_version")),
							"14.0.0");
		return;
	}
	if (json_object_get(record, "class") == NULL)
	{
		read_images(json_object_get(record, "maps"),
					expectations[read_hexadecimal(record, "cp")].images);
		return;
	}
	for (uint32_t c = read_hexadecimal(record, "from"); c <= read_hexadecimal(record, "to"); c++)
		expectations[c].treatment =
			read_treatment(json_string_value(json_object_get(record, "class")));
}

/* The Unicode Standard, section 3.12 */
static void
expect_hangul(Expectation *expectations)
{
	for (uint32_t c = 0xAC00; c <= 0xD7A3; c++)
	{
		uint32_t index = c - 0xAC00;

		expectations[c].images[0] = 0x1100 + index / 588;
		expectations[c].images[1] = 0x1161 + index % 588 / 28;
		expectations[c].images[2] = index % 28 == 0 ? 0 : 0x11A7 + index % 28;
	}
}

/*
 * The records give images of kept characters only. Others can have them too (ideographs made for
 * compatibility, the Greek question mark), and a kept character whose image is punctuation is cut
 * off with it (U+1FEF).
 */
static void
complete_expectations(Expectation *expectations)
{
	for (uint32_t c = 0; c < CODE_POINTS; c++)
	{
		Expectation *here = &expectations[c];
		utf8proc_int32_t parts[MAX_IMAGES];

		if (here->treatment == WORD &&
			utf8proc_decompose_char((utf8proc_int32_t) c, parts, MAX_IMAGES,
									UTF8PROC_DECOMPOSE | UTF8PROC_STABLE, NULL) == 1)
			here->images[0] = (uint32_t) parts[0];
		if (here->treatment == KEPT && here->images[0] != 0 && here->images[1] == 0)
			here->treatment = expectations[here->images[0]].treatment;
	}
}

/* Five special tokens, then each character but line ends as a word's beginning and continuation. */
static char *
make_vocabulary(size_t *length)
{
	char *vocab = malloc((size_t) CODE_POINTS * 13 + 64);
	size_t used;

	assert_non_null(vocab);
	used = (size_t) sprintf(vocab, "[UNK]\n[SEP]\n[PAD]\n[CLS]\n[MASK]\n");
	for (uint32_t c = 1; c < CODE_POINTS; c++)
	{
		if (c == '\n' || c == '\r' || (c >= 0xD800 && c <= 0xDFFF))
			continue;
		used += rf_utf8_encode(c, vocab + used);
		memcpy(vocab + used, "\n##", 3);
		used += 3;
		used += rf_utf8_encode(c, vocab + used);
		vocab[used++] = '\n';
	}
	*length = used;
	return vocab;
}

static int32_t
find_id(const RfTokenizer *tokenizer, bool continues, uint32_t c)
{
	char token[2 + RF_UTF8_MAX] = "##";
	size_t length = continues ? 2 : 0;

	length += rf_utf8_encode(c, token + length);
	return rf_tokenizer_id(tokenizer, token, length);
}

static void
expect_treatment(const RfTokenizer *tokenizer, RfArena *arena, uint32_t c,
				 const Expectation *expectation)
{
	int32_t expected[2 + MAX_IMAGES];
	size_t count = 0;
	char text[2 + RF_UTF8_MAX] = "a";
	size_t length = 1;
	bool joined = expectation->treatment == DELETED || expectation->treatment == KEPT;
	RfTokens tokens;
	RfError err;

	length += rf_utf8_encode(c, text + length);
	text[length++] = 'b';
	expected[count++] = find_id(tokenizer, false, 'a');
	if (expectation->treatment == WORD || expectation->treatment == KEPT)
		expected[count++] =
			find_id(tokenizer, joined, expectation->images[0] == 0 ? c : expectation->images[0]);
	for (int i = 1; i < MAX_IMAGES && expectation->images[i] != 0; i++)
		expected[count++] = find_id(tokenizer, joined, expectation->images[i]);
	expected[count++] = find_id(tokenizer, joined, 'b');
	assert_int_equal(rf_tokenize(tokenizer, text, length, NULL, arena, &tokens, &err), RF_OK);
	if (tokens.count != count || memcmp(tokens.ids, expected, count * sizeof(*expected)) != 0)
		fail_msg("U+%04X is not treated as expected", (unsigned) c);
	for (size_t i = 0; i < count; i++)
	{
		int32_t start = i == 0 ? 0 : i == count - 1 ? 2 : 1;

		assert_int_equal(tokens.start[i], start);
		assert_int_equal(tokens.length[i], 1);
	}
}

static void
code_points_are_treated_as_in_unicode_14(void **state)
{
	Expectation *expectations = calloc(CODE_POINTS, sizeof(*expectations));
	RfTokenizerOptions options;
	size_t vocab_length;
	char *vocab = make_vocabulary(&vocab_length);
	RfArena arena;
	RfTokenizer tokenizer;
	RfError err = {0};
	void *block;
	size_t size;

	(void) state;
	assert_non_null(expectations);
	golden_each(GOLDEN_DATA "/tokenizer/codepoints.jsonl", read_expectation, expectations);
	expect_hangul(expectations);
	complete_expectations(expectations);
	rf_arena_init(&arena, rf_memory_malloc);
	assert_int_equal(rf_tokenizer_options_parse(NULL, 0, NULL, 0, NULL, 0, &arena, &options, &err),
					 RF_OK);
	options.tokenizer_class = RF_TOKENIZER_BERT;
	if (rf_tokenizer_compile(&options, vocab, vocab_length, &arena, &block, &size, &err) != RF_OK)
		fail_msg("%s", err.message);
	assert_int_equal(rf_tokenizer_open(block, size, &tokenizer, &err), RF_OK);
	for (uint32_t c = 0; c < CODE_POINTS; c++)
	{
		RfArenaMark mark = rf_arena_mark(&arena);

		assert_int_not_equal(expectations[c].treatment, UNKNOWN);
		if (expectations[c].treatment != NO_CHARACTER)
			expect_treatment(&tokenizer, &arena, c, &expectations[c]);
		rf_arena_rewind(&arena, mark);
	}
	rf_arena_free(&arena);
	free(vocab);
	free(expectations);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_points_are_treated_as_in_unicode_14),
	};

	return cmocka_run_group_tests_name("golden_tokenizer_codepoints", tests, NULL, NULL);
}
