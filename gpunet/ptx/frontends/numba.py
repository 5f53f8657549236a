"""Kernels of Numba: compiled by `numba.cuda.compile`, for a GPU that need not be there."""

from __future__ import annotations

import contextlib
import ctypes
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from gpunet.kernel.occupancy import capability_of
from gpunet.ptx.frontends.simulated import Launch, Simulated, library, sizes
from gpunet.ptx.launch import Kernel

_OPTIONS = ("fastmath", "opt", "max_registers")


def from_numba(kernel: Any, architecture: str = "sm_80") -> Simulated:
    """A kernel of numba.cuda that runs on NumPy arrays, by the PTX that Numba compiles.

    Launches are written as in Numba, `kernel[grid, block](x, y, n)` or `kernel[grid, block, stream, sharedmem](...)`;
    the stream is not looked at. Types are those of the kernel's signature, or else of the arguments, as Numba finds
    them.

    Args:
        kernel: a function under `@numba.cuda.jit`. With signatures Numba compiles it at once, for the GPU that is
            there; where none is, within `numba_without_gpu`.
        architecture: to compile for.

    Returns:
        The kernel; its `check[grid, block](...)` gives findings and its `profile[grid, block](...)` counters, by the
        lines of the kernel's Python source.

    Raises:
        TypeError: it is no kernel of Numba.
        MissingError: at the first launch; numba-cuda or llvmlite is not installed.
        Unsupported: at the first launch; the PTX has an instruction that is not simulated.

    Examples:
        >>> def scale(x, by):
        ...     "A function that is not under @numba.cuda.jit."
        >>> gpunet.ptx.from_numba(scale)
        Traceback (most recent call last):
            ...
        TypeError: from_numba takes a function under @numba.cuda.jit, got <function scale at ...>
    """
    if not hasattr(kernel, "py_func") or not hasattr(kernel, "targetoptions"):
        raise TypeError(f"from_numba takes a function under @numba.cuda.jit, got {kernel!r}")
    return Simulated(_Lowering(kernel, architecture), "kernel[grid, block](...)", f"{kernel.py_func.__name__} of Numba")


@contextlib.contextmanager
def numba_without_gpu() -> Iterator[None]:
    """Within it, `@numba.cuda.jit("void(float32[:], int32)")` keeps the signature and compiles nothing: for
    `from_numba` on a machine without a GPU, where Numba itself raises CudaSupportError.

    Raises:
        MissingError: numba-cuda is not installed.

    Examples:
        >>> with gpunet.ptx.numba_without_gpu():  # doctest: +SKIP
        ...     from my_kernels import scale
        >>> gpunet.ptx.from_numba(scale)[4, 256](y, x, 1000)  # doctest: +SKIP
    """
    dispatcher = _numba("cuda.dispatcher").CUDADispatcher
    real = dispatcher.compile, dispatcher.disable_compile

    def compile(self: Any, signature: Any) -> None:
        types, _ = _numba("core.sigutils").normalize_signature(signature)
        setattr(self, _SIGNATURES, (*getattr(self, _SIGNATURES, ()), types))

    def disable_compile(self: Any, value: bool = True) -> None:
        if not hasattr(self, _SIGNATURES):
            real[1](self, value)

    dispatcher.compile, dispatcher.disable_compile = compile, disable_compile
    try:
        with _a_device_of((8, 0)):
            yield
    finally:
        dispatcher.compile, dispatcher.disable_compile = real


_SIGNATURES = "_gpunet_signatures"


def _signatures(kernel: Any) -> tuple[tuple, ...]:
    """Types of the arguments that the kernel takes; none where it takes any."""
    compiled = () if getattr(kernel, "_can_compile", True) else tuple(getattr(kernel, "overloads", ()))
    return getattr(kernel, _SIGNATURES, compiled)


class _Lowering:
    def __init__(self, kernel: Any, architecture: str) -> None:
        self.function, self.options = kernel.py_func, kernel.targetoptions
        self.signatures = _signatures(kernel)
        self.capability = divmod(capability_of(architecture), 10)
        self._compiled: dict[tuple, Kernel] = {}

    def __call__(self, where: Any, *args: Any) -> Launch:
        _numba("cuda")
        typeof = library("numba", "numba").typeof
        if not isinstance(where, tuple) or not 2 <= len(where) <= 4:
            raise ValueError("a kernel of Numba is launched as kernel[grid, block](...) or "
                             "kernel[grid, block, stream, sharedmem](...)")
        copies: list[tuple[np.ndarray, np.ndarray]] = []
        args = tuple(_arranged(each, copies) for each in args)
        kinds = self._kinds(tuple(typeof(each.view(np.ndarray) if isinstance(each, np.ndarray) else each)
                                  for each in args))
        if kinds not in self._compiled:
            self._compiled[kinds] = self._compile(kinds)
        names = self.function.__code__.co_varnames[:self.function.__code__.co_argcount]
        flat = [each for name, value, kind in zip(names, args, kinds, strict=False)
                for each in _flat(name, value, kind)]
        return Launch(self.function.__name__, self._compiled[kinds], sizes(where[0]), sizes(where[1]),
                      tuple(value for _, value in flat), tuple(name for name, _ in flat),
                      int(where[3]) if len(where) == 4 else 0, copies=copies)

    def _kinds(self, given: tuple) -> tuple:
        """The types to compile for."""
        if not self.signatures:
            return given
        for kinds in self.signatures:
            if len(kinds) == len(given) and all(map(_fits, given, kinds)):
                return kinds
        signatures = " or ".join(f"({', '.join(map(str, each))})" for each in self.signatures)
        raise TypeError(f"{self.function.__name__} takes {signatures}, got ({', '.join(map(str, given))})")

    def _compile(self, kinds: tuple) -> Kernel:
        options = {name: self.options[name] for name in _OPTIONS if self.options.get(name) is not None}
        with _a_device_of(self.capability):
            text, _ = _numba("cuda").compile(self.function, kinds, device=False, abi="numba", cc=self.capability,
                                             lineinfo=True, **options)
        return Kernel(text.decode() if isinstance(text, bytes) else text)


def _fits(given: Any, kind: Any) -> bool:
    """Whether an argument of a type is one for a parameter of a signature's. Numbers are converted."""
    numba = _numba("core.types")
    if isinstance(kind, numba.Array):
        return (isinstance(given, numba.Array) and (given.dtype, given.ndim) == (kind.dtype, kind.ndim)
                and kind.layout in ("A", given.layout))
    if isinstance(kind, numba.Number | numba.Boolean):
        real = not isinstance(given, numba.Complex) or isinstance(kind, numba.Complex)
        return isinstance(given, numba.Number | numba.Boolean) and real
    return given == kind


def _numba(module: str) -> Any:
    return library(f"numba.{module}", "numba-cuda")


@contextlib.contextmanager
def _a_device_of(capability: tuple[int, int]) -> Iterator[None]:
    """Numba asks the current device for which capability to compile the functions that a kernel calls."""
    dispatcher = _numba("cuda.dispatcher")
    real = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = real


def _arranged(value: Any, copies: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """An array whose elements lie one after another, by rows or by columns; a copy of any other."""
    if not isinstance(value, np.ndarray) or not value.ndim or value.flags.forc:
        return value
    copy = np.ascontiguousarray(value)
    copies.append((value, copy))
    return copy


def _flat(name: str, value: Any, kind: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of the parameters that an argument becomes."""
    numba = _numba("core.types")
    if isinstance(kind, numba.Array):
        # By columns: its memory is that of the transposed array by rows.
        memory = value if value.flags.c_contiguous else value.T
        yield from (("", None), ("", None), (f"{name}.size", np.int64(value.size)), ("", np.int64(value.itemsize)),
                    (name, memory if memory.ndim else memory.reshape(1)))
        yield from ((f"{name}.{what}[{axis}]", np.int64(each)) for what in ("shape", "strides")
                    for axis, each in enumerate(getattr(value, what)))
    elif isinstance(kind, numba.BaseTuple):
        for number, each in enumerate(value):
            yield from _flat(f"{name}[{number}]", each, kind[number])
    elif isinstance(kind, numba.Complex):
        part = np.float32 if kind.bitwidth == 64 else np.float64
        yield from ((f"{name}.real", part(value.real)), (f"{name}.imag", part(value.imag)))
    elif isinstance(kind, numba.Boolean):
        yield name, np.uint8(value)
    elif isinstance(kind, numba.Integer | numba.Float):
        yield name, np.dtype(str(kind)).type(value)
    elif isinstance(kind, numba.Record):
        yield name, _memory_of(value)
    else:
        raise TypeError(f"argument {name}: Numba's type {kind} is not known to the simulator, which takes arrays, "
                        "numbers, records and tuples of these")


def _memory_of(record: np.void) -> np.ndarray:
    """A record's own memory, perhaps an array's: it is passed by its address, and kernels write into it."""
    address = record.__array_interface__["data"][0]
    return np.ctypeslib.as_array((ctypes.c_uint8 * record.nbytes).from_address(address)).view(record.dtype)


for _each in (from_numba, numba_without_gpu):
    _each.__module__ = "gpunet.ptx"
