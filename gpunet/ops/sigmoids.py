"""Sigmoids, gates made of them, and functions that shrink. Their ops are in activation.py.

`nn.functional` has them all; those of `__all__` are also at the top and methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.ops.activation import (
    gelu_op,
    gelu_tanh_op,
    hardshrink_op,
    hardsigmoid_op,
    hardswish_op,
    logsigmoid_op,
    mish_op,
    sigmoid_op,
    silu_op,
    softplus_op,
    softshrink_op,
)
from gpunet.ops.arithmetic import abs_op
from gpunet.ops.elementary import tanh_op
from gpunet.ops.half import rounded_once
from gpunet.ops.inplace import inplace_function
from gpunet.ops.out import deliver
from gpunet.ops.pieces import chunk
from gpunet.ops.rules import check_dim, refuse_bool, require_float

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["hardshrink", "sigmoid"]
IN_PLACE = {"sigmoid": sigmoid_op}


def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logistic function of each element: y = 1 / (1 + e^-x).

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.sigmoid(gpunet.tensor([0.0, 2.0]))
        tensor([0.5000, 0.8808])
    """
    return deliver(sigmoid_op(input), out, "sigmoid")


def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of the logistic function, without overflow: y = -ln(1 + e^-x).

    Args:
        input: tensor of a floating-point type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.logsigmoid(gpunet.tensor([0.0, 2.0]))
        tensor([-0.6931, -0.1269])
    """
    return deliver(logsigmoid_op(input), out, "logsigmoid", exact=True)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0, *, out: Tensor | None = None) -> Tensor:
    """Smooth `relu`: y = ln(1 + e^(beta * x)) / beta.

    Source: Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing", 2000.

    Args:
        input: tensor of a floating-point type.
        beta: sharpness of the bend at 0.
        threshold: where beta * x is larger, y = x.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.softplus(gpunet.tensor([0.0, 2.0]))
        tensor([0.6931, 2.1269])
    """
    return deliver(softplus_op(input, beta=beta, threshold=threshold), out, "softplus", exact=True)


def softsign(input: Tensor) -> Tensor:
    """Sigmoid with slow tails: y = x / (1 + |x|).

    Args:
        input: tensor of any numeric type; of integers the result is in the default floating-point type.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.nn.functional.softsign(gpunet.tensor([-1.0, 3.0]))
        tensor([-0.5000,  0.7500])
    """
    refuse_bool(input._array.dtype, "softsign")
    return input / (abs_op(input) + 1)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Sigmoid of straight pieces: y = min(max(x + 3, 0), 6) / 6.

    Source: Howard et al., "Searching for MobileNetV3", 2019.

    Args:
        input: tensor of a floating-point type.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.hardsigmoid(gpunet.tensor([-4.0, 0.0, 1.5]))
        tensor([0.0000, 0.5000, 0.7500])
    """
    return inplace_function(hardsigmoid, input) if inplace else hardsigmoid_op(input)



# ---- the input times a gate made of it


def gelu(input: Tensor, *, approximate: str = "none", out: Tensor | None = None) -> Tensor:
    """Gaussian error linear unit: y = x * Phi(x), Phi the distribution function of the standard normal.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.

    Args:
        input: tensor of a floating-point type.
        approximate: "none" for the exact function, or "tanh" for x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 *
            x^3))).
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of an integer type or bool, or approximate is neither "none" nor "tanh".

    Example:
        >>> gpunet.nn.functional.gelu(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """
    if approximate == "none":
        return deliver(gelu_op(input), out, "gelu", exact=True)
    if approximate != "tanh":
        raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return deliver(gelu_tanh_op(input), out, "gelu", exact=True)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Sigmoid linear unit, also called swish: y = x * sigmoid(x).

    Source: Elfwing et al., "Sigmoid-Weighted Linear Units for Neural Network Function Approximation", 2018.

    Args:
        input: tensor of a floating-point type.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.silu(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """
    return inplace_function(silu, input) if inplace else silu_op(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Self-regularized gate: y = x * tanh(softplus(x)).

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.

    Args:
        input: tensor of a floating-point type.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.mish(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.3034,  1.9440])
    """
    return inplace_function(mish, input) if inplace else mish_op(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Gate of straight pieces: y = x * min(max(x + 3, 0), 6) / 6.

    Source: Howard et al., "Searching for MobileNetV3", 2019.

    Args:
        input: tensor of a floating-point type.
        inplace: store the result in the input, which is returned.

    Returns:
        Tensor of input's shape and type; the input itself if inplace.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.hardswish(gpunet.tensor([-1.0, 1.5, 4.0]))
        tensor([-0.3333,  1.1250,  4.0000])
    """
    return inplace_function(hardswish, input) if inplace else hardswish_op(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Gated linear unit: y = a * sigmoid(b), where a and b are the input's halves along a dimension.

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2017.

    Args:
        input: tensor of a floating-point type, of an even size along dim.
        dim: dimension that is halved.

    Returns:
        Tensor of input's shape and type, but of half its size along dim.

    Raises:
        RuntimeError: the size along dim is odd, or the input is of an integer type or bool.
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.nn.functional.glu(gpunet.tensor([1.0, 2.0, 0.0, 2.0]))
        tensor([0.5000, 1.7616])
    """
    require_float(input._array, "glu")
    shape = input._array.shape
    dim = check_dim(dim, len(shape), "glu")
    if not shape or shape[dim] % 2:
        raise RuntimeError(f"glu: expected an even size to halve, got shape {shape} and dim {dim}")
    return _gated(*chunk(input, 2, dim))


@rounded_once
def _gated(x, gate):
    return x * sigmoid_op(gate)


# ---- functions that shrink


def tanhshrink(input: Tensor) -> Tensor:
    """Difference from the hyperbolic tangent: y = x - tanh(x).

    Args:
        input: tensor of any numeric type; of integers the result is in the default floating-point type.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.nn.functional.tanhshrink(gpunet.tensor([-1.0, 2.0]))
        tensor([-0.2384,  1.0360])
    """
    refuse_bool(input._array.dtype, "tanhshrink")
    return input - tanh_op(input)


def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """Elements near 0 set to 0: y = x for |x| > lambd, else 0.

    Args:
        input: tensor of a floating-point type.
        lambd: largest |x| that becomes 0.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.hardshrink(gpunet.tensor([-1.0, 0.25, 2.0]))
        tensor([-1.,  0.,  2.])
    """
    return deliver(hardshrink_op(input, lambd=lambd), out, "hardshrink", exact=True)


def softshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """Elements brought nearer to 0: y = x - lambd for x > lambd, x + lambd for x < -lambd, else 0.

    Args:
        input: tensor of a floating-point type.
        lambd: by how much; not negative.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: lambd is negative, or the input is of an integer type or bool.

    Example:
        >>> gpunet.nn.functional.softshrink(gpunet.tensor([-1.0, 0.25, 2.0]))
        tensor([-0.5000,  0.0000,  1.5000])
    """
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must not be negative, got {lambd}")
    return deliver(softshrink_op(input, lambd=lambd), out, "softshrink", exact=True)
