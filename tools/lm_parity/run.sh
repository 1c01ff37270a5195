#!/usr/bin/env bash
# Compares the logits of this engine with PyTorch transformers for every architecture, on random weights.
# Usage: tools/lm_parity/run.sh [WORK_DIR]   (outside the repository; default: a folder in the system's temporary one)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:-${TMPDIR:-/tmp}/sectora-lm-parity}
python=${PARITY_PYTHON:-$work/venv/bin/python}
mkdir -p "$work"
if [ ! -x "$python" ]; then
  python3 -m venv "$work/venv"
  "$python" -m pip install --quiet torch transformers gguf numpy
fi
"$python" "$here/make_models.py" "$work/models"
cd "$here/../.." && cargo run --release --package sectora-lm --example parity -- "$work/models"
