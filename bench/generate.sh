#!/usr/bin/env bash
# What a new token of a generated text costs by the number of tokens before it: milliseconds of processor time for one
# token of one row, of which 1 or 8 are computed together, and for computing the whole row again instead of keeping keys
# and values. A model of 12 layers of 768 with 21128 words, random weights, one thread.
#
#   bench/generate.sh [SET]        a kernel set (auto)
set -euo pipefail
set_name=${1:-auto}
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s build/engine.a
gcc -O2 -std=gnu11 -Iinclude -o "$work/bench_generate" bench/bench_generate.c build/engine.a -ljansson -lzip -lutf8proc -lm -ldl
printf '%6s %4s %8s %8s\n' tokens rows ms whole
"$work/bench_generate" "$set_name"
