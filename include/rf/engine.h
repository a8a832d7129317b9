/*
 * engine.h - texts in, vectors, labels and spans out: all that the server calls.
 *
 * A session is one user's view of an image: pointers into it, a kernel set and a workspace. The
 * image is shared and never written. A session is used by one thread at a time. Results of a row
 * don't depend on the rows computed beside it.
 *
 * Every function that takes inputs computes them in batches of at most options->batch_tokens
 * tokens (one row at least), polls the abort function between layers and between chunks of a
 * layer, allocates its results in the caller's arena and gives everything else back. After a
 * failure or cancellation the session can be used again.
 *
 * Shapes: B rows (inputs), T tokens of a row, H hidden size, C labels, V vocabulary.
 */
#ifndef RF_ENGINE_H
#define RF_ENGINE_H

#include "rf/checkpoint.h"
#include "rf/content.h"
#include "rf/digest.h"
#include "rf/image.h"
#include "rf/kernels.h"
#include "rf/memory.h"
#include "rf/model.h"
#include "rf/spec.h"
#include "rf/status.h"
#include "rf/tensor.h"
#include "rf/tokenizer.h"

typedef struct RfSession RfSession;

/* RF_CORRUPT: the block is no finished image. RF_UNSUPPORTED: its kernels can't run here. */
extern RfCode rf_session_open(const void *image, size_t size, RfMemory memory, RfAbort abort_fn,
							  RfSession **session, RfError *err);
extern void rf_session_close(RfSession *session); /* NULL is fine */
/*
 * Gives a model with RoFormerTokenizer its words: block is what rf_jieba_compile made and outlives
 * the session. RF_CORRUPT: it is no dictionary.
 */
extern RfCode rf_session_set_dictionary(RfSession *session, const void *block, size_t size,
										RfError *err);

/* At first it is the tokenizer whose class the model's files name. */
extern void rf_session_choose_tokenizer(RfSession *session, RfTokenizerChoice choice);

extern const RfConfig *rf_session_config(const RfSession *session);
extern const RfTokenizer *rf_session_tokenizer(const RfSession *session);
extern RfPrecision rf_session_precision(const RfSession *session);
extern const RfKernels *rf_session_kernels(const RfSession *session);
/* The label's UTF-8 text, NUL-terminated, in the image. */
extern const char *rf_session_label(const RfSession *session, int32_t label);
/* max_length when nobody says: the tokenizer's model_max_length, else max_position_embeddings. */
extern int32_t rf_session_default_max_length(const RfSession *session);
/* Bytes of workspace held now. */
extern size_t rf_session_workspace(const RfSession *session);

typedef enum RfOverflow
{
	RF_OVERFLOW_TRUNCATE,
	RF_OVERFLOW_ERROR,
	RF_OVERFLOW_WINDOW /* sequence logits, embeddings, entities; an error for others */
} RfOverflow;

/*
 * The engine's choice of tokens for a batch: enough that a 12-layer model's weights, which are read
 * once a batch, cost a few percent of its arithmetic; more would only make the activations larger.
 * Models of a hidden size below 512 take fewer, as their weights are fewer.
 */
#define RF_BATCH_TOKENS 1024

typedef struct RfRunOptions
{
	int32_t max_length;   /* tokens of a row, special ones included; 0: the model's default */
	RfOverflow overflow;  /* what happens to longer ones */
	int32_t batch_tokens; /* 0: the engine's choice */
} RfRunOptions;

/* Filled by each call; added to, never cleared. */
typedef struct RfRunStats
{
	uint64_t rows;
	uint64_t tokens;
	uint64_t truncated_rows;
	uint64_t windowed_rows; /* longer than max_length, computed in windows */
	uint64_t windows;       /* of those */
	uint64_t batches;
	uint64_t tokenize_ns;
	uint64_t compute_ns;
} RfRunStats;

typedef struct RfHeld RfHeld;

typedef struct RfRun
{
	RfRunOptions options;
	RfRunStats stats;
	RfArena *arena;            /* where results go */
	const char *const *labels; /* [C] UTF-8, for rf_run_tag instead of the model's; NULL: those */
	const RfHeld *held;        /* rows that are computed already; NULL: none */
	size_t most_tokens;        /* of a row whose result the caller has room for; 0: of any */
	/* told after each batch, when stats say what it added; may clear them, must not throw */
	void (*batch_done)(struct RfRun *run);
} RfRun;

/* What a session makes of a probe, in the run's arena. */
typedef struct RfProbe
{
	size_t tokens;
	size_t width;       /* H */
	float *hidden;      /* [tokens,width] */
	int32_t *decisions; /* [decision_count]: labels, places or token ids, in order of the texts */
	size_t decision_count;
} RfProbe;

/* How far a model in a lower precision is from fp32. */
typedef struct RfDeviation
{
	double max;       /* of a number of a hidden state */
	double rms;       /* over all of them */
	double cosine;    /* of the worst token */
	double agreement; /* share of equal decisions; without any, of tokens of cosine >= 0.999 */
} RfDeviation;

/* Texts made from the session's vocabulary, always the same for the same vocabulary. */
extern RfCode rf_probe_texts(const RfSession *session, RfArena *arena, RfInput **inputs,
							 size_t *count, RfError *err);
extern RfCode rf_run_probe(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
						   RfProbe *probe, RfError *err);
/* Of two sessions of the same model with the same inputs. */
extern void rf_probe_compare(const RfProbe *exact, const RfProbe *rounded, RfDeviation *deviation);

/*
 * Checks that the model's head fits: RF_UNSUPPORTED, saying what the model is and can do.
 */
extern RfCode rf_session_require(const RfSession *session, RfTask task, RfError *err);

/* Sequence classification: *logits [B,C]. */
extern RfCode rf_run_sequence_logits(RfSession *session, RfRun *run, const RfInput *inputs,
									 size_t count, float **logits, RfError *err);
/* Logits [C] to scores [C] by the model's problem: softmax, sigmoid or as they are. */
extern void rf_session_scores(const RfSession *session, const float *logits, float *scores);

/* scores [n] = softmax(logits [n]), in double; either may be the other */
extern void rf_softmax(const float *logits, size_t n, float *scores);

/* Token classification [T,C], masked and causal LM [T,V], question answering [2,T]. */
typedef struct RfMatrix
{
	size_t rows;
	size_t columns;
	float *values; /* [rows,columns] */
} RfMatrix;

/* logits [B]: shaped by the model's task; one row [C] for sequence classification. */
extern RfCode rf_run_logits(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							RfMatrix *logits, RfError *err);
/* hidden [B]: last hidden states [T,H] */
extern RfCode rf_run_hidden_state(RfSession *session, RfRun *run, const RfInput *inputs,
								  size_t count, RfMatrix *hidden, RfError *err);
/* *vectors [B,H]; normalize: divided by their L2 norm. */
extern RfCode rf_run_embed(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
						   RfPooling pooling, bool normalize, float **vectors, RfError *err);

typedef enum RfAggregation
{
	RF_AGGREGATE_NONE,
	RF_AGGREGATE_SIMPLE,
	RF_AGGREGATE_FIRST,
	RF_AGGREGATE_AVERAGE,
	RF_AGGREGATE_MAX
} RfAggregation;

typedef struct RfEntity
{
	const char *label; /* "PER" (aggregated) or "B-PER" (none), NUL-terminated, in the arena */
	float score;
	int32_t start; /* code points of the input from 0 */
	int32_t length;
} RfEntity;

typedef struct RfEntities
{
	size_t count;
	RfEntity *entities;
} RfEntities;

/* *entities [B]; label O is dropped, as in the reference's token-classification pipeline. */
extern RfCode rf_run_tag(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
						 RfAggregation aggregation, RfEntities **entities, RfError *err);

typedef struct RfFill
{
	int32_t mask; /* which [MASK] of the input, from 0 */
	int32_t id;
	const char *token; /* decoded, NUL-terminated */
	float score;
	const char *sequence; /* the input with this mask filled, decoded */
} RfFill;

typedef struct RfFills
{
	size_t count; /* masks * top_k */
	RfFill *fills;
} RfFills;

/* *fills [B]: for each mask in order, the top_k tokens, best first. */
extern RfCode rf_run_fill_mask(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							   int32_t top_k, RfFills **fills, RfError *err);

typedef struct RfGenerateOptions
{
	int32_t max_new_tokens; /* 1 at least */
	double temperature;     /* 0: always the likeliest token */
	int32_t top_k;          /* only so many of the likeliest, and what equals the last; 0: all */
	double top_p;           /* only the likeliest that together have this probability; 1: all */
} RfGenerateOptions;

typedef struct RfGenerated
{
	const char *text; /* decoded without special tokens, NUL-terminated */
	size_t length;    /* bytes */
	size_t count;
	const int32_t *ids; /* [count] new tokens, the one that ended the text included */
} RfGenerated;

/* The token that ends a generated text: the configuration's eos_token_id, else [SEP]. */
extern int32_t rf_session_end_token(const RfSession *session);

/*
 * *generated [B]: how a causal language model goes on after each input. Prompts of RoFormer-Sim
 * models are the whole encoding (a paraphrase follows), those of others go without the last [SEP].
 * Rows are computed together, as many as their caches and batch_tokens allow; each leaves with its
 * end token or after max_new_tokens, which may lie beyond every position the model knows. seeds [B]
 * begin the rows' generators; NULL: all 0. RF_UNSUPPORTED for a model that sees in both directions.
 */
extern RfCode rf_run_generate(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							  const RfGenerateOptions *options, const uint64_t *seeds,
							  RfGenerated **generated, RfError *err);

typedef struct RfAnswerOptions
{
	int32_t max_answer_len;        /* tokens, 1 at least */
	int32_t doc_stride;            /* tokens that neighbouring windows share, 1 at least */
	bool handle_impossible_answer; /* no answer where the model finds that likelier */
} RfAnswerOptions;

typedef struct RfAnswer
{
	bool found; /* false: the context has no tokens, or no answer is likelier */
	float score;
	int32_t start; /* code points of the context from 0; whole words */
	int32_t length;
} RfAnswer;

/*
 * Question answering: *answers [B] to inputs that are pairs of a question and a context. A context
 * that is too long for one row is covered by windows, each of max_length tokens (by default 384 or
 * the model's limit, if that is less); the answer is the best span of all. RF_INVALID when
 * max_length leaves no room for a question and a part of the context, which are 5 tokens.
 */
extern RfCode rf_run_answer(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							const RfAnswerOptions *options, RfAnswer **answers, RfError *err);

/*
 * Multiple choice: a logit for each of the inputs, which are pairs of a prompt and a choice. Those
 * of one prompt stand together, counts [prompts] of them, and are compared by rf_softmax. They are
 * padded to the longest of them, which the summary of such models may see: a choice's logit depends
 * on the other choices of its prompt, and on nothing else.
 */
extern RfCode rf_run_choices(RfSession *session, RfRun *run, const RfInput *inputs,
							 const size_t *counts, size_t prompts, float **logits, RfError *err);

/* What is computed ahead. */
typedef enum RfHoldKind
{
	RF_HOLD_STATES,  /* hidden states, for every run but the following ones and rf_run_generate */
	RF_HOLD_ANSWERS, /* for rf_run_answer */
	RF_HOLD_CHOICES  /* for rf_run_choices */
} RfHoldKind;

typedef struct RfHoldOptions
{
	RfHoldKind kind;
	RfAnswerOptions answer; /* for RF_HOLD_ANSWERS; else 0 */
} RfHoldOptions;

extern bool rf_hold_options_equal(const RfHoldOptions *a, const RfHoldOptions *b);

/*
 * Computes inputs ahead, equal ones once, and holds what runs with run->held will take from there
 * where all their inputs are held, to come to the same results. The inputs come in groups, counts
 * [groups] of them: the choices of a prompt are one, any other input is one by itself (counts
 * NULL). The bytes of the texts stay the caller's as long as *held is in use. Groups with a text
 * that would be an error are not held, nor are the states of texts whose windows fill more than a
 * batch. After a failure (memory, cancelled) *held has the hidden states of the batches before it,
 * but no answers and choices; it is NULL only when there was no memory at all. The stats of run are
 * those of the work done here; rows and tokens are counted again by the runs that are served.
 */
extern RfCode rf_session_hold(RfSession *session, RfRun *run, const RfHoldOptions *options,
							  const RfInput *inputs, const size_t *counts, size_t groups,
							  RfMemory memory, RfHeld **held, RfError *err);
extern void rf_held_free(RfHeld *held); /* NULL is fine */
/* Different groups that are held. */
extern size_t rf_held_rows(const RfHeld *held);
/* Is it of this session, and would these options give the same? */
extern bool rf_held_serves(const RfHeld *held, const RfSession *session,
						   const RfRunOptions *run_options, const RfHoldOptions *options);
/* Is the group of these inputs held? */
extern bool rf_held_has(const RfHeld *held, const RfInput *inputs, size_t count);

/*
 * Encoded rows (rf/model.h) straight to the last hidden state, for whoever batches by himself.
 * *hidden [tokens,H] belongs to the session until its next call.
 */
extern RfCode rf_session_forward(RfSession *session, const RfBatch *batch, const float **hidden,
								 RfError *err);

#endif
