-- Custom Scan (RoformerBatch): answers, choices, windows, and rows that don't fit work_mem
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set qa :golden '/models/qa-en'
\set last :golden '/models/mc-en'
\set first :golden '/models/mc-summary'
\o /dev/null
SELECT roformer.load_model('kind_qa', :'qa'), roformer.load_model('kind_last', :'last'), roformer.load_model('kind_first', :'first');
SELECT roformer.load_model('kind_sms', 'roformer-sms-spam'), roformer.load_model('kind_ner', 'roformer-ner-en');
\o
RESET client_min_messages;
SET roformer.enable_batch_scan = on;
SET roformer.batch_tokens = 1024;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

CREATE TABLE kind (id int PRIMARY KEY, prompt text, body text, choices text[], filler text);
INSERT INTO kind
SELECT n, CASE WHEN n % 9 <> 0 THEN 'Who was at number ' || n % 4 || '?' END,
	CASE n % 5 WHEN 0 THEN repeat('Sara came to Mexico with Peter in ' || n || '. ', n % 8) WHEN 1 THEN NULL ELSE 'Number ' || n % 7 || ' was Maria.' END,
	CASE n % 6 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY[NULL, 'a', 'b ' || n] WHEN 3 THEN '{{a,b}}' ELSE ARRAY['Sara came', 'Peter', n % 4 || ' came to Mexico'] END,
	repeat('filler ', 3)
FROM generate_series(1, 120) AS n;
ANALYZE kind;

-- The rows of a query in their order, with the node and without: how many, or what is different.
CREATE FUNCTION agree(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	batched text[];
	single text[];
	plan json;
BEGIN
	SET LOCAL roformer.enable_batch_scan = on;
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	EXECUTE 'SELECT array_agg(r::text) FROM (' || query || ') AS r' INTO batched;
	SET LOCAL roformer.enable_batch_scan = off;
	EXECUTE 'SELECT array_agg(r::text) FROM (' || query || ') AS r' INTO single;
	RETURN format('%s, %s, %s rows', CASE WHEN plan::text LIKE '%RoformerBatch%' THEN 'batches' ELSE 'row by row' END,
		CASE WHEN batched IS NOT DISTINCT FROM single THEN 'same' ELSE 'DIFFERENT' END, cardinality(single));
END $$;
-- What EXPLAIN ANALYZE counts.
CREATE FUNCTION counted(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		IF line ~ 'Rows Read|Disk' THEN
			RETURN NEXT regexp_replace(trim(line), 'Disk Usage: .*', 'on disk');
		END IF;
	END LOOP;
END $$;

-- answers
EXPLAIN (COSTS OFF) SELECT id, roformer.answer('kind_qa', prompt, body) FROM kind;
SELECT agree($$SELECT id, roformer.answer('kind_qa', prompt, body) FROM kind$$);
SELECT agree($$SELECT id, (roformer.answer('kind_qa', prompt, body)).* FROM kind$$);
SELECT agree($$SELECT id, roformer.answer('kind_qa', 'Who?', body, max_answer_len => 2), roformer.answer('kind_qa', 'Who?', body, handle_impossible_answer => true),
	roformer.answer('kind_qa', prompt, body, doc_stride => id % 3 + 1), roformer.logits('kind_qa', prompt, body), roformer.hidden_state('kind_qa', prompt, body) FROM kind WHERE id < 60$$);
-- a call for each part of a composite, one pass
SELECT counted($$SELECT (roformer.answer('kind_qa', 'Who?', body)).* FROM kind WHERE id % 5 = 2$$);
SET roformer.max_length = 24;
SELECT agree($$SELECT id, roformer.answer('kind_qa', 'Who?', body, doc_stride => 4) FROM kind$$);
SELECT counted($$SELECT roformer.answer('kind_qa', 'Who?', body, doc_stride => 4) FROM kind$$);
RESET roformer.max_length;
-- options are checked where the call is, whatever was read ahead
SELECT count(a) FROM (SELECT roformer.answer('kind_qa', prompt, body, CASE WHEN id = 98 THEN 0 ELSE 15 END) AS a FROM kind LIMIT 97) AS x;
SELECT count(a) FROM (SELECT roformer.answer('kind_qa', prompt, body, CASE WHEN id = 98 THEN 0 ELSE 15 END) AS a FROM kind LIMIT 98) AS x;
-- a question that is too long fails its own row
SET roformer.max_length = 30;
SET roformer.overflow = error;
SELECT count(a) FROM (SELECT roformer.answer('kind_qa', body, prompt, doc_stride => 2) AS a FROM kind LIMIT 4) AS x;
SELECT count(a) FROM (SELECT roformer.answer('kind_qa', body, prompt, doc_stride => 2) AS a FROM kind LIMIT 5) AS x;
RESET roformer.max_length;
RESET roformer.overflow;

-- choices
EXPLAIN (COSTS OFF) SELECT id, roformer.choose('kind_last', prompt, choices), roformer.choose_scores('kind_last', prompt, ARRAY[body, 'Peter', NULL]) FROM kind;
SELECT agree($$SELECT id, roformer.choose('kind_last', prompt, choices), roformer.choose_scores('kind_last', prompt, choices) FROM kind WHERE id % 6 <> 3$$);
SELECT agree($$SELECT id, roformer.choose('kind_first', prompt, choices), roformer.choose_scores('kind_first', prompt, ARRAY[body, 'Peter', NULL]) FROM kind WHERE id % 6 <> 3$$);
SELECT agree($$SELECT id, roformer.choose('kind_last', prompt, '{Sara,Peter Miller,""}') FROM kind$$);
SELECT agree($$SELECT id, roformer.choose('kind_last', 'Where?', string_to_array(body, ' ')) FROM kind$$);
SELECT counted($$SELECT roformer.choose('kind_last', 'Who?', ARRAY[body, 'Peter']), roformer.choose_scores('kind_last', 'Who?', ARRAY[body, 'Peter']) FROM kind WHERE id % 5 = 2$$);
-- an array of the wrong shape fails its own row
SELECT count(a) FROM (SELECT roformer.choose('kind_last', prompt, choices) AS a FROM kind WHERE id > 9 LIMIT 5) AS x;
SELECT count(a) FROM (SELECT roformer.choose('kind_last', prompt, choices) AS a FROM kind WHERE id > 9 LIMIT 6) AS x;
-- so does a choice that is too long
SET roformer.max_length = 40;
SET roformer.overflow = error;
SELECT count(a) FROM (SELECT roformer.choose('kind_last', 'Who?', ARRAY['a', body]) AS a FROM kind LIMIT 4) AS x;
SELECT count(a) FROM (SELECT roformer.choose('kind_last', 'Who?', ARRAY['a', body]) AS a FROM kind LIMIT 5) AS x;
RESET roformer.max_length;
RESET roformer.overflow;

-- texts that are larger than their columns are computed in portions, whatever a text of one is
SELECT agree($$SELECT id, roformer.classify('kind_sms', repeat('Call now ', 30) || id % 40), roformer.embed('kind_ner', repeat('Call now ', 30) || id % 40), roformer.tag('kind_ner', repeat('Call Sara ', 20) || id),
	roformer.similarity('kind_sms', 'Call ' || id, repeat('now ', 50) || id % 9), roformer.choose('kind_last', repeat('Who? ', 9) || id, choices || repeat('Sara ', 9)),
	roformer.answer('kind_qa', 'Who is ' || id || '?', repeat('Sara came to Mexico. ', 20) || id) FROM kind WHERE id % 6 <> 3$$);
SET roformer.max_length = 40;
SET roformer.overflow = error;
SELECT agree($$SELECT id, CASE WHEN id % 50 <> 0 THEN roformer.classify('kind_sms', CASE WHEN id % 50 = 0 THEN repeat('then ', 50) ELSE repeat('then ', 30) END || id) END FROM kind$$);
SELECT count(a) FROM (SELECT roformer.classify('kind_sms', CASE WHEN id = 100 THEN repeat('then ', 50) ELSE repeat('then ', 30) END || id) AS a FROM kind LIMIT 99) AS x;
SELECT count(a) FROM (SELECT roformer.classify('kind_sms', CASE WHEN id = 100 THEN repeat('then ', 50) ELSE repeat('then ', 30) END || id) AS a FROM kind LIMIT 100) AS x;
RESET roformer.max_length;
RESET roformer.overflow;
-- texts in windows
SET roformer.max_length = 20;
SET roformer.overflow = 'window';
SELECT agree($$SELECT id, roformer.classify('kind_sms', body), roformer.classify_all('kind_sms', prompt, body), roformer.classify_score('kind_sms', body, 'spam'), roformer.logits('kind_sms', body),
	roformer.embed('kind_sms', body), roformer.embed('kind_sms', body, 'max'), roformer.embed('kind_sms', body, 'cls'), roformer.similarity('kind_sms', body, prompt || body) FROM kind$$);
SELECT agree($$SELECT id, roformer.tag('kind_ner', body), roformer.tag('kind_ner', body, 'first') FROM kind$$);
SELECT counted($$SELECT roformer.classify('kind_sms', body), roformer.embed('kind_sms', body) FROM kind$$);
SELECT counted($$SELECT roformer.tag('kind_ner', body) FROM kind WHERE id % 5 <> 0$$);
-- what can't be computed so fails its row, and no earlier one
SELECT count(a) FROM (SELECT roformer.hidden_state('kind_sms', body) AS a FROM kind LIMIT 4) AS x;
SELECT count(a) FROM (SELECT roformer.hidden_state('kind_sms', body) AS a FROM kind LIMIT 5) AS x;
-- windows that fill a batch by themselves are not read ahead
SET roformer.batch_tokens = 40;
SELECT agree($$SELECT id, roformer.classify('kind_sms', body), roformer.tag('kind_ner', body) FROM kind$$);
SET roformer.batch_tokens = 1024;
-- counted as without the node
CREATE TABLE counts AS SELECT false AS batched, * FROM roformer.stats WHERE false;
SELECT roformer.reset_stats();
SELECT count(roformer.classify('kind_sms', body)), count(roformer.answer('kind_qa', 'Who?', body, doc_stride => 4)), count(roformer.choose('kind_last', 'Who?', ARRAY[left(body, 9), 'b'])) FROM kind WHERE length(body) < 30;
SELECT count(roformer.classify('kind_sms', body)) FROM kind;
INSERT INTO counts SELECT true, * FROM roformer.stats;
SET roformer.enable_batch_scan = off;
SELECT roformer.reset_stats();
SELECT count(roformer.classify('kind_sms', body)), count(roformer.answer('kind_qa', 'Who?', body, doc_stride => 4)), count(roformer.choose('kind_last', 'Who?', ARRAY[left(body, 9), 'b'])) FROM kind WHERE length(body) < 30;
SELECT count(roformer.classify('kind_sms', body)) FROM kind;
INSERT INTO counts SELECT false, * FROM roformer.stats;
SELECT model, count(*), bool_or(windows > 0) AS windows, min(rows) = max(rows) AND min(tokens) = max(tokens) AND min(calls) = max(calls) AND min(truncated_rows) = max(truncated_rows)
	AND min(windowed_rows) = max(windowed_rows) AND min(windows) = max(windows) AS same, min(batches) < max(batches) AS batches FROM counts WHERE model ~ '^kind' GROUP BY model ORDER BY model;
SET roformer.enable_batch_scan = on;
RESET roformer.max_length;
RESET roformer.overflow;
-- a text that is cut counts as long as what is left of it
SET roformer.max_length = 8;
SELECT counted($$SELECT max(roformer.classify('kind_sms', long)) FROM (SELECT repeat(body || id, 400) AS long FROM kind WHERE id % 5 = 2 OFFSET 0) AS x$$);
RESET roformer.max_length;

-- five models over a text: each is computed ahead, or by itself
SELECT agree($$SELECT id, roformer.embed('kind_qa', body), roformer.embed('kind_last', body), roformer.embed('kind_first', body), roformer.embed('kind_sms', body), roformer.embed('kind_ner', body) FROM kind$$);

-- rows that don't fit work_mem go to disk; batches are as large
SET work_mem = '64kB';
CREATE VIEW wide AS SELECT id, prompt, body, repeat(md5(id::text), 800) AS filler FROM kind OFFSET 0;
SELECT counted($$SELECT max(md5(filler)), max(roformer.classify('kind_sms', 'text ' || id)) FROM wide$$);
SELECT counted($$SELECT max(md5(filler)), max(roformer.classify('kind_sms', body)), max(roformer.classify('kind_sms', prompt, body)) FROM wide WHERE id % 5 = 2$$);
SELECT agree($$SELECT id, md5(filler), roformer.classify('kind_sms', body), roformer.classify('kind_sms', prompt), roformer.similarity('kind_sms', prompt, body) FROM wide$$);
SELECT agree($$SELECT id, md5(filler), CASE WHEN id % 3 = 0 THEN roformer.classify('kind_sms', body) END, CASE WHEN id > 50 THEN roformer.classify('kind_sms', prompt) END FROM wide ORDER BY roformer.classify_score('kind_sms', body || id, 'spam'), id$$);
SELECT agree($$SELECT id, md5(filler), roformer.answer('kind_qa', prompt, body), roformer.choose('kind_first', prompt, ARRAY[body, 'a']) FROM wide$$);
SELECT agree($$SELECT k.id, w.* FROM kind AS k, LATERAL (SELECT id AS i, md5(filler), roformer.classify('kind_sms', body) FROM wide WHERE id BETWEEN k.id AND k.id + 20 OFFSET 0) AS w WHERE k.id < 5$$);
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id, length(filler), roformer.classify('kind_sms', body) FROM wide ORDER BY id;
FETCH ABSOLUTE 100 FROM c;
COMMIT;
FETCH 2 FROM c;
CLOSE c;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, length(filler), roformer.classify('kind_sms', body) FROM wide ORDER BY id;
MOVE 70 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH FORWARD 3 FROM c;
SAVEPOINT s;
FETCH 1 FROM c;
ROLLBACK TO s;
FETCH 1 FROM c;
COMMIT;
RESET work_mem;

DROP VIEW wide;
DROP TABLE kind, counts;
DROP FUNCTION agree, counted;
\o /dev/null
SELECT count(roformer.drop_model(name)) FROM roformer.models WHERE name ~ '^kind_';
\o
