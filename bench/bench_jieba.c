/*
 * bench_jieba.c - how fast Chinese text is cut into words, and into tokens.
 *
 *   bench_jieba DICTIONARY VOCABULARY TEXTS cut      lengths of each line's words, in code points
 *   bench_jieba DICTIONARY VOCABULARY TEXTS time     "words SECONDS" and "tokens SECONDS" for all
 * lines
 *
 * TEXTS has a text in each line. SECONDS is processor time of one pass, the median of PASSES.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rf/tokenizer.h"

#define PASSES 31

typedef struct Bench
{
	RfArena arena;
	RfJieba jieba;
	RfTokenizer tokenizer;
	char *texts;
	size_t length;
} Bench;

typedef void (*Work)(Bench *bench, const char *text, size_t length);

static void
give_up(const char *what, const RfError *err)
{
	fprintf(stderr, "bench_jieba: %s: %s\n", what, err->message);
	exit(1);
}

static char *
read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *data;
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
	{
		perror(path);
		exit(1);
	}
	rewind(file);
	data = malloc((size_t) size + 1);
	if (data == NULL || fread(data, 1, (size_t) size, file) != (size_t) size)
	{
		perror(path);
		exit(1);
	}
	fclose(file);
	*length = (size_t) size;
	return data;
}

static void
open_bench(Bench *bench, char **paths)
{
	RfTokenizerOptions options;
	RfError err;
	size_t length;
	size_t size;
	char *data = read_file(paths[0], &length);
	void *block;

	rf_arena_init(&bench->arena, rf_memory_malloc);
	if (rf_jieba_compile(data, length, NULL, &bench->arena, &block, &size, &err) != RF_OK ||
		rf_jieba_open(block, size, &bench->jieba, &err) != RF_OK)
		give_up(paths[0], &err);
	free(data);
	data = read_file(paths[1], &length);
	if (rf_tokenizer_options_parse(NULL, 0, NULL, 0, NULL, 0, &bench->arena, &options, &err) !=
			RF_OK ||
		rf_tokenizer_compile(&options, data, length, &bench->arena, &block, &size, &err) != RF_OK ||
		rf_tokenizer_open(block, size, &bench->tokenizer, &err) != RF_OK)
		give_up(paths[1], &err);
	free(data);
	bench->tokenizer.jieba = &bench->jieba;
	bench->texts = read_file(paths[2], &bench->length);
}

static RfWords
cut(Bench *bench, const char *text, size_t length)
{
	RfWords words;
	RfError err;

	if (rf_jieba_cut(&bench->jieba, text, length, NULL, &bench->arena, &words, &err) != RF_OK)
		give_up("cutting", &err);
	return words;
}

static void
print_words(Bench *bench, const char *text, size_t length)
{
	RfWords words = cut(bench, text, length);

	for (size_t i = 0; i < words.count; i++)
		printf(i == 0 ? "%d" : " %d", (int) words.length[i]);
	printf("\n");
}

static void
cut_words(Bench *bench, const char *text, size_t length)
{
	cut(bench, text, length);
}

static void
make_tokens(Bench *bench, const char *text, size_t length)
{
	RfTokens tokens;
	RfError err;

	if (rf_tokenize(&bench->tokenizer, text, length, NULL, &bench->arena, &tokens, &err) != RF_OK)
		give_up("tokenizing", &err);
}

static void
each_line(Bench *bench, Work work)
{
	const char *end = bench->texts + bench->length;

	for (const char *text = bench->texts; text < end;)
	{
		const char *line_end = memchr(text, '\n', (size_t) (end - text));
		RfArenaMark mark = rf_arena_mark(&bench->arena);

		if (line_end == NULL)
			line_end = end;
		work(bench, text, (size_t) (line_end - text));
		rf_arena_rewind(&bench->arena, mark);
		text = line_end + 1;
	}
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec * 1e-9;
}

static int
compare_doubles(const void *left, const void *right)
{
	double a = *(const double *) left;
	double b = *(const double *) right;

	return a < b ? -1 : a > b;
}

static void
time_work(Bench *bench, const char *name, Work work)
{
	double seconds[PASSES];

	each_line(bench, work);
	for (int pass = 0; pass < PASSES; pass++)
	{
		double before = now();

		each_line(bench, work);
		seconds[pass] = now() - before;
	}
	qsort(seconds, PASSES, sizeof(*seconds), compare_doubles);
	printf("%s %.6f\n", name, seconds[PASSES / 2]);
}

int
main(int argc, char **argv)
{
	Bench bench;

	if (argc != 5 || (strcmp(argv[4], "cut") != 0 && strcmp(argv[4], "time") != 0))
	{
		fprintf(stderr, "usage: bench_jieba DICTIONARY VOCABULARY TEXTS cut|time\n");
		return 2;
	}
	open_bench(&bench, argv + 1);
	if (strcmp(argv[4], "cut") == 0)
		each_line(&bench, print_words);
	else
	{
		time_work(&bench, "words", cut_words);
		time_work(&bench, "tokens", make_tokens);
	}
	free(bench.texts);
	rf_arena_free(&bench.arena);
	return 0;
}
