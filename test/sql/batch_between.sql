-- Custom Scan (RoformerBatch): what happens between rows is the same as row by row
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\o /dev/null
SELECT roformer.load_model('between', 'roformer-sms-spam');
\o
RESET client_min_messages;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE sms (id int PRIMARY KEY, owner text, body text);
INSERT INTO sms SELECT n, CASE n % 2 WHEN 0 THEN 'alice' ELSE 'bob' END,
	CASE WHEN n = 70 THEN repeat('a long text ', 20) WHEN n % 4 = 0 THEN 'You have won prize ' || n ELSE 'see you at ' || n END
FROM generate_series(1, 100) AS n;
ANALYZE sms;
CREATE VIEW classified AS SELECT id, roformer.classify('between', body) AS class FROM sms;

-- Is the plan with the node? The output of all else in this file is the same without it.
CREATE FUNCTION batches(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	SET LOCAL roformer.enable_batch_scan = on;
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan::text LIKE '%RoformerBatch%';
END $$;

-- a row that fails, fails when it is reached
SET roformer.max_length = 30;
SET roformer.overflow = error;
SELECT id, class FROM classified WHERE id BETWEEN 67 AND 69;
SELECT count(class) FROM classified WHERE id < 70;
SELECT count(class) FROM classified;
SELECT count(class) FROM (SELECT class FROM classified LIMIT 69) AS x;
SELECT count(class) FROM (SELECT class FROM classified LIMIT 70) AS x;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id, class FROM classified ORDER BY id;
MOVE 67 FROM c;
FETCH 2 FROM c;
FETCH 1 FROM c;
ROLLBACK;
CREATE FUNCTION seen() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	r record;
	last int;
BEGIN
	FOR r IN SELECT id, class FROM classified LOOP
		last := r.id;
	END LOOP;
	RETURN last;
EXCEPTION WHEN string_data_right_truncation THEN
	RETURN -last;
END $$;
SELECT seen() BETWEEN -69 AND -50;
-- the message is the same, whichever call of a row fails first
SELECT id, roformer.classify('between', body), 1 / (id - 60) FROM sms WHERE id > 55;
SELECT id, roformer.classify('between', body), 1 / (id - 80) FROM sms WHERE id > 55;
-- a row that is not evaluated does not fail
SELECT count(CASE WHEN id <> 70 THEN roformer.classify('between', body) END) FROM sms;
SELECT count(*) FROM sms WHERE id <> 70 AND roformer.classify('between', body) IS NOT NULL;
RESET roformer.max_length;
RESET roformer.overflow;
SELECT roformer.classify('nobody knows it', body) FROM sms;
SELECT roformer.classify_score('between', body, CASE WHEN id < 70 THEN 'spam' ELSE 'no such label' END) FROM sms WHERE id > 68;
SELECT roformer.tag('between', body) FROM sms;
-- below, where it could be seen that a row was read, rows are read when they are asked for
SELECT batches('SELECT roformer.classify(''between'', body) FROM sms WHERE 100 / (id - 50) < 3');
SELECT batches('SELECT 1 FROM sms s WHERE EXISTS (SELECT roformer.classify(''between'', body) FROM sms WHERE 100 / (id - 50) < 3)');
SELECT count(class) FROM (SELECT roformer.classify('between', body) AS class FROM sms WHERE 100 / (id - 50) < 300 LIMIT 49) AS x;

-- volatile neighbours: same values for the same rows
CREATE SEQUENCE counter;
SELECT id, nextval('counter'), roformer.classify('between', body) FROM sms WHERE id < 5;
SELECT id, roformer.classify('between', body), n FROM (SELECT id, body, nextval('counter') AS n FROM sms WHERE id < 9 OFFSET 0) AS x LIMIT 3;
SELECT nextval('counter');
SELECT batches('SELECT roformer.classify(''between'', body), nextval(''counter'') FROM sms'),
	batches('SELECT roformer.classify(''between'', body), n FROM (SELECT body, nextval(''counter'') AS n FROM sms OFFSET 0) AS x');
CREATE FUNCTION say(what text) RETURNS boolean LANGUAGE plpgsql COST 1 AS $$ BEGIN RAISE NOTICE 'saw %', what; RETURN true; END $$;
SELECT id, roformer.classify('between', body), say(body) FROM sms WHERE id < 4;
SELECT id FROM sms WHERE id < 4 AND roformer.classify('between', body) = 'ham' AND say(body);
SELECT id FROM sms WHERE id < 5 AND say(body) AND roformer.classify('between', body) = 'ham' LIMIT 2;
-- a neighbour that changes the settings
SELECT id, roformer.embed('between', body) = (SELECT roformer.embed('between', x.body) FROM sms AS x WHERE x.id = sms.id) AS same,
	set_config('roformer.max_length', (id % 7 + 3)::text, true) AS now FROM sms WHERE id < 9;
SELECT id, array_length(roformer.hidden_state('between', body), 1) AS tokens, set_config('roformer.max_length', (id % 7 + 3)::text, true) AS next FROM sms WHERE id < 9;

-- rights are those of the one who evaluates, security barriers and policies come first
CREATE ROLE batch_reader;
GRANT SELECT ON sms, classified TO batch_reader;
GRANT USAGE ON SCHEMA roformer TO batch_reader;
SET ROLE batch_reader;
SELECT id, roformer.classify('between', body) FROM sms WHERE id < 3;
RESET ROLE;
\o /dev/null
SELECT roformer.grant_model('between', 'batch_reader');
\o
CREATE VIEW of_alice WITH (security_barrier) AS SELECT id, body FROM sms WHERE owner = 'alice';
GRANT SELECT ON of_alice TO batch_reader;
ALTER TABLE sms ENABLE ROW LEVEL SECURITY;
CREATE POLICY bob ON sms TO batch_reader USING (owner = 'bob');
CREATE FUNCTION leak(what text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 IMMUTABLE AS $$ BEGIN RAISE NOTICE 'leaked %', what; RETURN true; END $$;
SELECT id, roformer.classify('between', body) FROM of_alice WHERE id < 7 AND leak(body);
SELECT id FROM of_alice WHERE id < 7 AND roformer.classify('between', body) IS NOT NULL AND leak(body);
SET ROLE batch_reader;
SELECT id, roformer.classify('between', body) FROM sms WHERE id < 7 AND leak(body);
SELECT count(roformer.classify('between', body)) FROM sms;
RESET ROLE;
CREATE POLICY ham ON sms AS RESTRICTIVE TO batch_reader USING (roformer.classify('between', body) = 'ham');
SET ROLE batch_reader;
SELECT count(*), count(*) FILTER (WHERE body LIKE 'You%') FROM sms;
SELECT id, roformer.classify('between', body) FROM sms WHERE id < 7 AND leak(body);
RESET ROLE;
ALTER TABLE sms DISABLE ROW LEVEL SECURITY;
DROP POLICY bob ON sms;
DROP POLICY ham ON sms;

-- cursors
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, class FROM classified;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH FORWARD 4 FROM c;
FETCH LAST FROM c;
FETCH FORWARD 1 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH ABSOLUTE 50 FROM c;
FETCH RELATIVE -3 FROM c;
FETCH FIRST FROM c;
FETCH PRIOR FROM c;
FETCH NEXT FROM c;
MOVE ALL FROM c;
FETCH BACKWARD ALL FROM c \g /dev/null
FETCH NEXT FROM c;
CLOSE c;
-- over what can't go backwards, and over a sort
DECLARE c SCROLL CURSOR FOR SELECT class, count(*), roformer.classify('between', min(id)::text) FROM classified GROUP BY class;
FETCH ALL FROM c \g /dev/null
FETCH BACKWARD 1 FROM c \g /dev/null
CLOSE c;
DECLARE c CURSOR FOR SELECT id, class FROM classified ORDER BY class, id;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
CLOSE c;
-- WHERE CURRENT OF
DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM sms;
MOVE 4 FROM c;
UPDATE sms SET owner = 'carol' WHERE CURRENT OF c;
CLOSE c;
DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM sms WHERE id > 5 FOR UPDATE;
MOVE 4 FROM c;
UPDATE sms SET owner = 'carol' WHERE CURRENT OF c;
SELECT id FROM sms WHERE owner = 'carol' ORDER BY id;
CLOSE c;
-- also behind two nodes, backwards, at both ends, with other scans, in partitions
DECLARE c SCROLL CURSOR FOR SELECT id, roformer.embed('between', upper(body)) FROM sms WHERE id % 2 = 1 AND roformer.classify('between', body) = 'ham';
MOVE 4 FROM c;
UPDATE sms SET owner = 'dora' WHERE CURRENT OF c RETURNING id;
MOVE BACKWARD 2 FROM c;
UPDATE sms SET owner = 'dora' WHERE CURRENT OF c RETURNING id;
MOVE LAST FROM c;
DELETE FROM sms WHERE CURRENT OF c RETURNING id;
MOVE 1 FROM c;
SAVEPOINT behind;
UPDATE sms SET owner = 'dora' WHERE CURRENT OF c RETURNING id;
ROLLBACK TO behind;
MOVE BACKWARD 2 FROM c;
UPDATE sms SET owner = 'dora' WHERE CURRENT OF c RETURNING id;
CLOSE c;
SET LOCAL enable_seqscan = off;
DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM sms WHERE id BETWEEN 20 AND 60 LIMIT 30;
MOVE 11 FROM c;
UPDATE sms SET owner = 'emil' WHERE CURRENT OF c RETURNING id;
CLOSE c;
SET LOCAL enable_indexscan = off;
DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM sms WHERE id BETWEEN 20 AND 60 AND body > '';
FETCH 2 FROM c;
UPDATE sms SET owner = 'emil' WHERE CURRENT OF c RETURNING id;
CLOSE c;
RESET enable_indexscan;
RESET enable_seqscan;
CREATE TABLE part (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (30);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (30) TO (1000);
INSERT INTO part SELECT n, 'text ' || n FROM generate_series(1, 60) AS n;
DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM part;
MOVE 12 FROM c;
UPDATE part SET body = '' WHERE CURRENT OF c RETURNING id;
MOVE 30 FROM c;
UPDATE part SET body = '' WHERE CURRENT OF c RETURNING id;
CLOSE c;
DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM of_alice;
MOVE 3 FROM c;
SAVEPOINT subquery;
UPDATE sms SET owner = 'fred' WHERE CURRENT OF c RETURNING id;
ROLLBACK TO subquery;
DECLARE d CURSOR FOR SELECT s.id, roformer.classify('between', s.body) FROM sms s JOIN part p USING (id);
MOVE 1 FROM d;
UPDATE sms SET owner = 'fred' WHERE CURRENT OF d;
ROLLBACK;
SELECT batches($$DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM sms$$) AS scan,
	batches($$DECLARE c CURSOR FOR SELECT id, roformer.embed('between', upper(body)) FROM sms WHERE id % 2 = 1 AND roformer.classify('between', body) = 'ham'$$) AS condition,
	batches($$DECLARE c CURSOR FOR SELECT s.id, roformer.classify('between', s.body) FROM sms s JOIN sms t USING (id)$$) AS joined,
	batches($$DECLARE c CURSOR FOR SELECT id, roformer.classify('between', body) FROM of_alice$$) AS subquery,
	batches($$DECLARE c CURSOR FOR SELECT id, roformer.classify('between', (100 / id)::text) FROM sms$$) AS may_fail;
-- a cursor that outlives its transaction
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id, class FROM classified;
FETCH 2 FROM c;
COMMIT;
FETCH 2 FROM c;
CLOSE c;
-- a loop that writes what it reads
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT id, class FROM classified WHERE id <= 10 LOOP
		UPDATE sms SET body = body || ' (' || r.class || ')' WHERE id = r.id + 1;
	END LOOP;
END $$;
SELECT id, body FROM sms WHERE id BETWEEN 2 AND 4 ORDER BY id;

-- a setting that is turned off between two rows
BEGIN;
SET LOCAL roformer.enable_batch_scan = on;
DECLARE c SCROLL CURSOR FOR SELECT x.id, class FROM classified JOIN sms AS x USING (id) ORDER BY x.id;
FETCH 4 FROM c;
SET LOCAL roformer.enable_batch_scan = off;
FETCH 4 FROM c;
FETCH BACKWARD 3 FROM c;
SET LOCAL roformer.enable_batch_scan = on;
FETCH 4 FROM c;
COMMIT;

-- FOR UPDATE, updates of what is scanned, triggers in between
SELECT id, roformer.classify('between', body) FROM sms WHERE id < 4 FOR UPDATE;
CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% of %: %', TG_OP, NEW.id, NEW.owner; RETURN NEW; END $$;
CREATE TRIGGER note_row BEFORE INSERT OR UPDATE ON sms FOR EACH ROW EXECUTE FUNCTION note_row();
UPDATE sms SET owner = roformer.classify('between', body) WHERE id < 4 RETURNING id, owner, roformer.classify('between', body) = owner AS same;
INSERT INTO sms SELECT id + 1000, roformer.classify('between', body), body FROM sms WHERE id < 4
	ON CONFLICT (id) DO UPDATE SET owner = roformer.classify('between', excluded.body || excluded.id);
INSERT INTO sms SELECT id + 1000, roformer.classify('between', body), body FROM sms WHERE id < 3
	ON CONFLICT (id) DO UPDATE SET owner = roformer.classify('between', excluded.body || excluded.id);
WITH moved AS (DELETE FROM sms WHERE id > 1000 RETURNING id, body) SELECT id, roformer.classify('between', body) FROM moved ORDER BY id;

-- rescans with other parameters, prepared statements
SELECT a.id, b.class FROM sms AS a, LATERAL (SELECT class FROM classified WHERE id BETWEEN a.id AND a.id + 2 ORDER BY id DESC OFFSET 0) AS b WHERE a.id < 4 ORDER BY 1, 2;
PREPARE of_class(text, text) AS SELECT count(*) FROM sms WHERE roformer.classify($1, body) = $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE of_class('between', 'spam');
EXECUTE of_class('between', 'ham');
EXECUTE of_class(NULL, 'ham');
EXECUTE of_class('nobody knows it', 'ham');
RESET plan_cache_mode;
EXECUTE of_class('between', 'spam');
\o /dev/null
SELECT roformer.rename_model('between', 'betwixt');
\o
EXECUTE of_class('between', 'spam');
EXECUTE of_class('betwixt', 'spam');
DEALLOCATE of_class;

DROP VIEW classified, of_alice;
DROP TABLE sms;
DROP SEQUENCE counter;
DROP FUNCTION batches, seen, say, leak, note_row;
DROP OWNED BY batch_reader;
\o /dev/null
SELECT roformer.drop_model('betwixt');
\o
DROP ROLE batch_reader;
