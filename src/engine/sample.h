/*
 * sample.h - a token from the logits of a vocabulary.
 */
#ifndef RF_ENGINE_SAMPLE_H
#define RF_ENGINE_SAMPLE_H

#include "rf/engine.h"

/* What may be drawn: ids, best first, and their probabilities, which add up to 1. */
typedef struct RfCandidates
{
	int32_t *ids;          /* [V] */
	double *probabilities; /* [V] */
	int32_t *heap;         /* [V] work space */
	size_t count;
} RfCandidates;

/* RF_INVALID for options outside their range. */
extern RfCode rf_sample_check(const RfGenerateOptions *options, RfError *err);

/* Room for candidates among n ids, from arena. */
extern RfCode rf_sample_allocate(size_t n, RfArena *arena, RfCandidates *candidates, RfError *err);

/* What temperature (> 0), top_k and top_p leave of n logits, in this order. */
extern void rf_sample_candidates(const float *logits, size_t n, const RfGenerateOptions *options,
								 RfCandidates *candidates);

/* The next number of a row's generator, in [0,1). */
extern double rf_sample_uniform(uint64_t *state);

/* The best id when temperature is 0, else one that is drawn. */
extern int32_t rf_sample_choose(const float *logits, size_t n, const RfGenerateOptions *options,
								uint64_t *state, RfCandidates *candidates);

#endif
