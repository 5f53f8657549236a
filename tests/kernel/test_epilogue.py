"""What follows a product or a convolution in the same launch: near to float64, with the bits of separate kernels."""

import math
from itertools import product as combinations

import ml_dtypes
import numpy as np
import pytest

import gpunet
from gpunet._channels_last import as_rows, from_rows
from gpunet.ops import conv as convolutions
from gpunet.ops import matmul_launch
from gpunet.ops.arithmetic import add_op
from gpunet.ops.epilogue import GELU, GELU_TANH, NONE, OPS, RELU, SILU
from gpunet.ops.linear_epilogue import linear_with
from gpunet.ops.matmul import _described
from gpunet.ops.matmul_launch import product
from gpunet.ops.running_norm import running_norm
from gpunet.ops.windows import windows

BFLOAT16, FLOAT16 = np.dtype(ml_dtypes.bfloat16), np.dtype("float16")
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}
EXACT = {
    NONE: lambda x: x, RELU: lambda x: np.maximum(x, 0),
    GELU: lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    GELU_TANH: lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    SILU: lambda x: x / (1 + np.exp(-x))}

# m, n, k, multiprocessors: the large tile and the medium one at edges, in rows of whole packs and not; the smallest,
# whose warps share k; and blocks that share k.
SIZES = {"float32, wide": [(130, 261, 9, 1)],
         "float32": [(65, 67, 31, 3), (131, 140, 17, 1), (33, 20, 40, 10_000), (5, 6, 1100, 4)],
         "tf32": [(136, 72, 40, 1), (72, 83, 24, 1000), (5, 6, 8200, 4)],
         "half": [(136, 72, 40, 1), (72, 80, 24, 1000), (9, 67, 133, 4), (5, 6, 8200, 4)],
         "any": [(65, 67, 31, 4)]}
PRODUCTS = [
    *[("float32", np.dtype("float32"), 80, size) for size in SIZES["float32"]],
    *[("float32, wide", np.dtype("float32"), 90, size) for size in SIZES["float32, wide"]],
    *[("tf32", np.dtype("float32"), 80, size) for size in SIZES["tf32"]],
    ("3xTF32", np.dtype("float32"), 90, SIZES["tf32"][1]),
    *[(kind.name, kind, 80, size) for kind in (BFLOAT16, FLOAT16) for size in SIZES["half"]],
    ("bfloat16 before 8.0", BFLOAT16, 75, SIZES["any"][0]), ("float64", np.dtype("float64"), 80, SIZES["any"][0])]


def numbers(shape, kind, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(kind)


def separately(cuda, out, onto, activation):
    """What separate kernels make of a result: the value before the activation, and the one after it."""
    if onto is not None:
        added = cuda.empty(out.shape, out.dtype)
        add_op.op.launch(cuda, added, out, onto)
        out = added
    if activation == NONE:
        return out, out
    result = cuda.empty(out.shape, out.dtype)
    OPS[activation].op.launch(cuda, result, out)
    return out, result


def poisoned(cuda, shape, kind):
    out = cuda.empty(shape, kind)
    out.fill(77)
    return out


def near(found, exact, tolerance):
    found = found.get().astype(float)
    assert np.linalg.norm(found - exact) <= tolerance * np.linalg.norm(exact)


@pytest.mark.parametrize("name, kind, capability, size", [
    pytest.param(*case, marks=pytest.mark.slow if i else (), id=f"{case[0]} {case[3]}")
    for i, case in enumerate(PRODUCTS)])
@pytest.mark.parametrize("ta, tb", [(False, True), pytest.param(True, False, marks=pytest.mark.slow)])
def test_products(cuda, monkeypatch, name, kind, capability, size, ta, tb):
    m, n, k, sm_count = size
    cuda = cuda.sized(sm_count)
    monkeypatch.setattr(cuda, "capability", capability)
    monkeypatch.setattr(cuda, "tf32", name == "tf32")
    monkeypatch.setattr(cuda, "tf32x3", name == "3xTF32")
    monkeypatch.setattr(matmul_launch, "wide_pays", lambda cuda, x: name == "float32, wide")
    a, b = numbers((k, m) if ta else (m, k), kind, 0), numbers((n, k) if tb else (k, n), kind, 1)
    bias, onto = numbers(n, kind, 2), numbers((m, n), kind, 3)
    given, bias_given = cuda(onto), cuda(bias)
    x, y = ((each.T if turned else each).astype(float) for each, turned in ((a, ta), (b, tb)))
    sums, tolerance = x @ y + bias.astype(float), TOLERANCE["float16" if name == "tf32" else kind.name]
    factors = cuda(a), cuda(b), ta, tb

    def run(**more):
        out = poisoned(cuda, (m, n), kind)
        product(cuda, _described(cuda, out, factors)._replace(out=out, bias=bias_given, **more))
        return out

    plain = run()
    near(plain, sums, tolerance)
    for activation in EXACT if kind.itemsize < 8 else (NONE, RELU):
        for there, keeps in combinations((None, given), (False, True)):
            kept = poisoned(cuda, (m, n), kind) if keeps else None
            out = run(onto=there, activation=activation, kept=kept)
            before, after = separately(cuda, plain, there, activation)
            np.testing.assert_array_equal(out.get(), after.get())
            near(out, EXACT[activation](sums if there is None else sums + onto.astype(float)), tolerance)
            if keeps:
                np.testing.assert_array_equal(kept.get(), before.get())


@pytest.mark.parametrize("kind", [np.dtype("float32"), pytest.param(BFLOAT16, marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("left, right", [((3, 5, 7), (3, 7, 9)), ((3, 5, 7), (7, 9)), ((2, 1, 5, 8), (1, 3, 8, 4))])
def test_batches(cuda, kind, left, right):
    a, b = numbers(left, kind, 0), numbers(right, kind, 1)
    exact = np.matmul(a.astype(float), b.astype(float))
    onto, kept, out = numbers(exact.shape, kind, 2), *(poisoned(cuda, exact.shape, kind) for _ in range(2))
    product(cuda, _described(cuda, out, (cuda(a), cuda(b), False, False), cuda(onto))._replace(
        activation=GELU, kept=kept))
    exact = exact + onto.astype(float)
    near(kept, exact, TOLERANCE[kind.name])
    near(out, EXACT[GELU](exact), TOLERANCE[kind.name])


@pytest.mark.parametrize("activation", [NONE, RELU, GELU])
def test_biases_and_residuals_of_any_strides(cuda, activation):
    """They are read along memory, so that views of other arrays are copied first."""
    x, weight, biases, onto = (gpunet.randn(*shape, device=cuda.name) for shape in ((5, 7), (9, 7), (9, 3), (9, 5)))
    for bias, residual in ((biases[:, 1], None), (biases[:, 1], onto.t()), (None, onto.t())):
        expected = linear_with(x, weight, None if bias is None else bias.contiguous(), activation,
                               None if residual is None else residual.contiguous())
        assert (linear_with(x, weight, bias, activation, residual) == expected).all()


def test_nan_goes_through_every_activation(cuda):
    x = np.array([[np.nan, 1.0]], np.float32)
    for activation in EXACT:
        out = cuda.empty((1, 3), x.dtype)
        factors = cuda(x), cuda(np.ones((2, 3), np.float32)), False, False
        product(cuda, _described(cuda, out, factors)._replace(activation=activation))
        assert np.isnan(out.get()).all()


# images, features, channels, groups, size, kernel, stride, padding, dilation, multiprocessors: both tiles, planes of
# whole chunks and not, groups, filters of one channel each, one dimension.
CONVOLUTIONS = [(2, 70, 16, 1, (4, 6), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
                (2, 6, 4, 2, (11, 9), (3, 2), (3, 2), ((2, 2), (1, 1)), (2, 3), 10_000),
                (2, 132, 3, 1, (5, 8), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
                (2, 6, 3, 3, (9, 10), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 4),
                (2, 4, 6, 2, (12,), (3,), (2,), ((1, 1),), (2,), 4)]


@pytest.mark.parametrize("case", [pytest.param(case, marks=pytest.mark.slow if i else ())
                                  for i, case in enumerate(CONVOLUTIONS)], ids=str)
@pytest.mark.parametrize("kind, tf32", [
    (np.dtype("float32"), False), *(pytest.param(*each, marks=pytest.mark.slow) for each in (
        (np.dtype("float32"), True), (BFLOAT16, False), (FLOAT16, False), (np.dtype("float64"), False)))], ids=str)
def test_convolutions(cuda, monkeypatch, case, kind, tf32):
    images, features, channels, groups, size, kernel, stride, padding, dilation, sm_count = case
    at, cuda = windows(size, kernel, stride, padding, dilation), cuda.sized(sm_count)
    monkeypatch.setattr(cuda, "tf32", tf32)
    shape = images, features, *at.out
    arrays = (cuda(numbers(shape, kind, i)) for i, shape in enumerate([
        (images, channels, *size), (features, channels // groups, *kernel), (features,)]))
    x, w, bias = arrays
    onto = numbers(shape, kind, 3)
    vectors = [np.random.default_rng(i).uniform(0.5, 2, features).astype(kind) for i in range(4)]
    options, launch = dict(at=at, groups=groups), convolutions.conv_epilogue.op.launch
    plain, normed = (poisoned(cuda, shape, kind) for _ in range(2))
    convolutions.conv.op.launch(cuda, plain, x, w, bias, **options)
    norms = {False: [None] * 4, True: [cuda(each) for each in vectors]}
    assert running_norm.op.launch(cuda, normed, plain, *norms[True], eps=1e-3) is not NotImplemented
    mean, variance, scale, shift = (each.astype(float).reshape(-1, *[1] * len(size)) for each in vectors)
    near(normed, (plain.get().astype(float) - mean) / np.sqrt(variance + 1e-3) * scale + shift, TOLERANCE[kind.name])
    for activation in EXACT if kind.itemsize < 8 else (NONE, RELU):
        for norm, there in combinations((False, True), (None, cuda(onto))):
            out = poisoned(cuda, shape, kind)
            launch(cuda, out, x, w, bias, *norms[norm], there, eps=1e-3, activation=activation, **options)
            first = normed if norm else plain
            np.testing.assert_array_equal(out.get(), separately(cuda, first, there, activation)[1].get())
            exact = first.get().astype(float) + (0 if there is None else onto.astype(float))
            near(out, EXACT[activation](exact), TOLERANCE[kind.name])


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("capability", [80, 70], ids=["tensor cores", "multiply-adds"])
@pytest.mark.parametrize("dtype", [BFLOAT16, FLOAT16], ids=str)
def test_vectors_of_float32_after_half_types(cuda, monkeypatch, case, capability, dtype):
    """The bits of the norm's own kernel, in planes and in channels last."""
    images, features, channels, groups, size, kernel, stride, padding, dilation, sm_count = case
    at, cuda = windows(size, kernel, stride, padding, dilation), cuda.sized(sm_count)
    monkeypatch.setattr(cuda, "capability", capability)
    shape = images, features, *at.out
    arrays = [cuda(numbers(shape, dtype, i)) for i, shape in enumerate([
        (images, channels, *size), (features, channels // groups, *kernel), (features,)])]
    vectors = [cuda(np.random.default_rng(i).uniform(0.5, 2, features).astype("f4")) for i in range(4)]
    for turned in (False, True) if len(size) == 2 else (False,):
        def placed(array, turned=turned):
            return from_rows(cuda(np.ascontiguousarray(as_rows(array.get())))) if turned and array.ndim == 4 else array

        operands, options = [placed(each) for each in arrays], dict(at=at, groups=groups)
        plain, out = (placed(poisoned(cuda, shape, dtype)) for _ in range(2))
        convolutions.conv.op.launch(cuda, plain, *operands, **options)
        normed = poisoned(cuda, shape, dtype)
        running_norm.op.launch(cuda, normed, cuda(plain.get()), *vectors, eps=1e-3)
        convolutions.conv_epilogue.op.launch(cuda, out, *operands, *vectors, None, eps=1e-3, activation=RELU, **options)
        np.testing.assert_array_equal(out.get(), separately(cuda, normed, None, RELU)[1].get())


@pytest.mark.parametrize("shape", [(3, 5, 4, 8), (3, 5, 7, 7), (6, 5), (2, 5, 9)])
@pytest.mark.parametrize("dtype, of_vectors", [("float32", "float32"), ("float64", "float64"), (BFLOAT16, BFLOAT16),
                                               (BFLOAT16, "float32")], ids=str)
def test_a_norm_by_running_statistics(cuda, shape, dtype, of_vectors):
    """Planes of whole packs and not; without scale and shift; and what follows it."""
    x, onto = (numbers(shape, dtype, i) for i in range(2))
    vectors = [np.random.default_rng(i).uniform(0.5, 2, 5).astype(of_vectors) for i in range(4)]
    mean, variance, scale, shift = (each.astype(float).reshape(-1, *[1] * (len(shape) - 2)) for each in vectors)
    tolerance = TOLERANCE[x.dtype.name]
    exact = (x.astype(float) - mean) / np.sqrt(variance + 1e-3)
    out = cuda.empty(shape, x.dtype)
    running_norm.op.launch(cuda, out, cuda(x), *map(cuda, vectors[:2]), None, None, eps=1e-3)
    near(out, exact, tolerance)
    running_norm.op.launch(cuda, out, cuda(x), *map(cuda, vectors), eps=1e-3)
    near(out, exact * scale + shift, tolerance)
