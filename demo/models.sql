-- Load the bundled models. A relative directory is looked up below the extension's own models.
CREATE EXTENSION roformer;

\echo loading four models
SELECT roformer.load_model('sms', 'roformer-sms-spam');
SELECT roformer.load_model('intent', 'roformer-intent-clinc150');
SELECT roformer.load_model('ner', 'roformer-ner-en');
SELECT roformer.load_model('embed', 'roformer-embed-en');

SELECT name, task, parameters, layers, hidden_size, vocabulary, labels FROM roformer.models ORDER BY name;
