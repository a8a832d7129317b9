/*
 * batch_column.c - columns of texts on offer, and what was computed of them ahead.
 *
 * Nothing is computed before a call asks: it has passed all checks by then (model, rights, task),
 * and an expression that isn't evaluated (behind CASE, or behind a condition that is false) costs
 * nothing. From then on the texts of the row that asks and of those behind it are held
 * (rf/engine.h), in portions if the owner finds the batch too large. An expression that few rows
 * come to is found out by counting: at most twice as many rows are computed as ask, and one portion
 * more.
 *
 * A text that can't be computed must fail its own row, and no earlier one. So errors of the work
 * done ahead are dropped: rows of that portion that were not reached compute by themselves.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/batch.h"
#include "pg/support.h"

/* Rows that are computed ahead before it is judged whether enough of them ask. */
#define ROWS_TO_JUDGE 32

/* Most recently used first. Its members withdraw before they go. */
static dlist_head columns = DLIST_STATIC_INIT(columns);

void
roformer_batch_offer(RoformerColumn *column, int rows)
{
	roformer_batch_withdraw(column);
	column->rows = rows;
	column->row = 0;
	dlist_push_head(&columns, &column->node);
	column->offered = true;
}

static void
free_held(RoformerColumn *column)
{
	for (int i = 0; i < column->ahead_count; i++)
	{
		rf_held_free(column->ahead[i].held);
		column->ahead[i].held = NULL;
	}
}

void
roformer_batch_withdraw(RoformerColumn *column)
{
	if (column->offered)
		dlist_delete(&column->node);
	column->offered = false;
	free_held(column);
	column->portion = NULL;
	column->inputs = NULL;
	column->places = NULL;
	column->count = 0;
}

/* ---- the column's texts ---------------------------------------------------------------------- */

static bool
serves_function(const RoformerColumn *column, Oid function)
{
	for (int i = 0; i < column->function_count; i++)
	{
		if (column->functions[i] == function)
			return true;
	}
	return false;
}

static void
add_inputs(RoformerColumn *column, const RfInput *inputs, int count)
{
	if (column->count + count > column->room)
	{
		column->room = Max(column->room * 2, column->count + count);
		column->inputs = repalloc_huge(column->inputs, sizeof(RfInput) * column->room);
	}
	memcpy(column->inputs + column->count, inputs, sizeof(RfInput) * count);
	column->count += count;
}

/* What is held refers to the texts. */
static void
begin_portion(RoformerColumn *column)
{
	int rows = column->rows - column->row;

	free_held(column);
	if (column->portion == NULL)
		column->portion = AllocSetContextCreate(column->context, "roformer batch portion",
												ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(column->portion);
	column->room = rows;
	column->inputs = MemoryContextAllocHuge(column->portion, sizeof(RfInput) * rows);
	column->places = MemoryContextAllocHuge(column->portion, sizeof(int) * (rows + 1));
	column->count = 0;
	column->places[0] = 0;
	column->first_row = column->end_row = column->row;
	column->failed = false;
}

/* Rows before the one that is being evaluated won't be asked for any more. */
static void
read_portion(RoformerColumn *column)
{
	MemoryContext caller = CurrentMemoryContext;

	begin_portion(column);
	MemoryContextSwitchTo(column->portion);
	while (column->end_row < column->rows)
	{
		RfInput *inputs;
		int count = column->read(column, column->end_row, &inputs);

		CHECK_FOR_INTERRUPTS();
		if (count == ROFORMER_BATCH_ENOUGH)
			break;
		add_inputs(column, inputs, count);
		column->end_row++;
		column->places[column->end_row - column->first_row] = (int) column->count;
	}
	MemoryContextSwitchTo(caller);
}

static bool
same_text(const char *a, size_t a_length, const char *b, size_t b_length)
{
	return (a == NULL) == (b == NULL) && a_length == b_length &&
		   (a_length == 0 || memcmp(a, b, a_length) == 0);
}

/* Are these the inputs of the row that is being evaluated? */
static bool
is_current(RoformerColumn *column, const RfInput *inputs, size_t count)
{
	const RfInput *current;
	int row;

	if (column->portion == NULL || column->row >= column->end_row)
		read_portion(column);
	row = column->row - column->first_row;
	if (column->places[row + 1] - column->places[row] != (int) count)
		return false;
	current = &column->inputs[column->places[row]];
	for (size_t i = 0; i < count; i++)
	{
		if (!same_text(current[i].text, current[i].length, inputs[i].text, inputs[i].length) ||
			!same_text(current[i].pair, current[i].pair_length, inputs[i].pair,
					   inputs[i].pair_length))
			return false;
	}
	return true;
}

/* ---- computing ahead ------------------------------------------------------------------------- */

/*
 * Of more models than there is room for, those that no row of the batch has asked for yet make
 * room: a model comes in once a batch at most. NULL: there is none left.
 */
static RoformerAhead *
make_room(RoformerColumn *column)
{
	RoformerAhead *oldest = &column->ahead[0];

	if (column->ahead_count < ROFORMER_MODELS_OF_COLUMN)
		return &column->ahead[column->ahead_count++];
	for (int i = 1; i < column->ahead_count; i++)
	{
		if (column->ahead[i].last_asked < oldest->last_asked)
			oldest = &column->ahead[i];
	}
	return oldest->last_asked + column->row < column->number ? oldest : NULL;
}

static RoformerAhead *
ahead_of_model(RoformerColumn *column, const RoformerAsk *ask)
{
	RoformerAhead *ahead;

	for (int i = 0; i < column->ahead_count; i++)
	{
		if (column->ahead[i].engine == ask->engine &&
			rf_hold_options_equal(&column->ahead[i].options, &ask->options))
			return &column->ahead[i];
	}
	ahead = make_room(column);
	if (ahead == NULL)
		return NULL;
	rf_held_free(ahead->held);
	memset(ahead, 0, sizeof(*ahead));
	ahead->engine = ask->engine;
	ahead->options = ask->options;
	return ahead;
}

static bool
serves(const RoformerAhead *ahead, const RoformerAsk *ask)
{
	return ahead->held != NULL &&
		   rf_held_serves(ahead->held, ask->engine, &ask->run->options, &ask->options);
}

/* Choices are held as the group they are, other inputs each by itself. */
static bool
has_inputs(const RoformerAhead *ahead, const RoformerAsk *ask)
{
	if (!serves(ahead, ask))
		return false;
	if (ask->options.kind == RF_HOLD_CHOICES)
		return rf_held_has(ahead->held, ask->inputs, ask->count);
	for (size_t i = 0; i < ask->count; i++)
	{
		if (!rf_held_has(ahead->held, &ask->inputs[i], 1))
			return false;
	}
	return true;
}

/* Several calls of a row with one model count once. */
static void
count_row(RoformerColumn *column, RoformerAhead *ahead)
{
	if (ahead->last_asked == column->number)
		return;
	ahead->last_asked = column->number;
	ahead->asked++;
}

static bool
is_worthwhile(const RoformerAhead *ahead)
{
	return ahead->covered < ROWS_TO_JUDGE || ahead->asked * 2 >= ahead->covered;
}

/* Rows from the one being evaluated on that have a text, and how many inputs each has. */
static size_t
count_rows(const RoformerColumn *column, size_t *counts)
{
	size_t rows = 0;

	for (int row = column->row - column->first_row; row < column->end_row - column->first_row;
		 row++)
	{
		counts[rows] = column->places[row + 1] - column->places[row];
		rows += counts[rows] > 0;
	}
	return rows;
}

static void
add_work(RfRunStats *sum, const RfRunStats *work)
{
	sum->rows += work->rows;
	sum->tokens += work->tokens;
	sum->truncated_rows += work->truncated_rows;
	sum->windowed_rows += work->windowed_rows;
	sum->windows += work->windows;
	sum->batches += work->batches;
	sum->tokenize_ns += work->tokenize_ns;
	sum->compute_ns += work->compute_ns;
}

static void
note_work(RoformerColumn *column, const RoformerAsk *ask, const RfRunStats *work)
{
	RfRunStats *stats = &ask->run->stats;
	const RfRunOptions *options = &ask->run->options;

	add_work(&column->work, work);
	column->precision = rf_session_precision(ask->engine);
	column->kernels = rf_session_kernels(ask->engine);
	column->limit = 0;
	if (options->overflow == RF_OVERFLOW_TRUNCATE && ask->options.kind == RF_HOLD_STATES)
		column->limit = options->max_length > 0 ? options->max_length
												: rf_session_default_max_length(ask->engine);
	stats->batches += work->batches;
	stats->tokenize_ns += work->tokenize_ns;
	stats->compute_ns += work->compute_ns;
}

static void
compute_ahead(RoformerColumn *column, RoformerAhead *ahead, const RoformerAsk *ask)
{
	size_t place = column->places[column->row - column->first_row];
	size_t count = column->count - place;
	size_t *counts =
		MemoryContextAlloc(column->context, sizeof(size_t) * (column->end_row - column->row));
	size_t rows = count_rows(column, counts);
	bool grouped = ask->options.kind == RF_HOLD_CHOICES;
	RfRun work = {.options = ask->run->options};
	RfError err;

	rf_held_free(ahead->held);
	if (rf_session_hold(ask->engine, &work, &ask->options, &column->inputs[place],
						grouped ? counts : NULL, grouped ? rows : count,
						roformer_memory(column->context), &ahead->held, &err) != RF_OK)
		column->failed = true;
	ahead->covered += rows;
	for (size_t i = place; i < column->count; i++)
		column->work_bytes += column->inputs[i].length + column->inputs[i].pair_length;
	pfree(counts);
	note_work(column, ask, &work.stats);
}

static const RfHeld *
find_in_column(RoformerColumn *column, const RoformerAsk *ask)
{
	RoformerAhead *ahead = ahead_of_model(column, ask);

	if (ahead == NULL)
		return NULL;
	if (has_inputs(ahead, ask))
	{
		count_row(column, ahead);
		return ahead->held;
	}
	if (!is_current(column, ask->inputs, ask->count))
		return NULL;
	count_row(column, ahead);
	/* What was computed for the portion, and is not held, has to be computed by itself. */
	if (column->failed || serves(ahead, ask) || !is_worthwhile(ahead))
		return NULL;
	compute_ahead(column, ahead, ask);
	return has_inputs(ahead, ask) ? ahead->held : NULL;
}

const RfHeld *
roformer_batch_find(const RoformerAsk *ask)
{
	dlist_iter iter;

	dlist_foreach(iter, &columns)
	{
		RoformerColumn *column = dlist_container(RoformerColumn, node, iter.cur);
		const RfHeld *held;

		if (!serves_function(column, ask->function))
			continue;
		held = find_in_column(column, ask);
		if (held == NULL)
			continue;
		dlist_move_head(&columns, &column->node);
		return held;
	}
	return NULL;
}
