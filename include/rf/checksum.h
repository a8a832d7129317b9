/*
 * checksum.h - CRC-32C, with which TensorFlow's checkpoints protect their parts.
 */
#ifndef RF_CHECKSUM_H
#define RF_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of bytes that follow those that crc is of; crc is 0 before the first. */
extern uint32_t rf_crc32c(uint32_t crc, const void *data, size_t size);

#endif
