/*
 * spec_private.h - the parts of the specification of a model, one file each.
 */
#ifndef RF_SPEC_PRIVATE_H
#define RF_SPEC_PRIVATE_H

#include "rf/json.h"
#include "rf/spec.h"

#define RF_CONFIG_FILE "config.json"
#define RF_ORIGINAL_CONFIG_FILE "bert_config.json"

/* The file of that name, or NULL. */
extern const RfFile *rf_spec_file(const RfFile *files, size_t count, const char *name);

/* spec_config.c: everything of config.json but labels. */
extern RfCode rf_spec_parse_config(const json_t *root, RfSpec *spec, RfError *err);

/* spec_original.c: the same for bert_config.json, whose members are translated in root. */
extern RfCode rf_spec_parse_original(json_t *root, RfSpec *spec, RfError *err);
/* spec_original.c: what bert_config.json didn't say. */
extern RfCode rf_spec_infer(RfSpec *spec, const RfTensorDesc *tensors, size_t count, RfError *err);

/* spec_labels.c: number and names of labels, what the scores mean; needs the task. */
extern RfCode rf_spec_parse_labels(const json_t *root, RfArena *arena, RfSpec *spec, RfError *err);

/* spec_pooling.c: what embed() does by default; needs the sizes. */
extern RfCode rf_spec_parse_pooling(const RfFile *files, size_t count, RfConfig *config,
									RfError *err);

/* spec_parameters.c */
typedef struct RfExpected
{
	const char *name;  /* canonical */
	const char *alias; /* where else a file may have it, or NULL */
	int rank;
	uint64_t shape[2];
	bool optional;
} RfExpected;

/* "roformer." for architectures with a head, "" for RoFormerModel. */
extern const char *rf_spec_prefix(const RfConfig *config);

/* Every parameter of such a model, in no particular order; those of the pooler if it has one. */
extern RfCode rf_spec_expect(const RfConfig *config, RfArena *arena, RfExpected **expected,
							 size_t *count, RfError *err);

#endif
