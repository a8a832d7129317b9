\echo Use "CREATE EXTENSION roformer" to load this file. \quit

/*
 * The model store: ordinary tables, so that models are transactional, dumped and replicated. They are
 * written by the functions of 10_models.sql only, directly to heap and indexes: foreign keys and
 * triggers would not be seen. Nobody but the owner of the extension has rights on them.
 *
 * They have a schema of their own for the sake of pg_dump, which writes the rows of tables in the order
 * of their schemas' names: a generated column or a check constraint that computes with a model needs
 * the models to be restored first, and "_" comes before all letters of ordinary names.
 *
 * A content (what load_model or replace_model stored) has an id that is never used again. Names have
 * the collation "C": byte order is the order in which the digest is computed.
 */
CREATE SCHEMA _roformer;

CREATE SEQUENCE _roformer.model_id_seq;

CREATE TABLE _roformer.model (
	id bigint NOT NULL,
	name text COLLATE "C" NOT NULL,
	owner regrole NOT NULL,
	digest bytea NOT NULL, -- SHA-256 of files and tensors
	created timestamptz NOT NULL,
	architecture text NOT NULL, -- from here on what the view models shows
	task text NOT NULL,
	parameters bigint NOT NULL,
	layers int NOT NULL,
	hidden_size int NOT NULL,
	vocabulary int NOT NULL,
	labels text[], -- NULL for a model without labels
	precision text NOT NULL, -- types of the stored tensors
	bytes bigint NOT NULL,
	dictionary bytea, -- SHA-256 of the file jieba/dict.txt, NULL for a model without
	options text[], -- "option=value" as set_model_option was told, NULL for none
	deviations real[], -- from fp32: max, rms, cosine, agreement in bf16, the same in int8; NULL: not measured
	CONSTRAINT model_pkey PRIMARY KEY (id),
	CONSTRAINT model_name_key UNIQUE (name)
) USING heap;

CREATE TABLE _roformer.model_file (
	model_id bigint NOT NULL,
	name text COLLATE "C" NOT NULL,
	data bytea NOT NULL,
	CONSTRAINT model_file_pkey PRIMARY KEY (model_id, name)
) USING heap;
-- nobody can stop the server while it compresses a value, and a dictionary has five megabytes
ALTER TABLE _roformer.model_file ALTER data SET STORAGE EXTERNAL;

CREATE TABLE _roformer.model_tensor (
	model_id bigint NOT NULL,
	name text COLLATE "C" NOT NULL,
	dtype text NOT NULL,
	shape bigint[] NOT NULL,
	CONSTRAINT model_tensor_pkey PRIMARY KEY (model_id, name)
) USING heap;

CREATE TABLE _roformer.model_chunk (
	model_id bigint NOT NULL,
	tensor text COLLATE "C" NOT NULL,
	first_row bigint NOT NULL,
	data bytea NOT NULL, -- whole rows, little-endian
	CONSTRAINT model_chunk_pkey PRIMARY KEY (model_id, tensor, first_row)
) USING heap;
-- weights don't compress
ALTER TABLE _roformer.model_chunk ALTER data SET STORAGE EXTERNAL;

CREATE TABLE _roformer.model_grant (
	model_id bigint NOT NULL,
	grantee regrole NOT NULL, -- 0, written "-", is PUBLIC
	CONSTRAINT model_grant_pkey PRIMARY KEY (model_id, grantee)
) USING heap;

SELECT pg_catalog.pg_extension_config_dump('_roformer.model_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('_roformer.model', '');
SELECT pg_catalog.pg_extension_config_dump('_roformer.model_file', '');
SELECT pg_catalog.pg_extension_config_dump('_roformer.model_tensor', '');
SELECT pg_catalog.pg_extension_config_dump('_roformer.model_chunk', '');
SELECT pg_catalog.pg_extension_config_dump('_roformer.model_grant', '');

GRANT USAGE ON SCHEMA roformer TO PUBLIC;
