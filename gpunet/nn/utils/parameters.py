"""What training loops do with all parameters at once: limit their gradients, join them in a vector."""

from __future__ import annotations

from collections.abc import Iterable

from gpunet.dispatch import into, wrap
from gpunet.dtypes import HALF_TYPES, float32
from gpunet.engine.modes import no_grad
from gpunet.ops import creation
from gpunet.ops.gradients import ORDERS, clip_all, scale_all, total_norm
from gpunet.ops.join import cat, stack
from gpunet.ops.norms import vector_norm
from gpunet.ops.rules import accumulator
from gpunet.ops.views import as_it_lies
from gpunet.tensor import Tensor


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


def _norm(t: Tensor, p: float) -> Tensor:
    """The p-norm of all elements, 0 of none; that of half types is float32."""
    t = t.to(float32) if t._array.dtype in HALF_TYPES else t
    return vector_norm(t, p) if t.numel() else t.sum()  # pyright: ignore[reportArgumentType]


@no_grad()
def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Scales all gradients so that their norm, as if they were one vector, is at most max_norm: each is multiplied by
    `min(1, max_norm / (norm + 1e-6))`.

    Source: Pascanu et al., "On the Difficulty of Training Recurrent Neural Networks", 2013.

    Args:
        parameters: tensors, or one tensor, whose gradients are scaled in place; those without one are left out.
        max_norm: the largest norm.
        norm_type: p of the p-norm; may be infinite.
        error_if_nonfinite: raise if the norm is infinite or NaN. This reads it on the host, so it cannot be used within
            a recorded step.
        foreach: accepted as in PyTorch, without effect.

    Returns:
        The norm before, a scalar.

    Raises:
        RuntimeError: the norm is not finite, with error_if_nonfinite.
        ValueError: norm_type is not positive.

    Examples:
        >>> p = nn.Parameter(gpunet.zeros(2))
        >>> p.grad = gpunet.tensor([3.0, 4.0])
        >>> nn.utils.clip_grad_norm_([p], max_norm=1.0)
        tensor(5.)
        >>> p.grad
        tensor([0.6000, 0.8000])
    """
    gradients, norm_type = _gradients(parameters), _order("clip_grad_norm_", norm_type)
    if not gradients:
        return creation.zeros(())
    if not error_if_nonfinite and _alike(gradients) and norm_type in ORDERS:
        first = gradients[0]
        total = wrap(first._device.empty((), accumulator(first._array.dtype)), first._device)
        into(clip_all.op, (*map(as_it_lies, gradients), total), most=float(max_norm), order=norm_type)
        return total
    total = _total_norm(gradients, norm_type, error_if_nonfinite)
    _scale_by_norm(gradients, max_norm, total)
    return total


@no_grad()
def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """The norm of all elements of some tensors, as if they were one vector.

    Args:
        tensors: tensors, or one tensor.
        norm_type: p of the p-norm; may be infinite.
        error_if_nonfinite: raise if the norm is infinite or NaN. This reads it on the host, so it cannot be used within
            a recorded step.
        foreach: accepted as in PyTorch, without effect.

    Returns:
        The norm, a scalar; of half types in float32.

    Raises:
        RuntimeError: the norm is not finite, with error_if_nonfinite.
        ValueError: norm_type is not positive.

    Examples:
        >>> nn.utils.get_total_norm([gpunet.tensor([3.0, 0.0]), gpunet.tensor([[4.0]])])
        tensor(5.)
    """
    tensors, norm_type = _listed(tensors), _order("get_total_norm", norm_type)
    return _total_norm(tensors, norm_type, error_if_nonfinite) if tensors else creation.zeros(())


@no_grad()
def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor,
                          foreach: bool | None = None) -> None:
    """Scales all gradients by `min(1, max_norm / (total_norm + 1e-6))`, as `clip_grad_norm_` does, for a norm that is
    known.

    Args:
        parameters: tensors, or one tensor, whose gradients are scaled in place; those without one are left out.
        max_norm: the largest norm.
        total_norm: the gradients' norm, as `get_total_norm` gives it.
        foreach: accepted as in PyTorch, without effect.

    Examples:
        >>> p = nn.Parameter(gpunet.zeros(2))
        >>> p.grad = gpunet.tensor([3.0, 4.0])
        >>> nn.utils.clip_grads_with_norm_(p, 1.0, nn.utils.get_total_norm(p.grad))
        >>> p.grad
        tensor([0.6000, 0.8000])
    """
    if gradients := _gradients(parameters):
        _scale_by_norm(gradients, max_norm, total_norm)


def _order(name: str, norm_type: float) -> float:
    if float(norm_type) <= 0:
        raise ValueError(f"{name}: norm_type must be positive, got {float(norm_type)}")
    return float(norm_type)


def _alike(tensors: list[Tensor]) -> bool:
    """Whether one call takes them all."""
    return len({(t._device, t._array.dtype) for t in tensors}) == 1


def _total_norm(tensors: list[Tensor], norm_type: float, error_if_nonfinite: bool) -> Tensor:
    if norm_type in ORDERS and _alike(tensors):
        total = total_norm(*map(as_it_lies, tensors), order=norm_type)
    else:
        norms = [_norm(t, norm_type) for t in tensors]
        total = _norm(stack([norm.to(norms[0].device) for norm in norms]), norm_type)
    if error_if_nonfinite and not total.isfinite().item():
        raise RuntimeError(f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it "
                           "cannot be clipped. To disable this error and scale the gradients by the non-finite norm "
                           "anyway, set `error_if_nonfinite=False`")
    return total


def _scale_by_norm(gradients: list[Tensor], max_norm: float, total: Tensor) -> None:
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    if _alike(gradients) and factor._device is gradients[0]._device:
        into(scale_all.op, tuple(map(as_it_lies, gradients)), factor)
    else:
        for g in gradients:
            g.mul_(factor.to(g.device, g.dtype))


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limits every element of the gradients to [-clip_value, clip_value].

    Args:
        parameters: tensors, or one tensor, whose gradients are changed in place.
        clip_value: the limit.
        foreach: accepted as in PyTorch, without effect.

    Examples:
        >>> p = nn.Parameter(gpunet.zeros(2))
        >>> p.grad = gpunet.tensor([3.0, -0.5])
        >>> nn.utils.clip_grad_value_([p], 1.0)
        >>> p.grad
        tensor([ 1.0000, -0.5000])
    """
    for g in _gradients(parameters):
        g.clamp_(-float(clip_value), float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Joins all elements of some tensors in one vector; gradients flow back through it.

    Args:
        parameters: the tensors.

    Returns:
        A vector.

    Examples:
        >>> nn.utils.parameters_to_vector([gpunet.tensor([[1.0, 2.0]]), gpunet.tensor([3.0])])
        tensor([1., 2., 3.])
    """
    return cat([p.reshape(-1) for p in parameters])


@no_grad()
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copies a vector, as `parameters_to_vector` gives it, into parameters.

    Args:
        vec: the vector.
        parameters: the tensors to fill, in the same order.

    Raises:
        ValueError: the vector has another number of elements.
        TypeError: vec is no tensor.

    Examples:
        >>> p = nn.Parameter(gpunet.zeros(1, 2))
        >>> nn.utils.vector_to_parameters(gpunet.tensor([1.0, 2.0]), [p])
        >>> p.detach()
        tensor([[1., 2.]])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected a Tensor, but got {type(vec).__name__}")
    parameters = list(parameters)
    wanted = sum(p.numel() for p in parameters)
    if vec.shape != (wanted,):
        raise ValueError(f"vector_to_parameters: the parameters have {wanted} elements, the vector has shape "
                         f"{tuple(vec.shape)}")
    start = 0
    for p in parameters:
        p.copy_(vec[start : start + p.numel()].reshape(p.shape))
        start += p.numel()
