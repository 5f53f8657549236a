"""Activations with two flat ends: from the real line into an interval."""

from __future__ import annotations

from gpunet._warn import warn
from gpunet.nn import functional as F
from gpunet.nn.stateless import Stateless
from gpunet.tensor import Tensor


class Sigmoid(Stateless):
    """The logistic function: `1 / (1 + exp(-x))`, from 0 to 1.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Sigmoid()(gpunet.tensor([-1.0, 0.0, 2.0]))
        tensor([0.2689, 0.5000, 0.8808])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class LogSigmoid(Stateless):
    """`log(1 / (1 + exp(-x)))`, computed so that it does not overflow.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.LogSigmoid()(gpunet.tensor([-100.0, 0.0]))
        tensor([-100.0000,   -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Tanh(Stateless):
    """The hyperbolic tangent, `(exp(x) - exp(-x)) / (exp(x) + exp(-x))`, from -1 to 1.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Tanh()(gpunet.tensor([-1.0, 0.0, 2.0]))
        tensor([-0.7616,  0.0000,  0.9640])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Softsign(Stateless):
    """`x / (1 + |x|)`, from -1 to 1.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Softsign()(gpunet.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Hardsigmoid(Stateless):
    """A sigmoid from straight pieces: `min(max(0, x + 3), 6) / 6`.

    Args:
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Hardsigmoid()(gpunet.tensor([-4.0, 0.0, 1.5]))
        tensor([0.0000, 0.5000, 0.7500])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""  # as PyTorch's


class Hardtanh(Stateless):
    """`min(max(x, min_val), max_val)`. The gradient at the limits is 0, unlike that of `clamp`.

    Args:
        min_val: lower limit.
        max_val: upper limit.
        inplace: overwrite the input instead of making a new tensor.
        min_value: deprecated name of min_val.
        max_value: deprecated name of max_val.

    Shape:
        Any shape and real dtype; the output has the same.

    Raises:
        ValueError: max_val is not greater than min_val.

    Examples:
        >>> nn.Hardtanh(-2.0, 2.0)(gpunet.tensor([-3.0, 0.5, 3.0]))
        tensor([-2.0000,  0.5000,  2.0000])
    """

    _shown = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
                 min_value: float | None = None, max_value: float | None = None) -> None:
        super().__init__()
        if min_value is not None:
            warn("Hardtanh: min_value is deprecated; use min_val", FutureWarning)
            min_val = min_value
        if max_value is not None:
            warn("Hardtanh: max_value is deprecated; use max_val", FutureWarning)
            max_val = max_value
        if not max_val > min_val:
            raise ValueError(f"Hardtanh: max_val must be greater than min_val, got {max_val} and {min_val}")
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)
