/*
 * head_cache.c - keys and values of one head of one row, packed as weights: those of a row under
 * computation, or those kept while a row grows.
 *
 * Keys are the weight of attention's first product, [capacity,D], and transposed values that of the
 * second, [D,capacity], in the layout of pack.c. Tokens may come all at once or one by one: they
 * lie the same way, so what attention makes of them has the same bits. Values behind the last token
 * are zero up to a multiple of k_unit, their weights are, too.
 */
#include "dispatch.h"

#include <string.h>

#include "rf/memory.h"

static inline size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static const RfFormat *
format_of(const RfKernels *kernels, const RfHeadCache *cache)
{
	return &kernels->formats[cache->precision];
}

bool
rf_head_cache_capacity(const RfKernels *kernels, RfPrecision precision, size_t tokens, bool grows,
					   size_t *capacity)
{
	const RfFormat *format = &kernels->formats[precision];
	size_t unit = format->k_unit > RF_LANES ? format->k_unit : RF_LANES;

	if (grows)
		unit = format->panel > unit ? format->panel : unit;
	if (!rf_size_add(tokens, unit - 1, capacity))
		return false;
	*capacity = *capacity / unit * unit;
	return true;
}

/* Bytes up to the next boundary of RF_ALIGNMENT. */
static bool
measure_part(const RfFormat *format, size_t n, size_t k, size_t *bytes)
{
	*bytes = rf_pack_panels_size(format, n, k);
	if ((*bytes == 0 && n > 0 && k > 0) || !rf_size_add(*bytes, RF_ALIGNMENT - 1, bytes))
		return false;
	*bytes = *bytes / RF_ALIGNMENT * RF_ALIGNMENT;
	return true;
}

bool
rf_head_cache_floats(const RfKernels *kernels, RfPrecision precision, size_t capacity,
					 size_t head_size, size_t *floats)
{
	const RfFormat *format = &kernels->formats[precision];
	size_t keys;
	size_t values;

	if (!measure_part(format, capacity, head_size, &keys) ||
		!measure_part(format, head_size, capacity, &values) || !rf_size_add(keys, values, floats))
		return false;
	*floats /= sizeof(float);
	return true;
}

/* Keys of a panel that begins with the token. */
static size_t
panel_width(const RfFormat *format, const RfHeadCache *cache, size_t token)
{
	return smaller(format->panel, cache->capacity - token);
}

static size_t
panel_columns(const RfFormat *format, const RfHeadCache *cache, size_t column)
{
	return smaller(format->panel, cache->head_size - column);
}

/* Bytes of a step of the panel of values that begins with the column. */
static size_t
step_size(const RfFormat *format, const RfHeadCache *cache, size_t column)
{
	return RF_LANES_UP(panel_columns(format, cache, column)) * format->k_step * format->term;
}

static char *
find_keys(const RfFormat *format, const RfHeadCache *cache, size_t token)
{
	return (char *) rf_pack_column(format, cache->block, cache->head_size, token);
}

/* The step of the token in the panel that begins with the column; steps follow each other. */
static char *
find_step(const RfFormat *format, const RfHeadCache *cache, size_t column, size_t token)
{
	size_t keys = 0;

	measure_part(format, cache->capacity, cache->head_size, &keys);
	return (char *) rf_pack_column(format, (char *) cache->block + keys, cache->capacity, column) +
		   token / format->k_step * step_size(format, cache, column);
}

const void *
rf_head_cache_keys(const RfKernels *kernels, const RfHeadCache *cache, size_t token)
{
	return find_keys(format_of(kernels, cache), cache, token);
}

const void *
rf_head_cache_values(const RfKernels *kernels, const RfHeadCache *cache, size_t column,
					 size_t token)
{
	return find_step(format_of(kernels, cache), cache, column, token);
}

/* Up to RF_LANES keys that stand side by side in a panel, the token's and those behind. */
static void
put_lanes(const RfFormat *format, const RfHeadCache *cache, size_t token, size_t count,
		  const float *k, size_t stride)
{
	size_t column = token % format->panel;
	size_t width = panel_width(format, cache, token - column);
	char *panel = find_keys(format, cache, token - column);

	if (token % RF_LANES == 0)
	{
		format->encode_lanes(format, k, stride, count, cache->head_size,
							 panel + column * format->k_step * format->term, width);
		return;
	}
	for (size_t i = 0; i < count; i++)
	{
		RfBlock block = {panel, panel, width, column + i};

		format->encode(format, &block, k + i * stride, cache->head_size);
	}
}

/* A panel that isn't filled now is cleared: all of it is read. */
static void
put_keys(const RfFormat *format, const RfHeadCache *cache, size_t token, size_t count,
		 const float *k, size_t stride)
{
	for (size_t end = token + count; token < end;)
	{
		size_t taken = smaller(RF_LANES - token % RF_LANES, end - token);

		if (token % format->panel == 0)
		{
			size_t width = panel_width(format, cache, token);

			if (end - token < width)
				memset(find_keys(format, cache, token), 0,
					   rf_pack_panels_size(format, width, cache->head_size));
		}
		put_lanes(format, cache, token, taken, k, stride);
		token += taken;
		k += taken * stride;
	}
}

/* One panel's columns of values. */
static void
put_values(const RfFormat *format, const RfHeadCache *cache, size_t column, size_t token,
		   size_t count, const float *v, size_t stride)
{
	size_t columns = panel_columns(format, cache, column);
	size_t size = step_size(format, cache, column);
	char *to = find_step(format, cache, column, token);

	for (size_t end = token + count; token < end; to += size)
	{
		size_t first = token % format->k_step;
		size_t taken = smaller(format->k_step - first, end - token);

		if (token % format->k_unit == 0 && end - token < format->k_unit)
			memset(to, 0, format->k_unit / format->k_step * size);
		format->encode_step(format, v, stride, first, taken, columns, to);
		token += taken;
		v += taken * stride;
	}
}

void
rf_head_cache_put(const RfKernels *kernels, const RfHeadCache *cache, size_t token, size_t count,
				  const float *k, const float *v, size_t stride)
{
	const RfFormat *format = format_of(kernels, cache);

	put_keys(format, cache, token, count, k, stride);
	for (size_t column = 0; column < cache->head_size; column += format->panel)
		put_values(format, cache, column, token, count, v + column, stride);
}

void
rf_head_cache_copy(const RfKernels *kernels, const RfHeadCache *from, size_t tokens,
				   const RfHeadCache *to)
{
	const RfFormat *format = format_of(kernels, from);
	size_t panels = (tokens + format->panel - 1) / format->panel;
	size_t units = (tokens + format->k_unit - 1) / format->k_unit;
	size_t steps = units * (format->k_unit / format->k_step);

	memcpy(to->block, from->block,
		   rf_pack_panels_size(format, panels * format->panel, from->head_size));
	for (size_t column = 0; column < from->head_size; column += format->panel)
		memcpy(find_step(format, to, column, 0), find_step(format, from, column, 0),
			   steps * step_size(format, from, column));
}
