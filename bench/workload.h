/*
 * workload.h - what benchmarks of the encoder compute: models of random weights in the shapes of
 * published models, single rows of some length, and a batch of rows as short texts have them.
 *
 * Shape base is 12 layers of 768 with 12 heads and 3072 inside, small is 6 layers of 384 with 6
 * heads and 1536 inside. Everything comes from seeds: each program has the same weights and ids.
 */
#ifndef RF_BENCH_WORKLOAD_H
#define RF_BENCH_WORKLOAD_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../test/model/random_model.h"

#define SEED 1
#define VOCABULARY 8000
#define BATCH_ROWS 64
#define BATCH_LONGEST 256
#define LONGEST 1536

typedef struct Shape
{
	const char *name;
	int32_t layers;
	int32_t hidden;
	int32_t heads;
	int32_t intermediate;
} Shape;

static const Shape shapes[] = {{"base", 12, 768, 12, 3072}, {"small", 6, 384, 6, 1536}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct Workload
{
	char name[16];
	RfBatch batch;
	uint32_t row_start[BATCH_ROWS + 1];
} Workload;

static int32_t ids[BATCH_ROWS * BATCH_LONGEST + LONGEST];
static int32_t types[BATCH_ROWS * BATCH_LONGEST + LONGEST];

static inline void
give_up(const char *what, const RfError *err)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, err->message);
	exit(1);
}

static inline RandomModel *
make_model(const Shape *shape, RfArena *arena)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, shape->hidden, shape->heads,
										  shape->layers, shape->intermediate);

	config.vocab_size = VOCABULARY;
	return random_model_new(&config, SEED, arena);
}

static inline void
make_ids(void)
{
	uint64_t state = 5;

	for (size_t i = 0; i < COUNT(ids); i++)
		ids[i] = (int32_t) ((random_model_next(&state) + 1) / 2 * VOCABULARY);
}

static inline void
add_row(Workload *workload, uint32_t tokens)
{
	size_t row = workload->batch.rows++;

	workload->row_start[row + 1] = workload->row_start[row] + tokens;
}

static inline void
begin_workload(Workload *workload, const char *name)
{
	memset(workload, 0, sizeof(*workload));
	snprintf(workload->name, sizeof(workload->name), "%s", name);
	workload->batch = (RfBatch){
		.row_start = workload->row_start,
		.input_ids = ids,
		.token_type_ids = types,
	};
}

/* Lengths e^(3.55 + 0.8 z), clipped to 4 .. 256: 48 tokens on average, half have up to 35. */
static inline void
make_batch(Workload *workload)
{
	uint64_t state = 26;

	begin_workload(workload, "batch64");
	for (size_t row = 0; row < BATCH_ROWS; row++)
	{
		float z = 0;
		float tokens;

		for (int i = 0; i < 12; i++)
			z += random_model_next(&state) / 2; /* a sum of twelve is nearly normal */
		tokens = expf(3.55f + 0.8f * z);
		add_row(workload, (uint32_t) (tokens < 4               ? 4
									  : tokens > BATCH_LONGEST ? BATCH_LONGEST
															   : tokens));
	}
}

static inline void
make_row(Workload *workload, uint32_t tokens)
{
	char name[16];

	snprintf(name, sizeof(name), "row%u", tokens);
	begin_workload(workload, name);
	add_row(workload, tokens);
}

/* The multiplications and additions of all matrix products. */
static inline double
count_gflop(const Shape *shape, const Workload *workload)
{
	double h = shape->hidden;
	double per_token = 2 * (4 * h * h + 2 * h * shape->intermediate);
	double total = 0;

	for (size_t row = 0; row < workload->batch.rows; row++)
	{
		double tokens = workload->row_start[row + 1] - workload->row_start[row];

		total += shape->layers * (per_token * tokens + 4 * tokens * tokens * h);
	}
	return total / 1e9;
}

/* Seconds of processor time. */
static inline double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

/* Opens the shape's model for a set; false when this machine can't run that. */
static inline bool
open_encoder(const Shape *shape, const char *set, RfPrecision precision, RfArena *arena,
			 RfModel *model, RfEncoder *encoder)
{
	const RfKernels *kernels;
	RfAbort never = {NULL, NULL};
	RfArena unpacked;
	RfError err;
	size_t size;
	void *image;

	if (rf_kernels_choose(set, &kernels, &err) != RF_OK ||
		rf_kernels_require(kernels, precision, &err) != RF_OK)
	{
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, err.message);
		return false;
	}
	rf_arena_init(&unpacked, rf_memory_malloc);
	image = random_model_image_in(make_model(shape, &unpacked), set, precision, arena, &size, &err);
	if (image == NULL || rf_model_open(image, size, arena, model, &err) != RF_OK)
		give_up(shape->name, &err);
	rf_arena_free(&unpacked);
	rf_encoder_init(encoder, model, rf_memory_malloc, never);
	return true;
}

static inline RfPrecision
find_precision(const char *name)
{
	for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
		if (strcmp(rf_precision_name(precision), name) == 0)
			return precision;
	fprintf(stderr, "%s: no precision \"%s\"\n", program_invocation_short_name, name);
	exit(2);
}

#endif
