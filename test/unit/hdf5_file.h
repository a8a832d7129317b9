/*
 * hdf5_file.h - writes HDF5 files as Keras does, through libhdf5.
 */
#ifndef TEST_HDF5_FILE_H
#define TEST_HDF5_FILE_H

#include <hdf5.h>

typedef struct Hdf5Array
{
	const char *path; /* from the root; groups on the way are made */
	hid_t type;
	size_t rank;
	hsize_t shape[9];
	const void *data;
} Hdf5Array;

/* An empty file of that path. */
extern hid_t hdf5_create(const char *path);
/* With properties, H5P_DEFAULT for contiguous data. */
extern void hdf5_add(hid_t file, const Hdf5Array *array, hid_t properties);
/* 16 bits of which exponent_bits are the exponent: half, bfloat16. */
extern hid_t hdf5_short_float(size_t exponent_bits);

#endif
