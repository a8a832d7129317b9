/*
 * probe.c - the one place that asks the processor.
 *
 * CPUID says what the processor has, XCR0 whether the operating system saves the registers that
 * go with it: both are needed (Intel SDM volume 1, chapters 14 and 15). The tile registers of AMX
 * are only given to a process that asks (Linux, Documentation/arch/x86/xstate.rst); it and those it
 * forks keep them. The answer may be no, as when a signal stack is too small for them.
 */
#include "probe.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdint.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define XCR0_AVX 0x6u     /* SSE and AVX state */
#define XCR0_AVX512 0xE6u /* and opmask, upper halves, upper registers */
#define XCR0_AMX 0x60000u /* tile configuration and tiles */

static uint64_t
read_xcr0(void)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return ((uint64_t) high << 32) | low;
}

static void
probe_avx2(RfCpu *cpu, bool present, uint64_t xcr0)
{
	cpu->avx2 = present && (xcr0 & XCR0_AVX) == XCR0_AVX;
	if (cpu->avx2)
		cpu->avx2_reason = "AVX2 and FMA";
	else if (present)
		cpu->avx2_reason = "the operating system does not enable AVX registers";
	else
		cpu->avx2_reason = "this processor has no AVX2 and FMA";
}

static void
probe_avx512(RfCpu *cpu, bool present, uint64_t xcr0)
{
	cpu->avx512 = present && (xcr0 & XCR0_AVX512) == XCR0_AVX512;
	if (cpu->avx512)
		cpu->avx512_reason = "AVX-512 F, BW, DQ and VL";
	else if (present)
		cpu->avx512_reason = "the operating system does not enable AVX-512 registers";
	else
		cpu->avx512_reason = "this processor has no AVX-512 F, BW, DQ and VL";
}

#define VNNI_BIT_C (1u << 11)                       /* leaf 7, 0 */
#define AMX_BITS_D (1u << 22 | 1u << 24 | 1u << 25) /* bf16, tiles, int8 */
#define AVX_VNNI_BIT_A (1u << 4)                    /* leaf 7, 1 */
#define BF16_BIT_A (1u << 5)

static bool
ask_for_tiles(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
	const int request_permission = 0x1023; /* ARCH_REQ_XCOMP_PERM */
	const int tile_data = 18;

	return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
	return false;
#endif
}

static void
probe_amx(RfCpu *cpu, unsigned bits, uint64_t xcr0)
{
	if (!cpu->avx512_bf16 || (bits & AMX_BITS_D) != AMX_BITS_D)
		cpu->amx_reason = "this processor has no AMX with bf16 and int8";
	else if ((xcr0 & XCR0_AMX) != XCR0_AMX)
		cpu->amx_reason = "the operating system does not enable AMX tiles";
	else if (!ask_for_tiles())
		cpu->amx_reason = "the operating system does not let this process use AMX tiles";
	else
	{
		cpu->amx = true;
		cpu->amx_reason = "AMX tiles, bf16 and int8; AVX-512 F, BW, DQ, VL, VNNI and BF16";
	}
}

/* Extensions, as far as the sets they extend are there. */
static void
probe_extensions(RfCpu *cpu, uint64_t xcr0)
{
	unsigned amx_bits = 0;
	unsigned a;
	unsigned b;
	unsigned c;
	unsigned d;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
	{
		cpu->avx512_vnni = cpu->avx512 && (c & VNNI_BIT_C) != 0;
		amx_bits = d;
		if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
		{
			cpu->avx2_vnni = cpu->avx2 && (a & AVX_VNNI_BIT_A) != 0;
			cpu->avx512_bf16 = cpu->avx512_vnni && (a & BF16_BIT_A) != 0;
		}
	}
	probe_amx(cpu, amx_bits, xcr0);
	/* Zen does a dot product in the time of an FMA, Intel's cores need that of two. */
	if (__get_cpuid(0, &a, &b, &c, &d))
		cpu->fast_bf16_dot = cpu->avx512_bf16 && b == signature_AMD_ebx && c == signature_AMD_ecx &&
							 d == signature_AMD_edx;
}

static void
probe_cpu(RfCpu *cpu)
{
	const unsigned avx512_bits = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
	unsigned a;
	unsigned b;
	unsigned c;
	unsigned d;
	uint64_t xcr0 = 0;
	bool avx2 = false;
	bool avx512 = false;

	if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE) != 0)
	{
		bool fma = (c & bit_FMA) != 0 && (c & bit_AVX) != 0;

		xcr0 = read_xcr0();
		if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		{
			avx2 = fma && (b & bit_AVX2) != 0;
			avx512 = avx2 && (b & avx512_bits) == avx512_bits;
		}
	}
	probe_avx2(cpu, avx2, xcr0);
	probe_avx512(cpu, avx512, xcr0);
	probe_extensions(cpu, xcr0);
}

#else

static void
probe_cpu(RfCpu *cpu)
{
	cpu->avx2_reason = "this is no x86-64 processor";
	cpu->avx512_reason = cpu->avx2_reason;
	cpu->amx_reason = cpu->avx2_reason;
}

#endif

const RfCpu *
rf_cpu(void)
{
	static RfCpu cpu;
	static bool probed;

	if (!probed)
	{
		probe_cpu(&cpu);
		probed = true;
	}
	return &cpu;
}
