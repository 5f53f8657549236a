"""Parametrizations: a parameter that is computed from others, whenever it is read."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from gpunet.engine.modes import no_grad
from gpunet.nn.container import ModuleDict, ModuleList
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.tensor import Tensor

__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
           "transfer_parametrizations_and_params", "type_before_parametrizations"]

M = TypeVar("M", bound=Module)


class _Cache:
    """What `cached` blocks have computed: by module and name."""

    depth = 0
    values: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """A block in which each parametrized tensor is computed once, however often it is read.

    Examples:
        >>> class Doubled(nn.Module):
        ...     def forward(self, x):
        ...         return x * 2
        >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(2, 2), "weight", Doubled())
        >>> with nn.utils.parametrize.cached():
        ...     layer.weight is layer.weight
        True
    """
    _Cache.depth += 1
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = {}


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and what they start from: `original`, or `original0`, `original1`, ... where
    the `right_inverse` of the first gives several tensors. `register_parametrization` makes it.

    Args:
        modules: the parametrizations, the first to be applied first.
        original: the tensor.
        unsafe: whether they may change the tensor's type and shape.

    Attributes:
        is_tensor: whether there is one original.
        ntensors: how many there are otherwise.

    Raises:
        ValueError: a `right_inverse` gives what is no tensor, or, unless unsafe, one of another shape or type.

    Examples:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> sorted(name for name, _ in layer.parametrizations.weight.named_parameters())
        ['original0', 'original1']
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList: there must be at least one parametrization")
        super().__init__(modules)
        self.unsafe = unsafe
        start: Any = original
        with no_grad():
            for module in reversed(self):
                if hasattr(module, "right_inverse"):
                    start = module.right_inverse(start)
        start = start.detach() if isinstance(start, Tensor) else start
        self.is_tensor = isinstance(start, Tensor)
        if not self.is_tensor and not isinstance(start, Sequence):
            raise ValueError("ParametrizationList: right_inverse must give a tensor or a sequence of tensors, got "
                             f"{type(start).__name__}")
        self.ntensors = 1 if self.is_tensor else len(start)
        trained = original.requires_grad
        held: Any = original
        if isinstance(start, Tensor):
            if not unsafe and (start.dtype != original.dtype or start.shape != original.shape):
                raise ValueError("ParametrizationList: right_inverse gave a tensor of shape "
                                 f"{tuple(start.shape)} and type {start.dtype} for one of {tuple(original.shape)} and "
                                 f"{original.dtype}; pass unsafe=True if that is meant")
            if isinstance(held, Parameter):  # the same Parameter, so that optimizers keep hold of it
                if start.shape == original.shape and start.dtype == original.dtype:
                    with no_grad():
                        original.copy_(start)
                else:
                    held.data = start
                self.register_parameter("original", held)
            else:
                self.register_buffer("original", start)
        else:
            for i, each in enumerate(start):
                if not isinstance(each, Tensor):
                    raise ValueError(f"ParametrizationList: right_inverse gave {type(each).__name__} where tensors are "
                                     "expected")
                if isinstance(original, Parameter):
                    self.register_parameter(f"original{i}", Parameter(each.detach(), trained))
                else:
                    self.register_buffer(f"original{i}", each.detach())
        if not unsafe:
            with no_grad():
                found = self()
            if not isinstance(found, Tensor) or found.shape != original.shape or found.dtype != original.dtype:
                raise ValueError("ParametrizationList: a parametrization must keep a tensor's shape and type, got "
                                 f"{_described(found)} for {_described(original)}; pass unsafe=True if that is meant")

    def right_inverse(self, value: Tensor) -> None:
        """Sets the originals so that the parametrized tensor becomes a value.

        Args:
            value: the value.
        """
        start: Any = value
        with no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrize: {type(module).__name__} has no right_inverse, so its tensor "
                                       "cannot be assigned to")
                start = module.right_inverse(start)
            pairs = [("original", start)] if self.is_tensor else [(f"original{i}", t) for i, t in enumerate(start)]
            for name, new in pairs:
                held = getattr(self, name)
                if not isinstance(new, Tensor):
                    raise ValueError(f"parametrize: right_inverse gave {type(new).__name__} where a tensor is expected")
                if held.shape == new.shape and held.dtype == new.dtype:
                    held.copy_(new)
                else:
                    held.data = new.detach()

    def forward(self) -> Tensor:
        modules = iter(self)
        first: Any = next(modules)
        found = (first(self.original) if self.is_tensor else
                 first(*(getattr(self, f"original{i}") for i in range(self.ntensors))))
        for module in modules:
            found = module(found)
        return found


def _described(value: Any) -> str:
    return f"{tuple(value.shape)} and {value.dtype}" if isinstance(value, Tensor) else type(value).__name__


def _make_class(module: Module) -> None:
    """Gives a module a class of its own, in which parametrized tensors are properties."""
    base = type(module)

    def deep(self: Any, memo: dict[int, Any]) -> Any:
        twin = memo[id(self)] = base.__new__(base)
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        _make_class(twin)
        for name in twin.parametrizations:
            _make_property(twin, name)
        return twin

    def refuse(self: Any, protocol: Any = None) -> Any:
        raise RuntimeError("parametrize: a parametrized module cannot be pickled; save its state_dict()")

    module.__class__ = type(f"Parametrized{base.__name__}", (base,), {
        "__deepcopy__": deep, "__reduce_ex__": refuse, "_before_parametrizations": base, "__module__": base.__module__})


def _make_property(module: Module, name: str) -> None:
    def get(self: Any) -> Tensor:
        if not _Cache.depth:
            return self.parametrizations[name]()
        key = id(self), name
        if key not in _Cache.values:
            _Cache.values[key] = self.parametrizations[name]()
        return _Cache.values[key]

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def register_parametrization(module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> M:
    """Has a parameter or buffer of a module computed by a parametrization: reading `module.weight` calls it with
    `module.parametrizations.weight.original`, which is what an optimizer trains. Several are applied one after another.

    If the parametrization has a method `right_inverse`, it gives the original of the present value; and assigning to
    `module.weight` calls it.

    Args:
        module: the module, which is changed.
        tensor_name: the parameter's or buffer's name.
        parametrization: a module that computes the tensor.
        unsafe: whether it may change the tensor's type and shape.

    Returns:
        The module.

    Raises:
        ValueError: the module has no such parameter, or the parametrization changes its shape or type.

    Examples:
        >>> class Symmetric(nn.Module):
        ...     def forward(self, x):
        ...         return x.triu() + x.triu(1).mT
        >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
        >>> gpunet.equal(layer.weight, layer.weight.T)
        True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held: Any = module.parametrizations[tensor_name]
        if not unsafe:
            with no_grad():
                before = getattr(module, tensor_name)
                after = parametrization(before)
                if not isinstance(after, Tensor) or after.shape != before.shape or after.dtype != before.dtype:
                    raise ValueError("register_parametrization: a parametrization must keep a tensor's shape and type, "
                                     f"got {_described(after)} for {_described(before)}; pass unsafe=True if that is "
                                     "meant")
                if hasattr(parametrization, "right_inverse"):
                    held.right_inverse(parametrization.right_inverse(before))  # pyright: ignore
        held.append(parametrization)
        held.unsafe |= unsafe
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
                         f"'{tensor_name}'")
    holder = module._parameters if tensor_name in module._parameters else module._buffers
    listed = ParametrizationList([parametrization], holder[tensor_name], unsafe)
    del holder[tensor_name]
    if not is_parametrized(module):
        _make_class(module)
        module.parametrizations = ModuleDict()
    _make_property(module, tensor_name)
    module.parametrizations[tensor_name] = listed
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has parametrizations.

    Args:
        module: the module.
        tensor_name: the tensor that is asked about; None for any.

    Returns:
        True if it has.

    Examples:
        >>> nn.utils.parametrize.is_parametrized(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), "weight")
        True
    """
    held = module._modules.get("parametrizations")
    if not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Makes a parametrized tensor a plain one again.

    Args:
        module: the module, which is changed.
        tensor_name: the tensor's name.
        leave_parametrized: whether it keeps the value that it has now; otherwise it gets its original's.

    Returns:
        The module.

    Raises:
        ValueError: the tensor is not parametrized, or its value is to be given up and it has several originals.

    Examples:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> sorted(nn.utils.parametrize.remove_parametrizations(layer, "weight").state_dict())
        ['bias', 'weight']
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    every: Any = module.parametrizations
    held = every[tensor_name]
    original = held.original if held.is_tensor else None
    if original is None and not leave_parametrized:
        raise ValueError("remove_parametrizations: a tensor with several originals has no single one to go back to; "
                         "leave leave_parametrized=True")
    with no_grad():
        value = getattr(module, tensor_name).detach()
    if original is None:
        trained = any(p.requires_grad for p in held.parameters(recurse=False))
        plain: Any = Parameter(value, trained) if held._parameters else value
    else:
        plain = original
        if leave_parametrized:
            if value.shape == original.shape and value.dtype == original.dtype:
                with no_grad():
                    plain.copy_(value)
            else:
                plain.data = value
    delattr(type(module), tensor_name)
    del every[tensor_name]
    if isinstance(plain, Parameter):
        module.register_parameter(tensor_name, plain)
    else:
        module.register_buffer(tensor_name, plain)
    if not len(every):
        del module.parametrizations
        module.__class__ = type_before_parametrizations(module)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before it got parametrizations.

    Args:
        module: the module.

    Returns:
        The class; the module's own if it has none.

    Examples:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> nn.utils.parametrize.type_before_parametrizations(layer) is nn.Linear
        True
    """
    return getattr(type(module), "_before_parametrizations", type(module))


def transfer_parametrizations_and_params(from_module: Module, to_module: M, tensor_name: str | None = None) -> M:
    """Gives a module the parametrizations and the parameters of another one.

    Args:
        from_module: the module that has them.
        to_module: the module that gets them.
        tensor_name: the tensor that is meant; None for all.

    Returns:
        The second module.

    Examples:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> twin = nn.utils.parametrize.transfer_parametrizations_and_params(layer, nn.Linear(3, 2))
        >>> gpunet.equal(twin.weight, layer.weight)
        True
    """
    if is_parametrized(from_module):
        held: Any = from_module.parametrizations
        for name in list(held) if tensor_name is None else [tensor_name]:
            if not hasattr(to_module, name):
                setattr(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
            for parametrization in held[name]:
                register_parametrization(to_module, name, parametrization, unsafe=held[name].unsafe)
            ours: Any = to_module
            for key, value in held[name].named_parameters(recurse=False):
                setattr(ours.parametrizations[name], key, value)
    return to_module
