-- Classify text messages (ham or spam) and requests to an assistant (150 intents).
CREATE TABLE message (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	split text NOT NULL,
	label text NOT NULL,
	body text NOT NULL
);
\copy message (split, label, body) FROM 'data/sms_spam.tsv' WITH (HEADER)

CREATE TABLE request (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	split text NOT NULL,
	intent text NOT NULL,
	domain text NOT NULL,
	body text NOT NULL
);
\copy request (split, intent, domain, body) FROM 'data/clinc150.tsv' WITH (HEADER)

\echo messages the model has not seen, with their class and its probability
SELECT best.label AS class, round(best.score::numeric, 3) AS score, left(body, 80) AS message
FROM message, LATERAL (SELECT * FROM unnest(roformer.classify_all('sms', body)) LIMIT 1) AS best
WHERE split = 'test'
ORDER BY id
LIMIT 12;

\echo classifying all 1,113 test messages
CREATE TABLE message_class AS
	SELECT id, label, roformer.classify('sms', body) AS class FROM message WHERE split = 'test';
SELECT label AS "is", class AS "classified as", count(*) FROM message_class GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) AS messages, round(100 * avg((class = label)::int), 2) AS "accuracy in %" FROM message_class;

\echo requests the model has not seen
SELECT best.label AS intent, round(best.score::numeric, 3) AS score, body AS request
FROM request, LATERAL (SELECT * FROM unnest(roformer.classify_all('intent', body)) LIMIT 1) AS best
WHERE split = 'test' AND intent <> 'oos' AND id % 500 = 7
ORDER BY id;

\echo classifying all 5,500 test requests
CREATE TABLE request_class AS
	SELECT id, intent, roformer.classify('intent', body) AS class FROM request WHERE split = 'test';
SELECT CASE WHEN grouping(intent = 'oos') = 1 THEN 'all' WHEN intent = 'oos' THEN 'out of scope' ELSE 'in scope' END AS requests,
	count(*), round(100 * avg((class = intent)::int), 2) AS "accuracy in %"
FROM request_class
GROUP BY ROLLUP (intent = 'oos')
ORDER BY count(*) DESC;
