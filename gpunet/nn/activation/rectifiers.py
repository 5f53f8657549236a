"""Rectifiers: layers that keep positive inputs and shrink negative ones."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.common_types import Device, DType
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.nn.stateless import Stateless
from gpunet.ops import creation
from gpunet.tensor import Tensor


class ReLU(Stateless):
    """Rectified linear unit: `max(0, x)`.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.

    Args:
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape and real dtype; the output has the same.

    Examples:
        >>> nn.ReLU()(gpunet.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class ReLU6(Stateless):
    """ReLU with an upper limit: `min(max(0, x), 6)`.

    Source: Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010.

    Args:
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape and real dtype; the output has the same.

    Examples:
        >>> nn.ReLU6()(gpunet.tensor([-1.0, 2.0, 8.0]))
        tensor([0., 2., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input, self.inplace)


class LeakyReLU(Stateless):
    """ReLU with a small slope for negative inputs: `max(0, x) + negative_slope * min(0, x)`.

    Source: Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.

    Args:
        negative_slope: the slope for x < 0.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.LeakyReLU(0.1)(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.1000,  2.0000])
    """

    _shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class PReLU(Module):
    """LeakyReLU whose negative slope is learned: `max(0, x) + weight * min(0, x)`.

    Do not use weight decay on the slopes: it pulls them to 0, and the layer to ReLU.

    Source: He et al., "Delving Deep into Rectifiers", 2015.

    Args:
        num_parameters: 1 for one slope, or the number of channels for one slope each.
        init: the first value of the slopes.
        device: where the slopes are kept.
        dtype: floating-point dtype of the slopes.

    Shape:
        Any shape, floating point; the output has the same. Channels are dimension 1.

    Attributes:
        weight: the slopes [num_parameters].

    Examples:
        >>> nn.PReLU()(gpunet.tensor([-1.0, 2.0])).detach()
        tensor([-0.2500,  2.0000])
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Device = None, dtype: DType = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(creation.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Sets all slopes to `init`."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(Stateless):
    """LeakyReLU with random slopes: in training each negative element is multiplied by its own number from
    [lower, upper); in evaluation all are multiplied by the mean, (lower + upper) / 2.

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolution Network", 2015.

    Args:
        lower: lower end of the range of slopes.
        upper: upper end of the range of slopes.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.RReLU(0.1, 0.3).eval()(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.2000,  2.0000])
    """

    _shown = ("lower", "upper")

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class ELU(Stateless):
    """Exponential linear unit: `x` for x > 0, else `alpha * (exp(x) - 1)`.

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2016.

    Args:
        alpha: scale of the negative branch, whose limit is -alpha.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.ELU()(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """

    _shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class CELU(Stateless):
    """ELU with a continuous slope for every alpha: `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`.

    Source: Barron, "Continuously Differentiable Exponential Linear Units", 2017.

    Args:
        alpha: scale of the negative branch; must not be 0.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Raises:
        RuntimeError: alpha is 0 (at the first call).

    Examples:
        >>> nn.CELU(2.0)(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.7869,  2.0000])
    """

    _shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class SELU(Stateless):
    """Self-normalizing ELU: `scale * (max(0, x) + min(0, alpha * (exp(x) - 1)))` with scale = 1.0507 and alpha =
    1.6733, which keep the mean 0 and the variance 1 from layer to layer.

    Initialize the weights with `nn.init.kaiming_normal_(w, nonlinearity="linear")` and use `nn.AlphaDropout`.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Args:
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.SELU()(gpunet.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class Softplus(Stateless):
    """A smooth ReLU: `log(1 + exp(beta * x)) / beta`, and `x` itself where beta * x > threshold.

    Source: Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing", 2001.

    Args:
        beta: how sharp the bend at 0 is.
        threshold: above which the function is taken as the identity, for numerical safety.

    Shape:
        Any shape, floating point; the output has the same.

    Examples:
        >>> nn.Softplus()(gpunet.tensor([-1.0, 2.0]))
        tensor([0.3133, 2.1269])
    """

    _shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)


class Threshold(Stateless):
    """`x` where x > threshold, else `value`.

    Args:
        threshold: the limit that an element must exceed to be kept.
        value: what replaces the other elements.
        inplace: overwrite the input instead of making a new tensor.

    Shape:
        Any shape and real dtype; the output has the same.

    Examples:
        >>> nn.Threshold(0.5, -1.0)(gpunet.tensor([0.0, 0.5, 2.0]))
        tensor([-1., -1.,  2.])
    """

    _shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)
