"""Image layers on the CPU, forward and backward: see layers.py."""

import pytest

from bench import layers
from bench.measure import host_clock


@pytest.mark.parametrize("name", layers.LAYERS)
def test_layer(name, race, quick):
    works, amounts = layers.works(name, quick)
    race(layers.group_of(amounts), name, works, host_clock, amounts=amounts)
