/*
 * status.h - what every fallible engine function returns, and where it says why.
 *
 * A fallible function returns RfCode and takes RfError * as its last argument. The caller owns
 * the RfError; it is of fixed size, so that reporting a failure can't itself fail. The engine never
 * prints, exits, longjmps or asserts on input. Messages follow PostgreSQL's style: the message is
 * one line without a final period, detail and hint are sentences.
 */
#ifndef RF_STATUS_H
#define RF_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum RfCode
{
	RF_OK = 0,
	RF_NO_MEMORY,	/* the allocator returned NULL */
	RF_CANCELED,	/* the abort function asked to stop */
	RF_INVALID,		/* an argument outside its domain */
	RF_CORRUPT,		/* a file or stored bytes break their own format */
	RF_UNSUPPORTED, /* well formed, but nothing this engine does */
	RF_LIMIT,		/* larger than a documented limit */
	RF_IO,			/* the operating system refused; os_error says why */
	RF_NOT_FOUND,	/* a named file or thing does not exist */
	RF_TOO_LONG		/* a text has more tokens than it may */
} RfCode;

#define RF_NO_OFFSET UINT64_MAX

typedef struct RfError
{
	RfCode code;
	int os_error;		/* errno for RF_IO and RF_NOT_FOUND, else 0 */
	uint64_t offset;	/* byte offset in origin, RF_NO_OFFSET when it means nothing */
	char origin[160];	/* the file or tensor the failure is about, or "" */
	char message[320];
	char detail[2048];
	char hint[320];
} RfError;

#if defined(__GNUC__)
#define RF_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define RF_PRINTF(f, a)
#endif

/* Fills err (which may be NULL) with code and message, clears everything else; returns code. */
extern RfCode rf_error_set(RfError *err, RfCode code, const char *fmt, ...) RF_PRINTF(3, 4);
/* These add to an error set before; each replaces what the field held. Long texts end in "...". */
extern void rf_error_detail(RfError *err, const char *fmt, ...) RF_PRINTF(2, 3);
extern void rf_error_hint(RfError *err, const char *fmt, ...) RF_PRINTF(2, 3);
extern void rf_error_origin(RfError *err, const char *origin, uint64_t offset);
/* RF_IO or RF_NOT_FOUND (for ENOENT, ENOTDIR) with os_error = os_errno; returns the code. */
extern RfCode rf_error_os(RfError *err, int os_errno, const char *fmt, ...) RF_PRINTF(3, 4);
/* The failure nobody can describe better: what could not be allocated is given in bytes. */
extern RfCode rf_error_memory(RfError *err, size_t size);

#define RF_TRY(expr)                                                                              \
	do                                                                                            \
	{                                                                                             \
		RfCode rf_try_code_ = (expr);                                                             \
		if (rf_try_code_ != RF_OK)                                                                \
			return rf_try_code_;                                                                  \
	} while (0)

#define RF_FAIL_IF(cond, err, code, ...)                                                          \
	do                                                                                            \
	{                                                                                             \
		if (cond)                                                                                 \
			return rf_error_set((err), (code), __VA_ARGS__);                                      \
	} while (0)

/*
 * Polled by long work; true means stop soon and return RF_CANCELED. A NULL function never aborts.
 */
typedef struct RfAbort
{
	bool (*requested)(void *context);
	void *context;
} RfAbort;

static inline bool
rf_abort_requested(const RfAbort *abort_fn)
{
	return abort_fn != NULL && abort_fn->requested != NULL && abort_fn->requested(abort_fn->context);
}

#endif
