# The precision that "auto" takes follows what the model decides on its probe; and what is said where a set of kernels or a
# precision can't be had.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('precision');
# One output and nothing to decide.
load_random($node, 'sure', hidden => 256, layers => 1, heads => 4, labels => 1);

sub sql { $node->safe_psql('postgres', $_[0]) }

# What a session with these settings computes the model in.
sub precision_of
{
	my ($model, $settings) = @_;
	return sql("SELECT roformer.evict('$model'); $settings SELECT roformer.prewarm('$model');
		SELECT precision FROM roformer.cache WHERE model = '$model'") =~ s/.*\n//sr;
}

sub agreement { sql("SELECT deviations->'bf16'->>'agreement' FROM roformer.models WHERE name = '$_[0]'") }

# ---- the guard ---------------------------------------------------------------------------------

my $auto = "SET roformer.precision = 'auto';";
my $preferred = precision_of('sure', $auto);
note("auto is $preferred where nothing speaks against it");
is(agreement('sure'), 1, 'a model that decides nothing agrees');
sql("UPDATE _roformer.model SET deviations[4] = 0.9991 WHERE name = 'sure'");
is(precision_of('sure', $auto), $preferred, '99.91 % is enough');
sql("UPDATE _roformer.model SET deviations[4] = 0.9989 WHERE name = 'sure'");
is(precision_of('sure', $auto), 'fp32', '99.89 % is not');
sql("SELECT roformer.check_model('sure', '{a}')");
is(precision_of('sure', $auto), $preferred, 'check_model measures anew');

# Each of 200 labels is decided by itself, and random weights put some logits near 0: the first such model that decides
# otherwise in bf16.
foreach my $seed (1 .. 20)
{
	sql("SELECT roformer.drop_model('close')") if $seed > 1;
	load_random($node, 'close', hidden => 256, layers => 2, heads => 4, labels => 200, seed => $seed,
		config => ', "problem_type": "multi_label_classification"');
	last if agreement('close') < 0.999;
}
cmp_ok(agreement('close'), '<', 0.999, 'close decisions differ in bf16');
is(precision_of('close', $auto), 'fp32', 'so that auto is fp32');
is(precision_of('close', "SET roformer.precision = 'bf16';"), 'bf16', 'unless one asks for bf16');
is(precision_of('close', ''), 'fp32', 'the server has fp32 for its default');

# Texts on which the model decides alike. The first such of these will do.
my $text = sql(q{
	DO $$
	DECLARE
		word text;
	BEGIN
		CREATE TABLE chosen (word text);
		FOR word IN SELECT repeat(chr(97 + n), 1 + n) FROM generate_series(0, 25) AS n LOOP
			PERFORM roformer.check_model('close', ARRAY[word]);
			IF (SELECT deviations->'bf16'->>'agreement' FROM roformer.models WHERE name = 'close') = '1' THEN
				INSERT INTO chosen VALUES (word);
				RETURN;
			END IF;
		END LOOP;
	END $$;
	SELECT word FROM chosen});
isnt($text, '', 'check_model with a text on which bf16 agrees');
is(agreement('close'), 1, 'is what counts now');
is(precision_of('close', $auto), $preferred, 'for auto too');
sql("SELECT roformer.set_model_option('close', 'precision', 'int8')");
is(precision_of('close', $auto), 'int8', 'a precision as the model\'s option is obeyed, whatever its probe says');
sql("SELECT roformer.set_model_option('close', 'precision', NULL)");

# ---- what can't be had -------------------------------------------------------------------------

# SQLSTATE, message, detail and hint of a statement that must fail.
sub complaint
{
	my ($statements) = @_;
	my ($rc, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statements");
	my @said = grep { /^(psql.*)?(ERROR|DETAIL|HINT)/ } split /\n/, $stderr;

	s/^psql:\S+ // foreach @said;
	note(join "\n", @said);
	return join "\n", @said;
}
my $classify = "SELECT roformer.classify_all('close', 'a')";

like(complaint("SET roformer.kernels = 'abacus'"),
	qr/ERROR:  22023: unknown kernel set "abacus"\nHINT:  Known are "auto",.*"avx2".*"ref" and "blas"/, 'an unknown set');
like(complaint("SET roformer.precision = 'fp16'"),
	qr/ERROR:  22023: invalid value for parameter "roformer.precision": "fp16"\nHINT:  Available values: auto, fp32, bf16, int8/, 'an unknown precision');
like(complaint("SELECT roformer.set_model_option('close', 'precision', 'fp16')"),
	qr/ERROR:  22023: .*"fp16"\n.*auto, fp32, bf16 or int8/, 'an unknown precision of a model');

my $lacking = sql('SELECT kernels FROM roformer.cpu_info() WHERE NOT available LIMIT 1');
SKIP:
{
	skip 'this machine has all sets of kernels', 2 if $lacking eq '';
	my $reason = sql("SELECT reason FROM roformer.cpu_info() WHERE kernels = '$lacking'");
	like(complaint("SET roformer.kernels = '$lacking'"),
		qr/ERROR:  22023: kernel set "$lacking" can't be used here: \Q$reason\E\nHINT:  This machine has .*"ref"; "auto" takes "/, "a set this machine lacks ($lacking)");
	is(sql("SELECT precisions IS NULL AND NOT chosen FROM roformer.cpu_info() WHERE kernels = '$lacking'"), 't', 'cpu_info shows it');
}

SKIP:
{
	skip 'OpenBLAS is not installed', 6 unless sql("SELECT available FROM roformer.cpu_info() WHERE kernels = 'blas'") eq 't';
	my $refusal = qr/ERROR:  0A000: kernel set "blas" has no precision "int8"\nHINT:  .*fp32/;
	like(complaint("SET roformer.kernels = 'blas'; SET roformer.precision = 'int8'; $classify"), $refusal, 'a precision the set lacks');
	like(complaint("SET roformer.kernels = 'blas'; SET roformer.precision = 'int8'; SELECT roformer.prewarm('close')"), $refusal, 'of prewarm');
	like(complaint("SET roformer.kernels = 'blas'; SET roformer.precision = 'int8'; EXPLAIN (ANALYZE) SELECT roformer.classify_all('close', t) FROM unnest('{a,b}'::text[]) AS t"),
		$refusal, 'of EXPLAIN ANALYZE');
	sql("SELECT roformer.set_model_option('close', 'precision', 'int8')");
	like(complaint("SET roformer.kernels = 'blas'; RESET roformer.precision; SET roformer.precision = 'auto'; $classify"), $refusal, 'asked for by the model\'s option');
	sql("SELECT roformer.set_model_option('close', 'precision', NULL)");
	is(precision_of('sure', "SET roformer.kernels = 'blas'; $auto"), 'fp32', 'auto is fp32 then');
	like(sql("SET roformer.kernels = 'blas'; $auto EXPLAIN (ANALYZE) SELECT roformer.classify_all('close', t) FROM unnest('{a,b}'::text[]) AS t"),
		qr/blas/, 'which EXPLAIN shows');
	note(sql("SET roformer.kernels = 'blas'; $auto EXPLAIN (ANALYZE) SELECT roformer.classify_all('close', t) FROM unnest('{a,b}'::text[]) AS t"));
}

# The configuration file is read where no kernels are tried out: the server starts, and sessions say what is wrong.
foreach my $wrong ('abacus', $lacking)
{
	next if $wrong eq '';
	$node->append_conf('postgresql.conf', "roformer.kernels = '$wrong'");
	$node->restart;
	is(sql('SELECT 1'), 1, "a server with kernels \"$wrong\" in its configuration starts");
	like(complaint($classify), qr/ERROR:  (22023: unknown kernel set "abacus"|0A000: kernel set "$lacking" can't be used here: .*)\nHINT:  /, 'using it is an error');
	like(complaint("SELECT * FROM roformer.cpu_info()"), qr/ERROR:  /, 'cpu_info');
	is(sql("SET roformer.kernels = 'auto'; SELECT count(*) FROM roformer.cpu_info() WHERE chosen"), '1', 'a session can set it right');
}

$node->stop;
done_testing();
