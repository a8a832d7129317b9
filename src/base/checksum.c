/*
 * checksum.c - CRC-32C, eight bytes a step.
 *
 * The polynomial is Castagnoli's, 0x1EDC6F41, reflected. Tables are made at the first call: whoever
 * races there writes the same values.
 *
 * Source: RFC 3720, appendix B.4; M. Kounavis, F. Berry, "A systematic approach to building high
 * performance software-based CRC generators" (2005).
 */
#include "rf/checksum.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u
#define SLICES 8

static uint32_t tables[SLICES][256];
static bool ready;

static void
make_tables(void)
{
	for (uint32_t i = 0; i < 256; i++)
	{
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (POLYNOMIAL & (0u - (crc & 1)));
		tables[0][i] = crc;
	}
	for (int slice = 1; slice < SLICES; slice++)
	{
		for (uint32_t i = 0; i < 256; i++)
		{
			uint32_t before = tables[slice - 1][i];

			tables[slice][i] = (before >> 8) ^ tables[0][before & 0xFF];
		}
	}
	ready = true;
}

static uint32_t
add_eight(uint32_t crc, const unsigned char *bytes)
{
	uint32_t low;
	uint32_t high;

	memcpy(&low, bytes, sizeof(low));
	memcpy(&high, bytes + sizeof(low), sizeof(high));
	low ^= crc;
	return tables[7][low & 0xFF] ^ tables[6][(low >> 8) & 0xFF] ^ tables[5][(low >> 16) & 0xFF] ^
		   tables[4][low >> 24] ^ tables[3][high & 0xFF] ^ tables[2][(high >> 8) & 0xFF] ^
		   tables[1][(high >> 16) & 0xFF] ^ tables[0][high >> 24];
}

uint32_t
rf_crc32c(uint32_t crc, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	if (!ready)
		make_tables();
	crc = ~crc;
	for (; size >= SLICES; size -= SLICES, bytes += SLICES)
		crc = add_eight(crc, bytes);
	for (; size > 0; size--, bytes++)
		crc = (crc >> 8) ^ tables[0][(crc ^ *bytes) & 0xFF];
	return ~crc;
}
