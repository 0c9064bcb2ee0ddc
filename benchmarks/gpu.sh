#!/usr/bin/env bash
# All that wants a GPU, in one go: builds the CUDA kernels, checks them against the CPU twins, times them beside
# PyTorch, prints one table. Needs nvcc 12.1, cmake, ninja; python3 with PyTorch for the peers. No Node.
#
#   benchmarks/gpu.sh [FOLDER]    logs and values go to FOLDER (build/gpu/results)
#
# Ends with 1 when a check failed; the table then says so.
set -u -o pipefail
cd "$(dirname "$0")/.."
results=${1:-build/gpu/results}
mkdir -p "$results"
export PATH="$PATH:/usr/local/cuda/bin"

nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm,power.limit --format=csv,noheader || exit 1
cmake -S . -B build/gpu -G Ninja -DVSSL_ENGINE=OFF -DVSSL_CUDA=ON >"$results/cmake.log" 2>&1 &&
  cmake --build build/gpu --target cuda_kernels_test vssl_cuda_bench >"$results/build.log" 2>&1 ||
  { tail -40 "$results"/*.log; echo "the build failed"; exit 1; }
echo "built in ${SECONDS} s"

state="checked against the CPU twins"
timeout 300 build/gpu/cuda_kernels_test >"$results/test.log" 2>&1 || {
  state="NOT VERIFIED: some checks failed"
  # The same without overlapping launches says whether they are to blame.
  VSSL_CUDA_OVERLAP=off timeout 120 build/gpu/cuda_kernels_test >"$results/test_no_overlap.log" 2>&1
  grep -h FAILED "$results/test.log" | head -40
  echo "without overlapping launches: $(tail -1 "$results/test_no_overlap.log")"
}
echo "checks: $(tail -1 "$results/test.log")"

timeout 180 build/gpu/vssl_cuda_bench >"$results/values.tsv" 2>"$results/bench.log" || tail -5 "$results/bench.log"
if python3 -c 'import torch' 2>/dev/null; then
  timeout 240 python3 benchmarks/peers/gpu_peers.py >>"$results/values.tsv" 2>"$results/peers.log" ||
    tail -5 "$results/peers.log"
else
  echo "python3 has no PyTorch: no peers"
fi

# A case's rows stand together; "times" is how many times the best of ours a row takes, "of bound" what part of
# its time the products or bytes alone would take at the measured limit.
awk -F '\t' -v state="$state" '
  $1 == "limit" { limits = limits sprintf("  %-44s %9s %s\n", $2, $3, $4) }
  $1 == "time" {
    if (!($2 in seen)) { seen[$2] = ++cases; names[cases] = $2 }
    row[$2, ++count[$2]] = $0
    if ($3 ~ /^ours/ && (!($2 in best) || $4 + 0 < best[$2])) best[$2] = $4 + 0
  }
  $1 == "skip" { skipped = skipped "  " $2 ", " $3 ": " $4 "\n" }
  END {
    printf "\nlimits measured in this run\n%s\n%s; microseconds, medians\n", limits, state
    format = "%-50s %-52s %10s %10s %10s %9s %7s\n"
    printf format, "case", "who", "replay", "in chain", "cold L2", "of bound", "times"
    for (c = 1; c <= cases; ++c) {
      name = names[c]
      for (i = 1; i <= count[name]; ++i) {
        split(row[name, i], f, "\t")
        part = f[7] + 0 > 0 ? sprintf("%.2f %s", f[7] / f[4], substr(f[8], 1, 1)) : "-"
        times = name in best ? sprintf("%.2f", f[4] / best[name]) : "-"
        printf format, i == 1 ? name : "", f[3], f[4], f[5], f[6], part, times
      }
    }
    if (skipped) printf "\nnot run\n%s", skipped
    print "\nof bound: p products, b bytes. Wanted on an H200: NT-Xent bf16 rows 4096 25 us, rows 65536 4600 us, queue 22 us"
  }' "$results/values.tsv" | tee "$results/table.txt"
[ "$state" = "checked against the CPU twins" ]
