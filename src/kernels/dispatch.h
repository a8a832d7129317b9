/*
 * dispatch.h - the table of a kernel set, and the loops that are written on top of it.
 *
 * A table starts with the reference functions in every row; fill_<isa>.c overrides the rows that
 * the instruction set does better. Nothing here allocates, fails or looks at another row of a
 * batch.
 *
 * Invariant: each output element is summed up in an order that depends on K only. Blocking over
 * rows and columns may change with the shape of a call, blocking over K (k_block) may not. So a row
 * computed alone has the same bits as in any batch.
 *
 * Activations are row-major fp32; a weight [n,k] is what computes y = x * transpose(W), packed in
 * one of the set's formats (pack.c), which are one for each precision. A format may want the rows
 * it is multiplied with converted (convert.h).
 */
#ifndef RF_KERNELS_DISPATCH_H
#define RF_KERNELS_DISPATCH_H

#include "rf/kernels.h"

/* Packed columns come in multiples of this: one cache line, the widest vector. */
#define RF_LANES ((size_t) 16)
#define RF_LANES_UP(n) (((size_t) (n) + RF_LANES - 1) / RF_LANES * RF_LANES)

/* Terms of a partial sum at most: with 256 the sums of int8's products stay below 2^24. */
#define RF_MAX_K_BLOCK ((size_t) 256)

#define RF_ACTIVATIONS (RF_ACT_GELU_ACCURATE + 1)

/* Where a block of one column stands in its panel. */
typedef struct RfBlock
{
	char *head;   /* of column 0 of the panel */
	char *terms;  /* of column 0 of the panel */
	size_t width; /* columns of the panel */
	size_t column;
} RfBlock;

/* c = a * b (+ bias), or c += a * b (+ bias), for a block that fits the registers. */
typedef struct RfTile
{
	size_t rows;    /* 1 .. tile_rows */
	size_t columns; /* 1 .. panel */
	size_t k;
	const void *a; /* [rows,k], lda bytes apart, as the format has rows; fp32 is plain */
	size_t lda;
	const void *b;     /* [k,columns rounded up to RF_LANES], as the format has blocks of a panel */
	size_t ldb;        /* columns from one step of k to the next */
	const float *bias; /* [columns] or NULL */
	float *c;          /* [rows,columns], ldc apart */
	size_t ldc;
	bool accumulate;
	/* What may be fetched meanwhile: regions, one for each RF_LANES columns, ahead_step bytes of
	 * each in a step of k_step terms. */
	const char *ahead;
	size_t ahead_step;
	size_t ahead_region; /* from one to the next */
} RfTile;

/* c = activation(a * transpose(weight) + bias), or c += that. */
typedef struct RfGemm
{
	size_t m;
	size_t n;
	size_t k;
	const void *a; /* [m,k], lda bytes apart, converted when the format has row convert */
	size_t lda;
	const void *weight; /* [n,k] packed in the format */
	const float *bias;  /* [n] or NULL */
	float *c;           /* [m,n], ldc apart; overlaps nothing else */
	size_t ldc;
	bool accumulate;
	RfActivation activation; /* with accumulate only RF_ACT_LINEAR */
	/* For a format that makes_rows, instead of c and not accumulating: the result as rows [m,n] of
	 * the format, ldr bytes apart; NULL: c. */
	void *rows;
	size_t ldr;
} RfGemm;

typedef void (*RfActivate)(float *x, size_t n);

/*
 * How weights of one precision lie in memory and are multiplied with. Columns of a panel and
 * converted rows are cut into blocks of k_block terms; a block has a head (int8: its scale) and its
 * terms, k_step of which stand side by side in a panel.
 */
typedef struct RfFormat RfFormat;
struct RfFormat
{
	size_t tile_rows;    /* MR */
	size_t panel;        /* NR, a multiple of RF_LANES */
	size_t row_block;    /* MC: rows that pass a panel before the next panel is taken */
	size_t k_block;      /* KC: terms of a partial sum, a multiple of k_step */
	size_t row_group;    /* converted rows are read in as many, whatever m is */
	size_t k_unit;       /* a GEMM over a multiple of as many terms has no remainder */
	size_t column_block; /* a GEMM over part of a weight starts at a multiple of this column */

	size_t k_step;
	size_t head; /* bytes of the head of a column's block */
	size_t term; /* bytes of a term in it */
	size_t row_head;
	size_t row_term;
	bool makes_rows; /* gemm can */

	void (*tile)(const RfTile *tile);
	void (*gemm)(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm);
	/* Writes a row of k values as the tile reads it, rf_row_size bytes; NULL: fp32 as it is. */
	void (*convert)(const RfFormat *format, const float *values, size_t k, void *row);
	/* A block of a column's head and terms, depth <= k_block of them, to the places of a panel. */
	void (*encode)(const RfFormat *format, const RfBlock *block, const float *values, size_t depth);
	void (*decode)(const RfFormat *format, const RfBlock *block, size_t depth, float *values);

	/*
	 * What attention needs, for fp32 and bf16, which have no heads. RF_LANES columns of a panel
	 * from count <= RF_LANES rows [k], the surplus ones zero. The terms [first, first + count) of a
	 * step of all columns of a panel from as many rows [columns]; earlier terms stay, later ones
	 * and surplus columns become zero. Rows are stride apart.
	 */
	void (*encode_lanes)(const RfFormat *format, const float *rows, size_t stride, size_t count,
						 size_t k, void *to, size_t width);
	void (*encode_step)(const RfFormat *format, const float *rows, size_t stride, size_t first,
						size_t count, size_t columns, void *to);
	/*
	 * Scores [n] become exp((score - largest) * scale), as a row that the tile reads, with zeros
	 * from n > 0 up to depth; largest becomes the largest of itself and the scores. Returns the sum
	 * of what was written. There is room for RF_LANES_UP(n) and for depth scores.
	 */
	float (*weigh)(const RfFormat *format, float *scores, size_t n, size_t depth, float scale,
				   float *largest);

	/* Layout of a packed weight. */
	size_t (*weight_size)(const RfFormat *format, size_t n, size_t k); /* bytes; 0: too many */
	void (*pack)(const RfFormat *format, size_t n, size_t k, size_t row, const float *values,
				 void *weight); /* values [k]: row of W */
	void (*unpack)(const RfFormat *format, size_t n, size_t k, size_t row, const void *weight,
				   float *values);
};

struct RfKernels
{
	const char *name;
	RfFormat formats[RF_PRECISIONS]; /* without gemm: the set lacks the precision */
	size_t chunk; /* tokens whose activations stay in the second-level cache through a layer */
	bool fast_bf16;                  /* bf16 is faster than fp32 at every shape */

	RfActivate activate[RF_ACTIVATIONS];
	/* x = (x - mean) / sqrt(variance + eps) * weight + bias */
	void (*layer_norm)(float *x, size_t n, const float *weight, const float *bias, float eps);
	/* x = x / sqrt(mean of squares + eps) */
	void (*rms_norm)(float *x, size_t n, float eps);
	/* x [heads,head_size]: pairs turned by table [head_size], which holds cosine, sine, ... */
	void (*rotate)(float *x, size_t heads, size_t head_size, const float *table);
	/* x = x * factor */
	void (*scale)(float *x, size_t n, float factor);
};

/* gemm.c: the row gemm of every format that has a tile. */
extern void rf_gemm_panels(const RfKernels *kernels, const RfFormat *format, const RfGemm *gemm);

/* pack.c: panels of columns, the layout of rf_gemm_panels. */
extern size_t rf_pack_panels_size(const RfFormat *format, size_t n, size_t k);
extern void rf_pack_panels(const RfFormat *format, size_t n, size_t k, size_t row,
						   const float *values, void *weight);
extern void rf_unpack_panels(const RfFormat *format, size_t n, size_t k, size_t row,
							 const void *weight, float *values);
/* Columns [first, ...) of a packed weight; first is a multiple of column_block. */
extern const void *rf_pack_column(const RfFormat *format, const void *weight, size_t k,
								  size_t first);
/* Bytes of a converted row of k values, and from one to the next. */
extern size_t rf_row_size(const RfFormat *format, size_t k);
extern size_t rf_row_stride(const RfFormat *format, size_t k);

/*
 * Keys and values of one head of one row, packed as weights of the format of precision, fp32 or
 * bf16: keys [capacity,D], values [D,capacity] (head_cache.c).
 */
typedef struct RfHeadCache
{
	void *block;      /* rf_head_cache_floats, aligned to RF_LANES floats */
	size_t capacity;  /* tokens, what rf_head_cache_capacity gives */
	size_t head_size; /* D */
	RfPrecision precision;
} RfHeadCache;

/* At least so many tokens, and what rf_head_cache_copy can copy from and to when it grows; false
 * when that overflows. */
extern bool rf_head_cache_capacity(const RfKernels *kernels, RfPrecision precision, size_t tokens,
								   bool grows, size_t *capacity);
/* Floats of a block; false when that overflows. */
extern bool rf_head_cache_floats(const RfKernels *kernels, RfPrecision precision, size_t capacity,
								 size_t head_size, size_t *floats);
/* Keys and values [count,D], each stride apart, of the tokens from token on; those before are there
 * already. */
extern void rf_head_cache_put(const RfKernels *kernels, const RfHeadCache *cache, size_t token,
							  size_t count, const float *k, const float *v, size_t stride);
/* The first tokens of a cache to an empty one with another capacity. */
extern void rf_head_cache_copy(const RfKernels *kernels, const RfHeadCache *from, size_t tokens,
							   const RfHeadCache *to);
/* Where a packed column of keys begins, and one of values (at a multiple of the panel), from the
 * token, a multiple of k_step, on. */
extern const void *rf_head_cache_keys(const RfKernels *kernels, const RfHeadCache *cache,
									  size_t token);
extern const void *rf_head_cache_values(const RfKernels *kernels, const RfHeadCache *cache,
										size_t column, size_t token);

/*
 * Attention of some queries of one head: softmax(q * transpose(k) * scale) * v. The context may
 * replace q. Memory beside the head's doesn't grow with the number of keys or queries.
 */
typedef struct RfAttention
{
	const RfHeadCache *head;
	size_t keys;   /* the first so many tokens of the head are attended to, 1 at least */
	size_t tokens; /* queries */
	const float *q; /* [tokens,D], each stride apart */
	size_t stride;
	float *context; /* [tokens,D], each context_stride apart */
	size_t context_stride;
	float scale;
	/* [tokens] how many keys, from the first on, a query sees, 1 at least; never less than the
	 * query before. NULL: all */
	const uint32_t *sees;
	float *scratch; /* rf_attention_scratch floats, aligned to RF_LANES floats */
} RfAttention;

/* Query rows handled at once, and keys. */
#define RF_ATTENTION_QUERIES ((size_t) 48)
#define RF_ATTENTION_KEYS RF_MAX_K_BLOCK

/* Floats; false when that overflows. */
extern bool rf_attention_scratch(const RfKernels *kernels, RfPrecision precision, size_t head_size,
								 size_t *floats);
/* Query rows [first, first + RF_ATTENTION_QUERIES) or as many as there are. */
extern void rf_attention_queries(const RfKernels *kernels, const RfAttention *attention,
								 size_t first);

/* Fill functions; the caller has made sure that the machine has what they use. */
extern void rf_kernels_fill_ref(RfKernels *kernels);
extern void rf_kernels_fill_avx2(RfKernels *kernels);
extern void rf_kernels_fill_avx2_vnni(RfKernels *kernels);
extern void rf_kernels_fill_avx512(RfKernels *kernels);
extern void rf_kernels_fill_avx512_vnni(RfKernels *kernels);
extern void rf_kernels_fill_avx512_bf16(RfKernels *kernels);
extern void rf_kernels_fill_amx(RfKernels *kernels);
extern void rf_kernels_fill_blas(RfKernels *kernels);

/* blas/: loads the library when it is not there yet; NULL or why it can't be used. */
extern const char *rf_blas_load(void);
/* What was loaded, once rf_blas_load succeeded. */
extern const char *rf_blas_description(void);

#endif
