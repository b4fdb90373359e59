"""Holds every transfer method to its published definition, evaluated by torch in double precision.

    python tests/peers/compare_methods.py [--program build/release/tests/transfer-losses] [--only at,rkd]

Loss, gradient by the student's outputs and maps, and gradient by what a method learns must agree to 1e-6, gradients
relative to their largest value. Prints a row per case and fails (1) if one is off. Exit code 77, which ctest shows as
skipped, without torch or safetensors.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    from safetensors.torch import load_file, save_file

    from method_definitions import (BATCH, CLASSES, IMAGE_CLASSES, POSITIONS, TAPS, TEACHER_NORMS, ab, at_author,
                                    at_one_size, at_paper, at_released, binary_kl, cc, crd, dist, dkd, flow, ft,
                                    half_sum, hint, kd, label_smoothing, nst, ofd, other, over_stages, pkt, reviewkd,
                                    rkd_angle, rkd_distance, same, sp, standardized, teacher_free, vid)
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

BOUND = 1e-6


class Side:
    """Outputs and maps of a network; the student's gradients are wanted."""

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


# Each case: method text, student, teacher, multi_label, function of s, t, labels, learned.


def output_cases():
    l = lambda f: (lambda s, t, labels, learned: f(s["logits"], t["logits"], labels))
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


def map_cases():
    yield "at", *same, False, over_stages(at_released, 1000)
    yield "at", *other, False, over_stages(at_released, 1000, other)
    yield "at:reading=paper", *other, False, over_stages(at_paper, 0.1, other)
    yield "at:reading=author", *same, False, over_stages(at_author, 0.2, mean=True)
    # A student's map of 16x16 against a teacher's of 8x8.
    yield ("at:tap=layer1,teacher_tap=denseblock2", *other, False,
           lambda s, t, y, p: 1000 * at_released(*at_one_size(s["layer1"], t["features.denseblock2"])))
    yield "fitnet", *other, False, hint
    yield "fitnet:reading=paper", *other, False, half_sum
    yield "vid", *other, False, vid
    yield "ab", *other, False, ab
    sums = [f"layer{i}.0.sum" for i in (1, 2, 3)]
    yield "ofd", "resnet8", "resnet8", False, ofd(sums, sums, list(TEACHER_NORMS["resnet8"]), False)
    yield "ofd", *other, False, ofd(sums, [f"features.denseblock{i}" for i in (1, 2, 3)], list(TEACHER_NORMS["densenet16"]), True)
    yield "ft", *other, False, ft("released")
    yield "ft:reading=paper,rate=0.25", *other, False, ft("paper")
    yield "reviewkd", *other, False, reviewkd


def relation_cases():
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


def cases():
    yield from output_cases()
    yield from map_cases()
    yield from relation_cases()


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
    if not options.only:
        distill = options.program.parents[1] / "bin/preceptor-distill"
        table = subprocess.run([distill, "--list-methods"], check=True, capture_output=True, text=True).stdout
        missing = {line.split("\t")[0] for line in table.splitlines()} - {case[0].split(":")[0] for case in cases()}
        if missing:
            print("no definition of", ", ".join(sorted(missing)))
            good = False
    print(f"{count} cases")
    return 0 if good and count > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
