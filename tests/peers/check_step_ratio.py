"""Tiny steps of preceptor-bench and torch_step.py give a ratio; whatever decides the work and differs refuses it.

check_step_ratio.py BIN_DIR. Exit code 77 where torch or torchvision is missing.
"""

import json
import subprocess
import sys
from pathlib import Path

try:
    import torch  # noqa: F401
    import torchvision  # noqa: F401
except ImportError:
    print("SKIPPED: no torch or torchvision here")
    sys.exit(77)

from step_ratio import MUST_AGREE, MUST_AGREE_ON_A_CARD, MUST_AGREE_ON_THE_CPU, Refused, step_ratio

PEERS = Path(__file__).resolve().parent
WORK = ["--model", "resnet18", "--size", "32", "--batch", "2", "--threads", "1", "--repeats", "1"]
MODES = {"training": [], "inference": ["--inference"], "distillation": ["--teacher", "resnet18"]}


def answer_of(command: list[str]) -> dict:
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def expect_refused(ours: dict, theirs: dict, key: str) -> None:
    try:
        step_ratio(ours, theirs)
    except Refused as refusal:
        assert f" {key}" in str(refusal), refusal
        return
    raise AssertionError(f"a different {key} was not refused")


def main() -> int:
    bench = Path(sys.argv[1]) / "preceptor-bench"
    answers = {}
    for mode, flags in MODES.items():
        ours = answer_of([str(bench), "step", *WORK, *flags, "--json"])
        theirs = answer_of([sys.executable, str(PEERS / "torch_step.py"), *WORK, "--warmup", "1", *flags])
        assert ours["mode"] == theirs["mode"] == mode, (ours, theirs)
        ratio = step_ratio(ours, theirs)["speed"]
        assert ratio == ours["images_per_second"] / theirs["images_per_second"]
        print(f"{mode}: both report the same work")
        answers[mode] = (ours, theirs)
    ours, theirs = answers["training"]
    expect_refused(ours, answers["inference"][1], "mode")
    for key in MUST_AGREE + MUST_AGREE_ON_THE_CPU:
        expect_refused(ours, theirs | {key: "another"}, key)
        expect_refused({name: value for name, value in ours.items() if name != key}, theirs, key)
    on_a_card = {"device": "cuda", "card": "a card", "layout": "channels_last"}
    step_ratio(ours | on_a_card, theirs | on_a_card)
    for key in MUST_AGREE_ON_A_CARD:
        expect_refused(ours | on_a_card, theirs | on_a_card | {key: "another"}, key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
