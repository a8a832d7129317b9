/*
 * test_bundled_precision.c - the bundled trained models in bf16 and int8, with every kernel set of
 * this machine, against the same set in fp32, over the real rows in demo/data.
 *
 * The machine's own set takes all test messages and a fixed part of the larger sets of rows, the
 * other sets every eighth of those, the reference every eightieth. Asserted are the cosine of the
 * worst token and, where there are enough to tell, the share of equal labels (of texts; of tokens,
 * for the tagger). Rows: ROFORMER_DEMO, models: ROFORMER_MODELS.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_model_files.h"
#include "tested_set.h"

#define MAX_TEXTS 8192
/* Of fewer decisions a single one would be more than the share that may differ. */
#define ENOUGH_DECISIONS 1000

typedef struct Bundled
{
	const char *model;
	const char *rows;
	size_t column;     /* of the text, or of a word */
	const char *split; /* what stands in column 0; NULL: any row */
	bool words;        /* column 0 numbers the sentence of a word */
	size_t every;      /* for the machine's own set, one text of so many */
} Bundled;

static const Bundled bundled[] = {
	{.model = "roformer-sms-spam", .rows = "sms_spam", .column = 2, .split = "test", .every = 1},
	{.model = "roformer-intent-clinc150",
	 .rows = "clinc150",
	 .column = 3,
	 .split = "test",
	 .every = 2},
	{.model = "roformer-ner-en",
	 .rows = "uner_english_ewt",
	 .column = 2,
	 .words = true,
	 .every = 4},
	{.model = "roformer-embed-en", .rows = "debian_packages", .column = 1, .every = 8},
	{.model = "roformer-embed-en", .rows = "debian_packages", .column = 2, .every = 32},
};

#define BUNDLED (sizeof(bundled) / sizeof(bundled[0]))

typedef struct Texts
{
	RfInput inputs[MAX_TEXTS];
	size_t count;
} Texts;

static const char *
directory_of(const char *variable, const char *otherwise)
{
	const char *directory = getenv(variable);

	return directory != NULL && directory[0] != '\0' ? directory : otherwise;
}

/* Column i of a line, NUL-terminated in place; the line is cut to pieces from the back. */
static char *
take_column(char *line, size_t column)
{
	while (column-- > 0)
	{
		line = strchr(line, '\t');
		assert_non_null(line);
		line++;
	}
	line[strcspn(line, "\t\n")] = '\0';
	return line;
}

static void
add_text(Texts *texts, const char *text)
{
	assert_true(texts->count < MAX_TEXTS);
	texts->inputs[texts->count++] = (RfInput){.text = strdup(text), .length = strlen(text)};
}

static void
add_word(Texts *texts, const char *word)
{
	RfInput *input = &texts->inputs[texts->count - 1];
	char *longer = malloc(input->length + strlen(word) + 2);

	sprintf(longer, "%s %s", input->text, word);
	free((char *) input->text);
	*input = (RfInput){.text = longer, .length = strlen(longer)};
}

static void
read_texts(const Bundled *what, Texts *texts)
{
	char path[1024];
	char line[8192];
	long sentence = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.tsv", directory_of("ROFORMER_DEMO", "demo/data"),
			 what->rows);
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("cannot open \"%s\"", path);
	assert_non_null(fgets(line, sizeof(line), file));
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char *text = take_column(line, what->column);
		char *first = take_column(line, 0);

		if (what->split != NULL && strcmp(first, what->split) != 0)
			continue;
		if (what->words && texts->count > 0 && strtol(first, NULL, 10) == sentence)
			add_word(texts, text);
		else
			add_text(texts, text);
		sentence = strtol(first, NULL, 10);
	}
	fclose(file);
	assert_true(texts->count > 1000);
}

/* Keeps one text of so many. */
static void
thin_out(Texts *texts, size_t every)
{
	size_t kept = 0;

	for (size_t i = 0; i < texts->count; i++)
	{
		if (i % every == 0)
			texts->inputs[kept++] = texts->inputs[i];
		else
			free((char *) texts->inputs[i].text);
	}
	texts->count = kept;
}

static void
compute(const Bundled *what, const char *kernels, RfPrecision precision, const Texts *texts,
		RfArena *arena, RfProbe *probe)
{
	GoldenModel model;
	RfRun run = {.arena = arena};
	RfError err = {0};

	assert_true(golden_model_open_from(&model, directory_of("ROFORMER_MODELS", "models"),
									   what->model, kernels, precision));
	if (rf_run_probe(model.session, &run, texts->inputs, texts->count, probe, &err) != RF_OK)
		fail_msg("%s: %s", what->model, err.message);
	assert_int_equal(run.stats.rows, texts->count);
	golden_model_close(&model);
}

static double
mean_cosine(const RfProbe *exact, const RfProbe *rounded)
{
	double sum = 0;

	for (size_t i = 0; i < exact->tokens; i++)
	{
		RfProbe a = {
			.tokens = 1, .width = exact->width, .hidden = exact->hidden + i * exact->width};
		RfProbe b = {
			.tokens = 1, .width = exact->width, .hidden = rounded->hidden + i * exact->width};
		RfDeviation deviation;

		rf_probe_compare(&a, &b, &deviation);
		sum += deviation.cosine;
	}
	return sum / (double) exact->tokens;
}

static void
check_deviation(const Bundled *what, const char *kernels, RfPrecision precision,
				const RfProbe *exact, const RfProbe *rounded)
{
	bool bf16 = precision == RF_PRECISION_BF16;
	RfDeviation deviation;

	assert_int_equal(exact->tokens, rounded->tokens);
	assert_int_equal(exact->decision_count, rounded->decision_count);
	rf_probe_compare(exact, rounded, &deviation);
	print_message(
		"# %s in %s, %s: %zu tokens, cosine %.6f, mean %.6f, rms %.4f, %.3f %% of %zu labels\n",
		kernels, rf_precision_name(precision), what->model, exact->tokens, deviation.cosine,
		mean_cosine(exact, rounded), deviation.rms, 100 * deviation.agreement,
		exact->decision_count);
	assert_true(deviation.rms > 0);
	if (deviation.cosine < (bf16 ? 0.9999 : 0.999))
		fail_msg("%s, %s: cosine %.6f", what->model, kernels, deviation.cosine);
	if ((exact->decision_count == 0 || exact->decision_count >= ENOUGH_DECISIONS) &&
		deviation.agreement < (bf16 ? 0.999 : 0.995))
		fail_msg("%s, %s: agreement %.5f", what->model, kernels, deviation.agreement);
}

static void
check_rows(const Bundled *what, const RfKernelsStatus *status)
{
	size_t every = status->automatic ? 1 : strcmp(status->name, "ref") == 0 ? 80 : 8;
	Texts *texts = calloc(1, sizeof(*texts));
	RfArena arena;
	RfProbe exact;

	assert_non_null(texts);
	rf_arena_init(&arena, rf_memory_malloc);
	read_texts(what, texts);
	thin_out(texts, what->every * every);
	compute(what, status->name, RF_PRECISION_FP32, texts, &arena, &exact);
	for (RfPrecision precision = RF_PRECISION_BF16; precision < RF_PRECISIONS; precision++)
	{
		RfProbe rounded;

		if (!status->precision[precision])
			continue;
		compute(what, status->name, precision, texts, &arena, &rounded);
		check_deviation(what, status->name, precision, &exact, &rounded);
	}
	rf_arena_free(&arena);
	thin_out(texts, SIZE_MAX);
	free((char *) texts->inputs[0].text);
	free(texts);
}

static void
test_bundled_models(void **state)
{
	RfKernelsStatus status;
	size_t sets = 0;

	(void) state;
	for (size_t set = 0; tested_set(set, &status); set++)
	{
		if (!status.precision[RF_PRECISION_BF16])
			continue;
		for (size_t i = 0; i < BUNDLED; i++)
			check_rows(&bundled[i], &status);
		sets++;
	}
	assert_true(sets >= 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bundled_models)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
