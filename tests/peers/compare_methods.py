"""Holds every transfer method to its published definition, evaluated by torch in double precision.

    python tests/peers/compare_methods.py [--program build/release/tests/transfer-losses] [--only at,rkd]

Loss, gradient by the student's outputs and maps, and gradient by what a method learns must agree to 1e-6, gradients
relative to their largest value. The definitions below are written from the papers and read in their authors' terms; they share nothing
with the program. Prints a row per case and fails (1) where one is off. Exit code 77, which ctest shows as skipped, where torch
or safetensors are missing.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    from safetensors.torch import load_file, save_file
    from torch.nn.functional import (adaptive_avg_pool2d, avg_pool2d, batch_norm, conv2d, cross_entropy, interpolate, kl_div, leaky_relu,
                                     log_softmax, logsigmoid, mse_loss, normalize, smooth_l1_loss)
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

BOUND = 1e-6
BATCH, CLASSES = 6, 5
# Of the training images, of which the batch holds some: one of them twice.
IMAGE_CLASSES = [0, 1, 2, 3, 4, 2, 0, 1, 1, 4, 3]
POSITIONS = [2, 7, 0, 10, 2, 5]
# Batch norms of a teacher that methods look at.
TEACHER_NORMS = {"resnet8": {f"layer{i + 1}.0.bn2": c for i, c in enumerate((16, 32, 64))}, "resnet14": {},
                 "densenet16": {f"features.{n}": 64 for n in ("transition1.norm", "transition2.norm", "norm5")}}
# Taps of the networks for images of 16x16: resnet8 and resnet14 are alike, densenet16 has other channels.
TAPS = {
    "resnet8": {"layer1": (16, 16, 16), "layer2": (32, 8, 8), "layer3": (64, 4, 4), "avgpool": (64,),
                "layer1.0.sum": (16, 16, 16), "layer2.0.sum": (32, 8, 8), "layer3.0.sum": (64, 4, 4)},
    "resnet14": {"layer1": (16, 16, 16), "layer2": (32, 8, 8), "layer3": (64, 4, 4), "avgpool": (64,)},
    "densenet16": {"features.denseblock1": (64, 16, 16), "features.denseblock2": (64, 8, 8), "features.denseblock3": (64, 4, 4),
                   "avgpool": (64,)},
}


def at_one_size(a, b):
    """The rule of docs/methods.md: the larger map is averaged to the size of the smaller."""
    if a.shape[2] > b.shape[2]:
        return avg_pool2d(a, a.shape[2] // b.shape[2]), b
    return a, avg_pool2d(b, b.shape[2] // a.shape[2])


# Logits --------------------------------------------------------------------------------------------------------------


def kd(s, t, labels, temperature=4.0, weight=0.9):
    return weight * temperature**2 * kl_div(log_softmax(s / temperature, 1), (t / temperature).softmax(1), reduction="batchmean")


def binary_kl(s, t, labels, temperature, weight, of_one=1.0, of_zero=1.0):
    p, log_p, log_not_p = (t / temperature).sigmoid(), logsigmoid(t / temperature), logsigmoid(-t / temperature)
    terms = p * (log_p - logsigmoid(s / temperature)) + (1 - p) * (log_not_p - logsigmoid(-s / temperature))
    known = ~labels.isnan()
    share = torch.where(labels == 1, of_one, of_zero)
    return weight * temperature**2 * (share * terms)[known].sum() / known.sum()


def dkd(s, t, labels, temperature=4.0, alpha=1.0, beta=8.0):
    """Zhao et al. 2022, equations 5 to 7 by the authors' code."""
    target = torch.nn.functional.one_hot(labels.long(), s.shape[1]).bool()
    p, q = (t / temperature).softmax(1), (s / temperature).softmax(1)
    pair = lambda x: torch.stack([(x * target).sum(1), (x * ~target).sum(1)], 1)
    tckd = kl_div(pair(q).log(), pair(p), reduction="batchmean")
    others = lambda z: log_softmax((z / temperature)[~target].view(len(z), -1), 1)
    nckd = kl_div(others(s), others(t), reduction="batchmean", log_target=True)
    return temperature**2 * (alpha * tckd + beta * nckd)


def standardized(z, dim):
    return (z - z.mean(dim, keepdim=True)) / z.std(dim, keepdim=True)


def pearson(x, y):
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    return (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))


def dist(s, t, probabilities, temperature=4.0, beta=1.0, gamma=1.0):
    p, q = probabilities(t / temperature), probabilities(s / temperature)
    return temperature**2 * (beta * (1 - pearson(q, p)).mean() + gamma * (1 - pearson(q.T, p.T)).mean())


def label_smoothing(s, labels, weight):
    """Cross entropy with the even distribution less its value for an even student."""
    return weight * (-log_softmax(s, 1).mean(1) - torch.log(torch.tensor(float(s.shape[1])).double())).mean()


def teacher_free(s, labels, weight, reading, correct=0.99, temperature=20.0):
    designed = torch.full_like(s, (1 - correct) / (s.shape[1] - 1)).scatter(1, labels.long()[:, None], correct)
    soft = (designed.log() if reading == "paper" else designed) / temperature
    return weight * kl_div(log_softmax(s / temperature, 1), soft.softmax(1), reduction="batchmean")


# Maps ----------------------------------------------------------------------------------------------------------------


def at_released(s, t):
    a = lambda x: normalize(x.pow(2).mean(1).flatten(1))
    return (a(s) - a(t)).pow(2).mean()


def at_paper(s, t):
    q = lambda x: x.pow(2).sum(1).flatten(1)
    unit = lambda x: x / x.norm(dim=1, keepdim=True)
    return 0.5 * (unit(q(s)) - unit(q(t))).norm(dim=1).mean()


def at_author(s, t):
    unit = lambda x: x / x.flatten(2).norm(dim=2)[:, :, None, None]
    return (unit(t) - unit(s)).norm()


def boundaries(s, t, margin=1.0):
    loss = (s + margin).pow(2) * ((s > -margin) & (t <= 0)) + (s - margin).pow(2) * ((s <= margin) & (t > 0))
    return loss.sum() / len(s)


def nst(s, t):
    s, t = normalize(s.flatten(2), dim=2), normalize(t.flatten(2), dim=2)
    k = lambda x, y: (x[:, :, None, :] * y[:, None, :, :]).sum(-1).pow(2).mean()
    return k(t, t) + k(s, s) - 2 * k(s, t)


def flow(a, b):
    a, b = at_one_size(a, b)
    return torch.einsum("nixy,njxy->nij", a, b) / (a.shape[2] * a.shape[3])


def negative_mean(norm):
    """Of a channel behind a batch norm: E[x | x < 0] of a Gaussian (Heo et al. 2019b, equation 3); the authors' code below 1 / 1000."""
    mean, deviation = norm["bias"], norm["weight"].abs()
    gauss = torch.distributions.Normal(0.0, 1.0)
    below = gauss.cdf(-mean / deviation)
    return torch.where(below > 0.001, mean - deviation * gauss.log_prob(mean / deviation).exp() / below, -3 * deviation)


def partial(s, t, margin):
    t = torch.max(t, margin[None, :, None, None])
    return ((s - t).pow(2) * ~((s <= t) & (t <= 0))).sum() / len(s)


def hierarchical_context(s, t):
    loss, total = mse_loss(s, t), 1.0
    for level, side in enumerate(side for side in (4, 2, 1) if side < s.shape[2]):
        share = 0.5 ** (level + 1)
        loss = loss + share * mse_loss(adaptive_avg_pool2d(s, side), adaptive_avg_pool2d(t, side))
        total += share
    return loss / total


# Relations -----------------------------------------------------------------------------------------------------------


def sp(s, t):
    gram = lambda x: normalize(x.flatten(1) @ x.flatten(1).T)
    return (gram(s) - gram(t)).pow(2).mean()


def pkt(s, t, epsilon=1e-7):
    def conditional(x):
        x = x.flatten(1) / x.flatten(1).norm(dim=1, keepdim=True)
        similar = (x @ x.T + 1) / 2
        return similar / similar.sum(1, keepdim=True)

    p, q = conditional(t), conditional(s)
    return (p * ((p + epsilon) / (q + epsilon)).log()).mean()


def distances(x):
    apart = (x[:, None] - x[None, :]).pow(2).sum(-1)
    off = ~torch.eye(len(x), dtype=bool)
    return torch.zeros_like(apart).masked_scatter(off, apart[off].sqrt())


def rkd_distance(s, t):
    scaled = lambda d: d / d[d > 0].mean()
    return smooth_l1_loss(scaled(distances(s.flatten(1))), scaled(distances(t.flatten(1))))


def rkd_angle(s, t):
    def cosines(x):
        e = normalize(x[None, :] - x[:, None], dim=2)
        return torch.bmm(e, e.transpose(1, 2))

    return smooth_l1_loss(cosines(s.flatten(1)), cosines(t.flatten(1)))


def cc(s, t, gamma=0.4):
    def correlation(x):
        x = normalize(x.flatten(1))
        g = x @ x.T
        return sum(torch.exp(torch.tensor(-2 * gamma)) * (2 * gamma) ** p / f * g**p for p, f in ((0, 1), (1, 1), (2, 2)))

    return (correlation(s) - correlation(t)).pow(2).mean()


def philox(key, low, high):
    """Salmon et al. 2011: philox4x32-10."""
    mask = 0xFFFFFFFF
    c, k = [low & mask, low >> 32, high & mask, high >> 32], [key & mask, key >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & mask, (a >> 32) ^ c[3] ^ k[1], a & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def negatives_of(row, count, by_class):
    """The draws that kernels/nce_loss/nce_loss.h states, of seed 0 and step 0."""
    own = POSITIONS[row]
    order = sorted(range(len(IMAGE_CLASSES)), key=lambda i: IMAGE_CLASSES[i]) if by_class else range(len(IMAGE_CLASSES))
    others = [i for i in order if (IMAGE_CLASSES[i] != IMAGE_CLASSES[own] if by_class else i != own)]
    numbers = [n for quad in range(-(-count // 4)) for n in philox(0, 0, 2**62 + row * -(-count // 4) + quad)]
    return [others[n * len(others) >> 32] for n in numbers[:count]]


def crd(s, t, learned, negatives, temperature, by_class):
    """Tian et al. 2020, equation 18, with the constants of its memory bank estimated from this first batch."""
    images = len(IMAGE_CLASSES)
    index = torch.tensor([[POSITIONS[row]] + negatives_of(row, negatives, by_class) for row in range(BATCH)])
    noise, total = negatives / images, 0
    for side, other, x in (("student", "teacher", s), ("teacher", "student", t)):
        name = f"transfer.crd.{side}"
        anchor = normalize(x @ learned[name + ".weight"].T + learned[name + ".bias"])
        scores = (torch.einsum("bkd,bd->bk", learned[f"transfer.crd.{other}_bank"].detach()[index], anchor) / temperature).exp()
        p = scores / (scores.mean() * images).detach()
        own, rest = p[:, 0], p[:, 1:]
        total = total - ((own / (own + noise + 1e-7)).log().sum() + (noise / (rest + noise + 1e-7)).log().sum()) / BATCH
    return total


# Cases ---------------------------------------------------------------------------------------------------------------


class Side:
    """Outputs and maps of a network, of which a gradient is wanted if it is the student."""

    def __init__(self, name, generator, multi_label, wanted):
        draw = lambda *shape: torch.randn(*shape, generator=generator).float().double()
        self.values = {"logits": 2 * draw(BATCH, CLASSES)}
        for tap, shape in TAPS[name].items():
            self.values[tap] = draw(BATCH, *shape)
        if wanted:
            for value in self.values.values():
                value.requires_grad_()

    def __getitem__(self, name):
        return self.values[name]


def stages(name):
    return [tap for tap in TAPS[name] if tap != "avgpool" and not tap.endswith("sum")]


def cases():
    """(method text, student, teacher, multi_label, function of s, t, labels, learned)"""
    same, other = ("resnet8", "resnet14"), ("resnet8", "densenet16")
    l, m = lambda f: (lambda s, t, labels, learned: f(s["logits"], t["logits"], labels)), {}
    yield "kd", *same, False, l(kd)
    yield "kd:temperature=2,weight=0.5", *same, True, l(lambda s, t, y: binary_kl(s, t, y, 2.0, 0.5))
    yield "dkd:warmup=0", *same, False, l(dkd)
    yield "dkd:alpha=2,beta=0.5", *same, True, l(lambda s, t, y: binary_kl(s, t, y, 4.0, 1.0, 2.0, 0.5))
    yield "lskd", *same, False, l(lambda s, t, y: kd(standardized(s, 1), standardized(t, 1), y, 2.0, 9.0))
    yield "lskd", *same, True, l(lambda s, t, y: binary_kl(standardized(s, 0), standardized(t, 0), y, 2.0, 9.0))
    yield "dist", *same, False, l(lambda s, t, y: dist(s, t, lambda z: z.softmax(1)))
    yield "dist:beta=2,gamma=0.5", *same, True, l(lambda s, t, y: dist(s, t, torch.sigmoid, beta=2.0, gamma=0.5))
    yield "ls", *same, False, l(lambda s, t, y: label_smoothing(s, y, 0.1))
    yield "ls:weight=0.2", *same, True, l(lambda s, t, y: binary_kl(s, torch.zeros_like(s), y, 1.0, 0.2))
    for reading in ("paper", "released"):
        yield f"tfkd:reading={reading}", *same, False, l(lambda s, t, y, r=reading: teacher_free(s, y, 0.1, r))

    def over_stages(term, weight, pair=same, mean=False):
        def total(s, t, labels, learned):
            terms = [term(*at_one_size(s[a], t[b])) for a, b in zip(stages(pair[0]), stages(pair[1]))]
            return weight * sum(terms) / (len(terms) if mean else 1)

        return total

    yield "at", *same, False, over_stages(at_released, 1000)
    yield "at", *other, False, over_stages(at_released, 1000, other)
    yield "at:reading=paper", *other, False, over_stages(at_paper, 0.1, other)
    yield "at:reading=author", *same, False, over_stages(at_author, 0.2, mean=True)
    # A student's map of 16x16 against a teacher's of 8x8.
    yield ("at:tap=layer1,teacher_tap=denseblock2", *other, False,
           lambda s, t, y, p: 1000 * at_released(*at_one_size(s["layer1"], t["features.denseblock2"])))

    def hint(s, t, labels, learned):
        regressed = conv2d(s["layer2"], learned["transfer.fitnet.layer2.weight"], learned["transfer.fitnet.layer2.bias"])
        return 100 * (regressed - t["features.denseblock2"]).pow(2).mean()

    yield "fitnet", *other, False, hint

    def half_sum(s, t, labels, learned):
        regressed = conv2d(s["layer2"], learned["transfer.fitnet.layer2.weight"], learned["transfer.fitnet.layer2.bias"])
        return 0.5 * (regressed - t["features.denseblock2"]).pow(2).sum() / BATCH

    yield "fitnet:reading=paper", *other, False, half_sum

    def vid(s, t, labels, learned):
        """Ahn et al. 2019, equation 5."""
        total = 0
        for i, tap in enumerate(stages("resnet8")):
            name, x = f"transfer.vid.{tap}.", s[tap]
            for layer in range(3):
                x = conv2d(x if layer == 0 else x.relu(), learned[f"{name}{layer}.weight"])
            variance = (torch.nn.functional.softplus(learned[name + "variance"]) + 1e-5)[None, :, None, None]
            total += 0.5 * ((x - t[f"features.denseblock{i + 1}"]).pow(2) / variance + variance.log()).mean()
        return total

    yield "vid", *other, False, vid

    def ab(s, t, labels, learned):
        total = 0
        for i, tap in enumerate(("layer1.0.sum", "layer2.0.sum", "layer3.0.sum")):
            name = f"transfer.ab.{tap}."
            x = conv2d(s[tap], learned[name + "convolution.weight"])
            x = batch_norm(x, None, None, learned[name + "norm.weight"], learned[name + "norm.bias"], training=True, eps=1e-5)
            total += 2.0 ** (i - 2) * boundaries(x, t[f"features.denseblock{i + 1}"])
        return 3e-3 * total

    yield "ab", *other, False, ab
    def ofd(tap_of_student, tap_of_teacher, norms, follows):
        def total(s, t, labels, learned):
            loss = 0
            for i, norm in enumerate(norms):
                name = f"transfer.ofd.{tap_of_student[i]}."
                x = conv2d(s[tap_of_student[i]], learned[name + "convolution.weight"])
                x = batch_norm(x, None, None, learned[name + "norm.weight"], learned[name + "norm.bias"], training=True, eps=1e-5)
                values = {key: t[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
                target = t[tap_of_teacher[i]]
                if follows:
                    target = batch_norm(target, values["running_mean"], values["running_var"], values["weight"], values["bias"], eps=1e-5)
                loss += 2.0 ** (i - 2) * partial(x, target, negative_mean(values))
            return loss / 1000

        return total

    sums = [f"layer{i}.0.sum" for i in (1, 2, 3)]
    yield "ofd", "resnet8", "resnet8", False, ofd(sums, sums, list(TEACHER_NORMS["resnet8"]), False)
    yield "ofd", *other, False, ofd(sums, [f"features.denseblock{i}" for i in (1, 2, 3)], list(TEACHER_NORMS["densenet16"]), True)

    def ft(reading):
        def total(s, t, labels, learned):
            def code(x, part):
                for i in range(3):
                    name = f"transfer.ft.layer3.{part}.{i}"
                    x = leaky_relu(conv2d(x, learned[name + ".weight"], learned[name + ".bias"], padding=1), 0.1)
                return x

            factor = code(t["features.denseblock3"], "encoder")
            apart = normalize(code(s["layer3"], "translator").flatten(1)) - normalize(factor.detach().flatten(1))
            rebuilt = code(factor, "decoder") - t["features.denseblock3"]
            if reading == "paper":
                return (500 * apart.abs().sum() + rebuilt.pow(2).sum()) / BATCH
            return 500 * apart.abs().mean() + rebuilt.abs().mean()

        return total

    yield "ft", *other, False, ft("released")
    yield "ft:reading=paper,rate=0.25", *other, False, ft("paper")

    def reviewkd(s, t, labels, learned):
        taps = [("avgpool", "avgpool")] + [(f"layer{i}.0.sum", f"features.denseblock{i}") for i in (3, 2, 1)]
        loss, deeper = 0, None
        for tap, of_teacher in taps:
            name = f"transfer.reviewkd.{tap}."
            norm = lambda x, p: batch_norm(x, None, None, learned[f"{name}{p}.norm.weight"], learned[f"{name}{p}.norm.bias"], training=True)
            as_map = lambda x: x if x.dim() == 4 else x[:, :, None, None]
            x = norm(conv2d(as_map(s[tap]), learned[name + "reduce.convolution.weight"]), "reduce")
            if deeper is not None:
                y = interpolate(deeper, x.shape[2:], mode="nearest")
                weight = torch.cat([learned[name + "attention.own.weight"], learned[name + "attention.deeper.weight"]], 1)
                z = conv2d(torch.cat([x, y], 1), weight, learned[name + "attention.own.bias"]).sigmoid()
                x = x * z[:, :1] + y * z[:, 1:]
            target = as_map(t[of_teacher])
            deeper = interpolate(x, target.shape[2:], mode="nearest")
            out = norm(conv2d(deeper, learned[name + "expand.convolution.weight"], padding=1), "expand")
            loss += hierarchical_context(out, target)
        return loss

    yield "reviewkd", *other, False, reviewkd
    for source in ("classes", "images"):
        yield (f"crd:negatives=9,dimension=16,from={source}", *same, False,
               lambda s, t, y, p, c=source == "classes": 0.8 * crd(s["avgpool"], t["avgpool"], p, 9, 0.07, c))
    yield "nst", *other, False, lambda s, t, y, p: 50 * nst(s["layer3"], t["features.denseblock3"])
    yield "fsp", *same, False, lambda s, t, y, p: 50 * sum(
        (flow(s[a], s[b]) - flow(t[a], t[b])).pow(2).mean() for a, b in (("layer1", "layer2"), ("layer2", "layer3")))
    yield "sp", *other, False, lambda s, t, y, p: 3000 * sp(s["layer3"], t["features.denseblock3"])
    yield "pkt", *same, False, lambda s, t, y, p: 30000 * pkt(s["avgpool"], t["avgpool"])
    yield "rkd", *same, False, lambda s, t, y, p: (25 * rkd_distance(s["avgpool"], t["avgpool"])
                                                   + 50 * rkd_angle(s["avgpool"], t["avgpool"]))
    yield "cc", *same, False, lambda s, t, y, p: 0.02 * cc(s["avgpool"], t["avgpool"])
    for method, weight, temperature in (("dml", 1.0, 1.0), ("dml:temperature=3,weight=0.5", 0.5, 3.0)):
        for independent, divergence in ((False, kd), (True, binary_kl)):
            yield method, *same, independent, lambda s, t, y, p, d=divergence, w=weight, T=temperature: (
                sum(d(s["logits"], peer, y, T, w) for peer in t.peers) / len(t.peers))


def compare(number, case, program, folder):
    method, student, teacher, multi_label, definition = case
    generator = torch.Generator().manual_seed(number)
    s, t = Side(student, generator, multi_label, True), Side(teacher, generator, multi_label, False)
    if multi_label:
        labels = torch.randint(0, 3, (BATCH, CLASSES), generator=generator).double()
        labels[labels == 2] = float("nan")
    else:
        labels = torch.randint(0, CLASSES, (BATCH,), generator=generator).double()
    tensors = {"labels": labels.nan_to_num(-1).float(), "positions": torch.tensor(POSITIONS).float(),
               "classes": torch.tensor(IMAGE_CLASSES).float()}
    for norm, channels in TEACHER_NORMS[teacher].items():
        for key in ("weight", "bias", "running_mean", "running_var"):
            value = torch.randn(channels, generator=generator).float()
            value = value.abs() + 0.1 if key == "running_var" else value
            tensors[f"teacher_parameter/{norm}.{key}"] = value
            t.values[f"{norm}.{key}"] = value.double()
    for whose, side in (("student", s), ("teacher", t)):
        for name, value in side.values.items():
            if name.rpartition(".")[0] in TEACHER_NORMS[teacher]:
                continue
            tensors[f"{whose}/{name}"] = value.detach().float().contiguous()
    t.peers = [2 * torch.randn(BATCH, CLASSES, generator=generator).float().double() for _ in range(3)]
    tensors.update({f"peer/{i}": peer.float() for i, peer in enumerate(t.peers)})
    metadata = {"method": method, "student": student, "teacher": teacher, "height": "16", "width": "16",
                "multi_label": "yes" if multi_label else "no"}
    save_file(tensors, folder / "case.safetensors", metadata)
    subprocess.run([program, folder / "case.safetensors", folder / "out.safetensors"], check=True)
    found = {name: tensor.double() for name, tensor in load_file(folder / "out.safetensors").items()}
    learned = {name.removeprefix("parameter/"): tensor.clone().requires_grad_()
               for name, tensor in found.items() if name.startswith("parameter/")}
    loss = definition(s, t, labels, learned)
    loss.backward()

    ours = sum(tensor.sum() for name, tensor in found.items() if name.startswith("loss/"))
    errors = {"loss": (abs(ours - loss) / abs(loss)).item()}
    expected = {f"student/{name}": value for name, value in s.values.items()}
    expected.update({f"parameter/{name}": value for name, value in learned.items()})
    for name, value in expected.items():
        gradient = found.get("gradient/" + name)
        if value.grad is None:
            if gradient is not None and gradient.abs().max() > 0:
                errors[name] = float("inf")
            continue
        if gradient is None:
            errors[name] = float("inf")
            continue
        errors[name] = ((gradient - value.grad).abs().max() / value.grad.abs().max()).item()
    worst = max(errors, key=errors.get)
    good = errors[worst] <= BOUND
    print(f"{method:40} {'per label' if multi_label else '':10} loss {loss.item():10.4g}  "
          f"off by {errors['loss']:.1e}, at most {errors[worst]:.1e} ({worst})  {'good' if good else 'WRONG'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--program", default=root / "build/release/tests/transfer-losses", type=pathlib.Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}")
    good, count = True, 0
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases()):
            if options.only and case[0].split(":")[0] not in options.only.split(","):
                continue
            good &= compare(number, case, options.program, pathlib.Path(folder))
            count += 1
    print(f"{count} cases")
    return 0 if good and count > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
