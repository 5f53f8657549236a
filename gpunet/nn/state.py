"""What `Module.state_dict` and `Module.load_state_dict` do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpunet.engine.modes import no_grad
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.tensor import Tensor

if TYPE_CHECKING:
    from gpunet.nn.module import Module


class IncompatibleKeys(NamedTuple):
    """The keys that a state dictionary lacks, and those that it has too many."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def _places(module: Module) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Where the tensors of the state are: (key, the dictionary that holds the tensor, its name there)."""
    for path, inner in module.named_modules(remove_duplicate=False):
        path = path and path + "."
        for name, parameter in inner._parameters.items():
            if parameter is not None:
                yield path + name, inner._parameters, name
        for name, buffer in inner._buffers.items():
            if buffer is not None and name not in inner._non_persistent_buffers_set:
                yield path + name, inner._buffers, name


def state_dict(module: Module, destination: dict[str, Any], prefix: str, keep_vars: bool) -> dict[str, Any]:
    for key, holder, name in _places(module):
        destination[prefix + key] = holder[name] if keep_vars else holder[name].detach()
    return destination


def load_state_dict(module: Module, given: Mapping[str, Any], strict: bool, assign: bool) -> IncompatibleKeys:
    if not hasattr(given, "keys"):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(given)}.")
    places = {key: (holder, name) for key, holder, name in _places(module)}
    missing = [key for key in places if key not in given]
    unexpected = [key for key in given if key not in places]
    errors = []
    if strict and unexpected:
        errors.append(f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
    if strict and missing:
        errors.append(f"Missing key(s) in state_dict: {_quoted(missing)}. ")
    values = {}
    for key, (holder, name) in places.items():
        if key not in given:
            continue
        value = values[key] = _as_tensor(given[key], key)
        if value.shape != holder[name].shape:
            errors.append(f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the "
                          f"shape in current model is {holder[name].shape}.")
    if errors:
        listed = "\n\t".join(errors)
        raise RuntimeError(f"Error(s) in loading state_dict for {module._get_name()}:\n\t{listed}")
    with no_grad():
        for key, value in values.items():
            holder, name = places[key]
            if not assign:
                holder[name].copy_(value)
            elif isinstance(holder[name], Parameter):
                requires_grad = holder[name].requires_grad
                holder[name] = value if isinstance(value, Parameter) else Parameter(value, requires_grad)
            else:
                holder[name] = value
    return IncompatibleKeys(missing, unexpected)


def _quoted(keys: Iterable[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def _as_tensor(value: Any, key: str) -> Tensor:
    """Another library's array serves as well as a tensor: weights move both ways."""
    if isinstance(value, Tensor):
        return value
    if hasattr(value, "__array__"):
        return creation.tensor(np.asarray(value), device="cpu")
    raise TypeError(f"load_state_dict: the value of {key!r} must be a tensor or an array, got {type(value).__name__}")
