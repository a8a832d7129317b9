/*
 * dispatch.c - the known kernel sets and the choice among them.
 *
 * Tables are filled at first use, so that a process which computes nothing (the postmaster) pays
 * nothing and loads nothing. "auto" never loads a library: the own kernels are faster than the
 * BLAS at every shape, which stands here for comparison and for processors without AVX2.
 */
#include "dispatch.h"

#include <string.h>

#include "probe.h"

typedef struct KernelSet
{
	const char *name;
	/* NULL when this machine can run it, else why it can't */
	const char *(*refuse)(void);
	/* what it uses, when it can run */
	const char *(*describe)(void);
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
refuse_avx512(void)
{
	return rf_cpu()->avx512 ? NULL : rf_cpu()->avx512_reason;
}

static const char *
describe_avx512(void)
{
	return rf_cpu()->avx512_reason;
}

static void
fill_avx2(RfKernels *kernels)
{
	rf_kernels_fill_ref(kernels);
	rf_kernels_fill_avx2(kernels);
}

static void
fill_avx512(RfKernels *kernels)
{
	fill_avx2(kernels);
	rf_kernels_fill_avx512(kernels);
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

/* Fastest first; "auto" takes the first that can run, "blas" excepted. */
static KernelSet sets[] = {
	{.name = "avx512", .refuse = refuse_avx512, .describe = describe_avx512, .fill = fill_avx512},
	{.name = "avx2", .refuse = refuse_avx2, .describe = describe_avx2, .fill = fill_avx2},
	{.name = "ref", .refuse = refuse_ref, .describe = describe_ref, .fill = rf_kernels_fill_ref},
	{.name = "blas", .refuse = rf_blas_load, .describe = rf_blas_description, .fill = fill_blas},
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

static KernelSet *
find_automatic(void)
{
	KernelSet *set = sets;

	while (set->refuse() != NULL) /* ends at ref */
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

RfCode
rf_kernels_choose(const char *name, const RfKernels **kernels, RfError *err)
{
	KernelSet *set = strcmp(name, "auto") == 0 ? find_automatic() : find_named(name);
	const char *refusal;

	*kernels = NULL;
	if (set == NULL)
	{
		rf_error_set(err, RF_INVALID, "unknown kernel set \"%s\"", name);
		rf_error_hint(err, "Known are \"auto\", \"avx512\", \"avx2\", \"ref\" and \"blas\".");
		return RF_INVALID;
	}
	refusal = set->refuse();
	if (refusal != NULL)
	{
		rf_error_set(err, RF_UNSUPPORTED, "kernel set \"%s\" can't be used here: %s", name,
					 refusal);
		return RF_UNSUPPORTED;
	}
	if (!set->filled)
	{
		set->fill(&set->table);
		set->table.name = set->name;
		set->filled = true;
	}
	*kernels = &set->table;
	return RF_OK;
}

const char *
rf_kernels_name(const RfKernels *kernels)
{
	return kernels->name;
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
	return true;
}
