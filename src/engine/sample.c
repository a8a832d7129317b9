/*
 * sample.c - temperature, top_k, top_p, and drawing.
 *
 * In the order of the reference: logits are divided by the temperature; top_k keeps the k best and
 * those that equal the last of them; top_p keeps, of what is left and adds up to 1 again, the best
 * until their probabilities together reach top_p. What stays is drawn from by inverting its
 * cumulative distribution, best first. All in double.
 *
 * The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
 * generators", 2014); its state begins with the row's seed, each token takes one number, and 53 of
 * its bits make the fraction. So a text depends on seed, prompt and model only.
 */
#include "sample.h"

#include <inttypes.h>
#include <math.h>

#include "ranking.h"

RfCode
rf_sample_check(const RfGenerateOptions *options, RfError *err)
{
	RF_FAIL_IF(options->max_new_tokens < 1, err, RF_INVALID,
			   "number of new tokens must be at least 1, not %" PRId32, options->max_new_tokens);
	RF_FAIL_IF(!(options->temperature >= 0) || isinf(options->temperature), err, RF_INVALID,
			   "temperature must not be negative or infinite, as %g is", options->temperature);
	RF_FAIL_IF(options->top_k < 0, err, RF_INVALID, "top_k must not be negative, as %" PRId32 " is",
			   options->top_k);
	RF_FAIL_IF(!(options->top_p >= 0 && options->top_p <= 1), err, RF_INVALID,
			   "top_p must be between 0 and 1, not %g", options->top_p);
	return RF_OK;
}

RfCode
rf_sample_allocate(size_t n, RfArena *arena, RfCandidates *candidates, RfError *err)
{
	*candidates = (RfCandidates){0};
	RF_NEW(arena, candidates->ids, n, err);
	RF_NEW(arena, candidates->probabilities, n, err);
	RF_NEW(arena, candidates->heap, n, err);
	return RF_OK;
}

static int32_t
find_best(const float *logits, size_t n)
{
	size_t best = 0;

	for (size_t id = 1; id < n; id++)
		if (logits[id] > logits[best])
			best = id;
	return (int32_t) best;
}

/* Takes ids from the ranking while top_k allows; their weights in place of probabilities. */
static double
take_top_k(RfRanking *ranking, const RfGenerateOptions *options, RfCandidates *candidates)
{
	const float *logits = ranking->logits;
	float largest = logits[rf_ranking_best(ranking)];
	double sum = 0;

	candidates->count = 0;
	while (ranking->count > 0)
	{
		float logit = logits[rf_ranking_best(ranking)];
		double weight = exp(((double) logit - largest) / options->temperature);

		if (candidates->count >= (size_t) options->top_k &&
			logit != logits[candidates->ids[candidates->count - 1]])
			break;
		candidates->ids[candidates->count] = rf_ranking_take(ranking);
		candidates->probabilities[candidates->count++] = weight;
		sum += weight;
	}
	return sum;
}

/* The weights of all ids together. */
static double
sum_weights(const float *logits, size_t n, double temperature)
{
	float largest = logits[find_best(logits, n)];
	double sum = 0;

	for (size_t id = 0; id < n; id++)
		sum += exp(((double) logits[id] - largest) / temperature);
	return sum;
}

/* Takes ids from the ranking until their weights reach a sum; at least one. */
static void
take_share(RfRanking *ranking, const RfGenerateOptions *options, double sum,
		   RfCandidates *candidates)
{
	const float *logits = ranking->logits;
	float largest = logits[rf_ranking_best(ranking)];
	double taken = 0;

	candidates->count = 0;
	while (ranking->count > 0 && (candidates->count == 0 || taken < sum))
	{
		int32_t id = rf_ranking_take(ranking);
		double weight = exp(((double) logits[id] - largest) / options->temperature);

		candidates->ids[candidates->count] = id;
		candidates->probabilities[candidates->count++] = weight;
		taken += weight;
	}
}

/* Drops what is behind share of the weights, the best excepted. */
static void
cut_share(RfCandidates *candidates, double share, double sum)
{
	double taken = 0;

	for (size_t i = 0; i < candidates->count; i++)
	{
		if (i > 0 && taken >= share * sum)
			candidates->count = i;
		taken += candidates->probabilities[i];
	}
}

static void
normalize(RfCandidates *candidates)
{
	double sum = 0;

	for (size_t i = 0; i < candidates->count; i++)
		sum += candidates->probabilities[i];
	for (size_t i = 0; i < candidates->count; i++)
		candidates->probabilities[i] /= sum;
}

/* Without top_k only what top_p keeps is put in order, which is a small part as a rule. */
void
rf_sample_candidates(const float *logits, size_t n, const RfGenerateOptions *options,
					 RfCandidates *candidates)
{
	RfRanking ranking;

	rf_ranking_init(&ranking, logits, n, candidates->heap);
	if (options->top_k > 0)
		cut_share(candidates, options->top_p, take_top_k(&ranking, options, candidates));
	else
		take_share(&ranking, options, options->top_p * sum_weights(logits, n, options->temperature),
				   candidates);
	normalize(candidates);
}

double
rf_sample_uniform(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	z ^= z >> 31;
	return (double) (z >> 11) / 9007199254740992.0;
}

/* The first candidate with which the probabilities exceed u; the best one if rounding leaves none.
 */
static int32_t
draw(const RfCandidates *candidates, double u)
{
	double sum = 0;

	for (size_t i = 0; i < candidates->count; i++)
	{
		sum += candidates->probabilities[i];
		if (u < sum)
			return candidates->ids[i];
	}
	return candidates->ids[0];
}

/* Among all ids: they need to be put in order up to the one that is drawn. */
static int32_t
draw_from_all(const float *logits, size_t n, const RfGenerateOptions *options, double u,
			  RfCandidates *candidates)
{
	RfRanking ranking;

	rf_ranking_init(&ranking, logits, n, candidates->heap);
	take_share(&ranking, options, u * sum_weights(logits, n, options->temperature), candidates);
	return candidates->ids[candidates->count - 1];
}

int32_t
rf_sample_choose(const float *logits, size_t n, const RfGenerateOptions *options, uint64_t *state,
				 RfCandidates *candidates)
{
	double u;

	if (options->temperature == 0)
		return find_best(logits, n);
	u = rf_sample_uniform(state);
	if (options->top_k == 0 && options->top_p >= 1)
		return draw_from_all(logits, n, options, u, candidates);
	rf_sample_candidates(logits, n, options, candidates);
	return draw(candidates, u);
}
