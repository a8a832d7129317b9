/*
 * compute.h - pieces of a forward pass shared by encoder and heads.
 */
#ifndef RF_MODEL_COMPUTE_H
#define RF_MODEL_COMPUTE_H

#include "../kernels/dispatch.h"
#include "rf/model.h"

/* A matrix of activations [.., columns], its rows stride floats apart. */
typedef struct Activations
{
	float *values;
	size_t stride;
} Activations;

/* RF_CANCELED when the owner of the encoder wants it to stop. */
extern RfCode rf_compute_poll(const RfEncoder *encoder, RfError *err);

/*
 * to [m,n] = activation(from [m,k] * transpose(W) + b), or to += that; polls every few
 * milliseconds.
 */
extern RfCode rf_linear_apply(const RfEncoder *encoder, const RfLinear *linear, size_t m,
							  Activations from, Activations to, bool accumulate,
							  RfActivation activation, RfError *err);

/* Normalizes m rows of width columns, packed or not. */
extern void rf_norm_apply(const RfEncoder *encoder, const RfNorm *norm, size_t m, size_t width,
						  Activations rows);

/* Token embeddings of count tokens: to [count,H]; between [count,E] is used when E and H differ. */
extern RfCode rf_embeddings_apply(const RfEncoder *encoder, size_t count, const int32_t *input_ids,
								  const int32_t *token_type_ids, float *between, float *to,
								  RfError *err);

/* Rows [first, end) of a rotary table of heads of that size. */
extern void rf_rotary_fill(float *table, size_t first, size_t end, size_t head_size);
/*
 * Sees to it that the encoder has a table of so many positions: the image's, or a larger one of its
 * own. The row of a position has D floats: cosine, sine of each pair.
 */
extern RfCode rf_rotary_reserve(RfEncoder *encoder, size_t positions, RfError *err);
extern const float *rf_rotary_row(const RfEncoder *encoder, size_t position);
extern void rf_rotary_release(RfEncoder *encoder);

/* A row of a batch as attention sees it. */
typedef struct AttentionRow
{
	size_t tokens;             /* T */
	size_t seen;               /* tokens that are attended to */
	const uint32_t *positions; /* [T] or NULL: 0, 1, ... */
} AttentionRow;

/*
 * Self-attention of one row: qkv [T,3H], rotated here; the context replaces the query columns.
 */
extern RfCode rf_self_attention_apply(const RfEncoder *encoder, const AttentionRow *row, float *qkv,
									  float *scratch, RfError *err);

#endif
