"""Kernels that CuPy's users write in CUDA C++: RawKernel, RawModule, ElementwiseKernel; compiled by NVRTC."""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import math
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.kernel.source import Source
from gpunet.kernel.unwritten import uninitialised
from gpunet.ptx.frontends.simulated import Launch, Simulated, library, sizes
from gpunet.ptx.frontends.sources import place_of
from gpunet.ptx.function import Function

_FLUSHED = "-ftz=true"  # CuPy compiles so
_THREADS = 128  # of a block, of elementwise kernels


def from_cupy(kernel: Any, name: str | None = None, architecture: str | None = None) -> Simulated:
    """A kernel of CuPy that runs on NumPy arrays, by the PTX that NVRTC makes of its source.

    Launches are written as in CuPy: `kernel(grid, block, args, shared_mem=0)` of a RawKernel, with NumPy arrays and
    scalars as arguments, and `kernel(x, y)` of an ElementwiseKernel, which gives its outputs. Findings and counters
    name the lines of the Python file in which the source stands as one string, as far as a function of that file calls
    from_cupy, at whatever distance; else those of the source itself.

    Args:
        kernel: a cupy.RawKernel, cupy.RawModule or cupy.ElementwiseKernel, or CUDA C++ as a string: CuPy itself is
            needed for elementwise kernels alone.
        name: of the kernel, of a module or string; for a template with its arguments: "scale<float>".
        architecture: to compile for. Without it that is sm_80, and sm_90a for a source that has kernels with clusters.

    Returns:
        The kernel; its `check(...)` gives findings and its `profile(...)` counters.

    Raises:
        TypeError: it is none of these, or the name is missing.
        gpunet.kernel.nvrtc.NvrtcError: at the first launch; there is no NVRTC, or the source does not compile.
        MissingError: at the first launch; llvmlite is not installed.
        Unsupported: at the first launch; the PTX has an instruction that is not simulated.

    Examples:
        >>> fill = gpunet.ptx.from_cupy('''
        ... extern "C" __global__ void fill(int* y, int n) {
        ...     y[threadIdx.x] = n;
        ... }''', "fill")
        >>> y = numpy.zeros(31, numpy.int32)
        >>> fill((1,), (31,), (y, numpy.int32(7)))
        >>> int(y.sum())
        217
        >>> finding, = fill.check((1,), (32,), (y, numpy.int32(7)))
        >>> finding.kind, finding.element, finding.source
        ('out of bounds', 'y[31]', 'y[threadIdx.x] = n;')
    """
    if hasattr(kernel, "in_params") and hasattr(kernel, "operation"):
        return Simulated(_Elementwise(kernel, architecture), "kernel(x, y, ...)", f"{kernel.name} of CuPy")
    code = kernel if isinstance(kernel, str) else getattr(kernel, "code", None)
    path = getattr(kernel, "file_path", None)
    name = name or getattr(kernel, "name", None)
    if not isinstance(code, str) and path is None:
        raise TypeError("from_cupy takes a cupy.RawKernel, RawModule or ElementwiseKernel, or CUDA C++ as a string, "
                        f"got {kernel!r}; a reduction or a fused function has no source of the user's")
    if not isinstance(name, str):
        raise TypeError("from_cupy: a module has many kernels; write from_cupy(module, 'name')")
    text = code if isinstance(code, str) else Path(str(path)).read_text()
    found = place_of(text) or (None if path is None else (os.path.abspath(path), 1))
    function, sources = _function(text, name, found, tuple(getattr(kernel, "options", ())), architecture)
    return Simulated(_Raw(function, sources), "kernel(grid, block, args)", f"{name} of CuPy")


def _function(text: str, name: str, found: tuple[str, int] | None, options: Sequence[str],
              architecture: str | None) -> tuple[Function, dict[str, str]]:
    """The kernel, and the user's sources by the names that its PTX has for them."""
    short = "".join(each if each.isalnum() or each == "_" else "_" for each in name)
    file = f"{short}.cu"
    sources = {file: text}
    if found is not None:
        sources = {found[0]: "".join(linecache.getlines(found[0]))}
        text = f'#line {found[1]} "{found[0]}"\n{text}'
    source = Source(Path(file), text, {}, hashlib.sha256(text.encode()).hexdigest())
    options = (*(each for each in options if not each.startswith(("-std", "--std"))), _FLUSHED, *_headers())
    return Function(file, name, options, architecture, source), sources


def _headers() -> tuple[str, ...]:
    """CuPy's own, where it is installed."""
    spec = importlib.util.find_spec("cupy")
    return tuple(f"-I{place}/_core/include{part}" for place in spec.submodule_search_locations or ()
                 for part in ("", "/cupy/_cccl/libcudacxx", "/cupy/_cccl/thrust", "/cupy/_cccl/cub")) if spec else ()


class _Raw:
    def __init__(self, function: Function, sources: dict[str, str]) -> None:
        self.function, self.sources = function, sources
        function.max_dynamic_shared_size_bytes = 227 << 10

    def __call__(self, grid: Any, block: Any, args: Sequence[Any], *, shared_mem: int = 0) -> Launch:
        copies: list[tuple[np.ndarray, np.ndarray]] = []
        return Launch(self.function.name, self.function, sizes(grid), sizes(block),
                      tuple(_argument(each, copies) for each in args), (), shared_mem, self.sources, copies)


def _argument(value: Any, copies: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    if isinstance(value, np.ndarray) and value.ndim:
        return _in_order(value, copies)
    # As CuPy passes Python's numbers.
    return (np.bool_(value) if isinstance(value, bool) else np.float64(value) if type(value) is float
            else np.complex128(value) if isinstance(value, complex) and not isinstance(value, np.generic) else value)


def _in_order(array: np.ndarray, copies: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    if array.flags.c_contiguous:
        return array
    copy = np.ascontiguousarray(array)
    copies.append((array, copy))
    return copy


# ---- elementwise kernels ---------------------------------------------------------------------------------------------
class _Elementwise:
    """CuPy generates the kernel around the user's lines; so here, with lines that are the user's own."""

    _ARRAY, _INDEXER, _SCALAR = 1, 2, 3  # CuPy's kinds of arguments

    def __init__(self, kernel: Any, architecture: str | None) -> None:
        self.kernel, self.architecture = kernel, architecture
        self.place = place_of(kernel.operation)
        self._compiled: dict[Any, tuple[Function, dict[str, str]]] = {}

    def __call__(self, *args: Any, size: int | None = None, block_size: int = _THREADS) -> Launch:
        kernel, copies = self.kernel, []
        if not kernel.nin <= len(args) <= kernel.nargs or kernel.nin < len(args) < kernel.nargs:
            raise TypeError(f"{kernel.name} takes {kernel.nin} inputs and then all or none of its {kernel.nout} "
                            f"outputs, got {len(args)} arguments")
        inputs, outputs = [*args[:kernel.nin]], [*args[kernel.nin:]]
        types_in, types_out, types = _core()._decide_params_type(
            kernel.in_params, kernel.out_params, tuple(_dtype(each, param) for param, each in
                                                            zip(kernel.in_params, inputs, strict=True)),
            tuple(each.dtype for each in outputs))
        params = kernel.params[:kernel.nargs]
        shape = self._shape([*zip(params, inputs, strict=False)], size)
        for param, each in zip(kernel.out_params, outputs, strict=False):
            if not param.raw and each.shape != shape:
                raise ValueError(f"{kernel.name}: {param.name} has the shape {each.shape}, the inputs make {shape}")
        outputs = outputs or [uninitialised(shape, each) for each in types_out]
        values = [_in_order(each, copies) if isinstance(each, np.ndarray) and each.ndim else np.dtype(type).type(each)
                  for each, type in zip([*inputs, *outputs], (*types_in, *types_out), strict=True)]
        views = [np.broadcast_to(each, shape) if isinstance(each, np.ndarray) and not param.raw else each
                 for param, each in zip(params, values, strict=True)]
        if kernel.reduce_dims and all(each.flags.c_contiguous for param, each in zip(params, views, strict=True)
                                      if isinstance(each, np.ndarray) and not param.raw):
            shape = (math.prod(shape),)
            views = [each.reshape(-1) if isinstance(each, np.ndarray) and not param.raw else each
                     for param, each in zip(params, views, strict=True)]
        function, sources = self._function(views, shape, types)
        passed = [_Array(value, view) if isinstance(view, np.ndarray) else view
                  for value, view in zip(values, views, strict=True)]
        elements = math.prod(shape)
        result = (outputs[0] if kernel.nout == 1 and not kernel.return_tuple else tuple(outputs)) if outputs else None
        return Launch(kernel.name, function, (-(-elements // block_size),), (block_size,), (*passed, _indexer(shape)),
                      tuple(each.name for each in kernel.params), 0, sources, copies, result)

    def _shape(self, given: list[tuple[Any, Any]], size: int | None) -> tuple[int, ...]:
        shapes = [each.shape for param, each in given if isinstance(each, np.ndarray) and not param.raw]
        if size is not None:
            if shapes:
                raise ValueError(f"{self.kernel.name}: the arrays say the size; `size` is for kernels of raw arguments")
            return (size,)
        if not shapes:
            raise ValueError(f"{self.kernel.name}: no argument says the size; give size=")
        return np.broadcast_shapes(*shapes)

    def _function(self, views: list[Any], shape: tuple[int, ...], types: Any) -> tuple[Function, dict[str, str]]:
        kernel, core, cupy = self.kernel, _core(), library("cupy", "cupy-cuda13x")
        kinds = tuple((self._ARRAY, cupy.ndarray, each.dtype, each.ndim, bool(each.flags.c_contiguous), True)
                      if isinstance(each, np.ndarray) else (self._SCALAR, type(each), each.dtype, 0, True, True)
                      for each in views)
        indexer = self._INDEXER, importlib.import_module("cupy._core._carray").Indexer, None, len(shape), True, True
        key = kinds, len(shape), str(types)
        if key not in self._compiled:
            operation, label = kernel.operation, f"{kernel.name}.operation"
            file, line = self.place or (label, 1)
            operation = f'\n#line {line} "{file}"\n{operation}\n#line 1 "cupy"\n'
            code = core._get_elementwise_kernel_code(tuple(core._ArgInfo(*each) for each in (*kinds, indexer)), types,
                                                     kernel.params, operation, kernel.name, kernel.preamble,
                                                     **{name: value for name, value in kernel.kwargs.items()
                                                        if name in ("loop_prep", "after_loop")})
            # CuPy includes all four always; the complex numbers take a second.
            needed = ["complex.cuh"] * ("complex<" in code) + ["carray.cuh", "atomics.cuh", "math_constants.h"]
            text = "".join(f"#include <cupy/{each}>\n" for each in needed) + code
            function, _ = _function(text, kernel.name, None, kernel.kwargs.get("options", ()), self.architecture)
            sources = {label: kernel.operation} if self.place is None else {file: "".join(linecache.getlines(file))}
            self._compiled[key] = function, sources
        return self._compiled[key]


def _core() -> Any:
    library("cupy", "cupy-cuda13x")
    return importlib.import_module("cupy._core._kernel")


def _dtype(value: Any, param: Any) -> np.dtype | None:
    """What an argument says of the types; Python's numbers, and any where the parameter says its type, say nothing."""
    if isinstance(value, np.ndarray) or isinstance(value, np.generic) and param.dtype is None:
        return value.dtype
    return None


class _Array:
    """CuPy's CArray: address, size, shape and strides."""

    def __init__(self, memory: np.ndarray, view: np.ndarray) -> None:
        self.memory = memory if memory.ndim else memory.reshape(1)
        self.rest = struct.pack(f"<{1 + 2 * view.ndim}q", view.size, *view.shape, *view.strides)

    def places(self) -> tuple[list[tuple[int, Any]], int, int]:
        fields = [(0, self.memory), *((8 + at, np.frombuffer(self.rest[at:at + 8], np.int64)[0])
                                      for at in range(0, len(self.rest), 8))]
        return fields, 8 + len(self.rest), 8

    def tobytes(self) -> bytes:
        return struct.pack("<Q", self.memory.ctypes.data) + self.rest


def _indexer(shape: tuple[int, ...]) -> bytes:
    """CuPy's CIndexer: size, shape, and the place of the element in it."""
    return struct.pack(f"<{1 + 2 * len(shape)}q", math.prod(shape), *shape, *(0 for _ in shape))


from_cupy.__module__ = "gpunet.ptx"
