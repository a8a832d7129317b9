# A model that is dropped, replaced, or whose load is rolled back disappears from the cache; who computes with it
# finishes on what he began with.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('forget');
my $tempdir = PostgreSQL::Test::Utils::tempdir();
write_model("$tempdir/one", seed => 1);
write_model("$tempdir/two", seed => 2, hidden => 64);

# A call whose arguments are no constants: the planner can't answer it in advance.
sub score { "SELECT roformer.classify_score('m', text, 'label0') FROM (VALUES ('abc'), ('abc'), ('abc')) v(text) LIMIT " . ($_[0] // 1) }
sub loads { $node->safe_psql('postgres', 'SELECT sum(loads) FROM roformer.cache') }

$node->safe_psql('postgres', "SELECT roformer.load_model('m', '$tempdir/one')");
my $one = $node->safe_psql('postgres', score());
is(cache_rows($node), 'm ready 0', 'loaded');

# Replace while another session is in the middle of a statement.
my ($session) = start_session($node);
$session->query_safe('BEGIN');
$session->query_safe('DECLARE c CURSOR FOR ' . score(3));
is($session->query_safe('FETCH 1 FROM c'), $one, 'a statement under way');
$node->safe_psql('postgres', "SELECT roformer.replace_model('m', '$tempdir/two')");
my $two = $node->safe_psql('postgres', score());
isnt($two, $one, 'new statements see the new content');
is($session->query_safe('FETCH 1 FROM c'), $one, 'the old one goes on with what it began with');
is($session->query_safe(score()), $two, 'but not the next statement of the same transaction');
is(cache_rows($node), "m dropped 1\nm ready 0", 'the old image is there for its user only');
$session->query_safe('COMMIT');
is(cache_rows($node), 'm ready 0', 'and goes with him');

# A function that calls again and again within one transaction, as triggers and PL/pgSQL do.
$session->query_safe(q(CREATE FUNCTION pg_temp.score(text text) RETURNS real LANGUAGE plpgsql AS
	$$ BEGIN RETURN roformer.classify_score('m', text, 'label0'); END $$));
$session->query_safe('BEGIN');
is($session->query_safe('SELECT pg_temp.score(\'abc\')'), $two, 'a cached expression');
$node->safe_psql('postgres', "SELECT roformer.replace_model('m', '$tempdir/one')");
is($session->query_safe('SELECT pg_temp.score(\'abc\')'), $one, 'resolves the name again after a replacement');
$session->query_safe('COMMIT');

# Drop, also of a model in use.
$session->query_safe('BEGIN');
$session->query_safe('DECLARE c CURSOR FOR ' . score(3));
$session->query_safe('FETCH 1 FROM c');
$node->safe_psql('postgres', "SELECT roformer.drop_model('m')");
is(cache_rows($node), 'm dropped 1', 'dropped while in use');
is($session->query_safe('FETCH 1 FROM c'), $one, 'its user goes on');
$session->query_safe('COMMIT');
is(cache_rows($node), '', 'then nothing is left');
my ($ret, $out, $err) = $node->psql('postgres', score());
like($err, qr/"m"/, 'and nobody finds it');

# What a transaction loads and uses is gone when it rolls back; so is what a savepoint loaded.
$session->query_safe('BEGIN');
$session->query_safe("SELECT roformer.load_model('m', '$tempdir/one')");
is($session->query_safe(score()), $one, 'a model of a transaction still open');
is($session->query_safe('SAVEPOINT s'), '', 'savepoint');
$session->query_safe("SELECT roformer.load_model('n', '$tempdir/two')");
$session->query_safe("SELECT roformer.prewarm('n')");
is(cache_rows($node), "m ready 0\nn ready 0", 'both are in the cache');
$session->query_safe('ROLLBACK TO s');
is(cache_rows($node), 'm ready 0', 'an aborted subtransaction takes its model away');
is($session->query_safe(score()), $one, 'and leaves the other');
$session->query_safe('ROLLBACK');
is(cache_rows($node), '', 'an aborted transaction takes the rest');

# A drop that is rolled back.
$node->safe_psql('postgres', "SELECT roformer.load_model('m', '$tempdir/one')");
is($node->safe_psql('postgres', score()), $one, 'a model loaded again');
my $loads = loads();
$session->query_safe('BEGIN');
$session->query_safe("SELECT roformer.drop_model('m')");
is($node->safe_psql('postgres', score()), $one, 'a drop not yet committed concerns nobody else');
$session->query_safe('ROLLBACK');
is($session->query_safe(score()), $one, 'one rolled back concerns nobody at all');
is(loads(), $loads, 'the image stayed');

# Renaming moves no bytes.
$node->safe_psql('postgres', "SELECT roformer.rename_model('m', 'renamed')");
is(cache_rows($node), 'renamed ready 0', 'a renamed model');
is($node->safe_psql('postgres', "SELECT roformer.classify_score('renamed', 'abc', 'label0')"), $one, 'answers from the same image');
is(loads(), $loads, 'without loading it again');

# Dropped in the middle of its load.
$node->safe_psql('postgres', "SELECT roformer.evict('renamed')");
my $blocker = block_loading($node);
my ($loader, $pid) = start_session($node);
start_query($loader, "SELECT roformer.classify_score('renamed', 'abc', 'label0')");
wait_for_state($node, $pid, 'loader');
is(cache_rows($node), 'renamed loading 1', 'a load under way');
$blocker->query_safe("SELECT roformer.rename_model('renamed', 'm')");
$blocker->query_safe('COMMIT');
is(finish_query($loader), $one, 'ends well though the name was changed');

$node->safe_psql('postgres', q(UPDATE _roformer.model_chunk SET data = set_byte(data, 9, get_byte(data, 9) # 1)
	WHERE ctid = (SELECT min(ctid) FROM _roformer.model_chunk)));
$node->safe_psql('postgres', "SELECT roformer.evict('m')");
($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n" . score());
like($err, qr/XX001: stored content of model "m" is damaged/, 'a flipped bit in the stored weights is found');
is(cache_rows($node), '', 'and leaves no entry');

$_->quit for $session, $loader, $blocker;
$node->stop;
done_testing();
