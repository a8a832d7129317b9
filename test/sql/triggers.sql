-- triggers that classify, tag and embed: as rows come, and all rows of a statement at once
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv demo ROFORMER_DEMO
\o /dev/null
SELECT roformer.load_model('trg_sms', 'roformer-sms-spam');
SELECT roformer.load_model('trg_ner', 'roformer-ner-en');
SELECT roformer.load_model('trg_embed', 'roformer-embed-en');
\o

-- ---- a row at a time
CREATE TABLE trg_message (id int PRIMARY KEY, body text, kind text, score real);
CREATE TRIGGER classify BEFORE INSERT OR UPDATE ON trg_message FOR EACH ROW
	EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'body', 'kind', 'score');
INSERT INTO trg_message (id, body) VALUES
	(1, 'URGENT! You have won a free prize. Call now to claim'), (2, 'See you at noon then?'), (3, NULL), (4, '');
INSERT INTO trg_message VALUES (5, NULL, 'spam', 1), (6, 'ok, see you', 'spam', 2) RETURNING id, kind;
CREATE VIEW trg_wrong AS SELECT id FROM trg_message
	WHERE (kind, score) IS DISTINCT FROM (roformer.classify('trg_sms', body), roformer.classify_score('trg_sms', body, roformer.classify('trg_sms', body)))
		AND NOT (body IS NULL AND kind IS NULL AND score IS NULL);
SELECT id, kind, round(score::numeric, 2) AS score FROM trg_message ORDER BY id;
SELECT * FROM trg_wrong;
-- the text changes
UPDATE trg_message SET body = 'Free entry: text WIN to 80086 now' WHERE id = 2 RETURNING kind;
UPDATE trg_message SET body = NULL WHERE id = 1 RETURNING kind, score;
UPDATE trg_message SET body = 'Call me' WHERE id = 3 RETURNING kind;
SELECT * FROM trg_wrong;
-- it doesn't: what was set by hand stays, nothing is computed
SELECT calls AS calls_before FROM roformer.stats WHERE model = 'trg_sms' \gset
UPDATE trg_message SET kind = 'checked' WHERE id = 2 RETURNING kind;
UPDATE trg_message SET body = body, id = id + 100 RETURNING id, kind;
SELECT calls - :calls_before AS computed FROM roformer.stats WHERE model = 'trg_sms';
INSERT INTO trg_message (id, body) VALUES (102, 'You have won!') ON CONFLICT (id) DO UPDATE SET body = excluded.body RETURNING kind;
INSERT INTO trg_message (id, body) VALUES (102, 'Back soon') ON CONFLICT (id) DO NOTHING;
MERGE INTO trg_message AS m USING (VALUES (102, 'Back soon'), (200, 'Claim your free prize now!')) AS v(id, body) ON m.id = v.id
	WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT (id, body) VALUES (v.id, v.body);
SELECT id, kind FROM trg_message WHERE id IN (102, 200) ORDER BY id;
COPY trg_message (id, body) FROM stdin;
300	Text WIN to 80086 for your free ringtone
301	\N
302	On my way home
\.
SELECT id, kind FROM trg_message WHERE id >= 300 ORDER BY id;
SELECT * FROM trg_wrong;
DROP VIEW trg_wrong;

-- tags and embeddings; columns are found by name, whatever was dropped before them
CREATE TABLE trg_note (gone int, id int PRIMARY KEY, body varchar(80), people roformer.entity[], tags jsonb, meaning real[], precise float8[]);
ALTER TABLE trg_note DROP gone;
CREATE TRIGGER t1 BEFORE INSERT OR UPDATE OF body ON trg_note FOR EACH ROW EXECUTE FUNCTION roformer.tag_trigger('trg_ner', 'body', 'people', 'first');
CREATE TRIGGER t2 BEFORE INSERT OR UPDATE OF body ON trg_note FOR EACH ROW EXECUTE FUNCTION roformer.tag_trigger('trg_ner', 'body', 'tags');
CREATE TRIGGER t3 BEFORE INSERT OR UPDATE OF body ON trg_note FOR EACH ROW EXECUTE FUNCTION roformer.embed_trigger('trg_embed', 'body', 'meaning');
CREATE TRIGGER t4 BEFORE INSERT OR UPDATE OF body ON trg_note FOR EACH ROW EXECUTE FUNCTION roformer.embed_trigger('trg_embed', 'body', 'precise', 'max');
INSERT INTO trg_note VALUES (1, 'Sara went from Mexico to San Francisco'), (2, 'nobody'), (3, NULL);
SELECT id, people = roformer.tag('trg_ner', body, 'first') AS people, tags = to_jsonb(roformer.tag('trg_ner', body)) AS tags,
	meaning = roformer.embed('trg_embed', body) AS meaning, precise::real[] = roformer.embed('trg_embed', body, 'max') AS precise
FROM trg_note ORDER BY id;
SELECT e.label, e.entity FROM trg_note, unnest(people) AS e WHERE id = 1;
SELECT tags #>> '{0,entity}' FROM trg_note WHERE id = 1;

-- types that take a text
CREATE DOMAIN trg_kind AS text CHECK (VALUE IN ('ham', 'spam'));
CREATE DOMAIN trg_short AS text CHECK (length(VALUE) < 60);
CREATE TABLE trg_types (body trg_short, kind trg_kind, share numeric(3, 2));
CREATE TRIGGER classify BEFORE INSERT OR UPDATE ON trg_types FOR EACH ROW
	EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'body', 'kind', 'share');
INSERT INTO trg_types VALUES ('Claim your free prize now!') RETURNING kind, share > 0.5 AND scale(share) = 2;
TRUNCATE trg_types;
ALTER TABLE trg_types ALTER kind TYPE varchar(3);
INSERT INTO trg_types VALUES ('See you') RETURNING kind;
INSERT INTO trg_types VALUES ('Claim your free prize now!') RETURNING kind;

-- ---- what doesn't fit
CREATE TABLE trg_bad (id int PRIMARY KEY, body text, n int, kind text, made text GENERATED ALWAYS AS (upper(body)) STORED, vec real[]);
CREATE FUNCTION trg_try(arguments text, function text DEFAULT 'classify_trigger', timing text DEFAULT 'BEFORE INSERT ON trg_bad FOR EACH ROW') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text; context text; state text;
BEGIN
	EXECUTE format('CREATE TRIGGER try %s EXECUTE FUNCTION roformer.%I(%s)', timing, function, arguments);
	INSERT INTO trg_bad (id, body, kind) VALUES (1, 'one', 'a'), (2, 'two', 'b');
	UPDATE trg_bad SET body = 'three';
	DELETE FROM trg_bad;
	TRUNCATE trg_bad;
	RAISE 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		context = PG_EXCEPTION_CONTEXT, state = RETURNED_SQLSTATE;
	RAISE INFO '%: %', state, concat_ws(E'\n  ', message, nullif(detail, ''), nullif(hint, ''), split_part(context, E'\n', 1));
END $$;
SELECT trg_try('');
SELECT trg_try($$'trg_sms', 'body'$$);
SELECT trg_try($$'trg_sms', 'body', 'kind', 'n', 'n'$$);
SELECT trg_try($$'no such model', 'body', 'kind'$$);
SELECT trg_try($$'trg_ner', 'body', 'kind'$$);
SELECT trg_try($$'trg_sms', 'nothing', 'kind'$$);
SELECT trg_try($$'trg_sms', 'body', 'ctid'$$);
SELECT trg_try($$'trg_sms', 'n', 'kind'$$);
SELECT trg_try($$'trg_sms', 'body', 'n'$$);
SELECT trg_try($$'trg_sms', 'body', 'body'$$);
SELECT trg_try($$'trg_sms', 'body', 'kind', 'kind'$$);
SELECT trg_try($$'trg_sms', 'body', 'made'$$);
SELECT trg_try($$'trg_sms', 'made', 'kind'$$);
SELECT trg_try($$'trg_embed', 'body', 'n'$$, 'embed_trigger');
SELECT trg_try($$'trg_embed', 'body', 'vec', 'sum'$$, 'embed_trigger');
SELECT trg_try($$'trg_ner', 'body', 'vec'$$, 'tag_trigger');
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'AFTER INSERT ON trg_bad FOR EACH ROW');
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'BEFORE DELETE ON trg_bad FOR EACH ROW');
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'BEFORE INSERT ON trg_bad FOR EACH STATEMENT');
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'AFTER INSERT ON trg_bad FOR EACH STATEMENT');
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'AFTER UPDATE ON trg_bad REFERENCING NEW TABLE AS n FOR EACH STATEMENT');
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'AFTER TRUNCATE ON trg_bad FOR EACH STATEMENT');
SELECT trg_try($$'trg_sms', 'body', 'id'$$, timing => 'AFTER INSERT ON trg_bad REFERENCING NEW TABLE AS n FOR EACH STATEMENT');
ALTER TABLE trg_bad DROP CONSTRAINT trg_bad_pkey;
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'AFTER INSERT ON trg_bad REFERENCING NEW TABLE AS n FOR EACH STATEMENT');
ALTER TABLE trg_bad ADD PRIMARY KEY (id) DEFERRABLE;
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'AFTER INSERT ON trg_bad REFERENCING NEW TABLE AS n FOR EACH STATEMENT');
ALTER TABLE trg_bad DROP CONSTRAINT trg_bad_pkey, ADD PRIMARY KEY (id, kind);
SELECT trg_try($$'trg_sms', 'body', 'kind'$$, timing => 'AFTER UPDATE ON trg_bad REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT');
SELECT roformer.classify_trigger();
-- engine errors say where
SET roformer.overflow = 'error';
SET roformer.max_length = 4;
INSERT INTO trg_note VALUES (9, 'this text has more tokens than that');
RESET roformer.overflow;
RESET roformer.max_length;

-- ---- a statement at a time
CREATE TABLE trg_bulk ("Key" text, part int, body text, kind text, score real, PRIMARY KEY (part, "Key"));
CREATE TRIGGER inserted AFTER INSERT ON trg_bulk REFERENCING NEW TABLE AS scored FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'body', 'kind', 'score');
CREATE TRIGGER updated AFTER UPDATE ON trg_bulk REFERENCING OLD TABLE AS old NEW TABLE AS "scored_" FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'body', 'kind', 'score');
CREATE VIEW trg_bulk_wrong AS SELECT part, "Key" FROM trg_bulk
	WHERE (kind, score) IS DISTINCT FROM (roformer.classify('trg_sms', body), roformer.classify_score('trg_sms', body, roformer.classify('trg_sms', body)))
		AND NOT (body IS NULL AND kind IS NULL AND score IS NULL);
SELECT roformer.reset_stats();
INSERT INTO trg_bulk (part, "Key", body, kind)
SELECT n % 3, 'k' || n, CASE WHEN n % 10 > 0 THEN CASE n % 2 WHEN 0 THEN 'Claim your free prize now! £' || n ELSE 'See you at ' || n END END,
	CASE WHEN n % 20 = 0 THEN 'by hand' END
FROM generate_series(1, 1000) AS n;
SELECT rows, calls, batches < rows / 10 AS batched FROM roformer.stats WHERE model = 'trg_sms';
SELECT kind, count(*) FROM trg_bulk GROUP BY kind ORDER BY kind;
SELECT * FROM trg_bulk_wrong;
-- nothing is computed twice, nor what did not change; a row with a new key is a new row
SELECT roformer.reset_stats();
UPDATE trg_bulk SET kind = 'checked' WHERE "Key" = 'k1';
UPDATE trg_bulk SET body = body, "Key" = "Key" || 'x' WHERE "Key" = 'k2';
SELECT rows FROM roformer.stats WHERE model = 'trg_sms';
UPDATE trg_bulk SET body = 'Claim your free prize now!' WHERE "Key" IN ('k1', 'k2x', 'k10');
UPDATE trg_bulk SET body = NULL WHERE "Key" = 'k3';
SELECT "Key", kind FROM trg_bulk WHERE "Key" IN ('k1', 'k2x', 'k3', 'k10') ORDER BY 1;
SELECT rows FROM roformer.stats WHERE model = 'trg_sms';
INSERT INTO trg_bulk (part, "Key", body) VALUES (1, 'k1', 'Back soon'), (1, 'new', 'Claim your free prize now!') ON CONFLICT (part, "Key") DO UPDATE SET body = excluded.body;
SELECT "Key", kind FROM trg_bulk WHERE "Key" IN ('k1', 'new') ORDER BY 1;
MERGE INTO trg_bulk AS b USING (VALUES ('k1', 'You have won! Claim your free prize now!'), ('newer', 'Ok, see you')) AS v(k, body) ON b.part = 1 AND b."Key" = v.k
	WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT (part, "Key", body) VALUES (1, v.k, v.body);
SELECT "Key", kind FROM trg_bulk WHERE "Key" IN ('k1', 'newer') ORDER BY 1;
SELECT * FROM trg_bulk_wrong;
-- a trigger in between that changes texts has the last word
CREATE FUNCTION trg_shout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE trg_bulk AS b SET body = 'Claim your free prize now!' FROM n WHERE b."Key" = n."Key" AND n.body ~ 'shout';
	RETURN NULL;
END $$;
CREATE TRIGGER before_inserted AFTER INSERT ON trg_bulk REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION trg_shout();
INSERT INTO trg_bulk (part, "Key", body) VALUES (1, 'loud', 'do not shout, see you'), (1, 'quiet', 'see you');
SELECT "Key", kind FROM trg_bulk WHERE "Key" IN ('loud', 'quiet') ORDER BY 1;
SELECT * FROM trg_bulk_wrong;

-- partitions, keys of other types, tags and embeddings in bulk
CREATE TABLE trg_parted (id int[], at date, body text, people roformer.entity[], meaning real[], PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE trg_parted_1 PARTITION OF trg_parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE trg_parted_2 (at date NOT NULL, meaning real[], people roformer.entity[], body text, id int[] NOT NULL);
ALTER TABLE trg_parted ATTACH PARTITION trg_parted_2 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TRIGGER tag AFTER INSERT ON trg_parted REFERENCING NEW TABLE AS n FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.tag_trigger('trg_ner', 'body', 'people', 'first');
CREATE TRIGGER embed AFTER INSERT ON trg_parted REFERENCING NEW TABLE AS n FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.embed_trigger('trg_embed', 'body', 'meaning');
INSERT INTO trg_parted (id, at, body) VALUES ('{1}', '2024-05-05', 'Sara lives in Mexico'), ('{1,2}', '2025-05-05', 'nobody'), ('{3}', '2025-06-06', NULL);
SELECT tableoid::regclass, id, people = roformer.tag('trg_ner', body, 'first') AS people, meaning = roformer.embed('trg_embed', body) AS meaning
FROM trg_parted ORDER BY id;

-- the text may be part of the key, and may be generated
CREATE TABLE trg_word (first text, last text, whole text GENERATED ALWAYS AS (first || ' ' || last) STORED, kind text, whole_kind varchar(10), PRIMARY KEY (first));
CREATE TRIGGER word AFTER INSERT ON trg_word REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'first', 'kind');
CREATE TRIGGER whole AFTER INSERT ON trg_word REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'whole', 'whole_kind');
INSERT INTO trg_word (first, last) VALUES ('Claim your', 'free prize now!'), ('See', 'you');
SELECT whole, kind, whole_kind FROM trg_word ORDER BY whole;

-- a domain may refuse what a row without text gives
CREATE DOMAIN trg_known AS text NOT NULL;
CREATE TABLE trg_strict (id int PRIMARY KEY, body text, kind trg_known DEFAULT 'none', sure trg_known DEFAULT 'none');
CREATE TRIGGER each BEFORE INSERT OR UPDATE ON trg_strict FOR EACH ROW EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'body', 'kind');
INSERT INTO trg_strict VALUES (1, 'See you') RETURNING kind;
INSERT INTO trg_strict VALUES (2, NULL);
UPDATE trg_strict SET body = NULL;
DROP TRIGGER each ON trg_strict;
CREATE TRIGGER every AFTER INSERT ON trg_strict REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'body', 'sure');
INSERT INTO trg_strict VALUES (2, 'See you') RETURNING sure;
INSERT INTO trg_strict VALUES (3, 'See you'), (4, NULL);
SELECT * FROM trg_strict ORDER BY id;

-- ---- rights: the model is needed, on the table only INSERT
CREATE ROLE regress_roformer_owner;
CREATE ROLE regress_roformer_writer;
CREATE TABLE trg_box (id serial PRIMARY KEY, body text, kind text);
CREATE TRIGGER inserted AFTER INSERT ON trg_box REFERENCING NEW TABLE AS n FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.classify_trigger('trg_sms', 'body', 'kind');
ALTER TABLE trg_box ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY writing ON trg_box FOR INSERT WITH CHECK (true);
CREATE POLICY reading ON trg_box FOR SELECT USING (false);
ALTER TABLE trg_box OWNER TO regress_roformer_owner;
GRANT INSERT ON trg_box TO regress_roformer_writer;
GRANT USAGE ON SEQUENCE trg_box_id_seq TO regress_roformer_writer;
SET ROLE regress_roformer_writer;
INSERT INTO trg_box (body) VALUES ('You have won a free prize!');
RESET ROLE;
SELECT roformer.grant_model('trg_sms', 'regress_roformer_writer');
SET ROLE regress_roformer_writer;
INSERT INTO trg_box (body) VALUES ('Claim your free prize now!');
SELECT current_user;
RESET ROLE;
SELECT body, kind FROM trg_box;

-- what runs as the owner takes no operator of the writer's search path
CREATE SCHEMA trg_writer AUTHORIZATION regress_roformer_writer;
SET ROLE regress_roformer_writer;
GRANT USAGE ON SCHEMA trg_writer TO PUBLIC;
CREATE FUNCTION trg_writer.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'as %', current_user;
END $$;
CREATE OPERATOR trg_writer.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trg_writer.equal);
SET search_path = trg_writer, pg_catalog;
INSERT INTO public.trg_box (body) VALUES ('See you at the station'), (NULL);
RESET search_path;
RESET ROLE;
SELECT body, kind FROM trg_box ORDER BY id;

DROP TABLE trg_message, trg_note, trg_types, trg_bad, trg_bulk, trg_parted, trg_word, trg_strict, trg_box CASCADE;
DROP DOMAIN trg_kind, trg_short, trg_known;
DROP FUNCTION trg_try, trg_shout;
DROP SCHEMA trg_writer CASCADE;
DROP ROLE regress_roformer_writer, regress_roformer_owner;
SELECT count(roformer.drop_model(name)) FROM roformer.models WHERE name ~ '^trg_';
