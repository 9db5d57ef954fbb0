#!/bin/sh
# Formatting, layer rules, shell and Python checks. --tidy: clang-tidy on the files changed against main.
set -eu
cd "$(dirname "$0")/.."
failed=0
check() {
  printf -- '-- %s\n' "$1"
  shift
  "$@" || failed=1
}

sources=$(git ls-files -co --exclude-standard '*.cc' '*.h')
# shellcheck disable=SC2086  # a list of names without blanks
check clang-format clang-format-14 --dry-run -Werror $sources
check layers python3 tools/check_layers.py
check sizes python3 tools/check_sizes.py
scripts=$(git ls-files -co --exclude-standard '*.sh')
# shellcheck disable=SC2086
check shellcheck shellcheck -x run .ci/run $scripts
check python python3 -m compileall -q tools tests bench

if [ "${1:-}" = --tidy ]; then
  changed=$(git diff --name-only --diff-filter=AM "$(git merge-base HEAD "${2:-HEAD~1}")" -- '*.cc')
  # shellcheck disable=SC2086
  [ -z "$changed" ] || check clang-tidy clang-tidy-14 -p build/fuzz --quiet $changed
fi
exit $failed
