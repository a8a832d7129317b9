/*
 * Inference. IMMUTABLE for the reason given with the text functions. The support
 * function tells the planner what a call costs, from the size of the model and the width of the
 * columns: so cheap conditions are evaluated first, dear results are computed behind a LIMIT, and
 * parallel plans are chosen for the work, not for the table's pages. COST is for models whose name isn't
 * known when the plan is made, in units of cpu_operator_cost: 10000 of them are what a small model
 * takes (3 layers of 256, 30 tokens: half a millisecond). Arrays are taken to have ten elements, as
 * the planner does.
 *
 * The form for arrays gives an array with a result for each element; where the result is itself an
 * array, a set of them in the order of the elements.
 */

CREATE FUNCTION roformer.inference_support(internal)
RETURNS internal
LANGUAGE C STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'roformer_inference_support';

CREATE FUNCTION roformer.classify(model text, text text)
RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify';

CREATE FUNCTION roformer.classify(model text, text text, pair text)
RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify';

CREATE FUNCTION roformer.classify(model text, texts text[])
RETURNS text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_array';

CREATE FUNCTION roformer.classify(model text, texts text[], pairs text[])
RETURNS text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_array';

CREATE FUNCTION roformer.classify_score(model text, text text, label text)
RETURNS real
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_score';

CREATE FUNCTION roformer.classify_score(model text, texts text[], label text)
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_score_array';

CREATE FUNCTION roformer.classify_all(model text, text text)
RETURNS roformer.label_score[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_all';

CREATE FUNCTION roformer.classify_all(model text, text text, pair text)
RETURNS roformer.label_score[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_all';

CREATE FUNCTION roformer.classify_all(model text, texts text[])
RETURNS SETOF roformer.label_score[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_all_set';

CREATE FUNCTION roformer.classify_all(model text, texts text[], pairs text[])
RETURNS SETOF roformer.label_score[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_classify_all_set';

CREATE FUNCTION roformer.regress(model text, text text)
RETURNS real
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_regress';

CREATE FUNCTION roformer.regress(model text, text text, pair text)
RETURNS real
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_regress';

CREATE FUNCTION roformer.regress(model text, texts text[])
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_regress_array';

CREATE FUNCTION roformer.regress(model text, texts text[], pairs text[])
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_regress_array';

CREATE FUNCTION roformer.tag(model text, text text, aggregation text DEFAULT 'simple')
RETURNS roformer.entity[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_tag';

CREATE FUNCTION roformer.tag(model text, texts text[], aggregation text DEFAULT 'simple')
RETURNS SETOF roformer.entity[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_tag_set';

/* The array form gives one array of two dimensions, [elements][hidden size]. */
CREATE FUNCTION roformer.embed(model text, text text, pooling text DEFAULT 'default')
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_embed';

CREATE FUNCTION roformer.embed(model text, texts text[], pooling text DEFAULT 'default')
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_embed_array';

CREATE FUNCTION roformer.similarity(model text, a text, b text)
RETURNS real
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_similarity';

CREATE FUNCTION roformer.similarity(model text, a text[], b text[])
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_similarity_array';

CREATE FUNCTION roformer.fill_mask(model text, text text, top_k int DEFAULT 5)
RETURNS roformer.fill[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_fill_mask';

CREATE FUNCTION roformer.fill_mask(model text, texts text[], top_k int DEFAULT 5)
RETURNS SETOF roformer.fill[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_fill_mask_set';

CREATE FUNCTION roformer.logits(model text, text text)
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_logits';

CREATE FUNCTION roformer.logits(model text, text text, pair text)
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_logits';

CREATE FUNCTION roformer.logits(model text, texts text[])
RETURNS SETOF real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_logits_set';

CREATE FUNCTION roformer.logits(model text, texts text[], pairs text[])
RETURNS SETOF real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_logits_set';

CREATE FUNCTION roformer.hidden_state(model text, text text)
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_hidden_state';

CREATE FUNCTION roformer.hidden_state(model text, text text, pair text)
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_hidden_state';

CREATE FUNCTION roformer.hidden_state(model text, texts text[])
RETURNS SETOF real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_hidden_state_set';

CREATE FUNCTION roformer.hidden_state(model text, texts text[], pairs text[])
RETURNS SETOF real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_hidden_state_set';

/* What roformer.kernels chooses from; chosen depends on that setting. */
CREATE FUNCTION roformer.cpu_info(
	OUT kernels text, OUT available boolean, OUT chosen boolean, OUT reason text, OUT precisions text[])
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE ROWS 7
AS 'MODULE_PATHNAME', 'roformer_cpu_info';
