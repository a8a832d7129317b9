/*
 * image_plan.h - what planning an image leaves for filling it.
 */
#ifndef RF_IMAGE_PLAN_H
#define RF_IMAGE_PLAN_H

#include "image_layout.h"
#include "rf/memory.h"

/* Where a parameter's rows go. */
typedef enum PlaceKind
{
	PLACE_NOWHERE, /* known, but not computed with */
	PLACE_PACKED,  /* rows of a packed weight */
	PLACE_COLUMNS, /* rows of a weight whose columns are packed in slices */
	PLACE_TERMS,   /* rows of a weight whose terms are packed in slices */
	PLACE_ROWS     /* as they come, fp32 or bf16 */
} PlaceKind;

typedef struct Place
{
	PlaceKind kind;
	RfDtype dtype; /* as stored */
	RfPrecision precision;
	uint64_t rows;   /* of the parameter */
	uint64_t width;  /* elements of a row */
	uint64_t offset; /* of the weight in the image */
	uint64_t n;      /* rows of the whole weight */
	uint64_t part;   /* parameters that share it take turns, group rows at a time */
	uint64_t parts;
	uint64_t group;
	uint64_t slice; /* of a PLACE_COLUMNS or PLACE_TERMS, as ImageLayer has them */
	uint64_t stride;
	unsigned char *seen; /* one bit a row */
} Place;

struct RfImagePlan
{
	const struct RfKernels *kernels;
	const RfSpec *spec;
	const RfMatch *match;
	ImageHeader header;
	ImageLayer *layers; /* [L] */
	Place *places;      /* [match->count] */
	void *tokenizer;    /* compiled block */
	float *row;         /* one row of the widest weight, widened */
};

#endif
