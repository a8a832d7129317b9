# Without shared_preload_libraries, or with roformer.cache_size = 0: a private copy per session, and one NOTICE.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('private', preload => 0);
my $directory = load_random($node, 'a', seed => 1);
load_random($node, $_, seed => ord $_) for 'b' .. 'f';
my $tempdir = PostgreSQL::Test::Utils::tempdir();
write_model("$tempdir/other", seed => 7);

# A call whose arguments are no constants: the planner can't answer it in advance.
sub score { "SELECT roformer.classify_score('$_[0]', text, 'label0') FROM (VALUES ('abc'), ('abc')) v(text) LIMIT " . ($_[1] // 1) }

my ($ret, $out, $err) = $node->psql('postgres', score('a') . ";\n" . score('a') . ";\n" . score('b'));
my ($a, $again, $b) = split /\n/, $out;
is($again, $a, 'answers from a private copy');
isnt($b, $a, 'another model');
is(scalar(() = $err =~ /NOTICE/g), 1, 'one NOTICE a session');
like($err, qr/HINT: .*shared_preload_libraries = 'roformer'/, 'it says how to share');

my ($session) = start_session($node);
$session->query_safe('SET client_min_messages = warning');
is($session->query_safe(score('a')), $a, 'another session');
is($session->query_safe('SELECT model, database, state, pins, loads, hits, shared FROM roformer.cache'), 'a|postgres|ready|0|1|0|f', 'the view shows this session its copy');
is($node->safe_psql('postgres', 'SELECT count(*) FROM roformer.cache'), '0', 'and others nothing');
$session->query_safe(score('a'));
is($session->query_safe('SELECT loads, hits FROM roformer.cache'), '1|1', 'the copy serves later statements');

# Copies are dropped when others are needed, not without bound and not while in use.
$session->query_safe('BEGIN');
$session->query_safe('DECLARE c CURSOR FOR ' . score('a', 2));
$session->query_safe('FETCH 1 FROM c');
$session->query_safe(score($_)) for 'b' .. 'f';
is($session->query_safe("SELECT string_agg(model, ' ' ORDER BY model) FROM roformer.cache"), 'a d e f', 'the least recently used copies went, the pinned one stayed');
is($session->query_safe('FETCH 1 FROM c'), $a, 'and is valid');
$session->query_safe('COMMIT');
is($session->query_safe(score('b')), $b, 'one that went comes back');
is($session->query_safe("SELECT roformer.evict('b'), roformer.evict('b')"), 't|f', 'evict');

# Changes by other sessions reach private copies.
$session->query_safe(score('a'));
$node->safe_psql('postgres', "SELECT roformer.replace_model('a', '$tempdir/other')");
isnt($session->query_safe(score('a')), $a, 'a replaced model');
is($session->query_safe("SELECT count(*) FROM roformer.cache WHERE model = 'a'"), '1', 'leaves no old copy');
$session->query_safe(score('c'));
$node->safe_psql('postgres', "SELECT roformer.drop_model('c')");
$session->query_safe(score('a'));
is($session->query_safe("SELECT count(*) FROM roformer.cache WHERE model = 'c'"), '0', 'nor does a dropped one');
$session->query_safe('BEGIN');
$session->query_safe("SELECT roformer.load_model('c', '$directory')");
is($session->query_safe(score('c')), $a, 'a model of an open transaction');
$session->query_safe('ROLLBACK');
is($session->query_safe("SELECT count(*) FROM roformer.cache WHERE model = 'c'"), '0', 'is gone after rollback');

# A load that fails leaves nothing, one that is cancelled neither.
my $blocker = block_loading($node);
$session->query_safe("SELECT roformer.evict('a')");
$session->query_safe("SET statement_timeout = '100ms'");
like(query_error($session, score('a')), qr/statement timeout/, 'a load runs into a timeout');
$session->query_safe('RESET statement_timeout');
is($session->query_safe("SELECT count(*) FROM roformer.cache WHERE model = 'a'"), '0', 'a cancelled load leaves no copy');
$blocker->query_safe('COMMIT');
like($session->query_safe(score('a')), qr/^0\./, 'and the next succeeds');
$_->quit for $session, $blocker;

# Preloaded without a cache.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'roformer'\nroformer.cache_size = 0");
$node->restart;
($ret, $out, $err) = $node->psql('postgres', score('b'));
is($out, $b, 'cache_size = 0');
like($err, qr/HINT: .*roformer\.cache_size/, 'the NOTICE names the setting');

$node->stop;
done_testing();
