"""A program on gpunet in float32 beside PyTorch in float64: values, and gradients of operands and of parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

import gpunet
from tests.random_programs.program import Library, Program

RELATIVE = 2e-4  # of the largest value: a difference below it is rounding
ABSOLUTE = 3e-5
AS_TORCH = 20  # so many times what PyTorch's own float32 loses is rounding too


class Undefined(Exception):
    """PyTorch refuses the program, or a value of it is not finite."""


@dataclass
class Outcome:
    """What a program gave: arrays by name, None where there is no gradient."""

    arrays: dict[str, np.ndarray | None]
    vectors: dict[int, np.ndarray]  # from which the gradients walked back, by the number of the output


def outcome(program: Program, library: Library, vectors: dict[int, np.ndarray] | None = None) -> Outcome:
    """Runs a program forward, then back from these vectors, or from random ones."""
    leaves = [library.leaf(operand.base) for operand in program.operands]
    outputs = program(library, *(operand.view(leaf) for operand, leaf in zip(program.operands, leaves, strict=True)))
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    named = {f"output {k}": y for k, y in enumerate(outputs)}
    if vectors is None:
        rng = np.random.default_rng(0)
        vectors = {k: np.asarray(rng.standard_normal(tuple(y.shape)), np.float32)
                   for k, y in enumerate(outputs) if y.requires_grad}
    tracked = {k: y for k, y in enumerate(outputs) if y.requires_grad and k in vectors}
    if tracked:
        library.module.autograd.backward(list(tracked.values()), [library.constant(vectors[k]) for k in tracked])
    named |= {f"gradient of operand {k}": leaf.grad for k, leaf in enumerate(leaves)}
    named |= {f"gradient of parameter {k}": p.grad for k, p in enumerate(library.parameters)}
    return Outcome({name: None if t is None else t.detach().cpu().numpy() for name, t in named.items()}, vectors)


def differences(program: Program, device: str = "cpu") -> Iterator[str]:
    """What is different, a line each. Raises Undefined if PyTorch has no answer."""
    try:
        expected = outcome(program, Library(torch, "float64"))
    except (RuntimeError, ValueError, IndexError) as error:
        raise Undefined(str(error)) from None
    if not all(np.isfinite(a).all() for a in expected.arrays.values() if a is not None):
        raise Undefined("not finite")
    try:
        found = outcome(program, Library(gpunet, "float32", device), expected.vectors)
    except Exception as error:
        yield f"{type(error).__name__}: {error}"
        return
    if found.arrays.keys() != expected.arrays.keys():
        yield f"{len(found.arrays)} results, not {len(expected.arrays)}"
        return
    rounded = None  # PyTorch in float32, computed where it is asked for
    for name, b in expected.arrays.items():
        a = found.arrays[name]
        if text := of_kind(a, b):
            yield f"{name}: {text}"
        elif a is not None and b is not None and (amount := error_of(a, b)) > RELATIVE:
            rounded = rounded or outcome(program, Library(torch, "float32"), expected.vectors)
            theirs = error_of(rounded.arrays[name], b)
            if amount > AS_TORCH * theirs:
                yield f"{name}: off by {amount:.1e} of the largest value; PyTorch's float32: {theirs:.1e}"


def of_kind(a: np.ndarray | None, b: np.ndarray | None) -> str | None:
    """The difference that shows without the values: None where there is an array, another shape."""
    if a is None or b is None:
        some = a if b is None else b
        if some is None or (b is None and not some.any()):  # zeros, where PyTorch has no gradient
            return None
        return "none, where PyTorch has one" if a is None else "one that is not 0, where PyTorch has none"
    if a.shape != b.shape:
        return f"shape {a.shape}, not {b.shape}"
    return None


def error_of(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference in parts of the largest value: 0 if it is below ABSOLUTE; of indices inf, if any."""
    if b.dtype.kind != "f":
        return 0.0 if (a == b).all() else np.inf
    if not np.isfinite(a).all():
        return np.inf
    largest = np.abs(a - b).max(initial=0)
    return 0.0 if largest <= ABSOLUTE else float(largest / (np.abs(b).max(initial=0) + 1e-3))
