"""A recorded training step of each of the five networks is the eager one, bit for bit, on the simulated GPU."""

import pytest

import gpunet
from tests.networks.training_steps import NETWORKS, training_step


def losses(name, compiled):
    gpunet.manual_seed(0)
    step = training_step(name, "sim")
    step = gpunet.compile(step) if compiled else step
    return [step().item() for _ in range(4)]  # one to warm up, one that is recorded, two replays


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == "mlp" else pytest.mark.slow)
                                  for name in NETWORKS])
def test_replays_are_eager_steps(name):
    found = losses(name, True)
    assert found == losses(name, False)
    assert len(set(found)) == 4  # it learns
