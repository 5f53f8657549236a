"""Fake quantization: floats that take the values of integers only, with gradients straight through."""

from __future__ import annotations

from typing import Any

from gpunet import nn
from gpunet.autograd import Function
from gpunet.compress.observers import HIGH, LOW, MinMaxObserver, MovingAverageMinMaxObserver
from gpunet.tensor import Tensor

__all__ = ["FakeQuantize", "fake_quantize"]


class _Rounded(Function):
    @staticmethod
    def forward(*args: Any) -> Tensor:
        ctx, x, scale, zero_point, low, high = args
        steps = (x * (1 / scale)).round() + zero_point
        ctx.save_for_backward((steps >= low) & (steps <= high))
        return (steps.clamp(low, high) - zero_point) * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None, None, None


def fake_quantize(input: Tensor, scale: Tensor, zero_point: Tensor, quant_min: int = LOW, quant_max: int = HIGH
                  ) -> Tensor:
    """(clamp(round(x / scale) + zero_point, quant_min, quant_max) - zero_point) * scale. Its gradient is 1 where
    nothing is clamped, and 0 elsewhere: the straight-through estimator.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference"; Bengio et al. 2013.

    Args:
        input: the floats.
        scale: the step, of no dimensions or in a shape that broadcasts.
        zero_point: the integer of 0, likewise.
        quant_min: the smallest integer.
        quant_max: the largest.

    Returns:
        Tensor of the input's shape.

    Examples:
        >>> x = gpunet.tensor([0.26, 30.0], requires_grad=True)
        >>> y = gpunet.compress.fake_quantize(x, gpunet.tensor(0.1), gpunet.tensor(0.0))
        >>> y.sum().backward()
        >>> y.detach().round(decimals=4), x.grad
        (tensor([ 0.3000, 12.7000]), tensor([1., 0.]))
    """
    return _Rounded.apply(input, scale, zero_point, quant_min, quant_max)


class FakeQuantize(nn.Module):
    """Rounds to the integers' values in the forward pass, by the range that its observer sees.

    Args:
        observer: the observer; None: a moving average.

    Attributes:
        observing: whether the observer still learns; eval mode turns it off too.

    Examples:
        >>> layer = gpunet.compress.FakeQuantize()
        >>> layer(gpunet.linspace(0, 1, 1000)).unique().numel()
        256
    """

    def __init__(self, observer: MinMaxObserver | None = None) -> None:
        super().__init__()
        self.observer = MovingAverageMinMaxObserver() if observer is None else observer
        self.observing = True

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.observing:
            self.observer(x)
        scale, zero_point = self.observer.calculate_qparams()
        if self.observer.ch_axis is not None:
            shape = [-1 if dim == self.observer.ch_axis % x.ndim else 1 for dim in range(x.ndim)]
            scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
        return fake_quantize(x, scale, zero_point)
