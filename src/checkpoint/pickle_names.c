/*
 * pickle_names.c - the classes and functions a pickle may name, and what refused opcodes are called.
 *
 * Source: torch/_utils.py and torch/storage.py; comments of CPython's Lib/pickletools.py.
 */
#include "pickle.h"

#include <string.h>

static const RfPickleGlobal globals[] = {
	{"collections", "OrderedDict", RF_PICKLE_ORDERED_DICT, RF_F32},
	{"torch._utils", "_rebuild_tensor_v2", RF_PICKLE_REBUILD_TENSOR, RF_F32},
	{"torch._utils", "_rebuild_parameter", RF_PICKLE_REBUILD_PARAMETER, RF_F32},
	{"torch", "FloatStorage", RF_PICKLE_STORAGE, RF_F32},
	{"torch", "HalfStorage", RF_PICKLE_STORAGE, RF_F16},
	{"torch", "BFloat16Storage", RF_PICKLE_STORAGE, RF_BF16},
	{"torch", "DoubleStorage", RF_PICKLE_STORAGE, RF_F64},
	{"torch", "LongStorage", RF_PICKLE_STORAGE, RF_I64},
	{"torch", "IntStorage", RF_PICKLE_STORAGE, RF_I32},
	{"torch", "ShortStorage", RF_PICKLE_STORAGE, RF_I16},
	{"torch", "CharStorage", RF_PICKLE_STORAGE, RF_I8},
	{"torch", "ByteStorage", RF_PICKLE_STORAGE, RF_U8},
	{"torch", "BoolStorage", RF_PICKLE_STORAGE, RF_BOOL},
};

const RfPickleGlobal *
rf_pickle_find_global(const char *module, const char *name)
{
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++)
	{
		if (strcmp(globals[i].module, module) == 0 && strcmp(globals[i].name, name) == 0)
			return &globals[i];
	}
	return NULL;
}

const char *
rf_pickle_refused_opcode(unsigned char opcode)
{
	static const struct
	{
		unsigned char opcode;
		const char *name;
	} names[] = {
		{'0', "POP"},
		{'1', "POP_MARK"},
		{'2', "DUP"},
		{'F', "FLOAT"},
		{'G', "BINFLOAT"},
		{'I', "INT"},
		{'L', "LONG"},
		{'P', "PERSID"},
		{'S', "STRING"},
		{'T', "BINSTRING"},
		{'U', "SHORT_BINSTRING"},
		{'V', "UNICODE"},
		{'d', "DICT"},
		{'g', "GET"},
		{'i', "INST"},
		{'l', "LIST"},
		{'o', "OBJ"},
		{'p', "PUT"},
		{0x81, "NEWOBJ"},
		{0x82, "EXT1"},
		{0x83, "EXT2"},
		{0x84, "EXT4"},
		{0x8b, "LONG4"},
		{'B', "BINBYTES"},
		{'C', "SHORT_BINBYTES"},
		{0x8c, "SHORT_BINUNICODE"},
		{0x8d, "BINUNICODE8"},
		{0x8e, "BINBYTES8"},
		{0x8f, "EMPTY_SET"},
		{0x90, "ADDITEMS"},
		{0x91, "FROZENSET"},
		{0x92, "NEWOBJ_EX"},
		{0x93, "STACK_GLOBAL"},
		{0x94, "MEMOIZE"},
		{0x95, "FRAME"},
		{0x96, "BYTEARRAY8"},
		{0x97, "NEXT_BUFFER"},
		{0x98, "READONLY_BUFFER"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (names[i].opcode == opcode)
			return names[i].name;
	}
	return NULL;
}
