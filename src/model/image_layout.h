/*
 * image_layout.h - the bytes of an image.
 *
 * A header, the layer table, labels, tokenizer, rotary table and weights, each part aligned to
 * RF_ALIGNMENT. All references are offsets from the start of the image; 0 stands for "absent",
 * since the header lies there. The magic number is written last: without it a block is no image.
 */
#ifndef RF_IMAGE_LAYOUT_H
#define RF_IMAGE_LAYOUT_H

#include "../kernels/dispatch.h"
#include "rf/image.h"
#include "rf/memory.h"

#define IMAGE_MAGIC UINT64_C(0x314547414d494652) /* "RFIMAGE1" */
#define IMAGE_VERSION 3
#define IMAGE_KERNELS_SIZE 16
#define IMAGE_ROTARY_POSITIONS ((uint64_t) 512)

/* Bytes of a number in a table that is read by rows. */
static inline size_t
rf_table_element(uint64_t precision)
{
	return precision == RF_PRECISION_FP32 ? sizeof(float) : sizeof(uint16_t);
}

typedef struct ImageLinear
{
	uint64_t weight;
	uint64_t bias;
	uint64_t n;
	uint64_t k;
	uint64_t precision; /* RfPrecision of the weight */
} ImageLinear;

/* In a slice, bytes from the columns of intermediate [width,H] to the terms of output. */
static inline size_t
rf_slice_output(const RfFormat *format, size_t width, size_t hidden)
{
	return RF_ALIGN(format->weight_size(format, width, hidden));
}

typedef struct ImageNorm
{
	uint64_t weight;
	uint64_t bias;
	uint64_t n;
} ImageNorm;

typedef struct ImageLayer
{
	ImageLinear qkv; /* rows of query, key and value of head 0, of head 1, ... */
	ImageLinear attention_output;
	/* Columns of intermediate, then terms of output, slice by slice; n and k are of all. */
	ImageLinear intermediate;
	ImageLinear output;
	uint64_t slice;  /* columns and terms in one, the last one has the rest */
	uint64_t stride; /* bytes from a slice to the next */
	ImageNorm attention_norm;
	ImageNorm output_norm;
	ImageLinear cross_query;
	ImageLinear cross_key_value;
	ImageLinear cross_output;
	ImageNorm cross_norm;
} ImageLayer;

typedef struct ImageHeader
{
	uint64_t magic;
	uint32_t version;
	uint32_t precision;
	uint64_t size;
	char kernels[IMAGE_KERNELS_SIZE];
	RfConfig config;
	int32_t default_max_length;
	uint32_t word_embeddings_packed;
	uint64_t layers; /* ImageLayer [L] */
	uint64_t labels; /* NUL-terminated texts, one after the other */
	uint64_t labels_size;
	uint64_t tokenizer;
	uint64_t tokenizer_size;
	uint64_t rotary; /* [rotary_positions,D], see rotary.c */
	uint64_t rotary_positions;
	ImageLinear word_embeddings;
	ImageLinear token_type_embeddings; /* plain rows, fp32 */
	ImageNorm embedding_norm;
	ImageLinear embeddings_project;
	ImageLinear pooler;
	ImageLinear transform;
	ImageNorm transform_norm;
	ImageLinear decoder; /* weight equal to word_embeddings' when tied */
	ImageLinear dense;
	ImageLinear classifier;
	ImageLinear summary;
} ImageHeader;

#endif
