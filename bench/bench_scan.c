/*
 * bench_scan.c - how fast the engine classifies texts when no server is around it.
 *
 *   bench_scan DIRECTORY TEXTS KERNELS PRECISION [LABELS]
 *
 * DIRECTORY is a model as load_model takes it, TEXTS has a text in each line. All of them go
 * through rf_run_sequence_logits in one call, in batches of the engine's choice, which the server
 * has by default too. Prints the processor time of that call in seconds, once the session has
 * computed a first text; LABELS gets the best label of each line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rf/engine.h"

typedef struct Bench
{
	RfArena arena;
	RfSpec spec;
	RfSession *session;
	RfInput *inputs; /* [count] */
	size_t count;
} Bench;

static void
give_up(const char *what, const char *why)
{
	fprintf(stderr, "bench_scan: %s: %s\n", what, why);
	exit(1);
}

#define CHECK(what, call)                                                                          \
	do                                                                                             \
	{                                                                                              \
		RfError err;                                                                               \
		if ((call) != RF_OK)                                                                       \
			give_up(what, err.message);                                                            \
	} while (0)

/* ---- model ----------------------------------------------------------------------------------- */

static void
put_parameters(RfCheckpoint *checkpoint, const RfMatch *match, RfImagePlan *plan, void *image)
{
	for (size_t i = 0; i < match->count; i++)
	{
		const RfParameter *parameter = &match->parameters[i];
		const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, parameter->source);
		uint64_t rows = rf_tensor_rows(tensor);
		size_t bytes;
		void *data;

		CHECK(parameter->name, rf_tensor_bytes(tensor, &bytes, &err));
		data = malloc(bytes);
		if (data == NULL)
			give_up(parameter->name, "out of memory");
		CHECK(parameter->name,
			  rf_checkpoint_read(checkpoint, parameter->source, 0, rows, data, &err));
		CHECK(parameter->name, rf_image_put(plan, image, i, 0, rows, data, bytes, &err));
		free(data);
	}
}

static void *
build_image(Bench *bench, RfCheckpoint *checkpoint, const char *set, RfPrecision precision,
			size_t *size)
{
	size_t count = rf_checkpoint_count(checkpoint);
	RfTensorDesc *tensors = rf_arena_alloc(&bench->arena, count, sizeof(*tensors));
	const RfKernels *kernels;
	RfMatch match;
	RfImagePlan *plan;
	void *image;

	for (size_t i = 0; i < count; i++)
		tensors[i] = *rf_checkpoint_tensor(checkpoint, i);
	CHECK("weights", rf_spec_match(&bench->spec, tensors, count, &bench->arena, &match, &err));
	CHECK(set, rf_kernels_choose(set, &kernels, &err));
	CHECK("image", rf_image_plan(&bench->spec, &match, tensors, precision, kernels, &bench->arena,
								 &plan, &err));
	*size = rf_image_size(plan);
	image = rf_arena_alloc(&bench->arena, *size, 1);
	if (image == NULL)
		give_up("image", "out of memory");
	CHECK("image", rf_image_begin(plan, image, &err));
	put_parameters(checkpoint, &match, plan, image);
	CHECK("image", rf_image_finish(plan, image, &err));
	return image;
}

static void
open_model(Bench *bench, const char *directory, const char *set, RfPrecision precision)
{
	RfAbort never = {NULL, NULL};
	RfCheckpoint *checkpoint;
	RfFile *files;
	size_t count;
	size_t size;
	void *image;

	CHECK(directory, rf_spec_read_files(directory, &bench->arena, &files, &count, &err));
	CHECK(directory, rf_spec_parse(files, count, &bench->arena, &bench->spec, &err));
	CHECK(directory, rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err));
	image = build_image(bench, checkpoint, set, precision, &size);
	rf_checkpoint_close(checkpoint);
	CHECK(directory,
		  rf_session_open(image, size, rf_memory_malloc, never, &bench->session, &err));
}

static RfPrecision
find_precision(const char *name)
{
	for (RfPrecision precision = 0; precision < RF_PRECISIONS; precision++)
	{
		if (strcmp(rf_precision_name(precision), name) == 0)
			return precision;
	}
	give_up(name, "no such precision");
	return RF_PRECISION_FP32;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void
read_texts(Bench *bench, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	if (file == NULL)
		give_up(path, "can't be read");
	while ((length = getline(&line, &room, file)) >= 0)
	{
		if (length > 0 && line[length - 1] == '\n')
			line[--length] = '\0';
		bench->inputs = realloc(bench->inputs, sizeof(RfInput) * (bench->count + 1));
		if (bench->inputs == NULL)
			give_up(path, "out of memory");
		bench->inputs[bench->count++] =
			(RfInput){.text = strdup(line), .length = (size_t) length};
	}
	free(line);
	fclose(file);
	if (bench->count == 0)
		give_up(path, "no text");
}

static void
write_labels(const Bench *bench, const float *logits, const char *path)
{
	int32_t labels = rf_session_config(bench->session)->num_labels;
	FILE *file = fopen(path, "w");

	if (file == NULL)
		give_up(path, "can't be written");
	for (size_t i = 0; i < bench->count; i++, logits += labels)
	{
		int32_t best = 0;

		for (int32_t label = 1; label < labels; label++)
			best = logits[label] > logits[best] ? label : best;
		fprintf(file, "%s\n", rf_session_label(bench->session, best));
	}
	if (fclose(file) != 0)
		give_up(path, "can't be written");
}

/* ---- time ------------------------------------------------------------------------------------ */

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static const float *
classify(Bench *bench, size_t count)
{
	RfRun run = {.arena = &bench->arena};
	float *logits;

	CHECK("classify",
		  rf_run_sequence_logits(bench->session, &run, bench->inputs, count, &logits, &err));
	return logits;
}

int
main(int argc, char **argv)
{
	Bench bench = {.count = 0};
	const float *logits;
	double before;

	if (argc < 5 || argc > 6)
	{
		fprintf(stderr, "usage: bench_scan DIRECTORY TEXTS KERNELS PRECISION [LABELS]\n");
		return 2;
	}
	rf_arena_init(&bench.arena, rf_memory_malloc);
	open_model(&bench, argv[1], argv[3], find_precision(argv[4]));
	read_texts(&bench, argv[2]);
	classify(&bench, 1);
	before = now();
	logits = classify(&bench, bench.count);
	printf("%.6f\n", now() - before);
	if (argc == 6)
		write_labels(&bench, logits, argv[5]);
	rf_session_close(bench.session);
	rf_arena_free(&bench.arena);
	return 0;
}
