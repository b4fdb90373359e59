#!/usr/bin/env python3
"""What a teacher costs: training speed of a student alone, under a live teacher, and under its cached answers.

    python3 tests/peers/teacher_step.py build/release/bin [--threads 2] [--rounds 5]

Trains on phantoms; the arms take turns, a round each, and the median over the rounds and their epochs (the first of a
run, which warms up, left out) is printed as a table for docs/benchmarks/teacher_cache.md. Nothing but Python is needed.
"""
import argparse
import csv
import os
import statistics
import subprocess
import tempfile

DATA = "phantom:chest?n=256&val=32&test=32&size=64"
METHODS = {"kd": ["--method", "kd"], "at": ["--method", "at:weight=10"]}


def train(folder, binaries, app, out, flags, threads):
    command = [os.path.join(binaries, app), "--data", DATA, "--batch", "32", "--threads", str(threads), "--bootstrap",
               "0", "--quiet", "--out", os.path.join(folder, out)]
    subprocess.run(command + flags, check=True, env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    with open(os.path.join(folder, out, "metrics.csv"), encoding="utf-8") as rows:
        return [float(row["images_per_second"]) for row in csv.DictReader(rows)][1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries")
    parser.add_argument("--student", default="resnet20")
    parser.add_argument("--teacher", default="resnet18")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    student = ["--model", options.student, "--epochs", "3"]
    with tempfile.TemporaryDirectory() as folder:
        train(folder, options.binaries, "preceptor-train", "teacher", ["--model", options.teacher, "--epochs", "1"],
              options.threads)
        taught = student + ["--teacher", os.path.join(folder, "teacher", "best.safetensors")]
        cache = ["--teacher-cache", os.path.join(folder, "cache")]
        arms = {"alone": ("preceptor-train", student)}
        for name, method in METHODS.items():
            arms[name + ", live teacher"] = ("preceptor-distill", taught + method)
            arms[name + ", cached"] = ("preceptor-distill", taught + method + cache)
        speeds = {name: [] for name in arms}
        for turn in range(options.rounds):
            for number, (name, (app, flags)) in enumerate(arms.items()):
                speeds[name] += train(folder, options.binaries, app, f"run{turn}-{number}", flags, options.threads)
    alone = statistics.median(speeds["alone"])
    print(f"{options.student} under {options.teacher}, {DATA}, batch 32, {options.threads} threads, "
          f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print("| | images/s | lowest to highest | time of a step, by that of the student alone |\n|---|---|---|---|")
    for name, values in speeds.items():
        print(f"| {name} | {statistics.median(values):.0f} | {min(values):.0f} to {max(values):.0f} | "
              f"{alone / statistics.median(values):.3f} |")


if __name__ == "__main__":
    main()
