"""What runs: the ops that a function calls, and the calls that a recorded step makes of them."""

import gpunet
from gpunet import random
from gpunet.devices import cuda
from gpunet.engine.extensions import extensions


class _Names(list):
    """Stands in for the recorder: carries calls out and lists the ops."""

    def run(self, device, op, outs, arrays, attrs, fresh):
        device.run(op, outs, arrays, attrs)
        self.append(op.name)

    def references(self, array):
        return 0

    def draw(self, generator, device, blocks):
        return random.make_state(device), 0


def ops_called(function):
    with extensions.recording(_Names()) as names:
        function()
    return names


def replayed_calls(step, *arguments, times=3):
    """A compiled step's results in so many calls, of which the last is a replay, and the calls that it replays on a
    device with our CUDA kernels."""
    calls = []

    def noted(*given):
        found = fused(*given)
        calls.extend(found)
        return found

    fused, cuda.fused = cuda.fused, noted
    try:
        compiled = gpunet.compile(step)
        return [compiled(*arguments) for _ in range(times)], calls
    finally:
        cuda.fused = fused
