/*
 * weights.c - tensors in files: their names, their order, and their rows, contiguous or not.
 *
 * A tensor with strides is gathered run by run, never by reading all of its storage: a run goes
 * along the dimension whose elements lie closest together in the file, so that the rows of a
 * transposed matrix cost one read for each column and block of rows, not one for each element.
 */
#include "weights.h"

#include <stdlib.h>
#include <string.h>

#include "rf/checksum.h"

/* Bytes of a run read at once. */
#define BOUNCE_SIZE ((size_t) 16 * 1024)

RfCode
rf_weights_check_name(const char *file, const char *name, RfError *err)
{
	size_t length = strlen(name);

	RF_FAIL_IF(length == 0, err, RF_CORRUPT, "file \"%s\" has a tensor without a name", file);
	if (length > RF_MAX_TENSOR_NAME)
	{
		rf_error_set(err, RF_LIMIT, "tensor name in file \"%s\" has %zu bytes, more than %d", file,
					 length, RF_MAX_TENSOR_NAME);
		rf_error_detail(err, "The name is \"%s\".", name);
		return RF_LIMIT;
	}
	for (const char *p = name; *p != '\0'; p++)
		RF_FAIL_IF((unsigned char) *p < 0x20 || *p == 0x7F, err, RF_CORRUPT,
				   "tensor name in file \"%s\" has a control character (0x%02X)", file,
				   (unsigned char) *p);
	return RF_OK;
}

int
rf_weights_compare(const void *a, const void *b)
{
	return strcmp(((const RfWeightEntry *) a)->desc.name, ((const RfWeightEntry *) b)->desc.name);
}

RfCode
rf_weights_sort(const char *file, RfWeightEntry *entries, size_t count, RfError *err)
{
	if (count > 0)
		qsort(entries, count, sizeof(*entries), rf_weights_compare);
	for (size_t i = 1; i < count; i++)
	{
		if (rf_weights_compare(&entries[i - 1], &entries[i]) != 0)
			continue;
		rf_error_set(err, RF_CORRUPT, "tensor \"%s\" is in file \"%s\" twice", entries[i].desc.name,
					 file);
		rf_error_origin(err, file, RF_NO_OFFSET);
		return RF_CORRUPT;
	}
	return RF_OK;
}

RfCode
rf_weights_lay_out(RfWeightEntry *entry, RfArena *arena, bool transposed, RfError *err)
{
	RfTensorDesc *desc = &entry->desc;
	uint64_t *strides;
	size_t bytes;

	if (transposed && desc->rank == 2)
	{
		uint64_t rows = desc->shape[0];

		RF_NEW(arena, strides, 2, err);
		desc->shape[0] = desc->shape[1];
		desc->shape[1] = rows;
		strides[0] = 1;
		strides[1] = desc->shape[0];
		entry->place.strides = strides;
	}
	RF_TRY(rf_tensor_bytes(desc, &bytes, err));
	entry->place.row_size = bytes == 0 ? 0 : bytes / (size_t) rf_tensor_rows(desc);
	return RF_OK;
}

uint64_t
rf_weights_bytes(const RfWeightEntry *entry)
{
	return entry->place.row_size == 0 ? 0 : entry->place.row_size * rf_tensor_rows(&entry->desc);
}

RfCode
rf_weights_publish(RfCheckpoint *checkpoint, const RfWeightEntry *entries, size_t count,
				   RfError *err)
{
	RfWeightPlace *places;

	RF_NEW(&checkpoint->arena, checkpoint->tensors, count, err);
	RF_NEW(&checkpoint->arena, places, count, err);
	for (size_t i = 0; i < count; i++)
	{
		checkpoint->tensors[i] = entries[i].desc;
		places[i] = entries[i].place;
	}
	checkpoint->places = places;
	checkpoint->count = count;
	return RF_OK;
}

RfCode
rf_weights_open_single(RfCheckpoint *checkpoint, int directory, const char *name,
					   RfWeightsHeader read_header, RfError *err)
{
	RfWeightEntry *entries;
	size_t count;

	RF_NEW(&checkpoint->arena, checkpoint->files, 1, err);
	RF_TRY(rf_directory_open_file(directory, name, &checkpoint->files[0], err));
	checkpoint->file_count = 1;
	RF_TRY(read_header(checkpoint, 0, &entries, &count, err));
	RF_TRY(rf_weights_sort(name, entries, count, err));
	return rf_weights_publish(checkpoint, entries, count, err);
}

/* One dimension of what is gathered; strides in bytes. */
typedef struct Axis
{
	uint64_t size;
	uint64_t from; /* in the file */
	size_t to;     /* in the buffer */
	uint64_t at;
} Axis;

static void
copy_elements(const char *from, size_t from_stride, char *to, size_t to_stride, size_t count,
			  size_t size)
{
	if (from_stride == size && to_stride == size)
		memcpy(to, from, count * size);
	else
	{
		for (size_t i = 0; i < count; i++)
			memcpy(to + i * to_stride, from + i * from_stride, size);
	}
}

/* What data are read from. */
typedef struct Source
{
	const RfOpenFile *file;
	const RfWeightPlace *place;
} Source;

/* Reads length bytes from offset on, which counts from the file's or the first piece's begin. */
static RfCode
read_data(const Source *source, uint64_t offset, size_t length, char *buffer, RfError *err)
{
	const RfWeightPiece *piece = source->place->pieces;

	if (piece == NULL)
		return rf_open_file_read(source->file, offset, length, buffer, err);
	for (; offset >= piece->size; piece++)
		offset -= piece->size;
	for (; length > 0; piece++, offset = 0)
	{
		uint64_t rest = piece->size - offset;
		size_t part = length < rest ? length : (size_t) rest;

		RF_TRY(rf_open_file_read(source->file, piece->offset + offset, part, buffer, err));
		buffer += part;
		length -= part;
	}
	return RF_OK;
}

static RfCode
read_run(const Source *source, uint64_t offset, const Axis *run, size_t size, char *to,
		 RfError *err)
{
	char bounce[BOUNCE_SIZE];
	uint64_t step = run->from > BOUNCE_SIZE ? 1 : (BOUNCE_SIZE - size) / run->from + 1;

	for (uint64_t done = 0; done < run->size; done += step)
	{
		size_t count = (size_t) (run->size - done < step ? run->size - done : step);
		size_t span = count == 1 ? size : (count - 1) * (size_t) run->from + size;

		RF_TRY(read_data(source, offset + done * run->from, span, bounce, err));
		copy_elements(bounce, (size_t) run->from, to + done * run->to, run->to, count, size);
	}
	return RF_OK;
}

/* Moves to the next combination of the outer axes; false behind the last. */
static bool
advance(Axis *axes, int count, int run, uint64_t *from, size_t *to)
{
	for (int i = count - 1; i >= 0; i--)
	{
		Axis *axis = &axes[i];

		if (i == run)
			continue;
		*from += axis->from;
		*to += axis->to;
		if (++axis->at < axis->size)
			return true;
		*from -= axis->size * axis->from;
		*to -= (size_t) axis->size * axis->to;
		axis->at = 0;
	}
	return false;
}

/* Fills axes [rank] and returns the index of the one to run along: the densest with a choice. */
static int
plan_axes(const RfTensorDesc *desc, const uint64_t *strides, uint64_t rows, Axis *axes)
{
	size_t size = rf_dtype_size(desc->dtype);
	size_t to = size;
	int run = desc->rank - 1;

	for (int i = desc->rank - 1; i >= 0; i--)
	{
		axes[i] =
			(Axis){.size = i == 0 ? rows : desc->shape[i], .from = strides[i] * size, .to = to};
		to *= (size_t) axes[i].size;
		if (axes[i].size > 1 && (axes[run].size <= 1 || axes[i].from < axes[run].from))
			run = i;
	}
	return run;
}

static RfCode
gather(const Source *source, const RfTensorDesc *desc, uint64_t first, uint64_t rows, char *buffer,
	   RfError *err)
{
	const RfWeightPlace *place = source->place;
	Axis axes[RF_MAX_RANK];
	size_t size = rf_dtype_size(desc->dtype);
	uint64_t from = place->offset + first * place->strides[0] * size;
	size_t to = 0;
	int run = plan_axes(desc, place->strides, rows, axes);

	do
		RF_TRY(read_run(source, from, &axes[run], size, buffer + to, err));
	while (advance(axes, desc->rank, run, &from, &to));
	return RF_OK;
}

static RfCode
verify(const RfOpenFile *file, const RfTensorDesc *desc, RfWeightPlace *place, RfError *err)
{
	char bounce[BOUNCE_SIZE];
	uint64_t size = place->row_size * rf_tensor_rows(desc);
	uint32_t checksum = 0;

	for (uint64_t done = 0; done < size; done += sizeof(bounce))
	{
		size_t part = size - done < sizeof(bounce) ? (size_t) (size - done) : sizeof(bounce);

		RF_TRY(rf_open_file_read(file, place->offset + done, part, bounce, err));
		checksum = rf_crc32c(checksum, bounce, part);
	}
	if (checksum != place->checksum)
	{
		rf_error_set(err, RF_CORRUPT, "tensor \"%s\" in file \"%s\" has a wrong checksum",
					 desc->name, file->name);
		rf_error_origin(err, file->name, place->offset);
		return RF_CORRUPT;
	}
	place->has_checksum = false;
	return RF_OK;
}

RfCode
rf_weights_read(RfCheckpoint *checkpoint, size_t index, uint64_t first, uint64_t rows, void *buffer,
				RfError *err)
{
	RfWeightPlace *place = &((RfWeightPlace *) checkpoint->places)[index];
	const RfOpenFile *file = &checkpoint->files[place->file];
	const Source source = {file, place};

	if (place->row_size == 0)
		return RF_OK;
	if (place->has_checksum)
		RF_TRY(verify(file, &checkpoint->tensors[index], place, err));
	if (place->strides != NULL)
		return gather(&source, &checkpoint->tensors[index], first, rows, buffer, err);
	return read_data(&source, place->offset + first * place->row_size,
					 (size_t) rows * place->row_size, buffer, err);
}
