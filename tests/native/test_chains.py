"""Recorded element-wise calls that are carried out as one chain have the bits of the calls one by one."""

import random

import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet.native import library

N = 3 * 4096 + 5  # three pieces and a rest
UNARY = ("relu", "neg", "abs", "exp", "tanh", "sigmoid", "square", "sqrt")
BINARY = ("add", "sub", "mul", "maximum", "minimum")


def chains(step):
    """(calls, hidden arrays) of each chain of a recorded step; None where ctypes calls the kernels, one by one."""
    (recording,) = step.recordings.values()
    (program,) = (cell.cell_contents for cell in recording.replay.__closure__ if hasattr(cell.cell_contents, "chains"))
    return tuple([chain[1:] for chain in program.chains]) if library.loaded().__name__ == "gpunet_native" else None


def replayed(function, *inputs):
    """The results of a replay, and the step."""
    step = gpunet.compile(function)
    for _ in range(3):
        result = step(*(x.clone() for x in inputs))
    return result, step


def assert_same_bits(ours, right):
    assert [x.numpy().tobytes() for x in ours] == [x.numpy().tobytes() for x in right]


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed, with_threads):
    draw = random.Random(seed)
    lines = [(draw.choice(UNARY + BINARY), draw.random(), draw.random(), draw.choice(["", "", "number", "one"]))
             for _ in range(draw.randrange(2, 12))]
    one = gpunet.tensor([1.5])

    def program(x, y):
        values = [x, y]
        for name, first, second, other in lines:
            p, q = (values[int(place * len(values))] for place in (first, second))
            q = {"": q, "number": 0.75, "one": one}[other] if name in ("add", "sub", "mul") else q
            values.append(getattr(p, name)() if name in UNARY else getattr(p, name)(q))
        return values[-1], values[len(values) // 2] * 1.0

    inputs = gpunet.randn(N), gpunet.randn(N)
    right = program(*inputs)
    result, step = replayed(program, *inputs)
    assert_same_bits(result, right)
    with_threads(lambda: step(*inputs)[0].numpy().copy())


def test_what_nobody_sees_is_not_written():
    def program(x, y):
        return ((x * y + x).tanh() - y).exp()

    inputs = gpunet.randn(N), gpunet.randn(N)
    result, step = replayed(program, *inputs)
    assert_same_bits([result], [program(*inputs)])
    assert chains(step) in (((5, 4),), None)


def test_what_the_caller_keeps_is_written():
    kept = []

    def program(x):
        kept[:] = [x * 2]
        return (kept[0] + 1).exp()

    step = gpunet.compile(program)
    for x in (inputs := [gpunet.randn(N) for _ in range(4)]):
        step(x)
    assert_same_bits(kept, [inputs[-1] * 2])
    assert chains(step) in (((3, 1),), None)


def test_masks_and_choices():
    def program(x, y):
        return gpunet.where((x > y) & (x < 1.0), x.exp(), y * 3)

    inputs = gpunet.randn(N), gpunet.randn(N)
    assert_same_bits([replayed(program, *inputs)[0]], [program(*inputs)])


@pytest.mark.parametrize("shift", [1, 4096, -1, -4096])
def test_shifted_views_keep_their_order(shift):
    def program(x):
        first, second = (x[shift:], x[:-shift]) if shift > 0 else (x[:shift], x[-shift:])
        first.mul_(2.0)
        return second + 1, second.exp().neg()

    x = gpunet.randn(N)
    right = program(x.clone())
    result, _ = replayed(program, x)
    assert_same_bits(result, right)


def test_an_element_of_what_is_written_keeps_its_order():
    def program(x):
        x.mul_(2.0)
        last, first = x[-1:], x[:1]
        return (x + last) * first - last

    x = gpunet.randn(N)
    right = program(x.clone())
    result, _ = replayed(program, x)
    assert_same_bits([result], [right])


def test_a_value_carried_from_step_to_step():
    state, right = gpunet.zeros(N), gpunet.zeros(N)
    step = gpunet.compile(lambda x: state.mul_(0.5).add_(x).clone())
    for _ in range(5):
        x = gpunet.randn(N)
        assert_same_bits([step(x)], [right.mul_(0.5).add_(x)])


def test_a_part_of_a_larger_array_is_written():
    whole = gpunet.zeros(2 * N)

    def program(x):
        gpunet.mul(x, 2, out=whole[:N])
        return (x + 1).exp()

    x = gpunet.randn(N)
    result, _ = replayed(program, x)
    assert_same_bits([result, whole], [(x + 1).exp(), gpunet.cat([x * 2, gpunet.zeros(N)])])


# ---- a matrix product in front ---------------------------------------------------------------------------------------

ROWS, WIDE, DEEP = 700, 96, 40  # several blocks of rows, the last of them small


@pytest.mark.parametrize("rest, hidden", [
    (lambda y, x: y.relu() * 2, 2),                           # the product and the ReLU
    (lambda y, x: F.gelu(y), 1),
    (lambda y, x: (y.exp() + 1, y.sum(0)), 1),                # y is read once more, later
    (lambda y, x: y * y[0], 0),                               # not element by element
    (lambda y, x: y.tanh() - x @ gpunet.ones(DEEP, WIDE), 1),  # a product between: two chains
    (lambda y, x: y.add_(1).sigmoid_() * 1.5, None),
])
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_and_what_follows(rest, hidden, bias, with_threads):
    weight, offset = gpunet.randn(WIDE, DEEP), gpunet.randn(WIDE) if bias else None

    def program(x):
        result = rest(F.linear(x, weight, offset), x)
        return [result] if isinstance(result, gpunet.Tensor) else list(result)

    x = gpunet.randn(7, ROWS // 7, DEEP)
    right = program(x)
    result, step = replayed(program, x)
    assert_same_bits(result, right)
    with_threads(lambda: step(x)[0].numpy().copy())
    if hidden is not None and (found := chains(step)) is not None:
        assert found and sum([unseen for _, unseen in found]) >= hidden or not hidden


@pytest.mark.parametrize("rows", [64, 126, 127, 130, 253, 513])  # a block of few rows would be added up otherwise
def test_rows_that_are_left_over(rows, with_threads):
    weight = gpunet.randn(WIDE, DEEP)
    x = gpunet.randn(rows, DEEP)
    result, step = replayed(lambda x: F.linear(x, weight).tanh(), x)
    assert_same_bits([result], [F.linear(x, weight).tanh()])
    with_threads(lambda: step(x).numpy().copy())


def test_a_link_that_writes_what_the_product_reads():
    weight = gpunet.randn(WIDE, WIDE)

    def program(x):
        y = x @ weight
        return x.copy_(y.tanh()) + 1  # the product reads x while it is computed

    x = gpunet.randn(ROWS, WIDE)
    result, _ = replayed(program, x)
    assert_same_bits([result], [program(x.clone())])


def test_the_gradient_of_a_layer_goes_on_from_the_cache():
    up, down = gpunet.nn.Linear(WIDE, 4 * WIDE), gpunet.nn.Linear(4 * WIDE, WIDE)

    def step(x):
        up.zero_grad()
        down.zero_grad()
        down(F.gelu(up(x))).square().sum().backward()
        return up.weight.grad.clone(), down.bias.grad.clone()

    x = gpunet.randn(ROWS, WIDE)
    right = step(x)
    result, compiled = replayed(step, x)
    assert_same_bits(result, right)
    assert chains(compiled) is None or (2, 1) in chains(compiled)  # the product, which is not written, and gelu_grad
