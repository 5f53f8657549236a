"""Checks of a device: what it computes against what the CPU computes from the same inputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import gpunet

# Relative difference from float64, as norms, that is right for results of a type. TF32 is near 3e-4.
RIGHT = {"float64": 1e-12, "float32": 2e-6, "float16": 8e-3, "bfloat16": 6e-2}

# A check takes a device's name and says how far its results are from right, and how far they may be.
Check = Callable[[str], tuple[float, float]]


class Wrong(AssertionError):
    """A result that is not right."""


def distance(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest norm(found - expected) / norm(expected); infinite where a shape differs or a number is NaN."""
    worst = 0.0
    for ours, right in zip(found, expected, strict=True):
        if ours.shape != right.shape:
            return math.inf
        wide, reference = ours.astype(np.float64), right.astype(np.float64)
        apart = float(np.linalg.norm(wide - reference)) / (float(np.linalg.norm(reference)) or 1.0)
        worst = max(worst, math.inf if math.isnan(apart) else apart)
    return worst


def host(tensor) -> np.ndarray:
    return tensor.detach().cpu().to(gpunet.float64).numpy()


def against_float64(function: Callable, shapes: dict[str, tuple], dtype: str, gradient: bool = True) -> Check:
    """function(**inputs) -> a tensor, or several; and the gradients of all inputs, but of those whose name ends in "_".
    The inputs are random numbers rounded to the type, so the CPU has the same ones in float64."""
    kind = getattr(gpunet, dtype)

    def results(device, of):
        rng = np.random.default_rng(0)
        inputs = {}
        for name, shape in shapes.items():
            values = gpunet.tensor(rng.standard_normal(shape)).to(kind)
            inputs[name] = values.to(device=device, dtype=of).requires_grad_(gradient and not name.endswith("_"))
        found = function(**inputs)
        outputs = [found] if isinstance(found, gpunet.Tensor) else list(found)
        leaves = [each for each in inputs.values() if each.requires_grad]
        if leaves:
            seeds = [gpunet.tensor(rng.standard_normal(tuple(each.shape))).to(kind) for each in outputs]
            outputs += gpunet.autograd.grad(outputs, leaves, [seed.to(device=device, dtype=of) for seed in seeds])
        return [host(each) for each in outputs]

    def check(device):
        return distance(results(device, kind), results("cpu", gpunet.float64)), RIGHT[dtype]

    return check


def same_as_cpu(function: Callable[[str], list]) -> Check:
    """function(device) -> tensors that are the same on every device, bit for bit."""
    def check(device):
        pairs = zip(function(device), function("cpu"), strict=True)
        same = [a.dtype == b.dtype and np.array_equal(host(a), host(b)) for a, b in pairs]
        return 0.0 if all(same) else math.inf, 0.0

    return check


def near_cpu(function: Callable[[str], list]) -> Check:
    """function(device) -> tensors that are nearly the same on every device."""
    return lambda device: (distance([host(each) for each in function(device)],
                                    [host(each) for each in function("cpu")]), 1e-5)
