-- What each precision costs in accuracy, over the whole test sets of the bundled models: called by bench/accuracy.sh.
CREATE EXTENSION roformer;
CREATE EXTENSION cube;
\o /dev/null
SELECT roformer.load_model(m, 'roformer-' || m) FROM unnest('{sms-spam,intent-clinc150,ner-en,embed-en}'::text[]) AS m;
\o
CREATE TABLE sms (split text, label text, text text);
\copy sms FROM 'data/sms_spam.tsv' WITH (HEADER)
CREATE TABLE request (split text, intent text, domain text, text text);
\copy request FROM 'data/clinc150.tsv' WITH (HEADER)
CREATE TABLE word (sentence int, position int, word text, tag text);
\copy word FROM 'data/uner_english_ewt.tsv' WITH (HEADER)
CREATE TABLE package (package text, short text, long text, id int GENERATED ALWAYS AS IDENTITY);
\copy package (package, short, long) FROM 'data/debian_packages.tsv' WITH (HEADER)

-- The texts of each model; those of the tagger are words joined by blanks.
CREATE TABLE input AS
	SELECT 'sms-spam' AS model, row_number() OVER () AS id, label AS wanted, text, NULL::text AS part FROM sms WHERE split = 'test'
	UNION ALL SELECT 'intent-clinc150', row_number() OVER (), intent, text, NULL FROM request WHERE split = 'test'
	UNION ALL SELECT 'ner-en', sentence, NULL, string_agg(word, ' ' ORDER BY position), NULL FROM word GROUP BY sentence
	UNION ALL SELECT 'embed-en', id, NULL, short, 'query' FROM package
	UNION ALL SELECT 'embed-en', id, NULL, long, 'document' FROM package;
CREATE TABLE label (model text, format text, id bigint, label text);
CREATE TABLE tag (format text, sentence bigint, position int, tag text);
CREATE TABLE vector (format text, part text, id bigint, v1 cube, v2 cube, v3 cube);
CREATE TABLE nearest (format text, query bigint, document bigint);
CREATE TABLE cost (model text, format text, bytes bigint, speed float8);
ALTER TABLE vector ALTER v1 SET STORAGE PLAIN, ALTER v2 SET STORAGE PLAIN, ALTER v3 SET STORAGE PLAIN;
VACUUM ANALYZE input, word;

-- Everything that a precision decides. Vectors have length 1: of two the cosine is 1 - distance² / 2. A cube has 100
-- dimensions at most, hence three of them.
CREATE PROCEDURE compute(chosen text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('roformer.precision', chosen, false), roformer.reset_stats();
	INSERT INTO label SELECT model, chosen, id, roformer.classify('sms-spam', text) FROM input WHERE model = 'sms-spam';
	INSERT INTO label SELECT model, chosen, id, roformer.classify('intent-clinc150', text) FROM input WHERE model = 'intent-clinc150';
	INSERT INTO tag
	WITH found AS MATERIALIZED (
		SELECT id AS sentence, start, e.label FROM input, unnest(roformer.tag('ner-en', text, 'none')) AS e WHERE model = 'ner-en'),
	placed AS (
		SELECT sentence, position, 1 + sum(length(word) + 1) OVER w - (length(word) + 1) AS start FROM word
		WINDOW w AS (PARTITION BY sentence ORDER BY position))
	SELECT chosen, sentence, position, coalesce(label, 'O') FROM placed LEFT JOIN found USING (sentence, start);
	INSERT INTO vector
	SELECT chosen, part, id, cube(v[1:86]::float8[]), cube(v[87:172]::float8[]), cube(v[173:]::float8[])
	FROM (SELECT part, id, roformer.embed('embed-en', text) AS v FROM input WHERE model = 'embed-en' OFFSET 0) AS s;
	COMMIT;
	INSERT INTO cost
	SELECT s.model, chosen, c.bytes, s.tokens / (s.compute_ms / 1000)
	FROM roformer.stats AS s JOIN roformer.cache AS c ON c.model = s.model AND c.precision = chosen;
	INSERT INTO nearest
	SELECT chosen, q.id, d.id
	FROM (SELECT * FROM vector WHERE format = chosen AND part = 'query' AND id % 6 = 0) AS q,
	LATERAL (
		SELECT d.id FROM vector AS d WHERE d.format = chosen AND d.part = 'document'
		ORDER BY (q.v1 <-> d.v1) ^ 2 + (q.v2 <-> d.v2) ^ 2 + (q.v3 <-> d.v3) ^ 2 LIMIT 1) AS d;
	COMMIT;
END $$;
CALL compute('fp32');
CALL compute('bf16');
CALL compute('int8');
RESET roformer.precision;

-- Hidden states and labels against fp32; of the documents, which are long, those of every tenth.
\o /dev/null
SELECT roformer.check_model(model, array_agg(text)) FROM input WHERE part IS DISTINCT FROM 'document' OR id % 10 = 0 GROUP BY model;
\o

-- A span begins at B-, after O, and where the type changes.
CREATE FUNCTION spans(wanted text) RETURNS TABLE (sentence bigint, type text, first int, last int) STABLE
BEGIN ATOMIC
	WITH tags AS (
		SELECT sentence, position, tag FROM tag WHERE format = wanted
		UNION ALL SELECT sentence, position, tag FROM word WHERE wanted = 'gold'),
	begun AS (
		SELECT *, (tag LIKE 'B-%' OR substr(lag(tag, 1, 'O') OVER w, 3) <> substr(tag, 3))::int AS begins FROM tags
		WINDOW w AS (PARTITION BY sentence ORDER BY position)),
	numbered AS (SELECT *, sum(begins) OVER (PARTITION BY sentence ORDER BY position) AS span FROM begun)
	SELECT sentence, substr(min(tag), 3), min(position), max(position) FROM numbered WHERE tag <> 'O' GROUP BY sentence, span;
END;

CREATE VIEW result AS
	SELECT model, l.format, 'accuracy' AS figure, avg((l.label = wanted)::int) AS value, avg((l.label = exact.label)::int) AS same
	FROM label AS l JOIN input USING (model, id) JOIN label AS exact USING (model, id) WHERE exact.format = 'fp32' GROUP BY model, l.format
	UNION ALL
	SELECT 'ner-en', f, 'F1', (SELECT 2.0 * count(*) FROM (SELECT s FROM spans(f) AS s INTERSECT SELECT s FROM spans('gold') AS s) AS both_)
		/ ((SELECT count(*) FROM spans(f)) + (SELECT count(*) FROM spans('gold'))),
		(SELECT avg((t.tag = exact.tag)::int) FROM tag AS t JOIN tag AS exact USING (sentence, position) WHERE t.format = f AND exact.format = 'fp32')
	FROM unnest('{fp32,bf16,int8}'::text[]) AS f
	UNION ALL
	SELECT 'embed-en', n.format, 'recall@1', avg((n.document = n.query)::int), avg((n.document = exact.document)::int)
	FROM nearest AS n JOIN nearest AS exact USING (query) WHERE exact.format = 'fp32' GROUP BY n.format;

\echo
\echo same: labels of texts (ner: of words; embed: nearest neighbours of 499 texts) that are those of fp32
\echo cosine, rms: of hidden states, the worst token against fp32, and all of their numbers
SELECT model, format AS "precision", figure, round(100 * value, 2) AS "%", round(100 * same, 3) AS "same, %",
	round((d->'cosine')::numeric, 6) AS cosine, round((d->'rms')::numeric, 4) AS rms,
	round(c.bytes / 1e6, 2) AS "MB", round(speed) AS "tokens/s"
FROM result AS r JOIN cost AS c USING (model, format) JOIN roformer.models AS m ON m.name = model, LATERAL (SELECT m.deviations->r.format) AS x (d)
ORDER BY array_position('{sms-spam,intent-clinc150,ner-en,embed-en}', model), array_position('{fp32,bf16,int8}', format), figure;

\echo embed: cosine of vectors of texts with those of fp32
SELECT v.format AS "precision", round(min(c)::numeric, 6) AS worst, round(avg(c)::numeric, 6) AS mean
FROM vector AS v JOIN vector AS x USING (part, id),
LATERAL (SELECT 1 - ((v.v1 <-> x.v1) ^ 2 + (v.v2 <-> x.v2) ^ 2 + (v.v3 <-> x.v3) ^ 2) / 2) AS s (c)
WHERE x.format = 'fp32' AND v.format <> 'fp32' GROUP BY v.format ORDER BY v.format;
