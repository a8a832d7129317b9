/*
 * bench_forward.c - how fast the encoder is, for the shapes of the published models.
 *
 *   bench_forward write DIRECTORY            weights, ids and hidden states for comparison
 *   bench_forward time [--precision P] [--rows T,T,...] SET...
 *                                            one line per kernel set, shape and workload:
 *                                            "time SET SHAPE WORKLOAD TOKENS SECONDS GFLOP P BYTES"
 *
 * SHAPE base is 12 layers of 768 with 12 heads and 3072 inside, small is 6 layers of 384 with 6
 * heads and 1536 inside. Workloads are single rows of some length (--rows: of these, up to 16384
 * tokens), and a batch of 64 rows whose lengths are spread like those of short texts. Weights are
 * random; the time doesn't depend on them. SECONDS is processor time, so that other work on the
 * machine disturbs little, and the shortest of the repetitions. GFLOP counts the multiplications
 * and additions of all matrix products. BYTES is the workspace.
 */
#include "workload.h"

#define CHECK_TOKENS 100
#define ENOUGH_SECONDS 0.5
#define ENOUGH_RUNS 3

#define MOST_TOKENS (BATCH_ROWS * BATCH_LONGEST)

static uint32_t lengths[16] = {16, 32, 64, 128, 256, 512, 1024, LONGEST};
static size_t length_count = 8;

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
	printf("time %s %s %s %u %.6f %.3f %s %zu\n", set, shape->name, workload->name,
		   workload->row_start[workload->batch.rows], best, count_gflop(shape, workload),
		   rf_precision_name(encoder->model->precision), rf_encoder_held(encoder));
	fflush(stdout);
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
		for (size_t i = 0; i < length_count; i++)
		{
			make_row(&workload, lengths[i]);
			rf_encoder_trim(&encoder, 0);
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
	for (size_t i = 0; i < length_count; i++)
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

static void
read_lengths(char *list)
{
	length_count = 0;
	for (char *word = strtok(list, ","); word != NULL; word = strtok(NULL, ","))
	{
		unsigned long tokens = strtoul(word, NULL, 10);

		if (length_count == COUNT(lengths) || tokens < 1 || tokens > MOST_TOKENS)
		{
			fprintf(stderr, "bench_forward: not one of %zu lengths up to %d: %s\n", COUNT(lengths),
					MOST_TOKENS, word);
			exit(2);
		}
		lengths[length_count++] = (uint32_t) tokens;
	}
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

		for (; set + 2 < argc && strncmp(argv[set], "--", 2) == 0; set += 2)
			if (strcmp(argv[set], "--precision") == 0)
				precision = find_precision(argv[set + 1]);
			else if (strcmp(argv[set], "--rows") == 0)
				read_lengths(argv[set + 1]);
			else
				break;
		for (; set < argc; set++)
			for (size_t i = 0; i < COUNT(shapes); i++)
				time_shape(&shapes[i], argv[set], precision);
		return 0;
	}
	fprintf(stderr, "usage: bench_forward write DIRECTORY | time [--precision P] [--rows T,T,...] "
					"SET...\n");
	return 2;
}
