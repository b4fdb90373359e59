"""Golden values of torchvision's networks: logits, loss, running statistics and gradients in float64."""

import copy
import math
from dataclasses import dataclass

import torch
import torchvision

from formula import labels, through_float32, uniform

# A gradient jumps where a pre-activation passes zero, and in a few million pre-activations some lie within float32
# rounding of it: two correct programs then differ by per cents. So the bias of every batch norm that feeds a ReLU is
# moved, per channel and by at most BIAS_REACH, to where zero falls into the widest gap between that channel's values in
# the training pass. These biases are the only parameters that are stored ("parameter/<name>").
BIAS_REACH = 0.25
# The least distance demanded of any pre-activation from zero, and between the two largest values of a pooling window.
LEAST_RELU_MARGIN = 1e-4
LEAST_POOL_MARGIN = 5e-6

FLOAT32_BOUND = 3e-5  # a float32 run has to land this near, or the case could not hold another program to 1e-4
WORST_CONDITIONING = 100

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
    images: str = "input"  # what the formula makes the input from: another name where a pooling window has near ties

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, 3, self.size, self.size)


# 96 pixels leave 3x3 maps in the last stage: batch statistics over 36 values per channel, against 16 at 64 pixels.
# With full gammas the residual sums of resnet50 grow to logits of 1000 in evaluation, and in training its float32 logits
# miss the float64 ones by up to 7e-5; a quarter in every block's last batch norm keeps both moderate.
CASES = (
    Case("resnet18", batch=4, size=96, classes=10, last_gamma=1.0, last_batch_norm="layer4.1.bn2"),
    Case("resnet50", batch=4, size=96, classes=10, last_gamma=0.25, last_batch_norm="layer4.2.bn3"),
    Case("densenet121", batch=4, size=96, classes=10, last_gamma=1.0, last_batch_norm="features.norm5", images="input28"),
)


def is_last_batch_norm_of_block(name: str, model: str) -> bool:
    last = "bn2" if model in ("resnet18", "resnet34") else "bn3"
    return name.startswith("layer") and name.split(".")[-2] == last


def formula_value(name: str, tensor: torch.Tensor, case: Case) -> torch.Tensor:
    """The value of one parameter or buffer of the network, by its torchvision name and its shape."""
    u = uniform(name, *tensor.shape)
    if tensor.dim() == 4:  # convolution, [out, in, kernel height, kernel width]
        return u * math.sqrt(6.0 / math.prod(tensor.shape[1:]))
    if name in ("fc.weight", "classifier.weight"):
        return u * math.sqrt(3.0 / tensor.shape[1])
    if name in ("fc.bias", "classifier.bias"):
        return u * 0.01
    if name.endswith(".weight"):  # batch norm
        scale = case.last_gamma if is_last_batch_norm_of_block(name, case.model) else 1.0
        return scale * (1.0 + 0.1 * u)
    if name.endswith(".running_var"):
        return 1.0 + 0.1 * u
    if name.endswith((".bias", ".running_mean")):
        return 0.1 * u
    raise ValueError(f"no rule for {name} {tuple(tensor.shape)}")


def formula_model(case: Case) -> torch.nn.Module:
    model = getattr(torchvision.models, case.model)(weights=None, num_classes=case.classes).double()
    state = model.state_dict()
    for name, tensor in state.items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(through_float32(formula_value(name, tensor, case)))
    return model


def shift_into_widest_gap(values: torch.Tensor) -> torch.Tensor:
    """The number to add to all values, at most BIAS_REACH in size, that leaves zero farthest from every value."""
    edges = values.flatten().sort().values
    middles, gaps = (edges[1:] + edges[:-1]) / 2, edges[1:] - edges[:-1]
    reachable = middles.abs() <= BIAS_REACH
    if not reachable.any() or edges.abs().min() >= gaps[reachable].max() / 2:
        return torch.zeros((), dtype=values.dtype)
    return -middles[reachable][gaps[reachable].argmax()]


def on_every_relu(model: torch.nn.Module, visit) -> list:
    """Calls visit(name of the batch norm that feeds the ReLU, its module, pre-activations) in forward order; the
    value visit returns, if any, takes the place of the pre-activations. Returns the hook handles."""
    if isinstance(model, torchvision.models.DenseNet):  # where a ReLU follows every batch norm
        def hook(name: str):
            return lambda module, _, values: visit(name, module, values)

        return [module.register_forward_hook(hook(name)) for name, module in model.named_modules()
                if isinstance(module, torch.nn.BatchNorm2d)]

    def hook_block(prefix: str, owner: torch.nn.Module, batch_norms: list[str]):
        calls = 0

        def before_relu(_, inputs):
            nonlocal calls
            short = batch_norms[calls % len(batch_norms)]
            calls += 1
            return visit(prefix + short, getattr(owner, short), inputs[0])

        return owner.relu.register_forward_pre_hook(before_relu)

    handles = [hook_block("", model, ["bn1"])]
    for name, module in model.named_modules():
        if isinstance(module, (torchvision.models.resnet.BasicBlock, torchvision.models.resnet.Bottleneck)):
            handles.append(hook_block(name + ".", module, [bn for bn in ("bn1", "bn2", "bn3") if hasattr(module, bn)]))
    return handles


def training_pass(model: torch.nn.Module, case: Case, visit_relu, visit_pool=None) -> None:
    """One forward pass with batch statistics that leaves the model's running statistics as they are."""
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    handles = on_every_relu(model, visit_relu)
    if visit_pool is not None:
        pool = model.maxpool if hasattr(model, "maxpool") else model.features.pool0
        handles.append(pool.register_forward_pre_hook(lambda _, inputs: visit_pool(inputs[0])))
    with torch.no_grad():
        model.train()(uniform(case.images, *case.input_shape))
        for name, buffer in model.named_buffers():
            buffer.copy_(statistics[name])
    for handle in handles:
        handle.remove()


def move_biases_into_gaps(model: torch.nn.Module, case: Case) -> dict[str, torch.Tensor]:
    """Changes the biases in place, first layer first, and returns them by parameter name."""
    moved = {}

    def visit(name, batch_norm, values):
        shift = torch.stack([shift_into_widest_gap(values[:, channel]) for channel in range(values.shape[1])])
        before = batch_norm.bias.detach().clone()
        batch_norm.bias.copy_(through_float32(before + shift))
        moved[name + ".bias"] = batch_norm.bias.detach().clone()
        return values + (batch_norm.bias - before)[:, None, None]

    training_pass(model, case, visit)
    return moved


def check_margins(model: torch.nn.Module, case: Case) -> None:
    relu_margins, pool_margins, positive = [], [], []

    def visit_relu(_, __, values):
        relu_margins.append(float(values.abs().min()))
        positive.append(float((values > 0).double().mean()))

    def visit_pool(values):  # after the ReLU: windows of zeros only pass no gradient on and may tie
        padded = torch.nn.functional.pad(values, (1, 1, 1, 1))
        windows = padded.unfold(2, 3, 2).unfold(3, 3, 2).flatten(4)
        first, second = windows.topk(2, dim=4).values.unbind(4)
        pool_margins.append(float((first - second)[first > 0].min()))

    training_pass(model, case, visit_relu, visit_pool)
    print(f"{case.model} margins: ReLU {min(relu_margins):.1e}, max pool {min(pool_margins):.1e}; "
          f"{min(positive):.0%} to {max(positive):.0%} of a layer's pre-activations are positive")
    if min(relu_margins) < LEAST_RELU_MARGIN or min(pool_margins) < LEAST_POOL_MARGIN:
        raise RuntimeError(f"{case.model}: too close to a kink for float32; change the case")


def sample(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.reshape(-1)
    if flat.numel() <= SAMPLES:
        return flat
    return flat[torch.tensor([j * SAMPLE_STRIDE % flat.numel() for j in range(SAMPLES)])]


def evaluate(model: torch.nn.Module, case: Case, dtype: torch.dtype,
             memory_format: torch.memory_format = torch.contiguous_format) -> dict[str, torch.Tensor]:
    """Every golden tensor in full (gradients not yet sampled) from a copy of the model in the given precision."""
    model = copy.deepcopy(model).to(dtype).to(memory_format=memory_format)
    images = uniform(case.images, *case.input_shape).to(dtype).to(memory_format=memory_format)
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
        if name.split(".running_")[0] in ("bn1", "features.norm0", case.last_batch_norm) and ".running_" in name:
            values[f"running/{name}"] = buffer
    for name, parameter in model.named_parameters():
        values[f"gradient/{name}"] = parameter.grad
    return {name: value.double().contiguous() for name, value in values.items()}


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    return float((value - reference).abs().max() / reference.abs().max())


def report_conditioning(model: torch.nn.Module, case: Case, reference: dict[str, torch.Tensor]) -> dict[str, float]:
    """Prints how far float32 runs of the same network land from the float64 values; returns the largest error by name."""
    largest = dict.fromkeys(reference, 0.0)
    for layout in (torch.contiguous_format, torch.channels_last):
        for onednn in (True, False):
            with torch.backends.mkldnn.flags(enabled=onednn):
                single = evaluate(model, case, torch.float32, layout)
            errors = {name: relative_error(single[name], reference[name]) for name in reference}
            print(f"{case.model} float32 against float64, {str(layout).removeprefix('torch.')}, oneDNN {'on' if onednn else 'off'}:")
            for group in ("logits_eval", "logits_train", "loss_train", "running/", "gradient/"):
                worst = max((name for name in errors if name.startswith(group)), key=errors.get)
                print(f"    {group:<13} {errors[worst]:.2e}  {worst}")
            largest = {name: max(largest[name], errors[name]) for name in reference}
    return largest


def golden(case: Case) -> tuple[dict[str, torch.Tensor], float]:
    """The tensors to store and the largest relative error of a float32 run against them.

    A gradient that is what is left of larger terms has fewer digits in any float32 program (DenseNet's batch norms undo
    what the first one's gamma does). Its factor "conditioning/<name>" says how many times FLOAT32_BOUND it is off, up to
    WORST_CONDITIONING; its own error does not count."""
    model = formula_model(case)
    moved = move_biases_into_gaps(model, case)
    check_margins(model, case)
    full = evaluate(model, case, torch.float64)
    errors = report_conditioning(model, case, full)
    factors = {name: error / FLOAT32_BOUND for name, error in errors.items()
               if name.startswith("gradient/") and FLOAT32_BOUND < error <= WORST_CONDITIONING * FLOAT32_BOUND}
    print(f"{case.model}: gradients of fewer digits: {factors}")
    worst = max(error for name, error in errors.items() if name not in factors)
    stored = {f"parameter/{name}": value for name, value in moved.items()}
    stored |= {name.replace("gradient/", "conditioning/"): torch.tensor([factor]) for name, factor in factors.items()}
    for name, value in full.items():
        if name.startswith("gradient/"):
            parameter = name.removeprefix("gradient/")
            stored[name] = sample(value)
            stored[f"gradient_max/{parameter}"] = value.abs().max().reshape(1)
            stored[f"gradient_norm/{parameter}"] = value.norm().reshape(1)
        else:
            stored[name] = value
    return {name: value.to(torch.float32).contiguous() for name, value in stored.items()}, worst
