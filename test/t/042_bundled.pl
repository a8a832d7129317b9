# The bundled models give their reference outputs, and by queries over the rows in demo/data the
# figures that their cards state.
use strict;
use warnings FATAL => 'all';

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use RoformerTest qw(start_server);
use Test::More;

my $models = $ENV{ROFORMER_MODELS} || "$FindBin::RealBin/../../models";
my $rows = $ENV{ROFORMER_DEMO} || "$FindBin::RealBin/../../demo/data";

# Class and token logits and pooled vectors, as in test/golden/data/README.md.
my $tolerance = 2e-5;

my $node = start_server('bundled', conf => "work_mem = '64MB'");

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub metrics
{
	my ($model) = @_;

	return decode_json(slurp_file("$models/$model/metrics.json"));
}

# Equal as far as a card shows it: a percentage with two decimals.
sub is_figure
{
	my ($got, $want, $name) = @_;

	is(sprintf('%.4f', $got), sprintf('%.4f', $want), $name);
}

sub load_golden
{
	my ($table, $file) = @_;

	sql(qq{
		CREATE TABLE $table (r jsonb);
		CREATE TEMP TABLE line (j text);
		COPY line FROM '$models/$file' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02');
		INSERT INTO $table SELECT j::jsonb FROM line;
	});
}

sub is_within
{
	my ($query, $name) = @_;
	my $worst = sql("SELECT coalesce(max(coalesce(d, 'infinity')), 'infinity') FROM ($query) AS s(d)");

	cmp_ok($worst eq 'Infinity' ? 9e999 : $worst, '<=', $tolerance, "$name, worst $worst");
}

sql(<<'SQL');
SELECT roformer.load_model('spam', 'roformer-sms-spam');
SELECT roformer.load_model('intent', 'roformer-intent-clinc150');
SELECT roformer.load_model('ner', 'roformer-ner-en');
SELECT roformer.load_model('embed', 'roformer-embed-en');

CREATE FUNCTION ints(j jsonb) RETURNS int[] IMMUTABLE
RETURN ARRAY(SELECT x::int FROM jsonb_array_elements_text(j) WITH ORDINALITY AS t(x, n) ORDER BY n);
CREATE FUNCTION deviation(got real[], want jsonb) RETURNS float8 IMMUTABLE
RETURN (SELECT max(coalesce(abs(g::float8 - w::float8), 'infinity'))
		FROM ROWS FROM (unnest(got), jsonb_path_query(want, 'strict $.** ? (@.type() == "number")'))
			AS t(g, w));
SQL

# ---- reference outputs ---------------------------------------------------------------------------

foreach my $case ([ 'spam', 'roformer-sms-spam' ], [ 'intent', 'roformer-intent-clinc150' ])
{
	my ($model, $directory) = @$case;

	load_golden("${model}_golden", "$directory/golden.jsonl");
	is(sql(qq{
		SELECT count(*) FROM ${model}_golden
		WHERE (roformer.encode('$model', r->>'text')).input_ids = ints(r->'input_ids')
		AND roformer.classify('$model', r->>'text') = r->>'label'}), 50, "$model: ids and labels");
	is_within("SELECT deviation(roformer.logits('$model', r->>'text'), r->'logits') FROM ${model}_golden",
		"$model: logits");
	is_within(qq{
		SELECT abs(roformer.classify_score('$model', r->>'text', r->>'label') - (r->>'score')::float8)
		FROM ${model}_golden}, "$model: scores");
}

# The label of a word is that of its first piece.
load_golden('ner_golden', 'roformer-ner-en/golden.jsonl');
sql(<<'SQL');
CREATE VIEW ner_sentence AS
SELECT r, (SELECT string_agg(w, ' ' ORDER BY n) FROM jsonb_array_elements_text(r->'words') WITH ORDINALITY AS t(w, n)) AS text
FROM ner_golden;
SQL
is(sql(q{
	SELECT count(*) FROM ner_sentence
	WHERE (roformer.encode('ner', text)).input_ids = ints(r->'input_ids')}), 50, 'ner: ids');
is_within("SELECT deviation(roformer.logits('ner', text), r->'logits') FROM ner_sentence", 'ner: logits');
is(sql(<<'SQL'), '', 'ner: tags of words, with their scores');
WITH piece AS (
	SELECT text, p - 1 AS p, start FROM ner_sentence,
	unnest((roformer.encode('ner', text)).start) WITH ORDINALITY AS t(start, p)),
want AS (
	SELECT text, start, tag, score::float8
	FROM ner_sentence CROSS JOIN LATERAL ROWS FROM (jsonb_array_elements_text(r->'tags'), jsonb_array_elements_text(r->'scores'),
		unnest(ints(r->'first_piece'))) AS t(tag, score, p)
	JOIN piece USING (text, p) WHERE tag <> 'O'),
got AS (
	SELECT text, start, label, score
	FROM ner_sentence CROSS JOIN unnest(roformer.tag('ner', text, 'none'))
	JOIN piece USING (text, start) WHERE p = ANY (ints(r->'first_piece')))
SELECT text, start, want.tag, got.label, want.score, got.score FROM want FULL JOIN got USING (text, start)
WHERE tag IS DISTINCT FROM label OR abs(want.score - got.score) > 2e-5
SQL

load_golden('embed_golden', 'roformer-embed-en/golden.jsonl');
load_golden('embed_golden_long', 'roformer-embed-en/golden_long.jsonl');
foreach my $case ([ 'embed_golden', 50 ], [ 'embed_golden_long', 8 ])
{
	my ($table, $count) = @$case;

	is(sql(qq{
		SELECT count(*) FROM $table
		WHERE (roformer.encode('embed', r->>'text', max_length => 512)).input_ids = ints(r->'input_ids')}),
		$count, "$table: ids");
	is_within("SELECT deviation(roformer.embed('embed', r->>'text'), r->'embedding') FROM $table",
		"$table: vectors");
}

# ---- spam ----------------------------------------------------------------------------------------

sql(qq{
	CREATE TABLE sms (split text, label text, text text);
	COPY sms FROM '$rows/sms_spam.tsv' (HEADER);
	CREATE TABLE sms_result AS
	SELECT text, label, roformer.classify('spam', text) AS got FROM sms WHERE split = 'test';
});
my $spam = metrics('roformer-sms-spam')->{test};
is(sql('SELECT count(*) FROM sms_result'), $spam->{n}, 'spam: number of test rows');
is_figure(sql('SELECT avg((got = label)::int) FROM sms_result'), $spam->{accuracy}, 'spam: accuracy');
is_figure(sql("SELECT avg((label = 'spam')::int) FROM sms_result WHERE got = 'spam'"),
	$spam->{precision}, 'spam: precision');
is_figure(sql("SELECT avg((got = 'spam')::int) FROM sms_result WHERE label = 'spam'"),
	$spam->{recall}, 'spam: recall');
is(sql(q{
	SELECT roformer.classify('spam', array_agg(text)) = array_agg(got) FROM sms_result}),
	't', 'spam: all rows as one array');

# ---- intents -------------------------------------------------------------------------------------

sql(qq{
	CREATE TABLE request (split text, intent text, domain text, text text);
	COPY request FROM '$rows/clinc150.tsv' (HEADER);
	CREATE TABLE request_result AS
	SELECT text, intent, ranked[1].label AS got, best.label AS best, best.score / sum AS score -- among the intents
	FROM (SELECT *, roformer.classify_all('intent', text) AS ranked FROM request WHERE split = 'test') AS s,
	LATERAL (SELECT label, score, sum(score) OVER () FROM unnest(ranked) WHERE label <> 'oos' ORDER BY score DESC LIMIT 1) AS best;
});
my $intent = metrics('roformer-intent-clinc150');
my $f1 = <<'SQL';
SELECT avg(f1) FROM (
	SELECT intent, coalesce(2.0 * sum((got = intent)::int) / nullif(count(*) + max(n), 0), 0) AS f1
	FROM request_result JOIN (SELECT l AS intent, (SELECT count(*) FROM request_result WHERE got = l) AS n
		FROM (SELECT DISTINCT intent FROM request_result) AS d(l)) AS predicted USING (intent)
	GROUP BY intent) AS s
SQL
is(sql('SELECT count(*) FROM request_result'), $intent->{test}{n}, 'intent: number of test rows');
is_figure(sql('SELECT avg((got = intent)::int) FROM request_result'),
	$intent->{test}{accuracy}, 'intent: accuracy');
is_figure(sql($f1), $intent->{test}{macro_f1}, 'intent: macro F1');
my %extra = (
	'in-scope test rows (4,500), best of the 150 intents' =>
	  "SELECT 'accuracy ' || round(100 * avg((best = intent)::int), 2) || ' %' FROM request_result WHERE intent <> 'oos'",
	'out-of-scope test rows (1,000) labelled `oos`' =>
	  "SELECT 'recall ' || round(100 * avg((got = 'oos')::int), 2) || ' %' FROM request_result WHERE intent = 'oos'",
	# the probability that a row in scope has a higher score than one out of scope: a rank sum
	'in-scope against out-of-scope by the highest intent\'s softmax score' => <<'SQL');
SELECT 'AUROC ' || round(((sum(rank) FILTER (WHERE intent <> 'oos') - n * (n + 1) / 2) / (n * m))::numeric, 3)
FROM (SELECT intent, row_number() OVER (ORDER BY score) AS rank, count(*) FILTER (WHERE intent <> 'oos') OVER () AS n,
	count(*) FILTER (WHERE intent = 'oos') OVER () AS m FROM request_result) AS s
GROUP BY n, m
SQL
is(sql($extra{$_}), $intent->{extra}{$_}, "intent: $_") foreach sort keys %extra;

# ---- entities ------------------------------------------------------------------------------------

# Sentences were cut at 160 tokens when the figures were made; a word behind that counts as O.
sql(qq{
	CREATE TABLE word (sentence int, position int, word text, tag text);
	COPY word FROM '$rows/uner_english_ewt.tsv' (HEADER);
	SET roformer.max_length = 160;
	CREATE TABLE word_result AS
	WITH placed AS (
		SELECT *, 1 + sum(length(word) + 1) OVER w - (length(word) + 1) AS start FROM word
		WINDOW w AS (PARTITION BY sentence ORDER BY position)),
	found AS (
		SELECT sentence, start, label
		FROM (SELECT sentence, string_agg(word, ' ' ORDER BY position) AS text FROM word GROUP BY sentence) AS s,
			unnest(roformer.tag('ner', text, 'none')))
	SELECT sentence, position, tag, coalesce(label, 'O') AS got FROM placed LEFT JOIN found USING (sentence, start);

	-- A span begins at B-, after O, and where the type changes.
	CREATE FUNCTION spans(which text) RETURNS TABLE (sentence int, type text, first int, last int) STABLE
	BEGIN ATOMIC
		WITH tags AS (
			SELECT sentence, position, CASE which WHEN 'gold' THEN tag ELSE got END AS tag FROM word_result),
		begun AS (
			SELECT *, (tag LIKE 'B-%' OR substr(lag(tag, 1, 'O') OVER w, 3) <> substr(tag, 3))::int AS begins FROM tags
			WINDOW w AS (PARTITION BY sentence ORDER BY position)),
		numbered AS (
			SELECT *, sum(begins) OVER (PARTITION BY sentence ORDER BY position) AS span FROM begun)
		SELECT sentence, substr(min(tag), 3), min(position), max(position) FROM numbered WHERE tag <> 'O'
		GROUP BY sentence, span;
	END;
});
my $ner = metrics('roformer-ner-en')->{test};
is(sql('SELECT count(DISTINCT sentence), count(*) FROM word_result'), "$ner->{sentences}|$ner->{words}",
	'ner: number of test sentences and words');
is_figure(sql('SELECT avg((got = tag)::int) FROM word_result'), $ner->{accuracy}, 'ner: accuracy of words');
my ($precision, $recall, $both) = split /\|/, sql(<<'SQL');
SELECT avg((gold IS NOT NULL)::int) FILTER (WHERE got IS NOT NULL), avg((got IS NOT NULL)::int) FILTER (WHERE gold IS NOT NULL),
	2.0 * count(*) FILTER (WHERE got IS NOT NULL AND gold IS NOT NULL) / (count(got) + count(gold))
FROM (SELECT s AS gold FROM spans('gold') AS s) AS a FULL JOIN (SELECT s AS got FROM spans('got') AS s) AS b ON gold = got
SQL
is_figure($precision, $ner->{precision}, 'ner: precision of spans');
is_figure($recall, $ner->{recall}, 'ner: recall of spans');
is_figure($both, $ner->{f1}, 'ner: F1 of spans');

# ---- search --------------------------------------------------------------------------------------

# Query: a package's short description; documents: all long ones. Vectors have length 1, so that the
# order by cosine is the order by distance; cube has at most 100 dimensions, hence three of them.
my $debian = metrics('roformer-embed-en')->{debian_short_to_long};

SKIP:
{
	skip 'the cube extension is not installed', 8
	  if sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'cube'") == 0;

	# The lengths are those at which the card's figures were made.
	sql(qq{
		CREATE EXTENSION cube;
		CREATE TABLE package (package text, short text, long text, id int GENERATED ALWAYS AS IDENTITY);
		COPY package (package, short, long) FROM '$rows/debian_packages.tsv' (HEADER);

		CREATE TABLE query (id int, v1 cube, v2 cube, v3 cube);
		ALTER TABLE query ALTER v1 SET STORAGE PLAIN, ALTER v2 SET STORAGE PLAIN, ALTER v3 SET STORAGE PLAIN;
		CREATE TABLE document (LIKE query INCLUDING STORAGE);
		SET roformer.max_length = 64;
		INSERT INTO query
		SELECT id, cube(v[1:86]::float8[]), cube(v[87:172]::float8[]), cube(v[173:]::float8[])
		FROM (SELECT id, roformer.embed('embed', short) AS v FROM package OFFSET 0) AS s;
		SET roformer.max_length = 128;
		INSERT INTO document
		SELECT id, cube(v[1:86]::float8[]), cube(v[87:172]::float8[]), cube(v[173:]::float8[])
		FROM (SELECT id, roformer.embed('embed', long) AS v FROM package OFFSET 0) AS s;
		ANALYZE query, document;

		CREATE FUNCTION distance(q query, d document) RETURNS float8 IMMUTABLE
		RETURN (q.v1 <-> d.v1) ^ 2 + (q.v2 <-> d.v2) ^ 2 + (q.v3 <-> d.v3) ^ 2;
	});

	# The right document and those that are nearer; most are too far in the first third already.
	my ($one, $ten, $mrr) = split /\|/, sql(<<'SQL');
WITH target AS MATERIALIZED (SELECT q, distance(q, d) AS distance FROM query AS q JOIN document AS d USING (id))
SELECT avg((rank = 1)::int), avg((rank <= 10)::int), avg(1.0 / rank)
FROM (SELECT count(*) AS rank FROM target, document AS d
	WHERE (q).id = d.id OR (((q).v1 <-> d.v1) ^ 2 < distance AND distance(q, d) < distance)
	GROUP BY (q).id) AS s
SQL
	note("vectors: recall\@1 $one, recall\@10 $ten, MRR $mrr");
	# The card's figures are of 3,000 descriptions, of which demo/data leaves out copies of a name.
	cmp_ok(abs($one - $debian->{model}{'recall@1'}), '<', 0.003, 'search: recall@1');
	cmp_ok(abs($ten - $debian->{model}{'recall@10'}), '<', 0.003, 'search: recall@10');
	cmp_ok(abs($mrr - $debian->{model}{mrr}), '<', 0.003, 'search: MRR');

	# Words alone, and together with vectors, for every third query: TF-IDF with logarithmic term
	# frequency and smoothed inverse document frequency; both scores standardised, then added.
	sql(<<'SQL');
CREATE TABLE term AS
SELECT of, id, lexeme, 1 + ln(cardinality(positions)) AS tf
FROM package, LATERAL (VALUES ('query', short), ('document', long)) AS t(of, text), unnest(to_tsvector('english', text));
CREATE TABLE weight AS
SELECT of, id, lexeme, w / sqrt(sum(w * w) OVER (PARTITION BY of, id)) AS w
FROM (SELECT of, id, lexeme, tf * (1 + ln((1 + 2.0 * (SELECT count(*) FROM package)) / (1 + count(*) OVER (PARTITION BY lexeme)))::float8) AS w
	FROM term) AS s;
ANALYZE weight;
CREATE TABLE shared AS
SELECT q.id AS query, d.id, sum(q.w * d.w) AS t
FROM weight AS q JOIN weight AS d USING (lexeme)
WHERE q.of = 'query' AND d.of = 'document' AND q.id % 3 = 0 GROUP BY 1, 2;
CREATE INDEX ON shared (query);
ANALYZE shared;

CREATE TABLE rank AS
SELECT q.id, c, t, h
FROM query AS q, LATERAL (
	SELECT count(*) FILTER (WHERE c > own_c) + 1 AS c, count(*) FILTER (WHERE t > own_t) + 1 AS t,
		count(*) FILTER (WHERE h > own_h) + 1 AS h
	FROM (
		SELECT *, max(c) FILTER (WHERE id = q.id) OVER () AS own_c, max(t) FILTER (WHERE id = q.id) OVER () AS own_t,
			max(h) FILTER (WHERE id = q.id) OVER () AS own_h
		FROM (
			SELECT *, c / stddev_pop(c) OVER () + t / coalesce(nullif(stddev_pop(t) OVER (), 0), 1) AS h
			FROM (
				SELECT id, 1 - distance(q, d) / 2 AS c, coalesce(t, 0) AS t
				FROM document AS d LEFT JOIN (SELECT id, t FROM shared WHERE query = q.id OFFSET 0) AS s USING (id)
			) AS scores) AS standardised) AS compared) AS ranks
WHERE q.id % 3 = 0
SQL
	my %got;
	foreach my $score (qw(c t h))
	{
		@{ $got{$score} }{qw(one ten)} = split /\|/, sql("SELECT avg(($score = 1)::int), avg(($score <= 10)::int) FROM rank");
		note("$score: recall\@1 $got{$score}{one}, recall\@10 $got{$score}{ten}");
	}
	foreach my $figure (qw(one ten))
	{
		cmp_ok($got{h}{$figure}, '>', $got{c}{$figure} + 0.02, "search: words help vectors ($figure)");
		cmp_ok($got{h}{$figure}, '>', $got{t}{$figure} + 0.01, "search: vectors help words ($figure)");
	}
	cmp_ok($got{h}{one}, '>=', 0.75, 'search: recall@1 of both together');
}

$node->stop;
done_testing();
