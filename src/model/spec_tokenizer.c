/*
 * spec_tokenizer.c - the tokenizer a spec calls for, checked against the model it feeds.
 *
 * A token whose id lies beyond the word embeddings would only be found when a text contains it. The
 * other way round is common: checkpoints round the number of embeddings up.
 */
#include "rf/spec.h"

#include <inttypes.h>

RfCode
rf_spec_compile_tokenizer(const RfSpec *spec, RfArena *arena, void **block, size_t *size,
						  RfError *err)
{
	RfTokenizer tokenizer;

	RF_TRY(rf_tokenizer_compile(&spec->tokenizer, spec->vocab.data, spec->vocab.size, arena, block,
								size, err));
	RF_TRY(rf_tokenizer_open(*block, *size, &tokenizer, err));
	if (tokenizer.vocab_size > spec->config.vocab_size)
	{
		rf_error_set(err, RF_CORRUPT, "the vocabulary has more tokens than the model");
		rf_error_detail(
			err, "Token ids go up to %" PRId32 "; \"vocab_size\" in config.json is %" PRId32 ".",
			tokenizer.vocab_size - 1, spec->config.vocab_size);
		rf_error_origin(err, spec->vocab.name, RF_NO_OFFSET);
		return RF_CORRUPT;
	}
	return RF_OK;
}
