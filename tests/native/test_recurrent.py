"""Whole sequences by native kernels against their NumPy bodies: every cell, ragged sizes, unequal lengths."""

import numpy as np
import pytest

import gpunet
from gpunet.ops.recurrent import CELLS, sequence_op
from tests.native.near import both

SIZES = [(1, 1, 1), (3, 5, 7), (2, 33, 16), (4, 100, 20), (5, 2, 64), (2, 0, 4)]


def _run(sizes, cell, reverse, ragged, bias):
    (times, batch, hidden), kind = sizes, CELLS[cell]
    rng = np.random.default_rng(0)

    def leaf(*shape, size=0.5):
        return gpunet.tensor(rng.standard_normal(shape, np.float32) * np.float32(size), requires_grad=True)

    x, state = leaf(times, batch, kind.gates * hidden), leaf(batch, kind.states * hidden)
    weight, offset = leaf(kind.gates * hidden, hidden, size=hidden**-0.5), leaf(kind.gates * hidden) if bias else None
    lengths = gpunet.tensor(rng.integers(0, times + 1, batch)) if ragged else None
    states, saved = sequence_op(x, state, weight, offset, lengths, cell=cell, reverse=reverse)
    states.backward(gpunet.tensor(rng.standard_normal(states.shape, np.float32)))
    leaves = [t for t in (x, state, weight, offset) if t is not None]
    return [states.detach().numpy(), saved.detach().numpy(), *(t.grad.numpy() for t in leaves)]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(("reverse", "ragged", "bias"), [(False, False, True), (True, True, False)])
def test_agrees_with_the_body(cell, sizes, reverse, ragged, bias):
    both(lambda: _run(sizes, cell, reverse, ragged, bias))
