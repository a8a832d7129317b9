/*
 * fuzz_target.h - what every fuzz target implements and what holds for every failure.
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "rf/status.h"

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts unless condition holds. */
extern void fuzz_require(bool condition);

/*
 * What a function returned: on failure err must have the same code, a message, and valid UTF-8 in
 * every text. Returns whether it succeeded.
 */
extern bool fuzz_succeeded(RfCode code, const RfError *err);

/* A part of an input, in a block of exactly its size, so that a sanitizer sees reads behind it. */
typedef struct FuzzPart
{
	char *data;
	size_t size;
} FuzzPart;

/* Cuts the input at its first count - 1 zero bytes; parts that are not there are empty. */
extern void fuzz_split(const uint8_t *data, size_t size, FuzzPart *parts, size_t count);
extern void fuzz_free(FuzzPart *parts, size_t count);

#endif
