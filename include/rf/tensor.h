/*
 * tensor.h - element types and shapes of stored weights.
 *
 * A tensor is read and stored by rows: shape[0] rows for rank 2 and more, one element a row for
 * rank 1, one row for a scalar. Data is little-endian, row-major, without gaps, in the orientation
 * of PyTorch (a Linear layer is [out, in]).
 */
#ifndef RF_TENSOR_H
#define RF_TENSOR_H

#include "rf/status.h"

#define RF_MAX_RANK 8
#define RF_MAX_TENSOR_NAME 255

typedef enum RfDtype
{
	RF_F32,
	RF_F16,
	RF_BF16,
	RF_F64,
	RF_I64,
	RF_I32,
	RF_I16,
	RF_I8,
	RF_U8,
	RF_BOOL
} RfDtype;

typedef struct RfTensorDesc
{
	const char *name;
	RfDtype dtype;
	int rank; /* 0 .. RF_MAX_RANK */
	uint64_t shape[RF_MAX_RANK];
} RfTensorDesc;

extern size_t rf_dtype_size(RfDtype dtype);
/* "F32", "BF16", ... as safetensors spells them */
extern const char *rf_dtype_name(RfDtype dtype);
extern bool rf_dtype_parse(const char *name, size_t length, RfDtype *dtype);
/* F32, F16 and BF16: what a weight may be stored as. */
extern bool rf_dtype_is_weight(RfDtype dtype);

/* RF_CORRUPT when the product of the shape does not fit size_t. */
extern RfCode rf_tensor_elements(const RfTensorDesc *tensor, size_t *elements, RfError *err);
extern RfCode rf_tensor_bytes(const RfTensorDesc *tensor, size_t *bytes, RfError *err);
extern uint64_t rf_tensor_rows(const RfTensorDesc *tensor);
/* "[768, 3072]" into buffer, clipped; returns buffer. */
extern char *rf_tensor_shape_text(const RfTensorDesc *tensor, char *buffer, size_t size);

/* Widens n elements of F32, F16 or BF16 to fp32, exactly. src may be unaligned. */
extern void rf_tensor_widen(const void *src, RfDtype dtype, size_t n, float *dst);

#endif
