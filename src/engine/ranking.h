/*
 * ranking.h - the ids of a vocabulary by their logits, best first, as many as are asked for.
 */
#ifndef RF_ENGINE_RANKING_H
#define RF_ENGINE_RANKING_H

#include "rf/memory.h"

typedef struct RfRanking
{
	const float *logits;
	int32_t *heap; /* [count] ids, the best of them first */
	size_t count;  /* ids that are still there */
} RfRanking;

/* All ids; heap [n] is the caller's. */
extern void rf_ranking_init(RfRanking *ranking, const float *logits, size_t n, int32_t *heap);
/* The best one left, the smaller id of equal ones; it is taken out. There must be one. */
extern int32_t rf_ranking_take(RfRanking *ranking);
/* The one that would be taken. */
extern int32_t rf_ranking_best(const RfRanking *ranking);

#endif
