"""einsum on random equations, against PyTorch."""

import random
import string

import numpy as np
import pytest

from tests.oracle import Ours, Torch, check_equal, cotangents


def equation(draw: random.Random):
    """An equation with its operands' shapes: repeated letters, sizes of 1 that broadcast, '...' and sums."""
    letters = draw.sample(string.ascii_letters, 5)
    size = {c: draw.choice([1, 2, 3]) for c in letters}
    hidden = [draw.choice([1, 2]) for _ in range(draw.choice([0, 0, 1, 2]))]
    terms, shapes = [], []
    for _ in range(draw.choice([1, 2, 2, 3, 4])):
        term = draw.choices(letters, k=draw.randint(0, 3))
        dims = [1 if draw.random() < 0.1 and term.count(c) == 1 else size[c] for c in term]
        if hidden and draw.random() < 0.6:
            at, count = draw.randint(0, len(term)), draw.randint(0, len(hidden))
            dims[at:at] = hidden[len(hidden) - count :]
            term.insert(at, "...")
        terms.append("".join(term))
        shapes.append(tuple(dims))
    text = ",".join(terms)
    if draw.random() < 0.7:
        there = sorted({c for c in text if c.isalpha()})
        output = draw.sample(there, draw.randint(0, len(there)))
        if "..." in text and draw.random() < 0.8:
            output.insert(draw.randint(0, len(output)), "...")
        text += "->" + "".join(output)
    return text, shapes


def outcome(library, text, arrays):
    operands = [library.tensor(a, grad=True) for a in arrays]
    try:
        result = library.name("einsum")(text, *operands)
    except Exception as error:
        return type(error)
    return [library.array(result), *map(library.array, library.grad([result], operands, cotangents(library, [result])))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.needs("torch")
def test_random_equations(seed):
    draw, rng, torch = random.Random(seed), np.random.default_rng(seed), Torch()
    for _ in range(25):
        text, shapes = equation(draw)
        arrays = [rng.uniform(-1, 1, shape) for shape in shapes]
        ours, expected = outcome(Ours(), text, arrays), outcome(torch, text, arrays)
        if isinstance(expected, type):
            assert isinstance(ours, type) and issubclass(ours, expected), f"{text} {shapes}: {ours} for {expected}"
            continue
        assert not isinstance(ours, type), f"{text} {shapes}: {ours}"
        for one, other in zip(ours, expected, strict=True):
            check_equal(one, other, (1e-9, 1e-9), f"{text} {shapes}")
