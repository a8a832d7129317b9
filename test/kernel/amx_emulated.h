/*
 * amx_emulated.h - the kernels of the AMX unit on a model of it, for processors without one.
 */
#ifndef RF_TEST_AMX_EMULATED_H
#define RF_TEST_AMX_EMULATED_H

#include "../../src/kernels/dispatch.h"

/* A set whose bf16 and int8 formats are those of "amx", built with the model, the rest "ref". */
extern const RfKernels *emulated_amx(void);

#endif
