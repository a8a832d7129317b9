# What was derived from models (generated columns, constraints, indexes, materialized views) comes back
# from a dump: models are restored before the rows that are computed with them.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Utils;
use RoformerTest qw(start_server);
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir();
my $node = start_server('derived');

$node->safe_psql('postgres', q{
	SELECT roformer.load_model('spam', 'roformer-sms-spam');
	CREATE TABLE message (
		id int,
		body text,
		kind text GENERATED ALWAYS AS (roformer.classify('spam', body)) STORED,
		CONSTRAINT body_check CHECK (roformer.classify('spam', body) IN ('ham', 'spam')));
	INSERT INTO message VALUES (1, 'You have won a free prize worth £100. Call now to claim!'), (2, 'See you at noon'), (3, NULL);
	CREATE INDEX ON message (roformer.classify_score('spam', body, 'spam'));
	CREATE MATERIALIZED VIEW score AS SELECT id, roformer.classify_score('spam', body, 'spam') FROM message;
	CREATE SCHEMA archive;
	CREATE TABLE archive.old (body text, tokens int GENERATED ALWAYS AS (roformer.token_count('spam', body)) STORED);
	INSERT INTO archive.old VALUES ('See you');
	CREATE DATABASE plain;
	CREATE DATABASE custom;
	CREATE DATABASE parallel;
});

my $rows = q{
	SET enable_seqscan = off;
	SELECT * FROM message ORDER BY id;
	SELECT * FROM score ORDER BY id;
	SELECT * FROM archive.old;
	SELECT id FROM message WHERE roformer.classify_score('spam', body, 'spam') > 0.5};
my $want = $node->safe_psql('postgres', $rows);
like($want, qr/^1\|[^|]*\|spam\n2\|[^|]*\|ham\n3\|\|\n/, 'rows are classified');

$node->command_ok([ 'pg_dump', '-f', "$directory/plain.sql", '-d', $node->connstr('postgres') ], 'pg_dump as SQL');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$directory/plain.sql", '-d', $node->connstr('plain') ],
	'restored by psql');
is($node->safe_psql('plain', $rows), $want, 'the same rows from SQL');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$directory/archive", '-d', $node->connstr('postgres') ], 'pg_dump as archive');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('custom'), "$directory/archive" ], 'restored by pg_restore');
is($node->safe_psql('custom', $rows), $want, 'the same rows from the archive');

# In parallel there is no order between tables: models first, as the documentation says.
foreach my $step ([ '--section=pre-data' ], [qw(--data-only -n _roformer)], [qw(--data-only -N _roformer -j 2)],
	[qw(--section=post-data -j 2)])
{
	$node->command_ok([ 'pg_restore', '-e', @$step, '-d', $node->connstr('parallel'), "$directory/archive" ], "pg_restore @$step");
}
is($node->safe_psql('parallel', $rows), $want, 'the same rows from a parallel restore');

$node->stop;
done_testing();
