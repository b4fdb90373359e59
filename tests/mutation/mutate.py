"""Makes small mistakes in the CUDA kernels, one at a time, and counts how many the emulated device's tests catch.

    python3 tests/mutation/mutate.py                       # 80 mutants over all kernels
    python3 tests/mutation/mutate.py --files softened_kl --count 20
    python3 tests/mutation/mutate.py --list                # what could be mutated

A mutant is caught when its tests fail, crash, hang or do not compile under -Werror in the plain or the race build. Mutants that change no
result are listed in survivors.txt with the reason, one a line: file: the mutated line  # reason. They do not count. Nothing in this tree is
changed: the work happens in a copy.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = Path(__file__).with_name("survivors.txt")

# Name, pattern, replacement. Each match in a line of kernel code is a mutant of its own.
MISTAKES = [
    ("barrier dropped", r"__syncthreads\(\);", ";"),
    ("warp barrier dropped", r"__syncwarp\(\);", ";"),
    ("fence dropped", r"__threadfence\(\);", ";"),
    ("copy not waited for", r"copy_async_wait<\d+>\(\);", ";"),
    ("< becomes <=", r"(?<=[\w\)\]]) < (?=[\w\(])", " <= "),
    ("<= becomes <", r" <= ", " < "),
    ("> becomes >=", r"(?<=[\w\)\]]) > (?=[\w\(\-])", " >= "),
    (">= becomes >", r" >= ", " > "),
    ("== becomes !=", r" == ", " != "),
    ("off by one, up", r" \+ 1(?![\w.])", " + 2"),
    ("off by one, down", r" - 1(?![\w.])", " - 2"),
    ("+= becomes =", r" \+= ", " = "),
    ("minus becomes plus", r"(?<=[\w\)\]]) - (?=[\w\(])", " + "),
    ("plus becomes minus", r"(?<=[\w\)\]]) \+ (?=[\w\(])", " - "),
    ("times becomes plus", r"(?<=[\w\)\]]) \* (?=[\w\(])", " + "),
    ("half the warp", r"\bwarp_size\b", "(warp_size / 2)"),
    ("half the distance lost", r"distance /= 2", "distance /= 4"),
    ("wrong stride", r"\bpitch\b", "(pitch + 1)"),
    ("wrong thread", r"\bthreadIdx\.x\b", "(threadIdx.x | 1u)"),
    ("wrong block", r"\bblockIdx\.x\b", "(blockIdx.x / 2)"),
    ("sum becomes maximum", r"\bSum\{\}", "Maximum{}"),
    ("maximum becomes sum", r"\bMaximum\{\}", "Sum{}"),
    ("zero becomes one", r"(?<== )0(\.0f|\.f|f)?(?=[;,])", "1"),
    ("condition dropped", r"\bif \((?!constexpr)[^()]*\) (?=[\w*]+[\[\w.]* ?[+]?=)", ""),
    ("multiply-add loses its addend", r"fmaf\(([^,()]+), ([^,()]+), ([^,()]+)\)", r"((\1) * (\2))"),
]


def kernel_files(names):
    files = sorted([*ROOT.glob("kernels/*/*.cu"), *ROOT.glob("kernels/*/*.cuh"), *ROOT.glob("kernels/*/versions/*.cu"),
                    ROOT / "kernels/device/reduce.cuh"])
    files = [file for file in dict.fromkeys(files) if file.name not in ("load16.cuh", "mma.cuh", "copy_async.cuh")]
    return [file for file in files if not names or any(name in str(file.relative_to(ROOT)) for name in names)]


def mutants_of(file):
    """(line number, mistake, mutated line) for every place; comments, includes, costs of the host side are left alone."""
    found = []
    for number, line in enumerate(file.read_text().splitlines()):
        code = line.split("//")[0]
        if not code.strip() or code.lstrip().startswith(("#", "template", "namespace", "using", "static_assert", "assert", "*")):
            continue
        for name, pattern, replacement in MISTAKES:
            for match in re.finditer(pattern, code):
                mutated = code[:match.start()] + match.expand(replacement) + code[match.end():]
                if mutated != code:
                    found.append((number, name, mutated + line[len(code):]))
    return found


def choose(files, count, seed):
    """Spread evenly: round robin over (file, mistake), shuffled inside."""
    groups = {}
    for file in files:
        for mutant in mutants_of(file):
            groups.setdefault((file, mutant[1]), []).append((file, *mutant))
    generator = random.Random(seed)
    for group in groups.values():
        generator.shuffle(group)
    order = list(groups.values())
    generator.shuffle(order)
    chosen = []
    while len(chosen) < count and any(order):
        for group in order:
            if group and len(chosen) < count:
                chosen.append(group.pop())
    return chosen


def run(command, cwd, limit):
    """True when it succeeds within the limit."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(limit) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return False


class Workshop:
    """A copy of the tree with the two lanes built."""

    def __init__(self, folder, jobs):
        self.tree, self.jobs, self.limits = folder, jobs, {}
        ignore = shutil.ignore_patterns("build", "runs", ".git")
        shutil.copytree(ROOT, folder, ignore=ignore, dirs_exist_ok=True)
        for preset in ("release", "emulated-race"):
            subprocess.run(["cmake", "--preset", preset, "-Wno-dev", "-DPRECEPTOR_CUDA=OFF"], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
            if not self.build(preset):
                sys.exit(f"the unchanged tree does not build: {preset}")
            start = time.monotonic()
            if not self.passes(preset, "*", 1200):
                sys.exit(f"the unchanged tree fails its tests: {preset}")
            seconds = time.monotonic() - start
            self.limits[preset] = max(90, 4 * seconds)  # a mutant that takes longer hangs
            print(f"unchanged: {preset} passes in {seconds:.0f} s", flush=True)

    def build(self, preset):
        targets = ["--target", "test_kernels"] + (["test_emulator"] if preset == "emulated-race" else [])
        return run(["cmake", "--build", "--preset", preset, "--parallel", str(self.jobs), *targets], self.tree, 900)

    def passes(self, preset, family, limit):
        tests = self.tree / "build" / preset / "tests"
        filter = f"--gtest_filter=*{family}*emulated*:{family}*emulated*" if family != "*" else "--gtest_filter=*emulated*"
        return run([str(tests / "test_kernels"), filter, "--gtest_fail_fast"], self.tree, limit)

    def caught(self, file, number, mutated, family):
        """The lane that caught it, or None."""
        path = self.tree / file.relative_to(ROOT)
        original = path.read_text()
        lines = original.splitlines()
        lines[number] = mutated
        path.write_text("\n".join(lines) + "\n")
        try:
            for preset, lane in (("release", "plain"), ("emulated-race", "race")):
                if not self.build(preset):
                    return "compiler"
                if not self.passes(preset, family, self.limits[preset]):
                    return lane
            return None
        finally:
            path.write_text(original)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", nargs="*", default=[], help="only files whose path contains one of these")
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "mutation", help="where the copy lies")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()

    files = kernel_files(arguments.files)
    if arguments.list:
        for file in files:
            print(f"{len(mutants_of(file)):5}  {file.relative_to(ROOT)}")
        return
    explained = EXPLAINED.read_text() if EXPLAINED.exists() else ""
    chosen = choose(files, arguments.count, arguments.seed)
    workshop = Workshop(arguments.work, arguments.jobs)
    lanes, survivors = {}, []
    for index, (file, number, name, mutated) in enumerate(chosen, 1):
        place = f"{file.relative_to(ROOT)}:{number + 1}"
        family = "*" if "device" in file.parts else "*".join(part.title() for part in file.relative_to(ROOT).parts[1].split("_"))
        start = time.monotonic()
        lane = workshop.caught(file, number, mutated, family)
        known = lane is None and f"{file.relative_to(ROOT)}: {mutated.strip()}" in explained
        result = f"caught ({lane})" if lane else "changes nothing (explained)" if known else "SURVIVED"
        print(f"{index:3}/{len(chosen)}  {result:28} {place}: {name}: {mutated.strip()}  [{time.monotonic() - start:.0f} s]", flush=True)
        lanes[lane or ("explained" if known else "survived")] = lanes.get(lane or ("explained" if known else "survived"), 0) + 1
        if lane is None and not known:
            survivors.append(f"{place}: {name}: {mutated.strip()}")
    caught = sum(count for lane, count in lanes.items() if lane not in ("survived", "explained"))
    counted = len(chosen) - lanes.get("explained", 0)
    print(f"\n{caught} of {counted} caught ({100 * caught / max(1, counted):.1f} %), {lanes.get('explained', 0)} change nothing: {lanes}")
    for survivor in survivors:
        print("survived:", survivor)
    sys.exit(0 if caught >= 0.95 * counted else 1)


if __name__ == "__main__":
    main()
