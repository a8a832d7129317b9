/*
 * ranking.c - a heap of ids: linear in the vocabulary, then a logarithm for each id taken.
 */
#include "ranking.h"

/* a is likelier than b; of equal ones the smaller id counts as likelier */
static bool
is_likelier(const float *logits, int32_t a, int32_t b)
{
	return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

static void
sift_down(const RfRanking *ranking, size_t at)
{
	int32_t *heap = ranking->heap;
	int32_t id = heap[at];
	size_t child;

	while ((child = 2 * at + 1) < ranking->count)
	{
		if (child + 1 < ranking->count &&
			is_likelier(ranking->logits, heap[child + 1], heap[child]))
			child++;
		if (!is_likelier(ranking->logits, heap[child], id))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = id;
}

void
rf_ranking_init(RfRanking *ranking, const float *logits, size_t n, int32_t *heap)
{
	*ranking = (RfRanking){logits, heap, n};
	for (size_t id = 0; id < n; id++)
		heap[id] = (int32_t) id;
	for (size_t at = n / 2; at-- > 0;)
		sift_down(ranking, at);
}

int32_t
rf_ranking_best(const RfRanking *ranking)
{
	return ranking->heap[0];
}

int32_t
rf_ranking_take(RfRanking *ranking)
{
	int32_t best = ranking->heap[0];

	ranking->heap[0] = ranking->heap[--ranking->count];
	if (ranking->count > 1)
		sift_down(ranking, 0);
	return best;
}
