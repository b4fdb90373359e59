"""Holds the meters of a distillation to torch in double precision: shares of the gradient norm, agreement, alignment.

    python tests/peers/compare_meters.py BIN_DIR

A ResNet-18 learns from another one for a single step, on drawn images of classes and of findings. Torch computes every
term's gradient from the same weights, and both networks' outputs for the validation images from the weights after the step.
Prints the largest differences and fails (1) where one exceeds its bound. Exit code 77, which ctest shows as skipped, where
torch, torchvision, safetensors, NumPy or SciPy are missing.
"""

import csv
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import scipy.stats
    import torch
    import torchvision
    from safetensors.torch import load_file
    from torch.nn import functional
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

SIDE, BATCH, VALIDATION, EVALUATION_BATCH = 16, 16, 70, 64
GRADIENT = 2e-4  # norms of a network's gradients in float32, as compare_torchvision.py allows for single ones
ALIGNMENT = 2e-4  # Gram matrices of maps in float32
RANKS = 2e-3  # scores that differ by less than their rounding may change places

worst = {}


def hold(name, got, expected, bound):
    apart = abs(float(got) - float(expected))
    key = name.split("/")[0]
    worst[key] = max(worst.get(key, (0, bound)), (apart, bound))
    if not apart <= bound:
        print(f"FAILED {name}: {got} here, {expected} there")
        sys.exit(1)


def draw(path, findings):
    random = np.random.default_rng(7)
    arrays = {}
    for part, count in (("train", BATCH), ("val", VALIDATION), ("test", 20)):
        labels = random.integers(0, 2, (count, 3)) if findings else np.arange(count)[:, None] % 4
        images = random.integers(0, 160, (count, SIDE, SIDE)) + 20 * labels.sum(1)[:, None, None]
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = images.astype(np.uint8), labels.astype(np.uint8)
    np.savez(path, **arrays)
    return arrays


class Network(torch.nn.Module):
    def __init__(self, path, outputs):
        super().__init__()
        self.net = torchvision.models.resnet18(num_classes=outputs)
        self.net.conv1 = torch.nn.Conv2d(1, 64, 3, 1, 1, bias=False)
        self.net.load_state_dict({**self.net.state_dict(), **load_file(path)})
        self.double()

    def forward(self, x):
        net, taps = self.net, []
        x = torch.relu(net.bn1(net.conv1(x)))
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
            taps.append(x)
        return net.fc(x.mean((2, 3))), taps


def attention(maps):
    return functional.normalize(maps.pow(2).mean(1).flatten(1))


def terms_of(student, teacher, labels, findings, temperature=4.0):
    (s, s_maps), (t, t_maps) = student, teacher
    if findings:
        label = functional.binary_cross_entropy_with_logits(s, labels.double())
        p, q = torch.sigmoid(t / temperature), torch.sigmoid(s / temperature)
        kl = temperature**2 * (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    else:
        label = functional.cross_entropy(s, labels[:, 0].long())
        kl = temperature**2 * functional.kl_div(functional.log_softmax(s / temperature, 1),
                                                functional.log_softmax(t / temperature, 1), reduction="batchmean", log_target=True)
    at = sum((attention(a) - attention(b)).pow(2).mean() for a, b in zip(s_maps, t_maps))
    return {"labels": 0.1 * label, "kd": 0.9 * kl, "at": 10 * at}


def hsic(k, l):
    """HSIC_1 as Nguyen, Raghu and Kornblith 2021 write it in equation 3."""
    n, ones = len(k), np.ones(len(k))
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    return (np.trace(k @ l) + (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2)) - 2 * (ones @ k @ l @ ones) / (n - 2)) / (n * (n - 3))


def alignment(a, b):
    sums = np.zeros(3)
    for begin in range(0, len(a), EVALUATION_BATCH):
        k, l = (x[begin:begin + EVALUATION_BATCH] @ x[begin:begin + EVALUATION_BATCH].T for x in (a, b))
        sums += hsic(k, l), hsic(k, k), hsic(l, l)
    return sums[0] / np.sqrt(sums[1] * sums[2])


def compare(bin_dir, folder, findings):
    arrays = draw(folder / "images.npz", findings)
    common = ["--data", "medmnist:images.npz", "--model", "resnet18", "--epochs", "1", "--batch", str(BATCH), "--normalise",
              "imagenet", "--bootstrap", "0", "--threads", "2", "--quiet"]

    def run(app, *flags):
        subprocess.run([bin_dir / app, *common, *flags], cwd=folder, check=True)

    run("preceptor-train", "--out", "teacher")
    run("preceptor-train", "--seed", "1", "--out", "start")
    run("preceptor-distill", "--teacher", "teacher/best.safetensors", "--init", "start/best.safetensors", "--method", "kd",
        "--method", "at:weight=10", "--out", "student")
    [row] = csv.DictReader((folder / "student/metrics.csv").open())

    mean, deviation = np.mean([0.485, 0.456, 0.406]), np.mean([0.229, 0.224, 0.225])
    images = {part: torch.from_numpy((arrays[f"{part}_images"] / 255 - mean) / deviation)[:, None] for part in ("train", "val")}
    outputs = 3 if findings else 4
    teacher = Network(folder / "teacher/best.safetensors", outputs).eval()
    start = Network(folder / "start/best.safetensors", outputs).train()
    with torch.no_grad():
        taught = teacher(images["train"])
    terms = terms_of(start(images["train"]), taught, torch.from_numpy(arrays["train_labels"]), findings)
    norms = {}
    for name, term in terms.items():
        gradients = torch.autograd.grad(term, list(start.parameters()), retain_graph=True, allow_unused=True)
        norms[name] = sum(float(gradient.pow(2).sum()) for gradient in gradients if gradient is not None) ** 0.5
        hold(f"weighted_loss/{name}", row[f"weighted_loss/{name}"], term.item(), 1e-4 * abs(term.item()))
    for name, norm in norms.items():
        hold(f"gradient_share/{name}", row[f"gradient_share/{name}"], norm / sum(norms.values()), GRADIENT)

    student = Network(folder / "student/last.safetensors", outputs).eval()
    with torch.no_grad():
        (s, s_maps), (t, t_maps) = student(images["val"]), teacher(images["val"])
    if findings:
        for label in range(outputs):
            key = [name for name in row if name.startswith("rank_correlation/")][label]
            hold(key, row[key], scipy.stats.spearmanr(s[:, label], t[:, label])[0], RANKS)
    else:
        hold("agreement/top_1", row["agreement/top_1"], (s.argmax(1) == t.argmax(1)).double().mean(), 1e-12)
    for stage, (a, b) in enumerate(zip(s_maps, t_maps), 1):
        hold(f"cka/layer{stage}", row[f"cka/layer{stage}"], alignment(a.flatten(1).numpy(), b.flatten(1).numpy()), ALIGNMENT)


def main():
    bin_dir = pathlib.Path(sys.argv[1]).resolve()
    torch.set_num_threads(2)
    for findings in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            compare(bin_dir, pathlib.Path(folder), findings)
    for key, (apart, bound) in worst.items():
        print(f"{key}: largest difference {apart:.2g}, allowed {bound:.2g}")


main()
