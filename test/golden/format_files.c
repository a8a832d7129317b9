/*
 * format_files.c - the tensors of a model, written in each format that weights come in.
 */
#include "format_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle_file.h"
#include "flax_file.h"
#include "hdf5_file.h"

void
format_tensors_read(FormatTensors *tensors, RfCheckpoint *checkpoint)
{
	tensors->count = rf_checkpoint_count(checkpoint);
	tensors->tensors = calloc(tensors->count, sizeof(FormatTensor));
	for (size_t i = 0; i < tensors->count; i++)
	{
		const RfTensorDesc *desc = rf_checkpoint_tensor(checkpoint, i);
		FormatTensor *tensor = &tensors->tensors[i];
		RfError err = {0};

		strcpy(tensor->name, desc->name);
		tensor->dtype = desc->dtype;
		tensor->rank = desc->rank;
		memcpy(tensor->shape, desc->shape, sizeof(tensor->shape));
		assert_int_equal(rf_tensor_bytes(desc, &tensor->size, &err), RF_OK);
		tensor->data = malloc(tensor->size + 1);
		if (rf_checkpoint_read(checkpoint, i, 0, rf_tensor_rows(desc), tensor->data, &err) != RF_OK)
			fail_msg("%s: %s", desc->name, err.message);
	}
}

void
format_tensors_free(FormatTensors *tensors)
{
	for (size_t i = 0; i < tensors->count; i++)
		free(tensors->tensors[i].data);
	free(tensors->tensors);
}

static void
write_file(const char *directory, const char *name, const Bytes *bytes)
{
	char path[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes->data, 1, bytes->size, file), bytes->size);
	assert_int_equal(fclose(file), 0);
}

static void
add_text(Bytes *bytes, const char *text)
{
	bytes_add(bytes, text, strlen(text));
}

/* ---- safetensors ----------------------------------------------------------------------------- */

static void
write_safetensors(const char *directory, const FormatTensors *tensors)
{
	Bytes header = {0};
	Bytes bytes = {0};
	size_t offset = 0;

	for (size_t i = 0; i < tensors->count; i++)
	{
		const FormatTensor *tensor = &tensors->tensors[i];
		RfTensorDesc desc = {.rank = tensor->rank};
		char entry[512];
		char shape[128];

		memcpy(desc.shape, tensor->shape, sizeof(desc.shape));
		snprintf(entry, sizeof(entry),
				 "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
				 i == 0 ? "{" : ",", tensor->name, rf_dtype_name(tensor->dtype),
				 rf_tensor_shape_text(&desc, shape, sizeof(shape)), offset, offset + tensor->size);
		add_text(&header, entry);
		offset += tensor->size;
	}
	add_text(&header, "}");
	bytes_number(&bytes, header.size, 8);
	bytes_add(&bytes, header.data, header.size);
	for (size_t i = 0; i < tensors->count; i++)
		bytes_add(&bytes, tensors->tensors[i].data, tensors->tensors[i].size);
	write_file(directory, "model.safetensors", &bytes);
	bytes_free(&header);
	bytes_free(&bytes);
}

/* ---- PyTorch --------------------------------------------------------------------------------- */

/* Each tensor has a storage of its own, whose key is its number. */
typedef struct TorchKeys
{
	char (*keys)[24]; /* [count] */
	TorchTensor *tensors;
} TorchKeys;

static void
describe_torch(TorchKeys *keys, const FormatTensors *tensors)
{
	static const char *const classes[] = {
		[RF_F32] = "FloatStorage",  [RF_F16] = "HalfStorage", [RF_BF16] = "BFloat16Storage",
		[RF_F64] = "DoubleStorage", [RF_I64] = "LongStorage", [RF_I32] = "IntStorage",
		[RF_I16] = "ShortStorage",  [RF_I8] = "CharStorage",  [RF_U8] = "ByteStorage",
		[RF_BOOL] = "BoolStorage",
	};

	keys->keys = calloc(tensors->count, sizeof(*keys->keys));
	keys->tensors = calloc(tensors->count, sizeof(*keys->tensors));
	for (size_t i = 0; i < tensors->count; i++)
	{
		const FormatTensor *from = &tensors->tensors[i];
		TorchTensor *to = &keys->tensors[i];
		int64_t stride = 1;

		snprintf(keys->keys[i], sizeof(*keys->keys), "%zu", i);
		to->name = from->name;
		to->storage_class = classes[from->dtype];
		to->key = keys->keys[i];
		to->elements = (int64_t) (from->size / rf_dtype_size(from->dtype));
		to->rank = (size_t) from->rank;
		for (int axis = from->rank - 1; axis >= 0; axis--)
		{
			to->shape[axis] = (int64_t) from->shape[axis];
			to->strides[axis] = stride;
			stride *= to->shape[axis];
		}
	}
}

static void
free_torch(TorchKeys *keys)
{
	free(keys->keys);
	free(keys->tensors);
}

static void
write_torch_zip(const char *directory, const FormatTensors *tensors)
{
	ZipEntry *entries = calloc(tensors->count + 1, sizeof(*entries));
	char(*names)[40] = calloc(tensors->count, sizeof(*names));
	Bytes pickle = {0};
	Bytes bytes = {0};
	TorchKeys keys;

	describe_torch(&keys, tensors);
	pickle_state_dict(&pickle, keys.tensors, tensors->count, false);
	entries[0] =
		(ZipEntry){.name = "pytorch_model/data.pkl", .data = pickle.data, .size = pickle.size};
	for (size_t i = 0; i < tensors->count; i++)
	{
		snprintf(names[i], sizeof(*names), "pytorch_model/data/%zu", i);
		entries[i + 1] = (ZipEntry){
			.name = names[i], .data = tensors->tensors[i].data, .size = tensors->tensors[i].size};
	}
	zip_compose(&bytes, entries, tensors->count + 1, (ZipClaims){0});
	write_file(directory, "pytorch_model.bin", &bytes);
	bytes_free(&bytes);
	bytes_free(&pickle);
	free_torch(&keys);
	free(names);
	free(entries);
}

static void
write_torch_legacy(const char *directory, const FormatTensors *tensors)
{
	Bytes bytes = {0};
	TorchKeys keys;

	describe_torch(&keys, tensors);
	bytes_add(&bytes, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);
	bytes_add(&bytes, "\x80\x02M\xe9\x03.\x80\x02}", 9);
	pickle_string(&bytes, "little_endian");
	pickle_add(&bytes, "\x88s.");
	pickle_state_dict(&bytes, keys.tensors, tensors->count, true);
	pickle_add(&bytes, "\x80\x02](");
	for (size_t i = 0; i < tensors->count; i++)
		pickle_string(&bytes, keys.keys[i]);
	pickle_add(&bytes, "e.");
	for (size_t i = 0; i < tensors->count; i++)
	{
		bytes_number(&bytes, (uint64_t) keys.tensors[i].elements, 8);
		bytes_add(&bytes, tensors->tensors[i].data, tensors->tensors[i].size);
	}
	write_file(directory, "pytorch_model.bin", &bytes);
	bytes_free(&bytes);
	free_torch(&keys);
}

/* ---- names and matrices as TensorFlow and Flax have them ------------------------------------- */

/* What the kinds of parameters are called in a format. */
typedef struct Spelling
{
	const char *norm_weight;
	const char *norm_bias;
	const char *word_embeddings; /* behind the name of the table; NULL: nothing */
	const char *other_embeddings;
	const char *layer; /* instead of "layer." */
} Spelling;

static bool
ends_with(const char *name, const char *end)
{
	size_t length = strlen(name);

	return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

static bool
is_table(const char *name)
{
	return ends_with(name, "word_embeddings.weight") ||
		   ends_with(name, "token_type_embeddings.weight") ||
		   ends_with(name, "embed_positions.weight");
}

/* Linear layers, of which these formats keep the transposed matrix. */
static bool
is_kernel(const FormatTensor *tensor)
{
	return tensor->rank == 2 && ends_with(tensor->name, ".weight") && !is_table(tensor->name) &&
		   strstr(tensor->name, "seq_relationship") == NULL;
}

static const char *
last_part(const FormatTensor *tensor, const Spelling *spelling)
{
	const char *name = tensor->name;

	if (ends_with(name, "LayerNorm.weight"))
		return spelling->norm_weight;
	if (ends_with(name, "LayerNorm.bias"))
		return spelling->norm_bias;
	if (ends_with(name, "word_embeddings.weight"))
		return spelling->word_embeddings;
	if (is_table(name))
		return spelling->other_embeddings;
	if (is_kernel(tensor))
		return "kernel";
	return strrchr(name, '.') == NULL ? name : strrchr(name, '.') + 1;
}

/* Slashes for dots, the format's word at the end. */
static void
spell(const FormatTensor *tensor, const Spelling *spelling, char *spelled, size_t size)
{
	const char *last = last_part(tensor, spelling);
	const char *end = strrchr(tensor->name, '.');
	size_t used = 0;

	for (const char *at = tensor->name; end != NULL && at <= end; at++)
	{
		if (strncmp(at, "layer.", 6) == 0 && (at == tensor->name || at[-1] == '.'))
		{
			used += (size_t) snprintf(spelled + used, size - used, "%s", spelling->layer);
			at += 5;
		}
		else
			spelled[used++] = *at == '.' ? '/' : *at;
	}
	if (last == NULL)
		spelled[used - 1] = '\0';
	else
		snprintf(spelled + used, size - used, "%s", last);
}

/* The data as the format has them, malloc'ed, and their shape. */
static char *
lay_out(const FormatTensor *tensor, uint64_t *shape)
{
	size_t size = rf_dtype_size(tensor->dtype);
	char *data = malloc(tensor->size + 1);

	memcpy(shape, tensor->shape, sizeof(tensor->shape));
	memcpy(data, tensor->data, tensor->size);
	if (!is_kernel(tensor))
		return data;
	shape[0] = tensor->shape[1];
	shape[1] = tensor->shape[0];
	for (uint64_t i = 0; i < shape[0]; i++)
	{
		for (uint64_t j = 0; j < shape[1]; j++)
			memcpy(data + (i * shape[1] + j) * size, tensor->data + (j * shape[0] + i) * size,
				   size);
	}
	return data;
}

/* A tensor under the name it has in the format. */
typedef struct Variable
{
	char name[400];
	const FormatTensor *tensor;
	uint64_t shape[RF_MAX_RANK];
	char *data;
} Variable;

static int
compare_variables(const void *a, const void *b)
{
	return strcmp(((const Variable *) a)->name, ((const Variable *) b)->name);
}

/* All of them, sorted by their names in the format; malloc'ed. */
static Variable *
make_variables(const FormatTensors *tensors, const Spelling *spelling,
			   void (*rename)(char *name, size_t size))
{
	Variable *variables = calloc(tensors->count, sizeof(*variables));

	for (size_t i = 0; i < tensors->count; i++)
	{
		Variable *variable = &variables[i];

		variable->tensor = &tensors->tensors[i];
		spell(variable->tensor, spelling, variable->name, sizeof(variable->name));
		if (rename != NULL)
			rename(variable->name, sizeof(variable->name));
		variable->data = lay_out(variable->tensor, variable->shape);
	}
	qsort(variables, tensors->count, sizeof(*variables), compare_variables);
	return variables;
}

static void
free_variables(Variable *variables, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(variables[i].data);
	free(variables);
}

static bool
starts_with(const char *name, const char *start)
{
	return strncmp(name, start, strlen(start)) == 0;
}

static void
replace_start(char *name, size_t size, const char *start, const char *by)
{
	char rest[400];

	snprintf(rest, sizeof(rest), "%s", name + strlen(start));
	snprintf(name, size, "%.100s%.290s", by, rest);
}

/* ---- TensorFlow 1 ---------------------------------------------------------------------------- */

static void
rename_original(char *name, size_t size)
{
	if (starts_with(name, "roformer/embeddings_project/"))
		replace_start(name, size, "roformer/embeddings_project/",
					  "bert/encoder/embedding_hidden_mapping_in/");
	else if (starts_with(name, "roformer/"))
		replace_start(name, size, "roformer/", "bert/");
	else if (strcmp(name, "cls/predictions/bias") == 0)
		strcpy(name, "cls/predictions/output_bias");
	else if (starts_with(name, "cls/seq_relationship/weight"))
		strcpy(name, "cls/seq_relationship/output_weights");
	else if (starts_with(name, "cls/seq_relationship/bias"))
		strcpy(name, "cls/seq_relationship/output_bias");
}

static void
write_bundle(const char *directory, const FormatTensors *tensors)
{
	static const Spelling spelling = {"gamma", "beta", NULL, "weight", "layer_"};
	static const uint64_t types[] = {
		[RF_F32] = 1, [RF_F64] = 2, [RF_I32] = 3,   [RF_U8] = 4,    [RF_I16] = 5,
		[RF_I8] = 6,  [RF_I64] = 9, [RF_BOOL] = 10, [RF_BF16] = 14, [RF_F16] = 19,
	};
	Variable *variables = make_variables(tensors, &spelling, rename_original);
	BundleTensor *entries = calloc(tensors->count, sizeof(*entries));
	Bytes index = {0};
	Bytes data[2] = {{0}, {0}};

	for (size_t i = 0; i < tensors->count; i++)
	{
		const Variable *variable = &variables[i];
		BundleTensor *entry = &entries[i];

		entry->name = variable->name;
		entry->type = types[variable->tensor->dtype];
		entry->rank = (size_t) variable->tensor->rank;
		for (size_t axis = 0; axis < entry->rank; axis++)
			entry->shape[axis] = (int64_t) variable->shape[axis];
		entry->shard = i % 2;
		entry->offset = data[i % 2].size;
		entry->size = variable->tensor->size;
		entry->checksum = bundle_checksum(variable->data, entry->size);
		bytes_add(&data[i % 2], variable->data, entry->size);
	}
	bundle_index(&index, entries, tensors->count, 2, NULL);
	write_file(directory, "bert_model.ckpt.index", &index);
	write_file(directory, "bert_model.ckpt.data-00000-of-00002", &data[0]);
	write_file(directory, "bert_model.ckpt.data-00001-of-00002", &data[1]);
	bytes_free(&index);
	bytes_free(&data[0]);
	bytes_free(&data[1]);
	free(entries);
	free_variables(variables, tensors->count);
}

/* ---- TensorFlow 2 ---------------------------------------------------------------------------- */

/* Behind the layer's name comes the model's. */
static void
rename_keras(char *name, size_t size)
{
	char layer[64];
	char weight[400];

	if (starts_with(name, "cls/"))
		replace_start(name, size, "cls/", "mlm___cls/");
	snprintf(layer, sizeof(layer), "%.*s", (int) strcspn(name, "/"), name);
	snprintf(weight, sizeof(weight), "%s", name);
	snprintf(name, size, "%s/tf_ro_former_model/%.280s:0", layer, weight);
}

static hid_t
hdf5_type(RfDtype dtype)
{
	switch (dtype)
	{
		case RF_F32:
			return H5T_IEEE_F32LE;
		case RF_F16:
			return hdf5_short_float(5);
		case RF_BF16:
			return hdf5_short_float(8);
		case RF_I64:
			return H5T_STD_I64LE;
		default:
			fail_msg("no type for %s", rf_dtype_name(dtype));
			return -1;
	}
}

static void
write_hdf5(const char *directory, const FormatTensors *tensors)
{
	static const Spelling spelling = {"gamma", "beta", "weight", "embeddings", "layer_._"};
	Variable *variables = make_variables(tensors, &spelling, rename_keras);
	char path[1024];
	hid_t file;

	snprintf(path, sizeof(path), "%s/tf_model.h5", directory);
	file = hdf5_create(path);
	for (size_t i = 0; i < tensors->count; i++)
	{
		const Variable *variable = &variables[i];
		Hdf5Array array = {.path = variable->name,
						   .type = hdf5_type(variable->tensor->dtype),
						   .rank = (size_t) variable->tensor->rank,
						   .data = variable->data};

		for (size_t axis = 0; axis < array.rank; axis++)
			array.shape[axis] = variable->shape[axis];
		hdf5_add(file, &array, H5P_DEFAULT);
	}
	H5Fclose(file);
	free_variables(variables, tensors->count);
}

/* ---- Flax ------------------------------------------------------------------------------------ */

static void
add_flax_leaf(Bytes *bytes, const Variable *variable)
{
	static const char *const dtypes[] = {
		[RF_F32] = "float32", [RF_F16] = "float16", [RF_BF16] = "bfloat16",
		[RF_F64] = "float64", [RF_I64] = "int64",   [RF_I32] = "int32"};
	FlaxArray array = {.dtype = dtypes[variable->tensor->dtype],
					   .rank = (size_t) variable->tensor->rank,
					   .data = variable->data,
					   .size = variable->tensor->size};

	memcpy(array.shape, variable->shape, sizeof(variable->shape));
	/* Tables as if they were too large for one leaf. */
	if (ends_with(variable->name, "/embedding"))
		flax_chunks(bytes, &array, rf_dtype_size(variable->tensor->dtype), 4000);
	else
		flax_leaf(bytes, &array);
}

/* How many variables from the first on have the same part behind skipped bytes. */
static size_t
count_group(const Variable *variables, size_t count, size_t skip)
{
	size_t part = strcspn(variables[0].name + skip, "/") + 1;
	size_t same = 1;

	while (same < count &&
		   strncmp(variables[0].name + skip, variables[same].name + skip, part) == 0)
		same++;
	return same;
}

/* The map of variables, which have the first skip bytes of their names in common. */
static void
add_flax_map(Bytes *bytes, const Variable *variables, size_t count, size_t skip)
{
	size_t members = 0;

	for (size_t i = 0; i < count; i += count_group(variables + i, count - i, skip))
		members++;
	flax_map(bytes, members);
	for (size_t i = 0; i < count;)
	{
		const char *part = variables[i].name + skip;
		size_t length = strcspn(part, "/");
		size_t same = count_group(variables + i, count - i, skip);
		char key[256];

		snprintf(key, sizeof(key), "%.*s", (int) length, part);
		flax_string(bytes, key);
		if (part[length] == '\0')
			add_flax_leaf(bytes, &variables[i]);
		else
			add_flax_map(bytes, variables + i, same, skip + length + 1);
		i += same;
	}
}

static void
write_flax(const char *directory, const FormatTensors *tensors)
{
	static const Spelling spelling = {"scale", "bias", "embedding", "embedding", "layer/"};
	Variable *variables = make_variables(tensors, &spelling, NULL);
	Bytes bytes = {0};

	add_flax_map(&bytes, variables, tensors->count, 0);
	write_file(directory, "flax_model.msgpack", &bytes);
	bytes_free(&bytes);
	free_variables(variables, tensors->count);
}

const Format formats[] = {
	{"safetensors", write_safetensors},
	{"PyTorch, zip", write_torch_zip},
	{"PyTorch, legacy", write_torch_legacy},
	{"TensorFlow 1", write_bundle},
	{"TensorFlow 2", write_hdf5},
	{"Flax", write_flax},
};

const size_t format_count = sizeof(formats) / sizeof(formats[0]);
