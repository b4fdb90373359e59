"""Times PyTorch's own operations on a GPU for the shapes of `preceptor-bench kernels --device cuda`; prints one JSON object."""

import argparse
import json
import statistics

import torch
import torch.nn.functional as F


def median_seconds(body, flush, repeats):
    """Median of `repeats` runs between events, each with a cold cache."""
    times = []
    for i in range(repeats + 3):
        flush()
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        body()
        end.record()
        end.synchronize()
        if i >= 3:
            times.append(begin.elapsed_time(end) * 1e-3)
    return statistics.median(times)


def softened_kl(student, teacher, temperature):
    """Loss and gradient, as a training step needs them."""
    student.grad = None
    loss = F.kl_div(F.log_softmax(student / temperature, 1), F.log_softmax(teacher / temperature, 1), log_target=True,
                    reduction="batchmean") * temperature**2
    loss.backward()


def batch_norm_step(layer, x, d_y, residual):
    x.grad = None
    y = layer(x)
    y = F.relu(y if residual is None else y + residual)
    y.backward(d_y)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    big = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    flush = lambda: big.zero_()
    rows = []

    def time(name, shape, storage, body):
        rows.append({"family": name, "shape": shape, "storage": storage,
                     "milliseconds": 1e3 * median_seconds(body, flush, arguments.repeats)})

    for dtype, storage in ((torch.float32, "float"), (torch.bfloat16, "bfloat16")):
        for classes in (2, 14, 100, 1000, 32768, 262144):
            count = max(arguments.batch, (1 << 23) // classes)
            student = torch.randn(count, classes, device="cuda", dtype=dtype, requires_grad=True)
            teacher = torch.randn(count, classes, device="cuda", dtype=dtype)
            eager = lambda: softened_kl(student, teacher, 4.0)
            time("softened_kl", f"{count}x{classes}", storage, eager)
            compiled = torch.compile(softened_kl)
            try:
                time("softened_kl compiled", f"{count}x{classes}", storage, lambda: compiled(student, teacher, 4.0))
            except Exception as error:  # a compiler that is not there is a row that is not there, and said so
                rows.append({"family": "softened_kl compiled", "shape": f"{count}x{classes}", "storage": storage,
                             "error": str(error)[:200]})
        side = (arguments.size + 3) // 4
        for channels in (64, 128, 256, 512):
            x = torch.randn(arguments.batch, channels, side, side, device="cuda", dtype=dtype)
            x = x.to(memory_format=torch.channels_last).requires_grad_()
            d_y, residual = torch.randn_like(x), torch.randn_like(x)
            layer = torch.nn.BatchNorm2d(channels).cuda()
            time("batch_norm forward and backward", f"{arguments.batch}x{channels}x{side}x{side} + residual, ReLU", storage,
                 lambda: batch_norm_step(layer, x, d_y, residual))
            side = (side + 1) // 2
    count = 11_689_512
    for name, make in (("sgd, momentum", lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, fused=True)),
                       ("adam", lambda p: torch.optim.Adam(p, 1e-3, fused=True))):
        parameter = torch.nn.Parameter(torch.randn(count, device="cuda"))
        parameter.grad = torch.randn(count, device="cuda")
        optimizer = make([parameter])
        time("update", f"{count} {name}", "float", optimizer.step)
    print(json.dumps({"torch": torch.__version__, "card": torch.cuda.get_device_name(), "rows": rows}))


if __name__ == "__main__":
    main()
