#!/usr/bin/env bash
# Encoder speed of kernel sets in each precision beside PyTorch's in fp32, one thread, as a table: milliseconds, tokens per second,
# GFLOP/s, and how many times as fast as PyTorch. Times are processor time.
#
#   bench/forward.sh [ROUNDS]
#
# Engine and PyTorch take turns for ROUNDS rounds (3), the best time of each counts. Before that both must agree on
# hidden states of the same weights. Environment: KERNELS (avx512 avx2 blas; also amx, avx512_bf16, avx512_vnni,
# avx2_vnni, ref), PRECISIONS (fp32; also bf16, int8) and ROWS (lengths of single rows, such as 2048,8192: the engine
# alone); what can't run here is left out. PyTorch is Debian's python3-torch; without it only the engine is timed.
set -euo pipefail
rounds=${1:-3}
kernels=${KERNELS:-avx512 avx2 blas}
precisions=${PRECISIONS:-fp32}
rows=${ROWS:+--rows $ROWS}
python=${PYTHON:-/usr/bin/python3}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# An OpenBLAS older than the processor takes it for a very old one; that would be no comparison.
if [ -z "${OPENBLAS_CORETYPE:-}" ]; then
	if grep -qw avx512vl /proc/cpuinfo; then
		export OPENBLAS_CORETYPE=SkylakeX
	elif grep -qw avx2 /proc/cpuinfo; then
		export OPENBLAS_CORETYPE=Haswell
	fi
fi
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s build/engine.a
gcc -O2 -std=gnu11 -D_GNU_SOURCE -Iinclude -o "$work/bench_forward" bench/bench_forward.c build/engine.a -ljansson -lzip -lutf8proc -lm -ldl

torch=yes
if [ -n "$rows" ]; then
	torch=
elif ! "$python" -c 'import torch' 2>/dev/null; then
	torch=
	echo "bench/forward.sh: $python has no torch, nothing to compare with (apt-get install python3-torch)" >&2
fi

echo "writing weights ..." >&2
"$work/bench_forward" write "$work"
for round in $(seq "$rounds"); do
	echo "round $round of $rounds ..." >&2
	for precision in $precisions; do
		# shellcheck disable=SC2086
		"$work/bench_forward" time --precision "$precision" $rows $kernels >>"$work/times"
	done
	[ -z "$torch" ] || "$python" bench/torch_forward.py "$work" >>"$work/times"
done

awk '
	$1 == "check" { if ($3 > worst[$2]) worst[$2] = $3 }
	$1 == "time" {
		key = $3 " " $4
		if (NF > 7) $2 = $2 "/" $8
		if (NF > 8) bytes[$2, key] = $9
		if (!(key in tokens)) keys[++count] = key
		if (!($2 in known)) { known[$2]; names[++sets] = $2 }
		tokens[key] = $5; gflop[key] = $7
		if (!(($2, key) in best) || $6 < best[$2, key]) best[$2, key] = $6
	}
	END {
		for (shape in worst) printf "hidden states of %s: PyTorch and engine differ by at most %s\n", shape, worst[shape]
		printf "%-14s %-16s %10s %10s %8s %9s %9s\n", "workload", "set", "ms", "tokens/s", "GFLOP/s", "x PyTorch", "work MB"
		for (i = 1; i <= count; i++)
			for (j = 1; j <= sets; j++) {
				key = keys[i]; set = names[j]
				if (!((set, key) in best)) continue
				seconds = best[set, key]
				ratio = ("torch", key) in best ? sprintf("%9.2f", best["torch", key] / seconds) : sprintf("%9s", "-")
				memory = (set, key) in bytes ? sprintf("%9.1f", bytes[set, key] / 1e6) : sprintf("%9s", "-")
				printf "%-14s %-16s %10.2f %10.0f %8.1f %s %s\n", key, set, seconds * 1000, tokens[key] / seconds, gflop[key] / seconds, ratio, memory
			}
	}' "$work/times"
