/*
 * session.h - inside of a session, and the loop all runs share.
 */
#ifndef RF_ENGINE_SESSION_H
#define RF_ENGINE_SESSION_H

#include "rf/engine.h"

struct RfSession
{
	RfMemory memory;
	RfAbort abort_fn;
	RfArena arena;      /* lives as long as the session: views of the image */
	RfArena batches[2]; /* encodings of the batch being computed, and of the row after it */
	RfModel model;
	RfTokenizer tokenizer;
	RfJieba jieba; /* what tokenizer.jieba points to once there is a dictionary */
	RfEncoder encoder;
};

/* Rows of a run that are computed together. */
typedef struct RfRunBatch
{
	size_t first;                /* index of the first row among the run's inputs */
	const RfEncoding *encodings; /* [rows] */
	RfBatch batch;
	const float *hidden; /* [tokens,H] */
	RfArena *scratch;    /* until the batch is done */
} RfRunBatch;

/* Turns a computed batch into results; context is the run's own. */
typedef RfCode (*RfRunConsumer)(RfSession *session, RfRun *run, const RfRunBatch *batch,
								void *context, RfError *err);

/* Tokenizes and computes all inputs, batch by batch in their order. */
extern RfCode rf_run_batches(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							 RfRunConsumer consumer, void *context, RfError *err);

/* First token's hidden state of each row, gathered: *gathered [rows,H] in scratch. */
extern RfCode rf_run_first_tokens(const RfSession *session, const RfRunBatch *batch,
								  float **gathered, RfError *err);

/* scores [n] = softmax(logits [n]), in double; either may be the other */
extern void rf_softmax(const float *logits, size_t n, float *scores);

#endif
