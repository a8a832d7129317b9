/*
 * What is resident: the shared model cache, and this session's private copies where there is none.
 */

CREATE FUNCTION roformer.cache_entries(
	OUT database oid, OUT digest bytea, OUT model text, OUT bytes bigint, OUT "precision" text,
	OUT kernels text, OUT pins int, OUT state text, OUT loads bigint, OUT hits bigint,
	OUT last_use timestamptz, OUT shared boolean)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10 ROWS 10
AS 'MODULE_PATHNAME', 'roformer_cache_entries';

/* A content is cached once: in this database it goes by all the names it has now. */
CREATE VIEW roformer.cache AS
SELECT coalesce(CASE WHEN d.datname = pg_catalog.current_database() THEN
					(SELECT pg_catalog.string_agg(m.name, ', ' ORDER BY m.name)
					 FROM _roformer.model m WHERE m.digest = c.digest)
				END, c.model) AS model,
	   d.datname AS database, c.bytes, c.precision, c.kernels, c.pins, c.state, c.loads, c.hits,
	   c.last_use, c.shared
FROM roformer.cache_entries() c
	 LEFT JOIN pg_catalog.pg_database d ON d.oid = c.database;

GRANT SELECT ON roformer.cache TO PUBLIC;

CREATE FUNCTION roformer.prewarm(name text) RETURNS bigint
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000
AS 'MODULE_PATHNAME', 'roformer_prewarm';

CREATE FUNCTION roformer.evict(name text) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'roformer_evict';
