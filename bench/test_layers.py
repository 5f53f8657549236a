"""Image layers on the CPU, forward and backward: see layers.py."""

import pytest

from bench import layers
from bench.measure import host_clock


@pytest.mark.parametrize("name", layers.LAYERS)
def test_layer(name, race, quick):
    works, amounts = layers.works(name, quick)
    race("image layers, forward and backward", name, works, host_clock, amounts=amounts)
