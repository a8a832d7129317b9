/*
 * target_checks.c - what fuzz targets share: invariants of failures, inputs in parts.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "rf/utf8.h"

void
fuzz_require(bool condition)
{
	if (!condition)
		abort();
}

static void
require_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	fuzz_require(length < size);
	fuzz_require(rf_utf8_valid_prefix(text, length) == length);
}

bool
fuzz_succeeded(RfCode code, const RfError *err)
{
	if (code == RF_OK)
		return true;
	fuzz_require(err->code == code);
	fuzz_require(err->message[0] != '\0');
	require_text(err->message, sizeof(err->message));
	require_text(err->detail, sizeof(err->detail));
	require_text(err->hint, sizeof(err->hint));
	require_text(err->origin, sizeof(err->origin));
	return false;
}

void
fuzz_split(const uint8_t *data, size_t size, FuzzPart *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		const uint8_t *zero = i + 1 < count && size > 0 ? memchr(data, 0, size) : NULL;
		size_t length = zero == NULL ? size : (size_t) (zero - data);
		size_t step = zero == NULL ? length : length + 1;

		parts[i].size = length;
		parts[i].data = malloc(length);
		fuzz_require(parts[i].data != NULL || length == 0);
		if (length > 0)
			memcpy(parts[i].data, data, length);
		data += step;
		size -= step;
	}
}

void
fuzz_free(FuzzPart *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(parts[i].data);
}
