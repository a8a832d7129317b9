/*
 * kernels.h - sets of compute kernels and which of them this machine can run.
 *
 * A set is one table of functions (its rows are in src/kernels/dispatch.h) chosen at run time.
 * Every set gives results that don't depend on what else is in the batch.
 */
#ifndef RF_KERNELS_H
#define RF_KERNELS_H

#include "rf/status.h"

typedef struct RfKernels RfKernels;

/*
 * What weights are packed as and multiplied in. Sums, the residual stream, norms, softmax and
 * activation functions are fp32 in all of them.
 */
typedef enum RfPrecision
{
	RF_PRECISION_FP32,
	RF_PRECISION_BF16, /* weights and what they are multiplied with rounded to 8 bits */
	RF_PRECISION_INT8  /* the encoder's weights in 8-bit integers, the others in bf16 */
} RfPrecision;

#define RF_PRECISIONS (RF_PRECISION_INT8 + 1)

extern const char *rf_precision_name(RfPrecision precision);

/* Element-wise functions a set has a row for. */
typedef enum RfActivation
{
	RF_ACT_GELU,      /* x * (1 + erf(x / sqrt 2)) / 2 */
	RF_ACT_GELU_TANH, /* gelu_new, gelu_pytorch_tanh */
	RF_ACT_GELU_FAST,
	RF_ACT_QUICK_GELU,
	RF_ACT_GELU_10,
	RF_ACT_RELU,
	RF_ACT_RELU6,
	RF_ACT_SILU,
	RF_ACT_TANH,
	RF_ACT_SIGMOID,
	RF_ACT_LINEAR,
	RF_ACT_MISH,
	RF_ACT_LEAKY_RELU, /* slope 0.01 */
	RF_ACT_RELU2,
	RF_ACT_SELU,
	RF_ACT_LAPLACE,
	RF_ACT_GELU_ACCURATE
} RfActivation;

/*
 * name: "auto" or one of rf_kernels_status()'s. RF_INVALID for a name nobody knows, listing those
 * there are; RF_UNSUPPORTED, saying why, for one this machine can't run.
 */
extern RfCode rf_kernels_choose(const char *name, const RfKernels **kernels, RfError *err);
extern const char *rf_kernels_name(const RfKernels *kernels);

/* RF_UNSUPPORTED, saying which have it, when the set lacks the precision. */
extern RfCode rf_kernels_require(const RfKernels *kernels, RfPrecision precision, RfError *err);
/* The precision in which the set is fastest without visible loss: bf16 or fp32. */
extern RfPrecision rf_kernels_preferred(const RfKernels *kernels);

typedef struct RfKernelsStatus
{
	const char *name;
	bool available;
	bool automatic;                /* what "auto" means on this machine */
	const char *reason;            /* why it is not available, else what it uses */
	bool precision[RF_PRECISIONS]; /* which it has, when it is available */
} RfKernelsStatus;

/*
 * The i-th known set; false when there are no more. To know about "blas" OpenBLAS is loaded, which
 * is nothing for a process that others are forked from.
 */
extern bool rf_kernels_status(size_t i, RfKernelsStatus *status);

#endif
