#!/usr/bin/env bash
# Puts what the GPU run needs besides the repository into .reader-pack at its root: gpu/pack.sh TEXTS.jsonl [CHECKOUT]
# CHECKOUT is the one whose session holds the machine (default: this one). Fails above 60 MiB. See gpu/README.md.
set -euo pipefail
texts=${1:?TEXTS.jsonl, as gather.py writes it}
root=$(cd "${2:-$(dirname "$0")/../../..}" && pwd)
exclude=$(git -C "$root" rev-parse --path-format=absolute --git-path info/exclude)
mkdir -p "$(dirname "$exclude")"
grep -qxF '/.reader-pack/' "$exclude" 2>/dev/null || echo '/.reader-pack/' >> "$exclude"
mkdir -p "$root/.reader-pack"
xz -T0 -9 -c "$texts" > "$root/.reader-pack/texts.jsonl.xz"
tree=$(git -C "$root" ls-files -z --cached --others --exclude-standard | (cd "$root" && xargs -0 stat -c %s 2>/dev/null) | awk '{n += $1} END {print n + 0}')
carried=$(find "$root/.reader-pack" -type f -printf '%s\n' | awk '{n += $1} END {print n + 0}')
echo "working tree $((tree >> 20)) MiB, pack $((carried >> 20)) MiB ($carried bytes)"
if [ $((tree + carried)) -gt $((60 << 20)) ]; then
  echo "together above 60 MiB: take sources out of gather.py" >&2
  exit 1
fi
