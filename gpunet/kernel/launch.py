"""Kernel: a kernel declared by file and name; and the launcher that an op calls.

    _bias_relu = Kernel("bias_act.cu", "bias_relu")          # at import: touches nothing

    launch = _bias_relu.on(cuda, x.dtype, 4)                 # bias_relu<float,4>, compiled once per device
    launch(blocks, 256, out, x, bias, rows, columns)         # numbers become what the kernel declares

This is the hot path: what can be decided once (signature, converters, compiled function) is decided in `on`.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gpunet.kernel.arguments import REFUSALS, converter, describe, is_array, packer, refused

if TYPE_CHECKING:
    from gpunet.kernel import signature

__all__ = ["Kernel", "Launcher"]

# A kernel may use this much dynamic shared memory without asking the driver first.
_SHARED_WITHOUT_ASKING = 48 * 1024


class Kernel:
    """A kernel of a `.cu` file, or a template of kernels. Nothing is read or compiled before `on` is called.

    Args:
        file: a name in gpunet's own `kernels` folder, or an absolute path.
        name: the `__global__` function's name.
        options: compiler options that the kernel's meaning depends on, such as "-fmad=false".
        instances: gives the tuples of template arguments that `on` is called with; `gpunet build` compiles them ahead.
        capabilities: the compute capabilities, times ten, whose instructions it is written for; None: any.

    Attributes:
        ours: the kernels of gpunet's own folder, in the order in which they were declared.

    Examples:
        >>> import pathlib, tempfile
        >>> from gpunet.kernel import Kernel
        >>> path = pathlib.Path(tempfile.mkdtemp(), "cube.cu")
        >>> _ = path.write_text('''
        ... template <typename T> __global__ void cube(T* y, const T* x, int n) {
        ...   int i = blockIdx.x * blockDim.x + threadIdx.x;
        ...   if (i < n) y[i] = x[i] * x[i] * x[i];
        ... }''')
        >>> cube = Kernel(path, "cube", instances=lambda: [(numpy.float32,), (numpy.float64,)])
        >>> cube.expressions()
        ['cube<float>', 'cube<double>']
    """

    ours: ClassVar[list[Kernel]] = []

    def __init__(self, file: str | os.PathLike[str], name: str, options: tuple[str, ...] = (),
                 instances: Callable[[], Iterable[tuple]] = lambda: [()],
                 capabilities: Container[int] | None = None) -> None:
        self.file = file
        self.capabilities = capabilities
        self.name = name
        self.options = tuple(options)
        self._instances = instances
        self._launchers: dict[tuple, Launcher] = {}
        if not os.path.isabs(file):
            Kernel.ours.append(self)

    def expressions(self) -> list[str]:
        """The name expressions of all instances.

        Returns:
            Texts such as "relu<float,4>".
        """
        return [self._expression(template) for template in self._instances()]

    def used(self) -> set[str]:
        """The instances that `on` has made so far, on any device.

        Returns:
            Their name expressions, such as "relu<float,4>".
        """
        return {launcher.name for launcher in self._launchers.values()}

    def _expression(self, template: tuple) -> str:
        from gpunet.kernel import signature

        return f"{self.name}<{','.join(map(signature.spell, template))}>" if template else self.name

    def on(self, device: Any, *template: Any) -> Launcher:
        """The launcher on a device, made at the first call; a later one finds it.

        Args:
            device: its `load(file, expression, options)` gives the compiled kernel.
            *template: the template arguments: NumPy types, ints, bools or C++ text.

        Returns:
            The launcher.

        Raises:
            FileNotFoundError: the kernel's file is missing.
            gpunet.kernel.signature.SignatureError: the file does not declare the kernel as it is named here.
        """
        key = (device, *template)
        launcher = self._launchers.get(key)
        if launcher is None:
            from gpunet.kernel import signature, source  # 20 ms of imports that a process without kernels need not pay

            expression = self._expression(template)
            parameters = signature.parameters(source.read(self.file).full_text, expression)
            function = device.load(self.file, expression, self.options)
            launcher = self._launchers[key] = Launcher(expression, parameters, function)
        return launcher

    def __repr__(self) -> str:
        return f"Kernel({self.file!r}, {self.name!r})"


class Launcher:
    """A compiled kernel on one device, as `Kernel.on` gives it.

    It is called with the grid and the block (each an int or a tuple of up to three), then the kernel's own arguments:
    arrays for pointers (None is the null pointer), numbers for scalars. `shared` is dynamic shared memory in bytes. An
    empty grid launches nothing. Wrong arguments raise TypeError, naming the kernel and its parameter.

    Args:
        name: the kernel's name expression, for messages.
        parameters: what it takes.
        function: launches it: `function(grid, block, args, shared_mem=0)`, as CuPy's.

    Examples:
        >>> from gpunet.kernel import launch, signature
        >>> declared = signature.parameters("__global__ void fill(float* y, float value, int n);", "fill")
        >>> fill = launch.Launcher("fill", declared, lambda grid, block, args, shared_mem: print(grid, block, args[1:]))
        >>> fill(4, 256, None, 1, 1000)
        (4,) (256,) (np.float32(1.0), np.int32(1000))
        >>> fill(4, 256, None, 1, 1000.5)
        Traceback (most recent call last):
            ...
        TypeError: kernel fill, parameter 'int n': the Python float 1000.5 does not fit ('float' object cannot be \
interpreted as an integer)
    """

    __slots__ = ("name", "parameters", "function", "_converters", "_pack", "_count", "_shared_allowed")

    def __init__(self, name: str, parameters: tuple[signature.Parameter, ...], function: Any) -> None:
        self.name = name
        self.parameters = parameters
        self.function = function
        self._converters = [converter(parameter) for parameter in parameters]
        self._pack = packer(parameters, self._converters, of_cupy=type(function).__module__.startswith("cupy"))
        self._count = len(parameters)
        self._shared_allowed = _SHARED_WITHOUT_ASKING

    def __call__(self, grid: int | tuple, block: int | tuple, *arguments: Any, shared: int = 0) -> None:
        if len(arguments) != self._count:
            raise TypeError(f"kernel {self.name} takes {self._count} arguments "
                            f"({', '.join(map(str, self.parameters))}), got {len(arguments)}")
        try:
            packed = self._pack(*arguments)
        except REFUSALS as error:
            raise self._explained(arguments, error) from None
        if type(grid) is not tuple:
            grid = (grid,)
        if 0 in grid:
            return
        if type(block) is not tuple:
            block = (block,)
        if shared > self._shared_allowed:
            self.function.max_dynamic_shared_size_bytes = self._shared_allowed = shared
        self.function(grid, block, packed, shared_mem=shared)

    def _explained(self, arguments: tuple, error: Exception) -> TypeError:
        """The error that names the argument that was refused."""
        if (found := refused(self._converters, arguments)) is None:
            return TypeError(f"kernel {self.name}: {error}")
        number, reason = found
        parameter = self.parameters[number]
        return TypeError(f"kernel {self.name}, parameter '{parameter}': {_fault(parameter, arguments[number], reason)}")

    def __repr__(self) -> str:
        return f"Launcher({self.name}({', '.join(map(str, self.parameters))}))"


def _fault(parameter: signature.Parameter, value: Any, reason: Exception) -> str:
    """What is wrong with an argument, in words."""
    given = describe(value)
    if parameter.pointer:
        if not is_array(value):
            return f"needs an array (or None), got {given}"
        if parameter.dtype is not None and value.dtype != parameter.dtype:
            return f"needs a {parameter.dtype} array, got {given}"
        return f"needs a C-contiguous array, got one of shape {value.shape} with other strides"
    if isinstance(value, (numbers.Number, np.generic)) and str(reason):
        return f"{given} does not fit ({reason})"
    return f"needs a number, got {given}"
