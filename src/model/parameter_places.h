/*
 * parameter_places.h - which field of the image a parameter's name means.
 */
#ifndef RF_PARAMETER_PLACES_H
#define RF_PARAMETER_PLACES_H

#include "image_layout.h"

typedef enum FieldKind
{
	FIELD_WEIGHT,      /* of an ImageLinear */
	FIELD_BIAS,        /* of an ImageLinear */
	FIELD_NORM_WEIGHT, /* of an ImageNorm */
	FIELD_NORM_BIAS
} FieldKind;

typedef struct Field
{
	FieldKind kind;
	void *target;            /* ImageLinear or ImageNorm */
	uint64_t part;           /* which of the parts that share the target: query 0, key 1, value 2 */
	uint64_t parts;          /* how many share it */
	bool by_heads;           /* parts take turns head by head, else one comes after the other */
	const ImageLayer *layer; /* that the target is in, or NULL */
} Field;

/* RF_UNSUPPORTED for a name that is no parameter of any model built here. */
extern RfCode rf_parameter_field(const char *name, ImageHeader *header, ImageLayer *layers,
								 Field *field, RfError *err);

#endif
