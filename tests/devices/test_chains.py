"""Chains of element-wise calls in a recording: one generated kernel with the same bits, which the checker passes."""

import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import sim
from gpunet.devices.chains import Chain
from tests.recorded import replayed_calls


def launches(step, *arguments, chains=None):
    """A compiled step's results in three calls, of which the last is a replay, and the names of what it replays.
    chains: a list for the chains among these."""
    results, calls = replayed_calls(step, *arguments)
    if chains is not None:
        chains.extend(call[0] for call in calls if isinstance(call[0], Chain))
    return results, [call[0].name for call in calls]


@pytest.fixture
def tensors():
    gpunet.manual_seed(0)
    return lambda dtype: [gpunet.randn(37, 5, device="sim").to(dtype) for _ in range(2)]


@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.bfloat16])
def test_a_chain_has_the_bits_of_its_calls(tensors, dtype):
    def step(x, y):
        z = F.gelu(x * y + 0.5) * 2 - y
        z.mul_(y)  # over what the calls before have written
        return z.relu() + x

    (first, _, replayed), names = launches(step, *tensors(dtype))
    assert (first == replayed).all()
    assert names == ["chain of mul, add, gelu, mul, sub, mul, relu, add"]


def test_what_is_not_alike_ends_a_chain(tensors):
    def step(x, y):
        a = x + y
        b = a * y.sum()  # broadcast
        c = b[1:] - 1  # another shape
        return (c * 2).exp()

    (first, _, replayed), names = launches(step, *tensors(gpunet.float32))
    assert (first == replayed).all()
    assert names == ["add", "sum", "mul", "chain of sub, mul, exp"]


def test_overlapping_memory_is_no_chain(tensors):
    def step(x, y):
        x[1:].copy_(x[:-1] + 1)
        left, right = y.reshape(-1)[:100], y.reshape(-1)[50:150]
        left.add_(1)
        right.mul_(2)
        return y + 0

    x, y = tensors(gpunet.float32)
    expected = step(x.clone(), y.clone())
    _, names = launches(step, x.clone(), y.clone())
    assert not any("add, mul" in name for name in names)
    compiled = gpunet.compile(step)
    for _ in range(3):
        found = compiled(x.clone(), y.clone())
        assert (found == expected).all()


def test_the_checker_finds_nothing(tensors):
    step = gpunet.compile(lambda x, y: (x + y).sigmoid() * y)
    x, y = tensors(gpunet.float32)
    with sim.checked() as findings:
        for _ in range(3):
            step(x, y)
    assert not findings


def test_what_nobody_else_sees_is_not_written(tensors):
    """A chain's kernel has as parameters what it reads from outside, and results that are seen outside of it."""
    held = []

    def step(x, y):
        held[:] = [x * y]  # seen by the list
        z = (held[0] + y) * 3  # the sum by nobody
        return z.relu(), (z * 2).sum()  # z by two calls of the chain, the product by the sum after it

    arguments, found = tensors(gpunet.float32), []
    (first, _, replayed), names = launches(step, *arguments, chains=found)
    assert names == ["chain of mul, add, mul, relu, mul", "sum"]
    assert all((one == other).all() for one, other in zip(first, replayed, strict=True))
    assert (held[0] == arguments[0] * arguments[1]).all()
    assert len(found[0].outs) == 3 and len(found[0].arrays) == 5
