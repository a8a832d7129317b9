#!/usr/bin/env bash
# Characters a second of Chinese text cut into words, beside the Rust jieba through Node (@node-rs/jieba).
#
#   bench/jieba.sh [ROUNDS]
#
# Both cut the mostly Chinese texts of the golden set on the same core, in turns for ROUNDS rounds (5), after their words
# were compared. The npm package goes into a temporary directory; JIEBA_MODULES names a node_modules that has it.
set -euo pipefail
rounds=${1:-5}
cd "$(dirname "$0")/.."
goldens=test/golden/data/tokenizer/jieba-cut.jsonl
vocabulary=test/golden/data/vocab/roformer_chinese_base.txt
dictionary=$(dpkg -L python3-jieba 2>/dev/null | grep '/jieba/dict\.txt$' || true)
if [ -z "$dictionary" ]; then
	echo "bench/jieba.sh: needs the dictionary of python3-jieba (apt-get install python3-jieba)" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modules=${JIEBA_MODULES:-}
if [ -z "$modules" ]; then
	echo "installing @node-rs/jieba into a temporary directory ..." >&2
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" @node-rs/jieba >&2
	modules=$work/node_modules
fi

make -s build/engine.a
gcc -O2 -std=gnu11 -D_GNU_SOURCE -Iinclude -o "$work/bench_jieba" bench/bench_jieba.c build/engine.a -ljansson -lzip -lutf8proc -lm -ldl
core=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
ours() { taskset -c "$core" "$work/bench_jieba" "$dictionary" "$vocabulary" "$work/texts" "$1"; }
peer() { taskset -c "$core" node bench/jieba_peer.js "$modules" "$goldens" "$work/texts" "$1"; }

peer texts
ours cut >"$work/ours"
peer cut >"$work/peer"
if ! cmp -s "$work/ours" "$work/peer"; then
	echo "bench/jieba.sh: words differ:" >&2
	diff "$work/ours" "$work/peer" | head -5 >&2 || true
	exit 1
fi
echo "$(wc -l <"$work/texts") texts: the words of both are equal" >&2
for round in $(seq "$rounds"); do
	echo "round $round of $rounds ..." >&2
	peer time >>"$work/times"
	ours time >>"$work/times"
done
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), processor time, median of $rounds rounds"
for name in peer words tokens; do
	awk -v name="$name" '$1 == name { print $2 }' "$work/times" | sort -g |
		awk -v name="$name" '{ value[NR] = $1 } END { print name, value[int((NR + 1) / 2)] }'
done | awk -v characters="$(awk '$1 == "peer" { print $3; exit }' "$work/times")" '
	BEGIN {
		title["peer"] = "jieba-rs through Node"; title["words"] = "roformer, words"; title["tokens"] = "roformer, whole tokenizing"
		printf "%-28s %14s %8s\n", "", "characters/s", "x peer"
	}
	{ if ($1 == "peer") peer = $2; printf "%-28s %14.0f %8.2f\n", title[$1], characters / $2, peer / $2 }'
