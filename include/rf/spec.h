/*
 * spec.h - what a model directory says besides its weights: architecture, sizes, labels, tokenizer
 * options, pooling; and which parameters such a model must have.
 */
#ifndef RF_SPEC_H
#define RF_SPEC_H

#include "rf/kernels.h"
#include "rf/memory.h"
#include "rf/tensor.h"
#include "rf/tokenizer.h"

typedef enum RfTask
{
	RF_TASK_ENCODER,				 /* RoFormerModel */
	RF_TASK_MASKED_LM,				 /* RoFormerForMaskedLM */
	RF_TASK_SEQUENCE_CLASSIFICATION, /* RoFormerForSequenceClassification */
	RF_TASK_TOKEN_CLASSIFICATION,	 /* RoFormerForTokenClassification */
	RF_TASK_QUESTION_ANSWERING,		 /* RoFormerForQuestionAnswering */
	RF_TASK_MULTIPLE_CHOICE,		 /* RoFormerForMultipleChoice */
	RF_TASK_CAUSAL_LM				 /* RoFormerForCausalLM */
} RfTask;

/* "sequence classification", ... as used in messages and in the models view */
extern const char *rf_task_name(RfTask task);

typedef enum RfProblem
{
	RF_PROBLEM_SINGLE_LABEL, /* softmax */
	RF_PROBLEM_MULTI_LABEL,	 /* sigmoid */
	RF_PROBLEM_REGRESSION	 /* the logit itself */
} RfProblem;

typedef enum RfPooling
{
	RF_POOL_CLS,
	RF_POOL_MEAN, /* over all tokens, [CLS] and [SEP] included */
	RF_POOL_MAX,
	RF_POOL_POOLER /* activation(dense(row 0)); models with a pooler only */
} RfPooling;

/* Which row stands for a (prompt, choice) pair in multiple choice. */
typedef enum RfSummary
{
	RF_SUMMARY_LAST, /* the last column of the batch, padding or not; also "cls_index" */
	RF_SUMMARY_FIRST,
	RF_SUMMARY_MEAN /* over all columns, padding included */
} RfSummary;

/*
 * The largest models this engine takes. All are several times what has been published; together
 * they keep every product of sizes, in bytes, below 2^52.
 */
#define RF_MAX_VOCAB (1 << 24)		  /* ids of the tokenizer, too */
#define RF_MAX_HIDDEN (1 << 16)		  /* hidden_size, embedding_size */
#define RF_MAX_INTERMEDIATE (1 << 18) /* four times as wide */
#define RF_MAX_LAYERS 4096
#define RF_MAX_POSITIONS (1 << 24)	  /* fp32 positions stay exact */
#define RF_MAX_TOKEN_TYPES 1024
#define RF_MAX_LABELS (1 << 20)

/* config.json; plain data, copied into the image as it is */
typedef struct RfConfig
{
	RfTask task;
	int32_t vocab_size;				 /* V */
	int32_t embedding_size;			 /* E */
	int32_t hidden_size;			 /* H */
	int32_t num_hidden_layers;		 /* L */
	int32_t num_attention_heads;	 /* N */
	int32_t intermediate_size;		 /* I */
	int32_t type_vocab_size;
	int32_t max_position_embeddings; /* what the reference limits itself to; RoPE is computed */
	int32_t num_labels;				 /* C; 0 for models without labels */
	int32_t pad_token_id;
	int32_t bos_token_id; /* -1: none */
	int32_t eos_token_id; /* -1: none */
	double layer_norm_eps;
	RfActivation hidden_act;
	RfActivation pooler_act;
	RfProblem problem;
	bool rotary_value;
	bool is_decoder;
	bool add_cross_attention;
	bool tie_word_embeddings;
	bool rms_norm;	 /* RoFormer-V2: norms without weights */
	bool use_bias;	 /* false in RoFormer-V2 */
	bool has_pooler; /* set by rf_spec_match from the tensors */
	RfSummary summary;			/* this and the next two: multiple choice */
	bool summary_use_proj;		/* dense layer [H,H] on the summary */
	int32_t summary_activation; /* RfActivation on the summary, -1: none */
	RfPooling pooling;		  /* default of embed() */
	bool normalize_embedding; /* L2-normalise what embed() returns */
} RfConfig;

typedef struct RfFile
{
	const char *name;
	const char *data;
	size_t size;
} RfFile;

/* The files of a model directory that are read and stored beside the weights. */
typedef struct RfFileRule
{
	const char *name; /* "config.json", "1_Pooling/config.json", ... */
	bool required;
	size_t limit; /* bytes */
	const char *instead_of; /* that file, which stands before it, does as well: then it is not read */
} RfFileRule;

extern const RfFileRule rf_model_files[];
extern const size_t rf_model_files_count;

/*
 * Reads the files of directory that rf_model_files lists into the arena, in order of their names
 * (byte order). *files has room for one more, which belongs to no directory: the dictionary.
 * RF_NOT_FOUND without a required file, RF_LIMIT for one that is too large.
 */
extern RfCode rf_spec_read_files(const char *directory, RfArena *arena, RfFile **files,
								 size_t *count, RfError *err);

typedef struct RfSpec
{
	char architecture[64];
	RfConfig config;
	const char *const *labels; /* [C] UTF-8; "LABEL_0", ... where the file names none */
	RfTokenizerOptions tokenizer;
	RfFile vocab; /* vocab.txt, not copied: the caller keeps the files */
	bool infer_task; /* set for bert_config.json: rf_spec_match sets architecture and task ... */
	bool infer_norm; /* ... and whether it is a RoFormer-V2 */
} RfSpec;

/*
 * Parses and checks the files (heads divide the hidden size, head size is even, ...). Everything
 * but vocab lives in arena. RF_CORRUPT for broken or absurd values, RF_LIMIT beyond the limits
 * above, RF_UNSUPPORTED for what is no RoFormer model, RF_NOT_FOUND without a required file.
 */
extern RfCode rf_spec_parse(const RfFile *files, size_t count, RfArena *arena, RfSpec *spec,
							RfError *err);

/*
 * A tensor the model has, under its canonical name: that of Hugging Face's state dict of the
 * architecture ("roformer." before the encoder's names where the class has a head, nothing in
 * RoFormerModel; "weight" and "bias" in norms; "cls.predictions.bias" for the decoder's bias).
 * Tensors stored under canonical names match themselves.
 */
typedef struct RfParameter
{
	const char *name;
	int rank;
	uint64_t shape[2];
	size_t source; /* index among the tensors given to rf_spec_match */
} RfParameter;

typedef struct RfMatch
{
	RfParameter *parameters; /* [count], in order of their names (byte order) */
	size_t count;
	uint64_t total;				  /* elements of all parameters: the model's size */
	const char *const *unexpected; /* [unexpected_count] tensors that are not used */
	size_t unexpected_count;
} RfMatch;

/*
 * Assigns tensors (sorted or not) to the parameters the spec calls for, by the naming rules of
 * checkpoints (prefix "roformer." present or not, gamma/beta, tied decoder). Sets has_pooler, and
 * architecture, task, norms and biases where bert_config.json leaves them to the tensors.
 * RF_CORRUPT when any is missing or misshapen or has a type that is no weight; the detail lists
 * missing, misshapen and unexpected ones.
 */
extern RfCode rf_spec_match(RfSpec *spec, const RfTensorDesc *tensors, size_t count,
							RfArena *arena, RfMatch *match, RfError *err);

/*
 * Compiles the tokenizer of the spec (rf_tokenizer_compile). RF_CORRUPT also when it has token ids
 * for which the model has no embedding.
 */
extern RfCode rf_spec_compile_tokenizer(const RfSpec *spec, RfArena *arena, void **block,
										size_t *size, RfError *err);

#endif
