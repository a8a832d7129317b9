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

-- Aggregation "first": a word has the label of its first piece, as the model was trained.
\echo what stands in nine sentences, and where: substr(body, start, length) is the entity
SELECT s.id, e.label, round(e.score::numeric, 2) AS score, e.entity, e.start, left(s.body, 60) AS sentence
FROM sentence AS s, unnest(roformer.tag('ner', s.body, 'first')) AS e
WHERE s.id IN (1, 2, 52, 80, 280, 640, 1040, 1800, 1920)
ORDER BY s.id, e.start;

\echo tagging all 2,077 sentences; what was found with a score of at least 0.8
CREATE TABLE mention AS
	SELECT s.id AS sentence, e.* FROM sentence AS s, unnest(roformer.tag('ner', s.body, 'first')) AS e;
SELECT label, sum(n) AS mentions, count(*) AS names,
	string_agg(entity, ', ' ORDER BY place) FILTER (WHERE place <= 7) AS "most frequent"
FROM (SELECT label, entity, count(*) AS n, row_number() OVER (PARTITION BY label ORDER BY count(*) DESC, entity) AS place
      FROM mention WHERE score >= 0.8 GROUP BY label, entity) AS name
GROUP BY label
ORDER BY label;
