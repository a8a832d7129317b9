# Databases in other encodings: the same ids and the same characters as in UTF-8, positions that
# substr() understands, and clear errors for what has no counterpart.
use strict;
use warnings FATAL => 'all';
use utf8;

use Encode;
use FindBin;
use PostgreSQL::Test::Utils;
use RoformerTest qw(start_server);
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";

my $node = start_server('encoding');

# Both ways in characters; the client's encoding is UTF-8 whatever the database's is.
sub sql
{
	my ($database, $query) = @_;

	return decode('UTF-8', $node->safe_psql($database, encode('UTF-8', "SET client_encoding = 'UTF8'; $query")));
}

sub fails_with
{
	my ($database, $query, $state, $name) = @_;
	my ($result, $output, $error) = $node->psql($database, encode('UTF-8', $query),
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);

	isnt($result, 0, "$name: is an error");
	like($error, qr/ERROR:  $state\b/, "$name: $state");
}

sub create_database
{
	my ($name, $encoding) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($name, qq{
		CREATE EXTENSION roformer;
		SELECT roformer.load_model('chars', '$golden/models/enc-zh-char-pool');
		SELECT roformer.load_model('tags', '$golden/models/tokcls-en');
		SELECT roformer.load_model('answers', '$golden/models/qa-en');
		CREATE TABLE t (n int, text text);
		CREATE FUNCTION spans(model text, text text) RETURNS text IMMUTABLE
		RETURN (SELECT string_agg(coalesce(substr(text, s, l), '*'), '|' ORDER BY n)
			FROM unnest((roformer.encode(model, text)).start, (roformer.encode(model, text)).length) WITH ORDINALITY AS e(s, l, n));
	});
}

create_database('utf8', 'UTF8');

my %text = (
	latin1 => [ 'LATIN1', 'Zoë à Zürich, señor Ångström: 100 % sûr?', '¿Größe ½ µ?', '' ],
	win1252 => [ 'WIN1252', '“Österreich” — 20 €, Škoda', 'Zoë' ],
	euc_jp => [ 'EUC_JP', '日本語の文章、東京は大きい。', 'ＡＢＣ 12 かな', 'カナ' ],
	euc_kr => [ 'EUC_KR', '서울은 大韓民國의 수도', 'ABC 가나다' ],
	euc_cn => [ 'EUC_CN', '我喜欢吃苹果、香蕉、葡萄和西瓜。' ]);

my $same = q{
	SELECT string_agg(concat_ws(' ', n, (roformer.encode('chars', text)).input_ids, spans('chars', text),
		roformer.token_count('chars', text)), e'\n' ORDER BY n) FROM t};
my $tagged = q{
	SELECT string_agg(concat_ws(' ', t.n, label, round(score::numeric, 4), entity), e'\n' ORDER BY t.n, e.n)
	FROM t, unnest(roformer.tag('tags', text)) WITH ORDINALITY AS e(label, score, entity, start, length, n)};

# One question of all texts at once; of each question that a text is, with windows of a few tokens.
my $answered = q{
	SET roformer.max_length = 12;
	SELECT string_agg(concat_ws(' ', round((a).score::numeric, 4), (a).answer), e'\n' ORDER BY n)
	FROM (SELECT n, roformer.answer('answers', text, text) AS a FROM t
		UNION ALL SELECT i + 10, (roformer.answer('answers', 'Who?', (SELECT array_agg(text ORDER BY n) FROM t)))[i]
		FROM generate_series(1, (SELECT count(*) FROM t)) AS i) AS s};

# All texts, each several times, read ahead by the batch scan.
my $read_ahead = q{
	SELECT n, i, roformer.embed('chars', text || i), roformer.tag('tags', i || text),
		roformer.answer('answers', text, text || i), length(text || i)
	FROM t, generate_series(1, 9) AS i};

sub is_same_without_scan
{
	my ($database, $name) = @_;
	my ($off, $on) = map { sql($database, "SET roformer.enable_batch_scan = $_; SELECT md5(string_agg(s::text, e'\n' ORDER BY n, i)) FROM ($read_ahead) AS s") } 'off', 'on';

	like(sql($database, "EXPLAIN $read_ahead"), qr/RoformerBatch/, "$name: the batch scan is used");
	is($on, $off, "$name: it changes nothing");
}

foreach my $database (sort keys %text)
{
	my ($encoding, @texts) = @{ $text{$database} };
	my $insert = 'INSERT INTO t VALUES ' . join ', ', map { "($_, '$texts[$_]')" } 0 .. $#texts;

	create_database($database, $encoding);
	sql('utf8', "TRUNCATE t; $insert");
	sql($database, $insert);
	is(sql($database, $same), sql('utf8', $same), "$encoding: ids, and characters at the positions");
	is(sql($database, $tagged), sql('utf8', $tagged), "$encoding: entities");
	is(sql($database, q{
		SELECT count(*) FROM t, unnest(roformer.tag('tags', text, 'none')) AS e WHERE entity <> substr(text, start, length)}),
		0, "$encoding: entity is substr(text, start, length)");
	is(sql($database, $answered), sql('utf8', $answered), "$encoding: answers");
	is(sql($database, q{
		SELECT count(*) FROM t, LATERAL (SELECT roformer.answer('answers', text, text) AS a) AS s
		WHERE (a).answer IS DISTINCT FROM CASE WHEN text <> '' THEN substr(text, (a).start, (a).length) END}),
		0, "$encoding: answer is substr(text, start, length)");
	cmp_ok(sql($database, q{SELECT count(*) FROM t, unnest(roformer.tag('tags', text, 'none'))}),
		'>', 0, "$encoding: there are entities");
	is_same_without_scan($database, $encoding);
}

# ---- one character, two code points --------------------------------------------------------------

# か with a half-voiced mark is one character of JIS X 0213 and two code points of Unicode.
create_database('euc_jis', 'EUC_JIS_2004');
sql('euc_jis', "INSERT INTO t VALUES (0, '山か\x{309A}川。か\x{309A}')");
is(sql('euc_jis', 'SELECT length(text) FROM t'), 5, 'EUC_JIS_2004: two code points are one character');
is(sql('euc_jis', "SELECT (roformer.encode('chars', text)).start FROM t"),
	'{NULL,1,2,3,4,5,NULL}', 'EUC_JIS_2004: positions count characters');
is(sql('euc_jis', "SELECT (roformer.encode('chars', text)).length FROM t"),
	'{NULL,1,1,1,1,1,NULL}', 'EUC_JIS_2004: lengths count characters');
is(sql('euc_jis', "SELECT spans('chars', text) FROM t"), "*|山|か\x{309A}|川|。|か\x{309A}|*",
	'EUC_JIS_2004: characters at the positions');

is(sql('euc_jis', q{SELECT (a).answer = substr(text, (a).start, (a).length)
	FROM t, LATERAL (SELECT roformer.answer('answers', '川', text) AS a) AS s}), 't', 'EUC_JIS_2004: answer is substr(text, start, length)');

# ---- no encoding at all --------------------------------------------------------------------------

# Bytes that are UTF-8 are read as such; every byte is a character.
create_database('bytes', 'SQL_ASCII');
sql('bytes', "INSERT INTO t VALUES (0, 'Zoë 日本!')");
is(sql('bytes', "SELECT (roformer.encode('chars', text)).input_ids FROM t"),
	sql('utf8', "SELECT (roformer.encode('chars', 'Zoë 日本!')).input_ids"), 'SQL_ASCII: ids');
is(sql('bytes', "SELECT spans('chars', text) FROM t"),
	sql('utf8', "SELECT spans('chars', 'Zoë 日本!')"), 'SQL_ASCII: characters at the positions');
is(sql('bytes', "SELECT max(s) FROM t, unnest((roformer.encode('chars', text)).start) AS s"), 12,
	'SQL_ASCII: positions count bytes');
is(sql('bytes', q{SELECT (a).answer FROM t, LATERAL (SELECT roformer.answer('answers', '日?', text) AS a) AS s}),
	sql('utf8', q{SELECT (roformer.answer('answers', '日?', 'Zoë 日本!')).answer}), 'SQL_ASCII: answer');
is(sql('bytes', q{SELECT (a).answer = substr(text, (a).start, (a).length)
	FROM t, LATERAL (SELECT roformer.answer('answers', '日?', text) AS a) AS s}), 't', 'SQL_ASCII: answer is substr(text, start, length)');
is(sql('bytes', "SELECT roformer.decode('chars', (roformer.encode('chars', '日本')).input_ids)"),
	sql('utf8', "SELECT roformer.decode('chars', (roformer.encode('chars', '日本')).input_ids)"),
	'SQL_ASCII: results are UTF-8');
fails_with('bytes', q{SELECT roformer.encode('chars', e'Zo\xeb')}, '22021', 'SQL_ASCII: bytes that are not UTF-8');
is_same_without_scan('bytes', 'SQL_ASCII');

# The row with such bytes fails, those before it don't, and nobody asks for it behind a condition.
sql('bytes', q{
	TRUNCATE t;
	INSERT INTO t SELECT i, CASE WHEN i = 30 THEN e'Zo\xeb' ELSE 'Zoë ' || i END FROM generate_series(1, 40) AS i;
	CREATE FUNCTION rows_before_error() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		r record;
		seen int := 0;
	BEGIN
		FOR r IN SELECT n, roformer.embed('chars', text) AS e FROM t LOOP
			seen := seen + 1;
		END LOOP;
		RETURN seen;
	EXCEPTION WHEN OTHERS THEN
		RETURN seen || ' ' || SQLSTATE || ' ' || SQLERRM;
	END $$;
});
my ($failed_off, $failed_on) = map { sql('bytes', "SET roformer.enable_batch_scan = $_; SELECT rows_before_error()") } 'off', 'on';
like($failed_off, qr/^\d+ 22021 /, 'SQL_ASCII: a row of bytes that are not UTF-8 fails');
is($failed_on, $failed_off, 'SQL_ASCII: after as many rows with the batch scan');
is(sql('bytes', q{SELECT count(CASE WHEN n <> 30 THEN roformer.embed('chars', text) END) FROM t}), 39,
	'SQL_ASCII: read ahead and not asked for it does not matter');

# ---- no counterpart ------------------------------------------------------------------------------

my $ids = sql('utf8', "SELECT (roformer.encode('chars', '日本')).input_ids");
fails_with('latin1', "SELECT roformer.decode('chars', '$ids')", '22P05', 'LATIN1: decoding a Chinese character');
fails_with('latin1', "SELECT count(*) FROM roformer.save_vocabulary('chars')", '22P05', 'LATIN1: a vocabulary with Chinese characters');
is(sql('latin1', "SELECT count(*) FROM unnest(roformer.tokenize('chars', 'Zoë à Zürich'))"),
	sql('utf8', "SELECT count(*) FROM unnest(roformer.tokenize('chars', 'Zoë à Zürich'))"),
	'LATIN1: tokens of a text that is there');

$node->stop;
done_testing();
