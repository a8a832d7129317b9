/*
 * session.h - from a model's name to something that computes: lookup, rights, image, workspace.
 */
#ifndef ROFORMER_SESSION_H
#define ROFORMER_SESSION_H

#include "postgres.h"
#include "fmgr.h"

#include "pg/catalog.h"
#include "pg/stats.h"
#include "rf/engine.h"

typedef struct RoformerSession
{
	RoformerModel *model;
	RfSession *engine;
	RfRunOptions options;           /* from settings and the model's options */
	RoformerStatsModel stats_model; /* model, for roformer_stats_begin() and _add() */
} RoformerSession;

/*
 * The session for the model named by argument 0, cached in fcinfo->flinfo for as long as the
 * statement runs: it keeps its image even if the model is replaced or dropped meanwhile. Looked up
 * again when the name, the user or the settings differ, or after a change under another snapshot.
 */
extern RoformerSession *roformer_session_of_call(FunctionCallInfo fcinfo);

/* The same by name for callers without fcinfo (prewarm); lives in the given context. */
extern RoformerSession *roformer_session_open(const char *name, MemoryContext context);

/* The label in the server's encoding: set_model_option's, else the model's own. */
extern const char *roformer_session_label(const RoformerSession *session, int32 label);

extern void roformer_session_init(void); /* _PG_init: makes caches forget what the catalog drops */

#endif
