/*
 * model.h - a model image opened for computing: views of its weights, the encoder and the heads.
 *
 * The view (RfModel) holds pointers into the image and belongs to one session. The encoder keeps a
 * workspace that grows to what a call needs. Rows of a batch are concatenated without padding and
 * never influence each other's results.
 *
 * Shapes: B rows, T tokens, H hidden, E embedding, N heads, D head size, I intermediate, V
 * vocabulary, C labels.
 */
#ifndef RF_MODEL_H
#define RF_MODEL_H

#include "rf/image.h"
#include "rf/kernels.h"
#include "rf/memory.h"
#include "rf/spec.h"

/*
 * y = x * transpose(W) + b; weight is packed for the image's kernel set in the given precision.
 * NULL: not in the model.
 */
typedef struct RfLinear
{
	const void *weight; /* [n,k] */
	const float *bias;  /* [n] or NULL */
	size_t n;
	size_t k;
	RfPrecision precision;
} RfLinear;

/* Both NULL: RMS norm, which has no weights. */
typedef struct RfNorm
{
	const float *weight;
	const float *bias;
} RfNorm;

/* Some of the feed-forward block's inner columns, S of I. */
typedef struct RfSlice
{
	RfLinear intermediate; /* [S,H] */
	RfLinear output;       /* [H,S], of the same precision; the last slice's has the bias */
} RfSlice;

typedef struct RfLayer
{
	RfLinear qkv; /* [3H,H]: query, key and value [D,H] of head after head */
	RfLinear attention_output;
	RfSlice *slices;
	size_t slice_count;
	RfNorm attention_norm;
	RfNorm output_norm;
	RfLinear cross_query;     /* [H,H]; this and the next three: models with cross-attention */
	RfLinear cross_key_value; /* [2H,H]: key, value */
	RfLinear cross_output;
	RfNorm cross_norm;
} RfLayer;

typedef struct RfModel
{
	const RfConfig *config;
	const RfKernels *kernels;
	RfPrecision precision;
	int32_t default_max_length;
	const void *tokenizer;
	size_t tokenizer_size;
	const char *const *labels; /* [C] */
	const float *rotary;       /* [rotary_positions,D] */
	size_t rotary_positions;
	RfLinear word_embeddings; /* [V,E]; packed when it is also the decoder, else plain rows,
								 fp32 or bf16 */
	bool word_embeddings_packed;
	const float *token_type_embeddings; /* [type_vocab_size,E] */
	RfNorm embedding_norm;
	RfLinear embeddings_project; /* [H,E], when E and H differ */
	RfLayer *layers;
	RfLinear pooler;    /* [H,H] */
	RfLinear transform; /* [E,H] of the LM head, absent in V2 */
	RfNorm transform_norm;
	RfLinear decoder;    /* [V,E] */
	RfLinear dense;      /* [H,H] of sequence classification */
	RfLinear classifier; /* [C,H], question answering [2,H], multiple choice [1,H] */
	RfLinear summary;    /* multiple choice with a projection */
} RfModel;

/*
 * Opens a finished image; the view lives in arena. RF_CORRUPT when the block is no such image or
 * its parts don't lie inside it; RF_UNSUPPORTED when this machine lacks its kernels.
 */
extern RfCode rf_model_open(const void *image, size_t size, RfArena *arena, RfModel *model,
							RfError *err);

/*
 * Keys and values of the tokens of a row that were computed, for the tokens to come. Begins as all
 * zeros; its memory is the encoder's.
 */
typedef struct RfRowCache
{
	void *block;
	size_t size;     /* bytes of block */
	size_t capacity; /* tokens */
	size_t tokens;
} RfRowCache;

/* What cross-attention of a row looks at: the last hidden state of an encoder of the same width. */
typedef struct RfStates
{
	size_t tokens;
	const float *hidden; /* [tokens,H] */
	const uint8_t *mask; /* [tokens] 0: not looked at; NULL: all are. One must be */
} RfStates;

/* Encoded rows, concatenated. */
typedef struct RfBatch
{
	size_t rows;                   /* B */
	const uint32_t *row_start;     /* [B+1] first token of each row; [B] is the number of tokens */
	const int32_t *input_ids;      /* [tokens] 0 .. V-1 */
	const int32_t *token_type_ids; /* [tokens] 0 .. type_vocab_size-1 */
	/*
	 * [B] tokens of a row that are attended to, one at least; those behind are padding, which
	 * only sees. NULL: all.
	 */
	const uint32_t *row_seen;
	const uint32_t *positions; /* [tokens] column in its row; NULL: 0, 1, ... */
	/*
	 * [B] Tokens of the batch follow those in the row's cache and are added to it. They see what
	 * is there and, one after the other, themselves; only those that come first are masked as the
	 * model says. Decoders only, without row_seen and positions. NULL: rows stand for themselves.
	 */
	RfRowCache *caches;
	const RfStates *states; /* [B] NULL: cross-attention is left out, as the reference does */
} RfBatch;

typedef struct RfEncoder
{
	const RfModel *model;
	RfMemory memory;
	RfAbort abort_fn;
	void *workspace;
	size_t workspace_size; /* bytes */
	void *converted;       /* in the workspace: rows in the format of a GEMM */
	size_t converted_size; /* bytes */
	const float *rotary;   /* table [rotary_positions,D]: the image's or in rotary_block */
	size_t rotary_positions;
	void *rotary_block;
	size_t rotary_size; /* bytes of rotary_block */
} RfEncoder;

extern void rf_encoder_init(RfEncoder *encoder, const RfModel *model, RfMemory memory,
							RfAbort abort_fn);
/* Bytes held. */
extern size_t rf_encoder_held(const RfEncoder *encoder);
/* Gives memory back, when more than keep bytes are held; does not touch the image. */
extern void rf_encoder_trim(RfEncoder *encoder, size_t keep);

/*
 * Last hidden state of all tokens: *hidden [tokens,H], in the workspace until the next call or
 * trim. RF_INVALID for an id outside its table or a row without a token to attend to. After a
 * failure caches have the tokens they had before.
 */
extern RfCode rf_encoder_forward(RfEncoder *encoder, const RfBatch *batch, const float **hidden,
								 RfError *err);

/* Does a token see nothing behind it? Only then can a row grow. */
extern bool rf_model_decodes(const RfModel *model);
/* A RoFormer-Sim model: a prompt of type 0 that sees all of itself, answers of type 1. */
extern bool rf_model_is_seq2seq(const RfModel *model);

/* Bytes of a cache for so many tokens; false when that overflows. */
extern bool rf_row_cache_size(const RfModel *model, size_t tokens, size_t *bytes);
/* Room for so many tokens: what is there stays. Forward passes reserve what they need. */
extern RfCode rf_row_cache_reserve(const RfEncoder *encoder, RfRowCache *cache, size_t tokens,
								   RfError *err);
extern void rf_row_cache_release(const RfEncoder *encoder, RfRowCache *cache);

/*
 * Heads on m rows of hidden states [m,H]; results are written to the caller's memory, what they
 * need in between is taken from scratch and given back.
 */
/* [m,C]: token classification, question answering (C = 2), and sequence classification on first
 * tokens */
extern RfCode rf_head_labels(RfEncoder *encoder, const float *hidden, size_t m, RfArena *scratch,
							 float *logits, RfError *err);
/* [m,V] */
extern RfCode rf_head_vocabulary(RfEncoder *encoder, const float *hidden, size_t m,
								 RfArena *scratch, float *logits, RfError *err);
/* [m]: multiple choice, on the summaries of rows */
extern RfCode rf_head_choices(RfEncoder *encoder, const float *summaries, size_t m,
							  RfArena *scratch, float *logits, RfError *err);
/* [m,H], on first tokens */
extern RfCode rf_head_pooler(RfEncoder *encoder, const float *hidden, size_t m, float *pooled,
							 RfError *err);

#endif
