"""What training loops do with all parameters at once: limit their gradients, join them in a vector."""

from __future__ import annotations

from collections.abc import Iterable

from gpunet.dtypes import HALF_TYPES, float32
from gpunet.engine.modes import no_grad
from gpunet.ops import creation, shape
from gpunet.ops.norms import vector_norm
from gpunet.tensor import Tensor


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def _norm(t: Tensor, p: float) -> Tensor:
    """The p-norm of all elements, 0 of none; that of half types is float32."""
    t = t.to(float32) if t._array.dtype in HALF_TYPES else t
    return vector_norm(t, p) if t.numel() else t.sum()


@no_grad()
def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach=None) -> Tensor:
    """Scales all gradients, as if they were one vector, to a norm of at most max_norm (Pascanu et al., 2013). Returns
    the norm before.

    norm_type: p of the p-norm, perhaps inf. error_if_nonfinite: RuntimeError if the norm is infinite or NaN, which
    takes a look at it on the host, so not within a recorded step. foreach: PyTorch's, ignored.
    """
    gradients, norm_type = _gradients(parameters), float(norm_type)
    if norm_type <= 0:
        raise ValueError(f"clip_grad_norm_: norm_type must be positive, got {norm_type}")
    if not gradients:
        return creation.zeros(())
    norms = [_norm(g, norm_type) for g in gradients]
    total = _norm(shape.stack([norm.to(norms[0].device) for norm in norms]), norm_type)
    if error_if_nonfinite and not total.isfinite().item():
        raise RuntimeError(f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it "
                           "cannot be clipped. To disable this error and scale the gradients by the non-finite norm "
                           "anyway, set `error_if_nonfinite=False`")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(factor.to(g.device, g.dtype))
    return total


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach=None) -> None:
    """Limits every element of the gradients to -clip_value to clip_value."""
    for g in _gradients(parameters):
        g.clamp_(-float(clip_value), float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements in one vector, through which gradients flow back."""
    return shape.cat([p.reshape(-1) for p in parameters])


@no_grad()
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copies a vector, as `parameters_to_vector` makes it, into the parameters."""
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
