"""Indexing with random combinations of integers, slices, None, ..., lists, masks and index tensors, against PyTorch."""

import random

import numpy as np
import pytest

from tests.oracle import Ours, Torch, check_equal, cotangents

TRIES = 40  # combinations a seed


def random_key(draw: random.Random, shape):
    """A key as a list of parts that both libraries can be given; ("mask" or "index", array) become tensors."""
    parts, dim, dots = [], 0, False
    while True:
        kind = draw.choice(["int", "slice", "slice", "none", "dots", "list", "mask", "index", "stop", "bool list"])
        if kind == "stop" or (dim >= len(shape) and kind not in ("none", "dots")):
            return parts
        n = shape[dim] if dim < len(shape) else 0
        if kind == "int":
            parts.append(draw.randint(-n, n - 1) if n else 0)
        elif kind == "slice":
            bounds = [draw.choice([None, draw.randint(-n - 1, n + 1)]) for _ in range(2)]
            parts.append(slice(*bounds, draw.choice([None, 1, 2, 3])))
        elif kind == "none":
            parts.append(None)
        elif kind == "dots":
            if dots:
                continue
            dots = True
            skipped = draw.randint(0, len(shape) - dim)
            parts.append(Ellipsis)
            if draw.random() < 0.2:
                return parts
            dim += skipped
            rest = shape[dim:]
            # The rest of the key must then take exactly the remaining dimensions.
            return parts + [draw.randint(0, n - 1) if draw.random() < 0.3 and n else slice(None) for n in rest]
        elif kind == "list":
            parts.append([draw.randint(-n, n - 1) for _ in range(draw.choice([1, 3]))] if n else [])
        elif kind == "bool list":
            parts.append([draw.random() < 0.5 for _ in range(n)] if n else [])
        elif kind == "mask":
            many = draw.randint(1, min(2, len(shape) - dim))
            parts.append(("mask", np.array([draw.random() < 0.5 for _ in range(int(np.prod(shape[dim : dim + many])))],
                                           bool).reshape(shape[dim : dim + many])))
            dim += many
            continue
        else:
            index = draw.choice([(), (1,), (3,), (2, 3)])
            if not n:
                index = (0,)
            parts.append(("index", np.array([draw.randint(-n, n - 1) for _ in range(int(np.prod(index)))],
                                            np.int64).reshape(index)))
        if kind not in ("none", "dots"):
            dim += 1


def key_for(library, parts):
    return tuple(library.tensor(p[1]) if isinstance(p, tuple) else p for p in parts)


def outcome(library, array, parts, value=None):
    """Result and gradients of x[key], or of x after x[key] = value; or the class of the error."""
    x = library.tensor(array, grad=True)
    values = None if value is None else library.tensor(value, grad=True)
    try:
        key = key_for(library, parts)
        if value is None:
            y = x[key]
        else:
            y = x * 1
            y[key] = values
    except Exception as error:
        return type(error)
    inputs = [x] if value is None else [x, values]
    gradients = library.grad([y], inputs, cotangents(library, [y]))
    return [library.array(y), *(np.zeros(i.shape) if g is None else library.array(g)
                                for g, i in zip(gradients, inputs, strict=True))]


def compare(array, parts, value=None):
    ours, expected = (outcome(library, array, parts, value) for library in (Ours(), Torch()))
    where = f"x{list(array.shape)}[{parts}]" + ("" if value is None else f" = {list(value.shape)}")
    if isinstance(expected, type):
        assert isinstance(ours, type) and issubclass(ours, expected), f"{where}: {ours}, expected {expected}"
        return
    assert not isinstance(ours, type), f"{where} raised {ours}"
    for a, e in zip(ours, expected, strict=True):
        check_equal(a, e, (1e-12, 1e-12), where)


SHAPES = [(4,), (3, 4), (2, 3, 4), (1, 3, 2, 2), (0, 3), (2, 0), ()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.needs("torch")
def test_reading(seed):
    draw = random.Random(seed)
    for _ in range(TRIES):
        shape = draw.choice(SHAPES)
        compare(np.random.default_rng(seed).uniform(-1, 1, shape), random_key(draw, shape))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.needs("torch")
def test_writing(seed):
    import torch

    draw = random.Random(1000 + seed)
    rng = np.random.default_rng(seed)
    for _ in range(TRIES):
        shape = draw.choice(SHAPES)
        array, parts = rng.uniform(-1, 1, shape), random_key(draw, shape)
        try:
            region = tuple(torch.from_numpy(np.array(array))[key_for(Torch(), parts)].shape)
        except Exception:
            continue  # test_reading compares the errors
        flat = [p[1].reshape(-1) if isinstance(p, tuple) else np.array(p)
                for p in parts if isinstance(p, (tuple, list))]
        if any(f.dtype != bool and len(set(f % max(shape))) < f.size for f in flat if f.size):
            continue  # an element that is written twice may get either value
        keep = draw.randint(0, len(region))
        value_shape = tuple(1 if draw.random() < 0.3 else n for n in region[keep:])
        compare(array, parts, rng.uniform(-1, 1, value_shape))


BAD_KEYS = [(5,), (-4,), (0, 0, 0), ([7],), (0, [-9]), (slice(None, None, -1),), (1.5,), (slice(None, None, 0),),
            ([0, 1], [0, 1, 2]), ([True],), ([[0, 1], [0]],), ({},)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("key", BAD_KEYS, ids=str)
@pytest.mark.needs("torch")
def test_bad_keys_raise_pytorchs_errors(key):
    compare(np.ones((3, 4)), key)
