"""Tiny steps of preceptor-bench and torch_step.py give a ratio; whatever decides the work and differs refuses it.

check_step_ratio.py BIN_DIR. Exit code 77 where torch or torchvision is missing.
"""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

try:
    import torch_step
except ImportError:
    print("SKIPPED: no torch or torchvision here")
    sys.exit(77)

from step_ratio import MUST_AGREE, MUST_AGREE_ON_A_CARD, MUST_AGREE_ON_THE_CPU, Refused, step_ratio

WORK = ["--model", "resnet18", "--size", "32", "--batch", "2", "--threads", "1", "--repeats", "1"]
MODES = {"training": [], "inference": ["--inference"], "distillation": ["--teacher", "resnet18"]}


def answer_of_bench(program: Path, flags: list[str]) -> dict:
    command = [str(program), "step", *WORK, *flags, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def answer_of_torch(flags: list[str]) -> dict:
    """In this process, because importing torch takes longer than the steps."""
    sys.argv = ["torch_step.py", *WORK, "--warmup", "1", *flags]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert torch_step.main() == 0
    return json.loads(printed.getvalue())


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
        ours, theirs = answer_of_bench(bench, flags), answer_of_torch(flags)
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
