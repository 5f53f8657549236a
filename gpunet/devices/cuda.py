"""The CUDA device: our kernels where an op has one, CuPy's functions through the op's body where it has none.

This is the only file that imports CuPy, and only to open a GPU. `CudaDevice` is given its array module and its kernel
loader; with the simulator's it is the device `sim` (sim.py), and cannot tell.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gpunet._channels_last import (
    as_rows,
    from_rows,
    is_channels_last,
    leans_last,
    lies_last,
    operand_as_rows,
    strides_of,
)
from gpunet.devices.chains import fused
from gpunet.devices.errors import device_error
from gpunet.devices.joined import joined
from gpunet.devices.preceded import preceded
from gpunet.devices.uses import Uses

if TYPE_CHECKING:
    from gpunet.devices import device

Call: TypeAlias = tuple[Any, Any, Any, Any]  # op, outs, arrays, attributes


class CudaDevice:
    """Arrays in a device's memory.

    Args:
        name: the device's name.
        xp: CuPy, or its stand-in in the simulator.
        load: a function of (file, expression, options) that gives a kernel, to be called as CuPy's are.
        sm_count: number of multiprocessors.
        capability: the compute capability times ten, which says what tensor cores there are.
        shared_memory: bytes of it that a block may have, static and dynamic together.
        synchronous: whether work is done when a call returns. Errors found on the device are then raised at once.
    """

    joins = True  # whether its kernels compute several gradients at once
    tf32 = tf32x3 = False  # whether float32 matrices may be multiplied in TF32, or in its parts: see precision.py

    def __init__(self, name: device, xp: Any, load: Callable[..., Any], *, sm_count: int,
                 capability: int = 80, shared_memory: int = 48 * 1024, synchronous: bool = False) -> None:
        self.name, self.type, self.index = name, name.type, name.index
        self.xp, self.load, self.sm_count, self.capability = xp, load, sm_count, capability
        self.shared_memory = shared_memory
        self.empty: Callable[..., Any] = xp.empty
        self.parameter_bytes = 32764  # of all parameters of a launch
        self._synchronous = synchronous
        self._errors: Any = None  # four words of device memory
        self._may_have_errors = False

    def __repr__(self) -> str:
        return str(self.name)

    # ---- computing

    def run(self, op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any]) -> None:
        """Fills `outs`, by the op's kernel if it has one for these types and shapes, else by its body."""
        if op.launch is not None and self._launch(op, outs, arrays, attrs) is not NotImplemented:
            if self._synchronous and self._may_have_errors:
                self.check_errors()
            return
        if op.by_element and lies_last(outs[0]):
            outs, arrays = _in_rows(outs, arrays)
        op.body(self.xp, *outs, *arrays, **attrs)

    def compute(self, op: Any, shape: tuple[int, ...], dtype: Any, arrays: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """The result of a call with one output."""
        if len(shape) > 3 and self._stays_last(op, shape, arrays, attrs):
            if op.by_element:
                rank = len(shape)
                rows = self.empty((shape[0], *shape[2:], shape[1]), dtype)
                self.run(op, (rows,), [operand_as_rows(x, rank) for x in arrays], attrs)
                return from_rows(rows)
            out = self.empty_last(shape, dtype)
        else:
            out = self.empty(shape, dtype)
        self.run(op, (out,), arrays, attrs)
        return out

    def allocate(self, op: Any, found: Sequence[tuple[Any, Any]], arrays: Sequence[Any],
                 attrs: dict[str, Any]) -> tuple:
        """New arrays for a call's results; found: shape and type of each."""
        last = any([len(shape) > 3 for shape, _ in found]) and self._stays_last(op, found[0][0], arrays, attrs)
        return tuple([self.empty_last(shape, dtype) if last and len(shape) > 3 else self.empty(shape, dtype)
                      for shape, dtype in found])

    def _stays_last(self, op: Any, shape: tuple[int, ...], arrays: Sequence[Any], attrs: dict[str, Any]) -> bool:
        """Whether the results of a call are to be in channels last."""
        if op.by_element:  # as the first operand of the result's size that is not expanded
            for x in arrays:
                if getattr(x, "shape", None) == shape and 0 not in (strides := x.strides):
                    return strides[1] <= strides[-1] and leans_last(x)
            return False
        return op.takes_channels_last is not None and self._serves_last(op, arrays, attrs)

    def _serves_last(self, op: Any, arrays: Sequence[Any], attrs: dict[str, Any]) -> bool:
        """Whether the op's launch takes these arrays as they lie, because some are in channels last."""
        for x in arrays:
            if getattr(x, "ndim", 0) == 4 and is_channels_last(x):
                return op.takes_channels_last(self, *arrays, **attrs)
        return False

    def empty_last(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A new array in channels last, of 4 or 5 dimensions."""
        return self._in_last(self.empty((math.prod(shape),), dtype), shape, np.dtype(dtype))

    def _in_last(self, memory: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        """A new array's memory as an array in channels last. It is no view: who looks for views of it finds them."""
        return self.xp.ndarray(shape, dtype, memory.data, strides_of(shape, dtype.itemsize))

    def _launch(self, op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """Kernels read and write C-contiguous arrays."""
        if not op.strided:
            for x in arrays:
                flags = getattr(x, "flags", None)
                if flags is not None and not flags.c_contiguous:
                    return self._launch_others(op, outs, arrays, attrs)
        for out in outs:
            if not out.flags.c_contiguous:
                return self._launch_others(op, outs, arrays, attrs)
        return op.launch(self, *outs, *arrays, **attrs)

    def _launch_others(self, op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """Arrays that are not all C-contiguous: in channels last they may be taken as they lie; others are copied,
        before or after."""
        if op.by_element:
            if lies_last(outs[0]) and not outs[0].flags.c_contiguous:
                return self._launch(op, *_in_rows(outs, arrays), attrs)
        elif op.takes_channels_last is not None and all(
                [lies_last(out) if out.ndim == 4 else out.flags.c_contiguous for out in outs]) and self._serves_last(
                    op, arrays, attrs):
            return op.launch(self, *outs, *arrays, **attrs)
        if not op.strided:
            arrays = [x if getattr(x, "flags", None) is None or x.flags.c_contiguous else self.xp.ascontiguousarray(x)
                      for x in arrays]
        # What is updated in place is also read: a copy of the old values, not an empty array.
        copies = [out if out.flags.c_contiguous else self.xp.ascontiguousarray(out) for out in outs]
        if op.launch(self, *copies, *arrays, **attrs) is NotImplemented:
            return NotImplemented
        for out, copy in zip(outs, copies, strict=True):
            if out is not copy:
                out[...] = copy
        return None

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Work on this device's arrays that is no op: on a machine with several GPUs, this one is current."""
        return function(*args)

    def compile_calls(self, calls: Iterable[Call]) -> Callable[[], None]:
        """A function that repeats recorded calls of `run`."""
        return self._one_by_one(_fewer(calls))

    def _one_by_one(self, calls: Iterable[Call]) -> Callable[[], None]:
        def replay() -> None:
            for call in calls:
                self.run(*call)

        return replay

    # ---- host and device

    def to_host(self, array: Any) -> Any:
        """A NumPy copy, after all work in the queue, in the array's memory format."""
        values = from_rows(as_rows(array).get()) if leans_last(array) else array.get()
        self.check_errors()
        return values

    def from_host(self, array: Any) -> Any:
        """The array in this device's memory, in channels last if it is."""
        if not lies_last(array):
            return self.xp.asarray(array)
        return self._in_last(self.xp.asarray(as_rows(array)), array.shape, array.dtype)

    def pinned(self, array: Any) -> Any:
        """A copy of a NumPy array in page-locked memory: CuPy copies from there without waiting."""
        if not array.size:
            return array.copy()
        if lies_last(array):
            return from_rows(self.pinned(as_rows(array)))
        memory = self.xp.cuda.alloc_pinned_memory(array.nbytes)
        copy = np.frombuffer(memory, np.uint8, array.nbytes).view(array.dtype).reshape(array.shape)
        copy[...] = array
        return copy

    def synchronize(self) -> None:
        """Waits for all work in the queue; raises what kernels have found wrong."""
        self.xp.cuda.get_current_stream().synchronize()
        self.check_errors()

    # ---- errors found by kernels

    @property
    def errors(self) -> Any:
        """The memory in which a kernel notes an error. From here on, `check_errors` reads it."""
        self._may_have_errors = True
        if self._errors is None:
            self._errors = self.xp.zeros(4, "int64")
        return self._errors

    def check_errors(self) -> None:
        """Raises the first error that a kernel has noted since the last check."""
        if not self._may_have_errors:
            return
        self._may_have_errors = False
        code, row, value, limit = self._errors.get().tolist()
        if code:
            self._errors.fill(0)
            raise device_error(code, row, value, limit)


def _in_rows(outs: Sequence[Any], arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Results in channels last, and the operands, in the order of memory."""
    rank = outs[0].ndim
    return [operand_as_rows(x, rank) for x in outs], [operand_as_rows(x, rank) for x in arrays]


class Gpu(CudaDevice):
    """An NVIDIA GPU through CuPy."""

    def __init__(self, name: device, cupy: Any) -> None:
        from gpunet.kernel import nvrtc

        properties = cupy.cuda.runtime.getDeviceProperties(name.index)
        self._context = cupy.cuda.Device(name.index)
        capability = properties["major"] * 10 + properties["minor"]
        self.arch = nvrtc.architecture(capability)
        self._uncaptured: set[str] = set()  # ops of which compile_calls has said that they cannot be captured
        super().__init__(name, cupy, self._load, sm_count=properties["multiProcessorCount"],
                         capability=capability, shared_memory=properties["sharedMemPerBlockOptin"])
        if cupy.cuda.runtime.driverGetVersion() < 12010:
            self.parameter_bytes = 4096
        if self.tf32:
            self.allow_tf32(True)
        if cupy.cuda.runtime.getDeviceCount() > 1:  # CuPy works on its current device: make it this one in each call
            for method in ("run", "call", "to_host", "from_host", "synchronize", "check_errors"):
                setattr(self, method, self._on_this_gpu(method))
            self.empty = lambda *args: self.call(cupy.empty, *args)

    def allow_tf32(self, allowed: bool) -> None:
        """Whether CuPy may multiply float32 matrices in TF32. It has one setting for all GPUs."""
        core = self.xp._core
        types = core._routines_linalg
        core.set_compute_type("float32", types.COMPUTE_TYPE_TF32 if allowed else types.COMPUTE_TYPE_DEFAULT)

    def _on_this_gpu(self, method: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            with self._context:
                return getattr(type(self), method)(self, *args)  # looked up now: detect_anomaly replaces `run`

        return call

    def _load(self, file: Any, expression: str, options: Any) -> Any:
        from gpunet.kernel import nvrtc, source

        path, symbol = nvrtc.build(source.read(file), self.arch, expression, options)
        return self.xp.RawModule(path=str(path)).get_function(symbol)

    def compile_calls(self, calls: Iterable[Call]) -> Callable[[], None]:
        """The calls as a CUDA graph; one by one where some call cannot be captured, which is said once."""
        calls = _fewer(calls)
        try:
            graph, pool = self.call(self._capture, calls)
        except _NoGraph as refused:
            if refused.op not in self._uncaptured:
                self._uncaptured.add(refused.op)
                warnings.warn(f"gpunet.compile: {refused}", RuntimeWarning, stacklevel=5)
            return self._one_by_one(calls)
        watched = self._may_have_errors or self._errors is not None
        stream = self.xp.cuda.get_current_stream

        def replay() -> None:
            self._may_have_errors |= watched
            self.call(lambda: graph.launch(stream()))

        replay.__dict__["keep"] = pool, calls  # the graph's memory
        return replay

    def _capture(self, calls: Iterable[Call]) -> tuple[Any, Any]:
        """A graph of the calls, which are captured and not run, and the pool that their temporaries lie in."""
        cuda = self.xp.cuda
        pool, stream = cuda.MemoryPool(), cuda.Stream(non_blocking=True)
        cuda.get_current_stream().synchronize()
        with cuda.using_allocator(pool.malloc), stream:
            stream.begin_capture()
            op = graph = None
            try:
                for op, *rest in calls:
                    CudaDevice.run(self, op, *rest)
                op = None
            except Exception as error:
                raise _NoGraph(op.name if op is not None else "the recording", error) from error
            finally:
                try:
                    graph = stream.end_capture()
                except cuda.runtime.CUDARuntimeError as error:  # what was refused has ended the capture
                    if op is None:
                        raise _NoGraph("the recording", error) from error
        return graph, pool


def _fewer(calls: Iterable[Call]) -> list[Call]:
    """Recorded calls, of which some do what several did."""
    calls = list(calls)
    uses = Uses(calls)
    return fused(preceded(joined(calls, uses), uses), uses)


class _NoGraph(Exception):
    """A recording that is no CUDA graph, for what an op does in it."""

    def __init__(self, op: str, error: Exception) -> None:
        super().__init__(f"{op} cannot be captured into a CUDA graph ({type(error).__name__}: {error}), so that this "
                         "recording is replayed call by call: the results are the same, but each call costs host time")
        self.op = op


def import_cupy() -> tuple[Any, int]:
    """CuPy and the number of GPUs. Raises RuntimeError with what is missing (CuPy, driver or GPU) and the remedy."""
    try:
        import cupy  # pyright: ignore[reportMissingImports] (an extra)
    except ImportError as error:
        raise RuntimeError("device 'cuda' needs CuPy, which cannot be imported here "
                           f"({error}): pip install 'gpunet[cuda13]' (or 'gpunet[cuda12]' for drivers older than 580), "
                           "or use device 'sim' or 'cpu'") from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        # Without any driver CUDA says "driver version is insufficient", which sends people the wrong way.
        raise RuntimeError(f"device 'cuda' needs an NVIDIA GPU and its driver, and neither answers here ({error}): "
                           "install or update NVIDIA's driver (nvidia-smi shows it), or use device 'sim' or 'cpu'"
                           ) from None
    return cupy, count


def open_cuda(name: device) -> Gpu:
    """Opens a GPU."""
    cupy, count = import_cupy()
    if (name.index or 0) >= count:
        raise RuntimeError(f"device '{name}' does not exist: this machine has {count} GPU{'s' * (count != 1)}, "
                           f"{', '.join(f'cuda:{i}' for i in range(count)) or 'none'}")
    return Gpu(name, cupy)
