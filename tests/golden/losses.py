"""Golden values of the losses and of their gradients with respect to the student, in float64."""

import torch
from torch.nn import functional

from formula import labels, through_float32, uniform

KNOWN_ABOVE = -0.5  # an entry's label is known where u of its mask is at least this: three in four


def drawn(name: str, scale: float, *shape: int) -> torch.Tensor:
    return through_float32(scale * uniform(name, *shape))


def known_mask(name: str, *shape: int) -> torch.Tensor:
    return (uniform(name, *shape) >= KNOWN_ABOVE).double()


def masked_mean(terms: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return (terms * known).sum() / known.sum()


def softened_kl(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    return temperature**2 * functional.kl_div(functional.log_softmax(student / temperature, 1),
                                              functional.softmax(teacher / temperature, 1), reduction="batchmean")


def softened_binary_kl(student, teacher, known, temperature: float) -> torch.Tensor:
    p, log_p, log_not_p = (f(teacher / temperature) for f in (torch.sigmoid, functional.logsigmoid, log_one_minus_sigmoid))
    log_q, log_not_q = functional.logsigmoid(student / temperature), log_one_minus_sigmoid(student / temperature)
    terms = p * (log_p - log_q) + (1 - p) * (log_not_p - log_not_q)
    return temperature**2 * masked_mean(terms, known)


def log_one_minus_sigmoid(x: torch.Tensor) -> torch.Tensor:
    return functional.logsigmoid(-x)


def attention_transfer(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """As in Zagoruyko and Komodakis' released code: the mean (not the sum) over batch and positions."""
    def attention(features):
        return functional.normalize(features.pow(2).mean(1).flatten(1), p=2, dim=1)

    return (attention(student) - attention(teacher)).pow(2).mean()


def golden() -> dict[str, torch.Tensor]:
    stored = {}

    def add(case: str, loss_of, student: torch.Tensor, **inputs: torch.Tensor | float) -> None:
        student = student.requires_grad_()
        loss = loss_of(student, *inputs.values())
        loss.backward()
        stored[f"{case}/student"] = student.detach()
        for name, value in inputs.items():
            stored[f"{case}/{name}"] = torch.as_tensor(value).double().reshape(getattr(value, "shape", (1,)))
        stored[f"{case}/loss"] = loss.detach().reshape(1)
        stored[f"{case}/gradient"] = student.grad

    for name, scale, rows, classes in (("plain", 3.0, 5, 9), ("two", 3.0, 4, 2), ("wide", 3.0, 3, 131), ("extreme", 100.0, 5, 9)):
        case = f"cross_entropy/{name}"
        add(case, functional.cross_entropy, drawn(f"{case}/student", scale, rows, classes), labels=labels(rows, classes))

    for name, scale, all_known in (("plain", 3.0, True), ("masked", 3.0, False), ("extreme", 100.0, False)):
        case, shape = f"binary_cross_entropy/{name}", (6, 14)
        known = torch.ones(shape).double() if all_known else known_mask(f"{case}/known", *shape)
        targets = (uniform(f"{case}/targets", *shape) >= 0).double()
        add(case, lambda s, t, k: masked_mean(functional.binary_cross_entropy_with_logits(s, t, reduction="none"), k),
            drawn(f"{case}/student", scale, *shape), targets=targets, known=known)

    for name, scale, temperature, shape in (("t1", 3.0, 1.0, (5, 7)), ("t4", 3.0, 4.0, (5, 7)), ("two", 3.0, 4.0, (4, 2)),
                                            ("wide", 3.0, 2.0, (3, 131)), ("extreme", 100.0, 4.0, (5, 7))):
        case = f"softened_kl/{name}"
        add(case, softened_kl, drawn(f"{case}/student", scale, *shape), teacher=drawn(f"{case}/teacher", scale, *shape),
            temperature=temperature)

    for name, scale, temperature, all_known in (("t1", 3.0, 1.0, True), ("t4", 3.0, 4.0, True), ("masked", 3.0, 4.0, False),
                                                ("extreme", 100.0, 4.0, False)):
        case, shape = f"softened_binary_kl/{name}", (6, 14)
        known = torch.ones(shape).double() if all_known else known_mask(f"{case}/known", *shape)
        add(case, softened_binary_kl, drawn(f"{case}/student", scale, *shape),
            teacher=drawn(f"{case}/teacher", scale, *shape), known=known, temperature=temperature)

    for name, student_channels, teacher_channels, size in (("equal", 8, 8, 4), ("wider_teacher", 5, 16, 7), ("one_channel", 1, 3, 3)):
        case = f"attention_transfer/{name}"
        add(case, attention_transfer, drawn(f"{case}/student", 1.0, 3, student_channels, size, size),
            teacher=drawn(f"{case}/teacher", 1.0, 3, teacher_channels, size, size))
    return stored
