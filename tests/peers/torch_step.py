"""Times training steps, distillation steps or inference of torchvision networks with random data and prints JSON."""

import argparse
import contextlib
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
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("float", "tf32", "bf16"), default="float",
                        help="bf16: autocast; tf32: products and convolutions of float through tensor cores")
    parser.add_argument("--mode", choices=("eager", "compile", "graph"), default="eager",
                        help='compile: torch.compile(mode="max-autotune"); graph: the step captured in a CUDA graph')
    parser.add_argument("--teacher", help="a name in torchvision.models: time the distillation step (kd, temperature 4, weight 0.9)")
    parser.add_argument("--inference", action="store_true", help="time inference in place of training steps")
    parser.add_argument("--repeats", type=int, default=10, help="timed steps in a block")
    parser.add_argument("--warmup", type=int, default=3, help="untimed steps at the start of the process")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--small-stem", action="store_true", help="3x3 stride 1 first convolution, no max pool")
    parser.add_argument("--fused-optimizer", action="store_true", help="torch's fused SGD in place of its default")
    parser.add_argument("--serve", action="store_true",
                        help='for every line "step" on stdin measure one block and print one JSON line, until end of input')
    arguments = parser.parse_args()
    if arguments.mode == "graph" and arguments.device != "cuda":
        parser.error("--mode graph needs --device cuda")
    if arguments.inference and arguments.teacher:
        parser.error("--inference and --teacher are two different steps")
    return arguments


def build_model(arguments: argparse.Namespace, name: str) -> torch.nn.Module:
    model = getattr(torchvision.models, name)(weights=None, num_classes=arguments.classes)
    if arguments.small_stem:
        model.conv1 = torch.nn.Conv2d(arguments.channels, 64, kernel_size=3, stride=1, padding=1, bias=False)
        model.maxpool = torch.nn.Identity()
    elif arguments.channels != 3:
        model.conv1 = torch.nn.Conv2d(arguments.channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    model = model.to(device=arguments.device, memory_format=MEMORY_FORMATS[arguments.memory_format])
    return model


def precision_of(arguments: argparse.Namespace):
    """The settings under which a forward pass runs."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.precision != "float"
    torch.backends.cudnn.benchmark = True  # its best algorithm search
    if arguments.precision == "bf16":
        return lambda: torch.autocast(arguments.device, torch.bfloat16)
    return contextlib.nullcontext


def softened_divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    log_student = torch.log_softmax(student / temperature, 1)
    log_teacher = torch.log_softmax(teacher / temperature, 1)
    return temperature**2 * torch.nn.functional.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)


def make_step(arguments: argparse.Namespace):
    """One step, without waiting for the device."""
    precision = precision_of(arguments)
    model = build_model(arguments, arguments.model)
    images = torch.randn(arguments.batch, arguments.channels, arguments.size, arguments.size, device=arguments.device)
    images = images.to(memory_format=MEMORY_FORMATS[arguments.memory_format])
    compiled = (lambda network: torch.compile(network, mode="max-autotune")) if arguments.mode == "compile" else (lambda network: network)

    if arguments.inference:
        network = compiled(model.eval())

        def infer() -> None:
            with torch.inference_mode(), precision():
                network(images)

        return infer

    labels = torch.randint(arguments.classes, (arguments.batch,), device=arguments.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=arguments.fused_optimizer or None)
    network = compiled(model.train())
    teacher = compiled(build_model(arguments, arguments.teacher).eval()) if arguments.teacher else None

    def train() -> None:
        # A captured step adds to the same gradients in every replay, so they stay and are zeroed in it.
        optimizer.zero_grad(set_to_none=arguments.mode != "graph")
        with precision():
            logits = network(images)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            if teacher is not None:
                with torch.no_grad():
                    taught = teacher(images)
                loss = loss + 0.9 * softened_divergence(logits.float(), taught.float(), 4.0)
        loss.backward()
        optimizer.step()

    return train


def captured(step):
    """The step as one CUDA graph, after the warm-up on a stream of its own that torch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def measure(step, arguments: argparse.Namespace) -> dict:
    seconds = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        step()
        if arguments.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return {
        "program": "torch", "version": torch.__version__, "torchvision": torchvision.__version__,
        "model": arguments.model, "stem": "small" if arguments.small_stem else "imagenet",
        "size": arguments.size, "batch": arguments.batch, "threads": torch.get_num_threads(),
        "channels": arguments.channels, "classes": arguments.classes,
        "inference": arguments.inference, "memory_format": arguments.memory_format, "repeats": arguments.repeats,
        "device": arguments.device, "card": torch.cuda.get_device_name() if arguments.device == "cuda" else None,
        "precision": arguments.precision, "layout": arguments.memory_format, "torch_mode": arguments.mode,
        "mode": "inference" if arguments.inference else "distillation" if arguments.teacher else "training",
        "teacher": arguments.teacher,
        "seconds_per_step": statistics.median(seconds),
        "images_per_second": arguments.batch / statistics.median(seconds),
        "images_per_second_low": arguments.batch / max(seconds),
        "images_per_second_high": arguments.batch / min(seconds),
        "device_memory_bytes": torch.cuda.max_memory_allocated() if arguments.device == "cuda" else None,
        "peak_memory_bytes": peak_memory_bytes(), "import_memory_bytes": IMPORT_MEMORY_BYTES,
    }


def main() -> int:
    arguments = parse_arguments()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    step = make_step(arguments)
    if arguments.mode == "graph":
        step = captured(step)
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
