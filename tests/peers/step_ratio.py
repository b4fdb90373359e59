"""Divides the speeds of two programs that did the same work: the JSON of preceptor-bench step by that of torch_step.py."""

import argparse
import json
import sys
from pathlib import Path

# On a card these are given from outside; on the cpu oneDNN chooses layouts inside both programs.
MUST_AGREE = ("device", "mode", "model", "teacher", "stem", "size", "batch", "channels", "classes", "precision")
MUST_AGREE_ON_A_CARD = ("card", "layout")
MUST_AGREE_ON_THE_CPU = ("threads",)
EXIT_DATA = 65


class Refused(Exception):
    """The two did not do the same work."""


def step_ratio(ours: dict, theirs: dict) -> dict:
    """Ratios ours / theirs of speed and, on a card, of memory. Raises Refused where anything that decides the work differs."""
    keys = MUST_AGREE + (MUST_AGREE_ON_A_CARD if ours.get("device") == "cuda" else MUST_AGREE_ON_THE_CPU)
    for key in keys:
        missing = [name for name, answer in (("preceptor-bench", ours), ("torch", theirs)) if key not in answer]
        if missing:
            raise Refused(f"no ratio: {missing[0]} does not report {key}")
        if ours[key] != theirs[key]:
            raise Refused(f"no ratio: {key} is {ours[key]} in preceptor-bench and {theirs[key]} in torch")
    ratios = {"torch_mode": theirs.get("torch_mode"), "speed": ours["images_per_second"] / theirs["images_per_second"]}
    if ours.get("device_memory_bytes") and theirs.get("device_memory_bytes"):
        ratios["memory"] = ours["device_memory_bytes"] / theirs["device_memory_bytes"]
    return ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ours", type=Path, help="output of preceptor-bench step --json")
    parser.add_argument("theirs", type=Path, nargs="+", help="outputs of torch_step.py; the fastest that did the same work counts")
    arguments = parser.parse_args()
    try:
        ours, *theirs = (json.loads(path.read_text().splitlines()[-1]) for path in (arguments.ours, *arguments.theirs))
        ratios = [step_ratio(ours, answer) for answer in theirs]
    except (Refused, json.JSONDecodeError, IndexError, OSError) as error:
        print(f"step_ratio: {error}", file=sys.stderr)
        return EXIT_DATA
    best = min(ratios, key=lambda ratio: ratio["speed"])
    print(json.dumps({key: ours[key] for key in MUST_AGREE} | best))
    return 0


if __name__ == "__main__":
    sys.exit(main())
