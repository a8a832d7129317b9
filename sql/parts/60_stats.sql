/*
 * What was computed, and what is being computed: for the server where roformer is preloaded, else for
 * this session.
 */

CREATE FUNCTION roformer.stats_entries(
	OUT model_id bigint, OUT digest bytea, OUT since timestamptz, OUT calls bigint, OUT cancelled bigint,
	OUT rows bigint, OUT tokens bigint, OUT truncated_rows bigint, OUT windowed_rows bigint,
	OUT windows bigint, OUT batches bigint,
	OUT tokenize_ms double precision, OUT compute_ms double precision)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10 ROWS 10
AS 'MODULE_PATHNAME', 'roformer_stats_entries';

/* A row for each model there is. Numbers belong to a content: they survive a new name. */
CREATE VIEW roformer.stats AS
SELECT m.name AS model, coalesce(s.calls, 0) AS calls, coalesce(s.rows, 0) AS rows,
	   coalesce(s.tokens, 0) AS tokens, coalesce(s.truncated_rows, 0) AS truncated_rows,
	   coalesce(s.windowed_rows, 0) AS windowed_rows, coalesce(s.windows, 0) AS windows,
	   coalesce(s.cancelled, 0) AS cancelled, coalesce(s.batches, 0) AS batches,
	   coalesce(s.tokenize_ms, 0) AS tokenize_ms, coalesce(s.compute_ms, 0) AS compute_ms, s.since
FROM _roformer.model AS m
	 LEFT JOIN roformer.stats_entries() AS s ON s.model_id = m.id AND s.digest = m.digest;

GRANT SELECT ON roformer.stats TO PUBLIC;

CREATE FUNCTION roformer.reset_stats() RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'roformer_reset_stats';

REVOKE EXECUTE ON FUNCTION roformer.reset_stats() FROM PUBLIC;

CREATE FUNCTION roformer.progress_entries(
	OUT pid int, OUT database oid, OUT role oid, OUT model text, OUT rows bigint, OUT tokens bigint,
	OUT tokens_per_second double precision, OUT started timestamptz)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10 ROWS 10
AS 'MODULE_PATHNAME', 'roformer_progress_entries';

/* Statements that compute now, a row for each model they use; parallel workers have rows of their own. */
CREATE VIEW roformer.progress AS
SELECT p.pid, d.datname AS database, pg_catalog.pg_get_userbyid(p.role) AS role, p.model, p.rows, p.tokens,
	   p.tokens_per_second, p.started
FROM roformer.progress_entries() AS p
	 LEFT JOIN pg_catalog.pg_database AS d ON d.oid = p.database;

GRANT SELECT ON roformer.progress TO PUBLIC;
