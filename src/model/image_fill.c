/*
 * image_fill.c - pushing a model's rows into the memory planned for it.
 *
 * Invariant: until rf_image_finish the magic number is missing, so that a loader that dies in the
 * middle leaves nothing that could be opened.
 */
#include "image_plan.h"
#include "compute.h"

#include <inttypes.h>
#include <string.h>

#include "../kernels/convert.h"

RfCode
rf_image_begin(RfImagePlan *plan, void *memory, RfError *err)
{
	const ImageHeader *header = &plan->header;
	char *base = memory;
	char *label = base + header->labels;

	RF_FAIL_IF((uintptr_t) memory % RF_ALIGNMENT != 0, err, RF_INVALID,
			   "memory for a model image is not aligned");
	memcpy(base, header, sizeof(*header));
	memcpy(base + header->layers, plan->layers,
		   (size_t) header->config.num_hidden_layers * sizeof(ImageLayer));
	for (int32_t i = 0; i < header->config.num_labels; i++)
	{
		size_t size = strlen(plan->spec->labels[i]) + 1;

		memcpy(label, plan->spec->labels[i], size);
		label += size;
	}
	memcpy(base + header->tokenizer, plan->tokenizer, (size_t) header->tokenizer_size);
	rf_rotary_fill((float *) (base + header->rotary), 0, (size_t) header->rotary_positions,
				   (size_t) (header->config.hidden_size / header->config.num_attention_heads));
	for (size_t i = 0; i < plan->match->count; i++)
		memset(plan->places[i].seen, 0, (size_t) (plan->places[i].rows / 8 + 1));
	return RF_OK;
}

/* A row of a table. */
static void
put_plain(const RfImagePlan *plan, char *base, const Place *place, uint64_t row, const char *data)
{
	uint64_t first = row * place->width;

	if (place->precision == RF_PRECISION_FP32)
	{
		rf_tensor_widen(data, place->dtype, place->width, (float *) (base + place->offset) + first);
		return;
	}
	rf_tensor_widen(data, place->dtype, place->width, plan->row);
	for (uint64_t i = 0; i < place->width; i++)
		((uint16_t *) (base + place->offset))[first + i] = rf_bf16_of_float(plan->row[i]);
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The slice that has the row among its columns. */
static void
put_column(const RfImagePlan *plan, char *base, const Place *place, uint64_t row)
{
	const RfFormat *format = &plan->kernels->formats[place->precision];
	uint64_t slice = row / place->slice;
	uint64_t columns = smaller(place->slice, place->n - slice * place->slice);

	format->pack(format, columns, place->width, row % place->slice, plan->row,
				 base + place->offset + slice * place->stride);
}

/* The row's share of every slice. */
static void
put_terms(const RfImagePlan *plan, char *base, const Place *place, uint64_t row)
{
	const RfFormat *format = &plan->kernels->formats[place->precision];
	char *slice = base + place->offset;

	for (uint64_t first = 0; first < place->width; first += place->slice, slice += place->stride)
	{
		uint64_t terms = smaller(place->slice, place->width - first);

		format->pack(format, place->n, terms, row, plan->row + first,
					 slice + rf_slice_output(format, terms, place->n));
	}
}

static void
put_row(const RfImagePlan *plan, char *base, const Place *place, uint64_t row, const char *data)
{
	const RfFormat *format = &plan->kernels->formats[place->precision];
	uint64_t turn = row / place->group * place->parts + place->part;
	uint64_t target = turn * place->group + row % place->group;

	if (place->kind != PLACE_NOWHERE && place->kind != PLACE_ROWS)
		rf_tensor_widen(data, place->dtype, place->width, plan->row);
	switch (place->kind)
	{
		case PLACE_NOWHERE:
			break;
		case PLACE_PACKED:
			format->pack(format, place->n, place->width, target, plan->row, base + place->offset);
			break;
		case PLACE_COLUMNS:
			put_column(plan, base, place, target);
			break;
		case PLACE_TERMS:
			put_terms(plan, base, place, target);
			break;
		case PLACE_ROWS:
			put_plain(plan, base, place, target, data);
			break;
	}
}

RfCode
rf_image_put(RfImagePlan *plan, void *memory, size_t parameter, uint64_t first, uint64_t rows,
			 const void *data, size_t size, RfError *err)
{
	Place *place;
	size_t row_size;

	RF_FAIL_IF(parameter >= plan->match->count, err, RF_INVALID, "there is no parameter %zu",
			   parameter);
	place = &plan->places[parameter];
	RF_FAIL_IF(first > place->rows || rows > place->rows - first, err, RF_INVALID,
			   "parameter \"%s\" has %" PRIu64 " rows", plan->match->parameters[parameter].name,
			   place->rows);
	row_size = (size_t) place->width * rf_dtype_size(place->dtype);
	RF_FAIL_IF(size != rows * row_size, err, RF_INVALID,
			   "%" PRIu64 " rows of parameter \"%s\" have %zu bytes, not %zu", rows,
			   plan->match->parameters[parameter].name, (size_t) rows * row_size, size);
	for (uint64_t i = 0; i < rows; i++)
	{
		uint64_t row = first + i;

		put_row(plan, memory, place, row, (const char *) data + i * row_size);
		place->seen[row / 8] |= (unsigned char) (1u << (row % 8));
	}
	return RF_OK;
}

RfCode
rf_image_finish(RfImagePlan *plan, void *memory, RfError *err)
{
	uint64_t magic = IMAGE_MAGIC;

	for (size_t i = 0; i < plan->match->count; i++)
	{
		const Place *place = &plan->places[i];

		for (uint64_t row = 0; row < place->rows; row++)
			RF_FAIL_IF((place->seen[row / 8] >> (row % 8) & 1) == 0, err, RF_CORRUPT,
					   "row %" PRIu64 " of parameter \"%s\" is missing", row,
					   plan->match->parameters[i].name);
	}
	memcpy((char *) memory + offsetof(ImageHeader, magic), &magic, sizeof(magic));
	return RF_OK;
}
