"""Numbers that a name determines, so that golden files need not store weights or inputs."""

import math

import numpy as np
import torch

FNV_OFFSET_BASIS = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
MASK_64 = (1 << 64) - 1


def fnv1a64(name: str) -> int:
    state = FNV_OFFSET_BASIS
    for byte in name.encode("utf-8"):
        state = ((state ^ byte) * FNV_PRIME) & MASK_64
    return state


def splitmix64(x: np.ndarray) -> np.ndarray:
    z = x + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(name: str, *shape: int) -> torch.Tensor:
    """u(name, i) in [-1, 1) in float64, i running over the elements in row-major order; exact in float32."""
    index = np.arange(math.prod(shape), dtype=np.uint64)
    with np.errstate(over="ignore"):
        bits = splitmix64(index + np.uint64(fnv1a64(name))) >> np.uint64(40)
    return torch.from_numpy(bits.astype(np.float64) / 2.0**23 - 1.0).reshape(shape)


def through_float32(values: torch.Tensor) -> torch.Tensor:
    """The float64 tensor that holds the nearest float32 numbers: what a float32 program starts from."""
    return values.to(torch.float32).to(torch.float64)


def labels(count: int, classes: int) -> torch.Tensor:
    return torch.arange(count) * 7 % classes
