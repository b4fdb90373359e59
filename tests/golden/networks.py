"""Golden values of torchvision's residual networks: logits, loss, running statistics and gradients in float64."""

import copy
import math
from dataclasses import dataclass

import torch
import torchvision

from formula import labels, through_float32, uniform

SAMPLES = 128
SAMPLE_STRIDE = 2654435761  # Knuth's multiplicative hash: spreads the samples over the whole tensor


@dataclass(frozen=True)
class Case:
    model: str
    batch: int
    size: int
    classes: int
    last_gamma: float  # factor on the weight of every block's last batch norm; below 1 it keeps a deep residual sum moderate
    last_batch_norm: str

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, 3, self.size, self.size)


# 96 pixels leave 3x3 maps in the last stage: 36 values per channel for the batch statistics. With 2x2 maps (64 pixels)
# the statistics of 16 values amplify rounding until float32 itself misses the float64 values by more than a test may allow.
CASES = (
    Case("resnet18", batch=4, size=96, classes=10, last_gamma=0.25, last_batch_norm="layer4.1.bn2"),
    Case("resnet50", batch=4, size=96, classes=10, last_gamma=0.25, last_batch_norm="layer4.2.bn3"),
)


def is_last_batch_norm_of_block(name: str, model: str) -> bool:
    last = "bn2" if model in ("resnet18", "resnet34") else "bn3"
    return name.startswith("layer") and name.split(".")[-2] == last


def formula_value(name: str, tensor: torch.Tensor, case: Case) -> torch.Tensor:
    """The value of one parameter or buffer of the network, by its torchvision name and its shape."""
    u = uniform(name, *tensor.shape)
    if tensor.dim() == 4:  # convolution, [out, in, kernel height, kernel width]
        return u * math.sqrt(6.0 / math.prod(tensor.shape[1:]))
    if name == "fc.weight":
        return u * math.sqrt(3.0 / tensor.shape[1])
    if name == "fc.bias":
        return u * 0.01
    if name.endswith(".weight"):  # batch norm
        scale = case.last_gamma if is_last_batch_norm_of_block(name, case.model) else 1.0
        return scale * (1.0 + 0.1 * u)
    if name.endswith(".running_var"):
        return 1.0 + 0.1 * u
    if name.endswith((".bias", ".running_mean")):
        return 0.1 * u
    raise ValueError(f"no rule for {name} {tuple(tensor.shape)}")


def build(case: Case) -> torch.nn.Module:
    model = getattr(torchvision.models, case.model)(weights=None, num_classes=case.classes).double()
    state = model.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(through_float32(formula_value(name, tensor, case)))
    return model


def sample(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.reshape(-1)
    if flat.numel() <= SAMPLES:
        return flat
    return flat[torch.tensor([j * SAMPLE_STRIDE % flat.numel() for j in range(SAMPLES)])]


def evaluate(model: torch.nn.Module, case: Case, dtype: torch.dtype,
             memory_format: torch.memory_format = torch.contiguous_format) -> dict[str, torch.Tensor]:
    """Every golden tensor in full (gradients not yet sampled) from a copy of the model in the given precision."""
    model = copy.deepcopy(model).to(dtype).to(memory_format=memory_format)
    images = uniform("input", *case.input_shape).to(dtype).to(memory_format=memory_format)
    values = {}
    model.eval()
    with torch.no_grad():
        values["logits_eval"] = model(images)
    model.train()
    logits = model(images)
    loss = torch.nn.functional.cross_entropy(logits, labels(case.batch, case.classes))
    loss.backward()
    values["logits_train"] = logits.detach()
    values["loss_train"] = loss.detach().reshape(1)
    for name, buffer in model.named_buffers():
        if name.split(".running_")[0] in ("bn1", case.last_batch_norm) and ".running_" in name:
            values[f"running/{name}"] = buffer
    for name, parameter in model.named_parameters():
        values[f"gradient/{name}"] = parameter.grad
    return {name: value.double().contiguous() for name, value in values.items()}


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    return float((value - reference).abs().max() / reference.abs().max())


def report_conditioning(model: torch.nn.Module, case: Case, reference: dict[str, torch.Tensor]) -> float:
    """Prints how far float32 runs of the same network land from the float64 values; the largest error is returned."""
    worst_of_all = 0.0
    for layout in (torch.contiguous_format, torch.channels_last):
        for onednn in (True, False):
            with torch.backends.mkldnn.flags(enabled=onednn):
                single = evaluate(model, case, torch.float32, layout)
            errors = {name: relative_error(single[name], reference[name]) for name in reference}
            print(f"{case.model} float32 against float64, {str(layout).removeprefix('torch.')}, oneDNN {'on' if onednn else 'off'}:")
            for group in ("logits_eval", "logits_train", "loss_train", "running/", "gradient/"):
                worst = max((name for name in errors if name.startswith(group)), key=errors.get)
                print(f"    {group:<13} {errors[worst]:.2e}  {worst}")
            worst_of_all = max(worst_of_all, *errors.values())
    return worst_of_all


def golden(case: Case) -> tuple[dict[str, torch.Tensor], float]:
    """The tensors to store and the largest relative error of a float32 run against them."""
    model = build(case)
    full = evaluate(model, case, torch.float64)
    worst = report_conditioning(model, case, full)
    stored = {}
    for name, value in full.items():
        if name.startswith("gradient/"):
            parameter = name.removeprefix("gradient/")
            stored[name] = sample(value)
            stored[f"gradient_max/{parameter}"] = value.abs().max().reshape(1)
            stored[f"gradient_norm/{parameter}"] = value.norm().reshape(1)
        else:
            stored[name] = value
    return {name: value.to(torch.float32).contiguous() for name, value in stored.items()}, worst
