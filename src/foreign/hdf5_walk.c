/*
 * hdf5_walk.c - the datasets of a tf_model.h5, in the child process.
 *
 * Every dataset below the root is a tensor, its path /LAYER/WEIGHT_NAME. libhdf5 is asked where a
 * dataset's data lie, never for the data.
 *
 * Enforced: groups at most RF_WALK_MAX_DEPTH deep, at most MAX_OBJECTS links followed (hard links
 * may form circles). Rejected: links that are not hard, datasets that are virtual, external,
 * compressed or otherwise not one run of bytes. Left out: types that no tensor here has. No plugin
 * is loaded, and no file can be opened after this one.
 *
 * Source: HDF5 reference manual; keras/saving/hdf5_format.py.
 */
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "walk.h"

#define MAX_OBJECTS (4 * RF_MAX_TENSORS)

typedef struct Walker
{
	RfWalk *walk;
	RfWalkTensor tensor; /* path: of the group at work */
	size_t objects;
	int depth;
	hid_t half; /* types that the library has no name for */
	hid_t bfloat;
	RfError *err;
} Walker;

static RfCode
fail(const Walker *walker, RfCode code, const char *what)
{
	return rf_error_set(walker->err, code, "\"%s\" in file \"%s\" %s", walker->tensor.path,
						walker->walk->file, what);
}

static RfCode
broken(const Walker *walker)
{
	return fail(walker, RF_CORRUPT, "could not be read by libhdf5");
}

/* Sign, exponent and mantissa from the top of two bytes. */
static hid_t
make_float(size_t exponent_bits)
{
	size_t mantissa_bits = 15 - exponent_bits;
	hid_t type = H5Tcopy(H5T_IEEE_F32LE);

	if (H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits) < 0 ||
		H5Tset_precision(type, 16) < 0 || H5Tset_size(type, 2) < 0 ||
		H5Tset_ebias(type, ((size_t) 1 << (exponent_bits - 1)) - 1) < 0)
		return -1;
	return type;
}

static bool
find_dtype(const Walker *walker, hid_t type, RfDtype *dtype)
{
	const struct
	{
		hid_t type;
		RfDtype dtype;
	} types[] = {
		{H5T_IEEE_F32LE, RF_F32}, {walker->half, RF_F16},  {walker->bfloat, RF_BF16},
		{H5T_IEEE_F64LE, RF_F64}, {H5T_STD_I64LE, RF_I64}, {H5T_STD_I32LE, RF_I32},
		{H5T_STD_I16LE, RF_I16},  {H5T_STD_I8LE, RF_I8},   {H5T_STD_U8LE, RF_U8},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		if (H5Tequal(type, types[i].type) > 0)
		{
			*dtype = types[i].dtype;
			return true;
		}
	}
	return false;
}

/* Before anything is asked for that could make the library look elsewhere. */
static RfCode
check_layout(const Walker *walker, hid_t dataset)
{
	hid_t properties = H5Dget_create_plist(dataset);
	H5D_layout_t layout = H5Pget_layout(properties);

	if (properties < 0 || layout < 0)
		return broken(walker);
	if (layout == H5D_VIRTUAL)
		return fail(walker, RF_UNSUPPORTED, "is a virtual dataset, made of other files");
	if (H5Pget_external_count(properties) != 0)
		return fail(walker, RF_UNSUPPORTED, "has its data in another file");
	if (layout != H5D_CONTIGUOUS || H5Pget_nfilters(properties) != 0)
		return fail(walker, RF_UNSUPPORTED, "is stored in chunks or compressed");
	H5Pclose(properties);
	return RF_OK;
}

/* false with *code RF_OK: a tensor of no interest. */
static bool
describe(Walker *walker, hid_t dataset, RfCode *code)
{
	RfWalkTensor *tensor = &walker->tensor;
	hid_t type = H5Dget_type(dataset);
	hid_t space = H5Dget_space(dataset);
	bool known = find_dtype(walker, type, &tensor->dtype);
	hsize_t sizes[H5S_MAX_RANK];
	int rank = H5Sget_simple_extent_ndims(space);

	*code = RF_OK;
	if (type < 0 || space < 0 || rank < 0 || rank > H5S_MAX_RANK)
		*code = broken(walker);
	else if (H5Sget_simple_extent_type(space) == H5S_NULL || !known)
		known = false;
	else if (rank > RF_MAX_RANK)
		*code = fail(walker, RF_LIMIT, "has more than 8 dimensions");
	else if (H5Sget_simple_extent_dims(space, sizes, NULL) < 0)
		*code = broken(walker);
	else
	{
		tensor->rank = rank;
		for (int i = 0; i < rank; i++)
			tensor->shape[i] = sizes[i];
	}
	H5Sclose(space);
	H5Tclose(type);
	return *code == RF_OK && known;
}

static RfCode
walk_dataset(Walker *walker, hid_t dataset)
{
	RfTensorDesc desc = {.name = walker->tensor.path};
	RfCode code;
	haddr_t offset;
	size_t bytes;

	RF_TRY(check_layout(walker, dataset));
	if (!describe(walker, dataset, &code))
		return code;
	desc.dtype = walker->tensor.dtype;
	desc.rank = walker->tensor.rank;
	memcpy(desc.shape, walker->tensor.shape, sizeof(desc.shape));
	RF_TRY(rf_tensor_bytes(&desc, &bytes, walker->err));
	RF_TRY(rf_walk_report_tensor(walker->walk, &walker->tensor, walker->err));
	if (bytes == 0)
		return RF_OK;
	offset = H5Dget_offset(dataset);
	if (offset == HADDR_UNDEF)
		return fail(walker, RF_CORRUPT, "has no data");
	return rf_walk_report_piece(walker->walk, offset, bytes, walker->err);
}

static RfCode walk_group(Walker *walker, hid_t group);

static RfCode
walk_object(Walker *walker, hid_t object)
{
	switch (H5Iget_type(object))
	{
		case H5I_GROUP:
			return walk_group(walker, object);
		case H5I_DATASET:
			return walk_dataset(walker, object);
		case H5I_DATATYPE:
			return RF_OK;
		default:
			return broken(walker);
	}
}

static RfCode
walk_link(Walker *walker, hid_t group, const char *name, const H5L_info_t *info)
{
	hid_t object;
	RfCode code;

	if (!rf_walk_append(walker->tensor.path, name, strlen(name)))
		return fail(walker, RF_LIMIT, "has a member with a name that is too long");
	if (info->type != H5L_TYPE_HARD)
		return fail(walker, RF_UNSUPPORTED, "is a link to a place elsewhere");
	if (++walker->objects > MAX_OBJECTS)
		return fail(walker, RF_LIMIT, "is one object of too many");
	object = H5Oopen(group, name, H5P_DEFAULT);
	if (object < 0)
		return broken(walker);
	code = walk_object(walker, object);
	H5Oclose(object);
	return code;
}

/* Negative ends the iteration. */
static herr_t
visit_link(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
	Walker *walker = context;
	size_t length = strlen(walker->tensor.path);
	RfCode code = walk_link(walker, group, name, info);

	if (code == RF_OK)
		walker->tensor.path[length] = '\0';
	return code == RF_OK ? 0 : -1;
}

static RfCode
walk_group(Walker *walker, hid_t group)
{
	hsize_t position = 0;

	if (walker->depth == RF_WALK_MAX_DEPTH)
		return fail(walker, RF_LIMIT, "has groups nested too deeply");
	walker->depth++;
	if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &position, visit_link, walker) < 0)
		return walker->err->code != RF_OK ? walker->err->code : broken(walker);
	walker->depth--;
	return RF_OK;
}

/* By its descriptor: the name may mean another file by now. */
static hid_t
open_file(int fd)
{
	const struct rlimit none = {0, 0};
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	char path[64];
	hid_t file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
#if H5_VERSION_GE(1, 10, 7)
	H5Pset_file_locking(access, false, true);
#endif
	file = H5Fopen(path, H5F_ACC_RDONLY, access);
	setrlimit(RLIMIT_NOFILE, &none);
	return file;
}

RfCode
rf_hdf5_walk(RfWalk *walk, RfError *err)
{
	Walker walker = {.walk = walk, .err = err};
	hid_t file, root;

	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	H5PLset_loading_state(0);
	walker.half = make_float(5);
	walker.bfloat = make_float(8);
	file = open_file(walk->fd);
	RF_FAIL_IF(file < 0, err, RF_CORRUPT, "file \"%s\" is not an HDF5 file, or a damaged one",
			   walk->file);
	root = H5Gopen2(file, "/", H5P_DEFAULT);
	RF_FAIL_IF(root < 0, err, RF_CORRUPT, "file \"%s\" has no root group", walk->file);
	return walk_group(&walker, root);
}
