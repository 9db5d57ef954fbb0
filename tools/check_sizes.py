#!/usr/bin/env python3
"""Holds the size limits: files of at most 600 lines, functions of at most 60."""
import json
import pathlib
import shutil
import subprocess
import sys

MAX_FILE, MAX_FUNCTION = 600, 60
ROOT = pathlib.Path(__file__).resolve().parent.parent


def tracked(*patterns: str) -> list[str]:
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout.split()
    return [path for path in out if (ROOT / path).exists()]


def long_files() -> list[str]:
    counts = {path: len((ROOT / path).read_bytes().splitlines()) for path in tracked("*.cc", "*.h", "*.py", "*.sh", "run")}
    return [f"{path}: {count} lines, at most {MAX_FILE}" for path, count in counts.items() if count > MAX_FILE]


def functions(paths: list[str]) -> list[dict]:
    # ctags knows where a function ends; it is optional because only this check needs it.
    out = subprocess.run(["ctags", "--output-format=json", "--fields=+ne", "--kinds-C++=f", "-f", "-", *paths],
                         cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def long_functions() -> list[str]:
    if shutil.which("ctags") is None:
        print("sizes: ctags is not installed, functions were not measured", file=sys.stderr)
        return ["universal-ctags is missing"]
    found = [(tag["end"] - tag["line"] + 1, tag) for tag in functions(tracked("*.cc", "*.h")) if "end" in tag]
    sizes = sorted(size for size, _ in found)
    if sizes:
        print(f"sizes: {len(sizes)} functions, median {sizes[len(sizes) // 2]}, p95 {sizes[len(sizes) * 95 // 100]} lines")
    return [f"{tag['path']}:{tag['line']}: {tag['name']} has {size} lines, at most {MAX_FUNCTION}"
            for size, tag in found if size > MAX_FUNCTION]


if __name__ == "__main__":
    errors = long_files() + long_functions()
    print("\n".join(errors) if errors else "sizes: within the limits")
    sys.exit(1 if errors else 0)
