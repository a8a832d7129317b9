/*
 * pickle.c - a reader of pickles that can only build plain values.
 *
 * A pickle is a program for a stack machine that can call anything. This machine has the part of
 * protocol 2 that torch.save writes for a state dict, and calls nothing:
 *
 *   PROTO STOP MARK                       frame
 *   NONE NEWTRUE NEWFALSE                 constants
 *   BININT BININT1 BININT2 LONG1          integers of at most 64 bits
 *   BINUNICODE                            strings
 *   EMPTY_TUPLE TUPLE TUPLE1-3            tuples
 *   EMPTY_LIST APPEND APPENDS             lists
 *   EMPTY_DICT SETITEM SETITEMS           dicts
 *   BINPUT LONG_BINPUT BINGET LONG_BINGET memo
 *   GLOBAL                                only what stands in the table of pickle_names.c
 *   REDUCE                                OrderedDict() makes a dict; _rebuild_tensor_v2 and
 *                                         _rebuild_parameter are kept as descriptions of the call
 *   BINPERSID                             kept as a description
 *   BUILD                                 only the attribute _metadata of a dict, which is dropped
 *
 * Any other opcode and any other global is refused by name, and so are other protocols.
 *
 * Lists and dicts can't be fetched from the memo: state dicts have no shared ones, and without that
 * no value can contain itself. Nothing here or above is recursive.
 *
 * Enforced: the RF_PICKLE_MAX_ limits of pickle.h; memo slots are used in order; strings are UTF-8.
 *
 * Source: comments of CPython's Lib/pickletools.py; torch/serialization.py.
 */
#include "pickle.h"

#include <inttypes.h>
#include <string.h>

#include "rf/utf8.h"

#define WINDOW_SIZE ((size_t) 64 * 1024)
#define MAX_GLOBAL 127

typedef struct Machine
{
	const RfOpenFile *file;
	RfArena *arena;
	RfError *err;
	uint64_t begin;
	uint64_t next; /* offset of the byte behind the window */
	uint64_t end;
	uint64_t opcode; /* offset of the one being executed */
	unsigned char *window;
	size_t window_at;
	size_t window_size;
	RfPickleValue *stack; /* [RF_PICKLE_MAX_STACK] */
	size_t depth;
	size_t marks[RF_PICKLE_MAX_DEPTH];
	size_t mark_count;
	RfPickleValue *memo;
	size_t memo_count; /* slots in use */
	size_t memo_capacity;
	size_t pushed; /* values so far */
} Machine;

/* To be called after rf_error_set. */
static RfCode
fail(Machine *machine, RfCode code)
{
	rf_error_origin(machine->err, machine->file->name, machine->opcode);
	return code;
}

static RfCode
corrupt(Machine *machine, const char *what)
{
	rf_error_set(machine->err, RF_CORRUPT, "pickle in file \"%s\" %s", machine->file->name, what);
	return fail(machine, RF_CORRUPT);
}

static RfCode
over_limit(Machine *machine, const char *what, uint64_t limit)
{
	rf_error_set(machine->err, RF_LIMIT, "pickle in file \"%s\" has more than %" PRIu64 " %s",
				 machine->file->name, limit, what);
	return fail(machine, RF_LIMIT);
}

/* Says what the pickle wanted to do; kind and name are printable. */
static RfCode
refuse(Machine *machine, const char *kind, const char *name)
{
	rf_error_set(machine->err, RF_UNSUPPORTED, "pickle in file \"%s\" %s \"%s\"",
				 machine->file->name, kind, name);
	rf_error_detail(machine->err, "Only state dicts, which consist of tensors in plain containers, "
								  "are read; nothing in a file is executed.");
	return fail(machine, RF_UNSUPPORTED);
}

/* Input */

static RfCode
fill_window(Machine *machine)
{
	size_t size = WINDOW_SIZE;

	if (machine->end - machine->next < size)
		size = (size_t) (machine->end - machine->next);
	if (size == 0)
	{
		if (machine->end - machine->begin >= RF_PICKLE_MAX_BYTES)
			return over_limit(machine, "bytes", RF_PICKLE_MAX_BYTES);
		return corrupt(machine, "ends before its STOP");
	}
	RF_TRY(rf_open_file_read(machine->file, machine->next, size, machine->window, machine->err));
	machine->next += size;
	machine->window_at = 0;
	machine->window_size = size;
	return RF_OK;
}

static RfCode
take(Machine *machine, void *to, size_t length)
{
	unsigned char *bytes = to;

	while (length > 0)
	{
		size_t part = machine->window_size - machine->window_at;

		if (part == 0)
		{
			RF_TRY(fill_window(machine));
			continue;
		}
		if (part > length)
			part = length;
		memcpy(bytes, machine->window + machine->window_at, part);
		machine->window_at += part;
		bytes += part;
		length -= part;
	}
	return RF_OK;
}

/* An unsigned little-endian number. */
static RfCode
take_number(Machine *machine, size_t size, uint64_t *number)
{
	*number = 0;
	return take(machine, number, size);
}

/* A line of printable ASCII, as names in Python modules are. */
static RfCode
take_line(Machine *machine, char *line)
{
	for (size_t length = 0;; length++)
	{
		unsigned char byte;

		RF_TRY(take(machine, &byte, 1));
		line[length] = '\0';
		if (byte == '\n')
			return RF_OK;
		if (byte <= ' ' || byte > '~' || byte == '"')
			return corrupt(machine, "has a global with unusual characters in its name");
		if (length == MAX_GLOBAL)
			return over_limit(machine, "bytes in the name of a global", MAX_GLOBAL);
		line[length] = (char) byte;
	}
}

/* Stack */

static RfCode
push(Machine *machine, RfPickleValue value)
{
	if (machine->depth == RF_PICKLE_MAX_STACK)
		return over_limit(machine, "values on its stack", RF_PICKLE_MAX_STACK);
	if (machine->pushed == RF_PICKLE_MAX_VALUES)
		return over_limit(machine, "values", RF_PICKLE_MAX_VALUES);
	machine->stack[machine->depth++] = value;
	machine->pushed++;
	return RF_OK;
}

static RfCode
push_integer(Machine *machine, RfPickleKind kind, int64_t integer)
{
	return push(machine, (RfPickleValue){.kind = kind, .integer = integer});
}

/* Makes sure that count values lie above the last mark. */
static RfCode
require(Machine *machine, size_t count)
{
	size_t floor = machine->mark_count == 0 ? 0 : machine->marks[machine->mark_count - 1];

	if (machine->depth - floor < count)
		return corrupt(machine, "takes more from its stack than is there");
	return RF_OK;
}

static RfCode
push_mark(Machine *machine)
{
	if (machine->mark_count == RF_PICKLE_MAX_DEPTH)
		return over_limit(machine, "levels of nesting", RF_PICKLE_MAX_DEPTH);
	machine->marks[machine->mark_count++] = machine->depth;
	return RF_OK;
}

/* Takes the last mark away and counts the values above it, which stay. */
static RfCode
pop_mark(Machine *machine, size_t *count)
{
	if (machine->mark_count == 0)
		return corrupt(machine, "has no MARK where one is needed");
	*count = machine->depth - machine->marks[--machine->mark_count];
	return RF_OK;
}

/* Replaces the topmost values by one that has them as its items. */
static RfCode
push_items(Machine *machine, RfPickleKind kind, size_t count)
{
	RfPickleValue *items;

	RF_NEW(machine->arena, items, count, machine->err);
	machine->depth -= count;
	memcpy(items, machine->stack + machine->depth, count * sizeof(*items));
	return push(machine,
				(RfPickleValue){.kind = kind, .count = (uint32_t) count, .items = items});
}

static RfCode
push_tuple(Machine *machine, size_t count)
{
	RF_TRY(require(machine, count));
	return push_items(machine, RF_PICKLE_TUPLE, count);
}

static RfCode
push_marked_tuple(Machine *machine)
{
	size_t count;

	RF_TRY(pop_mark(machine, &count));
	return push_items(machine, RF_PICKLE_TUPLE, count);
}

static RfCode
push_container(Machine *machine, RfPickleKind kind)
{
	RfPickleContainer *container;

	RF_NEW0(machine->arena, container, 1, machine->err);
	return push(machine, (RfPickleValue){.kind = kind, .container = container});
}

static RfCode
push_string(Machine *machine)
{
	uint64_t length;
	char *bytes;

	RF_TRY(take_number(machine, 4, &length));
	if (length > RF_PICKLE_MAX_STRING)
		return over_limit(machine, "bytes in a string", RF_PICKLE_MAX_STRING);
	RF_NEW(machine->arena, bytes, length + 1, machine->err);
	RF_TRY(take(machine, bytes, (size_t) length));
	bytes[length] = '\0';
	if (rf_utf8_valid_prefix(bytes, (size_t) length) != length)
		return corrupt(machine, "has a string that is not valid UTF-8");
	return push(machine, (RfPickleValue){
							 .kind = RF_PICKLE_STRING, .count = (uint32_t) length, .string = bytes});
}

/* A length and that many bytes of two's complement. */
static RfCode
push_long(Machine *machine)
{
	uint64_t length;
	uint64_t bits;

	RF_TRY(take_number(machine, 1, &length));
	if (length > sizeof(bits))
		return over_limit(machine, "bytes in an integer", sizeof(bits));
	RF_TRY(take_number(machine, (size_t) length, &bits));
	if (length > 0 && length < sizeof(bits) && (bits >> (8 * length - 1)) != 0)
		bits |= UINT64_MAX << (8 * length);
	return push_integer(machine, RF_PICKLE_INTEGER, (int64_t) bits);
}

static RfCode
push_number(Machine *machine, size_t size)
{
	uint64_t bits;

	RF_TRY(take_number(machine, size, &bits));
	return push_integer(machine, RF_PICKLE_INTEGER, size == 4 ? (int32_t) bits : (int64_t) bits);
}

/* Containers */

/* Moves the topmost count values into the container below them. */
static RfCode
move_into(Machine *machine, RfPickleKind kind, size_t count)
{
	RfPickleContainer *container;
	const RfPickleValue *target;

	RF_TRY(require(machine, count + 1));
	target = &machine->stack[machine->depth - count - 1];
	if (target->kind != kind)
		return corrupt(machine, kind == RF_PICKLE_LIST ? "appends to what is no list"
													   : "sets items of what is no dict");
	if (kind == RF_PICKLE_DICT && count % 2 != 0)
		return corrupt(machine, "has a key without a value");
	container = target->container;
	if (count > container->capacity - container->count)
	{
		size_t capacity = 2 * (container->count + count);
		RfPickleValue *items;

		RF_NEW(machine->arena, items, capacity, machine->err);
		if (container->count > 0)
			memcpy(items, container->items, container->count * sizeof(*items));
		container->items = items;
		container->capacity = capacity;
	}
	machine->depth -= count;
	if (count > 0)
		memcpy(container->items + container->count, machine->stack + machine->depth,
			   count * sizeof(*container->items));
	container->count += count;
	return RF_OK;
}

static RfCode
move_marked_into(Machine *machine, RfPickleKind kind)
{
	size_t count;

	RF_TRY(pop_mark(machine, &count));
	return move_into(machine, kind, count);
}

/* Memo */

static RfCode
put(Machine *machine, size_t size)
{
	uint64_t slot;

	RF_TRY(take_number(machine, size, &slot));
	RF_TRY(require(machine, 1));
	if (slot > machine->memo_count)
	{
		rf_error_set(machine->err, RF_LIMIT,
					 "pickle in file \"%s\" uses slot %" PRIu64 " of its memo, which has %zu",
					 machine->file->name, slot, machine->memo_count);
		return fail(machine, RF_LIMIT);
	}
	if (slot == RF_PICKLE_MAX_VALUES)
		return over_limit(machine, "slots in its memo", RF_PICKLE_MAX_VALUES);
	if (slot == machine->memo_capacity)
	{
		size_t capacity = slot == 0 ? 256 : 2 * (size_t) slot;
		RfPickleValue *memo;

		RF_NEW(machine->arena, memo, capacity, machine->err);
		if (slot > 0)
			memcpy(memo, machine->memo, (size_t) slot * sizeof(*memo));
		machine->memo = memo;
		machine->memo_capacity = capacity;
	}
	machine->memo[slot] = machine->stack[machine->depth - 1];
	if (slot == machine->memo_count)
		machine->memo_count++;
	return RF_OK;
}

static RfCode
get(Machine *machine, size_t size)
{
	uint64_t slot;

	RF_TRY(take_number(machine, size, &slot));
	if (slot >= machine->memo_count)
		return corrupt(machine, "takes from its memo what was not put there");
	if (machine->memo[slot].kind == RF_PICKLE_LIST || machine->memo[slot].kind == RF_PICKLE_DICT)
	{
		corrupt(machine, "refers back to a list or dict");
		rf_error_detail(machine->err, "It could contain itself, and no state dict needs that.");
		return RF_CORRUPT;
	}
	return push(machine, machine->memo[slot]);
}

/* Globals and what is done with them */

static RfCode
push_global(Machine *machine)
{
	char module[MAX_GLOBAL + 1];
	char name[MAX_GLOBAL + 1];
	char whole[2 * MAX_GLOBAL + 2];
	const RfPickleGlobal *global;

	RF_TRY(take_line(machine, module));
	RF_TRY(take_line(machine, name));
	global = rf_pickle_find_global(module, name);
	if (global != NULL)
		return push(machine, (RfPickleValue){.kind = RF_PICKLE_GLOBAL, .global = global});
	strcpy(whole, module);
	strcat(whole, ".");
	strcat(whole, name);
	return refuse(machine, "refers to", whole);
}

static RfCode
reduce(Machine *machine)
{
	const RfPickleValue *function;
	const RfPickleValue *arguments;

	RF_TRY(require(machine, 2));
	function = &machine->stack[machine->depth - 2];
	arguments = &machine->stack[machine->depth - 1];
	if (function->kind != RF_PICKLE_GLOBAL || arguments->kind != RF_PICKLE_TUPLE)
		return corrupt(machine, "calls what is no function");
	if (function->global->role == RF_PICKLE_STORAGE)
		return refuse(machine, "calls", function->global->name);
	if (function->global->role != RF_PICKLE_ORDERED_DICT)
		return push_items(machine, RF_PICKLE_CALL, 2);
	if (arguments->count != 0)
		return corrupt(machine, "makes an OrderedDict of arguments");
	machine->depth -= 2;
	return push_container(machine, RF_PICKLE_DICT);
}

static RfCode
push_persistent(Machine *machine)
{
	RF_TRY(require(machine, 1));
	if (machine->stack[machine->depth - 1].kind != RF_PICKLE_TUPLE)
		return corrupt(machine, "has a persistent id that is no tuple");
	return push_items(machine, RF_PICKLE_PERSISTENT, 1);
}

static RfCode
build(Machine *machine)
{
	const RfPickleValue *state;

	RF_TRY(require(machine, 2));
	state = &machine->stack[machine->depth - 1];
	if (state[-1].kind != RF_PICKLE_DICT || state->kind != RF_PICKLE_DICT ||
		state->container->count != 2 || rf_pickle_get(state, "_metadata") == NULL)
		return refuse(machine, "uses opcode", "BUILD");
	machine->depth--;
	return RF_OK;
}

static RfCode
check_protocol(Machine *machine)
{
	uint64_t protocol;
	char name[24] = "protocol ";

	RF_TRY(take_number(machine, 1, &protocol));
	if (protocol == 2)
		return RF_OK;
	for (uint64_t digit = protocol >= 100 ? 100 : protocol >= 10 ? 10 : 1; digit > 0; digit /= 10)
		strncat(name, &"0123456789"[protocol / digit % 10], 1);
	return refuse(machine, "uses", name);
}

static RfCode
refuse_opcode(Machine *machine, unsigned char opcode)
{
	const char *name = rf_pickle_refused_opcode(opcode);

	if (name != NULL)
		return refuse(machine, "uses opcode", name);
	rf_error_set(machine->err, RF_CORRUPT, "pickle in file \"%s\" has unknown opcode 0x%02X",
				 machine->file->name, opcode);
	return fail(machine, RF_CORRUPT);
}

/* Everything but STOP. */
static RfCode
execute(Machine *machine, unsigned char opcode)
{
	switch (opcode)
	{
		case 0x80: return check_protocol(machine);
		case '(': return push_mark(machine);
		case 'N': return push_integer(machine, RF_PICKLE_NONE, 0);
		case 0x88: return push_integer(machine, RF_PICKLE_BOOLEAN, 1);
		case 0x89: return push_integer(machine, RF_PICKLE_BOOLEAN, 0);
		case 'J': return push_number(machine, 4);
		case 'K': return push_number(machine, 1);
		case 'M': return push_number(machine, 2);
		case 0x8a: return push_long(machine);
		case 'X': return push_string(machine);
		case ')': return push_tuple(machine, 0);
		case 't': return push_marked_tuple(machine);
		case 0x85: return push_tuple(machine, 1);
		case 0x86: return push_tuple(machine, 2);
		case 0x87: return push_tuple(machine, 3);
		case ']': return push_container(machine, RF_PICKLE_LIST);
		case 'a': return move_into(machine, RF_PICKLE_LIST, 1);
		case 'e': return move_marked_into(machine, RF_PICKLE_LIST);
		case '}': return push_container(machine, RF_PICKLE_DICT);
		case 's': return move_into(machine, RF_PICKLE_DICT, 2);
		case 'u': return move_marked_into(machine, RF_PICKLE_DICT);
		case 'q': return put(machine, 1);
		case 'r': return put(machine, 4);
		case 'h': return get(machine, 1);
		case 'j': return get(machine, 4);
		case 'c': return push_global(machine);
		case 'R': return reduce(machine);
		case 'Q': return push_persistent(machine);
		case 'b': return build(machine);
		default: return refuse_opcode(machine, opcode);
	}
}

static RfCode
run(Machine *machine)
{
	for (;;)
	{
		unsigned char opcode;

		machine->opcode = machine->next - (machine->window_size - machine->window_at);
		RF_TRY(take(machine, &opcode, 1));
		if (machine->opcode == machine->begin && opcode != 0x80)
			return corrupt(machine, "does not begin with its protocol");
		if (opcode == '.')
			break;
		RF_TRY(execute(machine, opcode));
	}
	if (machine->depth != 1 || machine->mark_count != 0)
		return corrupt(machine, "does not end with one value");
	return RF_OK;
}

RfCode
rf_pickle_read(const RfOpenFile *file, uint64_t *offset, uint64_t end, RfArena *arena,
			   RfPickleValue *value, RfError *err)
{
	Machine machine = {.file = file,
					   .arena = arena,
					   .err = err,
					   .begin = *offset,
					   .next = *offset,
					   .end = end,
					   .opcode = *offset};

	if (end - *offset > RF_PICKLE_MAX_BYTES)
		machine.end = *offset + RF_PICKLE_MAX_BYTES;
	RF_NEW(arena, machine.window, WINDOW_SIZE, err);
	RF_NEW(arena, machine.stack, RF_PICKLE_MAX_STACK, err);
	RF_TRY(run(&machine));
	*value = machine.stack[0];
	*offset = machine.next - (machine.window_size - machine.window_at);
	return RF_OK;
}

const RfPickleValue *
rf_pickle_get(const RfPickleValue *dict, const char *key)
{
	const RfPickleContainer *container = dict->container;

	for (size_t i = 0; i < container->count; i += 2)
	{
		const RfPickleValue *found = &container->items[i];

		if (found->kind == RF_PICKLE_STRING && strcmp(found->string, key) == 0)
			return found + 1;
	}
	return NULL;
}
