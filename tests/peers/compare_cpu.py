"""Compares preceptor-bench with PyTorch on the CPU, interleaved in rounds, and writes the table of docs/benchmarks/cpu.md."""

import argparse
import datetime
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH_STEP = Path(__file__).resolve().with_name("torch_step.py")
TABLE_BEGIN, TABLE_END = "<!-- table:begin -->", "<!-- table:end -->"
MEMORY_FORMATS = ("nchw", "channels_last")

# Ratios the project demands, for ResNet-18 with the ImageNet stem.
TRAINING_TARGETS = {28: 2.0, 64: 1.5, 224: 1.4}
INFERENCE_TARGET = 1.4

MUST_AGREE = ("size", "batch", "threads")  # a ratio is refused unless both programs report these, and equal
MUST_AGREE_IF_REPORTED = ("model", "stem", "channels", "classes", "inference")

EXIT_DATA, EXIT_MISSING = 65, 66

ATTEMPTS = 5  # at one round, where other programs disturb it


class Refused(Exception):
    """The two programs did not do the same work, or one of them gave no usable answer."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    comma_list = lambda kind: lambda text: [kind(part) for part in text.split(",")]
    parser.add_argument("--bench", type=Path, default=ROOT / "build/release/bin/preceptor-bench")
    parser.add_argument("--models", type=comma_list(str), default=["resnet18"])
    parser.add_argument("--sizes", type=comma_list(int), default=[28, 64, 224])
    parser.add_argument("--modes", type=comma_list(str), default=["training", "inference"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10,
                        help='timed steps in a torch process where preceptor-bench does not report its own "repeats"')
    parser.add_argument("--classes", type=int, default=1000, help="classes of torch's network; preceptor-bench's have to be equal")
    parser.add_argument("--channels", type=int, default=3, help="image channels of torch's network")
    parser.add_argument("--foreign-load", type=float, default=0.1,
                        help="cores that other programs may keep busy meanwhile; a round with more is measured again")
    parser.add_argument("--bench-options", type=shlex.split, default=[], help="further options for preceptor-bench, in one string")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/benchmarks/cpu.md", help="page with the table; the JSON lies beside it")
    arguments = parser.parse_args()
    if not set(arguments.modes) <= {"training", "inference"}:
        parser.error("--modes takes training, inference or both")
    if arguments.rounds < 1:
        parser.error("--rounds has to be at least 1")
    return arguments


def busy_seconds() -> float:
    """CPU seconds spent by all programs since the machine started, stolen ones included."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_json(command: list[str]) -> dict:
    """Runs a program to its end and returns the one JSON object it prints, with the load by others ("foreign_load")."""
    start, busy, own = time.monotonic(), busy_seconds(), children_seconds()
    done = subprocess.run(command, capture_output=True, text=True)
    foreign_load = (busy_seconds() - busy - (children_seconds() - own)) / (time.monotonic() - start)
    if done.returncode != 0:
        raise Refused(f"{shlex.join(command)} failed with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise Refused(f"{shlex.join(command)} did not print one JSON object: {done.stdout.strip()[:200]!r}") from None
    if not isinstance(answer, dict) or not {"images_per_second", "peak_memory_bytes"} <= answer.keys():
        raise Refused(f"{shlex.join(command)} lacks images_per_second or peak_memory_bytes")
    return answer | {"foreign_load": round(max(foreign_load, 0.0), 3)}


def bench_command(arguments, model: str, size: int, inference: bool) -> list[str]:
    command = [str(arguments.bench), "step", "--model", model, "--stem", "imagenet", "--size", str(size),
               "--batch", str(arguments.batch), "--threads", str(arguments.threads), "--json"]
    return command + ["--inference"] * inference + arguments.bench_options


def torch_command(arguments, model: str, size: int, inference: bool, memory_format: str, repeats: int) -> list[str]:
    command = [sys.executable, str(TORCH_STEP), "--model", model, "--size", str(size), "--batch", str(arguments.batch),
               "--threads", str(arguments.threads), "--classes", str(arguments.classes), "--channels", str(arguments.channels),
               "--memory-format", memory_format, "--repeats", str(repeats)]
    return command + ["--inference"] * inference


def require_same_work(ours: dict, theirs: dict) -> None:
    for key in MUST_AGREE + MUST_AGREE_IF_REPORTED:
        if key not in ours and key in MUST_AGREE_IF_REPORTED:
            continue
        if ours.get(key) is None or ours[key] != theirs[key]:
            raise Refused(f"no ratio: preceptor-bench reports {key} {ours.get(key, 'nothing')}, torch {theirs[key]}")


def measure_undisturbed_round(arguments, model: str, size: int, inference: bool) -> dict:
    """On busy cores a program whose threads wait for each other by spinning, as torch's do, is slower many times over."""
    for _ in range(ATTEMPTS):
        one = measure_round(arguments, model, size, inference)
        foreign_load = max(answer["foreign_load"] for answer in (one["ours"], *one["torch"].values()))
        if foreign_load <= arguments.foreign_load:
            return one
        print(f"measured again: other programs kept {foreign_load:.2f} cores busy", file=sys.stderr)
    raise Refused(f"no ratio: the machine was busy with other programs {ATTEMPTS} times in a row")


def measure_round(arguments, model: str, size: int, inference: bool) -> dict:
    ours = run_json(bench_command(arguments, model, size, inference))
    repeats = int(ours.get("repeats", arguments.repeats))
    theirs = {}
    for memory_format in MEMORY_FORMATS:
        theirs[memory_format] = run_json(torch_command(arguments, model, size, inference, memory_format, repeats))
        require_same_work(ours, theirs[memory_format])
    best = max(MEMORY_FORMATS, key=lambda name: theirs[name]["images_per_second"])
    return {"ours": ours, "torch": theirs, "torch_best": best,
            "ratio": ours["images_per_second"] / theirs[best]["images_per_second"]}


def target_of(model: str, size: int, mode: str) -> float | None:
    if model != "resnet18":
        return None
    return INFERENCE_TARGET if mode == "inference" else TRAINING_TARGETS.get(size)


def summarise(model: str, size: int, mode: str, rounds: list[dict]) -> dict:
    ratios = [one["ratio"] for one in rounds]
    target = target_of(model, size, mode)
    median = lambda values: statistics.median(list(values))
    best_format = max(MEMORY_FORMATS, key=lambda name: median(one["torch"][name]["images_per_second"] for one in rounds))
    best = [one["torch"][best_format] for one in rounds]
    ratio = statistics.median(ratios)
    return {
        "model": model, "size": size, "mode": mode,
        "images_per_second": median(one["ours"]["images_per_second"] for one in rounds),
        "torch_images_per_second": {name: median(one["torch"][name]["images_per_second"] for one in rounds) for name in MEMORY_FORMATS},
        "ratio": ratio, "ratio_low": min(ratios), "ratio_high": max(ratios),
        "target": target, "target_met": None if target is None else ratio >= target,
        # Peaks: our largest against torch's smallest, both of its formats counted.
        "peak_memory_bytes": max(one["ours"]["peak_memory_bytes"] for one in rounds),
        "torch_peak_memory_bytes": min(one["torch"][name]["peak_memory_bytes"] for one in rounds for name in MEMORY_FORMATS),
        "torch_peak_above_import_bytes": min(one["torch"][name]["peak_memory_bytes"] - one["torch"][name]["import_memory_bytes"]
                                             for one in rounds for name in MEMORY_FORMATS),
        "torch_version": best[0]["version"], "torchvision_version": best[0]["torchvision"],
        "rounds": rounds,
    }


def cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "--short=12", "HEAD")
    return (head + (" with uncommitted changes" if git("status", "--porcelain") else "")) if head else "unknown"


def shown_command() -> str:
    words = [word.replace(f"{ROOT}/", "") for word in sys.argv[1:]]
    return shlex.join(["python", "tests/peers/compare_cpu.py", *words])


def render(results: dict) -> str:
    rows = results["rows"]
    mib = lambda count: f"{count / 2**20:.0f}"
    lines = [
        f"- CPU: {results['cpu']}, {results['threads']} threads, batch {results['batch']}",
        f"- PyTorch {results['torch_version']}, torchvision {results['torchvision_version']}, eager mode, SGD with momentum",
        f"- {results['date']}, commit {results['commit']}, interleaved rounds: {results['rounds']}, other programs below {results['foreign_load']} cores",
        f"- Command: `{results['command']}`",
        "",
        "Images/s are medians. Ratio: ours over those of PyTorch's faster memory format in the same round; median (lowest to highest).",
        "Peak memory: of the whole process, the largest of our rounds and the smallest of PyTorch's; in brackets",
        "PyTorch's peak above what importing its libraries takes.",
        "",
        "| model | mode | px | ours, images/s | PyTorch nchw | PyTorch channels_last | ratio | target | met | ours, MiB | PyTorch, MiB | less memory |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|--:|--:|---|",
    ]
    for row in rows:
        target = "-" if row["target"] is None else f"{row['target']:.1f}"
        met = "-" if row["target"] is None else "yes" if row["target_met"] else "no"
        less = "yes" if row["peak_memory_bytes"] < row["torch_peak_memory_bytes"] else "no"
        torch_rates = row["torch_images_per_second"]
        lines.append(
            f"| {row['model']} | {row['mode']} | {row['size']} | {row['images_per_second']:.1f} | {torch_rates['nchw']:.1f} "
            f"| {torch_rates['channels_last']:.1f} | {row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f}) "
            f"| {target} | {met} | {mib(row['peak_memory_bytes'])} "
            f"| {mib(row['torch_peak_memory_bytes'])} ({mib(row['torch_peak_above_import_bytes'])}) | {less} |")
    return "\n".join(lines)


def page_parts(path: Path) -> tuple[str, str]:
    """The text before and after the table; a fresh page where there is none yet."""
    if not path.exists():
        return "# Speed on the CPU, against PyTorch\n\nThe part between the markers is written by `tests/peers/compare_cpu.py`.\n\n", "\n"
    text = path.read_text()
    if text.count(TABLE_BEGIN) != 1 or text.count(TABLE_END) != 1 or text.index(TABLE_BEGIN) > text.index(TABLE_END):
        raise Refused(f"{path} needs one {TABLE_BEGIN} followed by one {TABLE_END}")
    return text[:text.index(TABLE_BEGIN)], text[text.index(TABLE_END) + len(TABLE_END):]


def write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text)
    os.replace(temporary, path)


def main() -> int:
    arguments = parse_arguments()
    if not arguments.bench.exists():
        print(f"{arguments.bench} is missing: build the release preset first", file=sys.stderr)
        return EXIT_MISSING
    try:
        before, after = page_parts(arguments.out)
        cases = [(model, mode, size) for model in arguments.models for mode in arguments.modes for size in arguments.sizes]
        rounds: dict[tuple, list[dict]] = {case: [] for case in cases}
        for number in range(arguments.rounds):
            for model, mode, size in cases:
                one = measure_undisturbed_round(arguments, model, size, mode == "inference")
                rounds[model, mode, size].append(one)
                best = one["torch"][one["torch_best"]]["images_per_second"]
                print(f"round {number + 1}/{arguments.rounds}  {model} {mode} {size}: ours {one['ours']['images_per_second']:.1f}, "
                      f"torch {one['torch_best']} {best:.1f} images/s, ratio {one['ratio']:.2f}", file=sys.stderr)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return EXIT_DATA

    rows = [summarise(model, size, mode, rounds[model, mode, size]) for model, mode, size in cases]
    results = {
        "cpu": cpu_model(), "threads": arguments.threads, "batch": arguments.batch, "rounds": arguments.rounds,
        "foreign_load": arguments.foreign_load,
        "torch_version": rows[0]["torch_version"], "torchvision_version": rows[0]["torchvision_version"],
        "date": datetime.date.today().isoformat(), "commit": commit(), "command": shown_command(), "rows": rows,
    }
    table = render(results)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(arguments.out, f"{before}{TABLE_BEGIN}\n{table}\n{TABLE_END}{after}")
    write_whole(arguments.out.with_suffix(".json"), json.dumps(results, indent=1) + "\n")
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
