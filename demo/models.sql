-- Load the bundled models. A relative directory is looked up below the extension's own models.
CREATE EXTENSION roformer;

\echo loading four models
SELECT roformer.load_model('sms', 'roformer-sms-spam') \g /dev/null
SELECT roformer.load_model('intent', 'roformer-intent-clinc150') \g /dev/null
SELECT roformer.load_model('ner', 'roformer-ner-en') \g /dev/null
SELECT roformer.load_model('embed', 'roformer-embed-en') \g /dev/null

SELECT name, task, parameters, layers, hidden_size, vocabulary, cardinality(labels) AS labels, pg_size_pretty(bytes) AS stored
FROM roformer.models
ORDER BY name;
