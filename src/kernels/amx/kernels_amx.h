/*
 * kernels_amx.h - formats of the AMX tile unit: bf16 and int8.
 */
#ifndef RF_KERNELS_AMX_H
#define RF_KERNELS_AMX_H

#include "../dispatch.h"

/* Overrides what differs from the formats of AVX-512, whose conversions it takes over. */
extern void rf_fill_formats_amx(RfFormat *formats);

#endif
