"""Shrinkage: activations that bring elements nearer to 0."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.stateless import Stateless
from gpunet.tensor import Tensor


class Hardshrink(Stateless):
    """`x`, but 0 where |x| <= lambd.

    Args:
        lambd: half the width of the interval that becomes 0.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Hardshrink()(gpunet.tensor([-1.0, 0.5, 2.0]))
        tensor([-1.,  0.,  2.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(Stateless):
    """`x` moved towards 0 by lambd: `x - lambd` for x > lambd, `x + lambd` for x < -lambd, else 0.

    Args:
        lambd: how far to move; not negative.

    Shape:
        Any shape, floating point; the output has the same.

    Raises:
        RuntimeError: lambd is negative (at the first call).

    Examples:
        >>> nn.Softshrink()(gpunet.tensor([-1.0, 0.5, 2.0]))
        tensor([-0.5000,  0.0000,  1.5000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Tanhshrink(Stateless):
    """`x - tanh(x)`.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Tanhshrink()(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.2384,  1.0360])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)
