/*
 * scores.c - logits to probabilities.
 */
#include "session.h"

#include <math.h>

void
rf_softmax(const float *logits, size_t n, float *scores)
{
	double largest = -INFINITY;
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		largest = logits[i] > largest ? logits[i] : largest;
	for (size_t i = 0; i < n; i++)
		sum += exp(logits[i] - largest);
	for (size_t i = 0; i < n; i++)
		scores[i] = (float) (exp(logits[i] - largest) / sum);
}

void
rf_session_scores(const RfSession *session, const float *logits, float *scores)
{
	const RfConfig *config = session->model.config;
	size_t n = (size_t) config->num_labels;

	switch (config->problem)
	{
		case RF_PROBLEM_SINGLE_LABEL:
			rf_softmax(logits, n, scores);
			break;
		case RF_PROBLEM_MULTI_LABEL:
			for (size_t i = 0; i < n; i++)
				scores[i] = (float) (1 / (1 + exp(-(double) logits[i])));
			break;
		case RF_PROBLEM_REGRESSION:
			for (size_t i = 0; i < n; i++)
				scores[i] = logits[i];
			break;
	}
}
