"""Softmax and its relatives: from scores to probabilities."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.stateless import Stateless
from gpunet.tensor import Tensor


class _AlongDim(Stateless):
    """Base: layers along one dimension."""

    _shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmax(_AlongDim):
    """`exp(x) / sum(exp(x))` along `dim`: non-negative numbers that sum to 1.

    Do not put it before `nn.CrossEntropyLoss`, which takes the scores themselves.

    Source: Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs", 1990.

    Args:
        dim: the dimension to sum over. None, which is deprecated: 0 for 0, 1 or 3 dimensions, else 1.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Softmax(dim=1)(gpunet.tensor([[0.0, 0.0], [0.0, 1.0]]))
        tensor([[0.5000, 0.5000],
                [0.2689, 0.7311]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class Softmin(_AlongDim):
    """`exp(-x) / sum(exp(-x))` along `dim`: the softmax of -x.

    Args:
        dim: the dimension to sum over. None, which is deprecated: 0 for 0, 1 or 3 dimensions, else 1.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Softmin(dim=0)(gpunet.tensor([0.0, 1.0]))
        tensor([0.7311, 0.2689])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)


class LogSoftmax(_AlongDim):
    """`x - log(sum(exp(x)))` along `dim`: the logarithm of the softmax, computed so that it does not overflow.

    Args:
        dim: the dimension to sum over. None, which is deprecated: 0 for 0, 1 or 3 dimensions, else 1.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.LogSoftmax(dim=0)(gpunet.tensor([0.0, 1.0]))
        tensor([-1.3133, -0.3133])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class Softmax2d(Stateless):
    """Softmax over the channels at each pixel.

    Shape:
        [N, C, H, W] or [C, H, W], floating point; the output has the same.

    Raises:
        ValueError: the input has neither 3 nor 4 dimensions.

    Examples:
        >>> nn.Softmax2d()(gpunet.zeros(1, 4, 1, 2)).sum(1)
        tensor([[[1., 1.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected an input of 3 or 4 dimensions, got shape {tuple(input.shape)}")
        return F.softmax(input, -3)
