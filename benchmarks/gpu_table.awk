# The table of gpu.sh. A case's rows stand together; "times" is how many times the best of ours a row takes, "of bound"
# what part of its time the products or bytes alone would take at the measured limit.
FILENAME ~ /stages.tsv$/ { printf "%-14s %-22s %5s s  %s\n", $1, $2, $3, $4; next }
$1 == "limit" { limits = limits sprintf("  %-44s %9s %s\n", $2, $3, $4) }
$1 == "step" { steps = steps sprintf("%-50s %10s %10s %14s %10s %10s\n", $2, $3, $4, $5, $6, $7) }
$1 == "time" {
  if (!($2 in seen)) { seen[$2] = ++cases; names[cases] = $2 }
  row[$2, ++count[$2]] = $0
  if ($3 ~ /^ours/ && (!($2 in best) || $4 + 0 < best[$2])) best[$2] = $4 + 0
}
$1 == "skip" { skipped = skipped "  " $2 ", " $3 ": " $4 "\n" }
END {
  if (limits) printf "\nlimits measured in this run\n%s", limits
  if (steps)
    printf "\n%-50s %10s %10s %14s %10s %10s\n%s", "training step, SimCLR, bf16", "ms", "clips/s", "convolutions",
           "step/conv", "state GB", steps
  if (cases) {
    format = "%-50s %-52s %10s %10s %10s %9s %7s\n"
    printf "\n" format, "kernel, microseconds, medians", "who", "replay", "in chain", "cold L2", "of bound", "times"
    for (c = 1; c <= cases; ++c) {
      name = names[c]
      for (i = 1; i <= count[name]; ++i) {
        split(row[name, i], f, "\t")
        part = f[7] + 0 > 0 ? sprintf("%.2f %s", f[7] / f[4], substr(f[8], 1, 1)) : "-"
        times = name in best ? sprintf("%.2f", f[4] / best[name]) : "-"
        printf format, i == 1 ? name : "", f[3], f[4], f[5], f[6], part, times
      }
    }
    print "\nof bound: p products, b bytes. Wanted on an H200: NT-Xent bf16 rows 4096 25 us, rows 65536 4600 us, queue 22 us"
  }
  if (skipped) printf "\nnot run\n%s", skipped
}
