/*
 * answer.c - the span of a context that answers a question, as the question-answering pipeline of
 * Hugging Face transformers finds it (release 4.27).
 *
 * The context is cut into windows of W tokens, W being what the question and three special tokens
 * leave of a row; each begins W - doc_stride tokens after the one before, the last ends with the
 * context. In a window the softmax goes over the tokens of the context and [CLS], whose own share
 * counts for no span; the best span has the largest product of start and end. Its score is compared
 * with those of other windows as it is. Words are whole in the end: a span that begins or ends
 * within one is widened to it, over the edge of the window as well.
 *
 * What the reference leaves open: a question so long that a window would not get ahead (W not above
 * doc_stride) is cut, or refused where cutting is.
 *
 * Memory: a batch, the tokens of one question and one context, a few bytes a window of the run.
 */
#include "hold.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define DEFAULT_LENGTH 384
#define SPECIAL_TOKENS 3 /* [CLS] question [SEP] part [SEP] */
#define LEAST_LENGTH (SPECIAL_TOKENS + 2)
#define MOST_PIECES 100 /* of a word: longer ones are unknown as a whole */

/* A part of a context that is a row of the run. */
typedef struct Window
{
	size_t input;
	int32_t word_start; /* where the word begins to which its first token belongs */
	int32_t word_end;   /* where the word ends to which its last token belongs */
} Window;

/* The best span of an input so far. */
typedef struct Best
{
	double score;      /* -1: none yet */
	double impossible; /* the least product of [CLS] as start and as end of all windows */
} Best;

typedef struct AnswerRun
{
	const RfInput *inputs;
	size_t count;
	const RfAnswerOptions *options;
	size_t max_length;
	size_t doc_stride;
	RfAnswer *answers;   /* [count] */
	RfHeldGroup *groups; /* [count] computed ahead; NULL: a question that is an error is one */
	Best *bests;         /* [count] */
	RfArena kept;        /* to the end of the run: bests, windows */
	Window *windows;     /* [rows] of capacity */
	size_t rows;
	size_t capacity;
	/* The input whose windows are being made. */
	RfArena texts;
	RfTokens question;
	RfTokens context;
	size_t next_input; /* the one after it */
	size_t first;      /* token of the context the next window begins with */
} AnswerRun;

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Tokens of the context in a window. */
static size_t
window_size(const AnswerRun *answer)
{
	return answer->max_length - SPECIAL_TOKENS - answer->question.count;
}

static bool
continues_word(const RfSession *session, int32_t id)
{
	size_t length;
	const char *token = rf_tokenizer_token(&session->tokenizer, id, &length);

	return length > 2 && memcmp(token, "##", 2) == 0;
}

/* The first token, low or later, of the word that the token at belongs to. */
static size_t
word_first(const RfSession *session, const int32_t *ids, size_t low, size_t at)
{
	size_t limit = at > low + MOST_PIECES ? at - MOST_PIECES : low;

	while (at > limit && continues_word(session, ids[at]))
		at--;
	return at;
}

/* The token, high or before, behind the word that the token before end belongs to. */
static size_t
word_end(const RfSession *session, const int32_t *ids, size_t end, size_t high)
{
	size_t limit = smaller(high, end + MOST_PIECES);

	while (end < limit && continues_word(session, ids[end]))
		end++;
	return end;
}

/* The most tokens of a question: windows get ahead, and there is one at least. */
static size_t
question_limit(const AnswerRun *answer)
{
	size_t room = answer->max_length - SPECIAL_TOKENS;

	return room > answer->doc_stride + 2 ? room - answer->doc_stride - 1 : 1;
}

static RfCode
bound_question(RfRun *run, AnswerRun *answer, RfError *err)
{
	size_t limit = question_limit(answer);

	if (answer->question.count <= limit)
		return RF_OK;
	if (run->options.overflow != RF_OVERFLOW_TRUNCATE)
	{
		rf_error_set(err, RF_TOO_LONG, "question has %zu tokens, more than the limit of %zu",
					 answer->question.count, limit);
		rf_error_detail(err, "A longer one would leave no room for the context in %zu tokens.",
						answer->max_length);
		rf_error_hint(err, "Use a larger maximum length or a smaller doc_stride.");
		return RF_TOO_LONG;
	}
	answer->question.count = limit;
	run->stats.truncated_rows++;
	return RF_OK;
}

/* Tokenizes the next input. */
static RfCode
begin_input(RfSession *session, RfRun *run, AnswerRun *answer, RfError *err)
{
	const RfInput *input = &answer->inputs[answer->next_input];
	RfArena *arena = &answer->texts;

	RF_FAIL_IF(rf_abort_requested(&session->abort_fn), err, RF_CANCELED, "tokenizing was canceled");
	rf_arena_free(arena);
	answer->next_input++;
	answer->first = 0;
	RF_TRY(rf_tokenize(&session->tokenizer, input->text, input->length, &session->abort_fn, arena,
					   &answer->question, err));
	RF_TRY(rf_tokenize(&session->tokenizer, input->pair, input->pair_length, &session->abort_fn,
					   arena, &answer->context, err));
	run->stats.rows++;
	return bound_question(run, answer, err);
}

/* Remembers where the words end in which a window of tokens [first, end) does. */
static RfCode
note_window(const RfSession *session, AnswerRun *answer, size_t first, size_t end, RfError *err)
{
	const RfTokens *context = &answer->context;
	Window *window;

	if (answer->rows == answer->capacity)
	{
		const Window *old = answer->windows;

		answer->capacity = answer->capacity == 0 ? 16 : answer->capacity * 2;
		RF_NEW(&answer->kept, answer->windows, answer->capacity, err);
		if (answer->rows > 0)
			memcpy(answer->windows, old, answer->rows * sizeof(*old));
	}
	window = &answer->windows[answer->rows++];
	window->input = answer->next_input - 1;
	first = word_first(session, context->ids, 0, first);
	end = word_end(session, context->ids, end, context->count);
	window->word_start = context->start[first];
	window->word_end = context->start[end - 1] + context->length[end - 1];
	return RF_OK;
}

/* The same, but what is computed ahead does without an input that is an error. */
static RfCode
begin_next(RfSession *session, RfRun *run, AnswerRun *answer, RfError *err)
{
	RfHeldGroup *group = answer->groups == NULL ? NULL : &answer->groups[answer->next_input];
	RfRunStats before = run->stats;
	RfCode code = begin_input(session, run, answer, err);

	if (group == NULL)
		return code;
	group->computed = code == RF_OK;
	if (code == RF_OK)
		rf_held_count(&group->counts, &before, &run->stats);
	if (!rf_held_can_skip(code))
		return code;
	run->stats = before;
	answer->context.count = 0;
	return RF_OK;
}

static RfCode
make_window(RfSession *session, RfRun *run, AnswerRun *answer, RfArena *arena, RfEncoding *encoding,
			RfError *err)
{
	RfEncodeOptions options = {.add_special_tokens = true, .truncation = RF_TRUNCATE_NONE};
	size_t first = answer->first;
	size_t size = smaller(window_size(answer), answer->context.count - first);
	RfTokens part = {size, answer->context.ids + first, answer->context.start + first,
					 answer->context.length + first};

	RF_TRY(rf_encode_tokens(&session->tokenizer, &answer->question, &part, &options, arena,
							encoding, err));
	RF_TRY(note_window(session, answer, first, first + size, err));
	run->stats.tokens += encoding->count;
	run->stats.windowed_rows += first == 0 && size < answer->context.count;
	run->stats.windows += size < answer->context.count;
	if (first + size == answer->context.count)
		answer->first = answer->context.count;
	else
		answer->first +=
			window_size(answer) > answer->doc_stride ? window_size(answer) - answer->doc_stride : 1;
	return RF_OK;
}

static RfCode
next_window(RfSession *session, RfRun *run, void *context, RfArena *arena, RfEncoding *encoding,
			bool *more, RfError *err)
{
	AnswerRun *answer = context;
	RfRunStats before;

	while (answer->first >= answer->context.count && answer->next_input < answer->count)
		RF_TRY(begin_next(session, run, answer, err));
	*more = answer->first < answer->context.count;
	if (!*more)
		return RF_OK;
	before = run->stats;
	RF_TRY(make_window(session, run, answer, arena, encoding, err));
	if (answer->groups != NULL)
		rf_held_count(&answer->groups[answer->next_input - 1].counts, &before, &run->stats);
	return RF_OK;
}

/* A row being searched: its context's tokens are [first, end). */
typedef struct Search
{
	RfSession *session;
	const RfAnswerOptions *options;
	const RfEncoding *encoding;
	size_t first;
	size_t end;
	const double *starts; /* [T] probabilities; those of [CLS] and the context count */
	const double *ends;
} Search;

/* What a softmax over [CLS] and the context gives of column 0 or 1 of logits [T,2]. */
static void
normalize_column(const Search *search, const float *logits, size_t column, double *scores)
{
	double largest = (double) logits[column];
	double sum;

	for (size_t t = search->first; t < search->end; t++)
		largest = fmax(largest, (double) logits[2 * t + column]);
	scores[0] = exp((double) logits[column] - largest);
	sum = scores[0];
	for (size_t t = search->first; t < search->end; t++)
		sum += scores[t] = exp((double) logits[2 * t + column] - largest);
	scores[0] /= sum;
	for (size_t t = search->first; t < search->end; t++)
		scores[t] /= sum;
}

/* The span [*start, *end] with the largest product above *score; false when there is none. */
static RfCode
find_span(const Search *search, double *score, size_t *start, size_t *end, bool *found,
		  RfError *err)
{
	*found = false;
	for (size_t s = search->first; s < search->end; s++)
	{
		size_t last = smaller(search->end, s + (size_t) search->options->max_answer_len);

		RF_FAIL_IF(rf_abort_requested(&search->session->abort_fn), err, RF_CANCELED,
				   "computation was canceled");
		for (size_t e = s; e < last; e++)
			if (search->starts[s] * search->ends[e] > *score)
			{
				*score = search->starts[s] * search->ends[e];
				*start = s;
				*end = e;
				*found = true;
			}
	}
	return RF_OK;
}

/* Positions of the words in which the span's tokens are, start to end. */
static void
widen_span(const Search *search, const Window *window, size_t start, size_t end, RfAnswer *answer)
{
	const RfEncoding *encoding = search->encoding;
	size_t first = word_first(search->session, encoding->input_ids, search->first, start);
	size_t behind = word_end(search->session, encoding->input_ids, end + 1, search->end);
	int32_t stop = encoding->start[behind - 1] + encoding->length[behind - 1];

	answer->start = first == search->first ? window->word_start : encoding->start[first];
	answer->length = (behind == search->end ? window->word_end : stop) - answer->start;
}

/* Compares the best span of a row with the input's best so far. */
static RfCode
search_row(AnswerRun *answer, Search *search, const Window *window, RfError *err)
{
	Best *best = &answer->bests[window->input];
	RfAnswer *result = &answer->answers[window->input];
	size_t start = 0;
	size_t end = 0;
	bool found;

	best->impossible = fmin(best->impossible, search->starts[0] * search->ends[0]);
	RF_TRY(find_span(search, &best->score, &start, &end, &found, err));
	if (found)
		widen_span(search, window, start, end, result);
	return RF_OK;
}

/* The part of a row behind its question: from the first [SEP] that was added to the last. */
static void
locate_context(const RfEncoding *encoding, Search *search)
{
	search->end = encoding->count - 1;
	search->first = search->end;
	while (!encoding->special_tokens_mask[search->first - 1])
		search->first--;
}

static RfCode
answer_row(RfSession *session, AnswerRun *answer, const RfRunBatch *batch, size_t row, RfError *err)
{
	RfArenaMark mark = rf_arena_mark(batch->scratch);
	size_t width = (size_t) session->model.config->hidden_size;
	size_t from = batch->batch.row_start[row];
	size_t tokens = batch->batch.row_start[row + 1] - from;
	Search search = {session, answer->options, &batch->encodings[row], 0, 0, NULL, NULL};
	double *starts;
	double *ends;
	float *logits; /* [T,2] */

	RF_NEW(batch->scratch, logits, 2 * tokens, err);
	RF_NEW(batch->scratch, starts, tokens, err);
	RF_NEW(batch->scratch, ends, tokens, err);
	RF_TRY(rf_head_labels(&session->encoder, batch->hidden + from * width, tokens, batch->scratch,
						  logits, err));
	locate_context(search.encoding, &search);
	normalize_column(&search, logits, 0, starts);
	normalize_column(&search, logits, 1, ends);
	search.starts = starts;
	search.ends = ends;
	RF_TRY(search_row(answer, &search, &answer->windows[batch->first + row], err));
	rf_arena_rewind(batch->scratch, mark);
	return RF_OK;
}

static RfCode
put_answers(RfSession *session, RfRun *run, const RfRunBatch *batch, void *context, RfError *err)
{
	(void) run;
	for (size_t row = 0; row < batch->batch.rows; row++)
		RF_TRY(answer_row(session, context, batch, row, err));
	return RF_OK;
}

static RfCode
run_answers(RfSession *session, RfRun *run, AnswerRun *answer, RfError *err)
{
	RfRunSource source = {next_window, answer, false};

	RF_NEW(&answer->kept, answer->bests, answer->count, err);
	for (size_t i = 0; i < answer->count; i++)
		answer->bests[i] = (Best){-1, 1};
	RF_TRY(rf_run_rows(session, run, &source, put_answers, answer, err));
	for (size_t i = 0; i < answer->count; i++)
	{
		const Best *best = &answer->bests[i];

		answer->answers[i].found =
			best->score >= 0 &&
			!(answer->options->handle_impossible_answer && best->impossible > best->score);
		answer->answers[i].score = (float) best->score;
	}
	return RF_OK;
}

static RfCode
check_options(const AnswerRun *answer, RfError *err)
{
	RF_FAIL_IF(answer->options->max_answer_len < 1 || answer->options->doc_stride < 1, err,
			   RF_INVALID, "answers and what windows share must have one token at least");
	if (answer->max_length >= LEAST_LENGTH)
		return RF_OK;
	rf_error_set(err, RF_INVALID, "maximum length of %zu tokens is too small for answering",
				 answer->max_length);
	rf_error_detail(err, "A question and a part of the context need %d tokens at least.",
					LEAST_LENGTH);
	return RF_INVALID;
}

/* Checks, and computes into answer->answers [count], which are all zero. */
static RfCode
compute_answers(RfSession *session, RfRun *run, AnswerRun *answer, RfError *err)
{
	int32_t max_length = rf_run_max_length(session, run);
	RfCode code;

	if (run->options.max_length == 0 && max_length > DEFAULT_LENGTH)
		max_length = DEFAULT_LENGTH;
	answer->max_length = max_length < 0 ? 0 : (size_t) max_length;
	answer->doc_stride = smaller((size_t) answer->options->doc_stride, answer->max_length / 2);
	RF_TRY(check_options(answer, err));
	rf_arena_init(&answer->kept, session->memory);
	rf_arena_init(&answer->texts, session->memory);
	code = run_answers(session, run, answer, err);
	rf_arena_free(&answer->kept);
	rf_arena_free(&answer->texts);
	return code;
}

static void
take_held(RfRun *run, const RfInput *inputs, size_t count, RfAnswer *answers)
{
	static const RfRunStats nothing;

	for (size_t i = 0; i < count; i++)
	{
		const RfHeldGroup *group = rf_held_find(run->held, &inputs[i], 1);

		answers[i] = group->answer;
		rf_held_count(&run->stats, &nothing, &group->counts);
	}
}

RfCode
rf_run_answer(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
			  const RfAnswerOptions *options, RfAnswer **answers, RfError *err)
{
	AnswerRun answer = {.inputs = inputs, .count = count, .options = options};
	RfHoldOptions held = {.kind = RF_HOLD_ANSWERS, .answer = *options};

	RF_TRY(rf_session_require(session, RF_TASK_QUESTION_ANSWERING, err));
	RF_NEW0(run->arena, *answers, count, err);
	if (rf_run_holds(session, run, &held, inputs, count, false))
	{
		take_held(run, inputs, count, *answers);
		return RF_OK;
	}
	answer.answers = *answers;
	return compute_answers(session, run, &answer, err);
}

RfCode
rf_held_fill_answers(RfHeld *held, RfSession *session, RfRun *run, RfError *err)
{
	AnswerRun answer = {
		.count = held->distinct, .options = &held->options.answer, .groups = held->groups};
	RfInput *inputs;
	RfCode code;

	RF_TRY(rf_session_require(session, RF_TASK_QUESTION_ANSWERING, err));
	RF_NEW(&held->arena, inputs, held->distinct, err);
	RF_NEW0(&held->arena, answer.answers, held->distinct, err);
	for (size_t i = 0; i < held->distinct; i++)
		inputs[i] = held->groups[i].inputs[0];
	answer.inputs = inputs;
	code = compute_answers(session, run, &answer, err);
	for (size_t i = 0; i < held->distinct; i++)
	{
		RfHeldGroup *group = &held->groups[i];

		group->computed = group->computed && code == RF_OK;
		group->answer = answer.answers[i];
		held->computed += group->computed;
	}
	return code;
}
