"""Element-wise kernels and reductions against their NumPy bodies: shapes that fill vectors and that do not, broadcasts,
views of any strides, special values, any number of threads."""

import numpy as np
import pytest

import gpunet
from gpunet import native
from gpunet.ops import activation, arithmetic, conditions, elementary, reductions, special, views

UNARY = {f.op.name: f for f in (
    activation.relu_op, activation.sigmoid_op, activation.silu_op, activation.gelu_op, activation.gelu_tanh_op,
    elementary.exp_op, elementary.log_op, elementary.sqrt_op, elementary.tanh_op, elementary.rsqrt_op,
    elementary.reciprocal_op, arithmetic.neg_op, arithmetic.abs_op, special.erf_op, views.clone_op)}
BINARY = {f.op.name: f for f in (
    arithmetic.add_op, arithmetic.sub_op, arithmetic.mul_op, arithmetic.true_divide_op, arithmetic.maximum_op,
    arithmetic.minimum_op, conditions.eq_op, conditions.ne_op, conditions.lt_op, conditions.le_op, conditions.gt_op,
    conditions.ge_op)}
GRADIENTS = {f.op.name: f for f in (
    activation.relu_grad_op, activation.sigmoid_grad_op, activation.silu_grad_op, activation.gelu_grad_op,
    activation.gelu_tanh_grad_op, elementary.tanh_grad_op)}
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40,
                    -1e-40, 88.8, -104.5, 1e37, 1e-10], np.float32)
SHAPES = [(), (0,), (1,), (7,), (16,), (33,), (3, 0, 2), (5, 17), (2, 3, 4, 5), (40000,), (70, 600)]
PAIRS = [((5, 17), (17,)), ((5, 17), (5, 1)), ((5, 1), (1, 17)), ((), (33,)), ((2, 3, 4), (3, 1)), ((600,), (70, 600)),
         ((70, 1), (70, 600)), ((4, 1, 1, 9), (1, 5, 3, 1)), ((0, 3), (1, 3)), ((40000,), ())]


def random(shape, seed=0):
    return gpunet.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * 3)


def agree(function, *inputs, rtol=3e-6, atol=4e-6, **attrs):
    """The kernel's result, which is that of the body."""
    found = function(*inputs, **attrs)
    assert function.op.native is not None
    with native.disabled():
        expected = function(*inputs, **attrs)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=rtol, atol=atol)
    return found.numpy()


@pytest.mark.parametrize("name", UNARY)
def test_unary(name, with_threads):
    for shape in SHAPES:
        agree(UNARY[name], random(shape))
    agree(UNARY[name], gpunet.tensor(SPECIAL))
    x = random((70, 600))
    for view in (x.t(), x[::2, 1:], x[:, ::3], x.expand(2, 70, 600), x[:, :1].expand(70, 9), x.flip(0)):
        agree(UNARY[name], view)
    with_threads(lambda: UNARY[name](x.t()).numpy())


@pytest.mark.parametrize("name", [*BINARY, *GRADIENTS])
def test_binary(name, with_threads):
    function = BINARY.get(name) or GRADIENTS[name]
    wide = {"atol": 2e-5} if name == "gelu_tanh_grad" else {}  # of both, the body is the less exact
    for shape in SHAPES:
        agree(function, random(shape), random(shape, 1), **wide)
    for a, b in PAIRS if name in BINARY else ():
        agree(function, random(a), random(b, 1))
    table = np.meshgrid(SPECIAL, SPECIAL)
    agree(function, *map(gpunet.tensor, table))
    x, y = random((70, 600)), random((600, 70), 1)
    agree(function, x.t(), y, **wide)
    agree(function, x[:, ::2], y.t()[:, ::2], **wide)
    with_threads(lambda: function(x, y.t()).numpy())


@pytest.mark.parametrize("name", BINARY)
def test_beside_numbers(name):
    x = random((5, 17))
    for number in (0, 1, 2.5, -3, float("inf"), float("nan"), True):
        agree(BINARY[name], x, number)


def test_where(with_threads):
    x, y = random((70, 600)), random((600, 70), 1)
    for condition in (x > 0, (y > 0).t(), x[:, :1] > 0, x[0] > 0, (x > 0)[:, ::3]):
        width = condition.shape[-1] if condition.shape[-1] not in (1,) else 600
        agree(conditions.where_op, condition, x[:, :width], y.t()[:, :width])
        agree(conditions.where_op, condition, x[:, :width], 2.0)
        agree(conditions.where_op, condition, 0.0, y.t()[:, :width])
    with_threads(lambda: conditions.where_op(x > 0, x, y.t()).numpy())


def test_in_place_on_views():
    """An output with strides, and one that its input overlaps."""
    for make in (lambda x: x[:, ::2].mul_(2), lambda x: x.t().add_(1), lambda x: x[1:].copy_(x[:-1]),
                 lambda x: x[:, 1:].add_(x[:, :-1])):
        found, expected = random((9, 33)), random((9, 33))
        make(found)
        with native.disabled():
            make(expected)
        assert (found == expected).all()


DIMS = [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin"])
def test_reductions(name, with_threads):
    function = getattr(reductions, f"{name}_op")
    for shape in [(3, 5, 7), (2, 1, 40), (64, 3, 300), (1, 2000, 33), (5, 20000, 1), (3, 1, 1)]:
        for dims in DIMS:
            agree(function, random(shape), dims=dims, keepdim=False, rtol=2e-5, atol=2e-3)
    for shape in [(0, 4, 3), (4, 0, 3)] if name in ("sum", "mean") else ():
        agree(function, random(shape), dims=(1,), keepdim=True)
    x = random((3, 700, 300))
    for dims in DIMS:
        with_threads(lambda dims=dims: function(x, dims=dims, keepdim=False).numpy())
    x = gpunet.tensor(np.where(np.arange(60).reshape(3, 20) == 25, np.nan, 1).astype(np.float32))
    for dims in ((0,), (1,), (0, 1)):
        agree(function, x, dims=dims, keepdim=False)


def test_long_sums_are_accurate():
    x = np.random.default_rng(0).random((3, 1000003), np.float32)
    exact = x.sum(1, dtype=np.float64)
    np.testing.assert_allclose(gpunet.tensor(x).sum(1).numpy(), exact, rtol=3e-7)
    np.testing.assert_allclose(gpunet.tensor(x.T.copy()).sum(0).numpy(), exact, rtol=2e-6)


# The errors that kernels/cpu/vec.h states, in units of the last place.
ULP = {"exp": 1.01, "log": 1.01, "tanh": 2.0, "erf": 1.01, "sigmoid": 3.0}


@pytest.mark.parametrize("name", ULP)
def test_errors_of_functions(name):
    from math import erf

    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, np.uint32)
    x = bits.view(np.float32)
    x = np.concatenate([x[np.isfinite(x)], np.linspace(-20, 20, 100_001, dtype=np.float32)])
    x = np.abs(x) if name == "log" else x
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        exact = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "erf": np.vectorize(erf),
                 "sigmoid": lambda v: 1 / (1 + np.exp(-v))}[name](wide)
        found = UNARY[name](gpunet.tensor(x)).numpy().astype(np.float64)
        near = np.isfinite(exact) & (np.abs(exact) > 1.2e-38) & (np.abs(exact) < 3.4e38)
        ulp = np.spacing(np.abs(exact[near]).astype(np.float32)).astype(np.float64)
    error = np.abs(found[near] - exact[near]) / ulp
    assert error.max() <= ULP[name], (error.max(), x[near][error.argmax()])
