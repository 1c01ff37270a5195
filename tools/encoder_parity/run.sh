#!/usr/bin/env bash
# Compares Sectora's vectors with sentence-transformers' (PyTorch, CPU): small random models of every family, and any
# further folders named (a real model, for instance).
# Usage: tools/encoder_parity/run.sh WORK_DIR [FOLDER...]   WORK_DIR lies outside the repository.
#   PARITY_PYTHON: a Python with torch and sentence-transformers; else a virtual environment is made in WORK_DIR.
#   ENCODE: the built example `encode`; else it is built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?which folder to work in?}
shift
python=${PARITY_PYTHON:-$work/venv/bin/python}
mkdir -p "$work"
if [ ! -x "$python" ]; then
  python3 -m venv "$work/venv"
  "$python" -m pip install --quiet -r "$here/requirements.txt"
fi
[ -d "$work/models/parts" ] || "$python" "$here/make_models.py" "$work/models"
encode=${ENCODE:-}
if [ -z "$encode" ]; then
  (cd "$here/../.." && cargo build --release --example encode)
  encode=${CARGO_TARGET_DIR:-$here/../../target}/release/examples/encode
fi
models=()
for folder in "$work"/models/*/; do [ -f "$folder/modules.json" ] && models+=("${folder%/}"); done
"$python" "$here/pairs.py" "$encode" "$work"/models/rerankers/* "$work"/models/entailment/*
"$python" "$here/sparse.py" "$encode" "$work"/models/m3-*
"$python" "$here/compare.py" "$encode" "${models[@]}" "$@"
