/*
 * bench_generate.c - what a new token costs, by how many there are already.
 *
 *   bench_generate SET
 *
 * prints "TOKENS ROWS MILLISECONDS WHOLE" for a causal model of 12 layers of 768 with random
 * weights and 21128 words: with so many tokens in the caches of so many rows, processor time of one
 * more token of one row, vocabulary logits included, and of computing the whole row again instead.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../test/model/random_model.h"

#define MOST_ROWS 8
#define MOST_TOKENS 1024
#define STEPS 8

static const size_t lengths[] = {16, 64, 128, 256, 512, MOST_TOKENS};
static const size_t row_counts[] = {1, MOST_ROWS};

static int32_t ids[MOST_ROWS * (MOST_TOKENS + STEPS)];
static int32_t types[MOST_ROWS * (MOST_TOKENS + STEPS)];

typedef struct Bench
{
	RfArena arena;
	RfModel model;
	RfEncoder encoder;
	float *logits; /* [MOST_ROWS,V] */
	RfError err;
} Bench;

static void
give_up(const RfError *err)
{
	fprintf(stderr, "bench_generate: %s\n", err->message);
	exit(1);
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void
open_bench(Bench *bench, const char *set)
{
	RfConfig config = random_model_config(RF_TASK_CAUSAL_LM, 768, 12, 12, 3072);
	uint64_t state = 5;
	size_t size;
	void *image;

	config.vocab_size = 21128;
	config.is_decoder = true;
	rf_arena_init(&bench->arena, rf_memory_malloc);
	image = random_model_image(random_model_new(&config, 1, &bench->arena), set, &bench->arena,
							   &size, &bench->err);
	if (image == NULL ||
		rf_model_open(image, size, &bench->arena, &bench->model, &bench->err) != RF_OK)
		give_up(&bench->err);
	rf_encoder_init(&bench->encoder, &bench->model, rf_memory_malloc, (RfAbort){NULL, NULL});
	bench->logits =
		rf_arena_alloc(&bench->arena, MOST_ROWS * (size_t) config.vocab_size, sizeof(float));
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		ids[i] = (int32_t) ((random_model_next(&state) + 1) / 2 * (float) config.vocab_size);
}

/* Seconds for so many tokens of each row, and the logits of the last of each. */
static double
pass(Bench *bench, RfRowCache *caches, size_t rows, size_t tokens)
{
	uint32_t row_start[MOST_ROWS + 1];
	float hidden_rows[MOST_ROWS * 768];
	RfBatch batch = {.rows = rows,
					 .row_start = row_start,
					 .input_ids = ids,
					 .token_type_ids = types,
					 .caches = caches};
	double before = now();
	const float *hidden;

	for (size_t i = 0; i <= rows; i++)
		row_start[i] = (uint32_t) (i * tokens);
	if (rf_encoder_forward(&bench->encoder, &batch, &hidden, &bench->err) != RF_OK)
		give_up(&bench->err);
	for (size_t i = 0; i < rows; i++)
		memcpy(hidden_rows + i * 768, hidden + (row_start[i + 1] - 1) * 768, 768 * sizeof(float));
	if (rf_head_vocabulary(&bench->encoder, hidden_rows, rows, &bench->arena, bench->logits,
						   &bench->err) != RF_OK)
		give_up(&bench->err);
	return now() - before;
}

static void
measure(Bench *bench, size_t tokens, size_t rows)
{
	RfRowCache caches[MOST_ROWS] = {0};
	double best = INFINITY;
	double whole = pass(bench, NULL, rows, tokens);

	pass(bench, caches, rows, tokens);
	for (size_t step = 0; step < STEPS; step++)
		best = fmin(best, pass(bench, caches, rows, 1));
	for (size_t i = 0; i < rows; i++)
		rf_row_cache_release(&bench->encoder, &caches[i]);
	printf("%6zu %4zu %8.2f %8.2f\n", tokens, rows, best * 1000 / (double) rows,
		   whole * 1000 / (double) rows);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	Bench bench = {0};

	if (argc != 2)
	{
		fprintf(stderr, "usage: bench_generate SET\n");
		return 2;
	}
	open_bench(&bench, argv[1]);
	for (size_t i = 0; i < sizeof(row_counts) / sizeof(row_counts[0]); i++)
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++)
			measure(&bench, lengths[j], row_counts[i]);
	rf_encoder_trim(&bench.encoder, 0);
	rf_arena_free(&bench.arena);
	return 0;
}
