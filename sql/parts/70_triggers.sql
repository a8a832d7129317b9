/*
 * Trigger functions, in the manner of tsvector_update_trigger: their arguments are those of CREATE
 * TRIGGER. BEFORE INSERT OR UPDATE FOR EACH ROW, or AFTER INSERT or AFTER UPDATE FOR EACH STATEMENT with
 * transition tables.
 */

-- (model, source, target [, score])
CREATE FUNCTION roformer.classify_trigger() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'roformer_classify_trigger';

-- (model, source, target [, aggregation])
CREATE FUNCTION roformer.tag_trigger() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'roformer_tag_trigger';

-- (model, source, target [, pooling])
CREATE FUNCTION roformer.embed_trigger() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'roformer_embed_trigger';
