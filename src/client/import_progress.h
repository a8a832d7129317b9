/*
 * import_progress.h - how far a long transfer has come: a bar on a terminal, lines elsewhere.
 */
#ifndef IMPORT_PROGRESS_H
#define IMPORT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Moments remembered for the rate: the rate is that of the last few seconds. */
#define IMPORT_PROGRESS_MOMENTS 16

typedef struct ImportMoment
{
	double time; /* seconds */
	uint64_t done;
} ImportMoment;

typedef struct ImportProgress
{
	FILE *stream; /* NULL: say nothing */
	bool terminal;
	const char *label;
	uint64_t total; /* bytes */
	uint64_t done;
	double started; /* seconds */
	double drawn;
	bool on_screen; /* the terminal's line is ours */
	ImportMoment moments[IMPORT_PROGRESS_MOMENTS];
	size_t moment_count; /* all ever remembered */
} ImportProgress;

/* stream may be NULL: then nothing is ever written. */
extern void import_progress_begin(ImportProgress *progress, FILE *stream, const char *label,
								  uint64_t total);
extern void import_progress_add(ImportProgress *progress, uint64_t bytes);
/* Writes the last state and ends the line. */
extern void import_progress_end(ImportProgress *progress);
/* Takes the bar away, so that a message can be written; the next add brings it back. */
extern void import_progress_clear(ImportProgress *progress);

/* What is known at one moment; rate in bytes a second, 0: unknown. */
typedef struct ImportState
{
	const char *label;
	uint64_t done;
	uint64_t total;
	double rate;
} ImportState;

/* "topics [====>     ]  45%  87.1 of 193.5 MB  120.4 MB/s  0:01 left", at most width columns. */
extern void import_progress_bar(const ImportState *state, int width, char *line, size_t size);
/* "topics: 45%, 87.1 of 193.5 MB, 120.4 MB/s, 0:01 left" */
extern void import_progress_text(const ImportState *state, char *line, size_t size);
/* "193.5 MB" */
extern void import_progress_size(uint64_t bytes, char *text, size_t size);

#endif
