/*
 * golden_model_files.c - loading golden models.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden_model_files.h"

#define MAX_MODELS 200
#define FAIL_UNLESS_OK(expr, name, err)                                                            \
	do                                                                                             \
	{                                                                                              \
		if ((expr) != RF_OK)                                                                       \
			fail_msg("%s: %s: %s", name, #expr, (err).message);                                    \
	} while (0)

const char *
golden_directory(void)
{
	const char *directory = getenv("ROFORMER_GOLDEN");

	return directory != NULL && directory[0] != '\0' ? directory : GOLDEN_DATA;
}

static void
read_spec(GoldenModel *model, const char *directory)
{
	RfFile *files;
	size_t count;
	RfError err = {0};

	FAIL_UNLESS_OK(rf_spec_read_files(directory, &model->arena, &files, &count, &err), model->name,
				   err);
	FAIL_UNLESS_OK(rf_spec_parse(files, count, &model->arena, &model->spec, &err), model->name,
				   err);
	model->has_text =
		model->spec.tokenizer.tokenizer_class == RF_TOKENIZER_BERT || golden_dictionary() != NULL;
	/* Any tokenizer will do for a model that is fed ids. */
	if (!model->has_text)
		model->spec.tokenizer.tokenizer_class = RF_TOKENIZER_BERT;
}

/* Rows are put in two pieces, the second first: the order must not matter. */
static void
put_parameter(GoldenModel *model, RfImagePlan *plan, RfCheckpoint *checkpoint,
			  const RfParameter *parameter, size_t index)
{
	const RfTensorDesc *tensor = rf_checkpoint_tensor(checkpoint, parameter->source);
	uint64_t rows = rf_tensor_rows(tensor);
	uint64_t half = rows / 2;
	size_t bytes;
	char *data;
	RfError err = {0};

	FAIL_UNLESS_OK(rf_tensor_bytes(tensor, &bytes, &err), parameter->name, err);
	data = malloc(bytes + 1);
	assert_non_null(data);
	FAIL_UNLESS_OK(rf_checkpoint_read(checkpoint, parameter->source, 0, rows, data, &err),
				   parameter->name, err);
	FAIL_UNLESS_OK(rf_image_put(plan, model->image, index, half, rows - half,
								data + bytes / rows * half, bytes / rows * (rows - half), &err),
				   parameter->name, err);
	FAIL_UNLESS_OK(
		rf_image_put(plan, model->image, index, 0, half, data, bytes / rows * half, &err),
		parameter->name, err);
	free(data);
}

static void
build_image(GoldenModel *model, RfCheckpoint *checkpoint, const char *kernels_name,
			RfPrecision precision)
{
	size_t count = rf_checkpoint_count(checkpoint);
	RfTensorDesc *tensors = rf_arena_alloc(&model->arena, count, sizeof(*tensors));
	const RfKernels *kernels;
	RfMatch match;
	RfImagePlan *plan;
	RfError err = {0};

	for (size_t i = 0; i < count; i++)
		tensors[i] = *rf_checkpoint_tensor(checkpoint, i);
	FAIL_UNLESS_OK(rf_spec_match(&model->spec, tensors, count, &model->arena, &match, &err),
				   model->name, err);
	FAIL_UNLESS_OK(rf_kernels_choose(kernels_name, &kernels, &err), model->name, err);
	FAIL_UNLESS_OK(rf_image_plan(&model->spec, &match, tensors, precision, kernels, &model->arena,
								 &plan, &err),
				   model->name, err);
	model->image_size = rf_image_size(plan);
	model->image = rf_arena_alloc(&model->arena, model->image_size, 1);
	assert_non_null(model->image);
	memset(model->image, 0xA5, model->image_size);
	FAIL_UNLESS_OK(rf_image_begin(plan, model->image, &err), model->name, err);
	assert_int_equal(rf_image_finish(plan, model->image, &err), RF_CORRUPT);
	for (size_t i = 0; i < match.count; i++)
		put_parameter(model, plan, checkpoint, &match.parameters[i], i);
	FAIL_UNLESS_OK(rf_image_finish(plan, model->image, &err), model->name, err);
}

static void
give_words(GoldenModel *model)
{
	RfError err = {0};
	size_t size;
	const void *block = golden_dictionary_block(&size);

	FAIL_UNLESS_OK(rf_session_set_dictionary(model->session, block, size, &err), model->name, err);
}

bool
golden_model_open(GoldenModel *model, const char *name, const char *kernels)
{
	return golden_model_open_in(model, name, kernels, RF_PRECISION_FP32);
}

bool
golden_model_open_in(GoldenModel *model, const char *name, const char *kernels,
					 RfPrecision precision)
{
	char models[512];

	snprintf(models, sizeof(models), "%s/models", golden_directory());
	return golden_model_open_from(model, models, name, kernels, precision);
}

bool
golden_model_open_from(GoldenModel *model, const char *models, const char *name,
					   const char *kernels, RfPrecision precision)
{
	char directory[1024];
	RfAbort never = {NULL, NULL};
	RfCheckpoint *checkpoint;
	RfCode code;
	RfError err = {0};

	memset(model, 0, sizeof(*model));
	snprintf(model->name, sizeof(model->name), "%s", name);
	snprintf(directory, sizeof(directory), "%s/%s", models, name);
	code = rf_checkpoint_open(directory, rf_memory_malloc, &checkpoint, &err);
	if (code == RF_NOT_FOUND || code == RF_UNSUPPORTED)
		return false;
	FAIL_UNLESS_OK(code, name, err);
	rf_arena_init(&model->arena, rf_memory_malloc);
	read_spec(model, directory);
	build_image(model, checkpoint, kernels, precision);
	rf_checkpoint_close(checkpoint);
	FAIL_UNLESS_OK(rf_session_open(model->image, model->image_size, rf_memory_malloc, never,
								   &model->session, &err),
				   name, err);
	if (model->spec.tokenizer.tokenizer_class == RF_TOKENIZER_ROFORMER)
		give_words(model);
	FAIL_UNLESS_OK(
		rf_model_open(model->image, model->image_size, &model->arena, &model->view, &err), name,
		err);
	rf_encoder_init(&model->encoder, &model->view, rf_memory_malloc, never);
	return true;
}

void
golden_model_close(GoldenModel *model)
{
	rf_encoder_trim(&model->encoder, 0);
	rf_session_close(model->session);
	rf_arena_free(&model->arena);
}

void
golden_row_read(GoldenRow *row, const json_t *record, const char *ids_key)
{
	const json_t *ids = json_object_get(record, ids_key);
	const json_t *types = json_object_get(record, "token_type_ids");
	const json_t *mask = json_object_get(record, "attention_mask");
	size_t count = json_array_size(ids);

	row->row_start[0] = row->row_start[1] = 0;
	row->input_ids = malloc((count + 1) * sizeof(int32_t));
	row->token_type_ids = malloc((count + 1) * sizeof(int32_t));
	for (size_t i = 0; i < count; i++)
	{
		/* Padding is on the right in all records. */
		if (mask != NULL && json_integer_value(json_array_get(mask, i)) == 0)
			break;
		row->input_ids[i] = (int32_t) json_integer_value(json_array_get(ids, i));
		row->token_type_ids[i] = (int32_t) json_integer_value(json_array_get(types, i));
		row->row_start[1]++;
	}
	row->batch = (RfBatch){
		.rows = 1,
		.row_start = row->row_start,
		.input_ids = row->input_ids,
		.token_type_ids = row->token_type_ids,
	};
}

void
golden_row_free(GoldenRow *row)
{
	free(row->input_ids);
	free(row->token_type_ids);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

char **
golden_model_names(void)
{
	char **names = calloc(MAX_MODELS + 1, sizeof(*names));
	char path[512];
	struct dirent *entry;
	size_t count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/models", golden_directory());
	directory = opendir(path);
	if (directory == NULL)
		fail_msg("cannot open \"%s\"", path);
	while ((entry = readdir(directory)) != NULL && count < MAX_MODELS)
		if (entry->d_name[0] != '.')
			names[count++] = strdup(entry->d_name);
	closedir(directory);
	qsort(names, count, sizeof(*names), compare_names);
	return names;
}
