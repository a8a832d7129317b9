/*
 * probe.h - what the processor has and the operating system lets it use.
 */
#ifndef RF_KERNELS_PROBE_H
#define RF_KERNELS_PROBE_H

#include <stdbool.h>

typedef struct RfCpu
{
	bool avx2;               /* AVX2 and FMA */
	bool avx512;             /* AVX-512 F, BW, DQ, VL */
	bool avx2_vnni;          /* and AVX-VNNI */
	bool avx512_vnni;        /* and AVX512_VNNI */
	bool avx512_bf16;        /* and AVX512_VNNI, AVX512_BF16 */
	bool amx;                /* and AMX tiles, bf16 and int8, which the system has permitted */
	bool fast_bf16_dot;      /* as many bf16 dot products as FMAs, so twice the arithmetic */
	const char *avx2_reason; /* why not, else what is there */
	const char *avx512_reason;
	const char *amx_reason;
} RfCpu;

/* Probed once; the same pointer each time. */
extern const RfCpu *rf_cpu(void);

#endif
