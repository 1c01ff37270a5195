#!/bin/sh
# The whole run: make.sh MIRROR MINILM WORK [jsonl files to hold out and check…]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mirror=$1 minilm=$2 work=$3
shift 3
cd "$here"
python make_data.py "$mirror" "$work/data" --held-out "$@"
python make_pieces.py "$work/data" "$minilm"
python teacher.py "$work/data" "$minilm" 24576
python train.py "$work/data" "$work/out" --check "$@" > "$work/train.log"
cp "$work/out/pieces.txt" "$work/out/weights.i8" "$work/out/scales.f32" "$work/out/version.txt" "$here"
cp "$work/train.log" "$here/train-log.txt"
