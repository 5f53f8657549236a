"""Kernels built for the host and launched as CuPy launches them on a device."""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.kernel import source
from gpunet.sim import arguments, toolchain
from gpunet.sim.errors import ArgumentError, KernelError, SimulatorLimit
from gpunet.sim.translate import rewrite

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
        describe.restype = ctypes.POINTER(arguments.Parameter)
        parameters = describe()
        self._kernel = runtime.gpunet_sim_new_kernel(entry, ctypes.cast(parameters, ctypes.c_void_p))
        self._launch = runtime.gpunet_sim_launch
        self.parameters = arguments.listed(parameters)
        self._converters = [arguments.converter(parameter) for parameter in self.parameters]
        self._pack = arguments.packer(self.parameters)
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
        except arguments.REFUSALS:
            raise ArgumentError(f"{self.name}: {arguments.explained(self.parameters, args)}") from None
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

    def __repr__(self) -> str:
        return f"<simulated kernel {self.name} of {self.file}>"


def _three(sizes) -> tuple[int, int, int]:
    return (*sizes, 1, 1)[:3]
