"""The softmax family."""

from __future__ import annotations

import warnings

from gpunet.dispatch import op
from gpunet.ops.compare import eq, where
from gpunet.ops.exponentials import exp, log
from gpunet.ops.half import rounded_once
from gpunet.ops.random import rand_like
from gpunet.ops.ranges import arange
from gpunet.ops.reduce import amax_op, argmax, sum_op
from gpunet.ops.rules import accumulator, check_dim, dims_of, reduced_shape, require_float

__all__ = ["log_softmax", "logsumexp", "softmax"]


def _rows(x, *, dim):
    require_float(x, "softmax")
    return x.shape, x.dtype


def _shifted(xp, x, dim):
    """x - max(x), in the accumulating type: exp() of it cannot overflow."""
    x = x.astype(accumulator(x.dtype), copy=False)
    return x - xp.max(x, axis=dim, keepdims=True) if x.size else x


@op(_rows)
def softmax_op(xp, out, x, *, dim):
    e = xp.exp(_shifted(xp, x, dim))
    e /= xp.sum(e, axis=dim, keepdims=True)
    xp.copyto(out, e, casting="unsafe")


@softmax_op.gradient
@rounded_once
def _(g, y, _x, *, dim):
    return (y * (g - sum_op(g * y, dims=(dim,) if y._array.ndim else (), keepdim=True)),)


@op(_rows)
def log_softmax_op(xp, out, x, *, dim):
    shifted = _shifted(xp, x, dim)
    xp.copyto(out, shifted - xp.log(xp.sum(xp.exp(shifted), axis=dim, keepdims=True)), casting="unsafe")


@log_softmax_op.gradient
@rounded_once
def _(g, y, _x, *, dim):
    return (g - exp(y) * sum_op(g, dims=(dim,) if y._array.ndim else (), keepdim=True),)


def _along_dim(declared, input, dim, dtype):
    if dtype is not None:
        input = input.to(dtype)
    rank = input._array.ndim
    if dim is None:
        warnings.warn(f"{declared.op.name}: dim should be given; without it, 0 or 1 is chosen by the rank",
                      stacklevel=3)
        dim = 0 if rank in (0, 1, 3) else 1
    dim = check_dim(dim, rank, declared.op.name)
    return declared(input, dim=dim) if rank else declared(input.reshape(1), dim=0).reshape(())


def softmax(input, dim: int | None = None, dtype=None):
    """exp(x) / sum(exp(x)) along a dimension; safe for any finite x. Without `dim` PyTorch's old choice is taken, 0 or
    1, with a warning."""
    return _along_dim(softmax_op, input, dim, dtype)


def softmin(input, dim: int | None = None, dtype=None):
    """softmax(-x) along a dimension."""
    return _along_dim(softmax_op, -input, dim, dtype)


def log_softmax(input, dim: int | None = None, dtype=None):
    """log(softmax(x)) along a dimension, without losing the small probabilities."""
    return _along_dim(log_softmax_op, input, dim, dtype)


def gumbel_softmax(logits, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1):
    """A random distribution near one of the classes, which can be differentiated (Jang et al., 2017): the softmax of
    (logits + Gumbel noise) / tau. hard: one-hot in value, with the gradient of the soft one. `eps` is not used."""
    noise = -log(-log(1 - rand_like(logits)))  # 1 - [0, 1) is never 0
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = arange(soft._array.shape[dim], device=soft.device).reshape(
        [-1 if d == dim % soft.ndim else 1 for d in range(soft.ndim)])
    return eq(index, argmax(soft, dim, keepdim=True)).to(soft.dtype) - soft.detach() + soft


@rounded_once
def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(x))) over the dimensions, safe for any finite x."""
    dims = dims_of(dim, input._array.ndim, "logsumexp")
    if any(input._array.shape[d] == 0 for d in dims):
        return sum_op(exp(input), dims=dims, keepdim=keepdim).log()  # of nothing: -infinity
    top = amax_op(input.detach(), dims=dims, keepdim=True)
    top = where(top.isfinite(), top, 0.0)
    total = sum_op(exp(input - top), dims=dims, keepdim=True).log() + top
    return total if keepdim else total.reshape(reduced_shape(input._array.shape, dims, False))
