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

/* Floats of a row of a block of K, one line more than a power of two. */
#define RF_BLOCK_STRIDE (RF_MAX_K_BLOCK + RF_LANES)

/* Rows as a linear layer reads them, stride bytes apart: fp32, or converted to its format. */
typedef struct Rows
{
	void *values;
	size_t stride;
} Rows;

/* Columns [first, first + n) of a layer; first is a multiple of its format's column_block. */
extern RfLinear rf_linear_columns(const RfEncoder *encoder, const RfLinear *linear, size_t first,
								  size_t n);
/* Where the layer's rows are: where they are in fp32 or, for other formats, in block. */
extern Rows rf_linear_place(const RfEncoder *encoder, const RfLinear *linear, Activations plain,
							void *block);
/* m rows for the layer: the values themselves or, in block, what they are converted to; polls. */
extern RfCode rf_linear_rows(const RfEncoder *encoder, const RfLinear *linear, size_t m,
							 Activations from, void *block, Rows *rows, RfError *err);
/* Bytes of such a block. */
extern bool rf_linear_block(const RfEncoder *encoder, const RfLinear *linear, size_t m,
							size_t *bytes);

/*
 * to [m,n] = activation(from [m,k] * transpose(W) + b), or to += that; polls every few
 * milliseconds.
 */
extern RfCode rf_linear_multiply(const RfEncoder *encoder, const RfLinear *linear, size_t m,
								 Rows from, Activations to, bool accumulate,
								 RfActivation activation, RfError *err);
/*
 * The same as rows [m,n] of the layer's own format, in to (rf_linear_block of a layer whose k is
 * n). m is no more than a chunk. scratch: [m, RF_BLOCK_STRIDE] floats, unless the format is fp32's.
 */
extern RfCode rf_linear_multiply_rows(const RfEncoder *encoder, const RfLinear *linear, size_t m,
									  Rows from, RfActivation activation, float *scratch, Rows to,
									  RfError *err);
/* rf_linear_multiply from activations, which are converted piece by piece. */
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

/* D */
extern size_t rf_head_size(const RfModel *model);
/* 1 / sqrt(D) */
extern float rf_attention_scale(const RfConfig *config);
/* Of keys, values and weights: bf16 unless what makes them, qkv of every layer, is fp32. */
extern RfPrecision rf_attention_precision(const RfModel *model);

/* A row of a batch as attention sees it. */
typedef struct AttentionRow
{
	size_t tokens;             /* T */
	size_t past;               /* tokens before these, in a cache */
	size_t seen;               /* tokens that are attended to, those before included */
	const uint32_t *positions; /* [T] or NULL: past, past + 1, ... */
	const uint32_t *sees;      /* [T] tokens each one sees; NULL: all */
	const RfRowCache *cache;   /* of a row that grows, or NULL */
} AttentionRow;

typedef struct HeadRange
{
	size_t first;
	size_t count;
} HeadRange;

/* How many heads' queries, keys and values are computed at once. */
extern size_t rf_attention_heads(const RfModel *model);

/*
 * How many of its row's tokens each one sees, by the model's mask: sees [T], or NULL for all. The
 * reference masks RoFormer-Sim's rows by a running sum of token types.
 */
extern const uint32_t *rf_attention_mask(const RfModel *model, const int32_t *token_type_ids,
										 size_t tokens, uint32_t *sees);

/* Floats for the packed keys and values of a head of a row without cache; false when that
 * overflows. */
extern bool rf_self_attention_scratch(const RfModel *model, size_t tokens, size_t *floats);

/*
 * Self-attention of one row in some heads: qkv [T,count 3D] of these, rotated here, to their
 * columns of context [T,H]. Keys and values are added to the row's cache of the layer, which has
 * room and whose count of tokens stays, or without one are packed in head_scratch. scratch:
 * rf_attention_scratch.
 */
extern RfCode rf_self_attention_apply(const RfEncoder *encoder, const AttentionRow *row,
									  size_t layer, const HeadRange *heads, Activations qkv,
									  Activations context, float *head_scratch, float *scratch,
									  RfError *err);

/* A head of a layer in a cache. */
extern RfHeadCache rf_row_cache_head(const RfModel *model, const RfRowCache *cache, size_t layer,
									 size_t head);

/* Floats that cross-attention over so many states needs; false when that overflows. */
extern bool rf_cross_attention_scratch(const RfModel *model, size_t states, size_t *floats);
/* Cross-attention of one row: q [T,H], rows stride apart, becomes the context. scratch:
 * rf_attention_scratch. */
extern RfCode rf_cross_attention_apply(const RfEncoder *encoder, const RfLayer *layer,
									   const RfStates *states, size_t tokens, Activations q,
									   float *cross, float *scratch, RfError *err);

#endif
