"""What users call of the walk: gradients that are returned, and gradients that are collected in leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpunet._warn import warn
from gpunet.engine.graph import accumulate, run

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor],
         grad_outputs: Tensor | Sequence[Tensor | None] | None = None, retain_graph: bool | None = None,
         create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
         is_grads_batched: bool = False, materialize_grads: bool = False) -> tuple[Tensor, ...]:
    """The gradients of outputs with respect to inputs, which are returned; no tensor's `.grad` changes.

    d/d inputs[j] of sum_i <grad_outputs[i], outputs[i]>: vector-Jacobian products, or of one scalar its gradient.

    Args:
        outputs: What is differentiated: a tensor, or a sequence of tensors.
        inputs: With respect to what: a tensor, or a sequence of tensors, which must require gradients.
        grad_outputs: The vectors, one for each output, in its shape. None stands for 1, for an output with one element.
        retain_graph: Whether the graph can be walked again. None: if `create_graph`.
        create_graph: Whether the gradients can be differentiated themselves.
        only_inputs: True. PyTorch deprecates it and ignores other values, with a warning, as is done here.
        allow_unused: Whether an input on which the outputs do not depend has None for its gradient. None: if
            `materialize_grads`.
        is_grads_batched: False. There are no batches of vectors here.
        materialize_grads: Whether such an input has zeros for its gradient.

    Returns:
        A tuple with one tensor for each input, or None where `allow_unused` lets it.

    Raises:
        RuntimeError: If an input does not require gradients, or an output does not depend on any tensor that does; an
            input is unused, and that is not allowed; a vector is missing or has another shape than its output; or the
            graph was freed by an earlier walk.
        ValueError: If `materialize_grads` and `allow_unused` contradict each other.
        NotImplementedError: For `is_grads_batched`.

    Examples:
        >>> x = gpunet.tensor([1.0, 2.0], requires_grad=True)
        >>> (slope,) = gpunet.autograd.grad((x ** 3).sum(), x, create_graph=True)
        >>> gpunet.autograd.grad(slope.sum(), x)
        (tensor([ 6., 12.]),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("grad: materialize_grads=True gives unused inputs zeros, which allow_unused=False forbids; "
                         "leave allow_unused out")
    if is_grads_batched:
        raise NotImplementedError("grad: is_grads_batched=True is not supported; call grad once for each vector, with "
                                  "retain_graph=True")
    if not only_inputs:
        warn("grad: only_inputs is ignored; to collect gradients in all leaves, use gpunet.autograd.backward",
             FutureWarning)
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    vectors = [None] * len(outputs) if grad_outputs is None else _sequence(grad_outputs)
    if len(vectors) != len(outputs):
        raise RuntimeError(f"grad: {len(outputs)} outputs but {len(vectors)} grad_outputs; give one for each")
    for t in inputs:
        if not t._requires_grad:
            raise RuntimeError("grad: one of the inputs does not require gradients; call requires_grad_() on it first")
    found: Any = run(outputs, vectors, inputs, create_graph if retain_graph is None else retain_graph, create_graph)
    if materialize_grads:
        found = [t.new_zeros(t.shape) if g is None else g for t, g in zip(inputs, found, strict=True)]
    elif not allow_unused and any(g is None for g in found):
        i = next(i for i, g in enumerate(found) if g is None)
        raise RuntimeError(
            f"grad: the outputs do not depend on input {i} (shape {tuple(inputs[i].shape)}); "
            "pass allow_unused=True to get None for it"
        )
    return tuple(found)


def backward(tensors: Tensor | Sequence[Tensor], grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
             retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Tensor | Sequence[Tensor] | None = None) -> None:
    """Computes the gradients of tensors with respect to the leaves, and adds them to the leaves' `.grad`.

    d/d leaf of sum_i <grad_tensors[i], tensors[i]>.

    Args:
        tensors: What is differentiated: a tensor, or a sequence of tensors.
        grad_tensors: The vectors, one for each tensor, in its shape. None stands for 1, for a tensor with one element.
        retain_graph: Whether the graph can be walked again. None: if `create_graph`.
        create_graph: Whether the gradients can be differentiated themselves.
        inputs: Only these tensors collect gradients. None: all leaves.

    Raises:
        RuntimeError: If a tensor does not depend on any that requires gradients, a vector is missing or has another
            shape than its tensor, or the graph was freed by an earlier walk.

    Examples:
        >>> x = gpunet.tensor([1.0, 2.0], requires_grad=True)
        >>> gpunet.autograd.backward([x * 3, x * x], [gpunet.ones(2), gpunet.ones(2)])
        >>> x.grad
        tensor([5., 7.])
    """
    tensors = _sequence(tensors)
    vectors = [None] * len(tensors) if grad_tensors is None else _sequence(grad_tensors)
    retain_graph = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        run(tensors, vectors, None, retain_graph, create_graph)
        return
    inputs = _sequence(inputs)
    for t, g in zip(inputs, run(tensors, vectors, inputs, retain_graph, create_graph), strict=True):
        if g is not None:
            hooks, t._hooks = t._hooks, None  # run() has called them
            try:
                accumulate(t, g, create_graph)
            finally:
                t._hooks = hooks


def _sequence(given: Any) -> list[Any]:
    """A tensor alone, or some, as a list."""
    return [given] if hasattr(given, "_array") else list(given)
