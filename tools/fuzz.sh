#!/bin/sh
# Runs every fuzz target for $1 seconds from its corpus; new inputs are kept in build/fuzz/found/<target>.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-30}
failed=0
for source in tests/fuzz/*/CMakeLists.txt; do
  target=$(basename "$(dirname "$source")")
  found=build/fuzz/found/$target
  mkdir -p "$found"
  printf '==> fuzzing %s for %s s\n' "$target" "$seconds"
  "build/fuzz/bin/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" "$found" "tests/fuzz/corpus/$target" >"$found.log" 2>&1 || {
    tail -40 "$found.log"
    failed=1
  }
  grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "$found.log" || true
done
exit $failed
