-- what the planner knows of inference: models' sizes, columns' widths, numbers of rows
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\o /dev/null
SELECT roformer.load_model('cost_small', 'roformer-sms-spam'), roformer.load_model('cost_large', 'roformer-intent-clinc150');
\o
RESET client_min_messages;
-- plans as they are without the batch scan
SET roformer.enable_batch_scan = off;
CREATE TABLE post (id int, title text, body text) WITH (autovacuum_enabled = off);
INSERT INTO post SELECT n, 'title ' || n, repeat('body ', 60) || n FROM generate_series(1, 4000) AS n;
ANALYZE post;
CREATE FUNCTION cost(query text) RETURNS float LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' -> 'Total Cost';
END $$;
SET max_parallel_workers_per_gather = 0;
SELECT cost('SELECT roformer.classify(''cost_large'', body) FROM post') > 2 * cost('SELECT roformer.classify(''cost_small'', body) FROM post') AS larger_model,
	cost('SELECT roformer.classify(''cost_small'', body) FROM post') > 5 * cost('SELECT roformer.classify(''cost_small'', title) FROM post') AS longer_text,
	cost('SELECT roformer.classify(''cost_small'', body, title) FROM post') > cost('SELECT roformer.classify(''cost_small'', body) FROM post') AS pair,
	cost('SELECT roformer.classify(''nobody knows it'', body) FROM post') BETWEEN 25 * 4000 AND 25 * 4000 + 1000 AS unknown;
-- answers and choices too, by contexts and choices
SELECT cost('SELECT roformer.answer(''cost_large'', title, body) FROM post') > 2 * cost('SELECT roformer.answer(''cost_small'', title, body) FROM post') AS larger_model,
	cost('SELECT roformer.answer(''cost_small'', title, repeat(body, 1)) FROM post') > 5 * cost('SELECT roformer.answer(''cost_small'', title, title) FROM post') AS longer_context,
	cost('SELECT roformer.answer(''cost_small'', ''who?'', ARRAY[body, body, body]) FROM post') > 2 * cost('SELECT roformer.answer(''cost_small'', ''who?'', ARRAY[body]) FROM post') AS more_contexts,
	cost('SELECT roformer.choose(''cost_small'', body, ARRAY[''a'', ''b'', ''c'', ''d'']) FROM post') > 1.5 * cost('SELECT roformer.choose(''cost_small'', body, ARRAY[''a'', ''b'']) FROM post') AS more_choices,
	cost('SELECT roformer.choose_scores(''cost_small'', body, ARRAY[''a'', ''b'']) FROM post') > 1.5 * cost('SELECT roformer.classify(''cost_small'', body) FROM post') AS pairs;
-- cheap conditions first
EXPLAIN (COSTS OFF) SELECT id FROM post WHERE roformer.classify('cost_large', body) = 'x' AND roformer.classify('cost_small', body) = 'spam'
	AND roformer.classify('cost_small', title) = 'spam' AND body LIKE '%body%' AND id > 3;
-- not before it is known which rows are wanted
EXPLAIN (COSTS OFF, VERBOSE) SELECT id, roformer.classify('cost_small', body) FROM post ORDER BY title LIMIT 3;
-- workers, though it takes no time to read the table
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT id, roformer.classify('cost_small', body) FROM post;
EXPLAIN (COSTS OFF) SELECT id FROM post WHERE roformer.classify('cost_small', body) = 'spam';
EXPLAIN (COSTS OFF) SELECT id, length(body) FROM post;
EXPLAIN (COSTS OFF) SELECT id, roformer.classify('cost_small', body) FROM post LIMIT 3;
ALTER TABLE post SET (parallel_workers = 0);
EXPLAIN (COSTS OFF) SELECT id, roformer.classify('cost_small', body) FROM post;
-- sets have as many rows as their arrays have elements
CREATE FUNCTION rows_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' -> 'Plan Rows';
END $$;
SELECT rows_of('SELECT roformer.classify_all(''cost_small'', ARRAY[title, body, title]) FROM post WHERE id = 1');
SELECT rows_of('SELECT roformer.classify_all(''cost_small'', string_to_array(body, '' '')) FROM post WHERE id = 1');
-- of a scan that hands its conditions with inference to the batch scan: rows before and after these
SET roformer.enable_batch_scan = on;
CREATE FUNCTION rows_in(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
		IF line ~ 'rows=' THEN
			RETURN NEXT regexp_replace(line, '\(cost=.* (rows=\d+) .*', '\1');
		END IF;
	END LOOP;
END $$;
SELECT rows_in('SELECT id FROM post WHERE roformer.classify(''cost_small'', body) = ''spam''');
SELECT rows_in('SELECT id FROM post WHERE title IS NOT NULL AND roformer.classify(''cost_small'', body) = ''spam'' AND roformer.classify(''cost_large'', title) <> ''x''');
SELECT rows_in('SELECT id, roformer.classify(''cost_small'', title) FROM post WHERE id % 2 = 0 AND roformer.classify(''cost_small'', body) <> ''spam''');
SELECT rows_in('SELECT x.id FROM (SELECT * FROM post WHERE roformer.classify(''cost_small'', body) = ''spam'' OFFSET 0) AS x WHERE id > 0');
SET roformer.enable_batch_scan = off;
DROP FUNCTION rows_of, rows_in, cost;
DROP TABLE post;
\o /dev/null
SELECT roformer.drop_model('cost_small'), roformer.drop_model('cost_large');
\o
