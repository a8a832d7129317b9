#!/usr/bin/env bash
# Guards the benchmarks, which no test runs: their programs compile, their scripts parse, and what is reported of
# measurements made up here is right. TAP output.
set -euo pipefail
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failures=0 count=0
# check NAME COMMAND...: passes when the command does
check()
{
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/#   /' "$work/log"
		failures=$((failures + 1))
	fi
}

compile_all()
{
	local source
	for source in bench/*.c bench/compare/*.c; do
		gcc -O0 -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -fsyntax-only "$source" || return 1
	done
}

parse_scripts()
{
	local script
	for script in bench/run bench/*.sh bench/*.bash bench/compare/*.sh; do bash -n "$script" || return 1; done
}

parse_python() { python3 -c 'import ast, sys; [ast.parse(open(path, encoding="utf-8").read(), path) for path in sys.argv[1:]]' bench/*.py bench/compare/*.py; }

# Two contestants, three rounds, medians of 30 and 60 ms for a row of 16 tokens, 2 and 3 s for the batch of 3000.
made_up()
{
	local fields="round shape workload policy engine kernels precision forced tokens gflop processor_s elapsed_s" round
	tr ' ' '\t' <<<"$fields"
	for round in 1 2 3; do
		tr ' ' '\t' <<-END
			$round base row16 packed roformer avx512 fp32 0 16 3 0.0${round}5 1
			$round base row128 packed roformer avx512 fp32 0 128 24 0.${round} 1
			$round base batch64 packed roformer avx512 fp32 0 3000 500 ${round} 1
			$round base row16 packed onnxruntime  fp32 0 16 3 0.0${round}0 1
			$round base batch64 rows onnxruntime  fp32 0 3000 500 ${round}.5 1
			$round base batch64 buckets onnxruntime  fp32 0 3000 500 1${round} 1
		END
	done
}

report()
{
	mkdir -p "$work/results" "$work/nothing"
	made_up >"$work/results/times.tsv"
	printf 'fma_512\t500\tGFLOP/s\namx_bf16\t-\tno AMX\nread_64\t20\tGB/s\nread_256\t10\tGB/s\n' >"$work/results/hardware.tsv"
	python3 bench/compare/report.py "$work/results" >"$work/tables"
	python3 bench/compare/report.py "$work/nothing" >"$work/no-tables"
}

has_line() { grep -Eq "$1" "$work/tables" || { cat "$work/tables"; return 1; }; }

# Well-formed, and with so many elements of a kind.
has_elements()
{
	python3 - "$work/results/$1" "$2" "$3" <<-'END'
		import sys, xml.etree.ElementTree as tree
		found = tree.parse(sys.argv[1]).getroot().findall(".//{http://www.w3.org/2000/svg}" + sys.argv[2])
		sys.exit(0 if len(found) == int(sys.argv[3]) else f"{len(found)} {sys.argv[2]}")
	END
}

nothing_of_nothing() { [ ! -s "$work/no-tables" ] && [ -z "$(ls "$work/nothing")" ]; }

check "programs compile without a warning" compile_all
check "scripts parse" parse_scripts
if command -v python3 >/dev/null; then
	check "Python scripts parse" parse_python
	check "made-up measurements are reported" report
	check "a row's time is the median of its rounds" has_line '^  roformer avx512 fp32 +25\.00 +200$'
	check "and its rate" has_line '^  roformer avx512 fp32 +640 +640$'
	check "and its share of the peak" has_line '^  roformer avx512 fp32 +24% +24%$'
	check "a batch has the policies it was run in, and the best of them" \
		has_line '^  onnxruntime fp32 +- +1200 +250 +- +2500 +39\.06 +40%$'
	check "ratios are of the best policy" has_line '^  AVX-512, fp32 batch / ONNX Runtime fp32 +1\.25x .* reached$'
	check "what takes AMX says so" has_line '^  bf16 batch / PyTorch bf16 .* needs AMX$'
	check "a chart has a line for each contestant" has_elements base-rate.svg polyline 2
	check "a chart has a bar for each policy of each" has_elements base-policy.svg rect 6
	check "nothing is made of nothing" nothing_of_nothing
fi
echo "1..$count"
[ $failures -eq 0 ]
