#!/usr/bin/env bash
# What the batch scan gains and costs: INSERT INTO result SELECT id, roformer.classify(model, body) FROM request, over real
# rows (demo/data/clinc150.tsv), with roformer.enable_batch_scan on and off, on a server of its own.
#
#   bench/scan.sh [BASE_ROWS]       rows for the base model (400); a trivial model gets 20,000
#
# Models have random weights: base is 12 layers of 768, trivial 1 layer of 32. Times are processor time of the statement
# (the least of ROUNDS=2); "one array" is the engine alone, all texts in one call. Workers are compared by elapsed time,
# which means something on an idle machine only. MEMORY=1 adds a scan of a million rows and what it takes.
set -euo pipefail
base_rows=${1:-400}
rounds=${ROUNDS:-2}
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
PG_CONFIG=$(test/pg_config)
export PG_CONFIG
. test/server.sh

work=$(server_parent)/roformer-bench.$$
mkdir -m 755 "$work"
bin=
finish() { [ -z "$bin" ] || server_stop "$bin" "$work/server"; rm -rf "$work"; }
trap finish EXIT
trap 'exit 130' INT TERM
make -s PG_CONFIG="$PG_CONFIG" all
bin=$(test/stage.sh "$work/postgres")
mkdir "$work/server" "$work/home" "$work/models"
cp -r demo "$work/"
vocabulary=models/roformer-intent-clinc150/vocab.txt
words=$(wc -l <"$vocabulary")
write_model()
{
	TESTDATADIR=$work/perl TESTLOGDIR=$work/perl perl -I"$(dirname "$("$PG_CONFIG" --pgxs)")/../test/perl" -Itest/t -MRoformerTest \
		-e 'RoformerTest::write_model(@ARGV)' "$work/models/$1" hidden "$2" layers "$3" heads "$4" vocab "$words" 2>/dev/null
	cp "$vocabulary" "$work/models/$1/vocab.txt"
}
write_model base 768 12 12
write_model trivial 32 1 2
for directory in postgres server home demo models; do server_give "$work/$directory"; done
export HOME=$work/home
server_start "$bin" "$work/server" 15998 "shared_preload_libraries = 'roformer'" "roformer.cache_size = '600MB'" \
	"max_parallel_workers = 2" "autovacuum = off" "jit = off"
run() { (cd "$work/demo" && as_server "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$work/server" -p 15998 -U postgres "$@"); }
run <<SQL
CREATE EXTENSION roformer;
CREATE TABLE request (id int GENERATED ALWAYS AS IDENTITY, split text, intent text, domain text, body text NOT NULL);
\copy request (split, intent, domain, body) FROM 'data/clinc150.tsv' WITH (HEADER)
DELETE FROM request WHERE id > 20000;
CREATE TABLE result (id int, class text);
VACUUM ANALYZE request;
\o /dev/null
SELECT roformer.load_model('base', '$work/models/base'), roformer.load_model('trivial', '$work/models/trivial');
SELECT roformer.prewarm('base'), roformer.prewarm('trivial');
SQL

# seconds_of FIELD SETTINGS STATEMENT: the least of the rounds; field 2 is user time, 8 elapsed time.
seconds_of()
{
	local round
	for round in $(seq "$rounds"); do
		run -o /dev/null -c "SELECT roformer.classify('base', 'x'), roformer.classify('trivial', 'x')" -c "TRUNCATE result" -c "$2" -c "SET client_min_messages = log" -c "SET log_statement_stats = on" -c "$3" 2>&1 |
			awk -v field="$1" '/elapsed/ { seconds = $field } END { print seconds }'
	done | sort -g | head -n 1
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

tokens=$(run -c "SELECT round(avg(roformer.token_count('base', body)), 1) FROM request WHERE id <= $base_rows")
echo "rows of $tokens tokens on average"
printf '%-10s %8s %12s %12s %12s %10s %12s\n' model rows "off, s" "on, s" "one array, s" "off / on" "array / on"
for model in base trivial; do
	rows=20000
	[ $model = trivial ] || rows=$base_rows
	serial="SET max_parallel_workers_per_gather = 0"
	insert="INSERT INTO result SELECT id, roformer.classify('$model', body) FROM request WHERE id <= $rows"
	off=$(seconds_of 2 "$serial; SET roformer.enable_batch_scan = off" "$insert")
	on=$(seconds_of 2 "$serial" "$insert")
	array=$(seconds_of 2 "$serial" "SELECT roformer.classify('$model', array_agg(DISTINCT body)) FROM request WHERE id <= $rows")
	printf '%-10s %8d %12s %12s %12s %10s %12s\n' $model "$rows" "$off" "$on" "$array" "$(ratio "$off" "$on")" "$(ratio "$array" "$on")"
done

select="SELECT count(roformer.classify('base', body)) FROM request WHERE id <= $base_rows"
alone=$(seconds_of 8 "SET max_parallel_workers_per_gather = 0" "$select")
two=$(seconds_of 8 "SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off; SET parallel_setup_cost = 0" "$select")
echo "base, elapsed: $alone s alone, $two s with two workers, $(ratio "$alone" "$two") times as fast on $(nproc) cores"

[ -n "${MEMORY:-}" ] || exit 0
run -o /dev/null -c "SET max_parallel_workers_per_gather = 0" \
	-c "SELECT count(roformer.classify('trivial', body || n)) FROM request, generate_series(1, 50) AS n" &
scan=$!
sleep 2
pid=$(run -c "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT count(roformer%' AND pid <> pg_backend_pid()")
while kill -0 "$scan" 2>/dev/null; do
	awk '/RssAnon/ { print "a million rows: private memory " $2 " kB" }' "/proc/$pid/status" 2>/dev/null || true
	sleep 5
done
