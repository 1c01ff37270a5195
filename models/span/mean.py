#!/usr/bin/env python3
"""mean.py OUT FILE:SHARE FILE:SHARE …: the weighed mean of weights (`model.gguf` or `model.safetensors`), written as export.py does.

Weights that were learnt on from one another lie in one valley: their mean keeps what each knows better than either
(Wortsman et al. 2022, "Model soups", arXiv 2203.05482).
"""

import pathlib
import sys

from safetensors.numpy import load_file

from export import export, exported


def main():
    out, parts = pathlib.Path(sys.argv[1]), [of.rsplit(":", 1) for of in sys.argv[2:]]
    if abs(sum(float(share) for _, share in parts) - 1) > 1e-6:
        raise SystemExit("mean.py: the shares are not 1 together")
    mean = {}
    for file, share in parts:
        tensors = load_file(file) if file.endswith(".safetensors") else exported(file)
        mean = {name: float(share) * t + (mean[name] if mean else 0) for name, t in tensors.items()}
    out.mkdir(parents=True, exist_ok=True)
    export(mean, out)


if __name__ == "__main__":
    main()
