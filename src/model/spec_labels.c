/*
 * spec_labels.c - labels of a classifier and what its scores mean.
 *
 * id2label decides: its keys must be "0" to its size less one, in any order; num_labels counts only
 * without it. Question answering has two outputs whatever the file says. Other models have none,
 * and what their file says about labels is not looked at.
 */
#include "spec_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static RfCode
name_labels(size_t count, RfArena *arena, const char **labels, RfError *err)
{
	for (size_t i = 0; i < count; i++)
	{
		char name[32];
		int length = snprintf(name, sizeof(name), "LABEL_%zu", i);

		labels[i] = rf_arena_copy(arena, name, (size_t) length);
		if (labels[i] == NULL)
			return rf_error_memory(err, (size_t) length + 1);
	}
	return RF_OK;
}

/* Decimal without leading zeros, so that no two keys mean the same. */
static bool
parse_id(const char *key, size_t count, size_t *id)
{
	size_t length = strlen(key);

	if (length == 0 || length > 9 || strspn(key, "0123456789") != length ||
		(key[0] == '0' && length > 1))
		return false;
	*id = 0;
	for (size_t i = 0; i < length; i++)
		*id = *id * 10 + (size_t) (key[i] - '0');
	return *id < count;
}

/* Ids are distinct and below count, and there are count of them: none is left out. */
static RfCode
read_labels(json_t *id2label, RfArena *arena, const char **labels, RfError *err)
{
	size_t count = json_object_size(id2label);
	const char *key;
	json_t *value;

	json_object_foreach(id2label, key, value)
	{
		size_t id;

		RF_FAIL_IF(!parse_id(key, count, &id), err, RF_CORRUPT,
				   "\"id2label\" has %zu labels, but \"%s\" for an id", count, key);
		RF_FAIL_IF(!json_is_string(value), err, RF_CORRUPT, "label %zu is not a string", id);
		labels[id] = rf_arena_copy(arena, json_string_value(value), json_string_length(value));
		if (labels[id] == NULL)
			return rf_error_memory(err, json_string_length(value) + 1);
	}
	return RF_OK;
}

static RfCode
count_labels(const json_t *root, const json_t *id2label, int64_t *count, RfError *err)
{
	if (id2label == NULL)
		RF_TRY(rf_json_integer(root, "num_labels", 2, 1, INT64_MAX, count, err));
	else
		*count = (int64_t) json_object_size(id2label);
	RF_FAIL_IF(*count == 0, err, RF_CORRUPT, "\"id2label\" is empty");
	RF_FAIL_IF(*count > RF_MAX_LABELS, err, RF_LIMIT, "model has %" PRId64 " labels, more than %d",
			   *count, RF_MAX_LABELS);
	return RF_OK;
}

/* Without problem_type, one output is a regression: a softmax over it would always be 1. */
static RfCode
read_problem(const json_t *root, RfConfig *config, RfError *err)
{
	const char *type;

	RF_TRY(rf_json_string(root, "problem_type", NULL, &type, err));
	if (type == NULL)
		config->problem = config->num_labels == 1 ? RF_PROBLEM_REGRESSION : RF_PROBLEM_SINGLE_LABEL;
	else if (strcmp(type, "single_label_classification") == 0)
		config->problem = RF_PROBLEM_SINGLE_LABEL;
	else if (strcmp(type, "multi_label_classification") == 0)
		config->problem = RF_PROBLEM_MULTI_LABEL;
	else if (strcmp(type, "regression") == 0)
		config->problem = RF_PROBLEM_REGRESSION;
	else
		return rf_error_set(err, RF_UNSUPPORTED, "unknown problem_type \"%s\"", type);
	return RF_OK;
}

static RfCode
read_classifier(const json_t *root, RfArena *arena, RfSpec *spec, RfError *err)
{
	json_t *id2label = json_object_get(root, "id2label");
	const char **labels;
	int64_t count;

	id2label = json_is_null(id2label) ? NULL : id2label;
	RF_FAIL_IF(id2label != NULL && !json_is_object(id2label), err, RF_CORRUPT,
			   "\"id2label\" is not an object");
	RF_TRY(count_labels(root, id2label, &count, err));
	RF_NEW0(arena, labels, (size_t) count, err);
	if (id2label == NULL)
		RF_TRY(name_labels((size_t) count, arena, labels, err));
	else
		RF_TRY(read_labels(id2label, arena, labels, err));
	spec->labels = labels;
	spec->config.num_labels = (int32_t) count;
	return RF_OK;
}

static RfCode
set_answer_ends(RfArena *arena, RfSpec *spec, RfError *err)
{
	const char **labels;

	RF_NEW(arena, labels, 2, err);
	RF_TRY(name_labels(2, arena, labels, err));
	spec->labels = labels;
	spec->config.num_labels = 2;
	return RF_OK;
}

RfCode
rf_spec_parse_labels(const json_t *root, RfArena *arena, RfSpec *spec, RfError *err)
{
	spec->config.problem = RF_PROBLEM_SINGLE_LABEL;
	switch (spec->config.task)
	{
		case RF_TASK_SEQUENCE_CLASSIFICATION:
			RF_TRY(read_classifier(root, arena, spec, err));
			return read_problem(root, &spec->config, err);
		case RF_TASK_TOKEN_CLASSIFICATION:
			return read_classifier(root, arena, spec, err);
		case RF_TASK_QUESTION_ANSWERING:
			return set_answer_ends(arena, spec, err);
		default:
			return RF_OK;
	}
}
