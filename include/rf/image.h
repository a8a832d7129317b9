/*
 * image.h - a model as one position-independent, read-only block of memory.
 *
 * The image holds configuration, labels, tokenizer and weights, packed for one precision and one
 * set of kernels. It is planned from a spec and the stored tensors' shapes (how large will it be?),
 * then filled by whoever owns the memory: rows are pushed in, so that the code which reads them may
 * throw between two calls without leaving anything of the engine behind. Offsets only, no pointers.
 *
 *   plan  = rf_image_plan(spec, match, ...)          size known
 *   rf_image_begin(plan, memory)                     header, labels, tokenizer
 *   rf_image_put(plan, memory, p, first, rows, ...)  every row of every parameter once, any order
 *   rf_image_finish(plan, memory)                    checks completeness, makes it valid
 */
#ifndef RF_IMAGE_H
#define RF_IMAGE_H

#include "rf/kernels.h"
#include "rf/spec.h"

typedef struct RfImagePlan RfImagePlan;

/*
 * Everything the plan needs (compiled tokenizer included) is in arena afterwards. stored: the
 * tensors behind match's sources, for their element types.
 */
extern RfCode rf_image_plan(const RfSpec *spec, const RfMatch *match, const RfTensorDesc *stored,
							RfPrecision precision, const RfKernels *kernels, RfArena *arena,
							RfImagePlan **plan, RfError *err);
extern size_t rf_image_size(const RfImagePlan *plan);

/* memory: rf_image_size bytes, aligned to RF_ALIGNMENT */
extern RfCode rf_image_begin(RfImagePlan *plan, void *memory, RfError *err);
/* data: rows * (bytes of a row) of parameter match->parameters[parameter], in its stored type */
extern RfCode rf_image_put(RfImagePlan *plan, void *memory, size_t parameter, uint64_t first,
						   uint64_t rows, const void *data, size_t size, RfError *err);
/* RF_CORRUPT, naming the first incomplete parameter, when rows are missing. */
extern RfCode rf_image_finish(RfImagePlan *plan, void *memory, RfError *err);

#endif
