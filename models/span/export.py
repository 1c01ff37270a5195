#!/usr/bin/env python3
"""export.py RUN/model.pt OUT.safetensors: half precision, with the ids that have vectors of their own."""

import sys

import numpy
import torch
from safetensors.numpy import save_file

saved = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
tensors = {name: t.to(torch.float16).numpy() for name, t in saved["model"].items()}
save_file(tensors | {"known": numpy.array(saved["known"], dtype=numpy.uint32)}, sys.argv[2])
