/*
 * windows.h - runs over texts that may be longer than a row: in windows that overlap.
 */
#ifndef RF_ENGINE_WINDOWS_H
#define RF_ENGINE_WINDOWS_H

#include "session.h"

/*
 * What a row of a batch is of its text: all of it, or a window. Its tokens [first, end) count for
 * the text and are tokens at, at + 1, ... of it; those of a text's windows follow each other and
 * are together all its tokens, each once.
 */
typedef struct RfWindow
{
	size_t row;             /* input */
	const RfEncoding *text; /* all T tokens of it */
	size_t first;
	size_t end;
	size_t at;
	bool last; /* of the text */
} RfWindow;

/* windows [rows of the batch]; those of one input come one after the other. */
typedef RfCode (*RfWindowConsumer)(RfSession *session, RfRun *run, const RfRunBatch *batch,
								   const RfWindow *windows, void *context, RfError *err);

/*
 * Computes all inputs in their order. Texts longer than the run's max_length come in several
 * windows where overflow is RF_OVERFLOW_WINDOW, else cut or not at all. RF_INVALID: max_length
 * leaves no room for a window.
 */
extern RfCode rf_run_windows(RfSession *session, RfRun *run, const RfInput *inputs, size_t count,
							 RfWindowConsumer consumer, void *context, RfError *err);

/* The same, leaving out inputs that would be an error, and those whose windows fill a batch. */
extern RfCode rf_run_windows_ahead(RfSession *session, RfRun *run, const RfInput *inputs,
								   size_t count, RfWindowConsumer consumer, void *context,
								   RfError *err);

static inline bool
rf_window_is_whole(const RfWindow *window)
{
	return window->at == 0 && window->last;
}

/*
 * Adds what a window gives, values [n], to sums [n], in proportion to the tokens for which it
 * counts. With the text's last window the mean is complete and goes to result [n]; a whole text's
 * values go there as they are.
 */
extern void rf_window_add(const RfWindow *window, const float *values, size_t n, double *sums,
						  float *result);

#endif
