/*
 * foreign.c - the readers of tf_model.h5 and flax_model.msgpack.
 */
#include "rf/foreign.h"

#include "walk.h"

#define HDF5_NAME "tf_model.h5"
#define FLAX_NAME "flax_model.msgpack"

static RfCode
read_hdf5(RfCheckpoint *checkpoint, size_t file, RfWeightEntry **entries, size_t *count,
		  RfError *err)
{
	return rf_walk_file(checkpoint, file, rf_hdf5_walk, rf_hdf5_map_name, entries, count, err);
}

static RfCode
open_hdf5(RfCheckpoint *checkpoint, int directory, RfError *err)
{
	return rf_weights_open_single(checkpoint, directory, HDF5_NAME, read_hdf5, err);
}

static RfCode
read_flax(RfCheckpoint *checkpoint, size_t file, RfWeightEntry **entries, size_t *count,
		  RfError *err)
{
	return rf_walk_file(checkpoint, file, rf_flax_walk, rf_flax_map_name, entries, count, err);
}

static RfCode
open_flax(RfCheckpoint *checkpoint, int directory, RfError *err)
{
	return rf_weights_open_single(checkpoint, directory, FLAX_NAME, read_flax, err);
}

static const RfReader hdf5_reader = {HDF5_NAME, open_hdf5, rf_weights_read};
static const RfReader flax_reader = {FLAX_NAME, open_flax, rf_weights_read};

const RfReader *const rf_foreign_readers[RF_FOREIGN_READER_COUNT] = {&hdf5_reader, &flax_reader};
