"""Kernels built for the host and launched as CuPy launches them on a device."""

import ctypes
import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.kernel import source
from gpunet.sim import arguments, memory, toolchain
from gpunet.sim.errors import CompileError, KernelError, SimulatorLimit
from gpunet.sim.translate import rewrite

_STATIC_SHARED = 48 << 10
_MOST_SHARED = 227 << 10
_MOST_THREADS = 1024
_MOST_BLOCKS = (2**31 - 1, 65535, 65535)
_MOST_BLOCK = (1024, 1024, 64)


def load(file: str | os.PathLike[str], expression: str, options: tuple[str, ...] = ()) -> "Function":
    """A kernel of a `.cu` file, built for the simulator.

    Args:
        file: an absolute path, or a name in gpunet's own `kernels` folder.
        expression: the kernel's name, and for a template its arguments: "bias_relu<float,4>".
        options: NVRTC's, such as "-DN=4" and "-fmad=false"; what concerns the device alone is left out.

    Returns:
        The kernel.

    Raises:
        FileNotFoundError: the file is not there.
        KernelError: the file has no such kernel.
        CompileError: the file cannot be read. What does not compile is raised at the first launch.

    Examples:
        >>> gpunet.sim.load("random.cu", "uniform<float>")
        <simulated kernel uniform<float> of random.cu>
    """
    path = source.find(file)
    folders = (path.parent, source.folder())
    module = Module(code=source.read(file).text, options=(*options, *(f"-I{folder}" for folder in folders)),
                    name_expressions=(expression,), file=path.name)
    return module.get_function(expression)


class Module:
    """Kernels from a text or a file, as cupy.RawModule. They are built when the first of them is launched.

    What keeps the text from being built, such as a kernel that uses what is not simulated, concerns the kernels that
    need it; the others are built without it.

    Args:
        code: CUDA C++; or else
        path: a file with it. The folder that it lies in is searched for includes.
        options: NVRTC's. -I names folders of project includes, beside gpunet's own kernels.
        name_expressions: the instances of template kernels, such as "scale<float,4>"; other kernels are found by
            themselves.
        file: what a text is called in messages; "kernel.cu" by default.

    Raises:
        TypeError: both of code and path are given, or neither.

    Examples:
        >>> text = '''
        ... template <typename T> __global__ void scale(T* x, T by, int n) {
        ...   int i = blockIdx.x * blockDim.x + threadIdx.x;
        ...   if (i < n) x[i] *= by;
        ... }'''
        >>> scale = gpunet.sim.Module(text, name_expressions=("scale<float>",)).get_function("scale<float>")
        >>> x = gpunet.sim.cupy.arange(4, dtype=numpy.float32)
        >>> scale((1,), (32,), (x, numpy.float32(10), 4))
        >>> x
        array([ 0., 10., 20., 30.], dtype=float32)
    """

    def __init__(self, code: str | None = None, *, path: str | os.PathLike[str] | None = None,
                 options: tuple[str, ...] = (), name_expressions: tuple[str, ...] | None = None,
                 file: str | None = None) -> None:
        if path is not None:
            if code is not None:
                raise TypeError("give either code or path")
            path = Path(path)
            code, file, options = path.read_text(encoding="utf-8"), path.name, (*options, f"-I{path.parent}")
        if code is None:
            raise TypeError("give either code or path")
        self.code = code
        self.options = tuple(options)
        self.name_expressions = tuple(name_expressions or ())
        self.file = file or "kernel.cu"
        self.texts = {self.file: self.code}  # of the files that it is made from, once it is built
        self._lock = threading.Lock()
        self._read: rewrite.Rewritten | None = None
        self._built: ctypes.CDLL | None = None

    def compile(self) -> None:
        """Build the kernels, or load them from the cache. The second call does nothing.

        Raises:
            CompileError: the text does not compile; the compiler's messages name the lines of the `.cu` source.
            CompilerMissingError: this machine has no C++ compiler.
        """
        self._library()

    def get_function(self, name: str) -> "Function":
        """A kernel of the module. It is built when it is first launched.

        Args:
            name: the kernel's name; of a template's instance its name expression; of several kernels with one name
                that and the types of the parameters, as in "fill(float*)".

        Returns:
            The kernel.

        Raises:
            KernelError: there is no such kernel, or there are several.
            CompileError: the text cannot be read.
        """
        kernels = self._rewritten().named(name)
        if not kernels:
            known = dict.fromkeys(kernel.name for kernel in self._rewritten().kernels)
            raise KernelError(f"{self.file} has no kernel {name!r}; it has {', '.join(known) or 'none'} "
                              "(an instance of a template must be among the name_expressions)")
        return Function(self, name, kernels)

    def _rewritten(self) -> rewrite.Rewritten:
        with self._lock:
            if self._read is None:
                self._read = self._rewrite(None)
            return self._read

    def _rewrite(self, only: str | None) -> rewrite.Rewritten:
        folders = [Path(option[2:]) for option in toolchain.host_options(self.options) if option.startswith("-I")]
        return rewrite.rewrite(self.code, self.file, _finder(folders, self.texts), self.name_expressions,
                               toolchain.checking(), only)

    def _library(self) -> ctypes.CDLL:
        rewritten = self._rewritten()
        with self._lock:
            if self._built is None:
                self._built = self._compiled(rewritten)
            return self._built

    def _compiled(self, rewritten: rewrite.Rewritten) -> ctypes.CDLL:
        options = toolchain.host_options(self.options)
        return toolchain.build_kernels(rewritten.text, tuple(each for each in options if not each.startswith("-I")))

    def _library_for(self, name: str) -> tuple[rewrite.Rewritten, ctypes.CDLL]:
        """What has the kernel: the whole module; where that cannot be built, what this kernel needs of it."""
        try:
            return self._rewritten(), self._library()
        except CompileError as error:
            rewritten = self._rewrite(name)
            if rewritten.text == self._rewritten().text:
                raise
            try:
                return rewritten, self._compiled(rewritten)
            except CompileError as its_own:
                raise its_own from error


def _finder(folders: list[Path], texts: dict[str, str]) -> Callable[[str, str], tuple[str, str] | None]:
    """Finds the project files that a source includes. The simulator's own headers come before those of CUDA's names,
    and before gpunet's ptx.cuh and wgmma.cuh, but not before another file of such a name."""
    def find(name: str, included_from: str) -> tuple[str, str] | None:
        ours = (toolchain.INCLUDE / name).is_file()
        if ours and not name.endswith(".cuh"):
            return None
        beside = os.path.normpath(os.path.join(os.path.dirname(included_from), name))
        for candidate in dict.fromkeys((beside, name)):
            for folder in folders:
                if (folder / candidate).is_file():
                    text = (folder / candidate).read_text(encoding="utf-8")
                    if ours and text == (source.folder() / name).read_text(encoding="utf-8"):
                        return None
                    texts[candidate] = text
                    return candidate, text
        return None
    return find


class Function:
    """A kernel that can be launched: `function(grid, block, args, shared_mem=0)`, as CuPy's.

    Arguments of the kernel: an array of gpunet.sim.cupy (or None, or an address) for a pointer; a NumPy scalar of the
    parameter's own size and kind for a number (a Python int for integers, a Python float for double only: CuPy would
    pass eight bytes and the kernel read garbage); a NumPy record for a structure. The launch is finished when the call
    returns. It raises ArgumentError for arguments that do not fit and KernelError for what the kernel did wrong; the
    first launch, which builds the kernel, CompileError for a kernel that does not compile (the compiler's messages name
    the lines of the `.cu` source) and CompilerMissingError on a machine without a C++ compiler.

    Args:
        module: what it belongs to; `Module.get_function` and `load` give kernels.
        name: its name, or name expression.
        declared: the kernels in the text that the name may mean; the preprocessor leaves one of them.

    Attributes:
        parameters: what the compiled kernel takes. To ask for it builds the kernel.
        parameter_names: their names, as far as the text shows them.
        run_packed: runs a launch, which is bytes: a `head`, and what `gpunet.sim.arguments.Packer` makes of the
            arguments. 0 where all went well.

    Examples:
        >>> fill = gpunet.sim.Module('__global__ void fill(int* y) { y[threadIdx.x] = 7; }').get_function("fill")
        >>> y = gpunet.sim.cupy.zeros(3, numpy.int32)
        >>> fill((1,), (3,), (y,))
        >>> y
        array([7, 7, 7], dtype=int32)
    """

    # Set when it is built:
    parameters: tuple[arguments.Parameter, ...]
    run_packed: Callable[[bytes, int], int]
    _pack: arguments.Packer

    def __init__(self, module: Module, name: str, declared: tuple[rewrite.Kernel, ...]) -> None:
        self.name = name
        self.file = module.file
        self.module = module  # keeps the library
        self.declared = declared
        self.parameter_names = declared[0].parameters
        self._most_threads = min((kernel.most_threads or _MOST_THREADS for kernel in declared), default=_MOST_THREADS)
        self._dynamic_shared_limit = _STATIC_SHARED
        self._heads: dict[tuple, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        # Only of what is not there: what building sets. A launch of a built kernel does not come here.
        if name not in ("parameters", "run_packed", "_pack"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._build()
        return self.__dict__[name]

    def _build(self) -> None:
        rewritten, library = self.module._library_for(self.name)
        built = [kernel for kernel in rewritten.named(self.name)
                 if hasattr(library, f"gpunet_sim_kernel_{kernel.number}")]
        if not built:
            raise KernelError(f"{self.file}: {self.name} is not compiled: a condition of the preprocessor (#if) leaves "
                              "it out; is a macro to be defined?")
        if len(built) > 1:
            raise KernelError(f"{self.file} has {len(built)} kernels {self.name}; name one by its parameters: "
                              f"{', '.join(repr(kernel.signature) for kernel in built)}")
        number, self.parameter_names = built[0].number, built[0].parameters
        runtime = toolchain.runtime()
        memory.show(runtime)
        entry = ctypes.cast(getattr(library, f"gpunet_sim_kernel_{number}"), ctypes.c_void_p)
        describe = getattr(library, f"gpunet_sim_parameters_{number}")
        describe.restype = ctypes.POINTER(arguments.Described)
        parameters = describe()
        kernel = runtime.gpunet_sim_new_kernel(entry, ctypes.cast(parameters, ctypes.c_void_p))
        self.run_packed = functools.partial(runtime.gpunet_sim_launch, kernel)
        self.parameters = arguments.listed(parameters)
        self._pack = arguments.Packer(self.name, self.parameters)

    @property
    def attributes(self) -> dict[str, int]:
        """The limits of a launch, by CuPy's names."""
        return {"max_threads_per_block": self._most_threads,
                "max_dynamic_shared_size_bytes": self._dynamic_shared_limit}

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """The most dynamic shared memory of a launch; 48 KiB until it is set."""
        return self._dynamic_shared_limit

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        if not 0 <= size <= _MOST_SHARED:
            raise KernelError(f"{self.name}: {size} bytes of dynamic shared memory; the device has {_MOST_SHARED}")
        self._dynamic_shared_limit = int(size)

    def __call__(self, grid: tuple, block: tuple, args: tuple, shared_mem: int = 0, stream: Any = None) -> None:
        if type(grid) is not tuple or type(block) is not tuple:
            grid, block = tuple(grid), tuple(block)
        packed = (self._heads.get((grid, block, shared_mem)) or self.head(grid, block, shared_mem)) + self._pack(args)
        if self.run_packed(packed, len(packed)):
            report = toolchain.runtime().gpunet_sim_last_report().decode(errors="replace")
            error = KernelError(f"kernel {self.name} of {self.file}, grid {arguments.three(grid)}, block "
                                f"{arguments.three(block)}:\n{report}")
            error.in_kernel = True
            raise error

    def head(self, grid: tuple, block: tuple, shared_mem: int) -> bytes:
        """What comes before a launch's arguments.

        Args:
            grid: sizes of the grid, in blocks.
            block: sizes of a block, in threads.
            shared_mem: bytes of dynamic shared memory of a block.

        Raises:
            KernelError: a device refuses such a launch.
            SimulatorLimit: a device takes it, and the simulator does not.
        """
        sizes = (*arguments.three(grid), *arguments.three(block))
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
        if shared_mem > _MOST_SHARED:
            raise KernelError(f"{self.name}: {shared_mem} bytes of dynamic shared memory, a device has {_MOST_SHARED}")
        if shared_mem > self._dynamic_shared_limit:
            raise KernelError(f"{self.name}: {shared_mem} bytes of dynamic shared memory, allowed are "
                              f"{self._dynamic_shared_limit}; set max_dynamic_shared_size_bytes first")
        if len(self._heads) > 1000:
            self._heads.clear()
        head = self._heads[grid, block, shared_mem] = arguments.HEAD.pack(*sizes, shared_mem)
        return head

    def __repr__(self) -> str:
        return f"<simulated kernel {self.name} of {self.file}>"
