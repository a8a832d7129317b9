# The batch scan over foreign tables: a loop back to the same server, partitions that are read asynchronously, and what is
# sent to the other server.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('foreign');
if ($node->safe_psql('postgres', q(SELECT count(*) FROM pg_available_extensions WHERE name IN ('postgres_fdw', 'file_fdw'))) != 2)
{
	$node->stop;
	plan skip_all => 'postgres_fdw and file_fdw are not installed';
}
load_random($node, 'tiny', seed => 8);
my ($host, $port) = ($node->host, $node->port);
my $file = PostgreSQL::Test::Utils::tempdir() . '/texts.csv';
append_to_file($file, join('', map { "$_,text $_\n" } 1 .. 30));
$node->safe_psql('postgres', qq{
	CREATE EXTENSION postgres_fdw;
	CREATE EXTENSION file_fdw;
	CREATE TABLE shard_1 AS SELECT i AS id, 'text ' || i / 2 AS body FROM generate_series(1, 60) AS i;
	CREATE TABLE shard_2 AS SELECT i AS id, 'text ' || i / 2 AS body FROM generate_series(101, 160) AS i;
	CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE SERVER trusting FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', extensions 'roformer');
	CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
	CREATE USER MAPPING FOR CURRENT_USER SERVER other;
	CREATE USER MAPPING FOR CURRENT_USER SERVER trusting;
	CREATE FOREIGN TABLE away (id int, body text) SERVER other OPTIONS (table_name 'shard_1');
	CREATE FOREIGN TABLE shipped (id int, body text) SERVER trusting OPTIONS (table_name 'shard_1');
	CREATE FOREIGN TABLE lines (id int, body text) SERVER files OPTIONS (filename '$file', format 'csv');
	CREATE TABLE sharded (id int, body text) PARTITION BY RANGE (id);
	CREATE FOREIGN TABLE part_1 PARTITION OF sharded FOR VALUES FROM (0) TO (100) SERVER other OPTIONS (table_name 'shard_1', async_capable 'true');
	CREATE FOREIGN TABLE part_2 PARTITION OF sharded FOR VALUES FROM (100) TO (200) SERVER trusting OPTIONS (table_name 'shard_2', async_capable 'true');
	ANALYZE shard_1; ANALYZE shard_2; ANALYZE away; ANALYZE shipped;
});

sub plan_of { return $node->safe_psql('postgres', "EXPLAIN (VERBOSE, COSTS OFF) $_[0]") }

# The rows with the node, once they are those without it.
sub same
{
	my ($query, $name) = @_;
	my ($off, $on) = map { $node->safe_psql('postgres', "SET roformer.enable_batch_scan = $_; $query") } 'off', 'on';

	is($on, $off, $name);
	isnt($on, '', "$name: there are rows");
	return $on;
}

# ---- one table ---------------------------------------------------------------------------------

for my $table ('away', 'lines')
{
	my $query = "SELECT id, roformer.classify('tiny', body), roformer.classify_score('tiny', body, 'label1') FROM $table WHERE id % 3 = 0 AND roformer.classify('tiny', body || 'x') >= 'label0'";

	like(plan_of($query), qr/RoformerBatch.*Foreign Scan/s, "$table: the node is above the foreign scan");
	same($query, $table);
	same("SELECT t.id, s.id FROM $table AS t JOIN shard_1 AS s ON roformer.classify('tiny', t.body) = roformer.classify('tiny', s.body) AND t.id = s.id + 1", "$table: join");
	same("SELECT roformer.classify('tiny', body), count(*) FROM $table GROUP BY 1 ORDER BY 1", "$table: aggregate");
	same("SELECT roformer.classify('tiny', body) FROM $table ORDER BY id LIMIT 5", "$table: limit");
}

# ---- what is sent ------------------------------------------------------------------------------

my $where = "WHERE roformer.classify('tiny', body) = 'label1' OR id = 1";
unlike(plan_of("SELECT id FROM away $where"), qr/Remote SQL:[^\n]*classify/, 'a call stays here');
like(plan_of("SELECT id FROM shipped $where"), qr/Remote SQL:[^\n]*classify/, 'and goes to a server that is said to have the extension');
is(same("SELECT id FROM shipped $where ORDER BY id", 'shipped'), same("SELECT id FROM away $where ORDER BY id", 'not shipped'), 'with the same rows');

# ---- asynchronous partitions ---------------------------------------------------------------------

my $sharded = "SELECT id, roformer.classify('tiny', body) FROM sharded";
my $plan = plan_of($sharded);
like($plan, qr/Async Foreign Scan/, 'partitions are read at the same time');
unlike($plan, qr/RoformerBatch/, 'which no node stands above');
is(join("\n", sort split /\n/, $node->safe_psql('postgres', "SET roformer.enable_batch_scan = on; $sharded")),
	join("\n", sort split /\n/, $node->safe_psql('postgres', "SET roformer.enable_batch_scan = off; $sharded")), 'sharded: the same rows');
same("SELECT roformer.classify('tiny', max(body)), count(*), max(roformer.classify('tiny', body)) FROM sharded GROUP BY id % 7 ORDER BY 1, 2, 3", 'sharded: aggregate');

# ---- writing -----------------------------------------------------------------------------------

my $classes = "SELECT string_agg(id || body, ' ' ORDER BY id) FROM shard_1";
for my $table ('away', 'shipped')
{
	my $direct = $table eq 'shipped' ? qr/Foreign Update/ : qr/Foreign Scan/;
	like(plan_of("UPDATE $table SET body = body || '!' WHERE roformer.classify('tiny', body) = 'label1'"), $direct, "$table: update, " . ($table eq 'shipped' ? 'there' : 'here'));
	same("BEGIN; UPDATE $table SET body = roformer.classify('tiny', body) || id WHERE id % 2 = 0; $classes; ROLLBACK", "$table: update");
	same("BEGIN; DELETE FROM $table WHERE roformer.classify('tiny', body) = 'label1' RETURNING id, roformer.classify('tiny', body); $classes; ROLLBACK", "$table: delete");
	same("BEGIN; INSERT INTO $table SELECT id + 1000, roformer.classify('tiny', body) FROM shard_2; $classes; ROLLBACK", "$table: insert");
}

$node->stop;
done_testing();
