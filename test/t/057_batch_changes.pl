# What happens to models and the extension while a batch scan stands in the middle of its rows is the same as
# without it.
use strict;
use warnings FATAL => 'all';
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('batch_changes');
my $first = load_random($node, 'first', seed => 1);
my $second = load_random($node, 'second', seed => 2);
my $wide = load_random($node, 'wide', hidden => 512, layers => 4, heads => 8, seed => 3);
$node->safe_psql('postgres', q(CREATE TABLE t AS SELECT i AS id, 'text ' || translate(i::text, '0123456789', 'abcdefghij') AS body FROM generate_series(1, 200) i));

my $scan = q(SELECT id, roformer.classify('m', body), roformer.classify_score('m', body, 'label0') FROM t);

# What a session answers to statements that may fail.
sub answers_to
{
	my ($session, $query) = @_;
	my $result = $session->query($query);
	my $error = $session->{stderr};

	$session->{stderr} = '';
	return ($result, $error =~ s/^psql:\S+ //rm);
}

# A cursor is at row 50, something happens, all other rows are fetched: what was seen, and what the session said.
sub in_the_middle
{
	my ($enabled, $happens) = @_;
	my ($session) = start_session($node);
	my @seen;

	$node->safe_psql('postgres', "SELECT roformer.load_model('m', '$first')");
	$session->query_safe("SET roformer.enable_batch_scan = $enabled");
	like($session->query_safe("EXPLAIN $scan"), $enabled eq 'on' ? qr/RoformerBatch/ : qr/^(?!.*RoformerBatch)/s, "batch scan is $enabled");
	$session->query_safe("BEGIN; DECLARE c CURSOR FOR $scan");
	push @seen, $session->query_safe('FETCH 50 FROM c');
	push @seen, $happens->($session);
	push @seen, answers_to($session, 'FETCH ALL FROM c');
	push @seen, answers_to($session, 'COMMIT');
	$session->quit;
	return @seen;
}

sub is_same
{
	my ($name, $happens, $restore) = @_;
	my @off = in_the_middle('off', $happens);
	$restore->();
	my @on = in_the_middle('on', $happens);
	$restore->();

	is_deeply(\@on, \@off, "$name: the same as without the batch scan");
	return join "\n", @on;
}

my $drop = sub { $node->safe_psql('postgres', "SELECT roformer.drop_model('m') FROM roformer.models WHERE name = 'm'") };

my $seen = is_same('a model replaced by another session', sub {
	my ($code, $out, $err) = $node->psql('postgres', "SET lock_timeout = '300ms'; SELECT roformer.replace_model('m', '$second')");
	return ($code, $err =~ s/^psql:\S+ //r);
}, $drop);
like($seen, qr/^200\|label/m, 'all rows are there');

is_same('a model dropped by another session', sub {
	my ($code, $out, $err) = $node->psql('postgres', "SET lock_timeout = '300ms'; SELECT roformer.drop_model('m')");
	return ($code, $err =~ s/^psql:\S+ //r);
}, $drop);

is_same('a model dropped by the session itself', sub {
	return answers_to($_[0], "SELECT roformer.drop_model('m')");
}, $drop);

is_same('a savepoint rolled back', sub {
	return answers_to($_[0], "SAVEPOINT s; SELECT roformer.drop_model('m'); ROLLBACK TO s");
}, $drop);

is_same('the extension dropped by the session itself', sub {
	return answers_to($_[0], 'DROP EXTENSION roformer CASCADE');
}, sub {
	$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS roformer');
	$drop->();
});

# ---- a statement that runs out of time -------------------------------------------------------------

$node->safe_psql('postgres', "DROP EXTENSION roformer CASCADE; CREATE EXTENSION roformer; SELECT roformer.load_model('m', '$first'), roformer.load_model('wide', '$wide')");
my $answers = $node->safe_psql('postgres', "SET roformer.enable_batch_scan = off; $scan");
my ($session) = start_session($node);
for my $try (1 .. 3)
{
	$session->query_safe("SET statement_timeout = '200ms'");
	like(query_error($session, "SELECT count(roformer.classify('wide', repeat(a.body || ' ', 30) || b.id)) FROM t AS a, t AS b"),
		qr/statement timeout/, "try $try: a batch runs out of time");
	$session->query_safe('SET statement_timeout = 0');
	is($session->query_safe($scan), $answers, 'the next statement computes what it should');
}
$session->quit;
is($node->safe_psql('postgres', 'SELECT coalesce(sum(pins), 0) FROM roformer.cache'), '0', 'no pin is left');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|leak/, 'the server has nothing to complain of');
done_testing();
