/*
 * session_load.c - a model's image from the rows of its tables.
 *
 * size(): files and tensors are read and matched as when the model was stored, and the image is
 * planned. fill(): chunks go one by one into the image, and everything that was read goes through
 * SHA-256 once more: an image is only published if the rows still are what load_model stored. A
 * chunk is the longest time that passes between two checks for interrupts.
 *
 * Runs in any backend, also in a parallel worker and on a standby. Everything it allocates is in
 * one context below the caller's: a load that fails leaves nothing.
 */
#include "session_private.h"

#include "miscadmin.h"
#include "pg/support.h"
#include "utils/memutils.h"

static void
read_model(RoformerModelLoad *load)
{
	RfError err;

	load->files = roformer_catalog_read_files(load->model->id, &load->file_count);
	load->tensors = roformer_catalog_read_tensors(load->model->id, &load->tensor_count);
	roformer_check(rf_spec_parse(load->files, load->file_count, &load->arena, &load->spec, &err),
				   &err);
	roformer_check(rf_spec_match(&load->spec, load->tensors, load->tensor_count, &load->arena,
								 &load->match, &err),
				   &err);
	roformer_check(rf_image_plan(&load->spec, &load->match, load->tensors, load->precision,
								 load->kernels, &load->arena, &load->plan, &err),
				   &err);
}

static size_t
plan_image(void *context)
{
	RoformerModelLoad *load = context;
	MemoryContext caller;

	load->context =
		AllocSetContextCreate(CurrentMemoryContext, "roformer model load", ALLOCSET_DEFAULT_SIZES);
	rf_arena_init(&load->arena, roformer_memory(load->context));
	caller = MemoryContextSwitchTo(load->context);
	read_model(load);
	MemoryContextSwitchTo(caller);
	return rf_image_size(load->plan);
}

/* A stored tensor may serve several parameters (tied weights), or none. */
static void
put_chunk(RoformerModelLoad *load, void *image, const RoformerChunk *chunk)
{
	RfError err;

	for (size_t i = 0; i < load->match.count; i++)
	{
		if (load->match.parameters[i].source == (size_t) chunk->tensor)
			roformer_check(rf_image_put(load->plan, image, i, chunk->first_row, chunk->rows,
										chunk->data, chunk->size, &err),
						   &err);
	}
}

/* Adds the descriptions of tensors before limit that have not been added yet. */
static size_t
digest_tensors(RoformerModelLoad *load, RoformerDigest *digest, size_t done, size_t limit)
{
	for (; done < limit; done++)
		roformer_digest_tensor(digest, &load->tensors[done]);
	return done;
}

/* Puts all chunks into the image and returns the digest of what was read. */
static void
read_chunks(RoformerModelLoad *load, void *image, uint8 *result)
{
	RoformerDigest *digest = roformer_digest_begin();
	RoformerChunkScan *scan = roformer_catalog_begin_chunks(load->model->id);
	RoformerChunk chunk;
	size_t described = 0;

	for (size_t i = 0; i < load->file_count; i++)
		roformer_digest_file(digest, &load->files[i]);
	while (roformer_catalog_next_chunk(scan, &chunk))
	{
		CHECK_FOR_INTERRUPTS();
		described = digest_tensors(load, digest, described, (size_t) chunk.tensor + 1);
		roformer_digest_bytes(digest, chunk.data, chunk.size);
		put_chunk(load, image, &chunk);
	}
	roformer_catalog_end_chunks(scan);
	digest_tensors(load, digest, described, load->tensor_count);
	roformer_digest_end(digest, result);
}

static void
fill_image(void *context, void *memory, size_t size)
{
	RoformerModelLoad *load = context;
	MemoryContext caller = MemoryContextSwitchTo(load->context);
	uint8 digest[ROFORMER_DIGEST_LENGTH];
	RfError err;

	roformer_check(rf_image_begin(load->plan, memory, &err), &err);
	read_chunks(load, memory, digest);
	if (memcmp(digest, load->model->digest, sizeof(digest)) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("stored content of model \"%s\" is damaged", load->model->name),
						errdetail("Its rows don't have the digest they had when they were stored."),
						errhint("Load the model again from its directory with replace_model.")));
	roformer_check(rf_image_finish(load->plan, memory, &err), &err);
	MemoryContextSwitchTo(caller);
}

RoformerLoader
roformer_load_prepare(RoformerModelLoad *load, const RoformerModel *model, RfPrecision precision,
					  const RfKernels *kernels)
{
	RoformerLoader loader = {plan_image, fill_image, load};

	memset(load, 0, sizeof(*load));
	load->model = model;
	load->precision = precision;
	load->kernels = kernels;
	return loader;
}
