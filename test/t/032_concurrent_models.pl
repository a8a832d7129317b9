# Sessions that change models at the same time, readers beside them, statements cancelled in the middle of a load,
# and transactions that are prepared.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $tempdir = PostgreSQL::Test::Utils::tempdir();
my $node = start_server('concurrent', conf => "max_prepared_transactions = 5\nrestart_after_crash = on");
my $classifier = "$golden/models/seqcls-en";
my $tagger = "$golden/models/tokcls-en";

my ($first) = start_session($node);
my ($second, $second_pid) = start_session($node);

# Starts a query in the second session that must wait for the first.
sub start_waiting
{
	my ($query) = @_;

	$second->{stderr} = '';
	start_query($second, $query);
	$node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $second_pid")
	  or die "does not wait: $query";
}

# What the second session said when its wait was over.
sub end_waiting
{
	$second->query('SELECT 1');
	my $said = $second->{stderr};
	$second->{stderr} = '';
	return $said;
}

sub value
{
	return $node->safe_psql('postgres', $_[0]);
}

sub is_clean
{
	my ($name) = @_;
	is( value(q(SELECT count(*) FROM (
			SELECT model_id FROM _roformer.model_file UNION SELECT model_id FROM _roformer.model_tensor
			UNION SELECT model_id FROM _roformer.model_chunk UNION SELECT model_id FROM _roformer.model_grant
			EXCEPT SELECT id FROM _roformer.model) AS orphan)),
		0, "$name: no rows without a model");
}

# ---- two sessions, one name ----------------------------------------------------------------------

$first->query_safe("BEGIN; SELECT roformer.load_model('m', '$classifier')");
start_waiting("SELECT roformer.load_model('m', '$tagger')");
$first->query_safe('COMMIT');
like(end_waiting(), qr/ERROR:  model "m" already exists/, 'the second load of a name fails when the first commits');

$first->query_safe("BEGIN; SELECT roformer.load_model('n', '$classifier')");
start_waiting("SELECT roformer.load_model('n', '$tagger')");
$first->query_safe('ROLLBACK');
is(end_waiting(), '', 'and succeeds when the first rolls back');
is(value(q(SELECT task FROM roformer.models WHERE name = 'n')), 'token classification', 'with its own content');

$first->query_safe("BEGIN; SELECT roformer.load_model('a', '$classifier')");
$second->query_safe("SET lock_timeout = '5s'");
$second->query_safe("SELECT roformer.load_model('b', '$tagger'), roformer.drop_model('n')");
is($second->query_safe(q(SELECT count(*) FROM roformer.models WHERE name IN ('a', 'b', 'n'))), 1, 'other names do not wait');
$second->query_safe('RESET lock_timeout');
$first->query_safe('ROLLBACK');
is_clean('loads');

$first->query_safe("BEGIN; SELECT roformer.replace_model('m', '$tagger')");
is($second->query_safe(q(SELECT roformer.model_config('m') ->> 'architectures')), '["RoFormerForSequenceClassification"]',
	'readers do not wait for a replacement');
start_waiting("SELECT roformer.drop_model('m')");
$first->query_safe('COMMIT');
is(end_waiting(), '', 'a drop waits for a replacement');
is(value('SELECT name FROM roformer.models'), 'b', 'and drops the new content');
is_clean('replace and drop');

$first->query_safe("BEGIN; SELECT roformer.rename_model('b', 'c')");
start_waiting("SELECT roformer.set_model_option('b', 'max_length', '12')");
$first->query_safe('COMMIT');
like(end_waiting(), qr/ERROR:  model "b" does not exist/, 'an option of a model that is renamed');
$first->query_safe("BEGIN; SELECT roformer.set_model_option('c', 'max_length', '12')");
start_waiting("SELECT roformer.set_model_option('c', 'overflow', 'error')");
$first->query_safe('COMMIT');
is(end_waiting(), '', 'two options at the same time');
is(value('SELECT options FROM roformer.models'), '{max_length=12,overflow=error}', 'both are set');
$first->query_safe("BEGIN; SELECT roformer.replace_model('c', '$classifier')");
start_waiting("SELECT roformer.grant_model('c', 'public')");
$first->query_safe('COMMIT');
is(end_waiting(), '', 'a grant waits for a replacement');
is(value('SELECT count(*) FROM _roformer.model_grant JOIN _roformer.model ON id = model_id'), 1, 'and is one for the new content');
$first->query_safe("BEGIN; SELECT roformer.drop_model('c')");
start_waiting("SELECT roformer.replace_model('c', '$tagger')");
$first->query_safe('COMMIT');
like(end_waiting(), qr/ERROR:  model "c" does not exist/, 'a replacement of a model that is dropped');
is_clean('options and grants');

# A model is dropped while its image is loaded, between the reading of its files and of its tensors: the statement
# goes on with the rows it can see.
value("SELECT roformer.load_model('m', '$classifier')");
$first->query_safe('BEGIN');
$first->query_safe('LOCK TABLE _roformer.model_tensor IN ACCESS EXCLUSIVE MODE');
start_waiting(q(SELECT 'prewarmed ' || count(roformer.prewarm('m'))));
$first->query_safe("SELECT roformer.drop_model('m')");
$first->query_safe('COMMIT');
is(end_waiting(), '', 'a load goes on when its model is dropped meanwhile');
like($second->query("SELECT roformer.model_config('m')"), qr/^$/, 'the next statement gets nothing');
like($second->{stderr}, qr/model "m" does not exist/, 'because the model is gone');
$second->{stderr} = '';
is_clean('drop beside a load');

# A snapshot older than a model does not hide it, one older than its end does not keep it.
$first->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$first->query_safe('SELECT 1');
value("SELECT roformer.load_model('m', '$classifier')");
is($first->query_safe(q(SELECT count(roformer.prewarm('m')))), 1, 'a model newer than the snapshot');
value("SELECT roformer.drop_model('m')");
$first->query("SELECT roformer.model_config('m')");
like($first->{stderr}, qr/model "m" does not exist/, 'a model dropped after the snapshot');
$first->{stderr} = '';
$first->query_safe('ROLLBACK');

# ---- interrupted ---------------------------------------------------------------------------------

write_model("$tempdir/large", hidden => 512, layers => 6, heads => 8, vocab => 20000);

sub rows
{
	return value('SELECT sum(n) FROM (SELECT count(*) FROM _roformer.model UNION ALL SELECT count(*) FROM _roformer.model_file
		UNION ALL SELECT count(*) FROM _roformer.model_tensor UNION ALL SELECT count(*) FROM _roformer.model_chunk) AS t(n)');
}

my $whole = seconds_of(sub { value("SELECT roformer.load_model('large', '$tempdir/large'), roformer.drop_model('large')") });
note(sprintf('loaded and dropped in %.2f s', $whole));
is(rows(), 0, 'nothing is stored before');

my ($ret, $out, $err);
my $stopped = seconds_of(
	sub {
		($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '60ms'; SELECT roformer.load_model('large', '$tempdir/large')");
	});
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout stops a load');
cmp_ok($stopped, '<', 2, sprintf('at once (%.2f s)', $stopped));
is(rows(), 0, 'and nothing is stored');

$second->{stderr} = '';
start_query($second, "SELECT roformer.load_model('large', '$tempdir/large')");
$node->poll_query_until('postgres', "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $second_pid");
value("SELECT pg_cancel_backend($second_pid)");
like(end_waiting(), qr/canceling statement due to user request/, 'so does pg_cancel_backend');
is(rows(), 0, 'and nothing is stored');

start_query($second, "SELECT roformer.load_model('large', '$tempdir/large')");
$node->poll_query_until('postgres', "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $second_pid");
value("SELECT pg_terminate_backend($second_pid)");
wait_for_state($node, $second_pid, 'gone');
is(rows(), 0, 'nothing is stored after pg_terminate_backend');
value("SELECT roformer.load_model('large', '$tempdir/large')");
is(value("SELECT count(roformer.prewarm('large'))"), 1, 'and a load is possible');
value("SELECT roformer.drop_model('large')");

# Killed: crash recovery leaves nothing but dead rows. The first session has written and not committed.
my ($victim, $victim_pid) = start_session($node);
$victim->query_safe("BEGIN; SELECT roformer.load_model('large', '$tempdir/large')");
kill 'KILL', $victim_pid;
$node->poll_query_until('postgres', 'SELECT true') or die 'server does not come back';
is(rows(), 0, 'nothing is stored after a crash');
value("SELECT roformer.load_model('m', '$classifier')");
is(value("SELECT count(roformer.prewarm('m'))"), 1, 'and models can be loaded');

# ---- prepared ------------------------------------------------------------------------------------

value("BEGIN; SELECT roformer.load_model('p', '$tagger'); PREPARE TRANSACTION 'load'");
is(value(q(SELECT count(*) FROM roformer.models WHERE name = 'p')), 0, 'a prepared load is not there');
($ret, $out, $err) = $node->psql('postgres', "SET lock_timeout = '100ms'; SELECT roformer.load_model('p', '$classifier')");
like($err, qr/lock timeout/, 'but has the name');
value("COMMIT PREPARED 'load'");
is(value("SELECT count(roformer.prewarm('p'))"), 1, 'and is there when it is committed');

my $cached = q(SELECT count(*) FROM roformer.cache WHERE model = 'p');
is(value($cached), 1, 'in the cache as well');
value("BEGIN; SELECT roformer.drop_model('p'); PREPARE TRANSACTION 'drop'");
is(value("SELECT roformer.model_config('p') ->> 'model_type'"), 'roformer', 'a prepared drop has dropped nothing');
value("ROLLBACK PREPARED 'drop'");
is(value("SELECT count(roformer.prewarm('p'))"), 1, 'nor has one that is rolled back');
value("BEGIN; SELECT roformer.drop_model('p'); PREPARE TRANSACTION 'drop'");
value("COMMIT PREPARED 'drop'");
is(value($cached), 0, 'a committed one has, in the cache as well');
is_clean('prepared transactions');

$first->quit;
$node->stop;
done_testing();
