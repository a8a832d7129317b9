/*
 * double_encoder.h - the encoder written down from its definition, in double precision: what the
 * engine's is tested against. Slow and plain on purpose; it shares no code with the engine.
 */
#ifndef RF_TEST_DOUBLE_ENCODER_H
#define RF_TEST_DOUBLE_ENCODER_H

#include "../kernel/double_activation.h"
#include "random_model.h"

/* y [m,n] = x [m,k] * transpose(weight) + bias, by the names of a parameter; caller frees */
static inline double *
double_linear(const RandomModel *model, const char *name, const double *x, size_t m, size_t n,
			  size_t k)
{
	char full[300];
	const float *weight;
	const float *bias;
	double *y = malloc(m * n * sizeof(double));

	snprintf(full, sizeof(full), "%s.weight", name);
	weight = random_model_values(model, full);
	snprintf(full, sizeof(full), "%s.bias", name);
	bias = random_model_values(model, full);
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++)
		{
			double sum = bias == NULL ? 0 : bias[j];

			for (size_t l = 0; l < k; l++)
				sum += x[i * k + l] * weight[j * k + l];
			y[i * n + j] = sum;
		}
	return y;
}

static inline void
double_norm(const RandomModel *model, const char *name, double *x, size_t m, size_t n)
{
	double eps = model->spec.config.layer_norm_eps;
	char full[300];
	const float *weight;
	const float *bias;

	snprintf(full, sizeof(full), "%s.weight", name);
	weight = random_model_values(model, full);
	snprintf(full, sizeof(full), "%s.bias", name);
	bias = random_model_values(model, full);
	for (size_t i = 0; i < m; i++, x += n)
	{
		double mean = 0;
		double variance = 0;

		for (size_t j = 0; j < n && weight != NULL; j++)
			mean += x[j] / (double) n;
		for (size_t j = 0; j < n; j++)
			variance += (x[j] - mean) * (x[j] - mean) / (double) n;
		for (size_t j = 0; j < n; j++)
		{
			x[j] = (x[j] - mean) / sqrt(variance + eps);
			if (weight != NULL)
				x[j] = x[j] * weight[j] + bias[j];
		}
	}
}

/* x [t,h], heads turned in place */
static inline void
double_rotate(double *x, size_t tokens, size_t heads, size_t d)
{
	for (size_t t = 0; t < tokens; t++)
		for (size_t head = 0; head < heads; head++)
			for (size_t i = 0; i < d; i += 2)
			{
				double *pair = x + (t * heads + head) * d + i;
				double angle = (double) t / pow(10000, (double) i / (double) d);
				double even = pair[0] * cos(angle) - pair[1] * sin(angle);

				pair[1] = pair[1] * cos(angle) + pair[0] * sin(angle);
				pair[0] = even;
			}
}

/* Of tokens of which the first seen are no padding, how many token i sees. */
static inline size_t
double_sees(const RfConfig *config, const int32_t *types, size_t tokens, size_t seen, size_t i)
{
	size_t keys = 0;
	int sum = 0; /* of types up to i */

	if (config->task == RF_TASK_CAUSAL_LM && config->has_pooler)
	{
		int running = 0;

		for (size_t j = 0; j <= i; j++)
			sum += types[j];
		while (keys < tokens && (running += types[keys]) <= sum)
			keys++;
		return keys < seen ? keys : seen;
	}
	return config->is_decoder && !config->has_pooler && i < seen ? i + 1 : seen;
}

static inline double *
double_attention(const RfConfig *config, const int32_t *types, const double *q, const double *k,
				 const double *v, size_t tokens, size_t seen, size_t heads, size_t d)
{
	size_t h = heads * d;
	double *context = calloc(tokens * h, sizeof(double));
	double *weights = malloc(tokens * sizeof(double));

	for (size_t head = 0; head < heads; head++)
		for (size_t i = 0; i < tokens; i++)
		{
			size_t keys = double_sees(config, types, tokens, seen, i);
			double largest = -INFINITY;
			double sum = 0;

			for (size_t j = 0; j < keys; j++)
			{
				double score = 0;

				for (size_t l = 0; l < d; l++)
					score += q[i * h + head * d + l] * k[j * h + head * d + l];
				weights[j] = score / sqrt((double) d);
				largest = fmax(largest, weights[j]);
			}
			for (size_t j = 0; j < keys; j++)
				sum += weights[j] = exp(weights[j] - largest);
			for (size_t j = 0; j < keys; j++)
				for (size_t l = 0; l < d; l++)
					context[i * h + head * d + l] += weights[j] / sum * v[j * h + head * d + l];
		}
	free(weights);
	return context;
}

static inline void
double_add(double *x, const double *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] += y[i];
}

static inline void
double_layer(const RandomModel *model, int32_t layer, const int32_t *types, double *x,
			 size_t tokens, size_t seen)
{
	const RfConfig *config = &model->spec.config;
	size_t h = (size_t) config->hidden_size;
	size_t width = (size_t) config->intermediate_size;
	size_t heads = (size_t) config->num_attention_heads;
	double *qkv[3];
	double *context;
	double *y;
	char name[200];
	static const char *const parts[] = {"query", "key", "value"};

	for (size_t i = 0; i < 3; i++)
	{
		snprintf(name, sizeof(name), "encoder.layer.%d.attention.self.%s", layer, parts[i]);
		qkv[i] = double_linear(model, name, x, tokens, h, h);
		if (i < 2 || config->rotary_value)
			double_rotate(qkv[i], tokens, heads, h / heads);
	}
	context = double_attention(config, types, qkv[0], qkv[1], qkv[2], tokens, seen, heads,
							   h / heads);
	snprintf(name, sizeof(name), "encoder.layer.%d.attention.output.dense", layer);
	y = double_linear(model, name, context, tokens, h, h);
	double_add(x, y, tokens * h);
	free(y);
	snprintf(name, sizeof(name), "encoder.layer.%d.attention.output.LayerNorm", layer);
	double_norm(model, name, x, tokens, h);
	snprintf(name, sizeof(name), "encoder.layer.%d.intermediate.dense", layer);
	y = double_linear(model, name, x, tokens, width, h);
	for (size_t i = 0; i < tokens * width; i++)
		y[i] = double_activation(config->hidden_act, y[i]);
	free(context);
	snprintf(name, sizeof(name), "encoder.layer.%d.output.dense", layer);
	context = double_linear(model, name, y, tokens, h, width);
	double_add(x, context, tokens * h);
	snprintf(name, sizeof(name), "encoder.layer.%d.output.LayerNorm", layer);
	double_norm(model, name, x, tokens, h);
	free(context);
	free(y);
	for (size_t i = 0; i < 3; i++)
		free(qkv[i]);
}

/* Last hidden state [tokens,H] of one row, of which the first seen are no padding; caller frees */
static inline double *
double_encoder(const RandomModel *model, const int32_t *ids, const int32_t *types, size_t tokens,
			   size_t seen)
{
	const RfConfig *config = &model->spec.config;
	size_t e = (size_t) config->embedding_size;
	const float *words = random_model_values(model, "embeddings.word_embeddings.weight");
	const float *kinds = random_model_values(model, "embeddings.token_type_embeddings.weight");
	double *x = malloc(tokens * e * sizeof(double));

	for (size_t t = 0; t < tokens; t++)
		for (size_t i = 0; i < e; i++)
			x[t * e + i] =
				(double) words[(size_t) ids[t] * e + i] + kinds[(size_t) types[t] * e + i];
	double_norm(model, "embeddings.LayerNorm", x, tokens, e);
	if (config->embedding_size != config->hidden_size)
	{
		double *y =
			double_linear(model, "embeddings_project", x, tokens, (size_t) config->hidden_size, e);

		free(x);
		x = y;
	}
	for (int32_t i = 0; i < config->num_hidden_layers; i++)
		double_layer(model, i, types, x, tokens, seen);
	return x;
}

#endif
