"""Recurrent sequences on the simulator against the NumPy bodies in float64."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops.recurrent import CELLS, sequence_grad, sequence_op

TOLERANCE = {"float32": 3e-6, "float64": 1e-13, "float16": 2e-3, "bfloat16": 2e-2}

# (times, batch, hidden): units that fill warps or not; several rows and several blocks; W in registers, at each depth.
WHOLE = [(1, 1, 1), (3, 5, 7), (4, 9, 32), (3, 2, 33), (2, 3, 64), (3, 6, 70), (2, 1, 96)]
STEPS = [(3, 4, 100), (1, 2, 130)]  # hidden sizes whose weight does not fit


def arrays(sizes, cell, dtype, ragged, bias):
    (times, batch, hidden), kind, dtype = sizes, CELLS[cell], np.dtype(getattr(ml_dtypes, dtype, dtype))
    rng = np.random.default_rng(0)

    def numbers(*shape, size=0.7):
        return (rng.standard_normal(shape) * size).astype(dtype)

    return dict(x=numbers(times, batch, kind.gates * hidden), state=numbers(batch, kind.states * hidden),
                weight=numbers(kind.gates * hidden, hidden, size=hidden**-0.5),
                bias=numbers(kind.gates * hidden) if bias else None,
                lengths=rng.integers(0, times + 1, batch) if ragged else None,
                g=numbers(times, batch, kind.states * hidden))


def expected(given, cell, reverse):
    """(states, saved, dx, dh, dstate), by the bodies in float64."""
    x, state, weight, bias, lengths, g = [v if v is None or v.dtype.kind == "i" else v.astype(float)
                                          for v in given.values()]
    hidden, kind = weight.shape[1], CELLS[cell]
    states, saved = np.zeros_like(g), np.zeros((*g.shape[:2], kind.saves * hidden))
    sequence_op.op.body(np, states, saved, x, state, weight, bias, lengths, cell=cell, reverse=reverse)
    dx, dh, dstate = np.zeros_like(x), np.zeros(x.shape if kind.products else 0), np.zeros_like(state)
    sequence_grad.op.body(np, dx, dh, dstate, g, states, saved, state, weight, lengths, cell=cell, reverse=reverse)
    return states, saved, dx, dh, dstate


def found(cuda, given, cell, reverse, like):
    x, state, weight, bias, lengths, g = [None if v is None else cuda(v) for v in given.values()]
    states, saved, dx, dh, dstate = (cuda.empty(each.shape, x.dtype) for each in like)
    sequence_op.op.launch(cuda, states, saved, x, state, weight, bias, lengths, cell=cell, reverse=reverse)
    sequence_grad.op.launch(cuda, dx, dh, dstate, g, states, saved, state, weight, lengths, cell=cell, reverse=reverse)
    return [each.get().astype(float) for each in (states, saved, dx, dh, dstate)]


CASES = [(sizes, cell, "float32") for sizes in WHOLE + STEPS for cell in CELLS]
CASES += [(sizes, cell, "float64") for sizes in (WHOLE[1], STEPS[0]) for cell in ("lstm", "gru")]
CASES += [(sizes, cell, dtype) for sizes, dtype in ((WHOLE[1], "bfloat16"), (STEPS[0], "float16")) for cell in CELLS]


@pytest.mark.parametrize("sizes, cell, dtype", CASES, ids=str)
@pytest.mark.parametrize("reverse, ragged, bias", [(False, False, True), (True, True, False)])
def test_agrees_with_the_body(cuda, sizes, cell, dtype, reverse, ragged, bias):
    given = arrays(sizes, cell, dtype, ragged, bias)
    right = expected(given, cell, reverse)
    for ours, theirs in zip(found(cuda, given, cell, reverse, right), right, strict=True):
        assert np.linalg.norm(ours - theirs) <= TOLERANCE[dtype] * (np.linalg.norm(theirs) or 1)


@pytest.mark.parametrize("cell", CELLS)
def test_how_the_batch_is_shared_changes_no_bit(cuda, cell):
    given = arrays((4, 13, 20), cell, "float32", True, True)
    right = expected(given, cell, False)
    first = found(cuda, given, cell, False, right)
    fewer = cuda.sized(2)  # multiprocessors: more rows a block than lanes share a unit
    for ours, theirs in zip(found(fewer, given, cell, False, right), first, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_empty_batches(cuda, kind):
    given = arrays((2, 0, 4), "gru", kind, False, True)
    found(cuda, given, "gru", False, expected(given, "gru", False))
