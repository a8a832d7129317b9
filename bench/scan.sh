#!/usr/bin/env bash
# What the batch scan gains and costs: INSERT INTO result SELECT id, roformer.classify(model, body) FROM request, over real
# rows (demo/data/clinc150.tsv), with roformer.enable_batch_scan on and off on a server of its own, and the engine without any
# server: a program that reads the same texts and weights (bench_scan.c). The three must agree before they are timed in turn.
#
#   bench/scan.sh [BASE_ROWS]       rows for the base model (400); a trivial model gets 20,000
#
# Models have random weights: base is 12 layers of 768, trivial 1 layer of 32. Times are processor time of the statement or
# the call, the least of ROUNDS=2. Workers are compared by elapsed time, which means something on an idle machine only.
# PRECISIONS="fp32 bf16 int8" names some (fp32); MEMORY=1 adds a scan of a million rows with the memory it takes, each second.
set -euo pipefail
base_rows=${1:-400}
rounds=${ROUNDS:-2}
precisions=${PRECISIONS:-fp32}
trivial_rows=20000
cd "$(dirname "$0")/.."
. bench/server.bash

stage_server build/engine.a
cp -r demo "$work/"
vocabulary=models/roformer-intent-clinc150/vocab.txt
words=$(wc -l <"$vocabulary")
write_classifier()
{
	write_model "$1" hidden "$2" layers "$3" heads "$4" vocab "$words"
	cp "$vocabulary" "$work/models/$1/vocab.txt"
}
gcc -O2 -std=gnu11 -D_GNU_SOURCE -Iinclude -o "$work/bench_scan" bench/bench_scan.c build/engine.a -ljansson -lzip -lutf8proc -lm -ldl
write_classifier base 768 12 12
write_classifier trivial 32 1 2
begin_server "roformer.cache_size = '1GB'" "max_parallel_workers = 2" "autovacuum = off" "jit = off"
run <<SQL
CREATE EXTENSION roformer;
CREATE TABLE request (id int GENERATED ALWAYS AS IDENTITY, split text, intent text, domain text, body text NOT NULL);
\copy request (split, intent, domain, body) FROM '$work/demo/data/clinc150.tsv' WITH (HEADER)
DELETE FROM request WHERE id > $trivial_rows;
CREATE TABLE result (id int, class text);
VACUUM ANALYZE request;
\o /dev/null
SELECT roformer.load_model('base', '$work/models/base'), roformer.load_model('trivial', '$work/models/trivial');
SQL

# statement_seconds KIND SETTINGS STATEMENT: processor or elapsed time of one run, models being loaded.
statement_seconds()
{
	run -o /dev/null -c "$2" -c "SELECT roformer.classify('base', 'x'), roformer.classify('trivial', 'x')" -c "TRUNCATE result" \
		-c "SET client_min_messages = log" -c "SET log_statement_stats = on" -c "$3" 2>&1 |
		awk -v kind="$1" '/elapsed/ { seconds = kind == "elapsed" ? $8 : $2 + $5 } END { print seconds }'
}
engine_seconds() { "$work/bench_scan" "$work/models/$1" "$work/$1.texts" auto "$2" "${@:3}"; }
least() { sort -g "$1" | head -n 1; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
serial="SET max_parallel_workers_per_gather = 0"

# check_results MODEL PRECISION INSERT: the same labels from the statement, both ways, and from the engine.
check_results()
{
	local scan
	engine_seconds "$1" "$2" "$work/engine.labels" >/dev/null
	for scan in on off; do
		run -o /dev/null -c "$serial; SET roformer.precision = '$2'; SET roformer.enable_batch_scan = $scan" -c "TRUNCATE result" -c "$3"
		run -c "SELECT class FROM result ORDER BY id" >"$work/$scan.labels"
		cmp "$work/engine.labels" "$work/$scan.labels" || { echo "bench/scan.sh: batch scan $scan: other labels than the engine's" >&2; exit 1; }
	done
}

# A line of the table.
time_model()
{
	local model=$1 precision=$2 rows=$3 settings round off on engine
	local insert="INSERT INTO result SELECT id, roformer.classify('$model', body) FROM request WHERE id <= $rows"
	run -c "SELECT body FROM request WHERE id <= $rows ORDER BY id" >"$work/$model.texts"
	check_results "$model" "$precision" "$insert"
	rm -f "$work"/*.times
	for round in $(seq "$rounds"); do
		settings="$serial; SET roformer.precision = '$precision'"
		statement_seconds processor "$settings; SET roformer.enable_batch_scan = off" "$insert" >>"$work/off.times"
		statement_seconds processor "$settings" "$insert" >>"$work/on.times"
		engine_seconds "$model" "$precision" >>"$work/engine.times"
	done
	off=$(least "$work/off.times") on=$(least "$work/on.times") engine=$(least "$work/engine.times")
	printf '%-8s %-5s %7d %10.2f %10.2f %10.2f %9s %11s\n' "$model" "$precision" "$rows" "$off" "$on" "$engine" "$(ratio "$off" "$on")" "$(ratio "$engine" "$on")"
}

# watch_memory PID SCAN: private memory of the backend each second while the process SCAN runs, then where it began, its peak, and where it ended. It is counted from the
# fifth second on: caches of catalogs and the first batches have their memory by then.
watch_memory()
{
	local pid=$1 scan=$2 second=0
	echo "second	private kB"
	while kill -0 "$scan" 2>/dev/null; do
		awk -v second=$second '/RssAnon/ { print second "\t" $2 }' "/proc/$pid/status" 2>/dev/null || true
		second=$((second + 1))
		sleep 1
	done | tee "$work/memory"
	awk '$1 >= 5 { if (start == "") start = $2; if ($2 > peak) peak = $2; end = $2 }
		END { print "a million rows: private memory " start " kB after 5 s, " peak " kB at most, " end " kB at the end" }' "$work/memory"
}

scan_million()
{
	local pid scan
	run -o /dev/null -c "$serial" -c "TRUNCATE result" -c "SET application_name = 'million'" \
		-c "INSERT INTO result SELECT id, roformer.classify('trivial', body || n) FROM request, generate_series(1, 1000000 / $trivial_rows) AS n" &
	scan=$!
	until pid=$(run -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'million' AND state = 'active'") && [ -n "$pid" ]; do
		kill -0 $scan || return 1
		sleep 0.1
	done
	watch_memory "$pid" $scan
	wait $scan
	echo "rows written: $(run -c "SELECT count(class) FROM result")"
}

echo "rows of $(run -c "SELECT round(avg(roformer.token_count('base', body)), 1) FROM request WHERE id <= $base_rows") tokens on average; kernels $(run -c "SELECT kernels FROM roformer.cpu_info() WHERE chosen"), $(nproc) cores"
printf '%-8s %-5s %7s %10s %10s %10s %9s %11s\n' model "" rows "off, s" "on, s" "engine, s" "off / on" "engine / on"
for precision in $precisions; do
	time_model base "$precision" "$base_rows"
done
for precision in $precisions; do
	time_model trivial "$precision" $trivial_rows
done

select="SELECT count(roformer.classify('base', body)) FROM request WHERE id <= $base_rows"
workers="SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off; SET parallel_setup_cost = 0"
for precision in $precisions; do
	rm -f "$work"/*.times
	for round in $(seq "$rounds"); do
		statement_seconds elapsed "$serial; SET roformer.precision = '$precision'" "$select" >>"$work/alone.times"
		statement_seconds elapsed "$workers; SET roformer.precision = '$precision'" "$select" >>"$work/two.times"
	done
	alone=$(least "$work/alone.times") two=$(least "$work/two.times")
	echo "base $precision, elapsed: $alone s alone, $two s with two workers, $(ratio "$alone" "$two") times as fast"
done

[ -z "${MEMORY:-}" ] || scan_million
