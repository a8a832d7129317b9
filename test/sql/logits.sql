-- logits, hidden_state, and the settings that bound a text
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set sequence :golden '/models/seqcls-en'
\set token :golden '/models/tokcls-en'
\set masked :golden '/models/mlm-en-untied'
\set bare :golden '/models/enc-en-proj'
\o /dev/null
SELECT roformer.load_model('sequence', :'sequence');
SELECT roformer.load_model('token', :'token');
SELECT roformer.load_model('masked', :'masked');
SELECT roformer.load_model('bare', :'bare');
\o

-- shapes follow the task
SELECT name, array_dims(roformer.logits(name, 'one two three')) AS logits, array_dims(roformer.hidden_state(name, 'one two three')) AS hidden_state
FROM unnest('{sequence,token,masked}'::text[]) AS name;
SELECT array_dims(roformer.hidden_state('bare', '')) AS empty, array_dims(roformer.hidden_state('bare', 'one', 'two')) AS pair,
	roformer.hidden_state('bare', NULL) IS NULL AS null, array_dims(roformer.logits('token', 'one', 'two')) AS pair;
SELECT roformer.logits('bare', 'a');

-- the reference's numbers for its first record
SELECT bool_and(abs(got - want) < 2e-5) AS same
FROM ROWS FROM (unnest(roformer.logits('sequence', '?')), unnest('{0.5967471,0.050942361,-1.5273315}'::float8[])) AS t(got, want);

-- arrays: one row for each element, of the element's own length
SELECT n, array_dims(h), h IS NOT DISTINCT FROM roformer.hidden_state('bare', (ARRAY['one', NULL, 'one two'])[n]) AS same
FROM roformer.hidden_state('bare', ARRAY['one', NULL, 'one two']) WITH ORDINALITY AS t(h, n);
SELECT n, array_dims(l) FROM roformer.logits('sequence', ARRAY['one', 'two'], ARRAY['a', NULL]) WITH ORDINALITY AS t(l, n);
SELECT roformer.logits('sequence', '{{a}}'::text[]);

-- max_length and overflow
SET roformer.max_length = 4;
SELECT array_dims(roformer.hidden_state('bare', 'one two three four five')) AS cut,
	roformer.hidden_state('bare', 'one two three four five') = roformer.hidden_state('bare', 'one two') AS same;
SET roformer.overflow = 'error';
SELECT array_dims(roformer.hidden_state('bare', 'one two')) AS short;
\set VERBOSITY sqlstate
SELECT roformer.hidden_state('bare', 'one two three four five');
SELECT roformer.classify('sequence', ARRAY['one', 'one two three four five']);
\set VERBOSITY default
-- tokenizing is not inference
SELECT roformer.token_count('bare', 'one two three four five');
RESET roformer.max_length;
SELECT array_dims(roformer.hidden_state('bare', 'one two three four five'));
RESET roformer.overflow;

-- RoPE is computed: the table of 512 positions is no limit
SET roformer.max_length = 700;
SELECT array_dims(roformer.hidden_state('bare', repeat('one ', 1000)));
RESET roformer.max_length;
SELECT array_dims(roformer.hidden_state('bare', repeat('one ', 1000)));

-- what no array can hold is refused before it is computed
SET roformer.max_length = 1000000;
SELECT roformer.logits('masked', repeat('one ', 900000));
SELECT roformer.logits('masked', ARRAY['one', repeat('one ', 900000)]);
RESET roformer.max_length;

\o /dev/null
SELECT roformer.drop_model(name) FROM unnest('{sequence,token,masked,bare}'::text[]) AS name;
\o
