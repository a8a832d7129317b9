/*
 * tag.c - token labels to entities, as the token-classification pipeline of Hugging Face
 * transformers aggregates them (release 4.27).
 *
 * Softmax per token; added special tokens are left out. Strategy none: each token is an entity.
 * first, average and max first merge sub-words into words: a token continues a word when its text
 * is not as long as the characters it came from (it has "##" before it), and is not [UNK]. Then all
 * but none join neighbours of the same type, unless the later one begins one ("B-"); the score is
 * the mean. Type and place of a label are split at its prefix "B-" or "I-"; without one it counts
 * as "I-". Entities of label O are dropped at the end, so that an O between two entities separates
 * them.
 */
#include "windows.h"

#include <string.h>

#include "rf/utf8.h"

/* A token, or a word made of tokens. */
typedef struct Unit
{
	int32_t label;
	float score;
	int32_t start;
	int32_t end;
} Unit;

typedef struct TagContext
{
	RfAggregation aggregation;
	RfEntities *entities; /* [B] of the whole run */
	RfArena text;         /* of one text, whose windows may come in several batches */
	RfArenaMark start;
	float *scores; /* [T,C] of its tokens */
} TagContext;

/* One row being tagged. */
typedef struct TagRow
{
	const RfSession *session;
	const RfEncoding *encoding;
	const float *scores; /* [T,C] */
	size_t labels;       /* C */
} TagRow;

static int32_t
find_largest(const float *scores, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (scores[i] > scores[best])
			best = i;
	return (int32_t) best;
}

static bool
is_subword(const TagRow *row, size_t token)
{
	const RfTokenizer *tokenizer = &row->session->tokenizer;
	int32_t id = row->encoding->input_ids[token];
	size_t length;
	const char *text;

	if (id == tokenizer->special_ids[RF_SPECIAL_UNK])
		return false;
	text = rf_tokenizer_token(tokenizer, id, &length);
	return rf_utf8_length(text, length) != (size_t) row->encoding->length[token];
}

/* The unit of the label that has the largest of scores. */
static Unit
choose_label(const TagRow *row, const float *scores, size_t first, size_t last)
{
	const RfEncoding *encoding = row->encoding;
	Unit unit;

	unit.label = find_largest(scores, row->labels);
	unit.score = scores[unit.label];
	unit.start = encoding->start[first];
	unit.end = encoding->start[last] + encoding->length[last];
	return unit;
}

/* tokens [count]: positions of the tokens of one word; average [C] is work space. */
static Unit
merge_word(const TagRow *row, RfAggregation aggregation, const size_t *tokens, size_t count,
		   float *average)
{
	const float *scores = row->scores + tokens[0] * row->labels;

	if (aggregation == RF_AGGREGATE_MAX)
	{
		for (size_t i = 1; i < count; i++)
		{
			const float *other = row->scores + tokens[i] * row->labels;

			if (other[find_largest(other, row->labels)] > scores[find_largest(scores, row->labels)])
				scores = other;
		}
	}
	else if (aggregation == RF_AGGREGATE_AVERAGE)
	{
		for (size_t label = 0; label < row->labels; label++)
		{
			double sum = 0;

			for (size_t i = 0; i < count; i++)
				sum += row->scores[tokens[i] * row->labels + label];
			average[label] = (float) (sum / (double) count);
		}
		scores = average;
	}
	return choose_label(row, scores, tokens[0], tokens[count - 1]);
}

/* Tokens, merged to words where the strategy says so: *units [*count]. */
static RfCode
collect_units(const TagRow *row, RfAggregation aggregation, RfArena *scratch, Unit **units,
			  size_t *count, RfError *err)
{
	bool merges = aggregation != RF_AGGREGATE_NONE && aggregation != RF_AGGREGATE_SIMPLE;
	const RfEncoding *encoding = row->encoding;
	size_t *word; /* positions of its tokens */
	size_t word_size = 0;
	float *average;

	RF_NEW(scratch, *units, encoding->count, err);
	RF_NEW(scratch, word, encoding->count, err);
	RF_NEW(scratch, average, row->labels, err);
	*count = 0;
	for (size_t token = 0; token < encoding->count; token++)
	{
		if (encoding->special_tokens_mask[token])
			continue;
		if (word_size > 0 && !(merges && is_subword(row, token)))
		{
			(*units)[(*count)++] = merge_word(row, aggregation, word, word_size, average);
			word_size = 0;
		}
		word[word_size++] = token;
	}
	if (word_size > 0)
		(*units)[(*count)++] = merge_word(row, aggregation, word, word_size, average);
	return RF_OK;
}

/* The type behind "B-" or "I-"; *begins for "B-". */
static const char *
split_label(const char *label, bool *begins)
{
	*begins = strncmp(label, "B-", 2) == 0;
	return *begins || strncmp(label, "I-", 2) == 0 ? label + 2 : label;
}

/* The shown name of a group: what stands behind the label's first hyphen. */
static const char *
group_name(const char *label)
{
	const char *hyphen = strchr(label, '-');

	return hyphen == NULL ? label : hyphen + 1;
}

static const char *
unit_label(const RfSession *session, const RfRun *run, const Unit *unit)
{
	return run->labels != NULL ? run->labels[unit->label] : rf_session_label(session, unit->label);
}

/* Number of units from the first on that make one entity. */
static size_t
group_size(const RfSession *session, const RfRun *run, RfAggregation aggregation, const Unit *units,
		   size_t count)
{
	size_t size = 1;
	bool begins;
	const char *type = split_label(unit_label(session, run, &units[0]), &begins);

	if (aggregation == RF_AGGREGATE_NONE)
		return 1;
	while (size < count)
	{
		const char *next = split_label(unit_label(session, run, &units[size]), &begins);

		if (begins || strcmp(next, type) != 0)
			break;
		size++;
	}
	return size;
}

static RfCode
name_entity(const char *name, RfArena *arena, const char **label, RfError *err)
{
	*label = rf_arena_copy(arena, name, strlen(name));
	return *label == NULL ? rf_error_memory(err, strlen(name) + 1) : RF_OK;
}

static RfCode
group_units(const RfSession *session, const RfRun *run, RfAggregation aggregation,
			const Unit *units, size_t count, RfEntities *entities, RfError *err)
{
	size_t size;

	entities->count = 0;
	RF_NEW(run->arena, entities->entities, count, err);
	for (size_t first = 0; first < count; first += size)
	{
		const char *label = unit_label(session, run, &units[first]);
		const char *name = aggregation == RF_AGGREGATE_NONE ? label : group_name(label);
		RfEntity *entity = &entities->entities[entities->count];
		double sum = 0;

		size = group_size(session, run, aggregation, units + first, count - first);
		if (strcmp(name, "O") == 0)
			continue;
		for (size_t i = first; i < first + size; i++)
			sum += units[i].score;
		RF_TRY(name_entity(name, run->arena, &entity->label, err));
		entity->score = (float) (sum / (double) size);
		entity->start = units[first].start;
		entity->length = units[first + size - 1].end - entity->start;
		entities->count++;
	}
	return RF_OK;
}

/* Scores of the text's tokens, to which each window adds those that count in it. */
static RfCode
add_scores(RfSession *session, const RfRunBatch *batch, size_t index, const RfWindow *window,
		   float *scores, RfError *err)
{
	size_t labels = session->model.classifier.n;
	size_t width = (size_t) session->model.config->hidden_size;
	size_t first = batch->batch.row_start[index] + window->first;
	size_t tokens = window->end - window->first;

	scores += window->at * labels;
	RF_TRY(rf_head_labels(&session->encoder, batch->hidden + first * width, tokens, batch->scratch,
						  scores, err));
	for (size_t token = 0; token < tokens; token++)
		rf_softmax(scores + token * labels, labels, scores + token * labels);
	return RF_OK;
}

static RfCode
tag_text(RfSession *session, const RfRun *run, const RfRunBatch *batch, const RfWindow *window,
		 const TagContext *context, RfError *err)
{
	RfArenaMark mark = rf_arena_mark(batch->scratch);
	TagRow row = {session, window->text, context->scores, session->model.classifier.n};
	Unit *units;
	size_t count = 0;

	RF_TRY(collect_units(&row, context->aggregation, batch->scratch, &units, &count, err));
	RF_TRY(group_units(session, run, context->aggregation, units, count,
					   &context->entities[window->row], err));
	rf_arena_rewind(batch->scratch, mark);
	return RF_OK;
}

static RfCode
put_entities(RfSession *session, RfRun *run, const RfRunBatch *batch, const RfWindow *windows,
			 void *context, RfError *err)
{
	TagContext *tag = context;
	size_t labels = session->model.classifier.n;

	for (size_t row = 0; row < batch->batch.rows; row++)
	{
		const RfWindow *window = &windows[row];

		if (window->at == 0)
			RF_NEW(&tag->text, tag->scores, window->text->count * labels, err);
		RF_TRY(add_scores(session, batch, row, window, tag->scores, err));
		if (!window->last)
			continue;
		RF_TRY(tag_text(session, run, batch, window, tag, err));
		rf_arena_rewind(&tag->text, tag->start);
	}
	return RF_OK;
}

RfCode
rf_run_tag(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
		   RfAggregation aggregation, RfEntities **entities, RfError *err)
{
	TagContext context = {.aggregation = aggregation};
	RfCode code;

	RF_TRY(rf_session_require(session, RF_TASK_TOKEN_CLASSIFICATION, err));
	RF_NEW0(run->arena, *entities, count, err);
	context.entities = *entities;
	rf_arena_init(&context.text, session->memory);
	context.start = rf_arena_mark(&context.text);
	code = rf_run_windows(session, run, inputs, count, put_entities, &context, err);
	rf_arena_free(&context.text);
	return code;
}
