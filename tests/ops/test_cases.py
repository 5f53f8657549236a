"""Every row of tests/cases: values and gradients against PyTorch and finite differences, and between devices."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

import gpunet
from gpunet.autograd import gradcheck, gradgradcheck
from gpunet.dispatch import call
from tests.cases import CASES
from tests.cases.table import WARNED
from tests.oracle import Ours, Torch, check_equal, cotangents, float_results, results

OURS = Ours()

pytestmark = [pytest.mark.filterwarnings(each) for each in WARNED]


def rows(condition=lambda case: True, slow=lambda case: False):
    chosen = [c for c in CASES if condition(c)]
    return pytest.mark.parametrize("case", [pytest.param(c, marks=pytest.mark.slow("sim") if slow(c) else ())
                                            for c in chosen], ids=[f"{n}-{c.id}" for n, c in enumerate(chosen)])


def _first_rows():
    """A row of each function."""
    firsts = {}
    for case in CASES:
        firsts.setdefault(case.text.partition("(")[0], case)
    return set(map(id, firsts.values()))


FIRST = _first_rows()


@pytest.fixture(scope="module")
def torch():
    return Torch()


def gradients(library, case, dtype, order=1):
    """The gradients of a row for fixed cotangents; of order 2, those of the first gradients. Zeros where there is
    none."""
    tensors = case.tensors(library, dtype, grad=True)
    inputs = [t for t in tensors.values() if t.requires_grad]
    outputs = [y for y in float_results(library, case(library, tensors)) if y.requires_grad]
    vectors = cotangents(library, outputs)
    if order == 2 and outputs:
        vectors = [v.requires_grad_() for v in vectors]
        first = library.grad(outputs, inputs, vectors, create_graph=True)
        pairs = [(g, v) for g, v in zip(first, cotangents(library, inputs, 1), strict=True)
                 if g is not None and g.requires_grad]
        inputs = [*inputs, *vectors]
        outputs, vectors = [g for g, _ in pairs], [v for _, v in pairs]
    found = library.grad(outputs, inputs, vectors) if outputs else [None] * len(inputs)
    return [np.zeros(tuple(x.shape)) if g is None else library.array(g) for x, g in zip(inputs, found, strict=True)]


def check_gradients(case, torch, dtype, order):
    for ours, expected in zip(gradients(OURS, case, dtype, order), gradients(torch, case, dtype, order), strict=True):
        if expected.dtype != ours.dtype:  # zeros where there is no gradient
            ours, expected = ours.astype(float), expected.astype(float)
        relative, absolute = {"float64": (1e-10, 1e-10), "float32": (2e-5, 2e-5)}.get(dtype, (5e-2, 5e-2))
        check_equal(ours, expected, (relative, absolute), f"gradient of order {order} of {case.text} in {dtype}")


@rows(lambda c: c.torch)
@pytest.mark.needs("torch")
@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch, of its own deprecations
def test_against_pytorch(case, torch):
    for dtype in case.dtypes:
        ours = results(case(OURS, case.tensors(OURS, dtype)))
        expected = results(case(torch, case.tensors(torch, dtype)))
        assert len(ours) == len(expected)
        for a, e in zip(ours, expected, strict=True):
            check_equal(OURS.array(a), torch.array(e), case.tolerance.get(torch.dtype(e)), f"{case.text} in {dtype}")
        if case.differentiable:
            check_gradients(case, torch, dtype, 1)
    if case.differentiable and case.second:
        check_gradients(case, torch, "float64", 2)


def scalar_function(case):
    """The row as a function of its tensors that require gradients, and these tensors."""
    tensors = case.tensors(OURS, "float64", grad=True)
    names = [n for n, t in tensors.items() if t.requires_grad]

    def function(*values):
        return [y for y in float_results(OURS, case(OURS, tensors | dict(zip(names, values, strict=True))))]

    return function, [tensors[n] for n in names]


@rows(lambda c: c.differentiable and c.differences)
def test_against_finite_differences(case):
    assert gradcheck(*scalar_function(case), fast_mode=True, atol=1e-6, rtol=1e-6)
    if case.second:
        assert gradgradcheck(*scalar_function(case), fast_mode=True, atol=1e-6, rtol=1e-5)


@contextmanager
def compositions(monkeypatch):
    """Inside, every fused op is replaced by the plain ops that it stands for. Yields the names of those met."""
    met = set()

    perform = call.perform

    def composed(op, inputs, arrays, attrs, *rest):
        if op.via is None:
            return perform(op, inputs, arrays, attrs, *rest)
        met.add(op.name)
        answer = op.via(*inputs, **attrs)
        return answer if op.outputs == 1 or isinstance(answer, tuple) else (answer, *[None] * (op.outputs - 1))

    with monkeypatch.context() as patch:
        patch.setattr(call, "perform", composed)
        yield met


@rows(lambda c: c.differentiable)
def test_fused_is_its_composition(case, monkeypatch):
    with compositions(monkeypatch) as met:
        values = [OURS.array(y) for y in float_results(OURS, case(OURS, case.tensors(OURS, "float64")))]
        if not met:
            return
        expected = [gradients(OURS, case, "float64", order) for order in range(1, 2 + case.second)]
    for y, e in zip(float_results(OURS, case(OURS, case.tensors(OURS, "float64"))), values, strict=True):
        check_equal(OURS.array(y), e)
    for order, all_expected in enumerate(expected, start=1):
        for g, e in zip(gradients(OURS, case, "float64", order), all_expected, strict=True):
            check_equal(g, e, (1e-9, 1e-9), f"gradient of order {order}")


@rows(lambda c: "float32" in c.dtypes, slow=lambda c: id(c) not in FIRST)
def test_kernels_agree_with_the_cpu(case, gpu):
    device = Ours(gpu)
    for y, e in zip(results(case(device, case.tensors(device, "float32"))),
                    results(case(OURS, case.tensors(OURS, "float32"))),
                    strict=True):
        assert y.device.type == gpu
        check_equal(device.array(y), OURS.array(e), case.sim)
    if case.differentiable:
        for g, e in zip(gradients(device, case, "float32"), gradients(OURS, case, "float32"), strict=True):
            check_equal(g, e, case.sim, "gradient")
    gpunet.devices.get(gpu).synchronize()
