"""Golden parameters after each of five steps of torch.optim's optimizers on a vector of 64, in float64."""

import torch

from formula import through_float32, uniform

SIZE = 64
STEPS = 5
CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=1e-4)),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True)),
    "adam": (torch.optim.Adam, dict(lr=0.01)),
    "adam_decay": (torch.optim.Adam, dict(lr=0.01, weight_decay=1e-2)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, weight_decay=1e-2)),
}


def golden() -> dict[str, torch.Tensor]:
    start = uniform("p0", SIZE)
    gradients = [through_float32(0.1 * uniform(f"g{step}", SIZE)) for step in range(STEPS)]
    stored = {"p0": start} | {f"g{step}": gradient for step, gradient in enumerate(gradients)}
    for case, (kind, options) in CASES.items():
        parameter = torch.nn.Parameter(start.clone())
        optimizer = kind([parameter], **options)
        for step, gradient in enumerate(gradients):
            parameter.grad = gradient.clone()
            optimizer.step()
            stored[f"{case}/p{step + 1}"] = parameter.detach().clone()
    return stored


def describe() -> dict[str, str]:
    """Every option of every case, defaults included, for the file's metadata."""
    probe = [torch.nn.Parameter(torch.zeros(1))]
    wanted = ("lr", "momentum", "dampening", "nesterov", "betas", "eps", "weight_decay")
    return {case: " ".join(f"{key}={value}" for key, value in kind(probe, **options).defaults.items() if key in wanted)
            for case, (kind, options) in CASES.items()}
