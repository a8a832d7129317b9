#!/usr/bin/env bash
# In a server of its own: the SQL function beside a PL/Python function that calls PyTorch, which is what is there without
# this extension; and how much memory a model takes of eight sessions together.
#
#   bench/compare/database.sh WORK OUT ROUNDS
#
# WORK has what "bench_forward write" wrote. Both sides have the same weights and embed the same 64 texts (the batch of the
# other benchmarks), a row or an array at a time, in one session that has its models loaded; first they must agree. Writes
# OUT/database.tsv, "ROUND SHAPE FUNCTION PRECISION ROWS PROCESSOR ELAPSED" a line, in seconds of the server process, and
# OUT/memory.tsv. Without PL/Python and PyTorch only the extension is timed.
set -euo pipefail
weights=$1 out=$2 rounds=$3
sessions=8
cd "$(dirname "$0")/../.."
. bench/server.bash
say() { echo "$(date +%T) $*" >&2; }

say "building, and copying PostgreSQL"
stage_server
mkdir "$work/data" "$work/python"
cp "$weights"/*.list "$weights"/*.weights "$weights"/*.inputs "$work/data/"
python3 bench/compare/export_checkpoint.py "$work/data"
cp bench/*.py bench/compare/*.py "$work/python/"
export ROFORMER_BENCH=$work/data PYTHONPATH=$work/python PYTHONDONTWRITEBYTECODE=1
begin_server "roformer.cache_size = '1GB'" "autovacuum = off" "jit = off" "shared_buffers = '32MB'" \
	"max_parallel_workers_per_gather = 0"
run -o /dev/null <<SQL
CREATE EXTENSION roformer;
CREATE TABLE request (id int, body text NOT NULL);
\copy request FROM '$work/data/batch.tsv'
VACUUM ANALYZE request;
SELECT roformer.load_model('base', '$work/data/models/base'), roformer.load_model('small', '$work/data/models/small');
SQL

# ---- the SQL function beside PL/Python -----------------------------------------------------------

torch=yes
if ! run 2>/dev/null <<'SQL'; then
CREATE EXTENSION plpython3u;
CREATE FUNCTION torch_embed(shape text, "precision" text, body text) RETURNS real[] LANGUAGE plpython3u AS
$$import peer_plpython
return peer_plpython.embed(shape, precision, [body])[0]$$;
CREATE FUNCTION torch_embed(shape text, "precision" text, bodies text[]) RETURNS real[] LANGUAGE plpython3u AS
$$import peer_plpython
return peer_plpython.embed(shape, precision, bodies)$$;
DO LANGUAGE plpython3u 'import torch';
SQL
	torch=
	say "LEFT OUT: PL/Python with PyTorch: this server has none (postgresql-plpython3, python3-torch)"
fi

# statement FUNCTION SHAPE PRECISION: what is timed; the result is one row, so that no time goes into sending it.
statement()
{
	case $1 in
	"roformer, row") echo "SELECT count(roformer.embed('$2', body, 'mean')) FROM request" ;;
	"roformer, array") echo "SELECT array_length(roformer.embed('$2', array_agg(body), 'mean'), 1) FROM request" ;;
	"PL/Python, row") echo "SELECT count(torch_embed('$2', '$3', body)) FROM request" ;;
	"PL/Python, array") echo "SELECT array_length(torch_embed('$2', '$3', array_agg(body)), 1) FROM request" ;;
	esac
}

measured()
{
	echo "\\warn measure $2|$1|$3"
	echo "SET log_statement_stats = on;"
	echo "$(statement "$1" "$2" "$3");"
	echo "SET log_statement_stats = off;"
}

# A session: models in, then each statement once.
session_of()
{
	local precision
	echo "SET client_min_messages = log; SET roformer.precision = fp32;"
	for precision in fp32 bf16 int8; do
		echo "SET roformer.precision = '$precision'; SELECT roformer.embed('$1', 't9', 'mean');"
		measured "roformer, row" "$1" $precision
		measured "roformer, array" "$1" $precision
		echo "SET roformer.enable_batch_scan = off;"
		measured "roformer, row" "$1" $precision | sed 's/roformer, row|/roformer, row by row|/'
		echo "SET roformer.enable_batch_scan = on;"
	done
	[ -n "$torch" ] || return 0
	for precision in fp32 bf16; do
		echo "SELECT torch_embed('$1', '$precision', 't9');"
		measured "PL/Python, row" "$1" $precision
		measured "PL/Python, array" "$1" $precision
	done
}

if [ -n "$torch" ]; then
	for shape in base small; do
		difference=$(run <<-SQL
			SET roformer.precision = fp32;
			WITH one AS (SELECT roformer.embed('$shape', body, 'mean') AS ours, torch_embed('$shape', 'fp32', body) AS theirs FROM request WHERE id < 8)
			SELECT max(abs(a - b)) FROM one, unnest(ours, theirs) AS v (a, b);
		SQL
		)
		say "$shape: PL/Python and roformer differ by at most $difference"
		awk -v d="$difference" 'BEGIN { exit !(d != "" && d <= 1e-4) }' || { say "LEFT OUT: PL/Python: it gives something else"; torch=; break; }
	done
fi
printf 'round\tshape\tfunction\tprecision\trows\tprocessor_s\telapsed_s\n' >"$out/database.tsv"
for round in $(seq "$rounds"); do
	for shape in base small; do
		say "round $round of $rounds: functions, $shape"
		session_of "$shape" | run -o /dev/null 2>&1 | awk -v round="$round" -v rows="$(wc -l <"$work/data/batch.tsv")" '
			/^measure / { sub(/^measure /, ""); split($0, part, "|"); waiting = 1 }
			/ERROR/ { print > "/dev/stderr"; exit 1 }
			/elapsed/ && waiting {
				print round "\t" part[1] "\t" part[2] "\t" part[3] "\t" rows "\t" $2 + $5 "\t" $8
				waiting = 0
			}' >>"$out/database.tsv"
	done
done

# ---- memory --------------------------------------------------------------------------------------

# Bytes of the server's processes together: all, and of that what is shared memory. What is shared is counted once.
resident()
{
	local postmaster pid
	postmaster=$(head -n 1 "$work/server/data/postmaster.pid")
	for pid in "$postmaster" $(pgrep -P "$postmaster"); do
		cat "/proc/$pid/smaps_rollup" 2>/dev/null || true
	done | awk '/^Pss:/ { all += $2 } /^Pss_Shmem:/ { shared += $2 } END { print all * 1024, shared * 1024 }'
}

# with_sessions PRECISION STATEMENT: what resident prints and the cache's bytes while all sessions wait, having run the statement.
with_sessions()
{
	local pids=()
	(cd "$work/server" && as_server "$bin/pg_ctl" -D data -l server.log -s -w -m fast restart)
	# Reading weights fills the server's buffers: a session has them full, and mapped, in both cases.
	local fill="SELECT count(md5(data)) FROM _roformer.model_chunk"
	for _ in $(seq $sessions); do
		PGOPTIONS="-c roformer.precision=$1" run -o /dev/null -c "$fill" -c "$2" -c "SELECT pg_sleep(600)" >/dev/null 2>&1 &
		pids+=($!)
		fill="SELECT 1"
	done
	while [ "$(run -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")" -lt $sessions ]; do sleep 0.2; done
	echo "$(resident) $(run -c "SELECT coalesce(sum(bytes), 0) FROM roformer.cache")"
	run -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
	wait "${pids[@]}" 2>/dev/null || true
}

printf 'model\tprecision\tpacked_bytes\tsessions\tresident_bytes\tshared_bytes\n' >"$out/memory.tsv"
say "memory of $sessions sessions: without a model"
before=$(with_sessions fp32 "SELECT body FROM request WHERE id = 1")
for precision in fp32 bf16 int8; do
	say "memory of $sessions sessions: base in $precision"
	after=$(with_sessions $precision "SELECT roformer.embed('base', body) FROM request WHERE id = 1")
	echo "$before $after" | awk -v precision=$precision -v sessions=$sessions \
		'{ printf "base\t%s\t%.0f\t%d\t%.0f\t%.0f\n", precision, $6, sessions, $4 - $1, $5 - $2 }' >>"$out/memory.tsv"
done
