#!/usr/bin/env bash
# Everything that compares: what one core can do at most, the encoder in each precision and kernel set beside ONNX Runtime,
# PyTorch and llama.cpp, the SQL function beside PL/Python, memory; as tables and charts.
#
#   bench/compare.sh [--quick] [--install] [--rounds N] [--shapes base,small] [--only PART,...] [--out DIRECTORY]
#
# Parts are hardware, compare, database and report; ONLY_ENGINES=roformer,torch lets only these take part. All of it runs on one core
# (CORE=0), one thread each, in turns. A quick run has fewer lengths and rounds: up to ten minutes instead of 25. Results
# go to DIRECTORY, else bench/results. Peers that aren't there are left out, with a word: --install gets them, from
# the distribution (as root) and npm, those of npm into ~/.cache/roformer-bench (ROFORMER_BENCH_CACHE).
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.."
python=${PYTHON:-/usr/bin/python3}
cache=${ROFORMER_BENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/roformer-bench}
core=${CORE:-0}
command="bench/compare.sh $*"
parts=hardware,compare,database,report out=bench/results shapes=base,small rounds= quick= install=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=yes ;;
	--install) install=yes ;;
	--rounds | --shapes | --only | --out)
		[ $# -ge 2 ] || { echo "bench/compare.sh: $1 needs a value" >&2; exit 2; }
		case $1 in --rounds) rounds=$2 ;; --shapes) shapes=$2 ;; --only) parts=$2 ;; --out) out=$2 ;; esac
		shift
		;;
	*) echo "bench/compare.sh: what is $1? See the head of that file" >&2; exit 2 ;;
	esac
	shift
done
case $rounds in *[!0-9]*) echo "bench/compare.sh: --rounds must be a number" >&2; exit 2 ;; esac
for part in ${parts//,/ }; do
	case $part in hardware | compare | database | report) ;; *) echo "bench/compare.sh: there is no part \"$part\"" >&2; exit 2 ;; esac
done
has() { case ",$parts," in *",$1,"*) return 0 ;; esac; return 1; }
say() { echo "$(date +%T) $*" >&2; }

install_peers()
{
	local server package peer
	server=$("$(test/pg_config)" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
	local packages=(python3-torch python3-onnx python3-numpy "postgresql-plpython3-$server") missing=()
	command -v npm >/dev/null || packages+=(nodejs npm)
	for package in "${packages[@]}"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		say "installing ${missing[*]}"
		DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" </dev/null >&2 ||
			say "some of ${missing[*]} can't be installed"
	fi
	mkdir -p "$cache"
	for peer in onnxruntime-node "node-llama-cpp @node-llama-cpp/linux-$(node -p process.arch)"; do
		say "installing $peer into $cache"
		# shellcheck disable=SC2086
		npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional --prefix "$cache" $peer >&2 || say "$peer can't be installed"
	done
}
[ -z "$install" ] || install_peers

# The version of an npm package in the cache, nothing when it isn't there.
npm_version() { sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$cache/node_modules/$1/package.json" 2>/dev/null | head -n 1 || true; }

# Which peers take part: those that are there.
engines=roformer
add_peer() { if [ -n "$2" ]; then engines=$engines,$1; else say "LEFT OUT: $1: $3 is not installed (--install)"; fi; }
node=$(command -v node || true)
torch_version=$("$python" -c 'import torch; print(torch.__version__)' 2>/dev/null || true)
onnx_version=$("$python" -c 'import onnx; print(onnx.__version__)' 2>/dev/null || true)
runtime_version=$(npm_version onnxruntime-node)
llama_version=$(npm_version node-llama-cpp)
if has compare; then
	add_peer onnxruntime "${node:+${runtime_version:+${onnx_version}}}" "onnxruntime-node or python3-onnx"
	add_peer torch "$torch_version" python3-torch
	add_peer llama.cpp "${node:+${llama_version:+${onnx_version}}}" "node-llama-cpp or python3-onnx"
fi
engines=${ONLY_ENGINES:-$engines}

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$PWD/bench
# An OpenBLAS older than the processor takes it for a very old one, and the environment may name one: no comparison either way.
if grep -qw avx512vl /proc/cpuinfo; then
	export OPENBLAS_CORETYPE=SkylakeX
elif grep -qw avx2 /proc/cpuinfo; then
	export OPENBLAS_CORETYPE=Haswell
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
# compile SOURCE LIBRARY...
compile() { gcc -O2 -std=gnu11 -D_GNU_SOURCE -Iinclude -o "$work/$(basename "$1" .c)" "$@"; }
on_core() { taskset -c "$core" "$@"; }

describe()
{
	echo "CPU:      $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), family $(sed -n 's/^cpu family[^:]*: //p' /proc/cpuinfo | head -n 1), core $core of $(nproc --all)"
	echo "System:   Linux $(uname -r), gcc $(gcc -dumpfullversion), $("$(test/pg_config)" --version)"
	echo "Date:     $(date -u +%F)"
	echo "Command:  $command"
	echo "roformer: $(sed -n "s/^default_version = '\(.*\)'/\1/p" roformer.control), $(git describe --always --dirty 2>/dev/null || echo "no git")"
	echo "Peers:    ONNX Runtime ${runtime_version:--}, PyTorch ${torch_version:--}, node-llama-cpp ${llama_version:--}, Node $(node --version 2>/dev/null || echo -)"
	echo "Times are processor time of one thread, medians of rounds in which all take turns. Weights are random."
}
! has hardware && ! has compare && ! has database || describe >"$out/system.txt"

if has hardware; then
	say "what the core can do"
	compile bench/compare/hardware.c
	on_core "$work/hardware" >"$out/hardware.tsv"
fi
if has compare || has database; then
	say "building, and writing weights"
	make -s -j"$(nproc)" build/engine.a
	libraries=(build/engine.a -ljansson -lzip -lutf8proc -lm -ldl)
	compile bench/bench_forward.c "${libraries[@]}"
	compile bench/compare/bench_engine.c "${libraries[@]}"
	"$work/bench_forward" write "$work"
fi
if has compare; then
	case ",$engines," in *,onnxruntime,*) "$python" bench/compare/export_onnx.py "$work" ;; esac
	case ",$engines," in *,llama.cpp,*) "$python" bench/compare/export_gguf.py "$work" ;; esac
	on_core "$python" bench/compare/compare.py "$work" "$out" ${quick:+--quick} ${rounds:+--rounds "$rounds"} --shapes "$shapes" --only "$engines" --modules "$cache/node_modules"
	rm -f "$work"/*.onnx "$work"/*.gguf
fi
if has database; then
	on_core bench/compare/database.sh "$work" "$out" "${rounds:-$([ -n "$quick" ] && echo 1 || echo 2)}"
fi
if has report; then
	"$python" bench/compare/report.py "$out" | tee "$out/tables.txt"
	say "tables and charts are in $out"
fi
