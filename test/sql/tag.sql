-- tag: entities in texts, with the characters they cover
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\o /dev/null
SELECT roformer.load_model('ner', 'roformer-ner-en');
\o
CREATE TABLE note (id int, body text);
INSERT INTO note VALUES
	(1, 'Barack Obama was born in Hawaii and lives in Washington.'),
	(2, 'nothing to be found here'),
	(3, ''),
	(4, NULL),
	(5, '– “John Smith” met Maria in São Paulo –');

SELECT id, label, round(score::numeric, 2) AS score, entity, start, length
FROM note, unnest(roformer.tag('ner', body)) WITH ORDINALITY AS e(label, score, entity, start, length, n) ORDER BY id, n;
SELECT id, roformer.tag('ner', body) IS NULL AS null, cardinality(roformer.tag('ner', body)) AS entities FROM note ORDER BY id;

-- every aggregation
SELECT aggregation, string_agg(format('%s %s', label, entity), ', ' ORDER BY n) AS entities
FROM note, unnest('{none,simple,first,average,max}'::text[]) AS aggregation,
	unnest(roformer.tag('ner', body, aggregation)) WITH ORDINALITY AS e(label, score, entity, start, length, n)
WHERE id = 1 GROUP BY aggregation ORDER BY aggregation;
SELECT pg_typeof(roformer.tag('ner', 'a', 'max'));
SELECT roformer.tag('ner', 'a', aggregation => 'MAX') = roformer.tag('ner', 'a', 'max') AS same;

-- positions are those of substr()
SELECT count(*) > 0 AS some, bool_and(entity = substr(body, start, length)) AS exact
FROM note, unnest('{none,simple,first,average,max}'::text[]) AS aggregation, unnest(roformer.tag('ner', body, aggregation));

-- arrays: one row for each element
SELECT n, cardinality(e) AS entities, e IS NOT DISTINCT FROM roformer.tag('ner', body) AS same
FROM roformer.tag('ner', (SELECT array_agg(body ORDER BY id) FROM note)) WITH ORDINALITY AS t(e, n) JOIN note ON id = n ORDER BY n;
SELECT n, cardinality(e) AS entities
FROM roformer.tag('ner', ARRAY['John Smith', 'Maria'], aggregation => 'none') WITH ORDINALITY AS t(e, n);
SELECT count(*) FROM roformer.tag('ner', '{}'::text[]);
SELECT roformer.tag('ner', '{{a,b}}'::text[]);

SELECT roformer.tag('ner', 'a', 'best');

-- set_model_option: other names for the labels, which say what belongs together
\o /dev/null
SELECT roformer.set_model_option('ner', 'labels', '{O,B-PLACE,I-PLACE,B-FIRM,I-FIRM,B-PERSON,I-PERSON}');
\o
SELECT label, entity FROM unnest(roformer.tag('ner', 'Barack Obama was born in Hawaii and lives in Washington.'));
SELECT label, entity FROM unnest(roformer.tag('ner', 'Barack Obama was born in Hawaii and lives in Washington.', 'none'));

DROP TABLE note;
\o /dev/null
SELECT roformer.drop_model('ner');
\o
