"""What devices with CUDA kernels do with arrays in channels last: which stay, which are copied, and that values are the
same."""

import numpy as np
import pytest

import gpunet
from gpunet import devices
from gpunet._channels_last import as_rows, is_channels_last, lies_last, order_of
from gpunet.dispatch import op, wrap

SIM = devices.get("sim")
SHAPE = 2, 3, 4, 5


def last(tensor):
    """The tensor's values in channels last."""
    array = SIM.empty_last(tensor._array.shape, tensor._array.dtype)
    array[...] = tensor._array
    return wrap(array, SIM)


def drawn(*shape, seed=0):
    return gpunet.tensor(np.random.default_rng(seed).normal(size=shape).astype("float32"), device="sim")


def values(tensor):
    return SIM.to_host(tensor._array)


ELEMENT_WISE = {
    "relu": lambda x, y: x.relu(), "add": lambda x, y: x + y, "number": lambda x, y: 2 - x, "sin": lambda x, y: x.sin(),
    "cast": lambda x, y: x.half(), "clone": lambda x, y: x.clone(), "compare": lambda x, y: x > y,
    "where": lambda x, y: gpunet.where(x > 0, x, y), "leaky_relu": lambda x, y: gpunet.nn.functional.leaky_relu(x),
    "clamp": lambda x, y: x.clamp(-0.5, 0.5), "lerp": lambda x, y: x.lerp(y, 0.25),
    "channels": lambda x, y: x * y[:1, :, :1, :1], "rows": lambda x, y: x * y[0, 0, 0],
    "in place": lambda x, y: x.clone().mul_(y), "addcmul": lambda x, y: x.addcmul(x, y)}


@pytest.mark.parametrize("name", ELEMENT_WISE)
@pytest.mark.parametrize("shape", [SHAPE, (2, 3, 2, 4, 5)], ids=str)
@pytest.mark.parametrize("other", [lambda x: x, last], ids=["rows", "last"])
def test_element_wise_ops_stay_in_channels_last(name, shape, other):
    if len(shape) > 4 and name == "channels":
        pytest.skip("an index for 4 dimensions")
    x, y = drawn(*shape), drawn(*shape, seed=1)
    expected, found = ELEMENT_WISE[name](x, y), ELEMENT_WISE[name](last(x), other(y))
    assert lies_last(found._array) and order_of(expected._array) == "rows"
    np.testing.assert_array_equal(values(found), values(expected))


def test_the_first_operand_of_the_results_size_says_the_format():
    x, y = drawn(*SHAPE), drawn(*SHAPE, seed=1)
    assert order_of((x + last(y))._array) == "rows"
    assert order_of((last(x)[:, :, :1, :1] * y)._array) == "rows"


@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (2, 3, 1, 1), (1, 3, 1, 4), (1, 1, 1, 1), (2, 3, 4, 1), (0, 3, 4, 5)],
                         ids=str)
def test_ambiguous_shapes_compute_the_same(shape):
    x, y = drawn(*shape), drawn(*shape, seed=1)
    np.testing.assert_array_equal(values((last(x) * y + last(y)).relu()), values((x * y + y).relu()))


@pytest.mark.parametrize(("shape", "strides", "expected"), [
    ((2, 3, 4, 5), (60, 1, 15, 3), True), ((2, 3, 4, 5), (60, 20, 5, 1), False),
    ((2, 1, 4, 5), (20, 20, 5, 1), False), ((2, 1, 4, 5), (20, 1, 5, 1), True), ((2, 1, 4, 5), (20, 0, 5, 1), False),
    ((2, 3, 1, 1), (3, 1, 1, 1), False), ((2, 3, 1, 1), (3, 1, 3, 3), True), ((1, 1, 1, 1), (1, 1, 1, 1), False),
    ((2, 3, 4, 5), (120, 1, 30, 3), False), ((2, 3, 4), (12, 1, 3), False), ((1, 3, 4, 5), (7, 1, 15, 3), False)])
def test_strides_say_the_format(shape, strides, expected):
    memory = np.zeros(1000, np.float32)
    array = np.lib.stride_tricks.as_strided(memory, shape, [4 * step for step in strides])
    assert is_channels_last(array) is expected


def declared(serves):
    """An op of two arrays whose launch notes how they lie."""
    seen = []

    @op(lambda x, y: (x.shape, x.dtype))
    def twice_op(xp, out, x, y):
        xp.add(x, y, out)

    @twice_op.kernel
    def _(cuda, out, x, y):
        seen.append([order_of(each) for each in (out, x, y)])
        cuda.xp.add(as_rows(x), as_rows(y), as_rows(out))

    if serves is not None:
        twice_op.channels_last(lambda cuda, x, y: serves)
    return twice_op, seen


@pytest.mark.parametrize(("serves", "formats"), [
    (None, ["rows"] * 3), (False, ["rows"] * 3), (True, ["channels last", "channels last", "rows"])])
@pytest.mark.parametrize("recorded", [False, True])
def test_an_op_says_what_it_takes_as_it_lies(serves, formats, recorded):
    operation, seen = declared(serves)
    x, y = drawn(*SHAPE), drawn(*SHAPE, seed=1)
    call = gpunet.compile(operation) if recorded else operation
    for _ in range(3):
        result = call(last(x), y)
        np.testing.assert_array_equal(values(result), values(x + y))
        assert order_of(result._array) == formats[0]
    assert seen == [formats] * 3
    operation(x, y)
    assert seen[-1] == ["rows"] * 3
