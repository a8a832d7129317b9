/*
 * bench_engine.c - the engine as one of the contestants of compare.py, which tells them on standard
 * input what to compute, so that they take turns with their models loaded.
 *
 *   bench_engine list               "SET PRECISION AUTO" of all that can run here; AUTO is 1 or 0
 *   bench_engine serve SET PRECISION
 *
 * A contestant answers each line with one line:
 *
 *   check SHAPE POLICY ROWS FILE         hidden states of the batch's first rows into FILE, as fp32
 *   time SHAPE WORKLOAD POLICY SECONDS   "PROCESSOR ELAPSED": seconds of one run, the median of
 * runs that together take about SECONDS, at least one
 *
 * WORKLOAD is rowN or batch64; POLICY is how a batch becomes calls (compare.py has the words). The
 * engine has no padding; what padding would cost is measured with rows that are really that long.
 */
#include "../workload.h"

#define MOST_CALLS BATCH_ROWS
#define MOST_RUNS 1000
#define BUCKETS 8

typedef struct Contestant
{
	RfArena arena;
	RfModel models[COUNT(shapes)];
	RfEncoder encoders[COUNT(shapes)];
} Contestant;

/* A workload as calls: rows of the batch, possibly made longer. */
typedef struct Plan
{
	size_t count;
	Workload calls[MOST_CALLS];
} Plan;

static uint32_t
tokens_of(const Workload *batch, size_t row)
{
	return batch->row_start[row + 1] - batch->row_start[row];
}

static int
compare_lengths(const void *a, const void *b)
{
	const uint32_t *left = a;
	const uint32_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* All of the batch in equal parts, each with as many tokens in each row as its longest has. */
static void
plan_padded(Plan *plan, const Workload *batch, size_t parts)
{
	uint32_t sorted[BATCH_ROWS];
	size_t rows = batch->batch.rows / parts;

	for (size_t row = 0; row < batch->batch.rows; row++)
		sorted[row] = tokens_of(batch, row);
	qsort(sorted, batch->batch.rows, sizeof(*sorted), compare_lengths);
	plan->count = parts;
	for (size_t part = 0; part < parts; part++)
	{
		begin_workload(&plan->calls[part], "part");
		for (size_t row = 0; row < rows; row++)
			add_row(&plan->calls[part], sorted[(part + 1) * rows - 1]);
	}
}

static void
plan_rows(Plan *plan, const Workload *batch)
{
	plan->count = batch->batch.rows;
	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		make_row(&plan->calls[row], tokens_of(batch, row));
		plan->calls[row].batch.input_ids = ids + batch->row_start[row];
	}
}

static void
refuse(const char *what)
{
	fprintf(stderr, "bench_engine: what is %s?\n", what);
	exit(2);
}

static void
plan_row(Plan *plan, const char *workload)
{
	unsigned tokens;

	if (sscanf(workload, "row%u", &tokens) != 1 || tokens == 0 || tokens > COUNT(ids))
		refuse(workload);
	plan->count = 1;
	make_row(&plan->calls[0], tokens);
}

/* rows: how many of the batch's */
static void
plan_batch(Plan *plan, const char *policy, size_t rows)
{
	Workload batch;

	make_batch(&batch);
	batch.batch.rows = rows < BATCH_ROWS ? rows : BATCH_ROWS;
	if (strcmp(policy, "packed") == 0)
	{
		plan->count = 1;
		begin_workload(&plan->calls[0], "packed");
		for (size_t row = 0; row < batch.batch.rows; row++)
			add_row(&plan->calls[0], tokens_of(&batch, row));
	}
	else if (strcmp(policy, "rows") == 0)
		plan_rows(plan, &batch);
	else if (strcmp(policy, "padded") == 0)
		plan_padded(plan, &batch, 1);
	else if (strcmp(policy, "buckets") == 0)
		plan_padded(plan, &batch, BUCKETS);
	else
		refuse(policy);
}

static double
elapsed_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void
run_plan(RfEncoder *encoder, const Plan *plan, FILE *output)
{
	RfError err;
	const float *hidden;

	for (size_t call = 0; call < plan->count; call++)
	{
		const RfBatch *batch = &plan->calls[call].batch;

		if (rf_encoder_forward(encoder, batch, &hidden, &err) != RF_OK)
			give_up("forward", &err);
		if (output != NULL)
			fwrite(hidden, sizeof(float) * (size_t) encoder->model->config->hidden_size,
				   batch->row_start[batch->rows], output);
	}
}

static int
compare_seconds(const void *a, const void *b)
{
	const double *left = a;
	const double *right = b;

	return (*left > *right) - (*left < *right);
}

static void
answer_time(RfEncoder *encoder, const Plan *plan, double seconds)
{
	static double processor[MOST_RUNS];
	static double elapsed[MOST_RUNS];
	double started = elapsed_now();
	size_t runs = 0;

	if (seconds > 0)
		run_plan(encoder, plan, NULL);
	do
	{
		double processor_before = now();
		double elapsed_before = elapsed_now();

		run_plan(encoder, plan, NULL);
		processor[runs] = now() - processor_before;
		elapsed[runs++] = elapsed_now() - elapsed_before;
	} while (runs < MOST_RUNS && elapsed_now() - started < seconds);
	qsort(processor, runs, sizeof(*processor), compare_seconds);
	qsort(elapsed, runs, sizeof(*elapsed), compare_seconds);
	printf("%.7f %.7f\n", processor[runs / 2], elapsed[runs / 2]);
}

static void
answer_check(RfEncoder *encoder, const Plan *plan, const char *path)
{
	FILE *file = fopen(path, "wb");

	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	run_plan(encoder, plan, file);
	if (fclose(file) != 0)
	{
		perror(path);
		exit(1);
	}
	printf("checked\n");
}

static RfEncoder *
find_encoder(Contestant *contestant, const char *shape)
{
	for (size_t i = 0; i < COUNT(shapes); i++)
		if (strcmp(shapes[i].name, shape) == 0)
			return &contestant->encoders[i];
	refuse(shape);
	return NULL;
}

static int
serve(const char *set, const char *precision)
{
	static Contestant contestant;
	static Plan plan;
	char line[4096];
	char shape[16];
	char workload[16];
	char policy[16];
	char path[4000];
	double seconds;
	size_t rows;

	rf_arena_init(&contestant.arena, rf_memory_malloc);
	for (size_t i = 0; i < COUNT(shapes); i++)
		if (!open_encoder(&shapes[i], set, find_precision(precision), &contestant.arena,
						  &contestant.models[i], &contestant.encoders[i]))
			return 1;
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		if (sscanf(line, "time %15s %15s %15s %lf", shape, workload, policy, &seconds) == 4)
		{
			if (strcmp(workload, "batch64") == 0)
				plan_batch(&plan, policy, BATCH_ROWS);
			else
				plan_row(&plan, workload);
			answer_time(find_encoder(&contestant, shape), &plan, seconds);
		}
		else if (sscanf(line, "check %15s %15s %zu %3999s", shape, policy, &rows, path) == 4)
		{
			plan_batch(&plan, policy, rows);
			answer_check(find_encoder(&contestant, shape), &plan, path);
		}
		else
			refuse(line);
		fflush(stdout);
	}
	return 0;
}

static int
list_sets(void)
{
	RfKernelsStatus status;

	for (size_t i = 0; rf_kernels_status(i, &status); i++)
		for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
			if (status.available && status.precision[precision])
				printf("%s %s %d\n", status.name, rf_precision_name(precision), status.automatic);
	return 0;
}

int
main(int argc, char **argv)
{
	make_ids();
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list_sets();
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);
	fprintf(stderr, "usage: bench_engine list | serve SET PRECISION\n");
	return 2;
}
