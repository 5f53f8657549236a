"""Modules that hold modules: in a chain, in a list, in a dictionary."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self, overload

from gpunet.nn.joined import (
    activation_of,
    called,
    is_folded,
    is_followed,
    is_linear,
    is_zero_padded,
    rectified,
)
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops.epilogue import RELU
from gpunet.tensor import Tensor


class _Ordered(Module):
    """Base of Sequential and ModuleList: children numbered "0", "1", ..."""

    def _like(self, named: Iterable[tuple[str, Module]]) -> Self:
        """A container of the same class."""
        raise NotImplementedError

    def _name(self, index: int) -> str:
        """The name of the child at a position, which may count from the end."""
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return list(self._modules)[index]

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Module | Self:
        if isinstance(index, slice):
            return self._like(list(self._modules.items())[index])
        return self._modules[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name(index), module)

    def __delitem__(self, index: int | slice) -> None:
        for name in list(self._modules)[index] if isinstance(index, slice) else [self._name(index)]:
            del self._modules[name]
        self._renumber(self._modules.values())

    def _renumber(self, modules: Iterable[Module]) -> None:
        modules = list(modules)
        self._modules.clear()
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def append(self, module: Module) -> Self:
        """Adds a module at the end.

        Args:
            module: the module.

        Returns:
            This container.
        """
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Adds a module before a position.

        Args:
            index: the position; may be negative.
            module: the module.

        Returns:
            This container.

        Raises:
            IndexError: there is no such position.
            TypeError: module is no Module.
        """
        if not isinstance(module, Module):
            raise TypeError(f"module should be of type: {Module}, got {type(module).__name__}")
        modules = list(self._modules.values())
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"Index out of range: {index}")
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Adds modules at the end.

        Args:
            modules: the modules.

        Returns:
            This container.
        """
        for module in list(modules):
            self.append(module)
        return self

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def pop(self, index: int = -1) -> Module:
        """Removes a module.

        Args:
            index: its position.

        Returns:
            The module.

        Raises:
            IndexError: there is no such position.
        """
        module = self[index]
        del self[index]
        return module


class Sequential(_Ordered):
    """Modules one after another: each gets the output of the one before.

    A Linear followed by a ReLU, GELU or SiLU is computed by one op (one kernel on the GPU), unless either has hooks or
    is of a class of its own; so is a convolution followed by a ReLU and, where no gradients are recorded, by a batch
    norm in evaluation and any of the three. On a GPU so is a batch norm in training followed by a ReLU.

    Args:
        args: the modules; or one OrderedDict of named modules.

    Examples:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> model(gpunet.randn(3, 4)).shape
        gpunet.Size([3, 2])
        >>> model[1:]
        Sequential(
          (1): ReLU()
          (2): Linear(in_features=8, out_features=2, bias=True)
        )
    """

    def __init__(self, *args: Module | OrderedDict[str, Module]) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            named: Any = args[0].items()
        else:
            named = ((str(i), module) for i, module in enumerate(args))
        for name, module in named:
            self.add_module(name, module)

    def _like(self, named: Iterable[tuple[str, Module]]) -> Self:
        return type(self)(OrderedDict(named))

    def __delitem__(self, index: int | slice) -> None:
        numbered = list(self._modules) == [str(i) for i in range(len(self))]
        for name in list(self._modules)[index] if isinstance(index, slice) else [self._name(index)]:
            del self._modules[name]
        if numbered:
            self._renumber(self._modules.values())

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def forward(self, input: Any) -> Any:
        first: Any = None  # a layer whose call waits to see whether an activation follows, in evaluation a batch norm
        norm: Any = None
        followed: Any = None  # a batch norm in training whose call waits to see whether a ReLU follows
        for module in self._modules.values():
            if followed is not None:
                last, followed = followed, None
                if activation_of(module) == RELU:
                    input = rectified(last, input)
                    continue
                input = last(input)
            if first is not None:
                if norm is None and is_folded(first, module):
                    norm = module
                    continue
                activation = activation_of(module)
                input = called(first, norm, activation, input)
                first = norm = None
                if activation:
                    continue
            if is_linear(module) or is_zero_padded(module):
                first = module
            elif is_followed(module, input):
                followed = module
            else:
                input = module(input)
        if followed is not None:
            return followed(input)
        return input if first is None else called(first, norm, 0, input)


class ModuleList(_Ordered):
    """A list of modules, all of them registered. It has the methods of a list, and no `forward`.

    Args:
        modules: the modules to begin with.

    Examples:
        >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        >>> layers
        ModuleList(
          (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
        )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def _like(self, named: Iterable[tuple[str, Module]]) -> Self:
        return type(self)(module for _, module in named)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """PyTorch's: equal neighbours are written once, with their count."""
        if not len(self):
            return f"{self._get_name()}()"
        runs: list[list] = []  # [first, last, text]
        for i, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        lines = [f"({first}): {text}" if first == last else f"({first}-{last}): {last - first + 1} x {text}"
                 for first, last, text in runs]
        return f"{self._get_name()}(\n  " + "\n  ".join(line.replace("\n", "\n  ") for line in lines) + "\n)"


class ModuleDict(Module):
    """A dictionary of modules, all of them registered, in the order of insertion. It has the methods of a dictionary,
    and no `forward`.

    Args:
        modules: a mapping, or (key, module) pairs, to begin with.

    Examples:
        >>> choices = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
        >>> choices["tanh"](gpunet.zeros(2))
        tensor([0., 0.])
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Removes all modules."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Removes a module.

        Args:
            key: its key.

        Returns:
            The module.

        Raises:
            KeyError: there is no such key.
        """
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        """The keys, in order."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Module]:
        """The (key, module) pairs, in order."""
        return self._modules.items()

    def values(self) -> ValuesView[Module]:
        """The modules, in order."""
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds modules, or replaces those whose keys are there.

        Args:
            modules: a mapping, or (key, module) pairs.
        """
        pairs: Any = modules.items() if isinstance(modules, Mapping | ModuleDict) else modules
        for key, module in pairs:
            self[key] = module


class ParameterList(Module):
    """A list of parameters, all of them registered. Plain tensors are made parameters.

    Args:
        values: the parameters or tensors to begin with.

    Examples:
        >>> weights = nn.ParameterList([gpunet.zeros(2), gpunet.zeros(3)])
        >>> len(weights), weights[1].requires_grad
        (2, True)
    """

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def _at(self, index: int) -> str:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range")
        return str(index % len(self))

    @overload
    def __getitem__(self, index: int) -> Parameter: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Parameter | Self:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._parameters[self._at(index)]

    def __setitem__(self, index: int, value: Tensor) -> None:
        self._parameters[self._at(index)] = value if isinstance(value, Parameter) else Parameter(value)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def append(self, value: Tensor) -> Self:
        """Adds a parameter at the end.

        Args:
            value: the parameter, or a tensor that becomes one.

        Returns:
            This list.
        """
        self.register_parameter(str(len(self)), value if isinstance(value, Parameter) else Parameter(value))
        return self

    def extend(self, values: Iterable[Tensor]) -> Self:
        """Adds parameters at the end.

        Args:
            values: parameters, or tensors that become ones.

        Returns:
            This list.
        """
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Tensor]) -> Self:
        return self.extend(values)

    def extra_repr(self) -> str:
        return "\n".join(f"  ({i}): Parameter containing: [{p.dtype} of size {'x'.join(map(str, p.shape))}]"
                         for i, p in enumerate(self))


class ParameterDict(Module):
    """A dictionary of parameters, all of them registered, in the order of insertion. It has the methods of a
    dictionary. Plain tensors are made parameters; what is no tensor is kept as it is.

    Args:
        parameters: a mapping, (key, value) pairs, or keys alone, whose values are None, to begin with.

    Examples:
        >>> weights = nn.ParameterDict({"left": gpunet.zeros(2), "right": gpunet.ones(3)})
        >>> weights["right"].requires_grad, list(weights)
        (True, ['left', 'right'])
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        self.update({} if parameters is None else parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, self._held(key))

    def __setitem__(self, key: str, value: Any) -> None:
        name = self._named_by(key)
        self._keys[key] = None
        setattr(self, name, Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter)
                else value)

    def __delitem__(self, key: str) -> None:
        delattr(self, self._held(key))
        del self._keys[key]

    def _held(self, key: str) -> str:
        if key not in self._keys:
            raise KeyError(key)
        return key

    def _named_by(self, key: str) -> str:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict: a key must be a string, got {key!r}")
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"ParameterDict: the key {key!r} is the name of an attribute")
        return key

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> KeysView[str]:
        """The keys, in order."""
        return self._keys.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The (key, value) pairs, in order."""
        return [(key, self[key]) for key in self._keys]

    def values(self) -> Iterable[Any]:
        """The values, in order."""
        return [self[key] for key in self._keys]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or a default.

        Args:
            key: the key.
            default: what to return if there is no such key.

        Returns:
            The value.
        """
        return self[key] if key in self else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is set to a default if there is none.

        Args:
            key: the key.
            default: the value to set.

        Returns:
            The value.
        """
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Removes all values."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Removes a value.

        Args:
            key: its key.

        Returns:
            The value.

        Raises:
            KeyError: there is no such key.
        """
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Removes the value that was added last.

        Returns:
            Its key and the value.
        """
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def copy(self) -> ParameterDict:
        """Another dictionary with the same values.

        Returns:
            The dictionary.
        """
        return ParameterDict(self.items())

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Another dictionary, with these keys and one value.

        Args:
            keys: the keys.
            default: the value.

        Returns:
            The dictionary.
        """
        return ParameterDict((key, default) for key in keys)

    def update(self, parameters: Any) -> None:
        """Adds values, or replaces those whose keys are there.

        Args:
            parameters: a mapping, (key, value) pairs, or keys alone, whose values are None.
        """
        given = parameters.items() if hasattr(parameters, "items") else parameters
        for each in given:
            key, value = (each, None) if isinstance(each, str) else each
            self[key] = value

    def __or__(self, other: ParameterDict) -> ParameterDict:
        both = self.copy()
        both.update(other)
        return both

    def __ror__(self, other: ParameterDict) -> ParameterDict:
        both = other.copy()
        both.update(self)
        return both

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return "\n".join(
            f"  ({key}): Parameter containing: [{p.type()} of size {'x'.join(map(str, p.shape))}]"
            if isinstance(p, Parameter) else f"  ({key}): Object of type: {type(p).__name__}"
            for key, p in self.items())
