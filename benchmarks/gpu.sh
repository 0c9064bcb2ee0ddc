#!/usr/bin/env bash
# All that wants a GPU, in one go and in stages: builds from the source tree, checks everything against the CPU, then
# times it. Needs nvcc 12.1, cmake, ninja and a CUDA libtorch: that of python3's PyTorch, or LIBTORCH. No network, no
# Node, no FFmpeg; with Node on the PATH and the package built, it trains too.
#
#   benchmarks/gpu.sh [--only STAGE,STAGE] [--from STAGE] [--dry-run] [FOLDER]
#
# FOLDER (build/gpu/results) gets each stage's output as it comes, and results.json and table.txt after each stage.
# A stage that fails, or comes to its time limit, hides none of the others; the exit code is then 1. --dry-run is for
# machines without a GPU: it builds, and starts every program, which must say that there is no device.
set -u -o pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/local/cuda/bin"

stages=(build kernels engine methods bench-kernels bench-engine train peers)
only="" from="" dry="" results=build/gpu/results
while [ $# -gt 0 ]; do
  case $1 in
    --only) only=,$2,; shift ;;
    --from) from=$2; shift ;;
    --dry-run) dry=1 ;;
    -*) echo "unknown option $1; stages: ${stages[*]}"; exit 2 ;;
    *) results=$1 ;;
  esac
  shift
done
for wanted in ${only//,/ } $from; do
  case " ${stages[*]} " in *" $wanted "*) ;; *) echo "unknown stage $wanted; stages: ${stages[*]}"; exit 2 ;; esac
done
mkdir -p "$results"
jobs=$(nproc)
out=build/gpu

# What a stage is called on the command line decides whether it runs.
wanted() {
  if [ -n "$only" ]; then case $only in *,"$1",*) return 0 ;; *) return 1 ;; esac; fi
  [ -z "$from" ] && return 0
  local seen=""
  for stage in "${stages[@]}"; do
    [ "$stage" = "$from" ] && seen=1
    [ "$stage" = "$1" ] && { [ -n "$seen" ]; return; }
  done
}

# stage NAME SECONDS COMMAND...: its output goes to NAME.log, its end to stages.tsv.
stage() {
  local name=$1 limit=$2 start=$SECONDS code
  shift 2
  wanted "$name" || return 0
  timeout --kill-after=10 "$limit" "$@" >"$results/$name.log" 2>&1
  code=$?
  case $code in
    0) state=passed ;;
    124 | 137) state="not done in $limit s" ;;
    77) state=skipped ;;
    *) state="failed ($code)" ;;
  esac
  # Without a GPU a program does its part by saying so.
  if [ -n "$dry" ] && grep -qiE "no usable|no CUDA|driver version is insufficient|CUDA_UNAVAILABLE|skipped" \
    "$results/$name.log"; then
    state="dry run: no device"
  fi
  printf '%s\t%s\t%s\t%s\n' "$name" "$state" $((SECONDS - start)) "$(tail -1 "$results/$name.log" | tr '\t' ' ')" \
    >>"$results/stages.tsv"
  echo "$name: $state, $((SECONDS - start)) s: $(tail -1 "$results/$name.log")"
  report
}

report() {
  local files=("$results/stages.tsv") file
  for file in "$results"/bench-*.log "$results/peers.log"; do [ -f "$file" ] && files+=("$file"); done
  awk -F '\t' -f benchmarks/gpu_table.awk "${files[@]}" >"$results/table.txt"
  awk -F '\t' '
    function text(s) { gsub(/[\\"]/, "", s); gsub(/[^ -~]/, " ", s); return "\"" s "\"" }
    FILENAME ~ /stages.tsv$/ {
      stages = stages (stages ? ",\n" : "") "    { \"stage\": " text($1) ", \"state\": " text($2) ", \"seconds\": " $3 ", \"last\": " text($4) " }"
      next
    }
    $1 ~ /^(limit|time|step|skip)$/ {
      row = ""
      for (i = 1; i <= NF; ++i) row = row (i > 1 ? ", " : "") text($i)
      rows = rows (rows ? ",\n" : "") "    [" row "]"
    }
    END { print "{\n  \"stages\": [\n" stages "\n  ],\n  \"rows\": [\n" rows "\n  ]\n}" }
  ' "${files[@]}" >"$results/results.json"
}

build() {
  local torch=${LIBTORCH:-$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null)}
  local targets=(cuda_kernels_test vssl_cuda_bench) engine=OFF
  if [ -f "$torch/lib/libtorch_cuda.so" ]; then
    engine=ON
    targets+=(engine_device_test vssl_engine_bench)
  else
    echo "no CUDA libtorch (python3's PyTorch, or LIBTORCH): the kernels alone"
  fi
  cmake -S . -B $out -G Ninja -DVSSL_ENGINE=$engine -DVSSL_ENGINE_CUDA=$engine -DVSSL_CUDA=ON -DVSSL_LIBAV=OFF \
    -DVSSL_FLOW=OFF -DVSSL_LIBTORCH="$torch" && cmake --build $out --parallel "$jobs" --target "${targets[@]}"
}

# A program of the build, if that was made.
built() {
  [ -x "$out/$1" ] || { echo "$1 was not built: skipped"; return 77; }
  "$out/$1" "${@:2}"
}

train() {
  command -v node >/dev/null && [ -f build/Release/cuda/vssl_engine.node ] || {
    echo "no Node, or no CUDA build of the package: skipped"
    return 77
  }
  for method in simclr cvrl moco videomoco cate modist tcgl; do
    VSSL_ENGINE=cuda node dist/esm/cli/main.js train --preset $method-tiny --device cuda --max-steps 20 \
      --data 'synthetic:motion?count=64' --out "$results/run-$method" || return 1
  done
}

peers() {
  python3 -c 'import torch' 2>/dev/null || { echo "python3 has no PyTorch: skipped"; return 77; }
  python3 benchmarks/peers/gpu_peers.py
}
export -f build built train peers
export out jobs results

: >"$results/stages.tsv"
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm,power.limit --format=csv,noheader 2>/dev/null ||
  [ -n "$dry" ] || { echo "there is no NVIDIA GPU here; --dry-run does what can be done without"; exit 1; }

# 300 s are what 16 cores take at most
stage build $((jobs < 16 ? 4800 / jobs : 300)) bash -c build
stage kernels 120 bash -c 'built cuda_kernels_test'
stage engine 180 bash -c 'built engine_device_test cuda'
stage methods 180 bash -c 'built engine_device_test cuda steps'
stage bench-kernels 120 bash -c 'built vssl_cuda_bench'
stage bench-engine 120 bash -c 'built vssl_engine_bench cuda'
stage train 180 bash -c train
stage peers 300 bash -c peers

cat "$results/table.txt"
! grep -qE $'\t(failed|not done)' "$results/stages.tsv"
