"""What a call costs on the host: a launch by itself, an op, and a replay, against CuPy's and PyTorch's.

The work is tiny and the queue never full, so that the host's time is what is measured. Seconds per call.
"""

from __future__ import annotations

from dataclasses import asdict

import gpunet
from bench.measure import Result, Work, interleave
from gpunet.benchmark.lab import Lab
from gpunet.kernel import Kernel
from gpunet.ops.activation import relu_op
from gpunet.ops.linear import bias_relu

_CALLS = 200  # far fewer than the launches that a GPU's queue holds (1024)


def works(lab: Lab) -> dict[str, Work]:
    """What to time."""
    device, xp = lab.device, lab.xp
    x, bias = gpunet.randn(32, 32, device=device.name), gpunet.randn(32, device=device.name)
    array, out = x._array, lab.empty(32, 32)
    kernel = next(each for each in Kernel.ours if each.name == "bias_relu")
    launch = kernel.on(device, array.dtype, array.dtype, 4)
    replay = lab.ours(bias_relu, [((out,), [array, bias._array])], {}).run
    functions = {
        "gpunet launch": lambda: launch(1, 256, out, array, bias._array, 1024, 32),
        "gpunet op with a kernel": lambda: bias_relu(x, bias),
        "gpunet op without a kernel": lambda: relu_op(x),
        "gpunet replay": replay,
        "CuPy function" if lab.on_gpu else "array function": lambda: xp.maximum(array, 0, out),
    }
    if lab.on_gpu:
        raw = launch.function
        packed = tuple(convert(value) for convert, value in
                       zip(launch._converters, (out, array, bias._array, 1024, 32), strict=True))
        functions["CuPy launch of the same kernel"] = lambda: raw((1,), (256,), packed)
    if lab.torch is not None:
        theirs = lab.to_torch(array)
        functions["PyTorch op"] = lambda: lab.torch.relu(theirs)

    def work(function):
        def run():
            for _ in range(_CALLS):
                function()

        return Work(run, _CALLS, device.synchronize)

    return {name: work(function) for name, function in functions.items()}


def compare(lab: Lab, rounds: int) -> Result:
    """One row of host times."""
    return Result("host time per call", f"on {lab.type}", interleave(works(lab), rounds=rounds, warm_up=2))


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    emit(asdict(compare(Lab(options.device), 5 if options.quick else 25)))
