# Triggers over real rows: a COPY of 20,000 scored row by row and as one statement gives the same; cancelling in the
# middle leaves nothing; sessions that load at the same time; progress seen from outside.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('triggers');
load_random($node, 'wide', seed => 4, hidden => 768, layers => 4, heads => 12);
$node->safe_psql('postgres', "SELECT roformer.load_model('spam', 'roformer-sms-spam')");
my $data = "$ENV{ROFORMER_DEMO}/clinc150.tsv";
plan skip_all => "no $data" unless -e $data;

sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(<<'SQL');
CREATE TABLE by_row (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, split text, intent text, domain text, body text, kind text, score real);
CREATE TABLE by_statement (LIKE by_row INCLUDING ALL);
CREATE TRIGGER t BEFORE INSERT OR UPDATE ON by_row FOR EACH ROW EXECUTE FUNCTION roformer.classify_trigger('spam', 'body', 'kind', 'score');
CREATE TRIGGER t AFTER INSERT ON by_statement REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION roformer.classify_trigger('spam', 'body', 'kind', 'score');
CREATE TRIGGER u AFTER UPDATE ON by_statement REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION roformer.classify_trigger('spam', 'body', 'kind', 'score');
CREATE TABLE stage (LIKE by_row);
SQL

sub copy_rows { return sql("\\copy $_[0] (split, intent, domain, body) FROM '$data' WITH (HEADER)") }

copy_rows('by_row');
my $rows = sql('SELECT count(*) FROM by_row');
cmp_ok($rows, '>', 20000, "$rows rows scored one by one");
is(sql("SELECT rows, calls FROM roformer.stats WHERE model = 'spam'"), "$rows|$rows", 'a call for each');
sql('SELECT roformer.reset_stats()');
copy_rows('by_statement');
is(sql("SELECT rows, batches < rows / 10 FROM roformer.stats WHERE model = 'spam'"), "$rows|t", 'as many in full batches');
is(sql('SELECT count(*), count(kind), count(score) FROM by_statement'), "$rows|$rows|$rows", 'all rows of the COPY are scored');
is(sql('SELECT count(*) FROM by_row AS r JOIN by_statement AS s USING (id) WHERE (r.body, r.kind, r.score) IS DISTINCT FROM (s.body, s.kind, s.score)'),
	'0', 'with the same labels and scores, to the last bit');

# An UPDATE of a part.
my $changed = sql("WITH u AS (UPDATE by_statement SET body = body || '!' WHERE id % 100 = 0 RETURNING 1) SELECT count(*) FROM u");
sql("UPDATE by_row SET body = body || '!' WHERE id % 100 = 0");
is(sql('SELECT count(*) FROM by_row AS r JOIN by_statement AS s USING (id) WHERE (r.body, r.kind, r.score) IS DISTINCT FROM (s.body, s.kind, s.score)'),
	'0', "$changed changed texts are scored again");

# ---- cancelled in the middle -------------------------------------------------------------------

sql(<<'SQL');
CREATE TABLE slow (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, kind text);
CREATE TRIGGER t AFTER INSERT ON slow REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION roformer.classify_trigger('wide', 'body', 'kind');
SQL
my ($session, $pid) = start_session($node);
start_query($session, 'INSERT INTO slow (body) SELECT body FROM by_row');
ok($node->poll_query_until('postgres', "SELECT rows > 100 FROM roformer.progress WHERE pid = $pid AND model = 'wide'"), 'progress of a trigger');
sql("SELECT pg_cancel_backend($pid)");
my ($out, $error) = finish_query($session);
like($error, qr/canceling statement due to user request/, 'cancelled');
is(sql('SELECT count(*) FROM slow'), '0', 'no row is left');
is(sql("SELECT cancelled FROM roformer.stats WHERE model = 'wide'"), '1', 'the call is counted as cancelled');
is($session->query_safe("INSERT INTO slow (body) VALUES ('again') RETURNING id > 0"), 't', 'the session goes on');
is(sql('SELECT count(kind) FROM slow'), '1', 'and scores');
$session->quit;

# ---- several at once ---------------------------------------------------------------------------

sql('TRUNCATE by_statement');
my $script = PostgreSQL::Test::Utils::tempdir() . '/load.sql';
append_to_file($script, "INSERT INTO by_statement (body) SELECT body FROM by_row WHERE id % 200 = :client_id;\n"
	  . "UPDATE by_statement SET body = upper(body) WHERE id % 7 = :client_id;\n");
$node->command_ok([ 'pgbench', '-n', '-c', '6', '-j', '2', '-t', '3', '-f', $script, 'postgres' ], 'six sessions insert and update');
is(sql("SELECT count(*) > 1000, count(*) FILTER (WHERE kind IS DISTINCT FROM roformer.classify('spam', body)) FROM by_statement"),
	't|0', 'every row has the label of its text');

done_testing();
