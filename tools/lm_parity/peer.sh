#!/usr/bin/env bash
# Compares this engine with llama.cpp on real GGUF files: token ids, prompts, logits, perplexity, greedy continuations.
# Usage: tools/lm_parity/peer.sh MODEL.gguf...
# PEER_PYTHON: a Python with llama-cpp-python, numpy, jinja2 and gguf (default: made in the working folder; compiles
# llama.cpp). PEER_WORK: where logits go, about 2 MB a token (default: a folder in the system's temporary one).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${PEER_WORK:-${TMPDIR:-/tmp}/sectora-lm-peer}
python=${PEER_PYTHON:-$work/venv/bin/python}
mkdir -p "$work"
if [ ! -x "$(command -v "$python")" ]; then
  python3 -m venv "$work/venv"
  "$python" -m pip install --quiet llama-cpp-python numpy jinja2 gguf
fi
failed=0
for model in "$@"; do
  model=$(realpath "$model")
  out=$work/$(basename "$model" .gguf)
  echo "== $(basename "$model")"
  [ -f "$out/peer.json" ] || "$python" "$here/peer.py" "$model" "$out"
  (cd "$here/../.." && cargo run --release --quiet --package sectora-lm --example peer -- "$model" "$out") || failed=1
done
exit $failed
