/*
 * Models: loading, changing, inspecting. All of this acts on names given as text and checks the
 * rights on models itself: the owner of a model and superusers change it, those it was granted to use it.
 */
CREATE FUNCTION roformer.load_model(name text, directory text) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_load_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION roformer.replace_model(name text, directory text) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_replace_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION roformer.rename_model(name text, new_name text) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_rename_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION roformer.drop_model(name text) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_drop_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION roformer.grant_model(name text, role text) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_grant_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION roformer.revoke_model(name text, role text) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_revoke_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
-- not strict: a NULL value unsets the option
CREATE FUNCTION roformer.set_model_option(name text, option text, value text) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_set_model_option' LANGUAGE C VOLATILE PARALLEL UNSAFE;

-- what load_model does with texts of its own: measures how far lower precisions are from fp32
CREATE FUNCTION roformer.check_model(name text, texts text[]) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_check_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

CREATE FUNCTION roformer.model_config(name text) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'roformer_model_config' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
CREATE FUNCTION roformer.model_tensors(model text, OUT name text, OUT dtype text, OUT shape bigint[])
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'roformer_model_tensors' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 ROWS 200;
CREATE FUNCTION roformer.save_vocabulary(model text, OUT id int, OUT token text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'roformer_save_vocabulary' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 30000;

-- Like the system's catalogs it shows everybody which models there are, not what is in them.
CREATE VIEW roformer.models AS
SELECT
	m.name,
	pg_catalog.pg_get_userbyid(m.owner) AS owner,
	m.architecture,
	m.task,
	m.parameters,
	m.layers,
	m.hidden_size,
	m.vocabulary,
	COALESCE((SELECT pg_catalog.substr(o, pg_catalog.length('labels=') + 1)::text[] FROM pg_catalog.unnest(m.options) AS o
			  WHERE pg_catalog.starts_with(o, 'labels=')), m.labels) AS labels,
	m.precision,
	m.bytes,
	pg_catalog.encode(m.digest, 'hex') AS digest,
	m.created,
	m.options,
	CASE WHEN m.deviations IS NOT NULL THEN pg_catalog.jsonb_build_object(
		'bf16', pg_catalog.jsonb_build_object('max', m.deviations[1], 'rms', m.deviations[2], 'cosine', m.deviations[3], 'agreement', m.deviations[4]),
		'int8', pg_catalog.jsonb_build_object('max', m.deviations[5], 'rms', m.deviations[6], 'cosine', m.deviations[7], 'agreement', m.deviations[8]))
	END AS deviations
FROM _roformer.model AS m;

GRANT SELECT ON roformer.models TO PUBLIC;
