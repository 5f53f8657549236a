"""`Function`: an operation with its own forward and backward, for users who bring their own kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpunet.engine.graph import Slot, new_node
from gpunet.engine.modes import mode, no_grad

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["Function"]


class FunctionCtx:
    """What a Function's forward hands to its backward. Other attributes may be set on it freely; tensors belong into
    `save_for_backward`, which notices when one is changed in place and frees them after the backward pass."""

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Any, ...] = ()
    _not_differentiable: tuple[Tensor, ...] = ()
    _zeros_for_none = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for backward, where they are `ctx.saved_tensors`.

        Args:
            *tensors: Inputs, outputs or others, or None.
        """
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Says that no gradient flows through some outputs.

        Args:
            *args: The outputs.
        """
        self._not_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """What backward gets for an output that the loss does not depend on.

        Args:
            value: True for zeros, as it is by default; False for None.
        """
        self._zeros_for_none = value


class Function:
    """An operation with its own gradient: subclass it, define two static methods, call `YourFunction.apply(...)`.

    forward takes any arguments after ctx and returns a tensor or a tuple of tensors; nothing in it is recorded.
    backward takes one gradient for each output and returns one (or None) for each argument of forward; if it is
    written in tensor operations it can be differentiated again. The names and meanings are those of
    torch.autograd.Function; forward must not change its inputs in place (there is no mark_dirty).

    Examples:
        >>> class Cube(gpunet.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x ** 3
        ...
        ...     @staticmethod
        ...     def backward(ctx, gradient):
        ...         (x,) = ctx.saved_tensors
        ...         return 3 * x ** 2 * gradient
        >>> x = gpunet.tensor([2.0], requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        tensor([12.])
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """The operation, which a subclass defines; nothing in it is recorded.

        Args:
            ctx: What backward gets too: `ctx.save_for_backward(...)` keeps tensors for it.
            *args: What `apply` was given.

        Returns:
            A tensor, or a tuple of tensors.
        """
        raise NotImplementedError("Function: define a static method forward(ctx, *args) in the subclass")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The vector-Jacobian product, which a subclass defines.

        Args:
            ctx: What forward had: `ctx.saved_tensors` and `ctx.needs_input_grad`.
            *grad_outputs: One gradient for each output.

        Returns:
            One gradient, or None, for each argument of forward.
        """
        raise NotImplementedError("Function: define a static method backward(ctx, *gradients) in the subclass")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Runs forward, and records the call if an argument requires gradients.

        Args:
            *args: What forward takes after ctx.

        Returns:
            What forward returns.
        """
        ctx = FunctionCtx()
        tensors = [x if hasattr(x, "_array") else None for x in args]
        ctx.needs_input_grad = tuple(x is not None and x.requires_grad for x in tensors)
        with no_grad():
            answer = cls.forward(ctx, *args)
        outputs = answer if isinstance(answer, tuple) else (answer,)
        # An argument that is returned as it is becomes a tensor of its own, with its own history.
        outputs = tuple(y.detach() if any(y is x for x in tensors) else y for y in outputs)
        if mode.grad and any(ctx.needs_input_grad):
            _record(cls, ctx, tensors, outputs)
        return outputs if isinstance(answer, tuple) else outputs[0]


class _Call:
    """One call, as a Node sees an op."""

    second_by_via, repeatable, arity = False, False, None

    def __init__(self, function: type[Function], ctx: FunctionCtx, outputs: int, places: list[int | None]) -> None:
        self.name, self.outputs = function.__name__, outputs
        self._function, self._ctx, self._places = function, ctx, places

    def vjp(self, gradients: Any, *values: Any) -> Sequence[Any]:
        """The Function's backward, for the values that the Node has saved: first the outputs, then the other
        tensors."""
        ctx, outputs, others = self._ctx, values[: self.outputs], iter(values[self.outputs :])
        gradients = [gradients] if self.outputs == 1 else gradients
        if ctx._zeros_for_none:
            like = next(g for g in gradients if g is not None)
            gradients = [like.new_zeros(y.shape, dtype=y.dtype) if g is None else g
                         for g, y in zip(gradients, outputs, strict=True)]
        ctx.saved_tensors = tuple(next(others) if place is None else outputs[place] for place in self._places)
        try:
            found = self._function.backward(ctx, *gradients)
        finally:
            ctx.saved_tensors = ()
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(ctx.needs_input_grad):
            raise RuntimeError(f"{self.name}: backward returned {len(found)} gradients, but forward took "
                               f"{len(ctx.needs_input_grad)} arguments; return one for each, None where there is none")
        return found


def _record(function: type[Function], ctx: FunctionCtx, tensors: Sequence[Any], outputs: tuple[Any, ...]) -> None:
    saved, ctx.saved_tensors = ctx.saved_tensors, ()
    places = [next((i for i, y in enumerate(outputs) if y is s), None) for s in saved]
    edges = [(x._node or x) if wanted else None for x, wanted in zip(tensors, ctx.needs_input_grad, strict=True)]
    kept = [None if s is None else (s, s._version[0]) for s, place in zip(saved, places, strict=True) if place is None]
    node = new_node(_Call(function, ctx, len(outputs), places), {}, edges, kept)
    # A saved output is kept without its history, which leads to this node: a circle would never be freed.
    node.results = [(y._array, y._version, y._version[0], y._device) if i in places
                    else (y._array.shape, y._array.dtype, y._device) for i, y in enumerate(outputs)]
    for i, y in enumerate(outputs):
        if y.is_floating_point() and not any(y is other for other in ctx._not_differentiable):
            y._node, y._requires_grad = (node if len(outputs) == 1 else Slot(node, i)), True
