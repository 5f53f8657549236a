"""The CPU's kernels of element-wise ops (kernels/cpu/elementwise_*.cpp): which code stands for which op. The GPU's are
in pointwise.py."""

from __future__ import annotations

import math

import numpy as np

from gpunet.native import Native
from gpunet.native.halves import FLOATS
from gpunet.ops import pointwise

_unary = Native("elementwise_unary.cpp", "elementwise_unary", elementwise=True)
_binary = Native("elementwise_binary.cpp", "elementwise_binary", elementwise=True)
_grad = Native("elementwise_grad.cpp", "elementwise_grad", elementwise=True)
_compare = Native("elementwise_where.cpp", "elementwise_compare", elementwise=True)
_where = Native("elementwise_where.cpp", "elementwise_where", elementwise=True)

# In the order of the enumerations in the C++ files.
UNARY = {name: code for code, name in enumerate((
    "relu", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "reciprocal", "tanh", "sigmoid", "silu", "gelu", "gelu_tanh",
    "erf", "copy", "square", "leaky_relu", "clamp"))}
BINARY = {name: code for code, name in enumerate((
    "add", "sub", "mul", "true_divide", "maximum", "minimum"))}
GRADIENTS = {name: code for code, name in enumerate((
    "relu_grad", "sigmoid_grad", "tanh_grad", "silu_grad", "gelu_grad", "gelu_tanh_grad", "leaky_relu_grad"))}
COMPARISONS = {name: code for code, name in enumerate(("eq", "ne", "lt", "le", "gt", "ge"))}

_ndarray = np.ndarray


def native(*operations) -> None:
    """Gives ops of one or two arrays, of which one may be a number, the kernels of their name, the CPU's and the
    GPU's."""
    for operation in operations:
        name = operation.op.name
        pointwise.declare(operation)
        if name in UNARY:
            _give_unary(operation, UNARY[name])
        else:
            tables = ((_binary, BINARY), (_grad, GRADIENTS), (_compare, COMPARISONS))
            kernel, codes = next(each for each in tables if name in each[1])
            _give_binary(operation, kernel, codes[name])


def _give_unary(operation, code: int) -> None:
    @operation.cpu(strided=True, types=FLOATS)
    def _(out, x):
        _unary(code, out, x)


def _give_binary(operation, kernel: Native, code: int) -> None:
    @operation.cpu(strided=True, types=FLOATS)
    def _(out, x, y):
        kernel(code, out, x if x.__class__ is _ndarray else float(x), y if y.__class__ is _ndarray else float(y))


def copy(out, x) -> None:
    """out = x, of any strides."""
    _unary(UNARY["copy"], out, x)


def unary(name: str, out, x) -> None:
    """out = a function of x, by its op's name."""
    _unary(UNARY[name], out, x)


def binary(name: str, out, x, y) -> None:
    """out = a function of two arrays, by its op's name."""
    _binary(BINARY[name], out, x, y)


def relu(out, x) -> None:
    """out = max(x, 0)."""
    _unary(UNARY["relu"], out, x)


def clamp(out, x, low, high) -> None:
    """out = x brought between two limits; None: no limit."""
    _unary(UNARY["clamp"], out, x, -math.inf if low is None else float(low), math.inf if high is None else float(high))


def leaky_relu(out, x, slope) -> None:
    """out = x where x > 0, else x * slope."""
    _unary(UNARY["leaky_relu"], out, x, float(slope))


def leaky_relu_grad(out, g, x, slope) -> None:
    """out = g where x > 0, else g * slope."""
    _grad(GRADIENTS["leaky_relu_grad"], out, g, x, float(slope))


def square(out, x) -> None:
    """out = x * x."""
    _unary(UNARY["square"], out, x)


def where(out, condition, x, y) -> None:
    """out = x where the condition, an array of bools, is true, else y."""
    _where(out, condition, x if x.__class__ is _ndarray else float(x), y if y.__class__ is _ndarray else float(y))
