"""Activations that multiply the input by a gate made of it."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.stateless import Stateless
from gpunet.tensor import Tensor


class GELU(Stateless):
    """Gaussian error linear unit: `x * Phi(x)`, where Phi is the distribution function of the standard normal.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.

    Args:
        approximate: "none" for the exact function, or "tanh" for
            `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.

    Shape:
        Any shape, floating point; the output has the same.

    Raises:
        RuntimeError: approximate is neither "none" nor "tanh" (at the first call).

    Examples:
        >>> nn.GELU()(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """

    _shown = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)


class SiLU(Stateless):
    """Sigmoid linear unit, also called swish: `x * sigmoid(x)`.

    Source: Elfwing et al., "Sigmoid-Weighted Linear Units for Neural Network Function Approximation", 2018;
    Ramachandran et al., "Searching for Activation Functions", 2017.

    Args:
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.SiLU()(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(Stateless):
    """`x * tanh(softplus(x))`.

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.

    Args:
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Mish()(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Hardswish(Stateless):
    """SiLU from straight pieces: `x * min(max(0, x + 3), 6) / 6`.

    Source: Howard et al., "Searching for MobileNetV3", 2019.

    Args:
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Hardswish()(gpunet.tensor([-4.0, 1.0, 4.0]))
        tensor([-0.0000, 0.6667, 4.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""  # as PyTorch's


class GLU(Stateless):
    """Gated linear unit: the input is split in two halves a and b along `dim`, and the output is `a * sigmoid(b)`.

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017.

    Args:
        dim: the dimension to split.

    Shape:
        Input [..., 2 n, ...], floating point, with an even size in `dim`; output [..., n, ...].

    Raises:
        RuntimeError: the size of `dim` is odd.

    Examples:
        >>> nn.GLU()(gpunet.tensor([1.0, 2.0, 0.0, 0.0]))
        tensor([0.5000, 1.0000])
    """

    _shown = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)
