/*
 * hdf5_file.c - writes HDF5 files as Keras does, through libhdf5.
 */
#include "hdf5_file.h"

#include <stdio.h>
#include <stdlib.h>

static hid_t
require(hid_t id)
{
	if (id < 0)
	{
		fprintf(stderr, "libhdf5 refuses\n");
		exit(2);
	}
	return id;
}

hid_t
hdf5_create(const char *path)
{
	return require(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
}

void
hdf5_add(hid_t file, const Hdf5Array *array, hid_t properties)
{
	hid_t links = require(H5Pcreate(H5P_LINK_CREATE));
	hid_t space =
		require(array->rank == 0 ? H5Screate(H5S_SCALAR)
								 : H5Screate_simple((int) array->rank, array->shape, NULL));
	hid_t dataset;

	H5Pset_create_intermediate_group(links, 1);
	dataset =
		require(H5Dcreate2(file, array->path, array->type, space, links, properties, H5P_DEFAULT));
	if (array->data != NULL)
		require(H5Dwrite(dataset, array->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array->data));
	H5Dclose(dataset);
	H5Sclose(space);
	H5Pclose(links);
}

hid_t
hdf5_short_float(size_t exponent_bits)
{
	size_t mantissa_bits = 15 - exponent_bits;
	hid_t type = require(H5Tcopy(H5T_IEEE_F32LE));

	require(H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits));
	require(H5Tset_size(type, 2));
	require(H5Tset_ebias(type, ((size_t) 1 << (exponent_bits - 1)) - 1));
	return type;
}
