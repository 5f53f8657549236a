"""Lab: what a kernel benchmark works with, a device, random inputs, and the other libraries on the same arrays."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import gpunet
from gpunet.benchmark.measure import Work, event_clock, host_clock
from gpunet.dispatch import OpFunction

# Rough rates, only to choose how many calls one timing takes: operations and bytes a second.
_RATES = {"cuda": (4e13, 2.5e12), "cpu": (1e11, 1e10), "sim": (1e8, 1e8)}
_SHORTEST = {"cuda": 1e-3, "cpu": 1e-3, "sim": 0.0}  # seconds that one timing should take


class Lab:
    """A device, random inputs, and the other libraries that can work on the same arrays.

    Args:
        device: its name: "cpu", "cuda", "cuda:1" or "sim".
        compiled: whether torch.compile takes part; it compiles for longer than all else is measured.
        threads: threads of NumPy's BLAS and of PyTorch on the CPU. The default is one because the thread pools of two
            libraries in one process wait actively for work, and so take the cores from each other.
        seed: of the random inputs.

    Attributes:
        xp: the device's array module: NumPy, CuPy or the simulator's.
        torch: PyTorch, where it can work on the device's arrays; else None.
        notes: what should be known about the next result.

    Examples:
        >>> lab = benchmark.Lab("cpu")
        >>> lab.library, lab.random(2, 3).shape
        ('NumPy', (2, 3))
    """

    def __init__(self, device: str, *, compiled: bool = False, threads: int = 1, seed: int = 0) -> None:
        self.device = gpunet.devices.get(device)
        self.type = self.device.type
        self.xp: Any = self.device.xp
        self.on_gpu = self.type == "cuda"
        self.library = {"cpu": "NumPy", "cuda": "CuPy", "sim": "simulator"}[self.type]  # the arrays'
        self.clock = event_clock(self.xp.cuda) if self.type != "cpu" else host_clock
        self.l2 = 0
        if self.on_gpu:
            self.l2 = self.xp.cuda.runtime.getDeviceProperties(self.device.index or 0)["l2CacheSize"]
        self.torch: Any = optional("torch")
        self.triton: Any = None
        if self.torch is not None and self.on_gpu:
            if not self.torch.cuda.is_available():
                self.torch = None
            elif optional("triton") is not None:
                self.triton = optional("gpunet.benchmark.triton_peers")
        if self.torch is not None:
            self.torch.backends.cuda.matmul.allow_tf32 = False
            self.torch.backends.cudnn.allow_tf32 = False
        self.compiled = compiled and self.torch is not None
        self.notes: list[str] = []
        self.threads = threads
        self._limit = None
        if not self.on_gpu:
            if self.torch is not None:
                self.torch.set_num_threads(threads)
            if (control := optional("threadpoolctl")) is not None:
                self._limit = control.threadpool_limits(threads, user_api="blas")
            else:
                self.notes.append("threadpoolctl is not installed: NumPy's BLAS uses as many threads as it likes")
        gpunet.manual_seed(seed)

    # ---- inputs

    def random(self, *shape: int) -> Any:
        """Normally distributed float32 numbers, drawn on the device by gpunet's own kernel.

        Args:
            shape: sizes of the dimensions.
        """
        return gpunet.randn(*shape, device=self.device.name)._array

    def integers(self, high: int, *shape: int) -> Any:
        """Random int64 numbers.

        Args:
            high: each is from 0 to below this.
            shape: sizes of the dimensions.
        """
        return gpunet.randint(high, shape, device=self.device.name)._array

    def empty(self, *shape: int, dtype: str = "float32") -> Any:
        """An array full of NaN, for a result.

        Args:
            shape: sizes of the dimensions.
            dtype: a floating-point type.
        """
        out = self.device.empty(shape, np.dtype(dtype))
        out.fill(math.nan)
        return out

    def sets(self, bytes_each: int) -> int:
        """Number of sets of inputs to use in turn, so that a call does not find its own in the L2 cache.

        Args:
            bytes_each: size of one set.
        """
        return 1 if not self.l2 else max(1, min(64, math.ceil(2 * self.l2 / max(bytes_each, 1))))

    def calls(self, sets: int, operations: float, size: float) -> int:
        """Number of calls in one timing: whole turns of the sets, and long enough to be timed.

        Args:
            sets: number of sets of inputs.
            operations: operations of one call.
            size: bytes that one call moves.
        """
        rate, bandwidth = _RATES[self.type]
        wanted = _SHORTEST[self.type] / max(operations / rate, size / bandwidth, 1e-6)
        return sets * max(1, min(math.ceil(wanted / sets), math.ceil(256 / sets)))

    def to_torch(self, array: Any) -> Any:
        """The array as a PyTorch tensor: the same memory on cpu and cuda, a copy on the host for sim.

        Args:
            array: an array of the device.
        """
        if self.on_gpu:
            return self.torch.as_tensor(array, device="cuda")
        return self.torch.from_numpy(array if self.type == "cpu" else array.get())

    def free(self) -> None:
        """Gives unused memory back between two cases, so that no library starves another."""
        if self.on_gpu:
            self.xp.get_default_memory_pool().free_all_blocks()
            if self.torch is not None:
                self.torch.cuda.empty_cache()
        if self.compiled and self.torch is not None:
            self.torch._dynamo.reset()  # it gives up, silently, on code that has seen many shapes

    # ---- competitors

    def ours(self, op: OpFunction, calls: Sequence[tuple[Any, Any]], attrs: dict[str, Any]) -> Work:
        """Calls of an op, recorded as a step is. On a GPU they are one CUDA graph, so Python is not timed.

        Args:
            op: the op, as `@op` declared it.
            calls: its outputs and its inputs, both as sequences of arrays, for each call.
            attrs: its attributes.
        """
        recorded = [(op.op, outs, arrays, attrs) for outs, arrays in calls]
        self.device.run(*recorded[0])  # compiled and loaded before the recording
        self.device.synchronize()
        every_out = [out for outs, _ in calls for out in outs]
        return Work(self.device.compile_calls(recorded), len(calls), self.poison(every_out))

    def poison(self, outs: Sequence[Any]) -> Callable[[], None]:
        """A function that fills arrays with NaN, so that an element that is not written shows.

        Args:
            outs: the arrays.
        """
        unique = list({id(out): out for out in outs}.values())

        def prepare() -> None:
            for out in unique:
                out.fill(math.nan)

        return prepare

    def turns(self, function: Callable[[int], object], sets: int, calls: int,
              prepare: Callable[[], object] | None = None) -> Work:
        """A function called with the number of each set of inputs in turn.

        Args:
            function: the function.
            sets: number of sets.
            calls: number of calls in one timing.
            prepare: called before each timing.
        """
        order = [i % sets for i in range(calls)]

        def run() -> None:
            for i in order:
                function(i)

        return Work(run, calls, prepare)

    def torch_graph(self, work: Work, name: str) -> Work:
        """The work as a CUDA graph of PyTorch's, or as it is where none can be made.

        Args:
            work: the work.
            name: for the note that says so.
        """
        if not self.on_gpu:
            return work
        torch = self.torch
        try:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                work.run()
            torch.cuda.current_stream().wait_stream(stream)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                work.run()
        except RuntimeError as error:
            self.notes.append(f"{name}: no CUDA graph ({str(error).splitlines()[0]}); timed as it is")
            torch.cuda.synchronize()
            return work
        return Work(graph.replay, work.calls, work.prepare)


def relative_error(lab: Lab, out: Any, reference: Any) -> float:
    """norm(out - reference) / norm(reference), in double precision.

    Args:
        lab: the lab that made the arrays.
        out: our result.
        reference: the right result, float64.

    Returns:
        The error; NaN if an element was not written.

    Examples:
        >>> lab = benchmark.Lab("cpu")
        >>> benchmark.relative_error(lab, numpy.float32([1.0, 2.0]), numpy.float64([1.0, 2.0]))
        0.0
    """
    xp = lab.xp
    difference = out.astype("float64") - reference
    norm = float(xp.sqrt(xp.sum(reference * reference)))
    return float(xp.sqrt(xp.sum(difference * difference))) / (norm or 1.0)


def optional(name: str) -> Any:
    """A module, or None where it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception:  # a broken installation raises anything: its absence is noted, not ours to mend
        return None
