/*
 * test_golden_formats.c - the same weights in every format are the same tensors, bit by bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format_files.h"
#include "golden_model_files.h"
#include "rf/foreign.h"
#include "scratch_directory.h"

static RfCheckpoint *
open_at(const char *what, const char *directory)
{
	RfCheckpoint *checkpoint;
	RfError err;

	if (rf_checkpoint_open_with(directory, rf_foreign_readers, RF_FOREIGN_READER_COUNT,
								rf_memory_malloc, &checkpoint, &err) != RF_OK)
		fail_msg("%s: %s (%s)", what, err.message, err.detail);
	return checkpoint;
}

static void
expect_same(const char *what, const FormatTensors *one, const FormatTensors *other)
{
	if (one->count != other->count)
		fail_msg("%s: %zu tensors, not %zu", what, other->count, one->count);
	for (size_t i = 0; i < one->count; i++)
	{
		const FormatTensor *a = &one->tensors[i];
		const FormatTensor *b = &other->tensors[i];

		if (strcmp(a->name, b->name) != 0)
			fail_msg("%s: \"%s\" instead of \"%s\"", what, b->name, a->name);
		if (a->dtype != b->dtype || a->rank != b->rank ||
			memcmp(a->shape, b->shape, sizeof(a->shape)) != 0)
			fail_msg("%s: \"%s\" has another type or shape", what, a->name);
		if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
			fail_msg("%s: \"%s\" has other values", what, a->name);
	}
}

/* The parameters that a model of this configuration takes from the tensors are the same, too. */
static void
expect_model(const char *what, const char *directory, RfCheckpoint *checkpoint)
{
	RfArena arena;
	RfFile *files;
	RfSpec spec;
	RfMatch match;
	size_t count;
	RfError err;

	rf_arena_init(&arena, rf_memory_malloc);
	assert_int_equal(rf_spec_read_files(directory, &arena, &files, &count, &err), RF_OK);
	assert_int_equal(rf_spec_parse(files, count, &arena, &spec, &err), RF_OK);
	if (rf_spec_match(&spec, rf_checkpoint_tensor(checkpoint, 0), rf_checkpoint_count(checkpoint),
					  &arena, &match, &err) != RF_OK)
		fail_msg("%s: %s (%s)", what, err.message, err.detail);
	rf_arena_free(&arena);
}

static void
write_and_compare(const char *model, const char *golden, const Format *format,
				  const FormatTensors *expected)
{
	FormatTensors tensors;
	RfCheckpoint *checkpoint;
	char what[128];

	snprintf(what, sizeof(what), "%s as %s", model, format->name);
	format->write(scratch_make(), expected);
	checkpoint = open_at(what, scratch_path("."));
	expect_model(what, golden, checkpoint);
	format_tensors_read(&tensors, checkpoint);
	expect_same(what, expected, &tensors);
	format_tensors_free(&tensors);
	rf_checkpoint_close(checkpoint);
	scratch_remove();
}

static void
every_format_has_the_same_tensors(void **state)
{
	char **names = golden_model_names();

	(void) state;
	for (size_t i = 0; names[i] != NULL; i++)
	{
		FormatTensors tensors;
		RfCheckpoint *checkpoint;
		char golden[1024];

		snprintf(golden, sizeof(golden), "%s/models/%s", golden_directory(), names[i]);
		checkpoint = open_at(names[i], golden);
		format_tensors_read(&tensors, checkpoint);
		rf_checkpoint_close(checkpoint);
		for (size_t format = 0; format < format_count; format++)
			write_and_compare(names[i], golden, &formats[format], &tensors);
		format_tensors_free(&tensors);
		free(names[i]);
	}
	free(names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_has_the_same_tensors),
	};

	return cmocka_run_group_tests_name("golden_formats", tests, NULL, NULL);
}
