/*
 * stats.h - what was computed with each model, and what is being computed now.
 *
 * Whoever computes says so here: when a call begins, after each batch, and when the call ends. The
 * numbers are the server's where roformer is preloaded, this session's where it isn't. How they
 * are kept, and which locks guard them, is described in src/pg/stats/stats_table.c and
 * stats_progress.c.
 */
#ifndef ROFORMER_STATS_H
#define ROFORMER_STATS_H

#include "postgres.h"

#include "rf/engine.h"

/* What numbers belong to: a content of the current database. */
typedef struct RoformerStatsModel
{
	int64 id;
	uint8 digest[32];
	const char *name; /* for people */
} RoformerStatsModel;

/*
 * A call is about to compute with the model: it shows up in roformer.progress, and a cancellation
 * from here on counts as its own. May throw.
 */
extern void roformer_stats_begin(const RoformerStatsModel *model);

/*
 * Adds work done with the model since it was last told of, and calls that ended with it: 0 in the
 * middle of a call, 1 at the end of one. Tens of nanoseconds, no lock but once a transaction or
 * once a second; never throws. Work is what rf_run_* left in run.stats, which the caller clears.
 */
extern void roformer_stats_add(const RoformerStatsModel *model, uint64 calls, const RfRunStats *work);

extern void roformer_stats_init(void); /* _PG_init: shared memory, end of transaction */

#endif
