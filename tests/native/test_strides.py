"""A kernel gives the same results wherever its operands lie: with gaps, turned, with any step for a size of 1.

The operands are those that the table of cases meets, values and gradients.
"""

from collections import Counter

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from gpunet.devices.cpu import CpuDevice
from tests.cases import CASES
from tests.cases.table import WARNED
from tests.ops.test_cases import OURS, gradients

MOST = 30  # calls of one op that are tried

pytestmark = [pytest.mark.filterwarnings(each) for each in WARNED]


def with_gaps(x):
    """Part of an array that is larger in every dimension."""
    base = np.empty([n + 1 for n in x.shape], x.dtype)
    view = base[(..., *[slice(0, n) for n in x.shape])]
    view[...] = x
    return view


def turned(x):
    return np.array(x, order="F")


def stepping(x):
    """The dimensions of one element have steps that lead nowhere."""
    steps = [7 * x.itemsize if n == 1 else step for n, step in zip(x.shape, x.strides, strict=True)]
    return as_strided(x, x.shape, steps)


PLACES = {"gaps": with_gaps, "turned": turned, "stepping": lambda x: stepping(with_gaps(x))}


@pytest.fixture
def calls(monkeypatch):
    """Calls of ops with a native kernel: (op, outputs, operands, attributes), copied before they ran."""
    found, count = [], Counter()
    run, compute = CpuDevice.run, CpuDevice.compute

    def note(op, outs, arrays, attrs):
        if op.native is not None and count[op.name] < MOST:
            count[op.name] += 1
            found.append((op, [(out.shape, out.dtype) for out in outs],
                          [x.copy() if isinstance(x, np.ndarray) else x for x in arrays], attrs))

    def noted_run(op, outs, arrays, attrs):
        note(op, outs, arrays, attrs)
        run(op, outs, arrays, attrs)

    def noted_compute(op, shape, dtype, arrays, attrs):
        note(op, [np.empty(shape, dtype)], arrays, attrs)
        return compute(op, shape, dtype, arrays, attrs)

    monkeypatch.setattr(CpuDevice, "run", staticmethod(noted_run))
    monkeypatch.setattr(CpuDevice, "compute", staticmethod(noted_compute))
    return found


def results(op, outs, arrays, attrs):
    filled = [np.zeros(shape, dtype) for shape, dtype in outs]
    return None if op.native(*filled, *arrays, **attrs) is NotImplemented else filled


def test_where_operands_lie_does_not_matter(calls):
    for case in CASES:
        if "float32" in case.dtypes:
            case(OURS, case.tensors(OURS, "float32"))
            if case.differentiable:
                gradients(OURS, case, "float32")
    assert len(calls) > 300
    wrong = []
    for op, outs, arrays, attrs in calls:
        expected = results(op, outs, arrays, attrs)
        for name, placed in PLACES.items():
            found = results(op, outs, [placed(x) if isinstance(x, np.ndarray) else x for x in arrays], attrs)
            if expected and found and not all(np.allclose(a, e, rtol=1e-5, atol=1e-6, equal_nan=True)
                                              for a, e in zip(found, expected, strict=True)):
                wrong.append(f"{op.name} {name}: operands {[getattr(x, 'shape', x) for x in arrays]}, {attrs}")
    assert not wrong, "\n".join(wrong)
