"""Dropout: layers that set random elements, or whole channels, to 0 in training."""

from __future__ import annotations

from contextlib import nullcontext

from gpunet.engine.extensions import extensions
from gpunet.nn import functional as F
from gpunet.nn.module import Module
from gpunet.nn.plain import is_plain
from gpunet.ops.dropout import dropout_added
from gpunet.tensor import Tensor


class _Dropout(Module):
    """Base: a probability p, and whether the input is overwritten."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        super().__init__()
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The options, as repr() shows them."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, sets each element to 0 with probability p and multiplies the others by `1 / (1 - p)`. In evaluation,
    returns its input.

    The mask comes from the default generator; for one seed it is the same on every device.

    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    Args:
        p: the probability of a zero.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Raises:
        ValueError: p is not between 0 and 1.

    Examples:
        >>> nn.Dropout(0.2).eval()(gpunet.ones(3))
        tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


def added(drop: Module, input: Tensor, residual: Tensor) -> Tensor:
    """residual + drop(input), the sum of a residual connection, in one pass where `drop` is a plain Dropout."""
    if not is_plain(drop, Dropout) or not drop.training or drop.inplace:
        return residual + drop(input)
    with extensions.profiler.module(drop) if extensions.profiler is not None else nullcontext():
        return dropout_added(input, residual, drop.p, True)


class Dropout1d(_Dropout):
    """Dropout of whole channels of sequences: neighbours in time are too alike for `Dropout` to regularize.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Args:
        p: the probability that a channel becomes 0; the others are multiplied by `1 / (1 - p)`.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        [N, C, L] or [C, L], floating point; the output has the same.

    Raises:
        ValueError: p is not between 0 and 1.

    Examples:
        >>> nn.Dropout1d(0.2).eval()(gpunet.ones(1, 2, 2))
        tensor([[[1., 1.],
                 [1., 1.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Dropout of whole channels of images: neighbouring pixels are too alike for `Dropout` to regularize.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Args:
        p: the probability that a channel becomes 0; the others are multiplied by `1 / (1 - p)`.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        [N, C, H, W], floating point; the output has the same. (Without N give it a batch of 1: `x.unsqueeze(0)`.)

    Raises:
        ValueError: p is not between 0 and 1.

    Examples:
        >>> nn.Dropout2d(0.2).eval()(gpunet.ones(1, 1, 1, 2))
        tensor([[[[1., 1.]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Dropout of whole channels of volumes: neighbouring voxels are too alike for `Dropout` to regularize.

    Source: Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Args:
        p: the probability that a channel becomes 0; the others are multiplied by `1 / (1 - p)`.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], floating point; the output has the same.

    Raises:
        ValueError: p is not between 0 and 1.

    Examples:
        >>> nn.Dropout3d(0.2).eval()(gpunet.ones(1, 1, 1, 1, 2))
        tensor([[[[[1., 1.]]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout for `nn.SELU`: dropped elements take SELU's lower limit, and the result is scaled and shifted so that
    mean 0 and variance 1 are kept.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Args:
        p: the probability that an element is dropped.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Raises:
        ValueError: p is not between 0 and 1.

    Examples:
        >>> nn.AlphaDropout(0.2).eval()(gpunet.ones(3))
        tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Args:
        p: the probability that a channel is dropped.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        [N, C, ...], floating point; the output has the same.

    Raises:
        ValueError: p is not between 0 and 1.

    Examples:
        >>> nn.FeatureAlphaDropout(0.2).eval()(gpunet.ones(1, 2, 2))
        tensor([[[1., 1.],
                 [1., 1.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
