# What the tests of whole servers share: models with random weights, servers to load them into, and looks at other
# backends: what they wait for, what they hold, how much memory is theirs.
package RoformerTest;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  start_server write_model load_random
  start_session start_query finish_query query_error block_loading wait_for_state
  cache_rows private_kb seconds_of
);

# A server with the extension created in database postgres. Options: preload (default 1), cache_size (default
# 256MB), conf (further lines), init (further arguments to init).
sub start_server
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ], @{ $option{init} // [] });
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'roformer'")
	  if $option{preload} // 1;
	$node->append_conf('postgresql.conf', 'roformer.cache_size = ' . ($option{cache_size} // '256MB'));
	$node->append_conf('postgresql.conf', "max_wal_size = 4GB\nmax_parallel_workers_per_gather = 0");
	# reference outputs are compared with fp32, whatever this machine would choose
	$node->append_conf('postgresql.conf', "roformer.precision = 'fp32'");
	$node->append_conf('postgresql.conf', $option{conf}) if $option{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION roformer');
	return $node;
}

# ---- models ------------------------------------------------------------------------------------

# Shapes of a sequence classifier, as a checkpoint of the reference implementation names them.
sub shapes_of
{
	my (%m) = @_;
	my ($h, $i) = ($m{hidden}, $m{intermediate});
	my %shape = (
		'roformer.embeddings.word_embeddings.weight' => [ $m{vocab}, $h ],
		'roformer.embeddings.token_type_embeddings.weight' => [ 2, $h ],
		'roformer.embeddings.LayerNorm.weight' => [$h],
		'roformer.embeddings.LayerNorm.bias' => [$h],
		'classifier.dense.weight' => [ $h, $h ],
		'classifier.dense.bias' => [$h],
		'classifier.out_proj.weight' => [ $m{labels}, $h ],
		'classifier.out_proj.bias' => [ $m{labels} ]);
	for my $layer (0 .. $m{layers} - 1)
	{
		my $l = "roformer.encoder.layer.$layer";
		for my $square (qw(attention.self.query attention.self.key attention.self.value attention.output.dense))
		{
			$shape{"$l.$square.weight"} = [ $h, $h ];
			$shape{"$l.$square.bias"} = [$h];
		}
		$shape{"$l.intermediate.dense.weight"} = [ $i, $h ];
		$shape{"$l.intermediate.dense.bias"} = [$i];
		$shape{"$l.output.dense.weight"} = [ $h, $i ];
		$shape{"$l.output.dense.bias"} = [$h];
		$shape{"$l.$_.LayerNorm.weight"} = $shape{"$l.$_.LayerNorm.bias"} = [$h] for qw(attention.output output);
	}
	return %shape;
}

sub elements
{
	my $n = 1;
	$n *= $_ for @_;
	return $n;
}

# Weights come from a pool of random numbers read round and round: its length is prime, so that no two rows of a
# matrix are alike, and a model of 100 million parameters is written in a second.
sub write_tensors
{
	my ($path, $seed, %shape) = @_;
	my @names = sort keys %shape;
	my ($offset, @entries) = (0);

	for my $name (@names)
	{
		my $bytes = 4 * elements(@{ $shape{$name} });
		push @entries, sprintf('"%s":{"dtype":"F32","shape":[%s],"data_offsets":[%d,%d]}',
			$name, join(',', @{ $shape{$name} }), $offset, $offset + $bytes);
		$offset += $bytes;
	}
	my $header = '{' . join(',', @entries) . '}';
	$header .= ' ' x (-length($header) % 8);

	srand($seed);
	my $pool = pack('f<*', map { (rand() - 0.5) * 0.1 } 1 .. 1_000_003);
	my $at = 0;
	open(my $file, '>:raw', $path) or die "could not create $path: $!";
	print $file pack('Q<', length $header), $header;
	for my $name (@names)
	{
		my $left = 4 * elements(@{ $shape{$name} });
		if ($name =~ /LayerNorm\.weight$/)
		{
			print $file pack('f<*', (1) x ($left / 4));
			next;
		}
		while ($left > 0)
		{
			my $part = length($pool) - $at;
			$part = $left if $part > $left;
			print $file substr($pool, $at, $part);
			$left -= $part;
			$at = ($at + $part) % length($pool);
		}
	}
	close($file) or die "could not write $path: $!";
}

# A model directory. Options and their defaults: see below; parameters() says how large it gets.
sub write_model
{
	my ($directory, %option) = @_;
	my %m = (hidden => 32, layers => 1, heads => 2, vocab => 100, labels => 3, seed => 1, config => '', %option);
	$m{intermediate} //= 4 * $m{hidden};

	mkdir $directory or die "could not create $directory: $!";
	append_to_file("$directory/config.json", <<"JSON");
{"architectures": ["RoFormerForSequenceClassification"], "model_type": "roformer", "hidden_act": "gelu",
 "vocab_size": $m{vocab}, "embedding_size": $m{hidden}, "hidden_size": $m{hidden}, "num_hidden_layers": $m{layers},
 "num_attention_heads": $m{heads}, "intermediate_size": $m{intermediate}, "max_position_embeddings": 1536,
 "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0, "rotary_value": false,
 "id2label": {@{[ join ', ', map { qq("$_": "label$_") } 0 .. $m{labels} - 1 ]}}$m{config}}
JSON
	my @letters = ('a' .. 'z', map { "##$_" } 'a' .. 'z');
	my @words = (qw([PAD] [UNK] [CLS] [SEP] [MASK]), @letters);
	push @words, map { "word$_" } @words + 1 .. $m{vocab};
	append_to_file("$directory/vocab.txt", join('', map { "$_\n" } @words[ 0 .. $m{vocab} - 1 ]));
	append_to_file("$directory/tokenizer_config.json", qq({"tokenizer_class": "BertTokenizer", "do_lower_case": true}\n));
	write_tensors("$directory/model.safetensors", $m{seed}, shapes_of(%m));
}

# Writes a random model and loads it under a name; options as write_model's, and database.
sub load_random
{
	my ($node, $name, %option) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir() . "/$name";
	my $database = delete $option{database} // 'postgres';

	write_model($directory, %option);
	$node->safe_psql($database, "SELECT roformer.load_model('$name', '$directory')");
	return $directory;
}

# ---- sessions ----------------------------------------------------------------------------------

# A session that stays, and its process id.
sub start_session
{
	my ($node, $database) = @_;
	my $session = $node->background_psql($database // 'postgres', on_error_stop => 0);

	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

# Starts a query in a background session without waiting for its end.
sub start_query
{
	my ($session, $query) = @_;
	$session->query_until(qr/started/, "\\echo started\n$query;\n");
}

# Its result and, in list context, what it said on stderr.
sub finish_query
{
	my ($session) = @_;
	my $result = $session->query(q(SELECT 'finished')) =~ s/\n?finished$//r;
	my $error = $session->{stderr};

	$session->{stderr} = '';
	return wantarray ? ($result, $error) : $result;
}

# What a query that fails says.
sub query_error
{
	my ($session, $query) = @_;
	$session->query($query);
	my $error = $session->{stderr};
	$session->{stderr} = '';
	return $error;
}

# Holds up every load, in the middle of it, until the session returned is told to COMMIT: a loader has claimed
# its cache entry before it opens the table of the weights.
sub block_loading
{
	my ($node, $database) = @_;
	my ($session) = start_session($node, $database);

	$session->query_safe('BEGIN');
	$session->query_safe('LOCK TABLE _roformer.model_chunk IN ACCESS EXCLUSIVE MODE');
	return $session;
}

# Waits until a backend is what it should be: 'loader' holds the claim and is stopped by block_loading, 'waiter' sleeps
# until somebody else's load ends, 'computing', 'gone'.
sub wait_for_state
{
	my ($node, $pid, $state) = @_;
	my %condition = (
		loader => "wait_event_type = 'Lock'",
		waiter => "wait_event_type = 'Extension'",
		computing => "state = 'active' AND wait_event IS NULL");
	my $query = $state eq 'gone'
	  ? "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)"
	  : "SELECT $condition{$state} FROM pg_stat_activity WHERE pid = $pid";

	$node->poll_query_until('postgres', $query) or die "backend $pid is no $state";
}

# ---- looks -------------------------------------------------------------------------------------

# "model state pins", a line each, of what the cache holds.
sub cache_rows
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		q(SELECT format('%s %s %s', model, state, pins) FROM roformer.cache ORDER BY model, state));
}

# Memory that only this process has, in kB.
sub private_kb
{
	my ($pid) = @_;
	my $kb = 0;
	open(my $file, '<', "/proc/$pid/smaps_rollup") or return undef;
	while (my $line = <$file>)
	{
		$kb += $1 if $line =~ /^Private_(?:Clean|Dirty):\s+(\d+) kB/;
	}
	return $kb;
}

sub seconds_of
{
	my ($code) = @_;
	my $start = time;
	$code->();
	return time - $start;
}

1;
