/*
 * golden_tokenizer_files.c - reading golden records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_tokenizer_files.h"

char *
golden_read(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *data;
	long size;

	if (file == NULL)
		return NULL;
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size >= 0);
	rewind(file);
	data = malloc((size_t) size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t) size, file), (size_t) size);
	fclose(file);
	data[size] = '\0';
	*length = (size_t) size;
	return data;
}

size_t
golden_each(const char *path, GoldenRecord record, void *context)
{
	size_t length = 0;
	char *data = golden_read(path, &length);
	size_t line = 0;

	if (data == NULL)
		fail_msg("cannot read \"%s\"", path);
	for (char *at = data; *at != '\0';)
	{
		char *end = strchr(at, '\n');
		json_error_t why;
		json_t *object;

		if (end == NULL)
			end = data + length;
		object = json_loadb(at, (size_t) (end - at), JSON_ALLOW_NUL, &why);
		line++;
		if (object == NULL)
			fail_msg("%s:%zu: %s", path, line, why.text);
		record(context, object, line);
		json_decref(object);
		at = *end == '\0' ? end : end + 1;
	}
	free(data);
	if (line == 0)
		fail_msg("\"%s\" is empty", path);
	return line;
}

/* Where the package manager says that the dictionary is; false when it is nowhere. */
static bool
find_dictionary(char *path, int size)
{
	FILE *files = popen("dpkg -L python3-jieba 2>/dev/null | grep '/jieba/dict\\.txt$'", "r");
	bool found;

	if (files == NULL)
		return false;
	found = fgets(path, size, files) != NULL;
	pclose(files);
	path[found ? strcspn(path, "\n") : 0] = '\0';
	return found;
}

const void *
golden_dictionary_block(size_t *size)
{
	static RfArena arena;
	static void *block = NULL;
	static size_t block_size;
	char path[512];
	size_t length;
	char *text;
	RfError err = {0};

	if (block == NULL && find_dictionary(path, sizeof(path)) &&
		(text = golden_read(path, &length)) != NULL)
	{
		rf_arena_init(&arena, rf_memory_malloc);
		if (rf_jieba_compile(text, length, NULL, &arena, &block, &block_size, &err) != RF_OK)
			fail_msg("%s: %s", path, err.message);
		free(text);
	}
	*size = block_size;
	return block;
}

const RfJieba *
golden_dictionary(void)
{
	static RfJieba jieba;
	RfError err = {0};
	size_t size;
	const void *block = golden_dictionary_block(&size);

	if (block == NULL)
		return NULL;
	if (rf_jieba_open(block, size, &jieba, &err) != RF_OK)
		fail_msg("%s", err.message);
	return &jieba;
}

void
golden_tokenizer_open(GoldenTokenizer *golden, const json_t *config, const char *vocab_path)
{
	size_t vocab_length = 0;
	char *vocab = golden_read(vocab_path, &vocab_length);
	char *text = json_dumps(config, 0);
	RfTokenizerOptions options;
	RfError err = {0};
	void *block;
	size_t size;

	if (vocab == NULL)
		fail_msg("cannot read \"%s\"", vocab_path);
	assert_non_null(text);
	rf_arena_init(&golden->arena, rf_memory_malloc);
	if (rf_tokenizer_options_parse(text, strlen(text), NULL, 0, NULL, 0, &golden->arena, &options,
								   &err) != RF_OK ||
		rf_tokenizer_compile(&options, vocab, vocab_length, &golden->arena, &block, &size, &err) !=
			RF_OK ||
		rf_tokenizer_open(block, size, &golden->tokenizer, &err) != RF_OK)
		fail_msg("%s: %s", vocab_path, err.message);
	golden->tokenizer.jieba = golden_dictionary();
	free(text);
	free(vocab);
}

void
golden_tokenizer_close(GoldenTokenizer *golden)
{
	rf_arena_free(&golden->arena);
}

const char *
golden_text(const json_t *record, const char *key, size_t *length)
{
	const json_t *text = json_object_get(record, key);

	*length = json_string_length(text);
	return json_string_value(text);
}

void
golden_expect_integers(const json_t *record, const char *key, const json_t *expected,
					   const int32_t *values, size_t count)
{
	const char *id = json_string_value(json_object_get(record, "id"));

	if (json_array_size(expected) != count)
		fail_msg("%s: %zu %s, expected %zu", id, count, key, json_array_size(expected));
	for (size_t i = 0; i < count; i++)
	{
		const json_t *element = json_array_get(expected, i);
		json_int_t wanted = json_is_null(element) ? -1 : json_integer_value(element);

		if (wanted != values[i])
			fail_msg("%s: %s[%zu] is %d, expected %d", id, key, i, (int) values[i], (int) wanted);
	}
}
