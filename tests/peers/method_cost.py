"""The cost of a transfer method: distillation steps against the teacher's inference and the student's plain step.

    python3 tests/peers/method_cost.py [--program build/release/bin/preceptor-bench] [--rounds 7] [--only kd,at]

Every program is a process of its own that waits between its measurements. A round measures each of them once, in turn, so that
a disturbance of the machine reaches all. The cost of a method is its step over the sum of teacher and plain step of the same
round; the table shows the median, lowest and highest. Needs Python alone.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess

WITHOUT_TEACHER = {"ls", "tfkd", "dml"}


def methods(program):
    """All methods with a teacher, by the table of preceptor-distill."""
    table = subprocess.run([program.with_name("preceptor-distill"), "--list-methods"], check=True, capture_output=True, text=True)
    return [name for line in table.stdout.splitlines() if (name := line.split("\t")[0]) not in WITHOUT_TEACHER]


class Served:
    """A program that answers each line `step` with one measurement."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "OMP_WAIT_POLICY": "passive"})

    def milliseconds(self):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["step_milliseconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--program", default=root / "build/release/bin/preceptor-bench", type=pathlib.Path)
    parser.add_argument("--student", default="resnet18")
    parser.add_argument("--teacher", default="resnet34")
    parser.add_argument("--size", default="64")
    parser.add_argument("--batch", default="32")
    parser.add_argument("--rounds", default=7, type=int)
    parser.add_argument("--seconds", default="0.5", help="of a measurement")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    step = [str(options.program), "step", "--size", options.size, "--batch", options.batch, "--outputs", "14", "--threads", "2",
            "--seconds", options.seconds, "--serve"]
    distil = [*step, "--model", options.student, "--teacher", options.teacher, "--method"]
    plain, teacher = Served([*step, "--model", options.student]), Served([*step, "--model", options.teacher, "--inference"])
    print(f"{options.student} under {options.teacher}, {options.size} px, batch {options.batch}, 2 threads, {options.rounds} rounds; "
          f"load at the start {os.getloadavg()[0]:.1f}\n", flush=True)
    print("| method | step, ms | teacher + plain step, ms | cost |\n|---|--:|--:|--:|", flush=True)
    for method in options.only.split(",") if options.only else methods(options.program):
        served, steps, sums = Served([*distil, method]), [], []
        for _ in range(options.rounds):
            sums.append(plain.milliseconds() + teacher.milliseconds())
            steps.append(served.milliseconds())
        served.close()
        costs = [a / b for a, b in zip(steps, sums)]
        print(f"| `{method}` | {statistics.median(steps):.1f} | {statistics.median(sums):.1f} | "
              f"{statistics.median(costs):.3f} ({min(costs):.3f} to {max(costs):.3f}) |", flush=True)
    plain.close()
    teacher.close()
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
