"""Scattering at random: shapes, dimensions, layouts and index sizes, against PyTorch."""

import random
import re

import numpy as np
import pytest

from tests.oracle import Ours, Torch, check_equal, cotangents

CALLS = ["x.gather(d, k)", "x.scatter(d, k, y)", "x.scatter(d, k, 2.5)", "x.scatter_add(d, k, y)",
         "x.scatter_reduce(d, k, y, 'sum', include_self=False)", "x.scatter_reduce(d, k, y, 'prod')",
         "x.scatter_reduce(d, k, y, 'mean')", "x.scatter_reduce(d, k, y, 'amax')",
         "x.scatter_reduce(d, k, y, 'amin', include_self=False)", "x.index_add(d, v, z)", "x.index_copy(d, u, w)",
         "x.index_fill(d, v, -1.5)", "x.index_select(d, v)", "x.index_reduce(d, v, z, 'prod', include_self=False)"]
ROUNDS = 12


def operands(draw: random.Random, rng):
    """x; k and y as large; v some and u all different indices along a dimension, z and w the slices for them."""
    shape = tuple(draw.choice([1, 2, 3, 5]) for _ in range(draw.randint(1, 3)))
    d = draw.randrange(-len(shape), len(shape))
    dim = d % len(shape)
    index_shape = tuple(draw.randint(1, 2 * n if i == dim else n) for i, n in enumerate(shape))
    v = rng.integers(0, shape[dim], draw.randint(0, 4))
    u = rng.permutation(shape[dim])[: draw.randint(1, shape[dim])]

    def slices(index):
        return rng.uniform(-2, 2, (*shape[:dim], len(index), *shape[dim + 1 :]))

    # All different values, so that no extreme is there twice.
    x, y = rng.uniform(-2, 2, shape), rng.uniform(-2, 2, index_shape)
    return d, {"x": x, "y": y, "z": slices(v), "w": slices(u)}, {"k": rng.integers(0, shape[dim], index_shape), "v": v,
                                                                  "u": u}


def outcome(library, call, d, values, indices, turned):
    leaves = {name: library.tensor(a, grad=True) for name, a in values.items()}
    x = leaves["x"]
    if turned:  # the same values, in another order of memory
        x = x.permute(*reversed(range(x.ndim))).contiguous().permute(*reversed(range(x.ndim)))
    result = eval(call, {**leaves, "x": x, "d": d, **{name: library.tensor(a) for name, a in indices.items()}})
    used = [t for name, t in leaves.items() if name in re.findall(r"\w+", call)]
    gradients = library.grad([result], used, cotangents(library, [result]))
    return [library.array(result), *[library.array(g) for g in gradients]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.needs("torch")
def test_random_scatters(call):
    draw, rng, torch = random.Random(call), np.random.default_rng(len(call)), Torch()
    for _ in range(ROUNDS):
        d, values, indices = operands(draw, rng)
        if call == "x.scatter(d, k, y)":  # of values that meet, PyTorch's gradient takes all: only without repeats
            indices["k"] = np.argsort(rng.uniform(size=values["x"].shape), axis=d)
            values["y"] = rng.uniform(-2, 2, values["x"].shape)
        turned = draw.random() < 0.3
        ours = outcome(Ours(), call, d, values, indices, turned)
        for one, other in zip(ours, outcome(torch, call, d, values, indices, turned), strict=True):
            check_equal(one, other, (1e-9, 1e-9), f"{call} of {values['x'].shape}, {indices}")


@pytest.mark.slow("sim")
def test_random_scatters_on_the_gpu(gpu):
    for call in CALLS:
        draw, rng = random.Random(call), np.random.default_rng(len(call))
        for _ in range(3):
            d, values, indices = operands(draw, rng)
            ours = outcome(Ours(gpu), call, d, values, indices, False)
            for one, other in zip(ours, outcome(Ours(), call, d, values, indices, False), strict=True):
                check_equal(one, other, (1e-9, 1e-9), f"{call} of {values['x'].shape}, {indices}")
