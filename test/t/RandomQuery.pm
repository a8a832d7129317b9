# Random statements that call inference functions, over the tables that schema() makes. The same seed gives the same
# statements, on every machine.
#
# A relation, whatever it is made of, has the columns of @columns, so that every one can stand wherever another can. An
# expression may fail for some rows (a text too long, a division by zero, an unknown model): that is what is tested.
package RandomQuery;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(schema seed_queries random_case);

my @columns = qw(id n k body note);
my @joins = ('JOIN', 'JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN');

# What the statement that is being made may have.
my (%may, $aliases);
our @ctes;

sub seed_queries { srand(shift) }
sub pick { $_[ int rand @_ ] }
sub chance { rand() < $_[0] }
sub several { my ($n, $code) = @_; return map { $code->($_) } 1 .. $n }
sub alias { 't' . ++$aliases }

# ---- tables ------------------------------------------------------------------------------------

# Texts of few tokens (each letter is one) with some that come often, none at all, and some too long.
sub schema
{
	my $rows = q{id, (id * 7) % 5 AS n, (ARRAY['a', 'b', NULL, 'label0', 'label1'])[id % 5 + 1] AS k,
		CASE WHEN id % 11 = 5 THEN NULL WHEN id % 9 = 4 THEN '' WHEN id % 17 = 16 THEN repeat('long text ', id % 4 + 3)
			WHEN id % 4 = 0 THEN 'again' ELSE (ARRAY['hey', 'you there', 'ab', 'x'])[id % 4 + 1] || chr(97 + id % 20) END AS body,
		(ARRAY['7', 'x y', '', NULL, 'again', '12'])[id % 6 + 1] AS note};
	my $definition = 'id int, n int, k text, body text, note text';

	return qq{
		CREATE TABLE a ($definition);
		INSERT INTO a SELECT $rows FROM generate_series(1, 40) AS id;
		ALTER TABLE a ADD PRIMARY KEY (id);
		CREATE TABLE b AS SELECT $rows FROM generate_series(14, 25) AS id;
		CREATE TABLE p ($definition) PARTITION BY RANGE (id);
		CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (15);
		CREATE TABLE p_2 (note text, gone int, body text, k text, id int, n int);
		ALTER TABLE p_2 DROP COLUMN gone;
		ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES FROM (15) TO (100);
		INSERT INTO p SELECT $rows FROM generate_series(1, 30) AS id;
		CREATE INDEX ON p (id);
		CREATE TABLE wide AS SELECT $rows FROM generate_series(20, 28) AS id;
		UPDATE wide SET body = (SELECT string_agg(md5(id::text || i), ' ') FROM generate_series(1, 300) AS i) WHERE id = 23;
		CREATE VIEW plain AS SELECT id, n, roformer.classify('tiny', body) AS k, body, note FROM a WHERE id % 3 > 0;
		CREATE VIEW barrier WITH (security_barrier) AS SELECT id, n, k, body, note FROM a WHERE body NOT LIKE 'long%' AND roformer.classify('tiny', left(body, 3)) <> 'label2';
		CREATE TABLE secured AS SELECT * FROM a;
		ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
		CREATE POLICY short ON secured USING (body NOT LIKE 'long%' AND roformer.classify_score('tiny', body, 'label0') > 0.1);
		CREATE SEQUENCE ticks;
		CREATE FUNCTION tick(value int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN PERFORM nextval(''ticks''); RETURN value; END';
		CREATE FUNCTION wrapped(body text) RETURNS text LANGUAGE sql STABLE AS 'SELECT roformer.classify(''tiny'', body)';
		CREATE FUNCTION inner_call(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN roformer.classify(''tiny'', body || ''i''); END';
		CREATE FUNCTION caught(body text) RETURNS text LANGUAGE plpgsql STABLE AS
			'BEGIN RETURN roformer.classify(''tiny'', body); EXCEPTION WHEN string_data_right_truncation THEN RETURN (SELECT roformer.classify(''tiny'', left(min(b.body), 3)) FROM b); END';
		CREATE ROLE reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
		GRANT USAGE ON SCHEMA roformer TO reader;
		ANALYZE;
	};
}

# ---- expressions over the relations in scope ---------------------------------------------------

sub column
{
	my ($scope, @names) = @_;
	return pick(@$scope) . '.' . pick(@names);
}

sub text_of
{
	my ($scope, $depth) = @_;
	my $column = column($scope, 'body', 'body', 'body', 'note', 'k');
	my $other = column($scope, qw(body note k));

	return $column if $depth <= 0 || chance(0.5);
	return pick(
		"$column || $other", "left($column, @{[ 1 + int rand 9 ]})", "coalesce($column, $other, 'none')", "upper($column)",
		"concat($column, ' ', $other)", "substr($column, 2)", "@{[ column($scope, 'id', 'n') ]}::text", "replace($column, 'a', 'o')",
		"CASE WHEN @{[ cheap($scope) ]} THEN $column ELSE $other END", "nullif($column, $other)", "(to_jsonb($column)->>0)", "left($column, @{[ column($scope, 'n') ]})",
		"repeat($column, 2)", "@{[ call($scope, $depth - 1, 'text') ]}", "'constant'", "(SELECT min(b.body) FROM b WHERE b.id <= @{[ column($scope, 'id') ]})");
}

sub model
{
	my ($scope) = @_;
	return "'missing'" if $may{fail} && chance(0.01);
	return "CASE WHEN @{[ cheap($scope) ]} THEN 'tiny' ELSE 'other' END" if chance(0.03);
	return pick("'tiny'", "'tiny'", "'tiny'", "'other'");
}

# A call with a result of the type: text, real or text of something larger.
sub call
{
	my ($scope, $depth, $type) = @_;
	my $model = model($scope);
	my $text = text_of($scope, $depth);
	my $pair = text_of($scope, 0);

	return pick("roformer.classify($model, $text)", "roformer.classify($model, $text)", "roformer.classify($model, $text, $pair)",
		"wrapped($text)", "inner_call($text)", "caught($text)")
	  if $type eq 'text';
	return pick("roformer.classify_score($model, $text, 'label1')", "roformer.classify_score($model, $text, 'label' || @{[ column($scope, 'id') ]} % 3)",
		"roformer.similarity($model, $text, $pair)", "(roformer.embed($model, $text))[1]")
	  if $type eq 'real';
	return pick("roformer.classify_all($model, $text)::text", "roformer.embed($model, $text, '@{[ pick(qw(mean max cls)) ]}')::text",
		"roformer.logits($model, $text, $pair)::text", "md5(roformer.hidden_state($model, $text)::text)", "roformer.tag('tagger', $text)::text",
		"(roformer.fill_mask('filler', $text || ' [MASK]', 2))[1]::text", "roformer.regress('number', $text)::text");
}

sub value
{
	my ($scope, $depth) = @_;
	my $call = call($scope, $depth, pick(qw(text text real large)));

	return $call if chance(0.6);
	return pick(
		"CASE WHEN @{[ condition($scope, 0) ]} THEN $call END", "coalesce(@{[ call($scope, 0, 'text') ]}, $call\::text)", "length($call\::text)",
		"($call IS NULL)", "ARRAY[$call]::text", column($scope, @columns), "(SELECT $call OFFSET 0)",
		"(SELECT max(roformer.classify('tiny', @{[ text_of($scope, 0) ]}, b.body)) FROM b WHERE b.k = @{[ column($scope, 'k') ]})",
		$may{volatile} ? "tick(@{[ column($scope, 'id') ]})" : "abs(@{[ column($scope, 'id') ]})");
}

sub cheap
{
	my ($scope) = @_;
	my ($id, $k, $body) = map { column($scope, $_) } qw(id k body);

	return "tick($id) > @{[ int rand 20 ]}" if $may{volatile} && chance(0.1);
	return pick("100 / ($id - 7) > 1", "@{[ column($scope, 'note') ]}::int > 3") if $may{fail} && chance(0.05);
	return pick("$id % @{[ 2 + int rand 3 ]} = 0", "$id < @{[ int rand 45 ]}", "$body IS NOT NULL", "$body NOT LIKE 'long%'", "$k = 'a'", "$k IS NULL", "$body LIKE '%a%'",
		"$id IN (SELECT id FROM b)", "length($body) < 10", "true");
}

sub condition
{
	my ($scope, $depth) = @_;

	return cheap($scope) if chance(0.4);
	if ($depth > 0 && chance(0.4))
	{
		my ($left, $right) = (condition($scope, $depth - 1), condition($scope, $depth - 1));
		return pick("($left AND $right)", "($left AND $right)", "($left OR $right)", "NOT ($left)");
	}
	return pick(
		"@{[ call($scope, $depth, 'text') ]} = '@{[ pick(qw(label0 label1 label2)) ]}'", "@{[ call($scope, $depth, 'text') ]} <> @{[ column($scope, 'k') ]}",
		"@{[ call($scope, $depth, 'real') ]} > @{[ pick('0.2', '0.33', '0.5') ]}",
		"EXISTS (SELECT FROM b WHERE @{[ call([ @$scope, 'b' ], 0, 'text') ]} = 'label1' AND b.id <= @{[ column($scope, 'id') ]})",
		"@{[ call($scope, 0, 'text') ]} @{[ pick('IN', 'NOT IN') ]} (SELECT @{[ call(['b'], 0, 'text') ]} FROM b WHERE b.id < 17)",
		"@{[ call($scope, 0, 'text') ]} = ANY (ARRAY['label1', @{[ column($scope, 'k') ]}])",
		"@{[ call($scope, 0, 'real') ]} >= ALL (SELECT @{[ call(['b'], 0, 'real') ]} FROM b WHERE b.n = @{[ column($scope, 'n') ]})");
}

# ---- relations ---------------------------------------------------------------------------------

# A query with the columns every relation has; outer are relations it may refer to.
sub derived
{
	my ($outer, $depth) = @_;
	my ($from, @own) = from($depth - 1, 1);
	my $scope = [ @own, @$outer ];
	my %column = map { $_ => "$own[0].$_" } @columns;

	$column{$_} = "@{[ call($scope, 0, 'text') ]} " for grep { chance(0.4) } qw(k note);
	my $query = 'SELECT ' . join(', ', map { "$column{$_} AS $_" } @columns) . " FROM $from";
	$query .= ' WHERE ' . condition($scope, 1) if chance(0.5);
	if (chance(0.15))
	{
		$query = "SELECT min(s.id) AS id, s.n, s.k, max(s.body) AS body, min(s.note) AS note FROM ($query) AS s GROUP BY s.n, s.k";
	}
	$query .= ' ' . pick('OFFSET 0', $may{limit} ? ('LIMIT ' . int rand 9, 'OFFSET ' . int rand 4) : ()) if chance(0.3);
	return $query;
}

sub base { my ($alias) = @_; return pick('a', 'a', 'a', 'b', 'p', 'p', 'wide', 'plain', 'barrier', 'secured') . " AS $alias" }

sub relation
{
	my ($outer, $depth) = @_;
	my $alias = alias();

	return (base($alias), $alias) if $depth <= 0 || chance(0.6);
	return (pick(@ctes) . " AS $alias", $alias) if @ctes && chance(0.4);
	return ("(VALUES (1, 2, 'a', 'hey', 'x'), (2, 3, NULL, NULL, ''), (3, 4, 'b', 'again', '7')) AS $alias (id, n, k, body, note)", $alias) if chance(0.1);
	return ("(SELECT i AS id, i % 5 AS n, 'k' AS k, i::text || 'y' AS body, i::text AS note FROM generate_series(1, @{[ int rand 12 ]}) AS i) AS $alias", $alias) if chance(0.1);
	return ('(' . derived([], $depth) . ") AS $alias", $alias);
}

# Relations joined, and their names.
sub from
{
	my ($depth, $most) = @_;
	my ($from, @scope) = relation([], $depth);

	for (2 .. 1 + int rand $most)
	{
		my ($left, $alias) = (pick(@scope));
		if (chance(0.25))
		{
			$alias = alias();
			my $lateral = chance(0.4)
			  ? "SELECT $left.id, e.n::int, label AS k, $left.body, score::text AS note FROM unnest(roformer.classify_all('tiny', @{[ text_of(\@scope, 0) ]})) WITH ORDINALITY AS e (label, score, n)"
			  : derived(\@scope, $depth) ;
			$from .= pick(" CROSS JOIN LATERAL ($lateral) AS $alias", " LEFT JOIN LATERAL ($lateral) AS $alias ON " . pick('true', "$left.id % 2 = 0"));
			push @scope, $alias;
			next;
		}
		my $join = pick(@joins);
		(my $right, $alias) = relation([], $depth - 1);
		my $on = pick("$left.id = $alias.id", "$left.id = $alias.id", "$left.id = $alias.id AND $left.n = $alias.n", "$left.body = $alias.body AND $left.id < $alias.id + 9");
		my $class = pick("$alias.k", call([$alias], 0, 'text'));
		$on = "@{[ call([$left], 0, 'text') ]} = $class AND $left.n = $alias.n AND $left.id % 2 = $alias.id % 3" if chance(0.25);
		$on .= " AND @{[ condition([ $left, $alias ], 0) ]}" if $join ne 'FULL JOIN' && chance(0.4);
		$on =~ s/ AND \S+ < .*// if $join eq 'FULL JOIN';
		$from .= " $join $right ON $on";
		push @scope, $alias;
	}
	return ($from, @scope);
}

# ---- queries -----------------------------------------------------------------------------------

sub aggregate
{
	my ($scope) = @_;
	my ($text, $real) = (call($scope, 0, 'text'), call($scope, 0, 'real'));

	return pick(
		'count(*)', "count(DISTINCT $text)", "max($text)", "min($real)", "count(*) FILTER (WHERE @{[ condition($scope, 0) ]})", "string_agg($text, ',' ORDER BY $text)",
		$may{limit} ? ("sum($real)", "string_agg($text, ',')", "array_agg($text ORDER BY $real, @{[ column($scope, 'id') ]})::text", "avg($real) FILTER (WHERE $text > 'label0')") : (),
		"roformer.classify('tiny', max(@{[ column($scope, 'body') ]}))", "percentile_disc(0.5) WITHIN GROUP (ORDER BY $real)");
}

sub grouped
{
	my ($depth) = @_;
	my ($from, @scope) = from($depth, 3);
	my @keys = several(int rand 3, sub { pick(call(\@scope, 0, 'text'), column(\@scope, qw(k n))) });
	my $query = 'SELECT ' . join(', ', @keys, several(1 + int rand 3, sub { aggregate(\@scope) })) . " FROM $from";

	$query .= ' WHERE ' . condition(\@scope, 1) if chance(0.4);
	$query .= ' GROUP BY ' . (chance(0.2) ? pick('GROUPING SETS', 'CUBE', 'ROLLUP') . ' (' . join(', ', 1 .. @keys) . ')' =~ s/(\d)/$keys[$1 - 1]/gr : join(', ', 1 .. @keys)) if @keys;
	$query .= ' HAVING ' . pick('count(*) > 1', "max(@{[ call(\@scope, 0, 'text') ]}) > 'label0'", "roformer.classify('tiny', min(@{[ column(\@scope, 'body') ]})) <> 'label0'") if chance(0.3);
	$query .= ' ORDER BY ' . join(', ', 1 .. @keys) if @keys && chance(0.4);
	return $query;
}

sub window
{
	my ($scope) = @_;
	my ($text, $real) = (call($scope, 0, 'text'), call($scope, 0, 'real'));

	return pick(
		"count(*) OVER (PARTITION BY $text)", "rank() OVER (ORDER BY $real)",
		$may{limit} ? ("row_number() OVER (ORDER BY $text)", "sum($real) OVER (ORDER BY @{[ column($scope, 'id') ]} ROWS 2 PRECEDING)", "lag($text) OVER (PARTITION BY @{[ column($scope, 'n') ]} ORDER BY @{[ column($scope, 'id') ]})") : ());
}

sub plain
{
	my ($depth) = @_;
	my ($from, @scope) = from($depth, 3);
	my @list = (column(\@scope, 'id'), several(1 + int rand 3, sub { value(\@scope, 2) }));
	my $distinct = '';

	push @list, window(\@scope) if chance(0.12);
	push @list, "unnest(roformer.classify_all('tiny', @{[ column(\@scope, 'body') ]}))" if chance(0.08);
	$distinct = 'DISTINCT ' if chance(0.08);
	$distinct = "DISTINCT ON ($list[1]) " if $may{limit} && chance(0.05);
	my $query = "SELECT $distinct" . join(', ', @list) . " FROM $from";
	$query .= ' WHERE ' . condition(\@scope, 2) if chance(0.6);
	if ($distinct =~ /ON/) { $query .= " ORDER BY $list[1], $list[0]" }
	elsif ($distinct) { $query .= ' ORDER BY 2' if chance(0.3) }
	elsif (chance(0.35)) { $query .= ' ORDER BY ' . pick('2, 1', "@{[ call(\@scope, 0, 'real') ]}, @{[ column(\@scope, 'id') ]}", column(\@scope, 'id'), "@{[ column(\@scope, 'id') ]} DESC") }
	$query .= ' LIMIT ' . int rand 12 if $may{limit} && chance(0.3);
	$query .= ' OFFSET ' . int rand 6 if $may{limit} && chance(0.1);
	return $query;
}

sub query
{
	my ($depth) = @_;
	local @ctes;
	my $with = '';

	if (chance(0.15))
	{
		my $name = 'c' . ++$aliases;
		$with = "WITH $name AS @{[ pick('', 'MATERIALIZED', 'NOT MATERIALIZED') ]} (" . derived([], 1) . ') ';
		push @ctes, $name;
	}
	if (chance(0.03) && $may{limit})
	{
		return "WITH RECURSIVE r (id, body) AS (SELECT 1, 'a' UNION ALL SELECT id + 1, left(roformer.classify('tiny', body || id::text), 6) || id FROM r WHERE id < 12) SELECT * FROM r";
	}
	if (chance(0.08))
	{
		my @sides = several(2, sub { my ($from, @scope) = from(1, 2); "SELECT @{[ column(\@scope, 'id') ]} AS id, @{[ call(\@scope, 1, 'text') ]} AS class FROM $from WHERE @{[ condition(\@scope, 1) ]}" });
		return $with . join(' ' . pick('UNION ALL', 'UNION ALL', 'UNION', 'INTERSECT', 'EXCEPT') . ' ', @sides) . ($may{limit} && chance(0.5) ? pick(' ORDER BY 1, 2 LIMIT 7', ' LIMIT 4', ' LIMIT 9') : '');
	}
	return $with . (chance(0.25) ? grouped($depth) : plain($depth));
}

# ---- statements: lists of lines for psql ---------------------------------------------------------

sub writing
{
	my @target = ('BEGIN', 'CREATE TABLE target AS SELECT * FROM a', 'ALTER TABLE target ADD PRIMARY KEY (id)');
	my ($from, @scope) = from(1, 2);
	my $source = "SELECT @{[ column(\@scope, 'id') ]} AS id, @{[ call(\@scope, 1, 'text') ]} AS class FROM $from WHERE @{[ condition(\@scope, 1) ]}";
	my $returning = chance(0.4) ? " RETURNING *, roformer.classify('tiny', note)" : '';
	my $trigger = chance(0.2) ? [ "CREATE TRIGGER classify BEFORE INSERT OR UPDATE ON target FOR EACH ROW EXECUTE FUNCTION roformer.classify_trigger('tiny', 'body', 'note')" ] : [];
	my $statement = pick(
		"INSERT INTO target (id, note) SELECT 100 + row_number() OVER (), class FROM ($source) AS x$returning",
		"INSERT INTO target (id, k) $source ON CONFLICT (id) DO UPDATE SET note = roformer.classify('tiny', target.body || excluded.k)$returning",
		"UPDATE target SET note = @{[ call(['target'], 1, 'text') ]} WHERE @{[ condition(['target'], 1) ]}$returning",
		"UPDATE target SET note = s.class FROM (SELECT DISTINCT ON (id) * FROM ($source) AS x ORDER BY id, class) AS s WHERE s.id = target.id$returning",
		"DELETE FROM target WHERE @{[ condition(['target'], 1) ]}$returning",
		"MERGE INTO target USING (SELECT id, min(class) AS class FROM ($source) AS x GROUP BY id) AS s ON target.id = s.id WHEN MATCHED AND s.class = 'label1' THEN DELETE "
		  . "WHEN MATCHED AND @{[ condition(['target'], 0) ]} THEN UPDATE SET note = s.class WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.class)",
		"CREATE TABLE made AS SELECT id, @{[ call(['a'], 2, 'text') ]} AS class FROM a WHERE @{[ condition(['a'], 1) ]}",
		"WITH gone AS (DELETE FROM target WHERE id % 3 = 0 RETURNING *), w AS ($source) SELECT w.*, gone.note, roformer.classify('tiny', gone.body) FROM w LEFT JOIN gone USING (id)");

	return { explain => $statement =~ s/^CREATE TABLE made AS //r, prepare => [ @target, @$trigger ],
		statements => [ $statement, "SELECT * FROM target ORDER BY id, note", $statement =~ /^CREATE/ ? 'SELECT * FROM made' : (), 'ROLLBACK' ] };
}

# Seven times: five plans of its own, then perhaps the generic one.
sub prepared
{
	my ($from, @scope) = from(2, 2);
	my $query = "SELECT @{[ column(\@scope, 'id') ]}, @{[ value(\@scope, 1) ]}, roformer.classify('tiny', @{[ column(\@scope, 'body') ]} || \$2) FROM $from WHERE @{[ column(\@scope, 'id') ]} > \$1 AND @{[ condition(\@scope, 1) ]}";

	$query .= pick(" LIMIT \$1", " OFFSET \$1", " ORDER BY 1, 2 LIMIT \$1 + 3") if $may{limit} && chance(0.4);
	return { explain => "EXECUTE q(3, 'z')", prepare => [ 'DEALLOCATE ALL', "PREPARE q (int, text) AS $query" ],
		statements => [ several(7, sub { "EXECUTE q(@{[ int rand 20 ]}, '@{[ pick('', 'z', 'again') ]}')" }) ] };
}

# Moves of a cursor, with other work of the transaction between them.
sub cursor
{
	my $scroll = pick('', '', 'SCROLL', 'SCROLL', 'NO SCROLL');
	my $query = chance(0.3) ? "SELECT id, roformer.classify('tiny', body) FROM a WHERE @{[ condition(['a'], 1) ]} @{[ pick('', 'FOR UPDATE') ]}" : query(2);
	my @moves = map { "$_ c" } 'FETCH 3', 'FETCH 1', 'FETCH 0', 'MOVE 2', 'FETCH 7', 'FETCH ALL', 'MOVE ALL';
	push @moves, map { "$_ c" } 'FETCH BACKWARD 2', 'FETCH PRIOR', 'FETCH FIRST', 'FETCH LAST', 'FETCH ABSOLUTE 4', 'FETCH ABSOLUTE -2', 'FETCH RELATIVE -1', 'FETCH RELATIVE 2', 'FETCH BACKWARD ALL', 'MOVE BACKWARD 3' if $scroll eq 'SCROLL' || chance(0.1);
	my @between = ('SAVEPOINT s', 'ROLLBACK TO s', "SELECT roformer.classify('tiny', body) FROM b LIMIT 3", 'SELECT 1 / 0', 'SET LOCAL roformer.max_length = 9', "SET LOCAL roformer.overflow = 'truncate'",
		'DELETE FROM a WHERE CURRENT OF c RETURNING id', "UPDATE a SET note = 'moved' WHERE CURRENT OF c RETURNING id");

	return { explain => "DECLARE c $scroll CURSOR FOR $query",
		statements => [ 'BEGIN', "DECLARE c $scroll CURSOR FOR $query", 'SAVEPOINT s', several(3 + int rand 8, sub { chance(0.25) ? pick(@between) : pick(@moves) }), 'ROLLBACK' ] };
}

# Rows in a loop whose body fails now and then, and is caught; some loops end early.
sub loop
{
	my ($from, @scope) = from(1, 2);
	my $query = "SELECT @{[ column(\@scope, 'id') ]} AS id, @{[ text_of(\@scope, 0) ]} AS body, @{[ value(\@scope, 1) ]} AS class FROM $from WHERE @{[ condition(\@scope, 1) ]} ";
	my $inner = call(['r'], 0, 'text') =~ s/\br\.(n|k|note)\b/r.body/gr;
	my $exit = $may{limit} && chance(0.4) ? 'EXIT WHEN r.id > ' . (int rand 30) . ';' : '';

	return { explain => $query, statements => [ 'BEGIN', qq{DO \$\$ DECLARE r record; BEGIN CREATE TEMP TABLE seen (id int, class text, other text);
		FOR r IN $query LOOP
			BEGIN INSERT INTO seen VALUES (r.id, r.class, $inner); IF r.id % @{[ 2 + int rand 4 ]} = 0 THEN RAISE division_by_zero; END IF;
			EXCEPTION WHEN division_by_zero OR string_data_right_truncation THEN INSERT INTO seen SELECT r.id, r.class, roformer.classify('tiny', b.note) FROM b LIMIT 2; END; $exit
		END LOOP; END \$\$} =~ s/\s*\n\s*/ /gr, 'SELECT * FROM seen', 'ROLLBACK' ] };
}

sub reading
{
	my $query = query(2);
	my $statement = chance(0.05) ? "COPY ($query) TO STDOUT" : $query;

	return { explain => $query, statements => [$statement] };
}

# ---- cases ---------------------------------------------------------------------------------------

my @settings = (
	'SET enable_hashjoin = off', 'SET enable_mergejoin = off', 'SET enable_nestloop = off', 'SET enable_hashagg = off', 'SET enable_sort = off', 'SET enable_material = off', 'SET enable_memoize = off',
	'SET enable_seqscan = off', 'SET enable_indexscan = off', 'SET enable_partitionwise_join = on', 'SET enable_partitionwise_aggregate = on', "SET work_mem = '64kB'", 'SET roformer.batch_tokens = 8', 'SET roformer.batch_tokens = 40', 'SET roformer.batch_tokens = 1',
	'SET roformer.max_length = 12', 'SET roformer.max_length = 5', "SET plan_cache_mode = force_generic_plan", "SET roformer.precision = 'bf16'", 'SET cursor_tuple_fraction = 1', 'SET jit_above_cost = 0', 'SET from_collapse_limit = 1', 'SET constraint_exclusion = on');

# A hash: settings and prepare come first, the text of explain has a plan, statements are compared. ordered: also the
# order of their rows is.
sub random_case
{
	my %case;
	my $mode = pick('serial', 'serial', 'serial', 'single worker', 'parallel');

	$aliases = 0;
	@ctes = ();
	%may = (limit => $mode ne 'parallel', fail => $mode ne 'parallel' && chance(0.7), volatile => $mode ne 'parallel' && chance(0.3));
	my @set = grep { chance(0.1) } @settings;
	push @set, "SET roformer.overflow = '@{[ pick(qw(truncate error window)) ]}'" if $may{fail} && chance(0.6);
	push @set, 'SET max_parallel_workers_per_gather = 2', 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0', 'SET min_parallel_table_scan_size = 0', 'SET min_parallel_index_scan_size = 0',
	  'SET parallel_leader_participation = ' . pick('on', 'off') if $mode eq 'parallel';
	push @set, 'SET ROLE reader' if chance(0.05);
	my $code = pick((\&reading) x 10, (\&writing) x 3, (\&prepared) x 2, (\&cursor) x 3, \&loop);
	%case = %{ $code->() };
	@set = grep { !/ROLE/ } @set if $code == \&writing;
	return { settings => \@set, prepare => [], ordered => $mode ne 'parallel', mode => $mode, %case };
}

1;
