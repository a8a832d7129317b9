#!/usr/bin/perl
# Guards the architecture: parses the #include lines of src/ and include/ and fails on one that points upwards or
# sideways, on a PostgreSQL header in the engine, and on files and functions grown too long. TAP output.
use strict;
use warnings;
use File::Find;
use File::Spec;

# A floor includes its own module and lower floors. What isn't named here has no place yet.
my %floor = (
	'base' => 0, 'kernels' => 1, 'tensor' => 2, 'tokenizer' => 3, 'checkpoint' => 3, 'foreign' => 4, 'model' => 4, 'engine' => 5,
	'pg/support' => 6, 'pg/catalog' => 7, 'pg/cache' => 7, 'pg/stats' => 7, 'pg/batch' => 7, 'pg/session' => 8,
	'pg/fn' => 9, 'pg/trigger' => 9, 'pg/scan' => 9, 'roformer' => 10, 'client' => 11);
my $first_server_floor = 6;

# Public headers whose name is not that of their module.
my %header_module = (
	'rf/status.h' => 'base', 'rf/memory.h' => 'base', 'rf/utf8.h' => 'base', 'rf/json.h' => 'base', 'rf/checksum.h' => 'base',
	'rf/spec.h' => 'model', 'rf/content.h' => 'model', 'rf/digest.h' => 'model', 'rf/image.h' => 'model', 'pg/compat.h' => 'pg/support');

# The client program stands on the engine as the server does, and knows nothing of the server.
# All that either may know of the engine.
my %engine_door = map { $_ => 1 } qw(rf/engine.h rf/status.h rf/memory.h rf/kernels.h);
# Formats whose libraries must not be in a server process.
my %client_door = ('rf/foreign.h' => 1);

my $max_file_lines = 1000;
my $max_function_lines = 150;

sub module_of
{
	my ($path) = @_;
	return 'roformer' if $path eq 'src/roformer.c';
	return "pg/$1" if $path =~ m{^src/pg/([^/]+)/};
	return $1 if $path =~ m{^src/([^/]+)/};
	my ($header) = $path =~ m{^include/(.+)$} or return undef;
	return $header_module{$header} if $header_module{$header};
	return $1 if $header =~ m{^rf/(\w+)\.h$} && exists $floor{$1};
	return "pg/$1" if $header =~ m{^pg/(\w+)\.h$};
	return undef;
}

# The file of the tree that an include means, or nothing for headers from elsewhere.
sub resolve
{
	my ($from, $name) = @_;
	(my $directory = $from) =~ s{/[^/]*$}{};
	for my $candidate ("$directory/$name", "include/$name")
	{
		next unless -e $candidate;
		my @parts;
		for my $part (split m{/}, $candidate)
		{
			if ($part eq '..') { pop @parts }
			else { push @parts, $part }
		}
		return join '/', @parts;
	}
	return undef;
}

sub lines_of
{
	my ($path) = @_;
	open my $file, '<', $path or die "$path: $!";
	return <$file>;
}

my (@sources, @edges, @postgres, @doors, @homeless, @long_files, @long_functions, @markers, @flags);

find({ no_chdir => 1, wanted => sub { push @sources, $_ if /\.[ch]$/ } }, 'src', 'include');
for my $path (sort @sources)
{
	my $module = module_of($path);
	if (!defined $module || !exists $floor{$module})
	{
		push @homeless, "$path belongs to no floor";
		next;
	}
	my $is_engine = $floor{$module} < $first_server_floor;
	my @lines = lines_of($path);
	my $opened;
	for my $n (1 .. @lines)
	{
		my $line = $lines[$n - 1];
		$opened = $n if $line =~ /^\{/;
		if ($line =~ /^\}/ && $opened)
		{
			push @long_functions, "$path:$opened: " . ($n - $opened + 1) . ' lines'
			  if $n - $opened + 1 > $max_function_lines && $module ne 'kernels' && $line !~ /;/;
			undef $opened;
		}
		next unless $line =~ /^\s*#\s*include\s*(["<])([^">]+)[">]/;
		my ($kind, $name) = ($1, $2);
		my $target = resolve($path, $name);
		if (!defined $target)
		{
			push @postgres, "$path:$n: $name"
			  if $is_engine && ($kind eq '"' || $name =~ m{^(postgres|fmgr|c\.h|miscadmin|(utils|storage|catalog|access|nodes|lib|mb|common|port)/)});
			next;
		}
		my $other = module_of($target);
		if (!defined $other || !exists $floor{$other})
		{
			push @homeless, "$path:$n: $name belongs to no floor";
			next;
		}
		next if $other eq $module;
		push @edges, "$path:$n: $module (floor $floor{$module}) includes $name of $other (floor $floor{$other})"
		  if $floor{$other} >= $floor{$module} || $module eq 'client' && $floor{$other} >= $first_server_floor;
		push @doors, "$path:$n: $name"
		  if !$is_engine && $floor{$other} < $first_server_floor && !$engine_door{$name} &&
		  !($module eq 'client' && $client_door{$name});
	}
	push @long_files, "$path: " . scalar(@lines) . ' lines'
	  if @lines > $max_file_lines && $path !~ m{unicode_tables|/(avx2|avx512|amx)/};
}

my $marker = join '|', map { $_->[0] . $_->[1] } ['TO', 'DO'], ['FIX', 'ME'], ['XX', 'X'], ['HA', 'CK'];
my @texts = ('Makefile');
find({ no_chdir => 1, wanted => sub {
		push @texts, $_ if -f && /\.(c|h|sql|sh|pl|mk|spec)$/ && !m{^test/golden/data/};
	} }, grep { -d } qw(src include sql test demo bench));
for my $path (sort @texts)
{
	my $n = 0;
	for my $line (lines_of($path))
	{
		$n++;
		push @markers, "$path:$n" if $line =~ /\b($marker)\b/;
		push @flags, "$path:$n" if $path =~ /(Makefile|\.mk)$/ && $line !~ /^\s*#/ && $line =~ /-ffast-math|-Ofast|-march=native/;
	}
}

my @checks = (
	['includes point down only', \@edges],
	['every file has a floor', \@homeless],
	['the engine includes no PostgreSQL header', \@postgres],
	['server and client see the engine through its public door', \@doors],
	["no file over $max_file_lines lines", \@long_files],
	["no function over $max_function_lines lines outside kernels", \@long_functions],
	['no left-over markers', \@markers],
	['no flags that bend arithmetic or bind to one CPU', \@flags]);

my $failed = 0;
print '1..', scalar(@checks), "\n";
for my $i (0 .. $#checks)
{
	my ($name, $found) = @{ $checks[$i] };
	print @$found ? 'not ok ' : 'ok ', $i + 1, " - $name\n";
	print "#   $_\n" for @$found;
	$failed ||= @$found;
}
exit($failed ? 1 : 0);
