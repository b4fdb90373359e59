"""Writes the golden values that the C++ tests compare with, made with PyTorch and torchvision in float64."""

import argparse
import json
import struct
import sys
import warnings
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save

import losses
import networks
import optimizers

FOLDER_LIMIT = 1_000_000


def in_fixed_order(file: bytes) -> bytes:
    """The same safetensors file with its metadata sorted, which the library leaves in random order."""
    length = struct.unpack("<Q", file[:8])[0]
    header = json.loads(file[8:8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + file[8 + length:]


def write(folder: Path, stem: str, tensors: dict[str, torch.Tensor], notes: dict[str, str]) -> None:
    path = folder / f"{stem}.safetensors"
    metadata = {"made_by": "tests/golden/make_golden.py", "torch": torch.__version__.split("+")[0],
                "torchvision": torchvision.__version__.split("+")[0]} | notes
    path.write_bytes(in_fixed_order(save(tensors, metadata)))
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write into (default: beside this script)")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore", message="TF32 acceleration")

    for case in networks.CASES:
        tensors, worst = networks.golden(case)
        if worst > networks.FLOAT32_BOUND:
            print(f"{case.model}: float32 misses float64 by {worst:.1e}, more than {networks.FLOAT32_BOUND:.0e}", file=sys.stderr)
            return 1
        write(arguments.out, case.model, tensors,
              {"model": case.model, "stem": "imagenet", "input": "x".join(map(str, case.input_shape)), "images": case.images,
               "classes": str(case.classes), "last_gamma": str(case.last_gamma), "float32_error": f"{worst:.1e}"})
    write(arguments.out, "losses", losses.golden(), {"dtype": "float64"})
    write(arguments.out, "optimizers", optimizers.golden(), {"dtype": "float64"} | optimizers.describe())

    total = sum(path.stat().st_size for path in arguments.out.iterdir() if path.is_file())
    print(f"folder: {total} bytes")
    if total >= FOLDER_LIMIT:
        print(f"the folder is over its limit of {FOLDER_LIMIT} bytes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
