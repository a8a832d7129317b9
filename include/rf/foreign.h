/*
 * foreign.h - readers of formats that need libraries which have no place in a server process.
 *
 * tf_model.h5 is read through libhdf5, flax_model.msgpack through libmsgpackc. Both libraries look
 * at a file in a child process only, which has no other file, little memory and little time, and
 * reports where the tensors are; their data are read by the caller's process like those of any
 * other format. The module of the server does not contain this.
 */
#ifndef RF_FOREIGN_H
#define RF_FOREIGN_H

#include "rf/checkpoint.h"

#define RF_FOREIGN_READER_COUNT 2

/* To be handed to rf_checkpoint_open_with. */
extern const RfReader *const rf_foreign_readers[RF_FOREIGN_READER_COUNT];

#endif
