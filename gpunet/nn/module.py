"""Module: the base class of layers and models."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from os import PathLike
from textwrap import indent
from typing import Any, NamedTuple, Self

from gpunet import devices, dtypes
from gpunet.engine.hooks import RemovableHandle
from gpunet.engine.modes import no_grad
from gpunet.nn import state
from gpunet.nn.backward_hooks import call_watched
from gpunet.nn.common_types import Device, DType
from gpunet.nn.registry import Registry
from gpunet.serialization.safetensors_file import load_file, save_file
from gpunet.tensor import Tensor


class Module(Registry):
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
    # Dictionaries of hooks, made when the first hook is registered. `_hooked` lets a call without hooks skip them all.
    _hooked = False
    _forward_pre_hooks: OrderedDict[object, Any] | None = None
    _forward_hooks: OrderedDict[object, Any] | None = None
    _backward_hooks: OrderedDict[object, Any] | None = None

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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooked:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            note_layer(error, self)
            raise

    def _call_with_hooks(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        for hook in list((self._forward_pre_hooks or {}).values()):
            if isinstance(hook, _Hook):
                changed = hook.function(self, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        result, waiting = None, list((self._forward_hooks or {}).values())
        try:
            if self._backward_hooks:
                result = call_watched(self, self.forward, args, kwargs, self._backward_hooks)
            else:
                result = self.forward(*args, **kwargs)
            while waiting:
                changed = _call_forward_hook(waiting.pop(0), self, args, kwargs, result)
                if changed is not None:
                    result = changed
        except Exception:
            for hook in waiting:
                if isinstance(hook, _Hook) and hook.always:
                    try:
                        _call_forward_hook(hook, self, args, kwargs, result)
                    except Exception as error:  # the first exception is the one to report
                        warnings.warn(f"a forward hook with always_call=True raised {error!r}", stacklevel=3)
            raise
        return result

    # ---- hooks

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """Registers a function that is called before `forward`.

        Args:
            hook: hook(module, args); what it returns, if not None, replaces the positional arguments.
            prepend: call it before the hooks that are there already.
            with_kwargs: call hook(module, args, kwargs) instead, which returns None or (args, kwargs).

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_forward_pre_hooks", _Hook(hook, True) if with_kwargs else hook, prepend)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """Registers a function that is called after `forward`.

        Args:
            hook: hook(module, args, output); what it returns, if not None, replaces the output.
            prepend: call it before the hooks that are there already.
            with_kwargs: call hook(module, args, kwargs, output) instead.
            always_call: call it also if `forward` raises an exception.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        kept = _Hook(hook, with_kwargs, always_call) if with_kwargs or always_call else hook
        return self._add_hook("_forward_hooks", kept, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Registers a function that is called when the gradients of the inputs have been computed, or those of the
        outputs if no input requires a gradient.

        Args:
            hook: hook(module, grad_input, grad_output), two tuples of gradients; what it returns, if not None, replaces
                grad_input. Only positional tensor arguments are seen.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle, whose remove() takes the hook out.
        """
        return self._add_hook("_backward_hooks", hook, prepend)

    def _add_hook(self, kind: str, hook: Any, prepend: bool) -> RemovableHandle:
        hooks = self.__dict__.get(kind)
        if hooks is None:
            hooks = self.__dict__[kind] = OrderedDict()
        self.__dict__["_hooked"] = True
        handle = RemovableHandle(hooks, hook)
        if prepend:
            hooks.move_to_end(handle._key, last=False)
        return handle

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

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Self:
        """Replaces the memory of every parameter and its gradient, and every buffer, by fn of it. The Parameter objects
        stay the same, so that optimizers keep hold of them."""
        with no_grad():
            for module in self.modules():
                for parameter in module._parameters.values():
                    if parameter is not None:
                        _replace(parameter, fn)
                        if parameter.grad is not None:
                            _replace(parameter.grad, fn)
                for name, buffer in module._buffers.items():
                    if buffer is not None:
                        module._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, device: Device = None, dtype: DType = None, non_blocking: bool = False) -> Self:
        """Moves all parameters and buffers to a device and converts the floating-point ones: `to(device)`, `to(dtype)`,
        `to(device, dtype)` or `to(tensor)`. Changes this module in place; the Parameter objects stay the same.

        Args:
            args: a device, a floating-point dtype, or a tensor that has both.
            device: the device.
            dtype: the dtype.
            non_blocking: accepted as in PyTorch, without effect.

        Returns:
            This module.

        Raises:
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
        return self._apply(lambda t: t.to(device=device, dtype=dtype if t.is_floating_point() else None))

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
        return self.to(devices.device("cuda", device or 0) if device is None or isinstance(device, int) else device)

    def type(self, dst_type: DType) -> Self:
        """Converts all parameters and buffers, integer ones too.

        Args:
            dst_type: the dtype.

        Returns:
            This module.
        """
        return self._apply(lambda t: t.to(dtype=dst_type))

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

    # ---- state

    def state_dict(self, *, destination: dict[str, Any] | None = None, prefix: str = "",
                   keep_vars: bool = False) -> dict[str, Any]:
        """All parameters and persistent buffers by their paths.

        Args:
            destination: a dictionary to fill; None for a new one.
            prefix: what to put before all paths.
            keep_vars: give the Parameters themselves rather than detached tensors, which share their memory.

        Returns:
            The dictionary.
        """
        return state.state_dict(self, OrderedDict() if destination is None else destination, prefix, keep_vars)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> state.IncompatibleKeys:
        """Copies parameters and buffers from a dictionary into this module. If anything is wrong, nothing is changed.

        Args:
            state_dict: tensors, or arrays of another library, by their paths.
            strict: missing and unexpected keys are errors.
            assign: take the given tensors instead of copying them.

        Returns:
            The missing keys and the unexpected ones, as (missing_keys, unexpected_keys).

        Raises:
            RuntimeError: lists all that is wrong: keys, if strict, and shapes.
            TypeError: state_dict is no dictionary, or a value no array.
        """
        return state.load_state_dict(self, state_dict, strict, assign)

    def save(self, path: str | PathLike, metadata: dict[str, str] | None = None) -> None:
        """Writes `state_dict()` to a .safetensors file, which is renamed into place: it never exists half written.

        Args:
            path: the file.
            metadata: strings to keep in its header.
        """
        save_file(self.state_dict(), path, metadata)

    def load(self, path: str | PathLike, strict: bool = True) -> state.IncompatibleKeys:
        """Reads a .safetensors file into this module by `load_state_dict`.

        Args:
            path: the file.
            strict: missing and unexpected keys are errors.

        Returns:
            The missing keys and the unexpected ones.
        """
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


class _Hook(NamedTuple):
    """A hook with options: whether it takes the keyword arguments too, and whether exceptions do not stop it."""

    function: Callable
    with_kwargs: bool
    always: bool = False


def _call_forward_hook(hook: Any, module: Module, args: tuple, kwargs: dict[str, Any], result: Any) -> Any:
    if not isinstance(hook, _Hook):
        return hook(module, args, result)
    return hook.function(module, args, kwargs, result) if hook.with_kwargs else hook.function(module, args, result)


def _replace(tensor: Tensor, fn: Callable[[Tensor], Tensor]) -> None:
    new = fn(tensor.detach())
    if new._array is not tensor._array:
        tensor.data = new


def note_layer(error: Exception, module: Module) -> None:
    """Notes on an exception which layer raised it. Called by the layer, then by each module around it, which knows
    more of the path."""
    failed, line = getattr(error, "_gpunet_layer", (module, None))
    text = f"in {failed._get_name() if vars(failed).get('_modules') else repr(failed)}"
    if line is None:
        error.add_note(text)
        error.__dict__["_gpunet_layer"] = failed, len(error.__notes__) - 1
    elif failed is not module:
        path = next((path for path, inner in module.named_modules() if inner is failed), None)
        if path is not None:
            error.__notes__[line] = f"{text}, layer '{path}' of {module._get_name()}"
