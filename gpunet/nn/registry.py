"""Registry: the parameters, buffers and children of a module, as its attributes and by their paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gpunet.nn.parameter import Buffer, Parameter
from gpunet.tensor import Tensor

if TYPE_CHECKING:
    from gpunet.nn.module import Module


class Registry:
    """Base of Module: what it consists of.

    Assigning a Parameter, Buffer or Module to an attribute puts it into one of three dictionaries, in order.
    """

    # None stands for a place that an instance leaves empty.
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set())

    # ---- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        is_ours = isinstance(value, (Parameter, Buffer, Registry))
        if "_parameters" not in own:
            if is_ours:
                kind = "module" if isinstance(value, Registry) else type(value).__name__.lower()
                raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
            object.__setattr__(self, name, value)
            return
        parameters, buffers, modules = own["_parameters"], own["_buffers"], own["_modules"]
        if is_ours:
            place = parameters if isinstance(value, Parameter) else buffers if isinstance(value, Buffer) else modules
            for other in (own, parameters, buffers, modules):
                if other is not place:  # a new value in the same place keeps its turn
                    other.pop(name, None)
            if isinstance(value, Parameter):
                self.register_parameter(name, value)
            elif isinstance(value, Buffer):
                self.register_buffer(name, value, value.persistent)
            else:
                self.add_module(name, value)  # pyright: ignore[reportArgumentType]
        elif name in parameters:
            _require(value is None, value, "parameter", name, "gpunet.nn.Parameter or None")
            parameters[name] = None
        elif name in modules:
            _require(value is None, value, "child module", name, "gpunet.nn.Module or None")
            modules[name] = None
        elif name in buffers:
            _require(value is None or isinstance(value, Tensor), value, "buffer", name, "gpunet.Tensor or None")
            buffers[name] = value
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

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter.

        Args:
            name: the attribute's name.
            param: the parameter, or None for a place that this instance leaves empty.

        Raises:
            KeyError: the name is taken, empty or has a dot.
            TypeError: param is no Parameter.
        """
        self._check_name(name, "parameter", self.__dict__.get("_parameters"))
        _require(param is None or isinstance(param, Parameter), param, "parameter", name, "gpunet.nn.Parameter or None")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that moves with the module but is not trained.

        Args:
            name: the attribute's name.
            tensor: the tensor, or None for a place that this instance leaves empty.
            persistent: whether it is part of `state_dict()`.

        Raises:
            KeyError: the name is taken, empty or has a dot.
            TypeError: tensor is no Tensor.
        """
        self._check_name(name, "buffer", self.__dict__.get("_buffers"))
        _require(tensor is None or isinstance(tensor, Tensor), tensor, "buffer", name, "gpunet.Tensor or None")
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child.

        Args:
            name: the attribute's name.
            module: the child, or None for a place that this instance leaves empty.

        Raises:
            KeyError: the name is taken, empty or has a dot.
            TypeError: module is no Module.
        """
        if not isinstance(module, Registry) and module is not None:
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name(name, "module", self.__dict__.get("_modules"))
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, name: object, kind: str, taken: dict[str, Any] | None) -> None:
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
        """This module and all below it, with their paths.

        Args:
            memo: modules that count as seen already.
            prefix: what to put before all paths.
            remove_duplicate: give a module that occurs twice only once.

        Returns:
            An iterator over (path, module); this module's path is the prefix.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self  # pyright: ignore[reportReturnType]
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

    def _named(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
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
        """The parameters, with their paths.

        Args:
            prefix: what to put before all paths.
            recurse: include those of the modules below.
            remove_duplicate: give a parameter that occurs twice only once.

        Returns:
            An iterator over (path, parameter).
        """
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once: what an optimizer takes.

        Args:
            recurse: include those of the modules below.

        Returns:
            An iterator.
        """
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """The buffers, with their paths.

        Args:
            prefix: what to put before all paths.
            recurse: include those of the modules below.
            remove_duplicate: give a buffer that occurs twice only once.

        Returns:
            An iterator over (path, buffer).
        """
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once.

        Args:
            recurse: include those of the modules below.

        Returns:
            An iterator.
        """
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a path.

        Args:
            target: a path such as "encoder.0"; "" for this module.

        Returns:
            The module.

        Raises:
            AttributeError: there is no module at the path.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Registry):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module  # pyright: ignore[reportReturnType]

    def _get_tensor(self, target: str, kind: str, text: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in module.__dict__[kind]:
            raise AttributeError(f"`{name}` is not {text}")
        return module.__dict__[kind][name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path.

        Args:
            target: a path such as "encoder.0.weight".

        Returns:
            The parameter.

        Raises:
            AttributeError: there is no parameter at the path.
        """
        return self._get_tensor(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path.

        Args:
            target: a path such as "norm.running_mean".

        Returns:
            The buffer.

        Raises:
            AttributeError: there is no buffer at the path.
        """
        return self._get_tensor(target, "_buffers", "a buffer")


def _require(holds: bool, value: object, kind: str, name: str, wanted: str) -> None:
    if not holds:
        raise TypeError(f"cannot assign '{type(value).__name__}' as {kind} '{name}' ({wanted} expected)")
