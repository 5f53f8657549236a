"""What the kernel benchmarks work with: a device, inputs of random numbers, and the peers on the same arrays."""

from __future__ import annotations

import importlib
import math

import gpunet
from gpunet.benchmark.measure import Work, event_clock, host_clock

# Rough rates, only to choose how many calls one timing takes: operations and bytes a second.
_RATES = {"cuda": (4e13, 2.5e12), "cpu": (1e11, 1e10), "sim": (1e8, 1e8)}
_SHORTEST = {"cuda": 1e-3, "cpu": 1e-3, "sim": 0.0}  # seconds that one timing should take


class Lab:
    """compiled: whether torch.compile takes part; it compiles for longer than all else is measured. threads: of NumPy's
    BLAS and of PyTorch on the CPU. One is the default because the thread pools of two libraries in one process wait
    actively for work, and so take the cores from each other."""

    def __init__(self, device: str, *, compiled: bool = False, threads: int = 1, seed: int = 0):
        self.device = gpunet.devices.get(device)
        self.type = self.device.type
        self.xp = self.device.xp
        self.on_gpu = self.type == "cuda"
        self.library = {"cpu": "NumPy", "cuda": "CuPy", "sim": "simulator"}[self.type]  # the arrays'
        self.clock = event_clock(self.xp.cuda) if self.type != "cpu" else host_clock
        self.l2 = 0
        if self.on_gpu:
            self.l2 = self.xp.cuda.runtime.getDeviceProperties(self.device.index or 0)["l2CacheSize"]
        self.torch = optional("torch")
        self.triton = None
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

    def random(self, *shape):
        """Normally distributed numbers, drawn on the device by gpunet's own kernel."""
        return gpunet.randn(*shape, device=self.device.name)._array

    def integers(self, high: int, *shape):
        return gpunet.randint(high, shape, device=self.device.name)._array

    def empty(self, *shape, dtype="float32"):
        out = self.device.empty(shape, dtype)
        out.fill(math.nan)
        return out

    def sets(self, bytes_each: int) -> int:
        """How many sets of inputs to rotate, so that a call does not find its own in the L2 cache."""
        return 1 if not self.l2 else max(1, min(64, math.ceil(2 * self.l2 / max(bytes_each, 1))))

    def calls(self, sets: int, operations: float, size: float) -> int:
        """Calls in one timing: whole turns of the sets, and long enough to be timed."""
        rate, bandwidth = _RATES[self.type]
        wanted = _SHORTEST[self.type] / max(operations / rate, size / bandwidth, 1e-6)
        return sets * max(1, min(math.ceil(wanted / sets), math.ceil(256 / sets)))

    def to_torch(self, array):
        """The array as a PyTorch tensor: the same memory on cpu and cuda, a copy on the host for sim."""
        if self.on_gpu:
            return self.torch.as_tensor(array, device="cuda")
        return self.torch.from_numpy(array if self.type == "cpu" else array.get())

    def free(self) -> None:
        """Gives unused memory back between two cases, so that no library starves another."""
        if self.on_gpu:
            self.xp.get_default_memory_pool().free_all_blocks()
            if self.torch is not None:
                self.torch.cuda.empty_cache()
        if self.compiled:
            self.torch._dynamo.reset()  # it gives up, silently, on code that has seen many shapes

    # ---- competitors

    def ours(self, operation, calls: list[tuple], attrs: dict) -> Work:
        """Calls of an op with given (outs, arrays), recorded as a step is: on a GPU one CUDA graph, so that what is
        timed is the GPU's work and not Python's."""
        recorded = [(operation.op, outs, arrays, attrs) for outs, arrays in calls]
        self.device.run(*recorded[0])  # compiled and loaded before the recording
        self.device.synchronize()
        every_out = [out for outs, _ in calls for out in outs]
        return Work(self.device.compile_calls(recorded), len(calls), self.poison(every_out))

    def poison(self, outs):
        """A function that fills arrays with NaN: an element that is not written shows."""
        unique = list({id(out): out for out in outs}.values())

        def prepare():
            for out in unique:
                out.fill(math.nan)

        return prepare

    def turns(self, function, sets: int, calls: int, prepare=None) -> Work:
        """function(i) with each set of inputs in turn."""
        order = [i % sets for i in range(calls)]

        def run():
            for i in order:
                function(i)

        return Work(run, calls, prepare)

    def torch_graph(self, work: Work, name: str) -> Work:
        """The work as a CUDA graph of PyTorch's; as it is where that cannot be had."""
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


def relative_error(lab: Lab, out, reference) -> float:
    """norm(out - reference) / norm(reference), in double precision; NaN where an element was not written."""
    xp = lab.xp
    difference = out.astype("float64") - reference
    norm = float(xp.sqrt(xp.sum(reference * reference)))
    return float(xp.sqrt(xp.sum(difference * difference))) / (norm or 1.0)


def optional(name: str):
    """A module, or None where it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception:  # a broken installation raises anything: its absence is noted, not ours to mend
        return None
