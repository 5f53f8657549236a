"""Module: the base class of layers and models."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from textwrap import indent
from typing import Any, Self, cast

from gpunet import devices, dtypes
from gpunet.engine.modes import no_grad
from gpunet.nn.common_types import Device, DType
from gpunet.nn.parameter import is_lazy
from gpunet.nn.state import IncompatibleKeys, Stateful
from gpunet.ops import creation
from gpunet.tensor import Tensor


class Module(Stateful):
    """A layer, or a whole model: parameters, buffers and other modules, and a `forward` that computes with them.

    Subclasses call `super().__init__()`, assign their parts to attributes, and define `forward`. Assigning a Parameter,
    Buffer or Module registers it. The keys of `state_dict()` are those of PyTorch.

    An exception raised in a layer's forward carries a note with the layer's path in the model.

    Args:
        args: none are taken; those given raise TypeError.
        kwargs: none are taken; those given raise TypeError.

    Attributes:
        training: whether the module is in training mode; see `train` and `eval`.

    Examples:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = nn.Linear(3, 1)
        ...     def forward(self, x):
        ...         return self.fc(x).relu()
        >>> [name for name, _ in Net().named_parameters()]
        ['fc.weight', 'fc.bias']
    """

    training = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args or kwargs:
            raise TypeError(f"{type(self).__name__}.__init__() got arguments that nn.Module does not take: "
                            f"{', '.join([*map(repr, args), *kwargs])}")
        super().__init__()
        self.__dict__["training"] = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; each subclass has its own. Call the module itself, which runs the hooks too.

        Args:
            args: the subclass's arguments.
            kwargs: the subclass's keyword arguments.
        """
        raise NotImplementedError(f"Module [{type(self).__name__}] is missing the required \"forward\" function")

    # ---- changes to all of it

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Calls a function on every module below this one, then on this one; often to initialize weights.

        Args:
            fn: the function; its result is ignored.

        Returns:
            This module.
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Sets training mode or evaluation mode in this module and all below: it matters to dropout and batch norm.

        Args:
            mode: True for training, False for evaluation.

        Returns:
            This module.

        Raises:
            ValueError: mode is not a bool.
        """
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Sets evaluation mode: `train(False)`.

        Returns:
            This module.
        """
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Turns the collection of gradients on or off for all parameters.

        Args:
            requires_grad: whether gradients are collected.

        Returns:
            This module.
        """
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients of all parameters.

        Args:
            set_to_none: drop them, which saves memory; otherwise set them to zero.
        """
        for parameter in self.parameters():
            if parameter.grad is not None:
                if set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad.detach_()
                    parameter.grad.zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replaces the memory of every parameter and its gradient, and every buffer, by fn of it. The Parameter objects
        stay the same, so that optimizers keep hold of them. A class may override it, as in PyTorch."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is not None:
                    _replace(parameter, fn)
                    if parameter.grad is not None:
                        _replace(parameter.grad, fn)
            for name, buffer in self._buffers.items():
                if is_lazy(buffer):
                    _replace(buffer, fn)
                elif buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to_empty(self, *, device: Device, recurse: bool = True) -> Self:
        """Moves all parameters and buffers to a device without their values: they have new memory there, with whatever
        is in it. Changes this module in place; the Parameter objects stay the same.

        Args:
            device: the device.
            recurse: whether submodules move too.

        Returns:
            This module.

        Examples:
            >>> layer = nn.Linear(2, 3, device="meta").to_empty(device="cpu")
            >>> layer.weight.device
            device(type='cpu')
        """
        return self._apply(lambda t: creation.empty_like(t, device=device), recurse)

    def to(self, *args: Any, device: Device = None, dtype: DType = None, non_blocking: bool = False,
           memory_format: Any = None) -> Self:
        """Moves all parameters and buffers to a device and converts the floating-point ones: `to(device)`, `to(dtype)`,
        `to(device, dtype)` or `to(tensor)`. Changes this module in place; the Parameter objects stay the same.

        Args:
            args: a device, a floating-point dtype, or a tensor that has both.
            device: the device.
            dtype: the dtype.
            non_blocking: accepted as in PyTorch, without effect.
            memory_format: that of the parameters and buffers of 4 and 5 dimensions, as convolutions have them, such as
                `gpunet.channels_last`; others stay as they are.

        Returns:
            This module.

        Raises:
            RuntimeError: the memory format is one of tensors with another number of dimensions.
            TypeError: the dtype is not floating point.
        """
        for argument in args:
            if isinstance(argument, Tensor):
                device, dtype = argument.device, argument.dtype
            elif isinstance(argument, dtypes.dtype):
                dtype = argument
            elif argument is not None and not isinstance(argument, bool):
                device = argument
        if dtype is not None and not dtypes.public(dtypes.as_numpy(dtype)).is_floating_point:
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}")
        if device is not None:
            found: Any = devices.get(device)
            device = found.name
        return self._apply(lambda t: t.to(
            device=device, dtype=dtype if t.is_floating_point() else None,
            memory_format=memory_format if memory_format is not None and t.ndim in (4, 5) else None))

    def cpu(self) -> Self:
        """Moves all parameters and buffers to the CPU.

        Returns:
            This module.
        """
        return self.to("cpu")

    def cuda(self, device: Device = None) -> Self:
        """Moves all parameters and buffers to a GPU.

        Args:
            device: the GPU's index or device; None for the first.

        Returns:
            This module.
        """
        return self.to(devices.device("cuda", device) if device is None or isinstance(device, int) else device)

    def share_memory(self) -> Self:
        """Moves all parameters and buffers into memory that processes share, by `Tensor.share_memory_`.

        Returns:
            This module.
        """
        for tensor in [*self.parameters(), *self.buffers()]:
            tensor.share_memory_()
        return self

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted as in PyTorch, without effect: `gpunet.compile` is for a whole training step.

        Args:
            args: PyTorch's.
            kwargs: PyTorch's.
        """

    def type(self, dst_type: DType | str) -> Self:
        """Converts all parameters and buffers, integer ones too.

        Args:
            dst_type: the dtype, a class such as `gpunet.FloatTensor`, or its name.

        Returns:
            This module.
        """
        return self._apply(lambda t: cast("Tensor", t.type(dst_type)))

    def float(self) -> Self:
        """Converts all floating-point parameters and buffers to float32.

        Returns:
            This module.
        """
        return self.to(dtypes.float32)

    def double(self) -> Self:
        """Converts all floating-point parameters and buffers to float64.

        Returns:
            This module.
        """
        return self.to(dtypes.float64)

    def half(self) -> Self:
        """Converts all floating-point parameters and buffers to float16.

        Returns:
            This module.
        """
        return self.to(dtypes.float16)

    def bfloat16(self) -> Self:
        """Converts all floating-point parameters and buffers to bfloat16.

        Returns:
            This module.
        """
        return self.to(dtypes.bfloat16)

    def save(self, path: str | PathLike, metadata: dict[str, str] | None = None) -> None:
        """Writes `state_dict()` to a .safetensors file, which is renamed into place: it never exists half written.

        Args:
            path: the file.
            metadata: strings to keep in its header.
        """
        from gpunet.serialization import save_file  # most programs write no files: `import gpunet` leaves it out

        save_file(self.state_dict(), path, metadata)

    def load(self, path: str | PathLike, strict: bool = True) -> IncompatibleKeys:
        """Reads a .safetensors file into this module by `load_state_dict`.

        Args:
            path: the file.
            strict: missing and unexpected keys are errors.

        Returns:
            The missing keys and the unexpected ones.
        """
        from gpunet.serialization import load_file

        return self.load_state_dict(load_file(path), strict)

    # ---- text

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What repr() says about this module besides its children; subclasses override it."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if len(lines) == 1 and not self._modules:
            return f"{self._get_name()}({extra})"
        # All lines of a child but its first are indented.
        lines += [f"({name}): " + indent(repr(child), "  ").lstrip() for name, child in self._modules.items()]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)" if lines else f"{self._get_name()}()"


def _replace(tensor: Any, fn: Callable[[Tensor], Tensor]) -> None:
    if is_lazy(tensor):
        tensor._move(fn)
        return
    new = fn(tensor.detach())
    if new._array is not tensor._array:
        tensor.data = new
