"""Sorting, storing and reducing at places that an index names, on the simulator and on a GPU where there is one."""

import ml_dtypes
import numpy as np
import pytest

import gpunet
from gpunet.devices.errors import OutOfRange
from gpunet.ops import keyed
from gpunet.ops.index import put_add, put_op, put_reduce, put_sum, take_op
from gpunet.ops.keys import ALL, Key, along

ROWS = Key((0,))


@pytest.mark.parametrize("size, limit", [(1, 1), (7, 3), (2048, 16), (2049, 17), (5000, 1), (6000, 300), (4500, 10**6)])
def test_sorting_is_stable(cuda, size, limit):
    keys = np.random.default_rng(size).integers(0, limit, size)
    keys_sorted, order = keyed.sort(cuda, cuda(keys), limit)
    expected = np.argsort(keys, kind="stable")
    np.testing.assert_array_equal(order.get(), expected)
    np.testing.assert_array_equal(keys_sorted.get(), keys[expected])


# Places of one key in no piece's middle, whole pieces, several pieces, and all elements.
KEYS = {"few": ([3, 1, 3], 5), "one": ([0] * 300, 1), "pieces": ([0] * 64 + [1] * 64 + [2] * 10, 3),
        "long": ([4] * 10 + [2] * 200 + [7] * 5 + [2] * 50, 9), "random": (None, 40)}


@pytest.mark.parametrize("keys, rows", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int8", "bool"])
@pytest.mark.parametrize("reduce", ["sum", "prod", "amax", "amin"])
def test_reductions(cuda, keys, rows, columns, dtype, reduce):
    if dtype in ("int64", "int8", "bool") and reduce != "sum" or dtype == "float64" and columns == 3:
        pytest.skip("one function for whole numbers, one shape for doubles are enough")
    rng = np.random.default_rng(rows)
    keys = rng.integers(0, rows, 500) if keys is None else np.array(keys)
    numpy_type = np.dtype(getattr(ml_dtypes, dtype, dtype))
    if reduce == "prod":  # exact in every type: signs, and a two for the first key
        value, x = rng.choice([-1.0, 1.0], (len(keys), columns)), rng.choice([1.0, 2.0], (rows, columns))
    else:  # sums of halves are exact as long as they stay small
        value, x = rng.integers(0, 2, (len(keys), columns)) / 2, rng.integers(-3, 3, (rows, columns)) / 2
    if numpy_type.kind in "ib":
        value, x = value * 2, x * 2
    value, x = value.astype(numpy_type), x.astype(numpy_type)
    expected = x.astype(float if numpy_type.kind != "b" else bool)
    function = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[reduce]
    function.at(expected, keys, value.astype(expected.dtype))
    out, index = cuda.empty(x.shape, numpy_type), cuda(keys)
    operation = put_add if reduce == "sum" else put_reduce
    attrs = {} if reduce == "sum" else {"reduce": reduce}
    operation.op.launch(cuda, out, cuda(x), cuda(value), index, key=ROWS, **attrs)
    # Through int64, in which int8 wraps around as the kernel does.
    expected = expected.astype(np.int64 if numpy_type.kind == "i" else expected.dtype).astype(numpy_type)
    np.testing.assert_array_equal(out.get().astype(float), expected.astype(float))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bool", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(5, 3), (7, 16), (4, 2, 5)])
@pytest.mark.parametrize("index", ["int64", "int32"])
def test_rows_are_taken_by_units_of_any_size(cuda, shape, dtype, index):
    rng = np.random.default_rng(0)
    x, rows = rng.integers(0, 2, shape).astype(dtype), rng.integers(-shape[0], shape[0], (3, 11)).astype(index)
    out = cuda.empty((3, 11, *shape[1:]), dtype)
    take_op.op.launch(cuda, out, cuda(x), cuda(rows), key=ROWS)
    np.testing.assert_array_equal(out.get(), x[rows])


@pytest.mark.parametrize("rows, columns, count", [(1, 1, 1), (3, 130, 70), (40, 5, 100), (9, 300, 33)])
@pytest.mark.parametrize("index", ["int64", "int32"])
def test_few_rows_are_summed_in_the_order_in_which_they_are_given(cuda, rows, columns, count, index):
    rng = np.random.default_rng(0)
    given, keys = rng.standard_normal((count, columns)).astype(np.float32), rng.integers(-rows, rows, count)
    out, expected = cuda.empty((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    put_sum.op.launch(cuda, out, cuda(given), cuda(keys.astype(index)), key=ROWS, shape=out.shape)
    np.add.at(expected, keys, given)
    np.testing.assert_array_equal(out.get(), expected)


def test_nan_wins(cuda):
    out = cuda.empty((2,), np.dtype("float32"))
    value = cuda(np.array([1, np.nan, 3, 4], np.float32))
    for reduce in ("amax", "amin"):
        put_reduce.op.launch(cuda, out, cuda(np.zeros(2, np.float32)), value, cuda(np.array([0, 0, 0, 1])), key=ROWS,
                             reduce=reduce)
        assert np.isnan(out.get()[0]) and not np.isnan(out.get()[1])


@pytest.mark.parametrize("columns", [1, 5])
def test_the_last_value_stays(cuda, columns):
    rng = np.random.default_rng(0)
    keys, value = rng.integers(-7, 7, 200), rng.standard_normal((200, columns)).astype(np.float32)
    out, x = cuda.empty((7, columns), value.dtype), np.ones((7, columns), np.float32)
    put_op.op.launch(cuda, out, cuda(x), cuda(value), cuda(keys), key=ROWS)
    x[keys] = value
    np.testing.assert_array_equal(out.get(), x)


def test_keys_of_every_form(cuda):
    """Index arrays side by side, apart, behind other dimensions, and one along a dimension."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4, 5, 6)).astype(np.float32)
    one, two = rng.integers(-4, 4, (3, 1)), rng.integers(-4, 4, 7)
    for dims, indices in (((0, 2), (one, two)), ((1, 2), (one, two)), ((2,), (two,)), ((0, 1, 2), (one, two, two))):
        key, given = Key(dims), dict(zip(dims, indices, strict=True))
        place = tuple(given.get(dim, ALL) for dim in range(3))
        g = rng.integers(-8, 8, x[place].shape).astype(np.float32)
        out, expected = cuda.empty(x.shape, x.dtype), np.zeros_like(x)
        np.add.at(expected, place, g)
        put_sum.op.launch(cuda, out, cuda(g), *map(cuda, indices), key=key, shape=x.shape)
        np.testing.assert_array_equal(out.get(), expected)
        out = cuda.empty(g.shape, x.dtype)
        take_op.op.launch(cuda, out, cuda(x), *map(cuda, indices), key=key)
        np.testing.assert_array_equal(out.get(), x[place])
    for count in (9, 1):
        index = rng.integers(0, 5, (2, count, 6))
        g = rng.integers(-8, 8, index.shape).astype(np.float32)
        out, expected = cuda.empty(x.shape, x.dtype), np.zeros_like(x)
        np.add.at(expected, (np.arange(2)[:, None, None], index, np.arange(6)), g)
        put_sum.op.launch(cuda, out, cuda(g), cuda(index), key=along(1), shape=x.shape)
        np.testing.assert_array_equal(out.get(), expected)


OUT_OF_RANGE = [("x[k]", 3, [0, 3]), ("x[k]", -4, [0, -4]), ("x.index_select(0, k)", 9, [9]), ("x.take(k)", 7, [7]),
                ("x.gather(0, k)", -1, [-1]), ("x.scatter_add(0, k, x)", 3, [0, 3]), ("x.scatter(0, k, x)", -1, [-1]),
                ("x.index_add(0, k, x[:1])", 5, [5]), ("x.index_select(0, k)", -1, [-1]),
                ("x.index_copy(0, k, x[:2])", -2, [0, -2]), ("x.index_fill(0, k, 1)", -5, [-5])]


@pytest.mark.parametrize("call, value, indices", OUT_OF_RANGE)
def test_out_of_range_is_an_error_everywhere(call, value, indices, device):
    x = gpunet.arange(3.0, device=device)
    sentence = rf"index {value} \(element {len(indices) - 1} of the indices\) is out of range for a dimension of size 3"
    with pytest.raises(OutOfRange, match=sentence):
        eval(call, {"x": x, "k": gpunet.tensor(indices, device=device)})
        gpunet.devices.get(device).synchronize()
    assert (x + 1).tolist() == [1.0, 2.0, 3.0]  # the error is told once
