/*
 * fuzz_spec.c - the input is config.json, modules.json and 1_Pooling/config.json with a zero byte
 * between; an empty one is absent. What is accepted must be fit to compute with.
 */
#include "fuzz_target.h"

#include <math.h>

#include "rf/spec.h"

static void
check_config(const RfSpec *spec)
{
	const RfConfig *config = &spec->config;
	int32_t heads = config->num_attention_heads;

	fuzz_require(config->vocab_size > 0 && config->vocab_size <= RF_MAX_VOCAB);
	fuzz_require(config->hidden_size > 0 && config->hidden_size <= RF_MAX_HIDDEN);
	fuzz_require(config->embedding_size > 0 && config->embedding_size <= RF_MAX_HIDDEN);
	fuzz_require(config->intermediate_size > 0);
	fuzz_require(config->intermediate_size <= RF_MAX_INTERMEDIATE);
	fuzz_require(config->num_hidden_layers > 0 && config->num_hidden_layers <= RF_MAX_LAYERS);
	fuzz_require(config->type_vocab_size > 0 && config->max_position_embeddings > 0);
	fuzz_require(heads > 0 && config->hidden_size % heads == 0);
	fuzz_require(config->hidden_size / heads % 2 == 0);
	fuzz_require(isfinite(config->layer_norm_eps) && config->layer_norm_eps > 0);
	fuzz_require(config->pad_token_id >= 0 && config->pad_token_id < config->vocab_size);
	fuzz_require(config->eos_token_id >= -1 && config->eos_token_id < config->vocab_size);
	for (int32_t i = 0; i < config->num_labels; i++)
		fuzz_require(spec->labels[i] != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"config.json", "modules.json", "1_Pooling/config.json"};
	static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
	RfFile files[4] = {{"vocab.txt", vocab, sizeof(vocab) - 1}};
	size_t count = 1;
	FuzzPart parts[3];
	RfArena arena;
	RfSpec spec;
	RfError err;

	fuzz_split(data, size, parts, 3);
	for (size_t i = 0; i < 3; i++)
	{
		if (parts[i].size > 0)
			files[count++] = (RfFile){names[i], parts[i].data, parts[i].size};
	}
	rf_arena_init(&arena, rf_memory_malloc);
	if (fuzz_succeeded(rf_spec_parse(files, count, &arena, &spec, &err), &err))
		check_config(&spec);
	rf_arena_free(&arena);
	fuzz_free(parts, 3);
	return 0;
}
