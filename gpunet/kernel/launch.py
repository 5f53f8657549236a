"""Kernel: a kernel declared by file and name; and the launcher that an op calls.

    _bias_relu = Kernel("bias_act.cu", "bias_relu")          # at import: touches nothing

    launch = _bias_relu.on(cuda, x.dtype, 4)                 # bias_relu<float,4>, compiled once per device
    launch(blocks, 256, out, x, bias, rows, columns)         # numbers become what the kernel declares

This is the hot path: what can be decided once (signature, converters, compiled function) is decided in `on`.
"""

from __future__ import annotations

import numbers
import operator
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from gpunet.kernel import signature

# A kernel may use this much dynamic shared memory without asking the driver first.
_SHARED_WITHOUT_ASKING = 48 * 1024


class Kernel:
    """A kernel of a `.cu` file, or a template of kernels.

    `file` is a name in gpunet's `kernels` folder or an absolute path. `options` are compiler options that the
    kernel's meaning depends on, such as "-fmad=false". `instances` gives the template arguments that `on` is called
    with: `gpunet build` compiles them ahead. Nothing is read or compiled before `on` is called.
    """

    ours: ClassVar[list[Kernel]] = []  # those of gpunet's own folder, in the order in which they were declared

    def __init__(self, file: str | os.PathLike, name: str, options: tuple[str, ...] = (),
                 instances: Callable[[], Iterable[tuple]] = lambda: [()]):
        self.file = file
        self.name = name
        self.options = tuple(options)
        self._instances = instances
        self._launchers: dict[tuple, Launcher] = {}
        if not os.path.isabs(file):
            Kernel.ours.append(self)

    def expressions(self) -> list[str]:
        """The name expressions of all instances, such as "relu<float,4>"."""
        return [self._expression(template) for template in self._instances()]

    def used(self) -> set[str]:
        """The name expressions of the instances that `on` has made so far, on any device."""
        return {launcher.name for launcher in self._launchers.values()}

    def _expression(self, template: tuple) -> str:
        from gpunet.kernel import signature

        return f"{self.name}<{','.join(map(signature.spell, template))}>" if template else self.name

    def on(self, device: Any, *template: Any) -> Launcher:
        """The launcher on a device for these template arguments: NumPy types, ints, bools or C++ strings.

        `device` gives `load(file, expression, options)`, which compiles the kernel when it has to.
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
    """A compiled kernel on one device.

    Call it with grid, block (each an int or a tuple of up to three), then the kernel's own arguments: arrays for
    pointers (None is the null pointer), numbers for scalars. `shared` is dynamic shared memory in bytes. An empty
    grid launches nothing. Wrong arguments raise TypeError, naming the kernel and its parameter.
    """

    __slots__ = ("name", "parameters", "function", "_converters", "_count", "_shared_allowed")

    def __init__(self, name: str, parameters: tuple[signature.Parameter, ...], function: Callable):
        self.name = name
        self.parameters = parameters
        self.function = function
        self._converters = [_converter(parameter) for parameter in parameters]
        self._count = len(parameters)
        self._shared_allowed = _SHARED_WITHOUT_ASKING

    def __call__(self, grid: int | tuple, block: int | tuple, *arguments: Any, shared: int = 0) -> None:
        if len(arguments) != self._count:
            raise TypeError(f"kernel {self.name} takes {self._count} arguments "
                            f"({', '.join(map(str, self.parameters))}), got {len(arguments)}")
        try:
            packed = tuple([convert(value) for convert, value in zip(self._converters, arguments, strict=False)])
        except (TypeError, AttributeError, OverflowError, ValueError) as error:
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
        """Find the argument that was refused: only here, so that a good launch pays nothing for it."""
        for parameter, convert, value in zip(self.parameters, self._converters, arguments, strict=True):
            try:
                convert(value)
            except (TypeError, AttributeError, OverflowError, ValueError) as reason:
                return TypeError(f"kernel {self.name}, parameter '{parameter}': {_fault(parameter, value, reason)}")
        return TypeError(f"kernel {self.name}: {error}")

    def __repr__(self) -> str:
        return f"Launcher({self.name}({', '.join(map(str, self.parameters))}))"


def _converter(parameter: signature.Parameter) -> Callable[[Any], Any]:
    """Function that checks one argument and gives it the parameter's exact type."""
    if parameter.pointer:
        return _pointer_converter(parameter.dtype)
    dtype = parameter.dtype
    if dtype is None:
        if parameter.type == "void" or parameter.type == "long" or parameter.type == "unsigned long":
            from gpunet.kernel import signature

            raise signature.SignatureError(f"parameter '{parameter}': this type has no fixed size; use long long")
        return _structure
    if dtype == np.bool_:
        return _truth
    return _Numbers(dtype.type, operator.index if dtype.kind in "iu" else _real).__getitem__


class _Numbers(dict):
    """Numbers already converted to a parameter's type.

    Making a NumPy scalar takes 300 to 500 ns, finding one 50, and launches repeat their sizes. `check` refuses
    what is no number of the kind; NumPy then refuses an integer that does not fit.
    """

    _MOST = 4096

    def __init__(self, scalar: type, check: Callable[[Any], Any]):
        super().__init__()
        self._scalar = scalar
        self._check = check

    def __missing__(self, value: Any) -> np.generic:
        converted = self._scalar(self._check(value))
        if value != 0:  # as keys 0.0 and -0.0 are one
            if len(self) >= self._MOST:
                self.clear()
            self[value] = converted
        return converted


def _pointer_converter(expected: np.dtype | None) -> Callable[[Any], Any]:
    def pointer(value):
        if value is None:
            return value
        if (expected is None or value.dtype == expected) and value.flags.c_contiguous:
            return value
        raise TypeError
    return pointer


def _real(value) -> float:
    if isinstance(value, numbers.Real | np.number | np.bool_):
        return float(value)
    raise TypeError


def _truth(value) -> np.bool_:
    if isinstance(value, bool | np.bool_):
        return np.bool_(value)
    raise TypeError


def _structure(value):
    """A structure passed by value, as a NumPy record of the same layout."""
    if isinstance(value, np.void) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value
    raise TypeError


def _fault(parameter: signature.Parameter, value: Any, reason: Exception) -> str:
    """What is wrong with an argument, in words."""
    is_array = hasattr(value, "dtype") and hasattr(value, "shape") and not isinstance(value, np.generic)
    given = f"{value.dtype} array of shape {value.shape}" if is_array else f"{type(value).__name__} {value!r}"
    if parameter.pointer:
        if not is_array:
            return f"needs an array (or None), got {given}"
        if parameter.dtype is not None and value.dtype != parameter.dtype:
            return f"needs a {parameter.dtype} array, got a {given}"
        return f"needs a C-contiguous array, got one of shape {value.shape} with other strides"
    if isinstance(value, numbers.Number | np.generic) and str(reason):
        return f"{given} does not fit ({reason})"
    return f"needs a number, got {given}"
