-- Find persons, places and organisations in sentences.
CREATE TABLE word (
	sentence int,
	"position" int,
	word text NOT NULL,
	tag text NOT NULL,
	PRIMARY KEY (sentence, "position")
);
\copy word FROM 'data/uner_english_ewt.tsv' WITH (HEADER)

CREATE TABLE sentence AS
	SELECT sentence AS id, string_agg(word, ' ' ORDER BY "position") AS body FROM word GROUP BY sentence;
ALTER TABLE sentence ADD PRIMARY KEY (id);

\echo what stands in eight sentences, and where: substr(body, start, length) is the entity
SELECT s.id, e.label, round(e.score::numeric, 2) AS score, e.entity, e.start, left(s.body, 60) AS sentence
FROM sentence AS s, unnest(roformer.tag('ner', s.body)) AS e
WHERE s.id IN (1, 2, 3, 13, 52, 104, 206, 308)
ORDER BY s.id, e.start;

\echo tagging all 2,077 sentences
CREATE TABLE mention AS
	SELECT s.id AS sentence, e.* FROM sentence AS s, unnest(roformer.tag('ner', s.body)) AS e;
SELECT label, count(*) AS mentions, count(DISTINCT entity) AS names,
	(SELECT string_agg(entity, ', ' ORDER BY n DESC, entity)
	 FROM (SELECT entity, count(*) AS n FROM mention AS i WHERE i.label = o.label
	       GROUP BY entity ORDER BY n DESC, entity LIMIT 6) AS top) AS "most frequent"
FROM mention AS o
GROUP BY label
ORDER BY label;
