"""Gradients checked against finite differences.

The derivative that backward() gives is compared with the central difference (f(x + eps) - f(x - eps)) / (2 eps).
Use float64 inputs: in float32 the difference has too few digits left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from gpunet.engine.differentiate import grad
from gpunet.engine.modes import enable_grad, no_grad

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient differs from its finite difference; the message says which, where and by how much.

    Examples:
        >>> x = gpunet.tensor([2.0], dtype=gpunet.float64, requires_grad=True)
        >>> try:
        ...     gpunet.autograd.gradcheck(lambda x: x.detach() * x, x)
        ... except RuntimeError:
        ...     print("wrong")
        wrong
    """


def gradcheck(func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
              raise_exception: bool = True, fast_mode: bool = False) -> bool:
    """Checks the gradients of `func(*inputs)` with respect to the inputs that require gradients.

    A gradient passes where |analytical - numerical| <= atol + rtol * |numerical|.

    Args:
        func: Takes tensors, returns a tensor or a sequence of tensors: the same for the same inputs.
        inputs: A tensor, or a sequence of anything that func takes. float64 tensors give reliable checks. They are
            changed by eps and back, in place.
        eps: How far the inputs are changed.
        atol: The difference that is allowed.
        rtol: The same, relative to the finite difference.
        raise_exception: Whether a wrong gradient is an error; otherwise it is a result.
        fast_mode: Compares along one direction of the inputs and one of the outputs, instead of every element with
            every element: two evaluations an input. (PyTorch's draws random complex directions.)

    Returns:
        True, or False for a wrong gradient if not raise_exception.

    Raises:
        GradcheckError: If a gradient is wrong.
        ValueError: If no input requires gradients.
        RuntimeError: If elements of an input share their memory.

    Examples:
        >>> x = gpunet.tensor([1.0, 2.0], dtype=gpunet.float64, requires_grad=True)
        >>> gpunet.autograd.gradcheck(lambda x: x.exp() * x, x)
        True
    """
    inputs = [inputs] if _is_tensor(inputs) else list(inputs)
    try:
        wanted = _checked(inputs)
        compare = _compare_directions if fast_mode else _compare_elements
        compare(func, inputs, wanted, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6,
                  atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
                  fast_mode: bool = False) -> bool:
    """Checks the second derivatives: `gradcheck` of the first gradient as a function of inputs and grad_outputs.

    Args:
        func: As for `gradcheck`.
        inputs: As for `gradcheck`.
        grad_outputs: The vectors of the first vector-Jacobian product; fixed uneven ones if None.
        eps: As for `gradcheck`.
        atol: As for `gradcheck`.
        rtol: As for `gradcheck`.
        raise_exception: As for `gradcheck`.
        fast_mode: As for `gradcheck`.

    Returns:
        True, or False for a wrong gradient if not raise_exception.

    Raises:
        GradcheckError: If a second derivative is wrong.
        ValueError: If no input requires gradients.

    Examples:
        >>> x = gpunet.tensor([1.0, 2.0], dtype=gpunet.float64, requires_grad=True)
        >>> gpunet.autograd.gradgradcheck(lambda x: x.exp() * x, x)
        True
    """
    inputs = [inputs] if _is_tensor(inputs) else list(inputs)
    wanted = _checked(inputs)
    if grad_outputs is None:
        with no_grad():
            outputs = _outputs(func, inputs)
        grad_outputs = [_direction(y, seed).requires_grad_() for seed, y in enumerate(outputs, start=100)]
    grad_outputs = [grad_outputs] if _is_tensor(grad_outputs) else list(grad_outputs)

    def first_gradient(*given: Tensor) -> list[Tensor]:
        arguments, vectors = given[: len(inputs)], given[len(inputs) :]
        outputs = _outputs(func, arguments)
        pairs = [(y, v) for y, v in zip(outputs, vectors, strict=True) if y.requires_grad]
        found = grad([y for y, _ in pairs], [arguments[i] for i in wanted], [v for _, v in pairs],
                     create_graph=True, allow_unused=True)
        return [g for g in found if g is not None and g.requires_grad]

    return gradcheck(first_gradient, [*inputs, *grad_outputs], eps=eps, atol=atol, rtol=rtol,
                     raise_exception=raise_exception, fast_mode=fast_mode)


def _is_tensor(x: object) -> bool:
    return hasattr(x, "_array")


def _checked(inputs: Sequence[Any]) -> list[int]:
    """The places of the inputs that require gradients."""
    wanted = [i for i, x in enumerate(inputs) if _is_tensor(x) and x.requires_grad]
    if not wanted:
        raise ValueError("gradcheck: at least one input must be a tensor that requires gradients")
    for i in wanted:
        sizes = zip(inputs[i].shape, inputs[i].stride(), strict=True)
        if inputs[i].numel() and any(step == 0 and n > 1 for n, step in sizes):
            raise RuntimeError(f"gradcheck: input {i} is expanded: several of its elements share one place in memory, "
                               "so they cannot be changed one by one; clone() it first")
    return wanted


def _outputs(func: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    """The floating-point outputs of `func`."""
    outputs = func(*inputs)
    outputs = [outputs] if _is_tensor(outputs) else list(outputs)
    return [y for y in outputs if _is_tensor(y) and y.is_floating_point()]


def _direction(x: Tensor, seed: int) -> Tensor:
    """Fixed uneven numbers of about unit size, in the shape of x: the fractions of n * the golden ratio, in [-1, 1]."""
    with no_grad():
        n = x.new_tensor([i + 1.0 + 7919 * seed for i in range(x.numel())], dtype=x.dtype)
        return (n * 0.6180339887498949 % 1 * 2 - 1).reshape(x.shape)


def _numerical(func: Callable[..., Any], inputs: Sequence[Any], x: Tensor, change: Tensor, eps: float) -> list[Tensor]:
    """The change of each output per unit of `change` of x, which stays as it was."""
    before, recorded = x.detach().clone(), enable_grad()(func)  # `func` may itself ask for gradients
    with no_grad():
        try:
            x.copy_(before + change * eps)
            above = [y.detach().clone() for y in _outputs(recorded, inputs)]
            x.copy_(before - change * eps)
            below = [y.detach().clone() for y in _outputs(recorded, inputs)]
        finally:
            x.copy_(before)
        return [(a - b) / (2 * eps) for a, b in zip(above, below, strict=True)]


def _analytical(y: Tensor, x: Tensor, vector: Tensor) -> Tensor:
    if not y.requires_grad:
        return x.detach() * 0
    (found,) = grad(y, x, vector, retain_graph=True, allow_unused=True)
    if found is None:
        return x.detach() * 0
    if found.shape != x.shape or found.dtype != x.dtype:
        raise GradcheckError(f"gradcheck: a gradient has shape {tuple(found.shape)} and type {found.dtype}, its input "
                             f"{tuple(x.shape)} and {x.dtype}; they must be the same")
    return found.detach()


def _compare_elements(func: Callable[..., Any], inputs: Sequence[Any], wanted: list[int], eps: float, atol: float,
                      rtol: float) -> None:
    """Every element of every output with respect to every element of every input."""
    columns = {}  # per input and place in it: the derivatives of all outputs
    for i in wanted:
        for place in product(*map(range, inputs[i].shape)):
            change = inputs[i].detach() * 0
            change[place] = 1
            columns[i, place] = _numerical(func, inputs, inputs[i], change, eps)
    for o, y in enumerate(_outputs(func, inputs)):
        for row in product(*map(range, y.shape)):
            vector = y.detach() * 0
            vector[row] = 1
            for i in wanted:
                found = _analytical(y, inputs[i], vector)
                for place in product(*map(range, inputs[i].shape)):
                    _compare(found[place].item(), columns[i, place][o][row].item(), atol, rtol,
                             f"output {o} at {row} with respect to input {i} at {place}")


def _compare_directions(func: Callable[..., Any], inputs: Sequence[Any], wanted: list[int], eps: float, atol: float,
                        rtol: float) -> None:
    """The outputs summed with uneven weights, with respect to each input along an uneven direction."""
    changes = {i: _direction(inputs[i], seed) for seed, i in enumerate(wanted, start=1)}
    slopes = {i: _numerical(func, inputs, inputs[i], changes[i], eps) for i in wanted}
    for o, y in enumerate(_outputs(func, inputs)):
        vector = _direction(y, o)
        for i in wanted:
            found = (_analytical(y, inputs[i], vector) * changes[i]).sum().item()
            _compare(found, (vector * slopes[i][o]).sum().item(), atol, rtol,
                     f"output {o} with respect to input {i}, along one direction")


def _compare(analytical: float, numerical: float, atol: float, rtol: float, where: str) -> None:
    if not abs(analytical - numerical) <= atol + rtol * abs(numerical):
        raise GradcheckError(f"gradcheck: the derivative of {where} is {analytical:.6g} by backward() but "
                             f"{numerical:.6g} by finite differences (atol {atol}, rtol {rtol})")
