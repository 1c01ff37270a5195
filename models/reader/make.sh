#!/usr/bin/env bash
# The whole pipeline at a tiny size, as a test: checks, two pieces of training, a third from what was handed back, export, logits against
# crates/lm. Takes about two minutes beside the environment it makes.   models/reader/make.sh [WORK_DIR]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-${TMPDIR:-/tmp}/sectora-reader}
python=${READER_PYTHON:-$work/venv/bin/python}
mkdir -p "$work"
if [ ! -x "$python" ]; then
  python3 -m venv "$work/venv"
  "$python" -m pip install --quiet -r "$here/requirements.txt" -r "$here/../span/requirements.txt"
fi
"$python" "$here/check.py"
"$python" "$here/../span/check.py" "$work"
rm -rf "$work/run" "$work/pack" "$work/out" "$work/case"
mkdir -p "$work/pack"
# Texts without any outside data: passages of the generator itself.
"$python" - "$here" <<'PY' | xz -c > "$work/pack/texts.jsonl.xz"
import json, random, sys
sys.path.insert(0, sys.argv[1])
from reading import language_of
from tasks import facets
from world import World
for i in range(2500):
    rng = random.Random(f"texts:{i}")
    _, text, _ = facets(rng, World(rng))
    title, body = text.split("\n", 1)
    print(json.dumps({"title": title, "text": body, "language": language_of(body), "source": "invented"}, ensure_ascii=False))
PY
piece() { PATH="$(dirname "$python"):$PATH" RUN=$1 PACK="$work/pack" OUT="$work/out" SIZE=tiny TOKENS=2048 WORKERS=1 LOG_EVERY=10 MORE="--steps 45 --stop-after-steps $2" "$here/gpu/run.sh" 9 99; }
piece "$work/run" 20
piece "$work/run" 10 | tee "$work/second.log"
grep -q "^going on from" "$work/second.log"
rm -rf "$work/pack/run" "$work/run2" && cp -r "$work/out/run" "$work/pack/run"
piece "$work/run2" 99 | tee "$work/third.log"
grep -q "^going on, without the optimisers' memory" "$work/third.log"
grep -q "^finished" "$work/third.log"
"$python" "$here/export.py" "$work/out/run" "$work/reader.gguf"
"$python" "$here/check.py" --case "$work/run2" "$work/case"
cd "$here/../.."
# Of the whole workspace, so that dependencies are those of the program's own build.
cargo build --release --locked --workspace --example parity
# Its tolerance for keys and values in f16 is for random weights; the induction start's sharp attention goes a little beyond, so f32 counts here.
{ "${CARGO_TARGET_DIR:-target}/release/examples/parity" "$work/case" || true; } | tee "$work/parity.log"
awk '$1 == "reader" { found = 1; if ($3 + 0 > 1e-4) bad = 1 } END { exit !found || bad }' "$work/parity.log" || { echo "logits differ from crates/lm's by more than 1e-4"; exit 1; }
