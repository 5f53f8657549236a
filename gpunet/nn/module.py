"""Module: the base class of layers and models."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from os import PathLike
from textwrap import indent
from typing import Any

from gpunet import devices, dtypes
from gpunet.engine.hooks import RemovableHandle
from gpunet.engine.modes import no_grad
from gpunet.nn import state
from gpunet.nn.backward_hooks import call_watched
from gpunet.nn.parameter import Buffer, Parameter
from gpunet.serialization import load_file, save_file
from gpunet.tensor import Tensor


class Module:
    """A layer, or a whole model: parameters, buffers and other modules, and a `forward` that computes with them.

    Assigning a Parameter, Buffer or Module to an attribute registers it. The names and meanings are those of
    `torch.nn.Module`, and so are the keys of `state_dict()`.

    An exception raised in a layer's forward carries a note with the layer's path in the model.
    """

    training = True
    # Dictionaries of hooks, made when the first hook is registered. `_hooked` lets a call without hooks skip them all.
    _hooked = False
    _forward_pre_hooks = _forward_hooks = _backward_hooks = None

    def __init__(self, *args, **kwargs):
        if args or kwargs:
            raise TypeError(f"{type(self).__name__}.__init__() got arguments that nn.Module does not take: "
                            f"{', '.join([*map(repr, args), *kwargs])}")
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set(), training=True)

    def forward(self, *args, **kwargs):
        """What the module computes; each subclass has its own."""
        raise NotImplementedError(f"Module [{type(self).__name__}] is missing the required \"forward\" function")

    def __call__(self, *args, **kwargs):
        try:
            if self._hooked:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            note_layer(error, self)
            raise

    def _call_with_hooks(self, args, kwargs):
        for hook in list((self._forward_pre_hooks or {}).values()):
            if isinstance(hook, _WithKwargs):
                changed = hook.function(self, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        if self._backward_hooks:
            result = call_watched(self, self.forward, args, kwargs, self._backward_hooks)
        else:
            result = self.forward(*args, **kwargs)
        for hook in list((self._forward_hooks or {}).values()):
            if isinstance(hook, _WithKwargs):
                changed = hook.function(self, args, kwargs, result)
            else:
                changed = hook(self, args, result)
            if changed is not None:
                result = changed
        return result

    # ---- hooks

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False):
        """Calls hook(module, args) before forward; what it returns, if not None, replaces the positional arguments.
        with_kwargs: hook(module, args, kwargs) -> None or (args, kwargs). Returns a handle with remove()."""
        return self._add_hook("_forward_pre_hooks", _WithKwargs(hook) if with_kwargs else hook, prepend)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False):
        """Calls hook(module, args, output) after forward; what it returns, if not None, replaces the output.
        with_kwargs: hook(module, args, kwargs, output). Returns a handle with remove()."""
        return self._add_hook("_forward_hooks", _WithKwargs(hook) if with_kwargs else hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False):
        """Calls hook(module, grad_input, grad_output), tuples of gradients, when the gradients of the inputs have been
        computed (or of the outputs, if no input requires them). What it returns, if not None, replaces grad_input.
        Only positional tensor arguments are seen. Returns a handle with remove()."""
        return self._add_hook("_backward_hooks", hook, prepend)

    def _add_hook(self, kind: str, hook, prepend: bool):
        hooks = self.__dict__.get(kind)
        if hooks is None:
            hooks = self.__dict__[kind] = OrderedDict()
        self.__dict__["_hooked"] = True
        handle = RemovableHandle(hooks, hook)
        if prepend:
            hooks.move_to_end(handle._key, last=False)
        return handle

    # ---- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        kinds = own.get("_parameters"), own.get("_buffers"), own.get("_modules")
        is_ours = isinstance(value, (Parameter, Buffer, Module))
        if kinds[0] is None:
            if is_ours:
                kind = "module" if isinstance(value, Module) else type(value).__name__.lower()
                raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
            object.__setattr__(self, name, value)
        elif is_ours:
            place = 0 if isinstance(value, Parameter) else 1 if isinstance(value, Buffer) else 2
            for kind in (own, *kinds):
                if kind is not kinds[place]:  # a new value in the same place keeps its turn
                    kind.pop(name, None)
            if place == 0:
                self.register_parameter(name, value)
            elif place == 1:
                self.register_buffer(name, value, value.persistent)
            else:
                self.add_module(name, value)
        elif name in kinds[0]:
            _require(value is None, value, "parameter", name, "gpunet.nn.Parameter or None")
            kinds[0][name] = None
        elif name in kinds[2]:
            _require(value is None, value, "child module", name, "gpunet.nn.Module or None")
            kinds[2][name] = None
        elif name in kinds[1]:
            _require(value is None or isinstance(value, Tensor), value, "buffer", name, "gpunet.Tensor or None")
            kinds[1][name] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if "_parameters" in own:  # else Module.__init__ has not been called yet
            if name in own["_parameters"]:
                return own["_parameters"][name]
            if name in own["_modules"]:
                return own["_modules"][name]
            if name in own["_buffers"]:
                return own["_buffers"][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        for kind in (self._parameters, self._buffers, self._modules):
            if name in kind:
                del kind[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter (None: a place for one that this instance has not)."""
        self._check_name(name, "parameter", self.__dict__.get("_parameters"))
        _require(param is None or isinstance(param, Parameter), param, "parameter", name, "gpunet.nn.Parameter or None")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that moves with the module but is not trained. persistent: it is part of `state_dict()`."""
        self._check_name(name, "buffer", self.__dict__.get("_buffers"))
        _require(tensor is None or isinstance(tensor, Tensor), tensor, "buffer", name, "gpunet.Tensor or None")
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name(name, "module", self.__dict__.get("_modules"))
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, name, kind, taken):
        if taken is None:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in taken and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    # ---- what is in it

    def named_modules(self, memo: set | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with their paths; each once unless remove_duplicate=False."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly in this one, with their names; each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly in this one, each once."""
        return (module for _, module in self.named_children())

    def _named(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool):
        seen = set()
        modules = (self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse
                   else [(prefix, self)])
        for path, module in modules:
            for name, tensor in module.__dict__[kind].items():
                if tensor is not None and id(tensor) not in seen:
                    if remove_duplicate:
                        seen.add(id(tensor))
                    yield f"{path}.{name}" if path else name, tensor

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their paths; each once unless remove_duplicate=False."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and, if `recurse`, of all below it; each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their paths; each once unless remove_duplicate=False."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and, if `recurse`, of all below it; each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "encoder.0"; this one for ""."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def _get_tensor(self, target: str, kind: str, text: str):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in module.__dict__[kind]:
            raise AttributeError(f"`{name}` is not {text}")
        return module.__dict__[kind][name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "encoder.0.weight"."""
        return self._get_tensor(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path."""
        return self._get_tensor(target, "_buffers", "a buffer")

    # ---- changes to all of it

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Calls fn(module) on every module below this one, then on this one. Returns this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Sets training mode (dropout on, for one), or evaluation mode, in all modules. Returns this module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """Sets evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Turns the collection of gradients on or off for all parameters. Returns this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the parameters' gradients, or sets them to zero."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                if set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad.detach_()
                    parameter.grad.zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Module:
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

    def to(self, *args, device=None, dtype=None, non_blocking: bool = False) -> Module:
        """Moves all parameters and buffers to a device, and turns the floating-point ones into `dtype`: `to(device)`,
        `to(dtype)`, `to(device, dtype)`, `to(tensor)`. Changes this module in place and returns it."""
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
            device = devices.get(device).name
        return self._apply(lambda t: t.to(device=device, dtype=dtype if t.is_floating_point() else None))

    def cpu(self) -> Module:
        """Moves all parameters and buffers to the CPU."""
        return self.to("cpu")

    def cuda(self, device=0) -> Module:
        """Moves all parameters and buffers to a GPU."""
        return self.to(devices.device("cuda", device) if isinstance(device, int) else device)

    def type(self, dst_type) -> Module:
        """Turns all parameters and buffers into a type, integers too."""
        return self._apply(lambda t: t.to(dtype=dst_type))

    def float(self) -> Module:
        """Turns all floating-point parameters and buffers into float32."""
        return self.to(dtypes.float32)

    def double(self) -> Module:
        """Turns all floating-point parameters and buffers into float64."""
        return self.to(dtypes.float64)

    def half(self) -> Module:
        """Turns all floating-point parameters and buffers into float16."""
        return self.to(dtypes.float16)

    def bfloat16(self) -> Module:
        """Turns all floating-point parameters and buffers into bfloat16."""
        return self.to(dtypes.bfloat16)

    # ---- state

    def state_dict(self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False) -> dict:
        """All parameters and persistent buffers by their paths, detached (unless keep_vars) but in the same memory."""
        return state.state_dict(self, OrderedDict() if destination is None else destination, prefix, keep_vars)

    def load_state_dict(self, state_dict: dict, strict: bool = True, assign: bool = False) -> state.IncompatibleKeys:
        """Copies parameters and buffers from `state_dict` (tensors or arrays) into this module.

        strict: missing and unexpected keys are errors. assign: take the given tensors instead of copying them. Returns
        (missing_keys, unexpected_keys). Raises RuntimeError that lists all that is wrong, having changed nothing.
        """
        return state.load_state_dict(self, state_dict, strict, assign)

    def save(self, path: str | PathLike, metadata: dict[str, str] | None = None) -> None:
        """Writes `state_dict()` to a .safetensors file, which never exists half written."""
        save_file(self.state_dict(), path, metadata)

    def load(self, path: str | PathLike, strict: bool = True) -> state.IncompatibleKeys:
        """Reads a .safetensors file into this module by `load_state_dict`."""
        return self.load_state_dict(load_file(path), strict)

    # ---- text

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What repr() says about this module besides its children."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if len(lines) == 1 and not self._modules:
            return f"{self._get_name()}({extra})"
        # All lines of a child but its first are indented.
        lines += [f"({name}): " + indent(repr(child), "  ").lstrip() for name, child in self._modules.items()]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)" if lines else f"{self._get_name()}()"


class _WithKwargs:
    """A hook that takes the keyword arguments too."""

    def __init__(self, function):
        self.function = function


def _require(holds: bool, value, kind: str, name: str, wanted: str) -> None:
    if not holds:
        raise TypeError(f"cannot assign '{type(value).__name__}' as {kind} '{name}' ({wanted} expected)")


def _replace(tensor: Tensor, fn) -> None:
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
        error._gpunet_layer = failed, len(error.__notes__) - 1
    elif failed is not module:
        path = next((path for path, inner in module.named_modules() if inner is failed), None)
        if path is not None:
            error.__notes__[line] = f"{text}, layer '{path}' of {module._get_name()}"
