/*
 * fuzz_match.c - the input is a config.json, a zero byte, and tensors, one a line: name, dtype,
 * sizes, separated by blanks. What matches must match again under its canonical names.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "rf/spec.h"
#include "rf/utf8.h"

#define MAX_TENSORS 256

/* Cuts the next word off *rest. */
static char *
next_word(char **rest)
{
	return strtok_r(NULL, " ", rest);
}

static bool
parse_tensor(char *line, RfTensorDesc *tensor)
{
	char *rest;
	char *word = strtok_r(line, " ", &rest);

	if (word == NULL || strlen(word) > RF_MAX_TENSOR_NAME ||
		rf_utf8_valid_prefix(word, strlen(word)) != strlen(word))
		return false;
	*tensor = (RfTensorDesc){.name = word};
	word = next_word(&rest);
	if (word == NULL || !rf_dtype_parse(word, strlen(word), &tensor->dtype))
		return false;
	while (tensor->rank < RF_MAX_RANK && (word = next_word(&rest)) != NULL)
		tensor->shape[tensor->rank++] = strtoull(word, NULL, 10);
	return true;
}

static size_t
parse_tensors(char *text, RfTensorDesc *tensors)
{
	size_t count = 0;
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL && count < MAX_TENSORS;
		 line = strtok_r(NULL, "\n", &rest))
		count += parse_tensor(line, &tensors[count]);
	return count;
}

static void
match_again(RfSpec *spec, const RfTensorDesc *tensors, const RfMatch *match, RfArena *arena)
{
	RfTensorDesc stored[MAX_TENSORS];
	RfMatch again;
	RfError err;

	fuzz_require(match->count <= MAX_TENSORS);
	for (size_t i = 0; i < match->count; i++)
	{
		stored[i] = tensors[match->parameters[i].source];
		stored[i].name = match->parameters[i].name;
	}
	fuzz_require(rf_spec_match(spec, stored, match->count, arena, &again, &err) == RF_OK);
	fuzz_require(again.count == match->count && again.total == match->total);
	fuzz_require(again.unexpected_count == 0);
	for (size_t i = 0; i < again.count; i++)
		fuzz_require(again.parameters[i].source == i);
}

static void
match_tensors(const FuzzPart *config, char *text, RfArena *arena)
{
	static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
	RfFile files[2] = {{"config.json", config->data, config->size},
					   {"vocab.txt", vocab, sizeof(vocab) - 1}};
	RfTensorDesc tensors[MAX_TENSORS];
	size_t count;
	RfSpec spec;
	RfMatch match;
	RfError err;

	if (!fuzz_succeeded(rf_spec_parse(files, 2, arena, &spec, &err), &err))
		return;
	count = parse_tensors(text, tensors);
	if (!fuzz_succeeded(rf_spec_match(&spec, tensors, count, arena, &match, &err), &err))
		return;
	fuzz_require(match.count + match.unexpected_count <= count);
	match_again(&spec, tensors, &match, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzPart parts[2];
	RfArena arena;
	char *text;

	fuzz_split(data, size, parts, 2);
	text = strndup(parts[1].data == NULL ? "" : parts[1].data, parts[1].size);
	rf_arena_init(&arena, rf_memory_malloc);
	match_tensors(&parts[0], text, &arena);
	rf_arena_free(&arena);
	free(text);
	fuzz_free(parts, 2);
	return 0;
}
