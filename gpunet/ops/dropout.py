"""Dropout: of elements, of whole channels, and the kind that keeps mean and variance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpunet import random
from gpunet._warn import warn
from gpunet.dtypes import FLOAT32_NP
from gpunet.ops.drawing import dropout_add_op, dropout_op
from gpunet.ops.fills import bernoulli_
from gpunet.ops.rules import require_float
from gpunet.ops.shape import squeeze, unsqueeze

if TYPE_CHECKING:
    from gpunet.random import Generator
    from gpunet.tensor import Tensor

__all__ = ["alpha_dropout", "dropout", "feature_alpha_dropout"]

_SELU_LEAST = -1.7580993408473766  # what selu tends to on the left: -alpha * scale


def _check(p):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: the probability must be between 0 and 1, got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *,
            generator: Generator | None = None) -> Tensor:
    """In training, zeroes elements with probability p and scales the rest by 1 / (1 - p).

    So the expectation stays.

    Source: N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (JMLR 2014).

    Args:
        input: tensor of a floating-point type.
        p: probability of an element to be zeroed.
        training: whether to do anything; else the result is the input.
        inplace: whether to store the result in the input.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: p is not from 0 to 1.

    Example:
        >>> gpunet.nn.functional.dropout(gpunet.ones(3), p=1.0)
        tensor([0., 0., 0.])
    """
    _check(p)
    if not training or p == 0.0:
        return input
    size = input._array.size
    state, offset = (generator or random.default_generator).draw(input._device, random.blocks_of(size, FLOAT32_NP))
    result = dropout_op(input, state, p=p, offset=offset)[0]
    return input.copy_(result) if inplace else result


def dropout_added(input: Tensor, residual: Tensor, p: float, training: bool) -> Tensor:
    """residual + dropout(input, p, training), the sum of a residual connection: on a GPU one pass over memory."""
    x, there = input._array, residual._array
    if not training or not 0.0 < p <= 1.0 or input._device is not residual._device or (
            x.shape != there.shape or x.dtype != there.dtype or x.dtype.kind in "iub"):
        return residual + dropout(input, p, training)
    state, offset = random.default_generator.draw(input._device, random.blocks_of(x.size, FLOAT32_NP))
    return dropout_add_op(input, residual, state, p=p, offset=offset)[0]


# ---- of channels ----------------------------------------------------------------------------------------------------


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zeroes whole channels of each sample with probability p and scales the rest by 1 / (1 - p).

    Source: J. Tompson et al., "Efficient Object Localization Using Convolutional Networks" (CVPR 2015).

    Args:
        input: tensor of shape [samples, channels, length] or [channels, length].
        p: probability of a channel to be zeroed.
        training: whether to do anything; else the result is the input.
        inplace: whether to store the result in the input.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: p is not from 0 to 1.

    Example:
        >>> gpunet.nn.functional.dropout1d(gpunet.ones(1, 2, 1), p=1.0).sum()
        tensor(0.)
    """
    return _stored(_of_rank(input, p, training, 1), input, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zeroes whole channels of each sample with probability p and scales the rest by 1 / (1 - p).

    Source: J. Tompson et al., "Efficient Object Localization Using Convolutional Networks" (CVPR 2015).

    Args:
        input: tensor of shape [samples, channels, height, width].
        p: probability of a channel to be zeroed.
        training: whether to do anything; else the result is the input.
        inplace: whether to store the result in the input.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: p is not from 0 to 1.

    Example:
        >>> gpunet.nn.functional.dropout2d(gpunet.ones(1, 2, 1, 1), p=1.0).sum()
        tensor(0.)
    """
    return _stored(_of_rank(input, p, training, 2), input, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zeroes whole channels of each sample with probability p and scales the rest by 1 / (1 - p).

    Source: J. Tompson et al., "Efficient Object Localization Using Convolutional Networks" (CVPR 2015).

    Args:
        input: tensor of shape [samples, channels, depth, height, width] or [channels, depth, height, width].
        p: probability of a channel to be zeroed.
        training: whether to do anything; else the result is the input.
        inplace: whether to store the result in the input.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: p is not from 0 to 1.

    Example:
        >>> gpunet.nn.functional.dropout3d(gpunet.ones(1, 2, 1, 1, 1), p=1.0).sum()
        tensor(0.)
    """
    return _stored(_of_rank(input, p, training, 3), input, inplace)


def _of_rank(x, p, training, dimensions):
    rank = x._array.ndim
    if rank == dimensions + 1 and dimensions != 2:
        return squeeze(_channels(unsqueeze(x, 0), p, training, f"dropout{dimensions}d"), 0)
    if rank != dimensions + 2:
        warn(f"dropout{dimensions}d: expected {dimensions + 2} dimensions [samples, channels, ...], got shape "
             f"{tuple(x.shape)}; dimension 1 is taken as the channels")
    return _channels(x, p, training, f"dropout{dimensions}d")


def _channels(x, p, training, name):
    _check(p)
    if not training or p == 0:
        return x
    require_float(x._array, name)
    return x * (_kept(x, p, True) / (1 - p if p < 1 else 1.0))


def _kept(x, p, features):
    """1 for what is kept, 0 for what is dropped: by element, or by the channel of each sample."""
    shape = x._array.shape
    if features:
        if len(shape) < 2:
            raise RuntimeError(f"feature dropout: expected [samples, channels, ...], got shape {shape}")
        shape = (*shape[:2], *[1] * (len(shape) - 2))
    return bernoulli_(x.new_empty(shape), 1 - p)


def _stored(result, x, inplace):
    return x.copy_(result) if inplace and result is not x else result


# ---- for selu -------------------------------------------------------------------------------------------------------


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, for networks of `selu`.

    In training, what is dropped takes selu's least value; then all elements are scaled and shifted.

    Source: G. Klambauer et al., "Self-Normalizing Neural Networks" (NeurIPS 2017).

    Args:
        input: tensor of a floating-point type.
        p: probability of an element to be dropped.
        training: whether to do anything; else the result is the input.
        inplace: whether to store the result in the input.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: p is not from 0 to 1.

    Example:
        >>> gpunet.nn.functional.alpha_dropout(gpunet.ones(2, 3), training=True).shape
        gpunet.Size([2, 3])
    """
    return _stored(_alpha(input, p, training, False), input, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels of each sample.

    In training, what is dropped takes selu's least value; then all elements are scaled and shifted.

    Source: G. Klambauer et al., "Self-Normalizing Neural Networks" (NeurIPS 2017).

    Args:
        input: tensor of shape [samples, channels, ...], of a floating-point type.
        p: probability of a channel to be dropped.
        training: whether to do anything; else the result is the input.
        inplace: whether to store the result in the input.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: p is not from 0 to 1.

    Example:
        >>> gpunet.nn.functional.feature_alpha_dropout(gpunet.ones(2, 3), training=True).shape
        gpunet.Size([2, 3])
    """
    return _stored(_alpha(input, p, training, True), input, inplace)


def _alpha(x, p, training, features):
    _check(p)
    if not training or p == 0:
        return x
    kept = _kept(x, p, features)
    if p == 1:
        return x * kept
    scale = 1 / math.sqrt((_SELU_LEAST * _SELU_LEAST * p + 1) * (1 - p))
    return x * (kept * scale) + ((1 - kept) * (_SELU_LEAST * scale) - _SELU_LEAST * scale * p)
