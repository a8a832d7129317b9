/*
 * session_probe.c - computes a probe in fp32 and in each lower precision.
 *
 * Images are private and one at a time: the model is not committed yet, and may be replaced in the
 * next statement. So for as long as it takes there is one more copy of it in this backend's memory.
 */
#include "session_private.h"

#include "pg/support.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

typedef struct ProbeRun
{
	const RoformerModel *model;
	const RfKernels *kernels;
	MemoryContext context; /* of all that the probe needs */
	RfArena arena;
	const RfInput *inputs; /* NULL: to be made from the vocabulary by the first session */
	size_t count;
	void *words; /* compiled dictionary of a model that has one, not in the cache either */
	size_t words_size;
} ProbeRun;

/* The image in a precision, in context. */
static const void *
make_image(const ProbeRun *run, RfPrecision precision, MemoryContext context, size_t *size)
{
	RoformerModelLoad load;
	RoformerLoader loader = roformer_load_prepare(&load, run->model, precision, run->kernels);
	void *block;

	*size = loader.size(loader.context);
	block = MemoryContextAllocHuge(context, add_size(*size, RF_ALIGNMENT));
	block = (void *) RF_ALIGN((uintptr_t) block);
	loader.fill(loader.context, block, *size);
	MemoryContextDelete(load.context);
	return block;
}

static RfSession *
open_session(const ProbeRun *run, RfPrecision precision, MemoryContext context)
{
	RfSession *session;
	size_t size;
	const void *block = make_image(run, precision, context, &size);
	RfError err;

	roformer_check(
		rf_session_open(block, size, roformer_memory(context), roformer_abort(), &session, &err),
		&err);
	if (run->model->has_dictionary)
		roformer_check(rf_session_set_dictionary(session, run->words, run->words_size, &err), &err);
	return session;
}

/* False when texts are not enough to compute such a model. */
static bool
run_probe(ProbeRun *run, RfPrecision precision, RfProbe *probe)
{
	MemoryContext context =
		AllocSetContextCreate(run->context, "roformer probe", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	RfSession *session = open_session(run, precision, context);
	RfRun computing = {.arena = &run->arena};
	RfError err;
	RfCode code;

	if (run->inputs == NULL)
	{
		RfInput *inputs;

		roformer_check(rf_probe_texts(session, &run->arena, &inputs, &run->count, &err), &err);
		run->inputs = inputs;
	}
	code = rf_run_probe(session, &computing, run->inputs, run->count, probe, &err);
	if (code != RF_UNSUPPORTED)
		roformer_check(code, &err);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return code == RF_OK;
}

/* The chosen kernels, or the machine's own where those lack a precision. */
static const RfKernels *
choose_kernels(void)
{
	const RfKernels *kernels = roformer_options_kernels();
	RfError err;

	if (rf_kernels_require(kernels, RF_PRECISION_INT8, &err) != RF_OK)
		roformer_check(rf_kernels_choose("auto", &kernels, &err), &err);
	return kernels;
}

static void
compile_words(ProbeRun *run)
{
	RfAbort abort_fn = roformer_abort();
	RfFile file;
	RfError err;

	roformer_catalog_read_dictionary(run->model, &file);
	roformer_check(rf_jieba_compile(file.data, file.size, &abort_fn, &run->arena, &run->words,
									&run->words_size, &err),
				   &err);
}

bool
roformer_probe_model(const RoformerModel *model, const RfInput *inputs, size_t count,
					 RfDeviation *deviations)
{
	ProbeRun run = {.model = model, .inputs = inputs, .count = count};
	RfProbe exact;
	bool computed;

	run.kernels = choose_kernels();
	run.context =
		AllocSetContextCreate(CurrentMemoryContext, "roformer probes", ALLOCSET_DEFAULT_SIZES);
	rf_arena_init(&run.arena, roformer_memory(run.context));
	if (model->has_dictionary)
		compile_words(&run);
	computed = run_probe(&run, RF_PRECISION_FP32, &exact);
	for (int precision = 1; computed && precision < RF_PRECISIONS; precision++)
	{
		RfProbe rounded;

		computed = run_probe(&run, (RfPrecision) precision, &rounded);
		if (computed)
			rf_probe_compare(&exact, &rounded, &deviations[precision]);
	}
	MemoryContextDelete(run.context);
	return computed;
}
