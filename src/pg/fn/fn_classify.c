/*
 * fn_classify.c - classify, classify_score, classify_all, regress: heads over the whole text.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "pg/fn.h"

/* Labels listed in a hint before it is cut short. */
#define LABELS_IN_HINT 20

PG_FUNCTION_INFO_V1(roformer_classify);
PG_FUNCTION_INFO_V1(roformer_classify_array);
PG_FUNCTION_INFO_V1(roformer_classify_score);
PG_FUNCTION_INFO_V1(roformer_classify_score_array);
PG_FUNCTION_INFO_V1(roformer_classify_all);
PG_FUNCTION_INFO_V1(roformer_classify_all_set);
PG_FUNCTION_INFO_V1(roformer_regress);
PG_FUNCTION_INFO_V1(roformer_regress_array);

/* Returns the number of labels. */
static int32
require_labels(const RoformerCall *call)
{
	const RfConfig *config = rf_session_config(call->session->engine);

	roformer_task_require(call, RF_TASK_SEQUENCE_CLASSIFICATION);
	if (config->problem == RF_PROBLEM_REGRESSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" gives numbers, not labels", call->session->model->name),
				 config->num_labels == 1
					 ? errhint("Use roformer.regress().")
					 : errhint("Use roformer.logits(), which gives its %d numbers.",
							   config->num_labels)));
	return config->num_labels;
}

/* [B,C] */
static float *
compute_logits(RoformerCall *call)
{
	float *logits;
	RfError err;

	roformer_check(rf_run_sequence_logits(call->session->engine, &call->run, call->inputs,
										  call->count, &logits, &err),
				   &err);
	return logits;
}

/* [B,C], softmax or sigmoid of the logits */
static float *
compute_scores(RoformerCall *call, int32 labels)
{
	float *scores = compute_logits(call);

	for (size_t i = 0; i < call->count; i++)
		rf_session_scores(call->session->engine, scores + i * labels, scores + i * labels);
	return scores;
}

static void
classify_inputs(RoformerCall *call, Datum *results)
{
	int32 labels = require_labels(call);
	const float *logits = compute_logits(call);

	for (size_t i = 0; i < call->count; i++, logits += labels)
	{
		int32 best = 0;

		for (int32 label = 1; label < labels; label++)
		{
			if (logits[label] > logits[best])
				best = label;
		}
		results[i] = CStringGetTextDatum(roformer_session_label(call->session, best));
	}
}

static const RoformerFunction classify = {.options = 0, .run = classify_inputs};

Datum
roformer_classify(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &classify);
}

Datum
roformer_classify_array(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &classify);
}

pg_noreturn static void report_unknown_label(const RoformerSession *session, int32 labels,
											 const char *wanted);

static void
report_unknown_label(const RoformerSession *session, int32 labels, const char *wanted)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int32 label = 0; label < labels && label < LABELS_IN_HINT; label++)
		appendStringInfo(&known, "%s%s", label == 0 ? "" : ", ",
						 roformer_session_label(session, label));
	if (labels > LABELS_IN_HINT)
		appendStringInfo(&known, " and %d more", labels - LABELS_IN_HINT);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("model \"%s\" has no label \"%s\"", session->model->name, wanted),
					errhint("Its labels are: %s.", known.data)));
}

static int32
find_label(const RoformerSession *session, int32 labels, const char *wanted)
{
	for (int32 label = 0; label < labels; label++)
	{
		if (strcmp(roformer_session_label(session, label), wanted) == 0)
			return label;
	}
	report_unknown_label(session, labels, wanted);
}

static void
score_inputs(RoformerCall *call, Datum *results)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	int32 labels = require_labels(call);
	char *wanted = text_to_cstring(PG_GETARG_TEXT_PP(call->first_option));
	int32 label = find_label(call->session, labels, wanted);
	const float *scores = compute_scores(call, labels);

	for (size_t i = 0; i < call->count; i++)
		results[i] = Float4GetDatum(scores[i * labels + label]);
}

static const RoformerFunction classify_score = {.options = 1, .run = score_inputs};

Datum
roformer_classify_score(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &classify_score);
}

Datum
roformer_classify_score_array(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &classify_score);
}

typedef struct LabelScore
{
	int32 label;
	float logit;
	float score;
} LabelScore;

/*
 * Best first; equal ones in the order of the labels. By logits, as classify() chooses: scores near
 * 1 are rounded to the same number.
 */
static int
compare_scores(const void *a, const void *b)
{
	const LabelScore *x = a;
	const LabelScore *y = b;

	if (x->logit != y->logit)
		return x->logit > y->logit ? -1 : 1;
	return x->label - y->label;
}

static Datum
form_label_scores(const RoformerSession *session, const float *logits, int32 labels,
				  TupleDesc row_type)
{
	LabelScore *ranked = palloc(sizeof(LabelScore) * labels);
	float *scores = palloc(sizeof(float) * labels);
	Datum *rows = palloc(sizeof(Datum) * labels);

	rf_session_scores(session->engine, logits, scores);
	for (int32 label = 0; label < labels; label++)
		ranked[label] =
			(LabelScore){.label = label, .logit = logits[label], .score = scores[label]};
	qsort(ranked, labels, sizeof(LabelScore), compare_scores);
	for (int32 i = 0; i < labels; i++)
	{
		bool nulls[2] = {false};
		Datum values[2] = {
			CStringGetTextDatum(roformer_session_label(session, ranked[i].label)),
			Float4GetDatum(ranked[i].score),
		};

		rows[i] = HeapTupleGetDatum(heap_form_tuple(row_type, values, nulls));
	}
	return roformer_array_of_datums(rows, NULL, labels, 1, row_type->tdtypeid);
}

static void
classify_inputs_fully(RoformerCall *call, Datum *results)
{
	int32 labels = require_labels(call);
	const float *logits = compute_logits(call);
	TupleDesc row_type = roformer_array_row_type(call->fcinfo);

	for (size_t i = 0; i < call->count; i++)
		results[i] = form_label_scores(call->session, logits + i * labels, labels, row_type);
	ReleaseTupleDesc(row_type);
}

static const RoformerFunction classify_all = {.options = 0, .run = classify_inputs_fully};

Datum
roformer_classify_all(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &classify_all);
}

Datum
roformer_classify_all_set(PG_FUNCTION_ARGS)
{
	return roformer_call_set(fcinfo, &classify_all);
}

static void
regress_inputs(RoformerCall *call, Datum *results)
{
	const RfConfig *config = rf_session_config(call->session->engine);
	const float *logits;

	roformer_task_require(call, RF_TASK_SEQUENCE_CLASSIFICATION);
	if (config->num_labels != 1)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("model \"%s\" has %d outputs, regress() is for models with one",
							   call->session->model->name, config->num_labels),
						config->problem == RF_PROBLEM_REGRESSION
							? errhint("Use roformer.logits().")
							: errhint("Use roformer.classify() or roformer.logits().")));
	logits = compute_logits(call);
	for (size_t i = 0; i < call->count; i++)
		results[i] = Float4GetDatum(logits[i]);
}

static const RoformerFunction regress = {.options = 0, .run = regress_inputs};

Datum
roformer_regress(PG_FUNCTION_ARGS)
{
	return roformer_call_text(fcinfo, &regress);
}

Datum
roformer_regress_array(PG_FUNCTION_ARGS)
{
	return roformer_call_array(fcinfo, &regress);
}
