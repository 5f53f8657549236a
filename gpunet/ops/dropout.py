"""Dropout of whole channels, and dropout that keeps mean and variance. Plain dropout is in random.py."""

from __future__ import annotations

import math
import warnings

from gpunet.ops.inplace import with_inplace
from gpunet.ops.random import bernoulli_
from gpunet.ops.shape import squeeze, unsqueeze

_SELU_LEAST = -1.7580993408473766  # what selu tends to on the left: -alpha * scale


def _check(p):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: the probability must be between 0 and 1, got {p}")


def _kept(input, p, features: bool):
    """1 for what is kept, 0 for what is dropped: by element, or by the channel of each sample."""
    shape = input._array.shape
    if features:
        if len(shape) < 2:
            raise RuntimeError(f"feature dropout: expected [samples, channels, ...], got shape {shape}")
        shape = (*shape[:2], *[1] * (len(shape) - 2))
    return bernoulli_(input.new_empty(shape), 1 - p)


def _channels(input, p, training):
    _check(p)
    if not training or p == 0:
        return input
    return input * (_kept(input, p, True) / (1 - p if p < 1 else 1.0))


def _of_rank(dimensions: int):
    def dropout(input, p: float = 0.5, training: bool = True):
        rank = input._array.ndim
        if rank == dimensions + 1 and dimensions != 2:
            return squeeze(_channels(unsqueeze(input, 0), p, training), 0)
        if rank != dimensions + 2:
            warnings.warn(f"dropout{dimensions}d: expected {dimensions + 2} dimensions [samples, channels, ...], got "
                          f"shape {tuple(input.shape)}; dimension 1 is taken as the channels", stacklevel=3)
        return _channels(input, p, training)

    dropout.__name__ = dropout.__qualname__ = f"dropout{dimensions}d"
    dropout.__doc__ = ("In training, zeroes whole channels (dimension 1) of each sample with probability p and scales "
                       f"the rest by 1 / (1 - p) (Tompson et al., 2015); of samples with {dimensions} dimensions.")
    return with_inplace(dropout)


dropout1d, dropout2d, dropout3d = map(_of_rank, (1, 2, 3))


def _alpha(input, p, training, features):
    _check(p)
    if not training or p == 0:
        return input
    kept = _kept(input, p, features)
    if p == 1:
        return input * kept
    scale = 1 / math.sqrt((_SELU_LEAST * _SELU_LEAST * p + 1) * (1 - p))
    return input * (kept * scale) + ((1 - kept) * (_SELU_LEAST * scale) - _SELU_LEAST * scale * p)


@with_inplace
def alpha_dropout(input, p: float = 0.5, training: bool = False):
    """Dropout for `selu`: what is dropped takes selu's least value, and then all elements are scaled and shifted so
    that mean 0 and variance 1 stay (Klambauer et al., 2017)."""
    return _alpha(input, p, training, False)


@with_inplace
def feature_alpha_dropout(input, p: float = 0.5, training: bool = False):
    """`alpha_dropout` of whole channels."""
    return _alpha(input, p, training, True)
