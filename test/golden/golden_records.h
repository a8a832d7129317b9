/*
 * golden_records.h - going through the records of golden models, and comparing numbers with theirs.
 */
#ifndef TEST_GOLDEN_RECORDS_H
#define TEST_GOLDEN_RECORDS_H

#include "golden_model_files.h"

#define HIDDEN_BOUND 2e-5
#define VOCABULARY_BOUND 1e-4
#define SCORE_BOUND 2e-5
#define TIE 2e-4 /* logits that are closer may come in another order */

typedef struct Checking
{
	GoldenModel *model;
	const char *id; /* of the record */
	size_t records;
	size_t texts; /* records that went through the engine from their text */
} Checking;

typedef void (*RecordCheck)(Checking *checking, const json_t *record);

/* Calls check for every record of every model of this task, with every kernel set. */
extern void for_records(RfTask task, RecordCheck check, size_t least);
/* The same for records in another folder than "outputs", which not every model has. */
extern void for_records_in(const char *folder, RfTask task, RecordCheck check, size_t least);

/* Whether the engine can do the whole record from its text; fills input. */
extern bool text_of(Checking *checking, const json_t *record, RfInput *input);

/* These fail the test, naming record and kernels. */
extern void expect_number(const Checking *checking, const char *what, size_t index, double found,
						  double expected, double bound);
extern void expect_numbers(const Checking *checking, const char *what, const float *found,
						   const json_t *expected, size_t count, double bound);
extern void expect_text(const Checking *checking, const char *what, const char *found,
						const char *expected);
extern void expect_ok(const Checking *checking, RfCode code, const RfError *err);

/* The last hidden state of a row; until the encoder's next pass */
extern const float *forward(Checking *checking, const GoldenRow *row);

/* Vocabulary logits [V] of one hidden state; caller frees */
extern float *vocabulary_logits(Checking *checking, const float *hidden);
extern double log_sum_exp(const float *logits, size_t n);
/* top [[token, id, logit, probability], ...], logsumexp, logits_first8 of one position */
extern void check_distribution(Checking *checking, const json_t *expected, const float *logits);
/* pooler_output of the hidden state of a first token */
extern void check_pooler(Checking *checking, const json_t *expected, const float *hidden);

#endif
