# Random statements with the batch scan and without: the same rows in the same order, the same errors, the same number of
# evaluations of what stands beside the calls. ROFORMER_RANDOM_SEED and ROFORMER_RANDOM_CASES say which and how many.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RandomQuery qw(schema seed_queries random_case);
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{ROFORMER_RANDOM_SEED} // 1;
my $cases = $ENV{ROFORMER_RANDOM_CASES} // 800;
my $chunk = 200;
my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";

my $node = start_server('random', conf => "max_worker_processes = 8\nautovacuum = off\njit = off\nlog_min_messages = warning\nlog_min_error_statement = panic\nlog_statement = none");
my $worker = $node->safe_psql('postgres', 'SHOW server_version_num') < 160000 ? 'force_parallel_mode' : 'debug_parallel_query';
load_random($node, 'tiny', seed => 8);
load_random($node, 'other', seed => 9);
$node->safe_psql('postgres', "SELECT roformer.load_model('$_->[0]', '$golden/models/$_->[1]')")
  for [ 'tagger', 'tokcls-en' ], [ 'filler', 'mlm-en-untied' ], [ 'number', 'seqcls-zh-reg' ];
$node->safe_psql('postgres', schema());

# ---- scripts -----------------------------------------------------------------------------------

# Statements for psql, each followed by what became of it.
sub lines_of
{
	return map { ("$_;", '\if :ERROR', '\echo ERROR :SQLSTATE :LAST_ERROR_MESSAGE', '\endif') } @_;
}

# One side of a case. Whatever it left is undone by the next one's begin.
sub side
{
	my ($case, $batch) = @_;
	my @settings = map { "$_;" } 'RESET SESSION AUTHORIZATION', 'RESET ALL', "SELECT setval('ticks', 1) \\g /dev/null",
	  $case->{mode} eq 'single worker' ? "SET $worker = on" : (), "SET roformer.enable_batch_scan = $batch", @{ $case->{settings} };
	return (@settings, lines_of(@{ $case->{prepare} }));
}

sub script_of
{
	my ($number, $case) = @_;
	my @script;

	for my $batch ('off', 'on')
	{
		push @script, "\\echo ==== $number $batch", side($case, $batch), lines_of(@{ $case->{statements} }), 'RESET ROLE;', 'SELECT last_value FROM ticks;';
	}
	push @script, "\\echo ==== $number plan", side($case, 'on'), "EXPLAIN (COSTS OFF) $case->{explain};";
	push @script, 'ROLLBACK;' if grep { /^BEGIN/ } @{ $case->{prepare} };
	return join("\n", @script, '');
}

# What each side of each case printed: "number side" => lines
sub run_script
{
	my ($script) = @_;
	my ($printed, %output) = ('');
	my $place;

	$node->psql('postgres', '\set ON_ERROR_STOP off' . "\n\\pset null '(null)'\n" . $script, stdout => \$printed, stderr => \my $errors, on_error_stop => 0);
	for my $line (split /\n/, $printed)
	{
		if ($line =~ /^==== (.*)/) { $place = $1; $output{$place} = [] }
		elsif (defined $place) { push @{ $output{$place} }, $line }
	}
	return ($errors, %output);
}

# ---- runs --------------------------------------------------------------------------------------

my ($with_node, $with_error, $with_rows, $undecided, $other_error, @different) = (0, 0, 0, 0, 0);

sub first_difference
{
	my ($off, $on) = @_;
	my $at = 0;

	$at++ while $at < @$off && $at < @$on && $off->[$at] eq $on->[$at];
	return $at;
}

# Reading a row ahead failed before a row in front of it could, by another error: docs/batch-scan.md. What stands beside the
# calls was evaluated for fewer rows then.
sub is_other_error
{
	my ($off, $on) = @_;
	my $at = first_difference($off, $on);

	return 1 if $at < @$off && $at < @$on && $off->[$at] =~ /^ERROR / && $on->[$at] =~ /^ERROR /;
	return $at == $#$off && $at == $#$on && grep { /^ERROR / } @$off;
}

sub compare
{
	my ($number, $case, $output) = @_;
	my ($off, $on, $plan) = map { $output->{"$number $_"} // ['(nothing)'] } 'off', 'on', 'plan';
	my $failed = grep { /^ERROR / } @$off, @$on;

	$with_node++ if grep { /RoformerBatch/ } @$plan;
	$with_error++ if $failed;
	$with_rows++ if !$failed && @$off > 1;
	if (!$case->{ordered})
	{
		# which of several workers stops first, and where, is left to chance
		$undecided++, return if $failed;
		($off, $on) = ([ sort @$off ], [ sort @$on ]);
	}
	return if join("\n", @$off) eq join("\n", @$on);
	$other_error++, return if is_other_error($off, $on);
	push @different, { number => $number, case => $case, off => $off, on => $on, plan => $plan };
}

note("seed $seed, $cases cases");
seed_queries($seed);
for (my $first = 1; $first <= $cases; $first += $chunk)
{
	my $last = $first + $chunk - 1 < $cases ? $first + $chunk - 1 : $cases;
	my %case = map { $_ => random_case() } $first .. $last;
	my ($errors, %output) = run_script(join('', map { script_of($_, $case{$_}) } $first .. $last));

	compare($_, $case{$_}, \%output) for $first .. $last;
	fail("the server closed the connection in cases $first to $last"), diag($errors), last if $errors =~ /server closed the connection|connection to server was lost/;
}

# ---- what came out -----------------------------------------------------------------------------

sub show
{
	my ($found) = @_;
	my @off = @{ $found->{off} };
	my @on = @{ $found->{on} };
	my $at = first_difference(\@off, \@on);

	diag("case $found->{number}, seed $seed ($found->{case}{mode}):");
	diag("  $_;") for @{ $found->{case}{settings} }, @{ $found->{case}{prepare} }, @{ $found->{case}{statements} };
	diag("  from line $at of " . @off . " without the node, " . @on . ' with it:');
	diag('  - ' . ($off[$_] // '(end)') . "\n  + " . ($on[$_] // '(end)')) for $at .. $at + 2;
	diag("  $_") for @{ $found->{plan} };
}

note("$with_node with the node, $with_rows with rows and no error, $with_error with errors, $other_error with another, $undecided undecided");
is(scalar(@different), 0, 'the batch scan changes nothing');
show($_) for splice @different, 0, 5;
cmp_ok($with_node, '>', 0.5 * $cases, 'most plans have the node');
cmp_ok($with_rows, '>', 0.4 * $cases, 'many statements give rows');
cmp_ok($with_error, '>', 0.05 * $cases, 'some fail');
cmp_ok($undecided, '<', 0.05 * $cases, 'few are not compared');
cmp_ok($other_error, '<', 0.01 * $cases, 'nearly all with the same error');
is($node->safe_psql('postgres', 'SELECT coalesce(sum(pins), 0) FROM roformer.cache'), '0', 'no model is held');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'no temporary file is left');
is(join("\n", grep { /PANIC|TRAP|terminated by signal|WARNING:/ } split /\n/, slurp_file($node->logfile)), '', 'the server has nothing to complain about');

$node->stop;
done_testing();
