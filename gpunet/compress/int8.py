"""Products of 8-bit integers: exact ones, and the layers that quantize their input on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

import gpunet
from gpunet._channels_last import as_rows
from gpunet.dispatch import op
from gpunet.dtypes import public
from gpunet.native import Native
from gpunet.ops import conv
from gpunet.tensor import Tensor

__all__ = ["int8_matmul"]

_native_matmul = Native("int8.cpp", "int8_matmul")
_native_linear = Native("int8.cpp", "int8_linear")
_native_range = Native("int8.cpp", "int8_range")
_native_conv = Native("int8_conv.cpp", "int8_conv")

_INT8, _INT32, _FLOAT32 = gpunet.int8.numpy, gpunet.int32.numpy, gpunet.float32.numpy
_LONGEST = 1 << 16  # sums of so many products of an int8 and a 9-bit difference fit into an int32
_EXACT = 1 << 9     # products whose sum float32 holds exactly
LEAST_SCALE = float(np.finfo(np.float32).eps)  # of numbers that are all 0


def _product(a: Any, b: Any) -> Any:
    if {a.dtype, b.dtype} != {_INT8} or a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise RuntimeError(f"int8_matmul: expected int8 matrices [m, k] and [n, k], got {public(a.dtype)} {a.shape} "
                           f"and {public(b.dtype)} {b.shape}")
    if a.shape[1] > _LONGEST:
        raise RuntimeError(f"int8_matmul: sums of {a.shape[1]} products can be beyond int32; at most {_LONGEST} are "
                           "allowed: split the matrices along k")
    return (a.shape[0], b.shape[0]), _INT32


def _exact(xp: Any, out: Any, a: Any, b: Any) -> None:
    """out += A B', by float products of slices whose sums are exact."""
    for start in range(0, a.shape[1], _EXACT):
        part = slice(start, start + _EXACT)
        out += xp.matmul(a[:, part].astype("float32"), b[:, part].astype("float32").T).astype("int32")


@op(_product, differentiable=False)
def int8_matmul_op(xp: Any, out: Any, a: Any, b: Any) -> None:
    """A B' of integers, exactly."""
    out[...] = 0
    _exact(xp, out, a, b)


@int8_matmul_op.cpu(types=())
def _(out: Any, a: Any, b: Any) -> None:
    _native_matmul(out, a, b, a.shape[0], b.shape[0], a.shape[1])


def _check_layer(name: str, x: Any, weight: Any, weight_scale: Any, bias: Any, scale: Any, zero_point: Any) -> None:
    if x.dtype != _FLOAT32:
        raise RuntimeError(f"{name}: expected a float32 input, got {public(x.dtype)}; use .float()")
    numbers = [weight_scale, scale, zero_point, *([] if bias is None else [bias])]
    if weight.dtype != _INT8 or any(each.dtype != _FLOAT32 for each in numbers):
        kinds = ", ".join(str(public(each.dtype)) for each in (weight, *numbers))
        raise RuntimeError(f"{name}: expected an int8 weight, and scales, zero point and bias of float32; got {kinds}")
    if scale.size != 1 or zero_point.size != 1 or weight_scale.shape != weight.shape[:1]:
        raise RuntimeError(f"{name}: expected one scale and zero point of the input, and a scale for each output, got "
                           f"shapes {scale.shape}, {zero_point.shape} and {weight_scale.shape}")
    if weight.size > weight.shape[0] * _LONGEST:
        raise RuntimeError(f"{name}: at most {_LONGEST} products an output, got {weight.size // weight.shape[0]}")


def _layer(x: Any, weight: Any, *others: Any) -> Any:
    _check_layer("quantized linear", x, weight, *others)
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise RuntimeError(f"quantized linear: an input of shape {x.shape} does not fit a weight of shape "
                           f"{weight.shape} [out_features, in_features]: the input's last size must be in_features")
    return (*x.shape[:-1], weight.shape[0]), x.dtype


def _steps(xp: Any, x: Any, scale: Any, zero_point: Any) -> Any:
    """How many steps of the scale each number is from 0, as 8 bits have it."""
    return xp.rint(xp.clip(x * (xp.float32(1) / scale), -128 - zero_point, 127 - zero_point))


@op(_layer, differentiable=False)
def int8_linear(xp: Any, out: Any, x: Any, weight: Any, weight_scale: Any, bias: Any, scale: Any, zero_point: Any
                ) -> None:
    """y = scale * weight_scale * sum of (q - zero_point) * weight + bias, where q = clamp(round(x / scale) +
    zero_point, -128, 127) is the input in 8 bits."""
    rows = x.reshape(-1, x.shape[-1])
    steps = _steps(xp, rows, scale, zero_point).astype("int16")
    sums = xp.zeros((rows.shape[0], weight.shape[0]), "int32")
    _exact(xp, sums, steps, weight)
    found = sums.astype("float32") * (scale * weight_scale)
    out[...] = (found if bias is None else found + bias).reshape(out.shape)


@int8_linear.cpu(types=())
def _(out: Any, x: Any, weight: Any, weight_scale: Any, bias: Any, scale: Any, zero_point: Any) -> None:
    features = weight.shape[1]
    _native_linear(out, x, weight, weight_scale, bias, scale, zero_point, x.size // features if features else 0,
                   weight.shape[0], features)


def _image_layer(x: Any, weight: Any, *others: Any, at: Any) -> Any:
    _check_layer("quantized convolution", x, weight, *others)
    if x.ndim != 4 or x.shape[1] != weight.shape[1]:
        raise RuntimeError(f"quantized convolution: an input of shape {x.shape} does not fit a weight of shape "
                           f"{weight.shape}: expected [N, {weight.shape[1]}, H, W]")
    return (x.shape[0], weight.shape[0], *at.out), x.dtype


@op(_image_layer, differentiable=False)
def int8_conv(xp: Any, out: Any, x: Any, weight: Any, weight_scale: Any, bias: Any, scale: Any, zero_point: Any, *,
              at: Any) -> None:
    """`int8_linear` of the windows of images [N, C, H, W], with a weight [features, C, kH, kW]."""
    steps, sums = _steps(xp, x, scale, zero_point), xp.zeros(out.shape, "int32")
    wide = "float32" if at.area <= _EXACT else "float64"
    channels = max(1, _EXACT // at.area)
    for start in range(0, x.shape[1], channels):
        part, found = slice(start, start + channels), xp.empty(out.shape, wide)
        conv.conv.op.body(xp, found, steps[:, part].astype(wide), weight[:, part].astype(wide), None, at=at, groups=1)
        sums += found.astype("int32")
    found = sums.astype("float32") * (scale * weight_scale).reshape(-1, 1, 1)
    out[...] = found if bias is None else found + bias.reshape(-1, 1, 1)


@int8_conv.cpu(types=(), strided=True)
def _(out: Any, x: Any, weight: Any, weight_scale: Any, bias: Any, scale: Any, zero_point: Any, *, at: Any) -> Any:
    if not out.size or not x.size or not out.flags.c_contiguous:
        return NotImplemented
    last = np.ascontiguousarray(as_rows(weight))  # no copy where the layer has stored it so
    _native_conv(out, np.ascontiguousarray(x), last, weight_scale, bias, scale, zero_point, at.numbers, len(x),
                 x.shape[1], len(weight))
    return None


@op(lambda x: (((), x.dtype), ((), x.dtype)), outputs=2, differentiable=False)
def int8_range(xp: Any, scale: Any, zero_point: Any, x: Any) -> None:
    """Scale and zero point of the 8-bit integers that stand for the numbers from the least to the largest, and 0."""
    low, high = xp.minimum(x.min(), xp.float32(0)), xp.maximum(x.max(), xp.float32(0))
    scale[...] = xp.maximum((high - low) / xp.float32(255), xp.float32(LEAST_SCALE))
    zero_point[...] = xp.clip(xp.rint(xp.float32(-128) - low / scale), -128, 127)


@int8_range.cpu
def _(scale: Any, zero_point: Any, x: Any) -> None:
    _native_range(scale, zero_point, x, x.size)


def int8_matmul(a: Tensor, b: Tensor) -> Tensor:
    """The product of two int8 matrices, exact in int32: C[i, j] = sum over k of a[i, k] b[j, k].

    On the CPU a native kernel; see the guide for its speed beside float32.

    Args:
        a: int8 matrix [m, k].
        b: int8 matrix [n, k]: both are read along k.

    Returns:
        int32 matrix [m, n].

    Raises:
        RuntimeError: the matrices are not int8, do not fit each other, or k is above 65,536.

    Examples:
        >>> a = gpunet.tensor([[100, -128]], dtype=gpunet.int8)
        >>> gpunet.compress.int8_matmul(a, a)
        tensor([[26384]], dtype=gpunet.int32)
    """
    return int8_matmul_op(a, b)
