/*
 * dispatch.c - the known kernel sets and the choice among them.
 *
 * Tables are filled at first use, so that a process which computes nothing (the postmaster) pays
 * nothing and loads nothing. "auto" never loads a library: the own kernels are faster than the
 * BLAS at every shape, which stands here for comparison and for processors without AVX2. Sets with
 * an extension differ from the set they extend in the formats that gain by it, and in nothing else.
 */
#include "dispatch.h"

#include <stdio.h>
#include <string.h>

#include "probe.h"

typedef struct KernelSet
{
	const char *name;
	/* NULL when this machine can run it, else why it can't */
	const char *(*refuse)(void);
	/* what it uses, when it can run */
	const char *(*describe)(void);
	/* NULL: always */
	bool (*is_fast)(void);
	void (*fill)(RfKernels *kernels);
	bool filled;
	RfKernels table;
} KernelSet;

static const char *
refuse_ref(void)
{
	return NULL;
}

static const char *
describe_ref(void)
{
	return "portable C";
}

static const char *
refuse_avx2(void)
{
	return rf_cpu()->avx2 ? NULL : rf_cpu()->avx2_reason;
}

static const char *
describe_avx2(void)
{
	return rf_cpu()->avx2_reason;
}

static const char *
refuse_avx2_vnni(void)
{
	return rf_cpu()->avx2_vnni ? NULL : "this processor has no AVX-VNNI";
}

static const char *
describe_avx2_vnni(void)
{
	return "AVX2, FMA and AVX-VNNI";
}

static const char *
refuse_avx512(void)
{
	return rf_cpu()->avx512 ? NULL : rf_cpu()->avx512_reason;
}

static const char *
describe_avx512(void)
{
	return rf_cpu()->avx512_reason;
}

static const char *
refuse_avx512_vnni(void)
{
	return rf_cpu()->avx512_vnni ? NULL : "this processor has no AVX-512 VNNI";
}

static const char *
describe_avx512_vnni(void)
{
	return "AVX-512 F, BW, DQ, VL and VNNI";
}

static const char *
refuse_avx512_bf16(void)
{
	return rf_cpu()->avx512_bf16 ? NULL : "this processor has no AVX-512 VNNI and BF16";
}

static const char *
describe_avx512_bf16(void)
{
	return rf_cpu()->fast_bf16_dot
			   ? "AVX-512 F, BW, DQ, VL, VNNI and BF16"
			   : "AVX-512 F, BW, DQ, VL, VNNI and BF16, whose products are slow here";
}

static const char *
refuse_amx(void)
{
	return rf_cpu()->amx ? NULL : rf_cpu()->amx_reason;
}

static const char *
describe_amx(void)
{
	return rf_cpu()->amx_reason;
}

static void
fill_avx2(RfKernels *kernels)
{
	rf_kernels_fill_ref(kernels);
	rf_kernels_fill_avx2(kernels);
}

static void
fill_avx2_vnni(RfKernels *kernels)
{
	fill_avx2(kernels);
	rf_kernels_fill_avx2_vnni(kernels);
}

static void
fill_avx512(RfKernels *kernels)
{
	fill_avx2(kernels);
	rf_kernels_fill_avx512(kernels);
}

static void
fill_avx512_vnni(RfKernels *kernels)
{
	fill_avx512(kernels);
	rf_kernels_fill_avx512_vnni(kernels);
}

static void
fill_avx512_bf16(RfKernels *kernels)
{
	fill_avx512_vnni(kernels);
	rf_kernels_fill_avx512_bf16(kernels);
	kernels->fast_bf16 = rf_cpu()->fast_bf16_dot;
}

static void
fill_amx(RfKernels *kernels)
{
	fill_avx512_bf16(kernels);
	rf_kernels_fill_amx(kernels);
}

static void
fill_blas(RfKernels *kernels)
{
	if (rf_cpu()->avx512)
		fill_avx512(kernels);
	else if (rf_cpu()->avx2)
		fill_avx2(kernels);
	else
		rf_kernels_fill_ref(kernels);
	rf_kernels_fill_blas(kernels);
}

static bool
is_fast_avx512_bf16(void)
{
	return rf_cpu()->fast_bf16_dot;
}

/* Fastest first. "auto" takes the first that can run and is the fastest where it can. */
static KernelSet sets[] = {
	{.name = "amx", .refuse = refuse_amx, .describe = describe_amx, .fill = fill_amx},
	{.name = "avx512_bf16",
	 .refuse = refuse_avx512_bf16,
	 .describe = describe_avx512_bf16,
	 .is_fast = is_fast_avx512_bf16,
	 .fill = fill_avx512_bf16},
	{.name = "avx512_vnni",
	 .refuse = refuse_avx512_vnni,
	 .describe = describe_avx512_vnni,
	 .fill = fill_avx512_vnni},
	{.name = "avx512", .refuse = refuse_avx512, .describe = describe_avx512, .fill = fill_avx512},
	{.name = "avx2_vnni",
	 .refuse = refuse_avx2_vnni,
	 .describe = describe_avx2_vnni,
	 .fill = fill_avx2_vnni},
	{.name = "avx2", .refuse = refuse_avx2, .describe = describe_avx2, .fill = fill_avx2},
	{.name = "ref", .refuse = refuse_ref, .describe = describe_ref, .fill = rf_kernels_fill_ref},
	{.name = "blas", .refuse = rf_blas_load, .describe = rf_blas_description, .fill = fill_blas},
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

static KernelSet *
find_automatic(void)
{
	KernelSet *set = sets;

	/* ends at ref */
	while (set->refuse() != NULL || (set->is_fast != NULL && !set->is_fast()))
		set++;
	return set;
}

static KernelSet *
find_named(const char *name)
{
	for (size_t i = 0; i < SETS; i++)
		if (strcmp(sets[i].name, name) == 0)
			return &sets[i];
	return NULL;
}

static const RfKernels *
fill_set(KernelSet *set)
{
	if (!set->filled)
	{
		set->fill(&set->table);
		set->table.name = set->name;
		set->filled = true;
	}
	return &set->table;
}

/* BLAS is left out: to know about it is to load it. */
static void
hint_available(RfError *err)
{
	char names[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < SETS; i++)
		if (sets[i].fill != fill_blas && sets[i].refuse() == NULL)
			used += (size_t) snprintf(names + used, sizeof(names) - used, "%s\"%s\"",
									  used > 0 ? ", " : "", sets[i].name);
	rf_error_hint(err, "This machine has %s; \"auto\" takes \"%s\".", names,
				  find_automatic()->name);
}

RfCode
rf_kernels_choose(const char *name, const RfKernels **kernels, RfError *err)
{
	KernelSet *set = strcmp(name, "auto") == 0 ? find_automatic() : find_named(name);
	const char *refusal;

	*kernels = NULL;
	if (set == NULL)
	{
		rf_error_set(err, RF_INVALID, "unknown kernel set \"%s\"", name);
		rf_error_hint(err,
					  "Known are \"auto\", \"amx\", \"avx512_bf16\", \"avx512_vnni\", \"avx512\", "
					  "\"avx2_vnni\", \"avx2\", \"ref\" and \"blas\".");
		return RF_INVALID;
	}
	refusal = set->refuse();
	if (refusal != NULL)
	{
		rf_error_set(err, RF_UNSUPPORTED, "kernel set \"%s\" can't be used here: %s", name,
					 refusal);
		hint_available(err);
		return RF_UNSUPPORTED;
	}
	*kernels = fill_set(set);
	return RF_OK;
}

const char *
rf_kernels_name(const RfKernels *kernels)
{
	return kernels->name;
}

const char *
rf_precision_name(RfPrecision precision)
{
	switch (precision)
	{
		case RF_PRECISION_FP32:
			return "fp32";
		case RF_PRECISION_BF16:
			return "bf16";
		case RF_PRECISION_INT8:
			return "int8";
	}
	return "unknown";
}

RfCode
rf_kernels_require(const RfKernels *kernels, RfPrecision precision, RfError *err)
{
	if ((size_t) precision < RF_PRECISIONS && kernels->formats[precision].gemm != NULL)
		return RF_OK;
	rf_error_set(err, RF_UNSUPPORTED, "kernel set \"%s\" has no precision \"%s\"", kernels->name,
				 rf_precision_name(precision));
	rf_error_hint(err, "It has fp32; all other sets have bf16 and int8 too.");
	return RF_UNSUPPORTED;
}

RfPrecision
rf_kernels_preferred(const RfKernels *kernels)
{
	return kernels->fast_bf16 ? RF_PRECISION_BF16 : RF_PRECISION_FP32;
}

bool
rf_kernels_status(size_t i, RfKernelsStatus *status)
{
	KernelSet *set;
	const char *refusal;

	if (i >= SETS)
		return false;
	set = &sets[i];
	refusal = set->refuse();
	status->name = set->name;
	status->available = refusal == NULL;
	status->automatic = set == find_automatic();
	status->reason = refusal != NULL ? refusal : set->describe();
	for (size_t precision = 0; precision < RF_PRECISIONS; precision++)
		status->precision[precision] =
			status->available && fill_set(set)->formats[precision].gemm != NULL;
	return true;
}
