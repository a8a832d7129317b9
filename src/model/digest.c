/*
 * digest.c - the bytes that the digest of a content is computed over.
 */
#include "rf/digest.h"

#include <string.h>

static bool
add_number(const RfHash *hash, uint64_t number)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) (number >> (8 * i));
	return hash->update(hash->context, bytes, sizeof(bytes));
}

static bool
add_counted(const RfHash *hash, const char *bytes, size_t length)
{
	return add_number(hash, length) && hash->update(hash->context, bytes, length);
}

bool
rf_digest_file(const RfHash *hash, const RfFile *file)
{
	return hash->update(hash->context, "f", 1) &&
		   add_counted(hash, file->name, strlen(file->name)) &&
		   add_counted(hash, file->data, file->size);
}

bool
rf_digest_tensor(const RfHash *hash, const RfTensorDesc *tensor)
{
	const char *dtype = rf_dtype_name(tensor->dtype);

	if (!hash->update(hash->context, "t", 1) ||
		!add_counted(hash, tensor->name, strlen(tensor->name)) ||
		!add_counted(hash, dtype, strlen(dtype)) || !add_number(hash, (uint64_t) tensor->rank))
		return false;
	for (int i = 0; i < tensor->rank; i++)
	{
		if (!add_number(hash, tensor->shape[i]))
			return false;
	}
	return true;
}
