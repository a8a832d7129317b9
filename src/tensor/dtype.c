/*
 * dtype.c - element types of stored weights, sizes of shapes, and exact widening to fp32.
 *
 * Widening goes through integer bit patterns only: it stays exact for subnormals when a library in
 * the process has switched the FPU to flush-to-zero, keeps the payload of a NaN, and compiles to
 * straight vector code. Stored data is little-endian; so must the machine be.
 *
 * Source: IEEE 754-2008 binary16; bfloat16 is the upper half of binary32.
 */
#include "rf/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rf/memory.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "stored weights are little-endian and are read in place"
#endif

typedef struct DtypeRow
{
	const char *name;
	size_t size;
} DtypeRow;

static const DtypeRow dtype_table[] = {
	[RF_F32] = {"F32", 4}, [RF_F16] = {"F16", 2},   [RF_BF16] = {"BF16", 2}, [RF_F64] = {"F64", 8},
	[RF_I64] = {"I64", 8}, [RF_I32] = {"I32", 4},   [RF_I16] = {"I16", 2},   [RF_I8] = {"I8", 1},
	[RF_U8] = {"U8", 1},   [RF_BOOL] = {"BOOL", 1},
};

#define DTYPE_COUNT (sizeof(dtype_table) / sizeof(dtype_table[0]))

size_t
rf_dtype_size(RfDtype dtype)
{
	return dtype_table[dtype].size;
}

const char *
rf_dtype_name(RfDtype dtype)
{
	return dtype_table[dtype].name;
}

bool
rf_dtype_parse(const char *name, size_t length, RfDtype *dtype)
{
	for (size_t i = 0; i < DTYPE_COUNT; i++)
	{
		if (strlen(dtype_table[i].name) == length && memcmp(dtype_table[i].name, name, length) == 0)
		{
			*dtype = (RfDtype) i;
			return true;
		}
	}
	return false;
}

bool
rf_dtype_is_weight(RfDtype dtype)
{
	return dtype == RF_F32 || dtype == RF_F16 || dtype == RF_BF16;
}

/* A dimension of 0 makes the product 0 whatever the others are, so it is not multiplied along. */
RfCode
rf_tensor_elements(const RfTensorDesc *tensor, size_t *elements, RfError *err)
{
	bool fits = true;
	bool empty = false;

	*elements = 1;
	for (int i = 0; i < tensor->rank; i++)
	{
		if (tensor->shape[i] == 0)
			empty = true;
		else if (!rf_size_mul(*elements, tensor->shape[i], elements))
			fits = false;
	}
	if (empty)
		*elements = 0;
	else if (!fits)
	{
		char shape[128];

		return rf_error_set(err, RF_CORRUPT, "tensor \"%s\" of shape %s has too many elements",
							tensor->name, rf_tensor_shape_text(tensor, shape, sizeof(shape)));
	}
	return RF_OK;
}

RfCode
rf_tensor_bytes(const RfTensorDesc *tensor, size_t *bytes, RfError *err)
{
	size_t elements;

	RF_TRY(rf_tensor_elements(tensor, &elements, err));
	RF_FAIL_IF(!rf_size_mul(elements, rf_dtype_size(tensor->dtype), bytes), err, RF_CORRUPT,
			   "tensor \"%s\" with %zu elements has too many bytes", tensor->name, elements);
	return RF_OK;
}

uint64_t
rf_tensor_rows(const RfTensorDesc *tensor)
{
	return tensor->rank == 0 ? 1 : tensor->shape[0];
}

char *
rf_tensor_shape_text(const RfTensorDesc *tensor, char *buffer, size_t size)
{
	size_t used = 0;

	for (int i = -1; i <= tensor->rank && used < size; i++)
	{
		int wrote;

		if (i < 0)
			wrote = snprintf(buffer + used, size - used, "[");
		else if (i == tensor->rank)
			wrote = snprintf(buffer + used, size - used, "]");
		else
			wrote = snprintf(buffer + used, size - used, "%s%" PRIu64, i == 0 ? "" : ", ",
							 tensor->shape[i]);
		used += (size_t) wrote;
	}
	return buffer;
}

/*
 * The value of a subnormal half is mantissa * 2^-24, which fp32 holds as a normal number: the
 * conversion from integer and the product are both exact.
 */
static inline uint32_t
widen_f16_bits(uint16_t half)
{
	uint32_t sign = (uint32_t) (half & 0x8000) << 16;
	uint32_t exponent = half & 0x7C00;
	uint32_t mantissa = half & 0x03FF;
	uint32_t rebias = exponent == 0x7C00 ? 224u << 23 : 112u << 23; /* inf and NaN: 31 to 255 */
	uint32_t normal = ((uint32_t) (half & 0x7FFF) << 13) + rebias;
	uint32_t is_small = 0u - (uint32_t) (exponent == 0); /* a mask: a branch stops vectorisation */
	float small = (float) (int32_t) mantissa * 0x1p-24f;
	uint32_t subnormal;

	memcpy(&subnormal, &small, sizeof(subnormal));
	return sign | (subnormal & is_small) | (normal & ~is_small);
}

static void
widen_f16(const char *src, size_t n, float *dst)
{
	for (size_t i = 0; i < n; i++)
	{
		uint16_t half;
		uint32_t bits;

		memcpy(&half, src + i * sizeof(half), sizeof(half));
		bits = widen_f16_bits(half);
		memcpy(dst + i, &bits, sizeof(bits));
	}
}

static void
widen_bf16(const char *src, size_t n, float *dst)
{
	for (size_t i = 0; i < n; i++)
	{
		uint16_t upper;
		uint32_t bits;

		memcpy(&upper, src + i * sizeof(upper), sizeof(upper));
		bits = (uint32_t) upper << 16;
		memcpy(dst + i, &bits, sizeof(bits));
	}
}

void
rf_tensor_widen(const void *src, RfDtype dtype, size_t n, float *dst)
{
	if (n == 0)
		return;
	if (dtype == RF_F16)
		widen_f16(src, n, dst);
	else if (dtype == RF_BF16)
		widen_bf16(src, n, dst);
	else if (dtype == RF_F32)
		memcpy(dst, src, n * sizeof(float));
}
