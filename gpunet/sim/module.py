"""Kernels built for the host and launched as CuPy launches them on a device."""

import ctypes
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.kernel import source
from gpunet.sim import rewrite, toolchain
from gpunet.sim.errors import ArgumentError, KernelError, SimulatorLimit

_STATIC_SHARED = 48 << 10
_MOST_SHARED = 227 << 10
_MOST_THREADS = 1024
_MOST_BLOCKS = (2**31 - 1, 65535, 65535)
_MOST_BLOCK = (1024, 1024, 64)


def load(file: str | os.PathLike, expression: str, options: tuple[str, ...] = ()) -> "Function":
    """The kernel `expression` ("relu", "bias_relu<float,4>") of a `.cu` file, built for the simulator.

    `file` is found as every kernel file is, by gpunet.kernel.source. `options` are NVRTC's.
    """
    path = source.find(file)
    folders = (path.parent, source.folder())
    module = Module(code=source.read(file).text, options=(*options, *(f"-I{folder}" for folder in folders)),
                    name_expressions=(expression,), file=path.name)
    return module.get_function(expression)


class Module:
    """Kernels from a text or a file, as cupy.RawModule.

    `name_expressions` names the instances of template kernels; other kernels are found by themselves. Project
    includes are looked for in the folders that `options` names with -I, and in gpunet's own kernels. Built at first
    use. Raises CompileError with the compiler's messages, which name the lines of the `.cu` source.
    """

    def __init__(self, code: str | None = None, *, path: str | os.PathLike | None = None,
                 options: tuple[str, ...] = (), name_expressions: tuple[str, ...] | None = None,
                 file: str | None = None):
        if (code is None) == (path is None):
            raise TypeError("give either code or path")
        if path is not None:
            path = Path(path)
            code, file, options = path.read_text(encoding="utf-8"), path.name, (*options, f"-I{path.parent}")
        self.code = code
        self.options = tuple(options)
        self.name_expressions = tuple(name_expressions or ())
        self.file = file or "kernel.cu"
        self.texts = {self.file: self.code}  # of the files that it is made from, once it is built
        self._lock = threading.Lock()
        self._library: ctypes.CDLL | None = None

    def compile(self) -> None:
        """Build, or load from the cache; does nothing the second time."""
        with self._lock:
            if self._library is not None:
                return
            options = toolchain.host_options(self.options)
            folders = [Path(option[2:]) for option in options if option.startswith("-I")]
            self._rewritten = rewrite.rewrite(self.code, self.file, _finder(folders, self.texts), self.name_expressions)
            macros = tuple(option for option in options if not option.startswith("-I"))
            self._library = toolchain.build_kernels(self._rewritten.text, macros)

    def get_function(self, name: str) -> "Function":
        """A kernel by its name, or a template's instance by its name expression."""
        self.compile()
        kernels = self._rewritten.kernels
        if name not in kernels:
            raise KernelError(f"{self.file} has no kernel {name!r}; it has {', '.join(kernels) or 'none'} "
                              "(an instance of a template must be among the name_expressions)")
        bound = self._rewritten.bounds.get(name.partition("<")[0], _MOST_THREADS)
        return Function(self, name, self._library, kernels.index(name), bound)


def _finder(folders: list[Path], texts: dict[str, str]) -> Callable[[str, str], tuple[str, str] | None]:
    """Finds the project files that a source includes; the simulator's own headers come before them."""
    def find(name: str, included_from: str) -> tuple[str, str] | None:
        if (toolchain.INCLUDE / name).is_file():
            return None
        beside = os.path.normpath(os.path.join(os.path.dirname(included_from), name))
        for candidate in dict.fromkeys((beside, name)):
            for folder in folders:
                if (folder / candidate).is_file():
                    texts[candidate] = (folder / candidate).read_text(encoding="utf-8")
                    return candidate, texts[candidate]
        return None
    return find


class Function:
    """A kernel that can be launched: `function(grid, block, args, shared_mem=0)`, as CuPy's.

    Arguments: an array of gpunet.sim.cupy (or None, or an address) for a pointer; a NumPy scalar of the parameter's
    own size and kind for a number (a Python int for integers, a Python float for double only: CuPy would pass eight
    bytes and the kernel read garbage); a NumPy record for a structure. The launch is finished when the call returns.
    Raises ArgumentError for arguments that do not fit and KernelError for what the kernel did wrong.
    """

    def __init__(self, module: Module, name: str, library: ctypes.CDLL, number: int, most_threads: int):
        self.name = name
        self.file = module.file
        self.module = module  # keeps the library
        self._most_threads = most_threads
        self._dynamic_shared_limit = _STATIC_SHARED
        runtime = toolchain.runtime()
        entry = ctypes.cast(getattr(library, f"gpunet_sim_kernel_{number}"), ctypes.c_void_p)
        describe = getattr(library, f"gpunet_sim_parameters_{number}")
        describe.restype = ctypes.POINTER(_Parameter)
        parameters = describe()
        self._kernel = runtime.gpunet_sim_new_kernel(entry, ctypes.cast(parameters, ctypes.c_void_p))
        self._launch = runtime.gpunet_sim_launch
        self.parameters = _list_parameters(parameters)
        self._converters = [_converter(parameter) for parameter in self.parameters]
        self._pack = _packer(self.parameters)
        self._checked_shapes: set[tuple] = set()

    @property
    def attributes(self) -> dict[str, int]:
        return {"max_threads_per_block": self._most_threads,
                "max_dynamic_shared_size_bytes": self._dynamic_shared_limit}

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._dynamic_shared_limit

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        if not 0 <= size <= _MOST_SHARED:
            raise KernelError(f"{self.name}: {size} bytes of dynamic shared memory; the device has {_MOST_SHARED}")
        self._dynamic_shared_limit = int(size)

    def __call__(self, grid: tuple, block: tuple, args: tuple, shared_mem: int = 0, stream: Any = None) -> None:
        if type(grid) is not tuple or type(block) is not tuple:
            grid, block = tuple(grid), tuple(block)
        shape = (grid, block, shared_mem)
        if shape not in self._checked_shapes:
            self._check_shape(grid, block, shared_mem)
        if len(args) != len(self._converters):
            raise ArgumentError(f"{self.name}: {len(args)} arguments given, the kernel takes {len(self._converters)}")
        try:
            values = [convert(value) for convert, value in zip(self._converters, args, strict=True)]
            packed = self._pack(*_three(grid), *_three(block), shared_mem, *values)
        except (TypeError, AttributeError, ValueError, OverflowError, struct.error):
            raise self._explained(args) from None
        if self._launch(self._kernel, packed, len(packed)):
            report = toolchain.runtime().gpunet_sim_last_report().decode(errors="replace")
            error = KernelError(f"kernel {self.name} of {self.file}, grid {_three(grid)}, block {_three(block)}:\n"
                                f"{report}")
            error.in_kernel = True
            raise error

    def _check_shape(self, grid: tuple, block: tuple, shared_mem: int) -> None:
        sizes = (*_three(grid), *_three(block))
        if any(not isinstance(size, int | np.integer) or size < 1 for size in sizes):
            raise KernelError(f"{self.name}: grid {grid} and block {block} must be positive whole numbers")
        blocks, threads = sizes[:3], sizes[3:]
        if any(size > most for size, most in zip(sizes, _MOST_BLOCKS + _MOST_BLOCK, strict=True)):
            raise KernelError(f"{self.name}: grid {grid}, block {block}: a device allows at most {_MOST_BLOCKS} blocks "
                              f"and {_MOST_BLOCK} threads")
        if blocks[0] * blocks[1] * blocks[2] >= 2**32 - 2**16:
            raise SimulatorLimit(f"{self.name}: grid {grid}: more blocks than the simulator counts")
        if threads[0] * threads[1] * threads[2] > self._most_threads:
            raise KernelError(f"{self.name}: block {block} has more threads than the {self._most_threads} it may have")
        if shared_mem > self._dynamic_shared_limit:
            raise KernelError(f"{self.name}: {shared_mem} bytes of dynamic shared memory, allowed are "
                              f"{self._dynamic_shared_limit}; set max_dynamic_shared_size_bytes first")
        if len(self._checked_shapes) > 1000:
            self._checked_shapes.clear()
        self._checked_shapes.add((grid, block, shared_mem))

    def _explained(self, args: tuple) -> ArgumentError:
        """Find the argument that was refused: only here, so that a good launch pays nothing for it."""
        for number, (convert, parameter, value) in enumerate(zip(self._converters, self.parameters, args, strict=True)):
            try:
                struct.pack("=" + parameter.code, convert(value))
            except (TypeError, AttributeError, ValueError, OverflowError, struct.error):
                return ArgumentError(f"{self.name}: argument {number}: {_describe(value)} given, "
                                     f"the parameter is {parameter}")
        return ArgumentError(f"{self.name}: wrong arguments")

    def __repr__(self) -> str:
        return f"<simulated kernel {self.name} of {self.file}>"


def tensor_map(array: Any, box: tuple[int, int], swizzle: int = 0) -> np.ndarray:
    """The CUtensorMap of a two-dimensional device array, for bulk tensor copies of `box` rows and columns.

    `swizzle` is 0, or the width in bytes (32, 64, 128) within which 16-byte columns of the box are mixed.

    It is passed as an argument for a `const __grid_constant__ CUtensorMap` parameter, as one that the driver's
    cuTensorMapEncodeTiled made is passed on a device; the rules checked here are that function's.
    """
    rows, columns = array.shape
    pitch, item = array.strides
    if item != array.dtype.itemsize or pitch % 16 or array._address % 16:
        raise ValueError("tensor_map: rows must be contiguous, and their addresses multiples of 16 bytes")
    if not all(1 <= size <= 256 for size in box) or box[1] * item % 16:
        raise ValueError(f"tensor_map: box {box}: sizes go up to 256, and a row of it is a multiple of 16 bytes")
    if swizzle not in (0, 32, 64, 128):
        raise ValueError(f"tensor_map: swizzle {swizzle}: it is 0, 32, 64 or 128 bytes")
    if swizzle and box[1] * item > swizzle:
        raise ValueError(f"tensor_map: box {box}: a row of a swizzled box has at most {swizzle} bytes")
    fields = struct.pack("=QIIQIIII", array._address, columns, rows, pitch, box[1], box[0], item, swizzle)
    return np.frombuffer(fields.ljust(128, b"\0"), "V128")[0]


def _three(sizes) -> tuple[int, int, int]:
    return (*sizes, 1, 1)[:3]


# ---- parameters -------------------------------------------------------------------------------------------------
class _Parameter(ctypes.Structure):
    """As in include/gpunet_sim/interface.h; sizes and alignments in bytes."""

    _fields_ = [("size", ctypes.c_uint), ("align", ctypes.c_uint), ("kind", ctypes.c_char)]

    _WORDS = {"p": "a pointer", "i": "an integer", "f": "a floating-point number",
              "h": "a half-precision number", "s": "a structure"}
    _CODES = {("i", 1): "B", ("i", 2): "H", ("i", 4): "I", ("i", 8): "Q", ("f", 4): "f", ("f", 8): "d"}

    def __str__(self) -> str:
        words = self._WORDS[self.kind.decode()]
        return words if self.kind == b"p" else f"{words} of {self.size} bytes"

    @property
    def code(self) -> str:
        """Format of the `struct` module. Integers go as unsigned ones: their converter has seen to the sign."""
        kind = self.kind.decode()
        if kind in "hs":
            return f"{self.size}s"
        if kind == "p":
            return "Q"
        return self._CODES[kind, self.size]


def _list_parameters(first) -> list[_Parameter]:
    parameters = []
    while first[len(parameters)].kind != b"\0":
        parameters.append(first[len(parameters)])
    return parameters


def _packer(parameters: list[_Parameter]) -> Callable[..., bytes]:
    """What makes a launch into one block of bytes: see gpunet_sim_launch. Padding as in a C structure."""
    code, offset = "=7I4x", 0
    for parameter in parameters:
        padding = -offset % parameter.align
        code += f"{padding}x" * (padding > 0) + parameter.code
        offset += padding + parameter.size
    return struct.Struct(code).pack


def _converter(parameter: _Parameter) -> Callable[[Any], Any]:
    kind, size = parameter.kind.decode(), parameter.size
    if kind == "p":
        return _address
    if kind == "i":
        return _integer_converter(size)
    if kind == "f":
        return _float_converter(size)
    return _bytes_converter(size, half=kind == "h")


def _address(value) -> int:
    try:
        return value._address  # an array of gpunet.sim.cupy
    except AttributeError:
        pass
    if value is None:
        return 0
    if isinstance(value, int | np.uint64 | np.int64) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, np.ndarray):
        raise TypeError
    return value.ptr  # a cupy.cuda.MemoryPointer


def _integer_converter(size: int) -> Callable[[Any], int]:
    mask = (1 << 8 * size) - 1
    low, high = -(1 << 8 * size - 1), mask

    def integer(value) -> int:
        if isinstance(value, np.integer | np.bool_):
            if value.itemsize != size:
                raise TypeError
            return int(value) & mask
        # CuPy passes eight bytes, of which the kernel reads the lower ones: right while the number fits.
        if isinstance(value, int) and low <= value <= high:
            return value & mask
        raise TypeError
    return integer


def _float_converter(size: int) -> Callable[[Any], float]:
    def number(value):
        if isinstance(value, np.floating):
            if value.itemsize == size:
                return value
        elif size == 8 and isinstance(value, float):
            return value
        raise TypeError
    return number


def _bytes_converter(size: int, half: bool) -> Callable[[Any], bytes]:
    def bytes_of(value) -> bytes:
        if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
            given = value.dtype
            is_half = given == np.float16 or given.name == "bfloat16"
            if given.itemsize == size and (is_half or not half):
                return value.tobytes()
        elif isinstance(value, bytes) and len(value) == size and not half:
            return value
        raise TypeError
    return bytes_of


def _describe(value) -> str:
    if isinstance(value, np.generic):
        return f"a {value.dtype} number of {value.itemsize} bytes"
    if isinstance(value, np.ndarray):
        return f"a host array of shape {value.shape}"
    if hasattr(value, "_address"):
        return f"a device array of shape {value.shape}"
    if isinstance(value, bool | int | float):
        return f"the Python {type(value).__name__} {value!r}"
    return f"a {type(value).__name__}"
