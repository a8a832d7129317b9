/*
 * session.h - inside of a session, and the loop all runs share.
 */
#ifndef RF_ENGINE_SESSION_H
#define RF_ENGINE_SESSION_H

#include "rf/engine.h"

struct RfSession
{
	uint64_t id; /* no other session of the process has had it */
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
	size_t first;                /* index of the first row among the run's */
	const RfEncoding *encodings; /* [rows] */
	RfBatch batch;
	const float *hidden; /* [tokens,H] */
	RfArena *scratch;    /* until the batch is done */
} RfRunBatch;

/* Turns a computed batch into results; context is the run's own. */
typedef RfCode (*RfRunConsumer)(RfSession *session, RfRun *run, const RfRunBatch *batch,
								void *context, RfError *err);

/*
 * Where the rows of a run come from. next encodes one into arena, or says that there are no more.
 * Padding, always on the right, is not attended to. Its hidden states are computed; of all of a row
 * only those of the last column where last_padding_only is set.
 */
typedef struct RfRunSource
{
	RfCode (*next)(RfSession *session, RfRun *run, void *context, RfArena *arena,
				   RfEncoding *encoding, bool *more, RfError *err);
	void *context;
	bool last_padding_only;
} RfRunSource;

/* Computes all rows of a source, batch by batch in their order. */
extern RfCode rf_run_rows(RfSession *session, RfRun *run, const RfRunSource *source,
						  RfRunConsumer consumer, void *context, RfError *err);

/* Checks the run's options; the tokens that are computed together. */
extern RfCode rf_run_begin(const RfRun *run, size_t *batch_tokens, RfError *err);
/* Gives back what a run took, whether it came to its end or not. */
extern void rf_run_end(RfSession *session);
/* Nanoseconds from some point in time on. */
extern uint64_t rf_run_clock(void);

/* Tokens a row of this run may have. */
extern int32_t rf_run_max_length(const RfSession *session, const RfRun *run);
/*
 * Encodes an input as a row, cut or refused by the run's options, and counts it. padded: what the
 * longest of some rows encoded this way has; shorter ones are padded to that. 0: none is.
 */
extern RfCode rf_run_encode(RfSession *session, RfRun *run, const RfInput *input, size_t padded,
							RfArena *arena, RfEncoding *encoding, RfError *err);

/* The same with one row for each input. */
extern RfCode rf_run_batches(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							 RfRunConsumer consumer, void *context, RfError *err);

/* Copies an encoding's arrays into an arena that outlives the one they are in. */
extern RfCode rf_run_keep_encoding(RfEncoding *encoding, RfArena *arena, RfError *err);

/* First token's hidden state of each row, gathered: *gathered [rows,H] in scratch. */
extern RfCode rf_run_first_tokens(const RfSession *session, const RfRunBatch *batch,
								  float **gathered, RfError *err);

/* vector [width]: the mean of hidden [tokens,width]; sums [width] is work space */
extern void rf_pool_mean(const float *hidden, size_t tokens, size_t width, double *sums,
						 float *vector);

#endif
