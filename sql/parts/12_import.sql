/*
 * A model that a client sends, in one transaction and in this order: begin, files, tensors, check, chunks,
 * finish (docs/import.md). For the program roformer_import, which reads the directory; any client may do the same. Whoever
 * may execute these may create models, and owns what he imports.
 */
CREATE FUNCTION roformer.import_begin(name text, or_replace boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_import_begin' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION roformer.import_file(name text, data bytea) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_import_file' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION roformer.import_tensor(name text, dtype text, shape bigint[]) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_import_tensor' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
-- what must be sent, in this order: the rows of each tensor, so many at a time
CREATE FUNCTION roformer.import_check(OUT tensor text, OUT chunk_rows bigint) RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'roformer_import_check' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 200;
CREATE FUNCTION roformer.import_chunk(tensor text, first_row bigint, data bytea) RETURNS void
	AS 'MODULE_PATHNAME', 'roformer_import_chunk' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
-- the digest of what was stored
CREATE FUNCTION roformer.import_finish() RETURNS text
	AS 'MODULE_PATHNAME', 'roformer_import_finish' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
