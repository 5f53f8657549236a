"""Python overhead per op, and host time per call of a device: see dispatch.py and launch.py."""

import pytest

from bench import dispatch, launch
from bench.measure import host_clock, repeat


@pytest.mark.parametrize("name", dispatch.OPS)
def test_op(name, race, quick):
    functions = dispatch.competitors(*dispatch.OPS[name])
    works = {each: repeat(function, 50 if quick else dispatch.CALLS) for each, function in functions.items()}
    race("op", name, works, host_clock)


@pytest.mark.parametrize("name", dispatch.passes())
def test_forward_and_backward(name, race, quick):
    functions = dispatch.passes()[name]
    works = {each: repeat(function, 5 if quick else 100) for each, function in functions.items()}
    race("pass", name, works, host_clock)


def test_host_time_per_call(lab, race):
    if lab.type == "cpu":
        pytest.skip("there are no launches on the CPU")
    works = launch.works(lab)
    race("host time per call", f"on {lab.type}", works, host_clock, ours="gpunet launch")
