/*
 * batch_column.c - columns of texts on offer, and what was computed of them ahead.
 *
 * Nothing is computed before a call asks: it has passed all checks by then (model, rights, task),
 * and an expression that isn't evaluated (behind CASE, or behind a condition that is false) costs
 * nothing. From then on the texts of the row that asks and of those behind it are held
 * (rf/engine.h). An expression that few rows come to is found out by counting: at most twice as
 * many rows are computed as ask, and one batch more.
 *
 * A text that can't be computed must fail its own row, and no earlier one. So errors of the work
 * done ahead are dropped: rows of that batch that were not reached compute by themselves.
 */
#include "postgres.h"

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
	column->failed = false;
	dlist_push_head(&columns, &column->node);
	column->offered = true;
}

void
roformer_batch_withdraw(RoformerColumn *column)
{
	if (column->offered)
		dlist_delete(&column->node);
	column->offered = false;
	for (int i = 0; i < column->ahead_count; i++)
	{
		rf_held_free(column->ahead[i].held);
		column->ahead[i].held = NULL;
	}
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

/* Rows before the one that is being evaluated won't be asked for any more. */
static void
read_inputs(RoformerColumn *column)
{
	int rows = column->rows - column->row;
	MemoryContext caller = MemoryContextSwitchTo(column->context);

	column->inputs = palloc(sizeof(RfInput) * ROFORMER_INPUTS_OF_ROW * rows);
	column->places = palloc(sizeof(int) * (rows + 1));
	column->count = 0;
	column->first_row = column->row;
	for (int i = 0; i < rows; i++)
	{
		column->places[i] = (int) column->count;
		column->count +=
			column->read(column, column->first_row + i, &column->inputs[column->count]);
	}
	column->places[rows] = (int) column->count;
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

	if (column->inputs == NULL)
		read_inputs(column);
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

/* Of more models than there is room for, the last place serves all. */
static RoformerAhead *
ahead_of_model(RoformerColumn *column, const RfSession *engine)
{
	RoformerAhead *ahead;

	for (int i = 0; i < column->ahead_count; i++)
	{
		if (column->ahead[i].engine == engine)
			return &column->ahead[i];
	}
	if (column->ahead_count < ROFORMER_MODELS_OF_COLUMN)
		column->ahead_count++;
	ahead = &column->ahead[column->ahead_count - 1];
	rf_held_free(ahead->held);
	memset(ahead, 0, sizeof(*ahead));
	ahead->engine = engine;
	return ahead;
}

static bool
has_inputs(const RoformerAhead *ahead, const RfSession *engine, const RfRun *run,
		   const RfInput *inputs, size_t count)
{
	if (ahead->held == NULL || !rf_held_serves(ahead->held, engine, &run->options))
		return false;
	for (size_t i = 0; i < count; i++)
	{
		if (!rf_held_has(ahead->held, &inputs[i]))
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

/* Rows from the one being evaluated on that have a text. */
static int
count_rows(const RoformerColumn *column)
{
	int count = 0;

	for (int row = column->row - column->first_row; row < column->rows - column->first_row; row++)
		count += column->places[row + 1] > column->places[row];
	return count;
}

static void
add_work(RfRunStats *sum, const RfRunStats *work)
{
	sum->rows += work->rows;
	sum->tokens += work->tokens;
	sum->truncated_rows += work->truncated_rows;
	sum->batches += work->batches;
	sum->tokenize_ns += work->tokenize_ns;
	sum->compute_ns += work->compute_ns;
}

static void
compute_ahead(RoformerColumn *column, RoformerAhead *ahead, RfSession *engine, RfRun *run)
{
	size_t place = column->places[column->row - column->first_row];
	RfRun work = {.options = run->options};
	RfError err;

	rf_held_free(ahead->held);
	if (rf_session_hold(engine, &work, &column->inputs[place], column->count - place,
						roformer_memory(column->context), &ahead->held, &err) != RF_OK)
		column->failed = true;
	ahead->covered += count_rows(column);
	for (size_t i = place; i < column->count; i++)
		column->work_bytes += column->inputs[i].length + column->inputs[i].pair_length;
	add_work(&column->work, &work.stats);
	column->precision = rf_session_precision(engine);
	column->kernels = rf_session_kernels(engine);
	run->stats.batches += work.stats.batches;
	run->stats.tokenize_ns += work.stats.tokenize_ns;
	run->stats.compute_ns += work.stats.compute_ns;
}

static const RfHeld *
find_in_column(RoformerColumn *column, RfSession *engine, RfRun *run, const RfInput *inputs,
			   size_t count)
{
	RoformerAhead *ahead = ahead_of_model(column, engine);

	if (has_inputs(ahead, engine, run, inputs, count))
	{
		count_row(column, ahead);
		return ahead->held;
	}
	if (!is_current(column, inputs, count))
		return NULL;
	count_row(column, ahead);
	if (column->failed || !is_worthwhile(ahead))
		return NULL;
	compute_ahead(column, ahead, engine, run);
	return has_inputs(ahead, engine, run, inputs, count) ? ahead->held : NULL;
}

const RfHeld *
roformer_batch_find(Oid function, RfSession *engine, RfRun *run, const RfInput *inputs,
					size_t count)
{
	dlist_iter iter;

	dlist_foreach(iter, &columns)
	{
		RoformerColumn *column = dlist_container(RoformerColumn, node, iter.cur);
		const RfHeld *held;

		if (!serves_function(column, function))
			continue;
		held = find_in_column(column, engine, run, inputs, count);
		if (held == NULL)
			continue;
		dlist_move_head(&columns, &column->node);
		return held;
	}
	return NULL;
}
