# roformer.prewarm: models that are in the cache before anybody asked, and what is wrong in the list.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('prewarm', init => [ allows_streaming => 1 ]);
my $directory = load_random($node, 'one', seed => 1);
load_random($node, 'Odd, "na.me', seed => 2);
load_random($node, 'unused', seed => 3);
$node->safe_psql('postgres', 'CREATE DATABASE "my.db"');
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('my.db', 'CREATE EXTENSION roformer');
load_random($node, 'three', seed => 4, database => 'my.db');

# ---- the list ----------------------------------------------------------------------------------

for my $case (
	[ 'nothing', qr/Elements have the form database\.model/ ],
	[ 'a.b.c', qr/must stand in double quotes/ ],
	[ 'a.', qr/neither name is empty/ ],
	[ '.b', qr/neither name is empty/ ],
	[ 'a.b,', qr/behind the last comma/ ],
	[ 'a.b,,c.d', qr/neither name is empty/ ],
	[ '"a.b', qr/not ended/ ],
	[ 'a.' . 'x' x 64, qr/too long/ ])
{
	my ($status, $out, $error) = $node->psql('postgres', "ALTER SYSTEM SET roformer.prewarm = '$case->[0]'");
	like($error, $case->[1], "$case->[0] is refused");
}

# ---- a start -----------------------------------------------------------------------------------

$node->append_conf('postgresql.conf',
	q(roformer.prewarm = 'postgres.one, postgres."Odd, ""na.me", "my.db".three, postgres.missing, nowhere.one, bare.one,postgres.one'));
$node->restart;
ok($node->poll_query_until('postgres', "SELECT count(*) = 3 FROM roformer.cache WHERE state = 'ready'"), 'three models are loaded');
is($node->safe_psql('postgres', q(SELECT string_agg(format('%s.%s %s', database, model, loads), '; ' ORDER BY model) FROM roformer.cache)),
	'postgres.Odd, "na.me 1; postgres.one 1; my.db.three 1', 'each once');
ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'roformer prewarm'"),
	'the workers end');
my $log = slurp_file($node->logfile);
like($log, qr/roformer loaded model "one" into the cache, \d+ bytes/, 'the log says what was loaded');
like($log, qr/could not load model "missing" into the cache\n.*model "missing" does not exist/, 'and what was not');
like($log, qr/database "nowhere" does not exist/, 'also for want of a database');
like($log, qr/could not load model "one" into the cache\n.*extension|relation|schema/, 'or of the extension');
unlike($log, qr/terminated by signal|PANIC/, 'nothing crashed');
$node->safe_psql('postgres', "SELECT roformer.classify('one', 'a')");
is($node->safe_psql('postgres', "SELECT loads FROM roformer.cache WHERE model = 'one'"), '1', 'the first use finds the image');


# ---- a standby ---------------------------------------------------------------------------------

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('prewarm_standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
ok($standby->poll_query_until('postgres', "SELECT count(*) = 3 FROM roformer.cache WHERE state = 'ready'"), 'a standby loads them, too');
$standby->stop;

# ---- no room -----------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "roformer.cache_size = '1MB'");
load_random($node, 'large', seed => 5, hidden => 256, layers => 2);
$node->append_conf('postgresql.conf', "roformer.prewarm = 'postgres.large, postgres.one'");
$node->restart;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM roformer.cache WHERE model = 'one' AND state = 'ready'"), 'one model fits');
like(slurp_file($node->logfile), qr/could not load model "large" into the cache\n.*too small/, 'another does not');

# ---- without preloading the setting means nothing ----------------------------------------------

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
is($node->safe_psql('postgres', 'SET client_min_messages = warning; SELECT roformer.classify(\'one\', \'a\') IS NOT NULL'), 't', 'works without preloading');

done_testing();
