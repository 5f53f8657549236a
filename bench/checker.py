"""The simulator's speed: launches in fast mode, on all cores and on one, and the same under the checker, which reads
the kernels' source, or their PTX where NVRTC and llvmlite are there; the checkers also by the processors' time, to
which other work on the machine adds less.

    python -m bench.checker [--out FILE.json]

Goals: fast mode within 1.5 times of the seconds beside each row, which were measured on 4 cores with g++ 12; the
checker at most 60 times slower than fast mode, and the one on PTX at most half of its time on the processors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from bench.measure import Result, Work, interleave, repeat
from bench.stages import command, threads_here


@dataclass
class Launches:
    """What a call of an op launches, recorded, so that the launches alone are timed."""

    calls: list[tuple]
    _compiled: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Callable[[], object]) -> Launches:
        from gpunet.sim import Function

        calls, launch = [], Function.__call__

        def record(self, grid, block, args, shared_mem=0, stream=None):
            calls.append((self, grid, block, args, shared_mem))
            launch(self, grid, block, args, shared_mem)

        Function.__call__ = record
        try:
            run()
        finally:
            Function.__call__ = launch
        return cls(calls)

    def fast(self) -> None:
        for function, grid, block, args, shared in self.calls:
            function(grid, block, args, shared_mem=shared)

    def check(self) -> None:
        """With the way to the checker's process and back. Raises when something is found: what is timed must be right.
        """
        from gpunet.sim import check

        for function, grid, block, args, shared in self.calls:
            if findings := check(function, grid, block, args, shared_mem=shared):
                raise RuntimeError(f"the checker found something in {function.name}:\n{findings[0]}")

    def check_ptx(self) -> None:
        """The same on what NVRTC makes of the kernels; in this process, and compiled when it is first called."""
        from gpunet import ptx

        for place, (function, grid, block, args, shared) in enumerate(self.calls):
            if place not in self._compiled:
                here = Path(__file__).with_name(function.file)
                options = tuple(each for each in function.module.options if not each.startswith("-I"))
                self._compiled[place] = ptx.load(here if here.exists() else function.file, function.name, options)
            if findings := ptx.check(self._compiled[place], grid, block, args, shared_mem=shared):
                raise RuntimeError(f"the checker found something in {function.name}'s PTX:\n{findings[0]}")


def cases(quick: bool) -> dict[str, tuple[Callable[[], object], float | None, int]]:
    """By name: what to launch, the goal in seconds for fast mode, and how often it is launched for one sample."""
    import gpunet
    from gpunet import sim
    from gpunet.ops.linear import bias_relu, column_sum

    def normal(*shape):
        return gpunet.randn(*shape, device="sim")

    def product(n):
        c, a, b = (normal(n, n)._array for _ in range(3))
        sgemm, size = sim.load(Path(__file__).with_name("sgemm.cu"), "sgemm"), np.int32(n)
        return lambda: sgemm((n // 128, n // 128), (256,), (c, a, b, size, size, size))

    logits, target = normal(256, 1000), gpunet.randint(0, 1000, (256,), device="sim")
    x, bias, tiny, tiny_bias = normal(512, 512), normal(512), normal(8, 32), normal(32)
    square = normal(256, 256)
    found = {
        "one launch of a small kernel": (lambda: bias_relu(tiny, tiny_bias), 46e-6, 100),
        "softmax cross-entropy 256x1000": (
            lambda: gpunet.nn.functional.cross_entropy(logits, target, reduction="none"), 10e-3, 1),
        "product 256x256x256": (product(256), 1.1e-3, 1),
        "product 256x256x256, gpunet's kernel": (lambda: gpunet.matmul(square, square), None, 1),
        "bias and ReLU 512x512": (lambda: bias_relu(x, bias), None, 1),
        "column sums 512x512": (lambda: column_sum(x), None, 1),
        "dropout 512x512": (lambda: gpunet.nn.functional.dropout(x, 0.5), None, 1),
    }
    if not quick:
        found["product 1024x1024x1024"] = (product(1024), 53e-3, 1)
    return found


def ptx_runs() -> bool:
    """Whether PTX can be made and run here."""
    from gpunet.kernel import nvrtc

    try:
        nvrtc.version()
    except nvrtc.NvrtcError:
        return False
    return find_spec("llvmlite") is not None


def processor_clock(run: Callable[[], object]) -> float:
    """Seconds that this process and the checker's are on a processor while `run` runs, in all their threads."""
    before = _on_processors()
    run()
    return _on_processors() - before


def _on_processors() -> float:
    from gpunet.sim.checker.process import process

    theirs = 0.0
    if process._process is not None:
        tasks = Path(f"/proc/{process._process.pid}/task").glob("*/schedstat")
        theirs = sum(int(each.read_text().split()[0]) for each in tasks) / 1e9
    return process_time() + theirs


def compare(quick: bool):
    """Rows of seconds. The ways take turns, a sample each."""
    from gpunet import sim

    all_cores, has_ptx = threads_here(), ptx_runs()
    for name, (run, goal, calls) in cases(quick).items():
        launches = Launches.of(run)

        def fast(workers, launches=launches, calls=calls):
            def several():
                for _ in range(calls):
                    launches.fast()

            return Work(several, calls, lambda: sim.set_num_workers(workers))

        samples = interleave({"fast": fast(all_cores), "fast, one core": fast(1)}, rounds=3 if quick else 15)
        sim.set_num_workers(all_cores)
        if name != "product 1024x1024x1024":
            checks = {"check": repeat(launches.check, calls)}
            if has_ptx:
                checks["check, PTX"] = repeat(launches.check_ptx, calls)
            samples |= interleave(checks, rounds=2 if quick else 5)
            busy = interleave(checks, rounds=2 if quick else 9, clock=processor_clock)
            samples |= {f"{way}, on processors": seconds for way, seconds in busy.items()}
        yield Result("checker", name, samples, {"goal": goal} if goal else {})


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    for result in compare(options.quick):
        emit(asdict(result))


def main() -> None:
    command("checker", __doc__)


if __name__ == "__main__":
    main()
