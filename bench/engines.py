"""The two engines of the device sim beside each other: the C++ one and the one on PTX, on the same arrays.

    python -m bench.engines [--quick] [--out FILE.json]

Rows are launches: the smallest, where the host's time counts, and kernels whose lanes go different ways. The seconds
are the process's own (of all its threads), so that other work on the machine counts little. Goal: no ratio above 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from bench.checker import Launches, ptx_runs
from bench.measure import Result, Work, interleave
from bench.stages import command

_KERNELS = Path(__file__).with_name("divergence.cu")


def process_clock(run: Callable[[], object]) -> float:
    """Seconds of this process's processors."""
    start = process_time()
    run()
    return process_time() - start


def divergent(quick: bool) -> dict[str, tuple[str, tuple, tuple, list]]:
    """By name: a kernel of divergence.cu, its grid and block, its arguments."""
    rng, size = np.random.default_rng(0), 4 if quick else 16
    count = 256 * size
    sorted_list = np.unique(rng.integers(0, 1 << 20, 5000)).astype(np.int32)
    keys = rng.integers(0, 1 << 20, count).astype(np.int32)
    keys[::3] = rng.choice(sorted_list, keys[::3].size)
    lengths = (rng.pareto(1.2, count) * 4).astype(np.int32).clip(0, 300)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    columns = rng.integers(0, count, starts[-1]).astype(np.int32)
    values, x = rng.standard_normal(starts[-1]).astype(np.float32), rng.standard_normal(count).astype(np.float32)
    across = 16 * int(np.sqrt(size))
    whole, floats = np.zeros(count, np.int32), np.zeros(count, np.float32)
    return {
        "mandelbrot": ("mandelbrot", (across // 16, across // 8), (16, 8), [whole, across, across, 200]),
        "collatz": ("collatz", (size,), (256,), [whole, count]),
        "binary search": ("search", (size,), (256,), [whole, keys, sorted_list, count, sorted_list.size]),
        "chains of if and else": ("chain", (size,), (256,), [floats, rng.integers(0, 1 << 31, count).astype(np.uint32),
                                                             count, 100]),
        "rows of a sparse matrix": ("rows", (size,), (256,), [floats, starts, columns, values, x, count]),
    }


def ours(quick: bool) -> dict[str, Callable[[], object]]:
    """Kernels of gpunet's own in which lanes part."""
    import gpunet

    x = gpunet.randn(4 if quick else 16, 1000, device="sim")
    return {"sort, 1000 a row": lambda: gpunet.sort(x), "topk, 5 of 1000": lambda: gpunet.topk(x, 5)}


def engines(function: Any, on_ptx: Any, grid: tuple, block: tuple, args: tuple, shared: int, calls: int
            ) -> dict[str, Work]:
    """The same launch by both."""
    def several(launch):
        def run():
            for _ in range(calls):
                launch(grid, block, args, shared)

        return Work(run, calls)

    return {"C++": several(function), "PTX": several(on_ptx)}


def compare(quick: bool):
    """Rows of seconds of the process. Both engines' results are compared first."""
    from gpunet import ptx, sim
    from gpunet.sim import cupy

    sim.set_num_workers(1)
    rounds = 3 if quick else 15
    for name, (kernel, grid, block, args) in divergent(quick).items():
        given = tuple(cupy.asarray(each) if isinstance(each, np.ndarray) else np.int32(each) for each in args)
        both = sim.load(_KERNELS, kernel), ptx.load(_KERNELS, kernel)
        yield measured("lanes apart", name, *both, grid, block, given, 0, rounds, 1)
    for name, run in ours(quick).items():
        function, grid, block, args, shared = max(Launches.of(run).calls,
                                                  key=lambda each: each[0].name.startswith(("sort", "select")))
        options = tuple(each for each in function.module.options if not each.startswith("-I"))
        yield measured("lanes apart", f"{name} ({function.name})", function, ptx.load(function.file, function.name,
                                                                                     options),
                       grid, block, args, shared, rounds, 1)
    yield from tiny(rounds)


def tiny(rounds: int):
    """Launches so small that the host's time counts."""
    from gpunet import ptx, sim
    from gpunet.kernel import Kernel
    from gpunet.sim import cupy

    class Loads:
        def __init__(self, load):
            self.load = load

    x, bias, out = (cupy.asarray(np.ones(shape, np.float32)) for shape in ((8, 32), (32,), (8, 32)))
    kernel = next(each for each in Kernel.ours if each.name == "bias_relu")
    both = {name: kernel.on(Loads(load), x.dtype, x.dtype, 4) for name, load in (("C++", sim.load), ("PTX", ptx.load))}
    host = [np.ones(shape, np.float32) for shape in ((8, 32), (8, 32), (32,))]

    def several(launch):
        def run():
            for _ in range(1000):
                launch()

        return Work(run, 1000)

    works = {name: several(lambda launch=launch: launch(1, 64, out, x, bias, 256, 32)) for name, launch in both.items()}
    run = both["PTX"].function.kernel
    works["PTX, NumPy arrays"] = several(lambda: run((1,), (64,), (*host, 256, 32)))
    yield Result("tiny launch", "bias and ReLU, 8x32", interleave(works, rounds=rounds, clock=process_clock, warm_up=2))


def measured(group: str, name: str, function: Any, on_ptx: Any, grid: tuple, block: tuple, args: tuple, shared: int,
             rounds: int, calls: int) -> Result:
    """One row. RuntimeError where the engines' results differ."""
    works = engines(function, on_ptx, grid, block, args, shared, calls)
    found = []
    for work in works.values():
        work.run()
        found.append([each.get() for each in args if hasattr(each, "_address")])
    if not all(np.array_equal(*pair, equal_nan=True) for pair in zip(*found, strict=True)):
        raise RuntimeError(f"{name}: the engines' results differ")
    return Result(group, name, interleave(works, rounds=rounds, clock=process_clock, warm_up=1))


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    if not ptx_runs():
        raise RuntimeError("PTX cannot be made and run here: pip install 'gpunet[sim]'")
    for result in compare(options.quick):
        emit(asdict(result))


def main() -> None:
    command("engines", __doc__)


if __name__ == "__main__":
    main()
