"""BatchNormalization and LayerNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras.layers.checks import kind
from gpunet.keras.layers.layer import Layer
from gpunet.nn import functional as F


class BatchNormalization(Layer):
    """Scales each channel to mean 0 and variance 1: of the batch in training, of the moving averages otherwise.

    The moving variance is the average of the batches' biased variances, as in Keras; PyTorch's is unbiased. A layer
    that is not trainable uses the moving averages in training too.

    Args:
        axis: the axis of the channels.
        momentum: how much of the moving averages each batch keeps.
        epsilon: added to the variance.
        center: whether there is a beta, which is added.
        scale: whether there is a gamma, a factor.
        beta_initializer: of beta.
        gamma_initializer: of gamma.
        moving_mean_initializer: of the moving mean.
        moving_variance_initializer: of the moving variance.
        options: those of Layer.

    Examples:
        >>> layer = keras.layers.BatchNormalization()
        >>> layer(gpunet.tensor([[1.0], [3.0]]), training=True)
        tensor([[-0.9995],
                [ 0.9995]], grad_fn=<...>)
        >>> layer.moving_mean
        tensor([0.0200])
    """

    _casts = True

    def __init__(self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
                 scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
                 moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones",
                 **options: Any) -> None:
        super().__init__(**options)
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon
        self.center, self.scale = center, scale
        self._initializers = gamma_initializer, beta_initializer, moving_mean_initializer, moving_variance_initializer

    def build(self, input_shape: Any) -> None:
        size = _size_of(self, input_shape, self.axis)
        gamma, beta, mean, variance = self._initializers
        self.gamma = self.add_weight((size,), gamma) if self.scale else None
        self.beta = self.add_weight((size,), beta) if self.center else None
        self.moving_mean = self.add_weight((size,), mean, trainable=False)
        self.moving_variance = self.add_weight((size,), variance, trainable=False)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        axis, size = self.axis % inputs.ndim, self.moving_mean.shape[0]
        if inputs.shape[axis] != size:
            raise ValueError(f"{kind(self)} expects {size} channels in axis {self.axis}, and got an input of shape "
                             f"{tuple(inputs.shape)}.")
        last = axis == inputs.ndim - 1
        rows = inputs if last else inputs.movedim(axis, -1)
        flat = rows.reshape(-1, size)
        result = (self._trained(flat) if training and self.trainable else
                  F.batch_norm(flat, self.moving_mean, self.moving_variance, self.gamma, self.beta, False, 0.0,
                               self.epsilon)).reshape(rows.shape)
        return result if last else result.movedim(-1, axis)

    def _trained(self, x: Tensor) -> Tensor:
        count, keep = x.shape[0], self.momentum
        if count == 1:  # whose variance is 0
            with gpunet.no_grad():
                self.moving_mean.mul_(keep).add_(x.detach()[0], alpha=1 - keep)
                self.moving_variance.mul_(keep)
            result = x - x
            if self.gamma is not None:
                result = result * self.gamma
            return result if self.beta is None else result + self.beta
        with gpunet.no_grad():
            before = self.moving_variance.clone()
        result = F.batch_norm(x, self.moving_mean, self.moving_variance, self.gamma, self.beta, True, 1 - keep,
                              self.epsilon)
        with gpunet.no_grad():  # of n / (n - 1) times the variance, as batch_norm adds it, only the variance
            self.moving_variance.mul_((count - 1) / count).add_(before, alpha=keep / count)
        return result

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


class LayerNormalization(Layer):
    """Scales each example to mean 0 and variance 1 along axes.

    Args:
        axis: the axis, or the axes.
        epsilon: added to the variance.
        center: whether there is a beta, which is added.
        scale: whether there is a gamma, a factor.
        beta_initializer: of beta.
        gamma_initializer: of gamma.
        options: those of Layer.

    Examples:
        >>> keras.layers.LayerNormalization()(gpunet.tensor([[1.0, 3.0]]))
        tensor([[-0.9995,  0.9995]], grad_fn=<...>)
    """

    _casts = True

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", **options: Any) -> None:
        super().__init__(**options)
        self.axis: Any = axis if isinstance(axis, int) else list(axis)
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self._initializers = gamma_initializer, beta_initializer

    def build(self, input_shape: Any) -> None:
        shape = [_size_of(self, input_shape, axis) for axis in self._axes(len(input_shape))]
        gamma, beta = self._initializers
        self.gamma = self.add_weight(shape, gamma) if self.scale else None
        self.beta = self.add_weight(shape, beta) if self.center else None

    def _axes(self, count: int) -> list[int]:
        return sorted(axis % count for axis in ([self.axis] if isinstance(self.axis, int) else self.axis))

    def call(self, inputs: Tensor) -> Tensor:
        axes = self._axes(inputs.ndim)
        places = list(range(-len(axes), 0))
        moved = inputs.movedim(axes, places)
        result = F.layer_norm(moved, moved.shape[-len(axes):], self.gamma, self.beta, self.epsilon)
        return result.movedim(places, axes)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


def _size_of(layer: Layer, shape: Any, axis: int) -> int:
    if not -len(shape) <= axis < len(shape) or shape[axis] is None:
        raise ValueError(f"{kind(layer)} needs a known size in axis {axis}, and got an input of shape {tuple(shape)}.")
    return shape[axis]
