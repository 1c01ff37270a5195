#!/usr/bin/env bash
# One piece of the real run, on a machine with a GPU and only PyTorch: gpu/run.sh PIECE_MINUTES TOTAL_MINUTES
# Works in RUN (default /tmp/reader-run), which holds the checkpoint while the machine is kept; hands weights, state and log back in $OUT.
# On a fresh machine it goes on from PACK/run, if what an earlier machine handed back was put there. See gpu/README.md.
set -euo pipefail
piece=${1:?minutes of this piece} total=${2:?minutes of the whole run}
here=$(cd "$(dirname "$0")/.." && pwd)
pack=${PACK:-.reader-pack} run=${RUN:-/tmp/reader-run} out=${OUT:?a folder for what is handed back}
workers=${WORKERS:-$(($(nproc) > 2 ? $(nproc) - 2 : 0))}
export PYTHONUNBUFFERED=1 OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0
from=()
if [ -e "$pack/run/state.json" ] && [ ! -e "$run/checkpoint.pt" ]; then from=(--weights "$pack/run"); fi
python3 "$here/train.py" "$run" --texts "$pack/texts.jsonl.xz" --size "${SIZE:-gpu}" --minutes "$total" --stop-after "$piece" \
  --tokens "${TOKENS:-131072}" --rate "${RATE:-2e-3}" --workers "$workers" --threads "${THREADS:-2}" --save-every 1.5 --log-every "${LOG_EVERY:-25}" "${from[@]}" ${MORE:-}
python3 "$here/hand_back.py" "$run" "$out/run"
