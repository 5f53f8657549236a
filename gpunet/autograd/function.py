"""`Function`: an operation with its own forward and backward, for users who bring their own kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gpunet.engine.graph import Slot, new_node, sum_to
from gpunet.engine.modes import mode, no_grad
from gpunet.ops.inplace import rebase

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["Function", "once_differentiable"]


class FunctionCtx:
    """What a Function's forward hands to its backward. Other attributes may be set on it freely; tensors belong into
    `save_for_backward`, which notices when one is changed in place and frees them after the backward pass."""

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Any, ...] = ()
    _not_differentiable: tuple[Tensor, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _zeros_for_none = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for backward, where they are `ctx.saved_tensors`.

        Args:
            *tensors: Inputs, outputs or others, or None.
        """
        self.saved_tensors = tensors

    def mark_dirty(self, *args: Tensor) -> None:
        """Says which inputs forward has changed in place; they must be among its outputs.

        Args:
            *args: The inputs.
        """
        self._dirty = args

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


class Function(FunctionCtx):
    """An operation with its own gradient: subclass it, define two static methods, call `YourFunction.apply(...)`.

    forward takes any arguments after ctx and returns a tensor or a tuple of tensors; nothing in it is recorded.
    backward takes one gradient for each output and returns one (or None) for each argument of forward; if it is
    written in tensor operations it can be differentiated again. The names and meanings are those of
    torch.autograd.Function, but for vmap and jvp. With a third static method, setup_context, forward takes no ctx.

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
    def forward(*args: Any) -> Any:
        """The operation, which a subclass defines; nothing in it is recorded.

        Args:
            *args: First the context, whose `save_for_backward(...)` keeps tensors for backward, unless there is a
                setup_context; then what `apply` was given.

        Returns:
            A tensor, or a tuple of tensors.
        """
        raise NotImplementedError("Function: define a static method forward(ctx, *args) in the subclass")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """What a subclass may define to keep things for backward after forward, which then takes no ctx.

        Args:
            ctx: What backward gets too.
            inputs: What forward was given.
            output: What forward returned.
        """
        raise NotImplementedError("Function: define a static method setup_context(ctx, inputs, output) in the subclass")

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
            if cls.setup_context is Function.setup_context:
                answer = cls.forward(ctx, *args)
            else:
                answer = cls.forward(*args)
                cls.setup_context(ctx, args, answer)
        outputs = answer if isinstance(answer, tuple) else (answer,)
        for x in ctx._dirty:
            if not any(y is x for y in outputs):
                raise RuntimeError(f"{cls.__name__}: forward marked a tensor as dirty and did not return it; what it "
                                   "changes in place must be among its outputs")
        # An argument that is returned unchanged becomes a tensor of its own, with its own history.
        outputs = tuple(y.detach() if y is not None and any(y is x for x in tensors)
                        and not any(y is x for x in ctx._dirty) else y for y in outputs)
        if mode.grad and any(ctx.needs_input_grad):
            _record(cls, ctx, tensors, outputs)
        return outputs if isinstance(answer, tuple) else outputs[0]


class _Call:
    """One call, as a Node sees an op."""

    second_by_via, repeatable, joint, arity = False, False, False, None

    def __init__(self, function: type[Function], ctx: FunctionCtx, outputs: Sequence[Any], places: list[int | None],
                 shapes: list[Any]) -> None:
        self.name, self.outputs = function.__name__, len(outputs)
        self._function, self.ctx, self._places, self._shapes = function, ctx, places, shapes

    def vjp(self, gradients: Any, *values: Any) -> Sequence[Any]:
        """The Function's backward, for the values that the Node has saved: first the outputs, then the other
        tensors."""
        ctx, outputs, others = self.ctx, values[: self.outputs], iter(values[self.outputs :])
        gradients = [gradients] if self.outputs == 1 else gradients
        if ctx._zeros_for_none:
            like = next(g for g in gradients if g is not None)
            gradients = [like.new_zeros(y.shape, dtype=y.dtype) if g is None and y is not None else g
                         for g, y in zip(gradients, outputs, strict=True)]
        ctx.saved_tensors = tuple(next(others) if place is None else outputs[place] for place in self._places)
        try:
            found = self._function.backward(ctx, *gradients)
        finally:
            ctx.saved_tensors = ()
        found = found if isinstance(found, tuple) else (found,)
        count = len(ctx.needs_input_grad)
        if len(found) < count or any(g is not None for g in found[count:]):
            raise RuntimeError(f"{self.name}: backward returned {len(found)} gradients, but forward took {count} "
                               "arguments; return one for each, None where there is none")
        return [None if shape is None or g is None else self._fitted(i, g, shape)
                for i, (g, shape) in enumerate(zip(found[:count], self._shapes, strict=True))]

    def _fitted(self, i: int, gradient: Any, shape: tuple[int, ...]) -> Any:
        """The gradient of an argument; one of a shape to which the argument's could be broadcast is summed."""
        if not hasattr(gradient, "_array"):
            raise TypeError(f"{self.name}: backward must return tensors or None, got {type(gradient).__name__} for "
                            f"argument {i}")
        have = gradient._array.shape
        if have == shape:
            return gradient
        if len(have) < len(shape) or any(n not in (1, m) for n, m in zip(shape[::-1], have[::-1], strict=False)):
            raise RuntimeError(f"{self.name}: backward returned a gradient of shape {have} for argument {i}, whose "
                               f"shape is {shape}; they must be the same")
        return sum_to(gradient, shape)


def _record(function: type[Function], ctx: FunctionCtx, tensors: Sequence[Any], outputs: tuple[Any, ...]) -> None:
    saved, ctx.saved_tensors = ctx.saved_tensors, ()
    places = [next((i for i, y in enumerate(outputs) if y is s and y is not None), None) for s in saved]
    edges = [(x._node or x) if wanted else None for x, wanted in zip(tensors, ctx.needs_input_grad, strict=True)]
    for x in ctx._dirty:
        base = x._view[0] if x._view else x
        if base._requires_grad and base._node is None:
            raise RuntimeError(f"{function.__name__}: a leaf tensor that requires gradients, or a view of one, cannot "
                               "be changed in place while operations are recorded; clone() it first")
    kept = [None if s is None else (s, s._version[0]) for s, place in zip(saved, places, strict=True) if place is None]
    # A saved output is kept without its history, which leads to this node: a circle would never be freed.
    results = [None if not hasattr(y, "_array") else (y._array, y._version, y._version[0], y._device) if i in places
               else (y._array.shape, y._array.dtype, y._device) for i, y in enumerate(outputs)]
    shapes = [None if edge is None else x._array.shape for x, edge in zip(tensors, edges, strict=True)]
    node = new_node(_Call(function, ctx, outputs, places, shapes), {}, edges, kept, results)
    for i, y in enumerate(outputs):
        if hasattr(y, "_array") and y.is_floating_point() and not any(y is z for z in ctx._not_differentiable):
            place = node if len(outputs) == 1 else Slot(node, i)
            if any(y is x for x in ctx._dirty):
                changed = y.detach()
                changed._node, changed._requires_grad = place, True
                rebase(y, changed)
            else:
                y._node, y._requires_grad = place, True


class _Refused(Function):
    """The identity, which cannot be differentiated: what once_differentiable returns."""

    @staticmethod
    def forward(*args: Any) -> Any:
        return args[1]

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a Function's backward that cannot be differentiated itself: nothing in it is recorded, and a second
    derivative is an error.

    Args:
        fn: The static method backward(ctx, *grad_outputs).

    Returns:
        The same method, decorated.

    Examples:
        >>> class Square(gpunet.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...
        ...     @staticmethod
        ...     @gpunet.autograd.function.once_differentiable
        ...     def backward(ctx, gradient):
        ...         (x,) = ctx.saved_tensors
        ...         return 2 * x * gradient
        >>> x = gpunet.tensor([3.0], requires_grad=True)
        >>> Square.apply(x).backward()
        >>> x.grad
        tensor([6.])
    """
    @functools.wraps(fn)
    def backward(ctx: Any, *gradients: Any) -> Any:
        with no_grad():
            found = fn(ctx, *gradients)
        if not mode.grad or not any(hasattr(g, "_array") and g._requires_grad for g in gradients):
            return found

        def refusing(gradient: Any) -> Any:
            return gradient if gradient is None else _Refused.apply(gradient.detach().requires_grad_())

        return tuple(map(refusing, found)) if isinstance(found, tuple) else refusing(found)

    return backward
