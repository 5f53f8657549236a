"""The GPU's kernel of element-wise ops that have numbers as options, or three arrays: `formula` of
kernels/pointwise.cu."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gpunet.dtypes import FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import FLOATS, KERNEL_TYPES, THREADS, aligned, blocks_of, spread
from gpunet.ops.pointwise import OPTIONS
from gpunet.ops.rules import accumulator

# Names of ops, of the functions in pointwise.cuh, and of the options that are their numbers.
FORMULAS = {
    "leaky_relu": ("LeakyRelu", "slope"), "leaky_relu_grad": ("LeakyReluGrad", "slope"),
    "elu": ("Elu", "alpha", "scale", "rate"), "elu_grad": ("EluGrad", "alpha", "scale", "rate"),
    "softplus": ("Softplus", "beta", "threshold"), "softplus_grad": ("SoftplusGrad", "beta", "threshold"),
    "threshold": ("Threshold", "threshold", "value"), "threshold_grad": ("ThresholdGrad", "threshold"),
    "hardshrink": ("Hardshrink", "lambd"), "softshrink": ("Softshrink", "lambd"),
    "shrink_grad": ("ShrinkGrad", "lambd"),
    "mish": ("Mish",), "mish_grad": ("MishGrad",), "bce": ("Bce",), "bce_grad": ("BceGrad",)}
_LONG = frozenset("Elu EluGrad Softplus SoftplusGrad Mish MishGrad Bce Power".split())  # left to CuPy in double
_POWER = "Power"


def _instances() -> Iterator[tuple]:
    for dtype in FLOATS:
        for function in (*[each[0] for each in FORMULAS.values()], _POWER):
            if dtype != FLOAT64_NP or function not in _LONG:
                yield dtype, accumulator(dtype), function


_formula = Kernel("pointwise.cu", "formula", OPTIONS, _instances)


def _launch(cuda: Any, function: str, out: Any, arrays: tuple, numbers: tuple) -> Any:
    dtype, size = out.dtype, out.size
    if dtype not in KERNEL_TYPES or dtype == FLOAT64_NP and function in _LONG or any(
            [x.dtype != dtype or x.size != size for x in arrays]):
        return NotImplemented
    blocks = spread(cuda, blocks_of(size, 16 // dtype.itemsize))
    _formula.on(cuda, dtype, accumulator(dtype), function)(
        blocks, THREADS, out, *arrays, *[None] * (3 - len(arrays)), *numbers, *[0] * (3 - len(numbers)), size,
        aligned(out, *arrays))
    return None


def declare(operation: Any) -> None:
    """Gives an op the kernel of its name."""
    function, *names = FORMULAS[operation.op.name]
    operation.op.by_element = True

    @operation.kernel
    def _(cuda, out, *arrays, **options):
        return _launch(cuda, function, out, arrays, tuple([options[name] for name in names]))


def power(cuda: Any, out: Any, x: Any, y: Any) -> Any:
    """The launch of `pow` with a number as the exponent."""
    if y.__class__ not in (int, float) or not hasattr(x, "dtype"):
        return NotImplemented
    return _launch(cuda, _POWER, out, (x,), (y,))
