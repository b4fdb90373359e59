"""Holds networks read from torchvision's state dicts (.pth and .safetensors) to torchvision in double precision.

    python tests/peers/compare_torchvision.py [--program build/release/tests/network-outputs] [--seeds 0,1] [--models resnet18,...]

Prints a row per model and seed and fails (1) where a bound is broken. Exit code 77, which ctest shows as skipped, where
torch, torchvision or safetensors are missing.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    import torchvision
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

MODELS = "resnet18,resnet34,resnet50,resnet101,densenet121,densenet169"
BOUND = 1e-4
# A gradient jumps where a pre-activation passes zero, and of millions some lie within rounding of it: any two float32
# programs differ there by per cents. "Settled" weights keep every pre-activation away from zero; their gradients, taken as
# one vector, are held to BOUND, and each tensor to this factor times torch's own error in float32, because some are what
# little is left of larger terms (a shift before the next batch norm).
ROUNDING_FACTOR = 4
JUMPS_BOUND = 0.05  # for gradients of random weights; a wrong one is further off
SETTLED_BIAS = 8.0


def random_model(name, seed, outputs, settled):
    """A network whose batch norms and statistics differ from their start, as those of a trained one.

    Settled: even channels pass every ReLU and odd ones none, by the bias of the batch norm before it.
    """
    torch.manual_seed(seed)
    model = getattr(torchvision.models, name)(weights=None, num_classes=outputs)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
            if settled:
                signs = 1.0 - 2.0 * (torch.arange(module.num_features) % 2)
                module.bias.data.add_(SETTLED_BIAS * signs)
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    # Residual sums of deep networks stay moderate, as training keeps them.
    for module in model.modules():
        if not settled and isinstance(module, torchvision.models.resnet.Bottleneck):
            module.bn3.weight.data.mul_(0.25)
        if not settled and isinstance(module, torchvision.models.resnet.BasicBlock):
            module.bn2.weight.data.mul_(0.25)
    return model


def outputs_of(model, images, labels):
    """The values that network-outputs writes, computed by torch in the precision of the model."""
    result = {}
    with torch.no_grad():
        result["logits_evaluation"] = model.eval()(images)
    logits = model.train()(images)
    result["logits_training"] = logits.detach()
    torch.nn.functional.cross_entropy(logits, labels).backward()
    for name, parameter in model.named_parameters():
        result["gradient/" + name] = parameter.grad
    for name, buffer in model.named_buffers():
        if buffer.is_floating_point():
            result["after/" + name] = buffer.clone()
    return {name: tensor.double() for name, tensor in result.items()}


def errors(found, reference):
    """Errors of logits and statistics relative to the largest value; of gradients, all and the worst, relative to the norm."""
    kinds = {"evaluation": 0.0, "training": 0.0, "statistics": 0.0, "gradients": 0.0, "worst gradient": 0.0}
    gradients = {name: tensor for name, tensor in reference.items() if name.startswith("gradient/")}
    total = sum(tensor.square().sum().item() for tensor in gradients.values()) ** 0.5
    differences = {name: (found[name].double() - tensor) for name, tensor in reference.items()}
    kinds["gradients"] = sum(differences[name].square().sum().item() for name in gradients) ** 0.5 / total
    for name, expected in reference.items():
        if name in gradients:
            # A gradient that is zero but for rounding has no relative error.
            kind, error = "worst gradient", (differences[name].norm() / max(expected.norm(), 1e-3 * total)).item()
        else:
            kind = name.removeprefix("logits_") if name.startswith("logits_") else "statistics"
            error = (differences[name].abs().max() / expected.abs().max()).item()
        kinds[kind] = max(kinds[kind], error)
    return kinds


def allowed(kind, settled, rounding):
    if not settled and kind == "gradients":
        return JUMPS_BOUND
    if kind == "worst gradient":
        return max(BOUND, ROUNDING_FACTOR * rounding[kind]) if settled else float("inf")
    return BOUND


def compare(name, seed, settled, program, folder):
    outputs = 10
    model = random_model(name, seed, outputs, settled)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    images, labels = torch.randn(4, 3, 96, 96), torch.arange(4) * 7 % outputs
    save_file({"images": images, "labels": labels.float()}, folder / "inputs.safetensors")
    torch.save(model.state_dict(), folder / "weights.pth")
    save_file(state, folder / "weights.safetensors")
    single = outputs_of(model, images, labels)
    double = getattr(torchvision.models, name)(weights=None, num_classes=outputs).double()
    double.load_state_dict(state)
    reference = outputs_of(double, images.double(), labels)

    failed = []
    results = []
    for weights in ("weights.pth", "weights.safetensors"):
        out = folder / (weights + ".out")
        subprocess.run([program, folder / weights, folder / "inputs.safetensors", out], check=True)
        results.append(out.read_bytes())
    if results[0] != results[1]:
        failed.append("the two formats give different bytes")
    found = load_file(folder / "weights.pth.out")
    for key, tensor in state.items():
        if tensor.is_floating_point() and not torch.equal(found["parameter/" + key], tensor):
            failed.append(f"{key} was not read bit for bit")
    ours, rounding = errors(found, reference), errors(single, reference)
    for kind, error in ours.items():
        if not error <= allowed(kind, settled, rounding):
            failed.append(f"{kind}: {error:.2e} is above {allowed(kind, settled, rounding):.2e}")
    cells = "  ".join(f"{ours[kind]:10.1e} ({rounding[kind]:.1e})" for kind in ours)
    print(f"{name:12} {seed:4} {'settled' if settled else 'random':8} {cells}  {'; '.join(failed) or 'good'}", flush=True)
    return not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--program", default=root / "build/release/tests/network-outputs", type=pathlib.Path)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--models", default=MODELS)
    options = parser.parse_args()
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}; error against double precision, ours (torch's)")
    kinds = ("evaluation", "training", "statistics", "gradients", "worst gradient")
    print(f"{'model':12} {'seed':>4} {'weights':8} " + "  ".join(f"{kind:>20}" for kind in kinds))
    good = True
    for name in options.models.split(","):
        for seed in map(int, options.seeds.split(",")):
            for settled in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    good &= compare(name, seed, settled, options.program, pathlib.Path(folder))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
