# Every record of the golden outputs, through SQL: encodings exactly, numbers within the tolerances
# that test/golden/data/README.md states beside them. All comparing is done in SQL; each TAP line is
# one quantity of one model, with the largest deviation that was seen.
use strict;
use warnings FATAL => 'all';

use File::Copy;
use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use RoformerTest qw(start_server);
use Test::More;

# README, "Tolerances"
my %tolerance = (
	exact => 0,
	hidden => 2e-5,        # hidden states, pooled vectors, class and token logits
	vocabulary => 1e-4,    # vocabulary logits, logsumexp
	score => 2e-5,         # probabilities
	span => 1e-4,          # scores of spans, relative
	norm => 2e-5 * 8);     # L2 norm of a hidden row: at most 2e-5 times the root of its 64 numbers

# A label or the order of a top list may differ only where two logits are closer than this.
my $close = 2e-4;

my @encoders = qw(enc-cased-nostrip enc-en-proj enc-long enc-zh-char-pool enc-zh-word);
my @classifiers = qw(seqcls-en seqcls-en-multi seqcls-v2-zh);
my @taggers = qw(tokcls-en tokcls-zh-word);
my @fillers = qw(mlm-en-untied mlm-v2-zh mlm-zh-word mlm-zh-word-bf16 mlm-zh-word-fp16);
my @regressors = qw(seqcls-zh-reg);
my @answerers = qw(qa-en);
my @decoders = qw(clm-zh-char sim-zh-char);
my @choosers = qw(mc-en mc-summary);

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";

my $node = start_server('goldens');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sql(<<'SQL');
CREATE TABLE record (model text, id text, r jsonb);
-- what, and by how much it differs; infinity: not comparable at all
CREATE TABLE result (model text, id text, what text, tolerance text, deviation float8);

CREATE FUNCTION ints(j jsonb) RETURNS int[] IMMUTABLE
RETURN ARRAY(SELECT x::int FROM jsonb_array_elements_text(j) WITH ORDINALITY AS t(x, n) ORDER BY n);
CREATE FUNCTION texts(j jsonb) RETURNS text[] IMMUTABLE
RETURN ARRAY(SELECT x FROM jsonb_array_elements_text(j) WITH ORDINALITY AS t(x, n) ORDER BY n);

-- the numbers in want, however nested, in order, against those of an array of any dimensions
CREATE FUNCTION deviation(got real[], want jsonb) RETURNS float8 IMMUTABLE
RETURN (SELECT coalesce(max(coalesce(abs(g::float8 - w::float8), 'infinity')), 'infinity')
		FROM ROWS FROM (unnest(got), jsonb_path_query(want, 'strict $.** ? (@.type() == "number")'))
			AS t(g, w));
CREATE FUNCTION inequality(equal boolean) RETURNS float8 IMMUTABLE
RETURN CASE WHEN equal THEN 0 ELSE 'infinity'::float8 END;

-- Arguments of the tokenizer call, in the words of encode()
CREATE FUNCTION encoding(model text, r jsonb) RETURNS roformer.encoding STABLE
BEGIN ATOMIC
	WITH o AS (
		SELECT coalesce((r->'args'->>'add_special_tokens')::boolean, true) AS special,
			coalesce((r->'args'->>'max_length')::int, 0) AS max_length,
			CASE coalesce(r->'args'->>'truncation', 'false')
				WHEN 'true' THEN 'longest_first' WHEN 'false' THEN 'do_not_truncate'
				ELSE r->'args'->>'truncation' END AS truncation,
			coalesce(r->'args'->>'truncation_side', 'right') AS side,
			coalesce(r->'args'->>'padding', 'none') AS padding)
	SELECT CASE WHEN r->>'text_pair' IS NULL
		THEN roformer.encode(model, r->>'text', special, max_length, truncation, side, padding)
		ELSE roformer.encode(model, r->>'text', r->>'text_pair', special, max_length, truncation, side,
			padding) END
	FROM o;
END;
SQL

sub load_records
{
	my ($model) = @_;

	sql("SELECT roformer.load_model('$model', '$golden/models/$model')");
	# U+0000 can't be in a text; neither quote nor delimiter occurs in the files
	sql(qq{
		CREATE TEMP TABLE line (j text);
		COPY line FROM '$golden/outputs/$model.jsonl' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02');
		INSERT INTO record SELECT '$model', j::jsonb->>'id', j::jsonb FROM line
		WHERE strpos(j, '\\u0000') = 0;
	});
}

load_records($_) foreach @encoders, @classifiers, @taggers, @fillers, @answerers, @choosers, @regressors, @decoders, 'clm-xattn';

# ---- encodings -----------------------------------------------------------------------------------

# Long records have their text shortened or left out, and no offsets.
sql(<<'SQL');
INSERT INTO result
SELECT model, id, what, 'exact', inequality(equal)
FROM record, encoding(model, r) AS e, LATERAL (VALUES
	('input_ids', e.input_ids = ints(r->'input_ids')),
	('token_type_ids', e.token_type_ids = ints(r->'token_type_ids')),
	('special_tokens_mask', e.special_tokens_mask = ints(r->'special_tokens_mask')),
	('start', e.start IS NOT DISTINCT FROM
		ARRAY(SELECT (o->>0)::int + 1 FROM jsonb_array_elements(r->'offsets') WITH ORDINALITY AS t(o, n) ORDER BY n)),
	('length', e.length IS NOT DISTINCT FROM
		ARRAY(SELECT (o->>1)::int - (o->>0)::int FROM jsonb_array_elements(r->'offsets') WITH ORDINALITY AS t(o, n) ORDER BY n)),
	('tokens', r ? 'args' OR texts(r->'tokens') = CASE WHEN r->>'text_pair' IS NULL
		THEN roformer.tokenize(model, r->>'text')
		ELSE roformer.tokenize(model, r->>'text', r->>'text_pair') END),
	('token_count', r ? 'args' OR jsonb_array_length(r->'tokens') = CASE WHEN r->>'text_pair' IS NULL
		THEN roformer.token_count(model, r->>'text')
		ELSE roformer.token_count(model, r->>'text', r->>'text_pair') END)
) AS v(what, equal)
WHERE r ? 'offsets';
SQL

# What no golden model has: a copy of one with a value of a JSON file changed.
sub load_changed
{
	my ($name, $model, $file, %values) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $json = JSON::PP->new->canonical;

	copy($_, $directory) foreach glob "$golden/models/$model/*";
	my $content = $json->decode(slurp_file("$directory/$file"));
	$content->{$_} = $values{$_} foreach keys %values;
	unlink "$directory/$file";
	PostgreSQL::Test::Utils::append_to_file("$directory/$file", $json->encode($content));
	sql("SELECT roformer.load_model('$name', '$directory')");
}

# ---- texts for inference -------------------------------------------------------------------------

# Inference functions take no tokenizer arguments. Where a record was truncated or its text is not
# there, decoding its ids gives a text that has them (but not where the first token left is within a
# word); padding makes no difference to real positions.
sql(<<'SQL');
CREATE TABLE input AS
SELECT model, id, r, ids, types, special, text, pair,
	CASE WHEN pair IS NULL THEN (roformer.encode(model, text)).input_ids
		ELSE (roformer.encode(model, text, pair)).input_ids END = ids AS usable
FROM (
	SELECT *, CASE WHEN ids = ints(r->'input_ids') AND NOT r ? 'args' AND r ? 'offsets' THEN r->>'text'
			ELSE roformer.decode(model, ARRAY(SELECT i FROM unnest(ids, types, special) AS t(i, t, s)
				WHERE t = 0 AND s = 0)) END AS text,
		CASE WHEN NOT 1 = ANY (types) THEN NULL
			WHEN NOT r ? 'args' THEN r->>'text_pair'
			ELSE roformer.decode(model, ARRAY(SELECT i FROM unnest(ids, types, special) AS t(i, t, s)
				WHERE t = 1 AND s = 0)) END AS pair
	FROM (
		SELECT *, (ints(r->'input_ids'))[:n] AS ids,
			CASE WHEN r ? 'token_type_ids' THEN (ints(r->'token_type_ids'))[:n] ELSE array_fill(0, ARRAY[n]) END AS types,
			CASE WHEN r ? 'special_tokens_mask' THEN (ints(r->'special_tokens_mask'))[:n]
				ELSE 1 || array_fill(0, ARRAY[n - 2]) || 1 END AS special
		FROM (SELECT *, CASE WHEN r ? 'attention_mask'
				THEN (SELECT sum(m)::int FROM unnest(ints(r->'attention_mask')) AS m)
				ELSE jsonb_array_length(r->'input_ids') END AS n FROM record WHERE r ? 'input_ids') AS s
	) AS s
) AS s;
SQL
is(sql("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM input WHERE NOT usable"),
	'enc-en-proj-064', 'every record but one has a text whose ids are those of the record');
sql('DELETE FROM input WHERE NOT usable');

sql(<<'SQL');
CREATE FUNCTION hidden_state(model text, text text, pair text) RETURNS real[] IMMUTABLE
RETURN CASE WHEN pair IS NULL THEN roformer.hidden_state(model, text)
	ELSE roformer.hidden_state(model, text, pair) END;
CREATE FUNCTION logits(model text, text text, pair text) RETURNS real[] IMMUTABLE
RETURN CASE WHEN pair IS NULL THEN roformer.logits(model, text)
	ELSE roformer.logits(model, text, pair) END;
SQL

# ---- encoders ------------------------------------------------------------------------------------

foreach my $model (@encoders)
{
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT id, r->'out' AS o, hidden_state(model, text, pair) AS h, text, pair, cardinality(ids) AS tokens
	FROM input WHERE model = '$model'),
rows AS (
	SELECT id, max(deviation(h[(k::int + 1):(k::int + 1)], v)) AS d
	FROM s, jsonb_each(o->'rows') AS t(k, v) GROUP BY id),
norms AS (
	SELECT id, ARRAY(SELECT sqrt(sum(x::float8 ^ 2))::real FROM generate_subscripts(h, 1) AS i, unnest(h[i:i]) AS x
		GROUP BY i ORDER BY i) AS n
	FROM s WHERE o ? 'row_l2')
INSERT INTO result
SELECT '$model', id, 'hidden_state', 'hidden', d FROM rows
UNION ALL
SELECT '$model', id, 'shape of hidden_state', 'exact', inequality(array_length(h, 1) = tokens) FROM s
UNION ALL
SELECT '$model', id, 'row_l2', 'norm', deviation(n, o->'row_l2') FROM norms JOIN s USING (id)
UNION ALL
SELECT '$model', id, 'embed ' || pooling, 'hidden', deviation(roformer.embed('$model', text, pooling), o->key)
FROM s, (VALUES ('mean', 'mean_pooled'), ('max', 'max_pooled'), ('pooler', 'pooler_output')) AS p(pooling, key)
WHERE o ? key AND pair IS NULL
UNION ALL
SELECT '$model', id, 'embed cls', 'hidden', deviation(roformer.embed('$model', text, 'cls'), o->'rows'->'0')
FROM s WHERE pair IS NULL
SQL
}
sql(<<'SQL');
INSERT INTO result
SELECT model, id, 'embed by default', 'exact',
	inequality(roformer.embed(model, text) = roformer.embed(model, text, 'mean'))
FROM input WHERE model LIKE 'enc-%' AND pair IS NULL
SQL

# ---- sequence classification ---------------------------------------------------------------------

foreach my $model (@classifiers)
{
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT id, r->'out' AS o, text, pair, logits(model, text, pair) AS l,
		CASE WHEN pair IS NULL THEN roformer.classify(model, text)
			ELSE roformer.classify(model, text, pair) END AS label,
		CASE WHEN pair IS NULL THEN roformer.classify_all(model, text)
			ELSE roformer.classify_all(model, text, pair) END AS ranked
	FROM input WHERE model = '$model'),
labels AS (
	SELECT key::int AS n, value AS label
	FROM roformer.model_config('$model') AS c, jsonb_each_text(c->'id2label'))
INSERT INTO result
SELECT '$model', id, 'logits', 'hidden', deviation(l, o->'logits') FROM s
UNION ALL
SELECT '$model', id, 'classify_all', 'score',
	deviation(ARRAY(SELECT score FROM unnest(ranked) JOIN labels USING (label) ORDER BY n), o->'probs') FROM s
UNION ALL
SELECT '$model', id, 'classify_all is ordered', 'exact', inequality(
	ARRAY(SELECT score FROM unnest(ranked)) = ARRAY(SELECT score FROM unnest(ranked) ORDER BY score DESC)) FROM s
UNION ALL
SELECT '$model', id, 'label', 'exact', inequality(label = o->>'label' OR
	(SELECT max(x) - (l)[(SELECT n + 1 FROM labels WHERE labels.label = o->>'label')] FROM unnest(l) AS x) < $close) FROM s
WHERE o ? 'label' -- of several that may hold at once none is recorded
UNION ALL
SELECT '$model', id, 'label is the first of classify_all', 'exact', inequality(label = ranked[1].label) FROM s
UNION ALL
SELECT '$model', id, 'classify_score', 'exact', inequality(roformer.classify_score('$model', text, label) = ranked[1].score)
FROM s WHERE pair IS NULL
SQL
}

# ---- regression ----------------------------------------------------------------------------------

foreach my $model (@regressors)
{
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT id, r->'out'->'logits' AS want, text, pair, logits(model, text, pair) AS l
	FROM input WHERE model = '$model')
INSERT INTO result
SELECT '$model', id, 'logits', 'hidden', deviation(l, want) FROM s
UNION ALL
SELECT '$model', id, 'regress', 'exact', inequality(CASE WHEN pair IS NULL THEN roformer.regress('$model', text)
	ELSE roformer.regress('$model', text, pair) END = l[1]) FROM s
SQL
	foreach my $function (qw(classify classify_all))
	{
		my ($status, $output, $error) = $node->psql('postgres', "SELECT roformer.$function('$model', 'a')");

		like($error, qr/model "$model" gives numbers, not labels\nHINT:  Use roformer\.regress\(\)/, "$model: no $function");
	}
}

# ---- token classification ------------------------------------------------------------------------

foreach my $model (@taggers)
{
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT id, r->'out' AS o, r, special, text, roformer.logits(model, text) AS l
	FROM input WHERE model = '$model'),
tokens AS (
	SELECT id, n, label, score, (offsets->>0)::int AS start, (offsets->>1)::int AS stop
	FROM s, ROWS FROM (jsonb_array_elements_text(o->'labels'), jsonb_array_elements_text(o->'scores'),
		jsonb_array_elements(r->'offsets'), unnest(special)) WITH ORDINALITY AS t(label, score, offsets, special, n)
	WHERE t.special = 0 AND label <> 'O'),
want AS (
	SELECT id, 'none' AS aggregation, jsonb_agg(jsonb_build_array(label, score::float8, start, stop) ORDER BY n) AS entities
	FROM tokens GROUP BY id
	UNION ALL
	SELECT id, aggregation, entities FROM s, jsonb_each(o->'entities') AS t(aggregation, entities)),
got AS MATERIALIZED (
	SELECT id, aggregation, text, roformer.tag('$model', text, aggregation) AS entities
	FROM s, unnest('{none,simple,first,average,max}'::text[]) AS aggregation),
compared AS (
	SELECT id, aggregation, t.*,
		w IS NOT NULL AND label = w->>0 AND start = (w->>2)::int + 1 AND length = (w->>3)::int - (w->>2)::int
			AND entity = substr(text, start, length) AS same
	FROM got LEFT JOIN want USING (id, aggregation),
	LATERAL ROWS FROM (unnest(got.entities), jsonb_array_elements(coalesce(want.entities, '[]')))
		AS t(label, score, entity, start, length, w))
INSERT INTO result
SELECT '$model', id, 'logits', 'hidden', deviation(l, o->'logits') FROM s
UNION ALL
SELECT '$model', id, 'tag ' || aggregation, 'exact', inequality(coalesce(same, false)) FROM compared
UNION ALL
SELECT '$model', id, 'score of tag ' || aggregation, 'score', abs(score::float8 - (w->>1)::float8) FROM compared
SQL
}

# ---- masked language models ----------------------------------------------------------------------

foreach my $model (@fillers)
{
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT id, r->'out' AS o, text, pair, logits(model, text, pair) AS l FROM input WHERE model = '$model'),
positions AS MATERIALIZED (
	SELECT id, text, pair, p, l[((p->>'pos')::int + 1):((p->>'pos')::int + 1)] AS l,
		row_number() OVER (PARTITION BY id, p->'is_mask' ORDER BY (p->>'pos')::int) AS mask
	FROM s, jsonb_array_elements(o->'positions') AS p),
top AS (
	SELECT id, mask, p, n, t, l[1:1][((t->>1)::int + 1):((t->>1)::int + 1)] AS logit
	FROM positions, jsonb_array_elements(p->'top') WITH ORDINALITY AS e(t, n)),
fills AS MATERIALIZED (
	SELECT id, f.*, row_number() OVER (PARTITION BY id, f.mask ORDER BY f.n) AS rank
	FROM s, unnest(roformer.fill_mask('$model', text, 5)) WITH ORDINALITY AS f(mask, token, score, sequence, n)
	WHERE pair IS NULL),
want AS (
	SELECT id, mask, rank, fill->>0 AS token, fill->>1 AS sequence
	FROM s, jsonb_array_elements(o->'fill') WITH ORDINALITY AS m(list, mask),
		jsonb_array_elements(list) WITH ORDINALITY AS t(fill, rank)
	WHERE pair IS NULL),
paired AS (
	SELECT w.id, w.token AS want, w.sequence AS wanted, f.token, f.sequence, f.score, top.t
	FROM want AS w LEFT JOIN fills AS f USING (id, mask, rank)
	LEFT JOIN top ON top.id = w.id AND top.mask = w.mask AND top.n = w.rank AND (top.p->>'is_mask')::boolean)
INSERT INTO result
SELECT '$model', id, 'logits of ids 0-7', 'vocabulary', deviation(l[1:1][1:8], p->'logits_first8') FROM positions
UNION ALL
SELECT '$model', id, 'logsumexp', 'vocabulary',
	abs((SELECT ln(sum(exp(x::float8))) FROM unnest(l) AS x) - (p->>'logsumexp')::float8) FROM positions
UNION ALL
SELECT '$model', id, 'top logits', 'vocabulary', deviation(logit, t->2) FROM top
UNION ALL
SELECT '$model', id, 'fill_mask', 'exact', inequality(coalesce(token = want AND sequence = wanted, false)) FROM paired
UNION ALL
SELECT '$model', id, 'score of fill_mask', 'score', abs(score::float8 - (t->>3)::float8) FROM paired
SQL
}

# ---- question answering --------------------------------------------------------------------------

sql('CREATE TABLE asked (model text, id text, question text, context text, max_length int, doc_stride int, best jsonb)');
foreach my $model (@answerers)
{
	# The same contexts in one row, and longer ones in windows.
	sql(<<"SQL");
INSERT INTO result
SELECT '$model', id, 'logits', 'hidden',
	deviation(logits(model, text, pair), jsonb_build_array(r->'out'->'start_logits', r->'out'->'end_logits'))
FROM input WHERE model = '$model';
INSERT INTO asked
SELECT model, id, text, pair, 0, 128, r->'out'->'best' FROM input WHERE model = '$model' AND NOT r ? 'args';
CREATE TEMP TABLE line (j text);
COPY line FROM '$golden/windows/$model.jsonl' WITH (FORMAT csv, QUOTE e'\x01', DELIMITER e'\x02');
INSERT INTO asked
SELECT '$model', r->>'id', r->>'question', r->>'context', (r->>'max_seq_len')::int, (r->>'doc_stride')::int, r->'best'
FROM (SELECT j::jsonb AS r FROM line WHERE strpos(j, '\\u0000') = 0) AS s;
SQL
}
# set_config() stands before the call for each row.
sql(<<'SQL');
CREATE TABLE answered (LIKE asked, a roformer.answer);
DO $$
DECLARE
	q asked;
BEGIN
	FOR q IN SELECT * FROM asked LOOP
		PERFORM set_config('roformer.max_length', q.max_length::text, true);
		INSERT INTO answered SELECT q.*, roformer.answer(q.model, q.question, q.context, doc_stride => q.doc_stride);
	END LOOP;
END $$;
INSERT INTO result
SELECT model, id, 'score of answer', 'span', abs((a).score / (best->0->>'score')::float8 - 1) FROM answered
UNION ALL
SELECT model, id, 'answer is substr', 'exact', inequality((a).answer = substr(context, (a).start, (a).length)) FROM answered
UNION ALL
SELECT model, id, 'answer', 'exact', inequality(EXISTS (SELECT FROM jsonb_array_elements(best) AS b
	WHERE (b->>'score')::float8 >= (best->0->>'score')::float8 * (1 - 1e-4) AND (b->>'word_char_start')::int = (a).start - 1
		AND (b->>'word_char_end')::int = (a).start - 1 + (a).length)) FROM answered
UNION ALL
-- all that were asked in rows of the model's own length, in one call
SELECT model, id, 'answers of one call', 'exact', inequality(a IS NOT DISTINCT FROM b)
FROM (SELECT model, array_agg(id ORDER BY id) AS ids, array_agg(a ORDER BY id) AS one_by_one,
		roformer.answer(model, array_agg(question ORDER BY id), array_agg(context ORDER BY id)) AS together
	FROM answered WHERE max_length = 0 GROUP BY model) AS s,
	LATERAL (SELECT ids[i] AS id, one_by_one[i] AS a, together[i] AS b FROM generate_subscripts(ids, 1) AS i) AS t
SQL
cmp_ok(sql("SELECT count(*) FROM answered WHERE max_length > 0"), '>=', 20, 'contexts longer than a row');

# ---- multiple choice -----------------------------------------------------------------------------

# All records that were encoded without arguments: all choices at once, each alone, and all records'
# prompts that have the same number of choices in one call.
foreach my $model (@choosers)
{
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT id, r->'out' AS o, r->>'text' AS prompt, texts(r->'choices') AS choices,
		jsonb_array_length(r->'choices') AS n
	FROM record WHERE model = '$model' AND r->'args' = '{}'),
alone AS (
	SELECT id, c, roformer.choose_scores('$model', prompt, ARRAY[c]) AS score FROM s, unnest(choices) AS c),
together AS MATERIALIZED (
	SELECT n, array_agg(id ORDER BY id) AS ids, roformer.choose_scores('$model', array_agg(prompt ORDER BY id),
		array_agg(choices ORDER BY id)) AS scores
	FROM s GROUP BY n)
INSERT INTO result
SELECT '$model', id, 'choose_scores', 'score', deviation(roformer.choose_scores('$model', prompt, choices), o->'probs') FROM s
UNION ALL
SELECT '$model', id, 'choose', 'exact', inequality((o->'probs'->>(roformer.choose('$model', prompt, choices) - 1))::float8 =
	(SELECT max(p::float8) FROM jsonb_array_elements_text(o->'probs') AS p)) FROM s
UNION ALL
SELECT '$model', id, 'a choice alone', 'exact', inequality(score = '{1}') FROM alone
UNION ALL
SELECT '$model', id, 'choose_scores of many prompts', 'exact',
	inequality(scores[i:i][:] = ARRAY[roformer.choose_scores('$model', prompt, choices)])
FROM together, unnest(ids) WITH ORDINALITY AS t(id, i) JOIN s USING (id)
SQL
}

# ---- decoders ------------------------------------------------------------------------------------

# Logits are those of the whole text, its final [SEP] included; a causal model's prompt ends before that.
foreach my $model (@decoders)
{
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT id, r->'out' AS o, r, text, ids, logits(model, text, pair) AS l, cardinality(ids) - (r ? 'prompt_ids')::int AS n
	FROM input WHERE model = '$model'),
after AS MATERIALIZED (
	SELECT id, l[n:n] AS l, CASE WHEN o ? 'last' THEN o->'last' ELSE o->'first' END AS p FROM s),
normal AS MATERIALIZED (
	SELECT id, i, ln((SELECT sum(exp(x::float8)) FROM unnest(l[i:i]) AS x)) AS logsumexp FROM s, generate_series(1, n) AS i)
INSERT INTO result
SELECT '$model', id, 'logits of ids 0-7', 'vocabulary', deviation(l[1:1][1:8], p->'logits_first8') FROM after
UNION ALL
SELECT '$model', id, 'logsumexp', 'vocabulary',
	abs((SELECT ln(sum(exp(x::float8))) FROM unnest(l) AS x) - (p->>'logsumexp')::float8) FROM after
UNION ALL
SELECT '$model', id, 'top logits', 'vocabulary', deviation(l[1:1][((t->>1)::int + 1):((t->>1)::int + 1)], t->2)
FROM after, jsonb_array_elements(p->'top') AS t
UNION ALL
SELECT '$model', id, 'token_logprobs', 'vocabulary', abs(l[i][ids[i + 1] + 1] - logsumexp - (o->'token_logprobs'->>i)::float8)
FROM s JOIN normal USING (id) WHERE i < n AND o ? 'token_logprobs'
UNION ALL
SELECT '$model', id, 'generate', 'exact',
	inequality(roformer.generate('$model', text, jsonb_array_length(o->'greedy_ids')) = o->>'greedy_text') FROM s
UNION ALL
SELECT '$model', id, 'embed pooler', 'hidden', deviation(roformer.embed('$model', text, 'pooler'), o->'pooler_output')
FROM s WHERE o ? 'pooler_output'
UNION ALL
SELECT '$model', id, 'pooler_l2_normalized', 'score', deviation(ARRAY(
		SELECT (x / sqrt(sum(x::float8 ^ 2) OVER ()))::real FROM unnest(roformer.embed('$model', text, 'pooler')) WITH ORDINALITY AS t(x, n) ORDER BY n),
	o->'pooler_l2_normalized')
FROM s WHERE o ? 'pooler_l2_normalized'
SQL
	sql(<<"SQL");
WITH s AS MATERIALIZED (
	SELECT array_agg(text ORDER BY id) AS texts, array_agg(r->'out'->>'greedy_text' ORDER BY id) AS want,
		max(jsonb_array_length(r->'out'->'greedy_ids')) AS tokens
	FROM input WHERE model = '$model')
INSERT INTO result
SELECT '$model', 'all', 'generate, all at once', 'exact', inequality(roformer.generate('$model', texts, tokens) = want) FROM s
SQL
	# What sampling keeps: all that is drawn as the first token is among it.
	sql(<<"SQL") if $model eq 'clm-zh-char';
WITH s AS MATERIALIZED (
	SELECT id, text, (k->>'temperature')::float8 AS temperature, (k->>'top_k')::int AS top_k, (k->>'top_p')::float8 AS top_p, k->'ids' AS ids
	FROM (SELECT * FROM input WHERE model = '$model' ORDER BY id LIMIT 4) AS i, jsonb_array_elements(r->'out'->'sampling') AS k
	WHERE NOT k ? 'n_kept'),
drawn AS MATERIALIZED (
	SELECT s.*, g FROM s, unnest(roformer.generate('$model', array_fill(text, ARRAY[300]), 1, temperature, top_k, top_p)) AS g),
kept AS (
	SELECT s.*, roformer.decode('$model', ARRAY[i::int], true) AS token FROM s, jsonb_array_elements_text(ids) AS i)
INSERT INTO result
SELECT '$model', id, 'drawn tokens are kept ones', 'exact', inequality(EXISTS (
	SELECT FROM kept AS k WHERE k.id = d.id AND k.ids = d.ids AND k.token = d.g)) FROM drawn AS d
SQL
}

# The reference's cross-attention has states of an encoder, which SQL hasn't: here it is left out, and the model goes on.
is(sql("SELECT count(*) FROM record WHERE model = 'clm-xattn' AND roformer.generate(model, r->>'text', 5) <> ''"), 6,
	'clm-xattn: generates without an encoder');

# A token that the configuration names ends the text, here the fourth of a greedy one.
load_changed('eos', 'clm-zh-char', 'config.json', eos_token_id =>
	sql("SELECT r->'out'->'greedy_ids'->3 FROM record WHERE id = 'clm-zh-char-001'") + 0);
is(sql("SELECT roformer.generate('eos', r->>'text', 12) = roformer.generate('clm-zh-char', r->>'text', 4) FROM record WHERE id = 'clm-zh-char-001'"), 't',
	'eos_token_id ends a text');

# ---- other heads ---------------------------------------------------------------------------------

# Several labels at once: each has a probability of its own.
load_changed('multi-label', 'seqcls-en', 'config.json', problem_type => 'multi_label_classification');
sql(<<'SQL');
INSERT INTO result
SELECT 'multi-label', id, 'scores are sigmoids of the logits', 'score', abs(got.score - 1 / (1 + exp(-l.value::float8)))
FROM input,
	jsonb_array_elements_text(r->'out'->'logits') WITH ORDINALITY AS l(value, n)
	JOIN jsonb_each_text(roformer.model_config('multi-label')->'id2label') AS c(key, label) ON n = key::int + 1,
	LATERAL (SELECT score FROM unnest(roformer.classify_all('multi-label', text)) AS a WHERE a.label = c.label) AS got
WHERE model = 'seqcls-en' AND pair IS NULL
SQL

# ---- verdict -------------------------------------------------------------------------------------

my %records = (
	'enc-cased-nostrip' => 69,
	'enc-en-proj' => 70,
	'enc-long' => 20,
	'enc-zh-char-pool' => 70,
	'enc-zh-word' => 73,
	'seqcls-en' => 66,
	'seqcls-en-multi' => 67,
	'seqcls-v2-zh' => 64,
	'tokcls-en' => 48,
	'tokcls-zh-word' => 47,
	'mlm-en-untied' => 30,
	'mlm-v2-zh' => 30,
	'mlm-zh-word' => 30,
	'mlm-zh-word-bf16' => 30,
	'mlm-zh-word-fp16' => 30,
	'clm-xattn' => 6,
	'clm-zh-char' => 15,
	'seqcls-zh-reg' => 66,
	'sim-zh-char' => 24,
	'mc-en' => 14,
	'mc-summary' => 14,
	'qa-en' => 26);
is(sql("SELECT count(*) FROM record WHERE model = '$_'"), $records{$_}, "$_: all records are there")
  foreach sort keys %records;

my $verdicts = sql(<<'SQL');
SELECT model, what, tolerance, count(*), max(coalesce(deviation, 'infinity')) AS worst,
	(array_agg(id ORDER BY coalesce(deviation, 'infinity') DESC))[1] AS id
FROM result GROUP BY model, what, tolerance ORDER BY model, what
SQL
foreach my $verdict (split /\n/, $verdicts)
{
	my ($model, $what, $tolerance, $count, $worst, $id) = split /\|/, $verdict;
	my $worst_number = $worst eq 'Infinity' ? 9e999 : $worst;

	cmp_ok($worst_number, '<=', $tolerance{$tolerance},
		"$model: $what, $count values, worst $worst in $id");
}

$node->stop;
done_testing();
