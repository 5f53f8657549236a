"""Normalisation of groups of channels, of images in channels last on devices with CUDA kernels: what `normalize` is of
an image seen as [N, groups, C / groups, places], which in channels last no array in one piece is."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.dtypes import HALF_TYPES, float32
from gpunet.ops import norm_groups_launch
from gpunet.ops.channels_last import is_channels_last
from gpunet.ops.exponentials import rsqrt
from gpunet.ops.normalization import normalize, normalize_grad
from gpunet.ops.reduce import mean
from gpunet.ops.rules import accumulator

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def serves(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> bool:
    """Whether a norm of groups of channels is to be one of these."""
    arrays = [None if each is None else each._array for each in (weight, bias)]
    return (x._device.type in ("cuda", "sim") and is_channels_last(x._array)
            and norm_groups_launch.serves_types(x._array, *arrays))


def _cut(x, groups: int):
    """[N, C, size...] as [N, groups, C / groups, places]."""
    return x.reshape(x.shape[0], groups, x.shape[1] // groups, prod(x.shape[2:]))


def _vector(x, groups: int):
    return None if x is None else x.reshape(1, groups, -1, 1)


def _statistics(x, groups: int):
    return (x.shape[0], groups, 1, 1), accumulator(x.dtype)


@op(lambda x, weight, bias, *, groups, eps: ((x.shape, x.dtype), _statistics(x, groups), _statistics(x, groups)),
    outputs=3)
def normalize_groups(xp, out, centre, spread, x, weight, bias, *, groups, eps):
    """(x - mean) / sqrt(variance + eps) * weight + bias of images [N, C, size...], mean and variance of each group of
    channels of an image, weight and bias [C]. Also gives the means and the variances."""
    normalize.op.body(xp, _cut(out, groups), centre, spread, _cut(x, groups), _vector(weight, groups),
                      _vector(bias, groups), axes=(2, 3), eps=eps, centred=True)


@normalize_groups.gradient
def _(gradients, _y, centre, spread, x, weight, bias_meta, *, groups, eps):
    if gradients[1] is not None or gradients[2] is not None:
        raise RuntimeError("normalize_groups: the statistics have no gradients of their own")
    dx, dw, db = normalize_groups_grad(gradients[0], x, centre.detach(), spread.detach(), weight, groups=groups,
                                       eps=eps)
    return dx, None if weight is None else dw, None if bias_meta is None else db


@normalize_groups.composition
def _(x, weight, bias, *, groups, eps):
    wide = _cut(x.to(float32) if x._array.dtype in HALF_TYPES else x, groups)
    y = wide - mean(wide, (2, 3), True)
    y = y * rsqrt(mean(y * y, (2, 3), True) + eps)
    y = y if weight is None else y * _vector(weight, groups)
    return (y if bias is None else y + _vector(bias, groups)).reshape(x.shape).to(x.dtype)


@op(lambda g, x, centre, spread, weight, **_: (
        (x.shape, x.dtype), *[((0,), x.dtype) if weight is None else (weight.shape, weight.dtype)] * 2),
    outputs=3, differentiable=False)
def normalize_groups_grad(xp, dx, dw, db, g, x, centre, spread, weight, *, groups, eps):
    """The gradients of `normalize_groups` by x, weight and bias."""
    of_weight = [each if weight is None else _vector(each, groups) for each in (dw, db)]
    normalize_grad.op.body(xp, _cut(dx, groups), *of_weight, _cut(g, groups), _cut(x, groups), centre, spread,
                           _vector(weight, groups), None, axes=(2, 3), eps=eps, centred=True)


normalize_groups.kernel(norm_groups_launch.forward)
normalize_groups_grad.kernel(norm_groups_launch.backward)


@normalize_groups.channels_last
def _(cuda, x, weight, bias, **_):
    return is_channels_last(x) and norm_groups_launch.serves_types(x, weight, bias)


@normalize_groups_grad.channels_last
def _(cuda, g, x, centre, spread, weight, **_):
    return is_channels_last(x) and norm_groups_launch.serves_types(x, weight, None)
