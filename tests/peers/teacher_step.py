#!/usr/bin/env python3
"""The cost of a teacher in a training step: processor time without one, with a live one, and with its cached outputs.

    python3 tests/peers/teacher_step.py build/release/bin [--threads 2] [--rounds 5]

Trains on phantoms. The processor time of five epochs less that of one is that of four, whatever else a run does; the
arms take turns, a round each, and the table for docs/benchmarks/teacher_cache.md shows the median over the rounds and
of the ratios within a round. Processor time, and threads that do not spin (OMP_WAIT_POLICY=passive), because time on
the clock tells nothing on a machine that others use. Nothing but Python is needed.
"""
import argparse
import os
import resource
import statistics
import subprocess
import tempfile

IMAGES = 128
DATA = f"phantom:chest?n={IMAGES}&val=32&test=32&size=64"
METHODS = {"kd": ["--method", "kd"], "at": ["--method", "at:weight=10"]}


def processor_seconds(folder, binaries, app, out, flags, threads):
    command = [os.path.join(binaries, app), "--data", DATA, "--batch", "32", "--threads", str(threads), "--bootstrap",
               "0", "--quiet", "--out", os.path.join(folder, out)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command + flags, check=True, env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries")
    parser.add_argument("--student", default="resnet20")
    parser.add_argument("--teacher", default="resnet18")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    student = ["--model", options.student]
    with tempfile.TemporaryDirectory() as folder:
        run = lambda app, out, flags: processor_seconds(folder, options.binaries, app, out, flags, options.threads)
        run("preceptor-train", "teacher", ["--model", options.teacher, "--epochs", "1"])
        taught = student + ["--teacher", os.path.join(folder, "teacher", "best.safetensors")]
        cache = ["--teacher-cache", os.path.join(folder, "cache")]
        arms = {"alone": ("preceptor-train", student)}
        for name, method in METHODS.items():
            arms[name + ", live teacher"] = ("preceptor-distill", taught + method)
            arms[name + ", cached"] = ("preceptor-distill", taught + method + cache)
            run("preceptor-distill", "fill-" + name, taught + method + cache + ["--epochs", "1"])
        milliseconds = {name: [] for name in arms}
        for turn in range(options.rounds):
            for number, (name, (app, flags)) in enumerate(arms.items()):
                short, long = (run(app, f"run{turn}-{number}-{epochs}", flags + ["--epochs", str(epochs)])
                               for epochs in (1, 5))
                milliseconds[name].append(1e3 * (long - short) / (4 * IMAGES / 32))
    print(f"{options.student} under {options.teacher}, {DATA}, batch 32, {options.threads} threads, "
          f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print("| | ms of processor time a step | lowest to highest | by the student alone |\n|---|---|---|---|")
    for name, values in milliseconds.items():
        ratio = statistics.median(value / alone for value, alone in zip(values, milliseconds["alone"]))
        print(f"| {name} | {statistics.median(values):.0f} | {min(values):.0f} to {max(values):.0f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
