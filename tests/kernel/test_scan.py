"""Scans along and across memory on the simulator, in both directions, against NumPy in float64."""

import numpy as np
import pytest
from test_norm import BFLOAT16

from gpunet.ops import scan_launch
from gpunet.ops.scan_launch import scan

TOLERANCE = {"float64": 1e-13, "float32": 2e-6, "float16": 2e-3, "bfloat16": 1e-2}
TYPES = ["float32", "float64", "float16", BFLOAT16]
# Eight lanes, a warp, a block and several of them, in whole packs and not; columns in one range and in several.
SHAPES = [((7,), 0), ((300, 30), 1), ((9, 104), 1), ((5, 600), 1), ((2, 2056), 1), ((3, 4099), 1), ((33000,), 0),
          ((4, 50, 3), 1), ((2, 20000, 2), 1), ((3, 31, 40), 1), ((2, 1500, 17), 1)]


def values(shape, dtype, seed=0):
    return np.random.default_rng(seed).uniform(0.9, 1.1, shape).astype(dtype)


def recurrence(a, b, axis):
    a, s = (np.moveaxis(each, axis, 0).copy() for each in (a, b))
    for i in range(1, len(s)):
        s[i] += a[i] * s[i - 1]
    return np.moveaxis(s, 0, axis)


EXACT = {"Sum": np.cumsum, "Product": np.cumprod,
         "LogSumExp": lambda x, axis: np.logaddexp.accumulate(x, axis)}


def near(found, exact, dtype, size):
    found, scale = found.get().astype(float), np.maximum(np.abs(exact), 1e-3)
    assert (np.abs(found - exact) / scale).max() <= TOLERANCE[np.dtype(dtype).name] * max(4, size / 500)


@pytest.mark.parametrize("dtype", TYPES, ids=lambda each: np.dtype(each).name)
@pytest.mark.parametrize("shape, dim", SHAPES, ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_scans(cuda, shape, dim, dtype, reverse):
    x, factors = values(shape, dtype) * np.asarray(0.5, dtype), values(shape, dtype, 1) - np.asarray(0.05, dtype)
    turn = (lambda array: np.flip(array, dim)) if reverse else lambda array: array
    for function in ("Sum", "Product", "LogSumExp", "Recurrence"):
        out, given = cuda.empty(shape, dtype), x
        if function == "Product":
            given = (1 + (x.astype(float) - 0.5) / 64).astype(dtype)
        by = cuda(factors) if function == "Recurrence" else None
        done = scan(cuda, out, cuda(given), dim, function, reverse, by)
        assert (done is NotImplemented) == (reverse and function in ("Product", "LogSumExp"))  # no gradient needs these
        if done is NotImplemented:
            continue
        wide, along = turn(given.astype(float)), turn(factors.astype(float))
        exact = recurrence(along, wide, dim) if by is not None else EXACT[function](wide, axis=dim)
        near(out, turn(exact), dtype, shape[dim])
        again = cuda.empty(shape, dtype)
        scan(cuda, again, cuda(given), dim, function, reverse, by)
        np.testing.assert_array_equal(again.get(), out.get())


def test_what_the_shapes_are_made_for():
    def lanes(shape, pack):
        return 8 if shape[-1] <= 32 and pack == 1 else 32 if shape[-1] <= 512 * pack else 0

    assert [lanes(shape, 1) for shape, _ in SHAPES[:6]] == [8, 8, 32, 0, 0, 0] and lanes(SHAPES[2][0], 4) == 32
    assert 33000 // scan_launch._LEAST > 1 and 20000 // scan_launch._LEAST > 1 and 1500 // scan_launch._LEAST_ACROSS > 1


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
@pytest.mark.parametrize("shape, dim", [((3, 70), 1), ((3, 7, 20), 1), ((20000,), 0)], ids=str)
def test_integers(cuda, shape, dim, dtype):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    for function, exact in (("Sum", np.cumsum), ("Product", np.cumprod)):
        out = cuda.empty(shape, "int64")
        assert scan(cuda, out, cuda(x), dim, function) is not NotImplemented
        np.testing.assert_array_equal(out.get(), exact(x, axis=dim, dtype="int64"))


def test_infinities_and_nan(cuda):
    inf, nan = np.inf, np.nan
    rows = np.array([[-inf, -inf, 1, inf, 2], [1, nan, 2, inf, 3], [800, -800, 800, -inf, 0],
                     [inf, -inf, 0, 1, 2]], "f4")
    for function, exact in EXACT.items():
        out = cuda.empty(rows.shape, "f4")
        with np.errstate(all="ignore"):
            expected = exact(rows.astype(float), axis=1).astype("f4")
        scan(cuda, out, cuda(rows), 1, function)
        np.testing.assert_allclose(out.get(), expected, rtol=1e-6)


def test_what_is_left_to_the_body(cuda):
    for x in (cuda.empty((3, 0), "f4"), cuda.empty((3, 4), "int8"), cuda.empty((3, 4), "complex64")):
        assert scan(cuda, cuda.empty(x.shape, x.dtype), x, 1, "Sum") is NotImplemented
