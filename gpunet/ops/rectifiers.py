"""Rectifiers: activation functions that keep positive elements and shrink negative ones.

Their ops are in activation.py, as is `gpunet.relu`. `nn.functional` has them all; some are also at the top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.ops.activation import elu_op, hardtanh_op, leaky_relu_op, prelu_op, relu_op, threshold_op
from gpunet.ops.conditions import where_op
from gpunet.ops.host import fitted
from gpunet.ops.inplace import inplace, inplace_function
from gpunet.ops.out import deliver
from gpunet.ops.random import rand_like
from gpunet.ops.rules import refuse_bool, refuse_integers

if TYPE_CHECKING:
    from gpunet.random import Generator
    from gpunet.tensor import Tensor

__all__ = ["prelu"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Rectified linear unit of each element: y = max(0, x).

    Args:
        input: tensor of any numeric type.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.nn.functional.relu(gpunet.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return relu_(input) if inplace else relu_op(input)


def relu_(input: Tensor) -> Tensor:
    """`relu`, the result stored in the input.

    Args:
        input: tensor of any numeric type; it is overwritten.

    Returns:
        The input.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.nn.functional.relu_(gpunet.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return inplace(relu_op, input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """`relu` with an upper limit: y = min(max(0, x), 6).

    Source: Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010.

    Args:
        input: tensor of any numeric type.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.nn.functional.relu6(gpunet.tensor([-1.0, 2.0, 8.0]))
        tensor([0., 2., 6.])
    """
    refuse_bool(input._array.dtype, "relu6")
    return inplace_function(relu6, input) if inplace else hardtanh_op(input, low=0.0, high=6.0)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element brought between two limits: y = min(max(min_val, x), max_val).

    Unlike the gradient of `clamp`, this one is 0 at the limits.

    Args:
        input: tensor of any numeric type.
        min_val: lower limit.
        max_val: upper limit.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        ValueError: min_val is above max_val.
        RuntimeError: the input is of type bool, or of an unsigned type and a limit is negative.

    Example:
        >>> gpunet.nn.functional.hardtanh(gpunet.tensor([-2.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val must not be above max_val, got {min_val} and {max_val}")
    if inplace:
        return inplace_function(hardtanh, input, min_val, max_val)
    return hardtanh_op(input, low=min_val, high=max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, the result stored in the input.

    Args:
        input: tensor of any numeric type; it is overwritten.
        min_val: lower limit.
        max_val: upper limit.

    Returns:
        The input.

    Raises:
        ValueError: min_val is above max_val.

    Example:
        >>> gpunet.nn.functional.hardtanh_(gpunet.tensor([-2.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    return inplace_function(hardtanh, input, min_val, max_val)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False, *,
              out: Tensor | None = None) -> Tensor:
    """The elements above a threshold; the others become `value`.

    Args:
        input: tensor of any numeric type.
        threshold: elements up to and including it are replaced.
        value: what they are replaced by.
        inplace: store the result in the input, which is returned.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.nn.functional.threshold(gpunet.tensor([0.5, 1.5]), 1.0, 0.0)
        tensor([0.0000, 1.5000])
    """
    if inplace:
        return threshold_(input, threshold, value)
    if input._array.dtype.kind in "iu":
        value = fitted(value, input._array.dtype)
    return deliver(threshold_op(input, threshold=threshold, value=value), out, "threshold")


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, the result stored in the input.

    Args:
        input: tensor of any numeric type; it is overwritten.
        threshold: elements up to and including it are replaced.
        value: what they are replaced by.

    Returns:
        The input.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.nn.functional.threshold_(gpunet.tensor([0.5, 1.5]), 1.0, 0.0)
        tensor([0.0000, 1.5000])
    """
    return inplace_function(_threshold, input, threshold, value)


_threshold = threshold  # a parameter of that name hides it in `threshold_`


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`relu` with a slope on the left: y = x for x > 0, else negative_slope * x.

    Source: Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.

    Args:
        input: tensor of a floating-point type.
        negative_slope: slope for elements up to 0.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.leaky_relu(gpunet.tensor([-1.0, 2.0]), 0.5)
        tensor([-0.5000,  2.0000])
    """
    if inplace:
        return inplace_function(leaky_relu, input, negative_slope)
    return leaky_relu_op(input, slope=negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, the result stored in the input.

    Args:
        input: tensor of a floating-point type; it is overwritten.
        negative_slope: slope for elements up to 0.

    Returns:
        The input.

    Example:
        >>> gpunet.nn.functional.leaky_relu_(gpunet.tensor([-1.0, 2.0]), 0.5)
        tensor([-0.5000,  2.0000])
    """
    return inplace_function(leaky_relu, input, negative_slope)


def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False, *,
          generator: Generator | None = None) -> Tensor:
    """`leaky_relu` with a random slope for each element, uniform in [lower, upper).

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network", 2015.

    Args:
        input: tensor of a floating-point type.
        lower: least slope.
        upper: largest slope.
        training: draw the slopes; otherwise all are (lower + upper) / 2.
        inplace: store the result in the input, which is returned.
        generator: source of the random numbers; the default generator if None.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: lower is above upper, or the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.rrelu(gpunet.tensor([-1.0, 2.0]), 0.25, 0.75)
        tensor([-0.5000,  2.0000])
    """
    if inplace:
        return rrelu_(input, lower, upper, training, generator)
    refuse_integers(input._array.dtype, "rrelu")
    if lower > upper:
        raise RuntimeError(f"rrelu: lower must not be above upper, got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    return where_op(input > 0, input, input * (rand_like(input, generator=generator) * (upper - lower) + lower))


def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
           generator: Generator | None = None) -> Tensor:
    """`rrelu`, the result stored in the input.

    Args:
        input: tensor of a floating-point type; it is overwritten.
        lower: least slope.
        upper: largest slope.
        training: draw the slopes; otherwise all are (lower + upper) / 2.
        generator: source of the random numbers; the default generator if None.

    Returns:
        The input.

    Raises:
        RuntimeError: lower is above upper.

    Example:
        >>> gpunet.nn.functional.rrelu_(gpunet.tensor([-1.0, 2.0]), 0.25, 0.75)
        tensor([-0.5000,  2.0000])
    """
    return inplace_function(rrelu, input, lower, upper, training, generator=generator)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Exponential linear unit: y = x for x > 0, else alpha * (e^x - 1).

    Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2016.

    Args:
        input: tensor of a floating-point type.
        alpha: factor of the exponential.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.elu(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return inplace_function(elu, input, alpha) if inplace else elu_op(input, alpha=alpha, scale=1.0, rate=1.0)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, the result stored in the input.

    Args:
        input: tensor of a floating-point type; it is overwritten.
        alpha: factor of the exponential.

    Returns:
        The input.

    Example:
        >>> gpunet.nn.functional.elu_(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return inplace_function(elu, input, alpha)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Continuously differentiable `elu`: y = x for x > 0, else alpha * (e^(x / alpha) - 1).

    Source: Barron, "Continuously Differentiable Exponential Linear Units", 2017.

    Args:
        input: tensor of a floating-point type.
        alpha: factor of the exponential, and what x is divided by in it; not 0.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: alpha is 0, or the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.celu(gpunet.tensor([-1.0, 2.0]), 2.0)
        tensor([-0.7869,  2.0000])
    """
    if alpha == 0:
        raise RuntimeError("celu: alpha must not be 0 (ZeroDivisionError)")
    if inplace:
        return inplace_function(celu, input, alpha)
    refuse_integers(input._array.dtype, "celu")
    return elu_op(input, alpha=alpha, scale=1.0, rate=1 / alpha)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, the result stored in the input.

    Args:
        input: tensor of a floating-point type; it is overwritten.
        alpha: factor of the exponential, and what x is divided by in it; not 0.

    Returns:
        The input.

    Raises:
        RuntimeError: alpha is 0.

    Example:
        >>> gpunet.nn.functional.celu_(gpunet.tensor([-1.0, 2.0]), 2.0)
        tensor([-0.7869,  2.0000])
    """
    return inplace_function(celu, input, alpha)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Scaled `elu`: y = scale * x for x > 0, else scale * alpha * (e^x - 1).

    alpha = 1.67326 and scale = 1.05070 keep the mean 0 and the variance 1 from layer to layer.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Args:
        input: tensor of a floating-point type.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.selu(gpunet.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """
    if inplace:
        return inplace_function(selu, input)
    refuse_integers(input._array.dtype, "selu")
    return elu_op(input, alpha=_SELU_ALPHA, scale=_SELU_SCALE, rate=1.0)


def selu_(input: Tensor) -> Tensor:
    """`selu`, the result stored in the input.

    Args:
        input: tensor of a floating-point type; it is overwritten.

    Returns:
        The input.

    Example:
        >>> gpunet.nn.functional.selu_(gpunet.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])
    """
    return inplace_function(selu, input)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """`leaky_relu` with slopes that are learned: y = x for x > 0, else weight * x.

    Source: He et al., "Delving Deep into Rectifiers", 2015.

    Args:
        input: tensor of a floating-point type.
        weight: tensor of input's type: one slope, or one for each channel (dimension 1 of the input).

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the types differ or are of integers, or the number of weights does not fit the channels.

    Example:
        >>> gpunet.prelu(gpunet.tensor([-1.0, 2.0]), gpunet.tensor([0.5]))
        tensor([-0.5000,  2.0000])
    """
    rank = input._array.ndim
    channels, count = input._array.shape[1] if rank > 1 else 1, weight._array.size
    if input._array.dtype != weight._array.dtype:
        raise RuntimeError(f"prelu: input type {input.dtype} and weight type {weight.dtype} differ; convert one")
    if weight._array.ndim > 1 or count not in (1, channels):
        raise RuntimeError(f"prelu: expected one weight or {channels}, one for each channel of the input's shape "
                           f"{tuple(input.shape)}, got weights of shape {tuple(weight.shape)}")
    return prelu_op(input, weight.reshape((count, *[1] * (rank - 2)) if count != 1 else ()))
