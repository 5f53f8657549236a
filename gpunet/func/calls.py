"""Modules as functions of their parameters, as `torch.func` has them: `functional_call`, `stack_module_state`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpunet.nn.module import Module
from gpunet.ops.join import stack
from gpunet.tensor import Tensor

__all__ = ["functional_call", "stack_module_state"]


def functional_call(module: Module, parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
                    args: Any = None, kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True,
                    strict: bool = False) -> Any:
    """Calls a module with other tensors in the place of its parameters and buffers. Gradients flow to these tensors;
    the module is the same afterwards, but for what its forward changes.

    Args:
        module: the module.
        parameter_and_buffer_dicts: tensors by the names that `named_parameters` and `named_buffers` give; or several
            such dictionaries with different names.
        args: the module's arguments: a tuple, or one that is no tuple.
        kwargs: its arguments by name.
        tie_weights: give parameters that are the same one the same tensor, although one name is given.
        strict: demand a tensor for each parameter and buffer.

    Returns:
        What the module returns.

    Raises:
        KeyError: several dictionaries have a name.
        RuntimeError: a name is none of the module's, or with `strict` one is missing.
        ValueError: two names of one parameter have different tensors.

    Examples:
        >>> layer = nn.Linear(2, 1)
        >>> gpunet.func.functional_call(layer, {"weight": gpunet.ones(1, 2), "bias": gpunet.ones(1)}, gpunet.ones(2))
        tensor([3.])
    """
    given: dict[str, Tensor] = {}
    dicts = parameter_and_buffer_dicts
    for each in [dicts] if isinstance(dicts, Mapping) else dicts:
        twice = given.keys() & each.keys()
        if twice:
            raise KeyError(f"functional_call: several dictionaries have the names {sorted(twice)}")
        given.update(each)
    places = _places(module)
    unknown = sorted(given.keys() - places.keys())
    if unknown:
        raise RuntimeError(f"functional_call: {type(module).__name__} has no parameter or buffer {', '.join(unknown)}")
    if tie_weights:
        given = _tied(given, places)
    missing = sorted(places.keys() - given.keys())
    if strict and missing:
        raise RuntimeError(f"functional_call: no tensor is given for {', '.join(missing)}")
    before: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, tensor in given.items():
            holder, key = places[name]
            before.append((holder, key, holder[key]))
            holder[key] = tensor
        return module(*args if isinstance(args, tuple) else () if args is None else (args,), **kwargs or {})
    finally:
        for holder, key, tensor in reversed(before):
            holder[key] = tensor


def _places(module: Module) -> dict[str, tuple[dict[str, Any], str]]:
    """Where each parameter and buffer is held, also those that have several names."""
    found = {}
    for path, part in module.named_modules(remove_duplicate=False):
        for holder in (part._parameters, part._buffers):
            for key, value in holder.items():
                if value is not None:
                    found[f"{path}.{key}" if path else key] = holder, key
    return found


def _tied(given: dict[str, Tensor], places: dict[str, tuple[dict[str, Any], str]]) -> dict[str, Tensor]:
    """With all names of the parameters that are given."""
    names: dict[int, list[str]] = {}
    for name, (holder, key) in places.items():
        names.setdefault(id(holder[key]), []).append(name)
    found = dict(given)
    for same in names.values():
        tensors = [given[name] for name in same if name in given]
        if any(t is not tensors[0] for t in tensors):
            raise ValueError(f"functional_call: {' and '.join(same)} are one parameter, but got different tensors; "
                             "give the same one, or pass tie_weights=False")
        found.update((name, tensors[0]) for name in same if tensors)
    return found


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of modules of one kind, each stacked along a new first dimension.

    Args:
        models: the modules, all in training mode or none.

    Returns:
        Two dictionaries of leaves, by name: the parameters, which require gradients, and the buffers.

    Raises:
        RuntimeError: there are no modules, or they are not all of one class and in one mode.

    Examples:
        >>> parameters, buffers = gpunet.func.stack_module_state([nn.Linear(2, 3), nn.Linear(2, 3)])
        >>> parameters["weight"].shape
        gpunet.Size([2, 3, 2])
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(m.training != models[0].training for m in models):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parts = []
    for of in ("named_parameters", "named_buffers"):
        every = [dict(getattr(m, of)()) for m in models]
        parts.append({name: stack([each[name] for each in every]).detach().requires_grad_(every[0][name].requires_grad)
                      for name in every[0]})
    return parts[0], parts[1]
