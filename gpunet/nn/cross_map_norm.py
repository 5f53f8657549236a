"""Local response normalization across channels, in its older form."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.stateless import Stateless
from gpunet.tensor import Tensor


class CrossMapLRN2d(Stateless):
    """Divides each element by a power of the squares of its neighbours in other channels: the older form of
    `LocalResponseNorm`, which for an even size has one neighbour less.

    y = x / (k + alpha / size * the sum of x'^2 over channels up to (size - 1) // 2 away)^beta. PyTorch's counts the
    first channel for all channels after (size + 1) // 2, too.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012.

    Args:
        size: number of channels that count.
        alpha: factor of the mean.
        beta: exponent.
        k: what is added.

    Shape:
        [N, C, H, W], floating-point dtypes; output likewise.

    Raises:
        ValueError: when it is called: the input has another number of dimensions.

    Examples:
        >>> nn.CrossMapLRN2d(1, alpha=1.0, beta=1.0)(gpunet.ones(1, 1, 2, 1)).flatten()
        tensor([0.5000, 0.5000])
    """

    def __init__(self, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.ndim}D instead.")
        width = 2 * ((self.size - 1) // 2) + 1
        return F.local_response_norm(input, width, self.alpha * width / self.size, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
