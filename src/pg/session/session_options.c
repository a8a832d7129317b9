/*
 * session_options.c - what the settings and a model's options come to.
 *
 * A setting that the user, role, database or configuration file gave a value wins over the model's
 * option (set_model_option), which wins over the engine's default.
 */
#include "session_private.h"

#include "pg/support.h"

void
roformer_settings_read(RoformerSettings *settings)
{
	settings->precision = roformer_precision;
	settings->max_length = roformer_max_length;
	settings->overflow = roformer_overflow;
	settings->batch_tokens = roformer_batch_tokens;
	strlcpy(settings->kernels, roformer_kernels, sizeof(settings->kernels));
}

bool
roformer_settings_unchanged(const RoformerSettings *settings)
{
	return settings->precision == roformer_precision &&
		   settings->max_length == roformer_max_length && settings->overflow == roformer_overflow &&
		   settings->batch_tokens == roformer_batch_tokens &&
		   strcmp(settings->kernels, roformer_kernels) == 0;
}

/*
 * What "auto" means: what the kernels are fastest in without visible loss, provided that the model
 * decides as in fp32. int8 is never taken unasked.
 */
static RfPrecision
choose_precision(const RoformerModel *model, const RfKernels *kernels)
{
	RfPrecision preferred = rf_kernels_preferred(kernels);

	return model->agreement[preferred] >= ROFORMER_ENOUGH_AGREEMENT ? preferred : RF_PRECISION_FP32;
}

/* The precision the model computes in. */
RfPrecision
roformer_options_precision(const RoformerModel *model, const RfKernels *kernels)
{
	int precision = roformer_precision;

	if (precision == ROFORMER_PRECISION_AUTO && model->options.precision >= 0)
		precision = model->options.precision;
	switch (precision)
	{
		case ROFORMER_PRECISION_AUTO:
			return choose_precision(model, kernels);
		case ROFORMER_PRECISION_FP32:
			return RF_PRECISION_FP32;
		case ROFORMER_PRECISION_BF16:
			return RF_PRECISION_BF16;
		case ROFORMER_PRECISION_INT8:
			return RF_PRECISION_INT8;
	}
	elog(ERROR, "unrecognized precision setting: %d", precision);
}

const RfKernels *
roformer_options_kernels(void)
{
	const RfKernels *kernels;
	RfError err;

	roformer_check(rf_kernels_choose(roformer_kernels, &kernels, &err), &err);
	return kernels;
}

RfRunOptions
roformer_options_run(const RoformerModel *model)
{
	RfRunOptions options;

	options.max_length = roformer_max_length > 0 ? roformer_max_length : model->options.max_length;
	options.overflow = RF_OVERFLOW_TRUNCATE;
	if (roformer_overflow != ROFORMER_OVERFLOW_UNSET)
		options.overflow = (RfOverflow) roformer_overflow;
	else if (model->options.overflow >= 0)
		options.overflow = (RfOverflow) model->options.overflow;
	options.batch_tokens = roformer_batch_tokens;
	return options;
}
