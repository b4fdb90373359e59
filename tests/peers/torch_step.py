"""Times training steps or inference of a torchvision network on the CPU with random data and prints JSON."""

import argparse
import json
import resource
import statistics
import sys
import time

import torch
import torchvision

def peak_memory_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


IMPORT_MEMORY_BYTES = peak_memory_bytes()  # what loading torch's libraries alone takes; several hundred MB in GPU builds

MEMORY_FORMATS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18", help="a name in torchvision.models")
    parser.add_argument("--size", type=int, default=64, help="height and width of the images")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-format", choices=MEMORY_FORMATS, default="nchw")
    parser.add_argument("--inference", action="store_true", help="time inference in place of training steps")
    parser.add_argument("--repeats", type=int, default=10, help="timed steps in a block")
    parser.add_argument("--warmup", type=int, default=3, help="untimed steps at the start of the process")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--small-stem", action="store_true", help="3x3 stride 1 first convolution, no max pool")
    parser.add_argument("--fused-optimizer", action="store_true", help="torch's fused SGD in place of its default")
    parser.add_argument("--serve", action="store_true",
                        help='for every line "step" on stdin measure one block and print one JSON line, until end of input')
    return parser.parse_args()


def build_model(arguments: argparse.Namespace) -> torch.nn.Module:
    model = getattr(torchvision.models, arguments.model)(weights=None, num_classes=arguments.classes)
    if arguments.small_stem:
        model.conv1 = torch.nn.Conv2d(arguments.channels, 64, kernel_size=3, stride=1, padding=1, bias=False)
        model.maxpool = torch.nn.Identity()
    elif arguments.channels != 3:
        model.conv1 = torch.nn.Conv2d(arguments.channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return model.to(memory_format=MEMORY_FORMATS[arguments.memory_format])


def make_step(arguments: argparse.Namespace):
    model = build_model(arguments)
    images = torch.randn(arguments.batch, arguments.channels, arguments.size, arguments.size)
    images = images.to(memory_format=MEMORY_FORMATS[arguments.memory_format])

    if arguments.inference:
        model.eval()

        def infer() -> None:
            with torch.inference_mode():
                model(images)

        return infer

    model.train()
    labels = torch.randint(arguments.classes, (arguments.batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=arguments.fused_optimizer or None)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return train


def measure(step, arguments: argparse.Namespace) -> dict:
    seconds = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return {
        "program": "torch", "version": torch.__version__, "torchvision": torchvision.__version__,
        "model": arguments.model, "stem": "small" if arguments.small_stem else "imagenet",
        "size": arguments.size, "batch": arguments.batch, "threads": torch.get_num_threads(),
        "channels": arguments.channels, "classes": arguments.classes,
        "inference": arguments.inference, "memory_format": arguments.memory_format, "repeats": arguments.repeats,
        "seconds_per_step": statistics.median(seconds),
        "images_per_second": arguments.batch / statistics.median(seconds),
        "images_per_second_low": arguments.batch / max(seconds),
        "images_per_second_high": arguments.batch / min(seconds),
        "peak_memory_bytes": peak_memory_bytes(), "import_memory_bytes": IMPORT_MEMORY_BYTES,
    }


def main() -> int:
    arguments = parse_arguments()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    step = make_step(arguments)
    for _ in range(arguments.warmup):
        step()
    if not arguments.serve:
        print(json.dumps(measure(step, arguments)))
        return 0
    for line in sys.stdin:
        if line.strip() != "step":
            print(f'expected "step", got {line.strip()!r}', file=sys.stderr)
            return 64
        print(json.dumps(measure(step, arguments)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
