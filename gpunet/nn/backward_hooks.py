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


class BackwardHooks:
    """The backward hooks of one call of a module: its inputs and outputs go through `watch_inputs` and `watch_outputs`,
    and the hooks are called with their gradients: each of `before` as hook(module, grad_output), when the gradients of
    the outputs are there, and each of `after` as hook(module, grad_input, grad_output), when those of the inputs are.
    What a hook returns, if not None, replaces grad_output or grad_input."""

    def __init__(self, module: Any, before: list[Callable], after: list[Callable]) -> None:
        self.module, self.before, self.after = module, before, after
        self.grad_output: tuple | None = None
        self.inputs_watched, self.inputs = False, 0

    def watch_inputs(self, args: tuple) -> tuple:
        """The arguments for `forward`."""
        self.inputs = len(args)
        if self.after:
            args, self.inputs_watched = _pass_through(args, self._see_inputs)
        return args

    def watch_outputs(self, result: Any) -> Any:
        """What the call returns."""
        if is_tensor(result):
            return _pass_through((result,), self._see_outputs)[0][0]
        if isinstance(result, (tuple, list)):
            watched = _pass_through(tuple(result), self._see_outputs)[0]
            return type(result)(*watched) if hasattr(result, "_fields") else type(result)(watched)
        return result

    def _see_inputs(self, gradients: tuple) -> tuple:
        for hook in self.after:
            gradients = _replaced(gradients, hook(self.module, gradients, self.grad_output), "grad_input")
        return gradients

    def _see_outputs(self, gradients: tuple) -> tuple:
        for hook in self.before:
            gradients = _replaced(gradients, hook(self.module, gradients), "grad_output")
        self.grad_output = gradients
        if not self.inputs_watched:  # nothing further back will call the hooks
            self._see_inputs((None,) * self.inputs)
        return gradients


def _replaced(gradients: tuple, changed: Any, what: str) -> tuple:
    if changed is None:
        return gradients
    changed = tuple(changed) if isinstance(changed, (tuple, list)) else (changed,)
    if len(changed) != len(gradients):
        raise RuntimeError(f"a backward hook returned {len(changed)} gradients as {what}, but there are "
                           f"{len(gradients)}; return one for each, None where there is none")
    return changed
