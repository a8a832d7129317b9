# A streaming standby computes with the models of its primary.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = start_server('primary', init => [ allows_streaming => 1 ]);
my $directory = load_random($primary, 'm', seed => 10);
my $tempdir = PostgreSQL::Test::Utils::tempdir();
write_model("$tempdir/other", seed => 11);
my $query = "SELECT roformer.classify_score('m', 'abc', 'label0')";
my $answer = $primary->safe_psql('postgres', $query);

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));

is($standby->safe_psql('postgres', $query), $answer, 'the standby gives the same answer');
is(cache_rows($standby), 'm ready 0', 'from its own cache');

my ($session) = start_session($standby);
is($session->query_safe($query), $answer, 'a session on the standby');
$primary->safe_psql('postgres', "SELECT roformer.replace_model('m', '$tempdir/other')");
my $replaced = $primary->safe_psql('postgres', $query);
isnt($replaced, $answer, 'a replaced model on the primary');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
is($session->query_safe($query), $replaced, 'is replaced on the standby');
is(cache_rows($standby), 'm ready 0', 'where the old image is gone as well');

$primary->safe_psql('postgres', "SELECT roformer.drop_model('m')");
$primary->safe_psql('postgres', "SELECT roformer.load_model('n', '$directory')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
is($session->query_safe("SELECT roformer.classify_score('n', 'abc', 'label0')"), $answer, 'a new model arrives');
is(cache_rows($standby), 'n ready 0', 'the dropped one is gone');
my ($ret, $out, $err) = $standby->psql('postgres', $query);
like($err, qr/"m"/, 'and unknown');
($ret, $out, $err) = $standby->psql('postgres', "SELECT roformer.load_model('x', '$directory')");
isnt($ret, 0, 'nothing can be loaded on a standby');

$session->quit;
$standby->promote;
$standby->safe_psql('postgres', "SELECT roformer.load_model('m', '$directory')");
is($standby->safe_psql('postgres', $query), $answer, 'after promotion it can');

$standby->stop;
$primary->stop;
done_testing();
