/*
 * hold.h - what is held of inputs that were computed ahead.
 */
#ifndef RF_ENGINE_HOLD_H
#define RF_ENGINE_HOLD_H

#include "windows.h"

/* A row of a run: a whole text, or a window of one. */
typedef struct RfHeldWindow
{
	RfWindow window;
	RfEncoding encoding;
	const float *hidden; /* [T,H] */
	struct RfHeldWindow *next;
} RfHeldWindow;

/* What is asked for at once: an input, or the choices of a prompt. */
typedef struct RfHeldGroup
{
	const RfInput *inputs; /* [count] */
	size_t count;
	uint64_t hash;
	bool computed;         /* what is below is complete */
	RfRunStats counts;     /* of a run over it: rows, tokens, cut ones, windows */
	RfHeldWindow *windows; /* RF_HOLD_STATES */
	RfHeldWindow *last;
	RfAnswer answer;     /* RF_HOLD_ANSWERS */
	const float *logits; /* RF_HOLD_CHOICES: [count] */
} RfHeldGroup;

struct RfHeld
{
	RfMemory memory;
	RfArena arena;
	uint64_t session_id;
	RfRunOptions run_options;
	RfHoldOptions options;
	RfHeldGroup *groups; /* [distinct] in the order they were given in */
	size_t distinct;
	size_t computed;
	uint32_t *places; /* [mask + 1] index of a group + 1, 0: free */
	size_t mask;
};

/* The group of these inputs; NULL where it is not there, or not complete. */
extern const RfHeldGroup *rf_held_find(const RfHeld *held, const RfInput *inputs, size_t count);

/*
 * Does the run hold all these inputs, each a group of its own, for states or answers of these
 * options? whole: and none of them in windows.
 */
extern bool rf_run_holds(const RfSession *session, const RfRun *run, const RfHoldOptions *options,
						 const RfInput *inputs, size_t count, bool whole);
/* The same as rf_run_windows with inputs that are all held. */
extern RfCode rf_held_run(const RfHeld *held, RfSession *session, RfRun *run, const RfInput *inputs,
						  size_t count, RfWindowConsumer consumer, void *context, RfError *err);

/* What a group's run has counted since then goes to counts. */
extern void rf_held_count(RfRunStats *counts, const RfRunStats *before, const RfRunStats *now);
/* Is it an error of one input, which others can be computed without? */
extern bool rf_held_can_skip(RfCode code);

/* answer.c, choose.c: compute all groups of held, but those that would be an error. */
extern RfCode rf_held_fill_answers(RfHeld *held, RfSession *session, RfRun *run, RfError *err);
extern RfCode rf_held_fill_choices(RfHeld *held, RfSession *session, RfRun *run, RfError *err);

#endif
