"""What devices with CUDA kernels do with arrays in channels last: which stay, which are copied, and that values are the
same."""

import numpy as np
import pytest

import gpunet
from gpunet import devices
from gpunet._channels_last import as_rows, is_channels_last, lies_last, order_of
from gpunet.dispatch import op, wrap
from tests.recorded import replayed_calls

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
    "channels": lambda x, y: x * y.flatten(2)[:1, :, 0].reshape(1, -1, *[1] * (x.ndim - 2)),
    "rows": lambda x, y: x * y[0, 0, 0],
    "in place": lambda x, y: x.clone().mul_(y), "addcmul": lambda x, y: x.addcmul(x, y)}


@pytest.mark.parametrize("name", ELEMENT_WISE)
@pytest.mark.parametrize("shape", [SHAPE, (2, 3, 2, 4, 5)], ids=str)
@pytest.mark.parametrize("other", [lambda x: x, last], ids=["rows", "last"])
def test_element_wise_ops_stay_in_channels_last(name, shape, other):
    x, y = drawn(*shape), drawn(*shape, seed=1)
    expected, found = ELEMENT_WISE[name](x, y), ELEMENT_WISE[name](last(x), other(y))
    assert lies_last(found._array) and order_of(expected._array) == "rows"
    np.testing.assert_array_equal(values(found), values(expected))


def test_the_first_operand_of_the_results_size_says_the_format():
    x, y = drawn(*SHAPE), drawn(*SHAPE, seed=1)
    assert order_of((x + last(y))._array) == "rows"
    assert order_of((last(x)[:, :, :1, :1] * y)._array) == "rows"
    assert order_of((x[:, :, :1, :1].expand(SHAPE) * last(y))._array) == "channels last"


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


# ---- recordings ------------------------------------------------------------------------------------------------------


def names(calls):
    return [call[0].name for call in calls]


@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.bfloat16], ids=str)
def test_element_wise_calls_are_chained(dtype):
    def step(x, y):
        z = gpunet.nn.functional.gelu(x * y + 0.5) * 2 - y
        z.mul_(y)
        return z.relu() + x

    x, y = drawn(*SHAPE).to(dtype), drawn(*SHAPE, seed=1).to(dtype)
    results, calls = replayed_calls(step, last(x), last(y), times=4)
    assert names(calls) == ["chain of mul, add, gelu, mul, sub, mul, relu, add"]
    assert len(calls[0][1]) == 1  # what is between the functions stays in registers
    for result in results:
        assert is_channels_last(result._array)
        np.testing.assert_array_equal(result.tolist(), step(x, y).tolist())


def test_what_a_view_shows_is_written():
    def step(x):
        y = x * 2
        shown = y.permute(0, 2, 3, 1)[0]
        z = (y + 1).relu()
        return shown, z

    x = drawn(*SHAPE)
    results, calls = replayed_calls(step, last(x), times=4)
    assert names(calls) == ["chain of mul, add, relu"] and len(calls[0][1]) == 2
    for result in results:
        for found, expected in zip(result, step(x), strict=True):
            np.testing.assert_array_equal(found.tolist(), expected.tolist())


def test_two_formats_are_not_chained():
    def step(x, y):
        return (x * 2 + y) * y

    x, y = drawn(*SHAPE), drawn(*SHAPE, seed=1)
    results, calls = replayed_calls(step, last(x), y, times=4)
    assert names(calls) == ["mul", "add", "mul"]
    for result in results:
        np.testing.assert_array_equal(result.tolist(), step(x, y).tolist())


def test_a_step_is_recorded_for_each_format():
    step = gpunet.compile(lambda x: x + 1)
    x = drawn(*SHAPE)
    for each in (x, last(x), x, last(x), x, last(x)):
        assert order_of(step(each)._array) == order_of(each._array)


def finishing():
    """An op, 2 x, whose launch adds and applies ReLU as well; and what it was asked for."""
    seen = []

    @op(lambda x: (x.shape, x.dtype))
    def double_op(xp, out, x):
        xp.multiply(x, 2, out)

    @double_op.kernel
    def _(cuda, out, x):
        seen.append(None)
        cuda.xp.multiply(as_rows(x), 2, as_rows(out))

    @double_op.channels_last
    def _(cuda, x):
        return True

    @double_op.finishes(keeps=True)
    def _(cuda, out, arrays, attrs, epilogue):
        seen.append((order_of(out), order_of(arrays[0]), order_of(epilogue.onto), epilogue.activation))
        value = arrays[0] * 2 + epilogue.onto
        if epilogue.kept is not None:
            epilogue.kept[...] = value
        out[...] = cuda.xp.maximum(value, 0)

    return double_op, seen


@pytest.mark.parametrize(("of_x", "of_y"), [(last, last), (lambda x: x, lambda x: x), (last, lambda x: x)])
def test_what_follows_a_kernel_is_joined_if_it_lies_alike(of_x, of_y):
    double_op, seen = finishing()
    x, y = drawn(*SHAPE), drawn(*SHAPE, seed=1)
    results, calls = replayed_calls(lambda x, y: (double_op(x) + y).relu(), of_x(x), of_y(y), times=4)
    for result in results:
        np.testing.assert_array_equal(result.tolist(), (2 * x + y).relu().tolist())
    order = order_of(of_x(x)._array)
    if order == order_of(of_y(y)._array):
        assert names(calls) == ["double + add + relu"] and seen[-1] == (order, order, order, "Relu")
    else:
        assert names(calls) == ["double", "add", "relu"]


class Block(gpunet.nn.Module):
    """What a network has: convolutions, norms, a residual, a join of channels, dropout, pooling and a linear layer."""

    def __init__(self, p=0.3):
        super().__init__()
        nn = gpunet.nn
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.second, self.third = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pool, self.dropout, self.last = nn.MaxPool2d(2), nn.Dropout(p), nn.Linear(8 * 3 * 3, 5)

    def forward(self, x):
        x = self.norm(self.first(x)).relu()
        x = (x + self.second(x)).relu()
        x = gpunet.cat([x, self.third(x)], 1)
        x = self.dropout(self.pool(self.depthwise(x)))
        return self.last(x.flatten(1)) + x.mean((2, 3))[:, :5]


@pytest.mark.parametrize("where", ["cpu", "sim"])
@pytest.mark.parametrize("in_last", [(True, True), (True, False), (False, True)], ids=str)
def test_a_network_trains_as_in_rows(where, in_last):
    def trained(of_model, of_x, recorded):
        gpunet.manual_seed(0)
        model = Block().to(where).to(memory_format=gpunet.channels_last if of_model else gpunet.contiguous_format)
        optimizer = gpunet.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

        def step(x):
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        call = gpunet.compile(step) if recorded else step
        losses = []
        for i in range(4):
            x = drawn(2, 3, 6, 6, seed=i).to(where)
            x = x.to(memory_format=gpunet.channels_last if of_x else gpunet.contiguous_format)
            losses.append(call(x).item())
        for p in model.parameters():
            assert order_of(p.grad._array) == order_of(p._array)
        return losses, [p.tolist() for p in model.parameters()]

    expected = trained(False, False, False)
    eager = trained(*in_last, False)
    np.testing.assert_allclose(eager[0], expected[0], rtol=1e-4)
    for found, wanted in zip(eager[1], expected[1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
    assert trained(*in_last, True) == eager  # the same bits


@pytest.mark.parametrize("dim", range(4))
def test_cat_and_its_gradient_stay(dim):
    x, y = drawn(*SHAPE), drawn(*SHAPE, seed=1)
    seen = []
    for form in (lambda each: each, last):
        parts = [form(each).requires_grad_() for each in (x, y)]
        joined = gpunet.cat([part * 2 for part in parts], dim)
        joined.relu().square().sum().backward()
        seen.append([values(each) for each in (joined.detach(), *[part.grad for part in parts])])
    assert order_of(joined._array) == "channels last"
    for found, expected in zip(*seen, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_parts_of_a_tensor_stay():
    x = last(drawn(*SHAPE))
    for part in (x[:, 1:], x[:, :, 1:], x[1:]):
        assert order_of((part * 2)._array) == "channels last"
        np.testing.assert_array_equal((part * 2).tolist(), (part.contiguous() * 2).tolist())
    halves = [half.relu() for half in x.split([1, 2], 1)]
    np.testing.assert_array_equal(gpunet.cat(halves, 1).tolist(), x.relu().tolist())
