"""Full backward hooks: what a module's inputs and outputs pass through so that their gradients can be seen together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from gpunet.dispatch import OpFunction, is_tensor, op


@cache
def _watch(count: int) -> OpFunction:
    """The identity of `count` tensors whose gradient calls `see(gradients)` and passes on what that returns.

    It copies: a hook must not see changes that are made in place later on.
    """

    def rule(*arrays: Any, see: Callable) -> tuple:
        pairs = tuple((x.shape, x.dtype) for x in arrays)
        return pairs[0] if count == 1 else pairs

    @op(rule, outputs=count, strided=True)
    def module_boundary(xp: Any, *arrays: Any, see: Callable) -> None:
        for out, x in zip(arrays[:count], arrays[count:], strict=True):
            xp.copyto(out, x)

    @module_boundary.gradient
    def _(gradients: Any, *_: Any, see: Callable) -> tuple:
        return see((gradients,) if count == 1 else tuple(gradients))

    return module_boundary


def _pass_through(values: tuple, see: Callable[[tuple], tuple]) -> tuple[tuple, bool]:
    """`values` with the tensors that carry gradients sent through `_watch`; and whether there are any. `see` gets and
    returns one gradient for each of `values`, None where there is none."""
    places = [i for i, value in enumerate(values) if is_tensor(value) and value.requires_grad]
    if not places:
        return values, False

    def see_all(gradients: tuple) -> tuple:
        full: list[Any] = [None] * len(values)
        for place, gradient in zip(places, gradients, strict=True):
            full[place] = gradient
        seen = see(tuple(full))
        return tuple(seen[place] for place in places)

    watched = _watch(len(places))(*(values[i] for i in places), see=see_all)
    result = list(values)
    for place, tensor in zip(places, (watched,) if len(places) == 1 else watched, strict=True):
        result[place] = tensor
    return tuple(result), True


def call_watched(module: Any, forward: Callable, args: tuple, kwargs: dict[str, Any], hooks: dict[Any, Any]) -> Any:
    """Calls `forward(*args, **kwargs)` such that each hook(module, grad_input, grad_output) is called in the backward
    pass. A hook may return a replacement of grad_input."""
    grad_output: list[tuple] = []

    def see_inputs(gradients: tuple) -> tuple:
        for hook in list(hooks.values()):
            replaced = hook(module, gradients, grad_output[0] if grad_output else None)
            if replaced is not None:
                gradients = replaced if isinstance(replaced, tuple) else (replaced,)
        return gradients

    def see_outputs(gradients: tuple) -> tuple:
        grad_output[:] = [gradients]
        if not inputs_watched:  # nothing further back will call the hooks
            see_inputs((None,) * len(args))
        return gradients

    args, inputs_watched = _pass_through(args, see_inputs)
    result = forward(*args, **kwargs)
    if is_tensor(result):
        return _pass_through((result,), see_outputs)[0][0]
    if isinstance(result, (tuple, list)):
        watched = _pass_through(tuple(result), see_outputs)[0]
        return type(result)(*watched) if hasattr(result, "_fields") else type(result)(watched)
    return result
