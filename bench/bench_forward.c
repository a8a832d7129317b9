/*
 * bench_forward.c - how fast the encoder is, for the shapes of the published models.
 *
 *   bench_forward write DIRECTORY            weights, ids and hidden states for comparison
 *   bench_forward time [--precision P] SET...
 *                                            one line per kernel set, shape and workload:
 *                                            "time SET SHAPE WORKLOAD TOKENS SECONDS GFLOP P"
 *
 * SHAPE base is 12 layers of 768 with 12 heads and 3072 inside, small is 6 layers of 384 with 6
 * heads and 1536 inside. Workloads are single rows of some length, and a batch of 64 rows whose
 * lengths are spread like those of short texts. Weights are random; the time doesn't depend on
 * them. SECONDS is processor time, so that other work on the machine disturbs little, and the
 * shortest of the repetitions. GFLOP counts the multiplications and additions of all matrix
 * products.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../test/model/random_model.h"

#define SEED 1
#define VOCABULARY 8000
#define BATCH_ROWS 64
#define LONGEST 1536
#define CHECK_TOKENS 100
#define ENOUGH_SECONDS 0.5
#define ENOUGH_RUNS 3

typedef struct Shape
{
	const char *name;
	int32_t layers;
	int32_t hidden;
	int32_t heads;
	int32_t intermediate;
} Shape;

static const Shape shapes[] = {{"base", 12, 768, 12, 3072}, {"small", 6, 384, 6, 1536}};
static const uint32_t lengths[] = {16, 32, 64, 128, 256, 512, 1024, LONGEST};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct Workload
{
	char name[16];
	RfBatch batch;
	uint32_t row_start[BATCH_ROWS + 1];
} Workload;

static int32_t ids[BATCH_ROWS * 256 + LONGEST];
static int32_t types[BATCH_ROWS * 256 + LONGEST];

static void
give_up(const char *what, const RfError *err)
{
	fprintf(stderr, "bench_forward: %s: %s\n", what, err->message);
	exit(1);
}

static RandomModel *
make_model(const Shape *shape, RfArena *arena)
{
	RfConfig config = random_model_config(RF_TASK_ENCODER, shape->hidden, shape->heads,
										  shape->layers, shape->intermediate);

	config.vocab_size = VOCABULARY;
	return random_model_new(&config, SEED, arena);
}

static void
make_ids(void)
{
	uint64_t state = 5;

	for (size_t i = 0; i < COUNT(ids); i++)
		ids[i] = (int32_t) ((random_model_next(&state) + 1) / 2 * VOCABULARY);
}

static void
add_row(Workload *workload, uint32_t tokens)
{
	size_t row = workload->batch.rows++;

	workload->row_start[row + 1] = workload->row_start[row] + tokens;
}

static void
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

/* Lengths e^(3.5 + 0.8 z), clipped to 4 .. 256: half of the rows have up to 33 tokens. */
static void
make_batch(Workload *workload)
{
	uint64_t state = 9;

	begin_workload(workload, "batch64");
	for (size_t row = 0; row < BATCH_ROWS; row++)
	{
		float z = 0;
		float tokens;

		for (int i = 0; i < 12; i++)
			z += random_model_next(&state) / 2; /* a sum of twelve is nearly normal */
		tokens = expf(3.5f + 0.8f * z);
		add_row(workload, (uint32_t) (tokens < 4 ? 4 : tokens > 256 ? 256 : tokens));
	}
}

static void
make_row(Workload *workload, uint32_t tokens)
{
	char name[16];

	snprintf(name, sizeof(name), "row%u", tokens);
	begin_workload(workload, name);
	add_row(workload, tokens);
}

static double
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

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void
time_workload(RfEncoder *encoder, const Shape *shape, const char *set, const Workload *workload)
{
	double started = now();
	double best = INFINITY;
	RfError err;
	const float *hidden;

	for (int runs = 0; runs < ENOUGH_RUNS || now() - started < ENOUGH_SECONDS; runs++)
	{
		double before = now();
		double took;

		if (rf_encoder_forward(encoder, &workload->batch, &hidden, &err) != RF_OK)
			give_up(workload->name, &err);
		took = now() - before;
		best = took < best ? took : best;
	}
	printf("time %s %s %s %u %.6f %.3f %s\n", set, shape->name, workload->name,
		   workload->row_start[workload->batch.rows], best, count_gflop(shape, workload),
		   rf_precision_name(encoder->model->precision));
	fflush(stdout);
}

/* Opens the shape's model for a set; false when this machine can't run that. */
static bool
open_encoder(const Shape *shape, const char *set, RfPrecision precision, RfArena *arena,
			 RfModel *model, RfEncoder *encoder)
{
	const RfKernels *kernels;
	RfAbort never = {NULL, NULL};
	RfError err;
	size_t size;
	void *image;

	if (rf_kernels_choose(set, &kernels, &err) != RF_OK ||
		rf_kernels_require(kernels, precision, &err) != RF_OK)
	{
		fprintf(stderr, "bench_forward: %s\n", err.message);
		return false;
	}
	image = random_model_image_in(make_model(shape, arena), set, precision, arena, &size, &err);
	if (image == NULL || rf_model_open(image, size, arena, model, &err) != RF_OK)
		give_up(shape->name, &err);
	rf_encoder_init(encoder, model, rf_memory_malloc, never);
	return true;
}

static void
time_shape(const Shape *shape, const char *set, RfPrecision precision)
{
	RfArena arena;
	RfModel model;
	RfEncoder encoder;
	Workload workload;

	rf_arena_init(&arena, rf_memory_malloc);
	if (open_encoder(shape, set, precision, &arena, &model, &encoder))
	{
		for (size_t i = 0; i < COUNT(lengths); i++)
		{
			make_row(&workload, lengths[i]);
			time_workload(&encoder, shape, set, &workload);
		}
		make_batch(&workload);
		time_workload(&encoder, shape, set, &workload);
		rf_encoder_trim(&encoder, 0);
	}
	rf_arena_free(&arena);
}

static FILE *
create_file(const char *directory, const char *shape, const char *suffix)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.%s", directory, shape, suffix);
	file = fopen(path, "wb");
	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	return file;
}

/* Weights one after the other as fp32, with a list of their names and shapes. */
static void
write_weights(const char *directory, const Shape *shape, const RandomModel *model)
{
	FILE *list = create_file(directory, shape->name, "list");
	FILE *weights = create_file(directory, shape->name, "weights");

	for (size_t i = 0; i < model->match.count; i++)
	{
		const RfParameter *parameter = &model->parameters[i];
		size_t rows = (size_t) parameter->shape[0];
		size_t columns = (size_t) parameter->shape[1];

		fprintf(list, "%s %zu %zu\n", parameter->name, rows, columns);
		if (fwrite(model->values[i], sizeof(float), rows * (columns == 0 ? 1 : columns), weights) ==
			0)
		{
			perror(parameter->name);
			exit(1);
		}
	}
	if (fclose(list) != 0 || fclose(weights) != 0)
	{
		perror(directory);
		exit(1);
	}
}

/* The workloads' lengths and ids, and the hidden states of a row as the reference kernels see it.
 */
static void
write_inputs(const char *directory, const Shape *shape)
{
	FILE *inputs = create_file(directory, shape->name, "inputs");
	FILE *hidden_file = create_file(directory, shape->name, "hidden");
	RfArena arena;
	RfModel model;
	RfEncoder encoder;
	Workload workload;
	RfError err;
	const float *hidden;

	make_batch(&workload);
	for (size_t i = 0; i < COUNT(lengths); i++)
		fprintf(inputs, "row%u %u\n", lengths[i], lengths[i]);
	fprintf(inputs, "batch64");
	for (size_t row = 0; row < workload.batch.rows; row++)
		fprintf(inputs, " %u", workload.row_start[row + 1] - workload.row_start[row]);
	fprintf(inputs, "\nids");
	for (size_t i = 0; i < COUNT(ids); i++)
		fprintf(inputs, " %d", ids[i]);
	fprintf(inputs, "\n");
	rf_arena_init(&arena, rf_memory_malloc);
	open_encoder(shape, "ref", RF_PRECISION_FP32, &arena, &model, &encoder);
	make_row(&workload, CHECK_TOKENS);
	if (rf_encoder_forward(&encoder, &workload.batch, &hidden, &err) != RF_OK)
		give_up(shape->name, &err);
	fwrite(hidden, sizeof(float), CHECK_TOKENS * (size_t) shape->hidden, hidden_file);
	rf_encoder_trim(&encoder, 0);
	rf_arena_free(&arena);
	if (fclose(inputs) != 0 || fclose(hidden_file) != 0)
	{
		perror(directory);
		exit(1);
	}
}

static RfPrecision
find_precision(const char *name)
{
	for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
		if (strcmp(rf_precision_name(precision), name) == 0)
			return precision;
	fprintf(stderr, "bench_forward: no precision \"%s\"\n", name);
	exit(2);
}

int
main(int argc, char **argv)
{
	make_ids();
	if (argc == 3 && strcmp(argv[1], "write") == 0)
	{
		for (size_t i = 0; i < COUNT(shapes); i++)
		{
			RfArena arena;

			rf_arena_init(&arena, rf_memory_malloc);
			write_weights(argv[2], &shapes[i], make_model(&shapes[i], &arena));
			rf_arena_free(&arena);
			write_inputs(argv[2], &shapes[i]);
		}
		return 0;
	}
	if (argc >= 3 && strcmp(argv[1], "time") == 0)
	{
		RfPrecision precision = RF_PRECISION_FP32;
		int set = 2;

		if (argc >= 5 && strcmp(argv[2], "--precision") == 0)
		{
			precision = find_precision(argv[3]);
			set = 4;
		}
		for (; set < argc; set++)
			for (size_t i = 0; i < COUNT(shapes); i++)
				time_shape(&shapes[i], argv[set], precision);
		return 0;
	}
	fprintf(stderr, "usage: bench_forward write DIRECTORY | time [--precision P] SET...\n");
	return 2;
}
