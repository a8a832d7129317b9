-- the functions where SQL has expressions
-- plans are shown as they are without the batch scan (batch_scan.sql has those)
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\o /dev/null
SELECT roformer.load_model('use_spam', 'roformer-sms-spam');
\o

-- the planner is told what they are
SELECT DISTINCT provolatile, proparallel, proisstrict FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname = 'roformer' AND proname IN ('tokenize', 'encode', 'decode', 'token_count', 'classify', 'classify_score', 'classify_all',
	'regress', 'tag', 'embed', 'similarity', 'fill_mask', 'logits', 'hidden_state');

CREATE TABLE sms (id int PRIMARY KEY, body text, kind text GENERATED ALWAYS AS (roformer.classify('use_spam', body)) STORED);
INSERT INTO sms (id, body)
SELECT n, CASE n % 3 WHEN 0 THEN 'You have won a free prize worth £' || n || '. Call now to claim!'
	WHEN 1 THEN 'See you at ' || n % 12 + 1 || ' then?' END
FROM generate_series(1, 60) AS n;

-- generated column, WHERE, GROUP BY, HAVING, ORDER BY, window, aggregate argument
SELECT kind, count(*) FROM sms GROUP BY kind ORDER BY kind;
SELECT count(*) FROM sms WHERE roformer.classify('use_spam', body) = 'spam';
SELECT roformer.classify('use_spam', body) AS kind, count(*), max(length(body)) FROM sms GROUP BY 1 HAVING count(*) > 1 ORDER BY 1;
SELECT id FROM sms ORDER BY roformer.classify_score('use_spam', body, 'spam') DESC NULLS LAST, id LIMIT 1;
SELECT count(*) FILTER (WHERE roformer.classify('use_spam', body) = 'ham'),
	count(DISTINCT roformer.classify('use_spam', body)) FROM sms;
UPDATE sms SET body = 'ok, see you' WHERE id = 3 RETURNING kind;

-- expression index
CREATE INDEX sms_kind ON sms (roformer.classify('use_spam', body));
SET enable_seqscan = off;
SET roformer.enable_batch_scan = off;
EXPLAIN (COSTS OFF) SELECT id FROM sms WHERE roformer.classify('use_spam', body) = 'spam';
RESET roformer.enable_batch_scan;
SELECT count(*) FROM sms WHERE roformer.classify('use_spam', body) = 'spam';
RESET enable_seqscan;

-- constants are folded, dear conditions come last
SET roformer.enable_batch_scan = off;
EXPLAIN (COSTS OFF, VERBOSE) SELECT roformer.classify('use_spam', 'see you later');
EXPLAIN (COSTS OFF) SELECT 1 FROM sms WHERE roformer.token_count('use_spam', body) > 1 AND roformer.classify('use_spam', body || '') = 'spam' AND length(body) > 10 AND id > 5;
RESET roformer.enable_batch_scan;

-- view, CTE, lateral, subquery, CREATE TABLE AS, INSERT ... SELECT
CREATE VIEW classified AS SELECT id, roformer.classify('use_spam', body) AS kind FROM sms;
SELECT kind, count(*) FROM classified GROUP BY kind ORDER BY kind;
WITH spam AS MATERIALIZED (SELECT * FROM classified WHERE kind = 'spam') SELECT count(*) FROM spam;
SELECT c.label, count(*) FROM sms, LATERAL (SELECT label FROM unnest(roformer.classify_all('use_spam', body)) LIMIT 1) AS c GROUP BY 1 ORDER BY 1;
CREATE TABLE result AS SELECT id, roformer.classify_score('use_spam', body, 'spam') > 0.5 AS spam FROM sms;
INSERT INTO result SELECT id + 1000, roformer.classify('use_spam', body) = 'spam' FROM sms;
SELECT count(*), count(*) FILTER (WHERE a.spam IS DISTINCT FROM b.spam) AS different FROM result AS a JOIN result AS b ON b.id = a.id + 1000;

-- prepared statements, custom and generic
PREPARE kind(text) AS SELECT roformer.classify('use_spam', $1);
SET plan_cache_mode = force_generic_plan;
EXECUTE kind('You have won a free prize. Call now to claim!');
EXECUTE kind('see you later');
EXECUTE kind(NULL);
SET plan_cache_mode = force_custom_plan;
EXECUTE kind('see you later');
RESET plan_cache_mode;
DEALLOCATE kind;
-- also the model's name
PREPARE any_kind(text, text) AS SELECT roformer.classify($1, $2);
EXECUTE any_kind('use_spam', 'see you later');
EXECUTE any_kind('nobody knows it', 'see you later');
EXECUTE any_kind('use_spam', 'see you later');

-- procedural code
CREATE FUNCTION spam_ids() RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE
	message record;
	ids int[] := '{}';
BEGIN
	FOR message IN SELECT id, body FROM sms ORDER BY id LOOP
		IF roformer.classify('use_spam', message.body) = 'spam' THEN
			ids := ids || message.id;
		END IF;
	END LOOP;
	RETURN ids;
END $$;
SELECT (spam_ids())[1:3], cardinality(spam_ids());
DO $$
BEGIN
	RAISE INFO '%', roformer.classify('use_spam', 'see you later');
END $$;

-- cursors
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, kind FROM classified ORDER BY id;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;

-- several models in one expression, the name from a column
SELECT name, roformer.classify(name, 'see you later') FROM (VALUES ('use_spam'), (NULL)) AS v(name);

-- what was computed while a plan was made is computed again when models change
PREPARE kept AS SELECT roformer.classify('use_kept', 'what is my balance');
CREATE FUNCTION kept() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN roformer.classify('use_kept', 'what is my balance');
END $$;
\o /dev/null
SELECT roformer.load_model('use_kept', 'roformer-sms-spam');
\o
EXECUTE kept;
SELECT kept();
\o /dev/null
SELECT roformer.replace_model('use_kept', 'roformer-intent-clinc150');
\o
EXECUTE kept;
SELECT kept();
\o /dev/null
SELECT roformer.drop_model('use_kept');
\o
EXECUTE kept;
\set VERBOSITY terse
SELECT kept();
\set VERBOSITY default
DEALLOCATE kept;
DROP FUNCTION kept;

-- parallel workers compute as well
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET roformer.enable_batch_scan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM sms WHERE roformer.classify('use_spam', body || ' ') = 'spam';
RESET roformer.enable_batch_scan;
SELECT count(*) FROM sms WHERE roformer.classify('use_spam', body || ' ') = 'spam';

DROP TABLE result;
DROP FUNCTION spam_ids;
DROP VIEW classified;
DROP TABLE sms;
\o /dev/null
SELECT roformer.drop_model('use_spam');
\o
