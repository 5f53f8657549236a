"""Element-wise kernels on the simulator against NumPy and PyTorch: operands that are arrays of the result's shape,
numbers, and broadcast; addresses that are no multiples of 16 bytes; strided copies."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import (
    activation,
    arithmetic,
    bits,
    conditions,
    divisors,
    elementary,
    formulas,
    join_launch,
    likelihood_loss,
    pointwise,
)
from gpunet.ops.activation import gelu_op, relu_grad_op
from gpunet.ops.arithmetic import add_op, maximum_op, mul_op, neg_op, sub_op
from gpunet.ops.conditions import lt_op
from gpunet.ops.launching import factor_of

TOLERANCE = {"float32": 1e-6, "float16": 2e-3, "bfloat16": 2e-2}


def numbers(seed, *shape, dtype="float32"):
    values = np.random.default_rng(seed).standard_normal(shape)
    return values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def launch(cuda, operation, shape, dtype, *operands, **options):
    """What the kernel of an op writes; operands at odd addresses give the same."""
    op, results = operation.op, []
    for offset in (0, 1):
        placed = []
        for x in operands:
            if isinstance(x, np.ndarray):
                whole = cuda(np.concatenate([np.zeros(offset, x.dtype), x.reshape(-1)]))
                x = whole[offset:].reshape(x.shape)
            placed.append(x)
        out = cuda.empty(shape, dtype)
        assert op.launch(cuda, out, *placed, **options) is not NotImplemented
        results.append(out.get())
    np.testing.assert_array_equal(*[each.astype("float32") if each.dtype == ml_dtypes.bfloat16 else each
                                    for each in results])  # NumPy does not know its NaN
    return results[0]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("x, y", [((5, 7), (5, 7)), ((5, 7), 2.5), (-1, (33,)), ((4, 3, 5), (5,)),
                                  ((3, 1, 1), (3, 4, 5)), ((4, 1, 5), (1, 3, 1)), ((2, 3), (1,))])
def test_differences(cuda, dtype, x, y):
    x, y = (numbers(i, *each, dtype=dtype) if isinstance(each, tuple) else each for i, each in enumerate((x, y)))
    wide = [each.astype("float32") if isinstance(each, np.ndarray) else each for each in (x, y)]
    expected = np.subtract(*wide)
    kind = x.dtype if isinstance(x, np.ndarray) else y.dtype
    found = cuda.empty(expected.shape, kind)
    status = sub_op.op.launch(cuda, found, *[cuda(e) if isinstance(e, np.ndarray) else e for e in (x, y)])
    assert status is not NotImplemented
    np.testing.assert_allclose(found.get().astype("float32"), expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_nan_and_zeros_go_through(cuda):
    x, y = np.array([np.nan, 1, np.nan, -0.0, 2], "float32"), np.array([1, np.nan, np.nan, 0.0, -np.inf], "float32")
    np.testing.assert_array_equal(launch(cuda, maximum_op, (5,), "float32", x, y), np.maximum(x, y))
    np.testing.assert_array_equal(launch(cuda, lt_op, (5,), "bool", x, y), x < y)
    y = np.abs(y)
    np.testing.assert_array_equal(launch(cuda, relu_grad_op, (5,), "float32", x, y), np.where(y <= 0, 0, x))


_ELU = dict(alpha=0.7, scale=1.3, rate=0.9)
OPTIONS = {"leaky_relu": dict(slope=-0.3), "leaky_relu_grad": dict(slope=0.2), "elu": _ELU, "elu_grad": _ELU,
           "softplus": dict(beta=2.0, threshold=3.0), "softplus_grad": dict(beta=2.0, threshold=3.0),
           "threshold": dict(threshold=0.2, value=-7.0), "threshold_grad": dict(threshold=0.2, value=-7.0),
           **dict.fromkeys(("hardshrink", "softshrink", "shrink_grad"), dict(lambd=0.5))}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", formulas.FORMULAS)
def test_functions_with_numbers_or_of_three(cuda, name, dtype):
    """Against the bodies; NaN, infinities and zeros go through, and so do the ends of intervals."""
    operation = getattr(likelihood_loss if "bce" in name else activation, f"{name}_op")
    count = 3 if name == "bce_grad" else 2 if "grad" in name or name == "bce" else 1
    operands = [numbers(i, 203, dtype=dtype) for i in range(count)]
    if "bce" in name:
        operands[-2:] = [(1 / (1 + np.exp(-x.astype("f4")))).astype(x.dtype) for x in operands[-2:]]
        operands[-2][:2] = 0, 1
    else:
        operands[-1][:8] = np.nan, np.inf, -np.inf, 0, -0.0, 0.5, -0.5, 20
    expected = np.empty(203, operands[0].dtype)
    with np.errstate(all="ignore"):
        operation.op.body(np, expected, *operands, **OPTIONS.get(name, {}))
    found = launch(cuda, operation, (203,), expected.dtype, *operands, **OPTIONS.get(name, {}))
    np.testing.assert_allclose(found.astype("f4"), expected.astype("f4"), rtol=4 * TOLERANCE[dtype],
                               atol=TOLERANCE[dtype])


@pytest.mark.parametrize("exponent", [2, 3, -1, 0.5, 1.7, 0])
def test_powers_by_numbers(cuda, exponent):
    x = np.abs(numbers(0, 99)) + np.float32(0.1)
    found = launch(cuda, arithmetic.pow_op, (99,), "float32", x, exponent)
    np.testing.assert_allclose(found, x.astype(float) ** exponent, rtol=1e-6)
    assert arithmetic.pow_op.op.launch(cuda, cuda(x), cuda(x), cuda(x)) is NotImplemented


@pytest.mark.needs("torch")
def test_gelu(cuda):
    import torch

    x = np.linspace(-6, 6, 1001, dtype="float32")
    expected = torch.nn.functional.gelu(torch.tensor(x)).numpy()
    np.testing.assert_allclose(launch(cuda, gelu_op, x.shape, "float32", x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "sign", "exp2", "expm1", "log1p", "log2"])
def test_functions_of_one_number(cuda, name):
    x = np.array([-2.5, -1e-6, -0.0, 0.0, 0.4, 1, 2.5, 700, np.inf, np.nan], "float32")
    x = np.abs(x) if name in ("log1p", "log2") else x
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x) if name != "sign" else np.nan_to_num(np.sign(x))  # of NaN 0, as in PyTorch
    found = launch(cuda, vars(elementary)[f"{name}_op"], x.shape, "float32", x)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("a, b", [((5, 7), (7,)), ((5, 7), (5, 7)), ((5, 7), 2.5)])
def test_where(cuda, a, b):
    condition = numbers(9, 5, 1 if b == (7,) else 7) > 0
    a, b = (numbers(i, *each) if isinstance(each, tuple) else each for i, each in enumerate((a, b)))
    out = cuda.empty((5, 7), "float32")
    pointwise.where(cuda, out, cuda(condition), cuda(a), cuda(b) if isinstance(b, np.ndarray) else b)
    np.testing.assert_array_equal(out.get(), np.where(condition, a, b).astype("float32"))


STRIDED = {"turned": lambda x: x.swapaxes(0, 1), "every second": lambda x: x[..., ::2], "half": lambda x: x[..., :4],
           "backwards": lambda x: x[::-1], "broadcast": lambda x: x[:1, :, :1]}


@pytest.mark.parametrize("first", STRIDED)
@pytest.mark.parametrize("second", [None, *STRIDED])
def test_operands_of_any_strides(cuda, first, second):
    """Read where they lie: a product, a comparison, a choice and a cast."""
    x, y = numbers(0, 6, 6, 8), numbers(1, 6, 6, 8)
    views = [STRIDED[first], STRIDED[second] if second else lambda x: x]
    if {first, second} & {"every second", "half"} and "broadcast" not in (first, second):
        views = views[:1] * 2  # shapes that fit
    a, b = (view(each) for view, each in zip(views, (x, y), strict=True))
    given = [view(cuda(each)) for view, each in zip(views, (x, y), strict=True)]
    for operation, dtype, expected in ((mul_op, "float32", a * b), (lt_op, "bool", a < b)):
        out = cuda.empty(expected.shape, dtype)
        assert operation.op.launch(cuda, out, *given) is not NotImplemented
        np.testing.assert_array_equal(out.get(), expected)
    out = cuda.empty(expected.shape, "float32")
    condition = cuda(np.ascontiguousarray(expected.swapaxes(0, 2))).swapaxes(0, 2)
    assert pointwise.where(cuda, out, condition, given[0], 2.5) is not NotImplemented
    np.testing.assert_array_equal(out.get(), np.where(expected, a, np.float32(2.5)))
    out = cuda.empty(a.shape, "float64")
    assert pointwise.cast(cuda, out, given[0], dtype=out.dtype) is not NotImplemented
    np.testing.assert_array_equal(out.get(), a)
    out = cuda.empty(a.shape, "float32")
    assert neg_op.op.launch(cuda, out, given[0]) is not NotImplemented
    np.testing.assert_array_equal(out.get(), -a)


def test_a_result_in_its_operand_s_memory(cuda):
    x = cuda(numbers(0, 7, 7))
    for operand in (lambda x: x.T, lambda x: x[:1], lambda x: x[:, :1]):
        expected = x.get() + operand(x.get())
        add_op.op.launch(cuda, x, x, operand(x))
        np.testing.assert_array_equal(x.get(), expected)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32", "bool"])
def test_whole_numbers(cuda, dtype):
    """As NumPy, for arrays of one shape, beside a number, broadcast and strided."""
    rng, limits = np.random.default_rng(0), (0, 2) if dtype == "bool" else (0, 250) if dtype == "uint8" else (-99, 99)
    x, y = (rng.integers(*limits, (6, 8)).astype(dtype) for _ in range(2))
    names = [*pointwise.COMPARISONS, "bitwise_and", "bitwise_or", "bitwise_xor", "add", "mul", "maximum", "minimum"]
    if dtype != "bool":
        names += ["sub", "bitwise_left_shift", "bitwise_right_shift", "floor_divide", "remainder", "gcd",
                  "lcm"]
    for name in names:
        operation, function = OPS[f"{name}_op"].op, getattr(np, NUMPYS.get(name, name.replace("bitwise_l", "l").replace(
            "bitwise_r", "r")))
        z = y % 9 + 1 if name in ("floor_divide", "remainder", "bitwise_left_shift", "bitwise_right_shift") else y
        z = z.astype(dtype)
        number = bool(z[0, 0]) if dtype == "bool" else int(z[0, 0])
        for a, b in ((x, z), (x, number), (x, z[:1]), (x.T, z.T), (x[:, ::2], z[:, ::2])):
            expected = function(a, b)
            out = cuda.empty(expected.shape, expected.dtype)
            given = [cuda(each) if isinstance(each, np.ndarray) else each for each in (a, b)]
            assert operation.launch(cuda, out, *given) is not NotImplemented, name
            np.testing.assert_array_equal(out.get(), expected, name)


OPS = vars(conditions) | vars(bits) | vars(arithmetic) | vars(divisors)
NUMPYS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
          "mul": "multiply", "sub": "subtract"}


@pytest.mark.parametrize("order", [(1, 0), (2, 0, 1), (0, 3, 1, 2), (4, 2, 0, 3, 1)])
def test_strided_copies(cuda, order):
    x = numbers(0, *(3, 5, 2, 4, 7)[: len(order)])
    for view in (lambda x: x.transpose(order), lambda x: x.transpose(order)[1:, ::2]):
        strided, expected = view(cuda(x)), np.ascontiguousarray(view(x))
        out = cuda.empty(expected.shape, "float32")
        assert pointwise.clone(cuda, out, strided) is not NotImplemented
        np.testing.assert_array_equal(out.get(), expected)


def test_divisors():
    random = np.random.default_rng(0)
    for d in (1, 2, 3, 7, 640, 641, 2**16 + 1, 2**30, 2**31 - 1, *map(int, random.integers(1, 2**31, 50))):
        factor, shift = factor_of(d)
        assert factor < 2**32
        for i in {0, d - 1, d, 2**31 - 1, *map(int, random.integers(0, 2**31, 20))}:
            assert ((i * factor >> 32) + i) >> shift == i // d


def test_sums(cuda):
    """In float32, as the half types' own sums are formed."""
    x, y = numbers(1, 999, dtype="float16"), numbers(2, 999, dtype="float16")
    np.testing.assert_array_equal(launch(cuda, add_op, (999,), "float16", x, y), x + y)


@pytest.mark.parametrize("dim, widths", [(0, (3, 1, 4)), (1, (2, 0, 5)), (2, (4, 8)), (2, (1, 2, 3))])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
def test_arrays_side_by_side(cuda, dim, widths, dtype):
    parts = []
    for i, width in enumerate(widths):
        shape = [3, 5, 8]
        shape[dim] = width
        parts.append((10 * numbers(i, *shape)).astype(dtype))
    expected = np.concatenate(parts, dim)
    out = cuda.empty(expected.shape, dtype)
    assert join_launch.cat(cuda, out, *map(cuda, parts), dim=dim) is not NotImplemented
    np.testing.assert_array_equal(out.get(), expected)


@pytest.mark.parametrize("key, runs", [(np.s_[:, :, 2:6], True), (np.s_[1:3], True), (np.s_[:, 4], True),
                                       (np.s_[..., 7], True), (np.s_[::2], True),
                                       (np.s_[:, 1:3, 2:4], False), (np.s_[::-1], False)])
def test_the_gradient_of_a_slice(cuda, key, runs):
    x = np.zeros((4, 5, 8), "float32")
    x[key] = g = numbers(0, *x[key].shape)
    operation = type("View", (), {"body": staticmethod(lambda xp, x, key: x[key])})
    out = cuda.empty(x.shape, "float32")
    run = join_launch._run_of(x.shape, operation, {"key": key})
    assert (run is not None) == runs
    if runs:
        before, length, after = (4 * n for n in run)
        join_launch.joined(cuda, out, [(None, before), (cuda(g), length), (None, after)])
        np.testing.assert_array_equal(out.get(), x)
