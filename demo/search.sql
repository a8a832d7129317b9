-- Hybrid search: the rank of PostgreSQL's full-text search plus the similarity of embeddings.
-- Documents are the long descriptions of 2,999 Debian packages, queries are their short descriptions; none
-- of them was used to train the model. psql's variable "queries" says how many are measured.
\if :{?queries} \else \set queries 1000 \endif

CREATE TABLE package (
	package text PRIMARY KEY,
	short text NOT NULL,
	long text NOT NULL,
	words tsvector GENERATED ALWAYS AS (to_tsvector('english', long)) STORED,
	meaning real[]
);
-- Read for every query: not to be compressed or moved out of the row.
ALTER TABLE package ALTER words SET STORAGE PLAIN, ALTER meaning SET STORAGE PLAIN;
\copy package (package, short, long) FROM 'data/debian_packages.tsv' WITH (HEADER)

\echo embedding 2,999 descriptions, 500 at a time
SELECT format('UPDATE package SET meaning = roformer.embed(''embed'', long) FROM (SELECT package FROM package ORDER BY package OFFSET %s LIMIT 500) AS part WHERE package.package = part.package',
	n) FROM generate_series(0, 2500, 500) AS n
\gexec
VACUUM (FULL, ANALYZE) package;

-- Any of the words, not all: a description rarely has all words of another.
CREATE FUNCTION any_word(query text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT string_agg(quote_literal(lexeme), ' | ')::tsquery FROM unnest(to_tsvector('english', query)));

-- The cosine, as embeddings have length 1. Written out for the 256 elements, which is
-- four times as fast as summing over unnest(a, b). With pgvector it is an operator and can be indexed.
SELECT 'CREATE FUNCTION dot(a real[], b real[]) RETURNS real LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN '
	|| string_agg(format('a[%1$s] * b[%1$s]', n), ' + ') FROM generate_series(1, 256) AS n
\gexec

-- Both scores of every package, and their sum after each was standardised over all packages.
CREATE FUNCTION search(query_words tsquery, query_meaning real[])
RETURNS TABLE (package text, by_words float8, by_meaning float8, by_both float8)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH score AS MATERIALIZED (
		SELECT p.package, ts_rank(p.words, query_words, 1)::float8 AS w, dot(p.meaning, query_meaning)::float8 AS m
		FROM package AS p)
	SELECT package, w, m,
		coalesce((w - avg(w) OVER ()) / nullif(stddev_pop(w) OVER (), 0), 0)
			+ (m - avg(m) OVER ()) / stddev_pop(m) OVER ()
	FROM score;
END;

\set question 'convert audio files to another format'
\echo search for :"question"
SELECT row_number() OVER (ORDER BY by_both DESC) AS "#", package, round(by_both::numeric, 2) AS score,
	row_number() OVER (ORDER BY by_words DESC) AS "# by words", row_number() OVER (ORDER BY by_meaning DESC) AS "# by meaning",
	left(p.short, 50) AS description
FROM search(any_word(:'question'), roformer.embed('embed', :'question')) JOIN package AS p USING (package)
ORDER BY by_both DESC
LIMIT 8;

\echo measuring :queries searches: is the package that the query describes found first, or among ten?
CREATE TABLE query AS
	SELECT package, any_word(short) AS words, roformer.embed('embed', short) AS meaning
	FROM (SELECT * FROM package ORDER BY md5(package) LIMIT :queries) AS p;
CREATE TABLE place (package text, by_words bigint, by_meaning bigint, by_both bigint);
SELECT format($$
	INSERT INTO place
	SELECT q.package, r.words, r.meaning, r.together
	FROM (SELECT * FROM query ORDER BY package OFFSET %s LIMIT 250) AS q, LATERAL (
		SELECT package, row_number() OVER (ORDER BY by_words DESC, package) AS words,
			row_number() OVER (ORDER BY by_meaning DESC, package) AS meaning,
			row_number() OVER (ORDER BY by_both DESC, package) AS together
		FROM search(q.words, q.meaning)) AS r
	WHERE r.package = q.package $$, n)
FROM generate_series(0, :queries - 1, 250) AS n
\gexec

SELECT method, count(*) AS queries, round(100 * avg((place = 1)::int), 1) AS "found first, %",
	round(100 * avg((place <= 10)::int), 1) AS "among ten, %", round(avg(1.0 / place), 3) AS "mean reciprocal rank"
FROM place AS p, LATERAL (VALUES
	(1, 'full-text rank', by_words), (2, 'embedding similarity', by_meaning), (3, 'both', by_both)) AS m (n, method, place)
GROUP BY n, method
ORDER BY n;
