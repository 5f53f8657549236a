"""Windows for signals: numbers that fall to both ends, by which a piece of a signal is multiplied."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import dtypes
from gpunet.dispatch import op
from gpunet.ops.creation import create, type_of

if TYPE_CHECKING:
    from gpunet._layouts import layout as Layout
    from gpunet.ops.creation import Place, Type
    from gpunet.tensor import Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


@op(lambda *, shape, dtype, steps, kind, numbers: (shape, dtype))
def window_op(xp, out, *, shape, dtype, steps, kind, numbers):
    """In float64, at n / steps for n = 0, 1, ...: `steps` is the length, less 1 if the window is symmetric."""
    x = xp.arange(shape[0], dtype=np.float64) / max(1, steps)
    if shape[0] == 1:
        values = xp.ones(1)
    elif kind == "cosines":  # a0 - a1 cos(2 pi x) + a2 cos(4 pi x)
        values = sum([a * (-1) ** k * xp.cos(2 * math.pi * k * x) for k, a in enumerate(numbers)])
    elif kind == "bartlett":
        values = 1 - xp.abs(2 * x - 1)
    else:
        square = (numbers[0] / 2) ** 2
        values = _i0(square * xp.maximum(0, 1 - (2 * x - 1) ** 2), numbers[0]) / _i0(square, numbers[0])
    xp.copyto(out, values, casting="unsafe")


def _i0(square: Any, largest: float) -> Any:
    """I0(2 sqrt(square)) by its series, the sum of square^k / k!^2, for arguments up to `largest`."""
    total = term = square * 0 + 1.0
    for k in range(1, 30 + int(1.5 * abs(largest))):
        term = term * square / k**2
        total = total + term
    return total


def _window(name: str, length: Any, periodic: bool, kind: str, numbers: tuple[float, ...], dtype: Any, layout: Any,
            device: Any, requires_grad: bool) -> Tensor:
    wanted = type_of(name, dtype, None)
    if dtypes.category(wanted) != dtypes.FLOAT:
        raise RuntimeError(f"{name}: a window is of a floating-point type, got {dtypes.public(wanted)}")
    if length < 0:
        raise RuntimeError(f"{name}: the length must not be negative, got {length}")
    return create(name, window_op, None, layout, device, requires_grad, shape=(int(length),), dtype=wanted,
                  steps=int(length) - (not periodic), kind=kind, numbers=numbers)


def hann_window(window_length: int, periodic: bool = True, *,
                dtype: Type | None = None, layout: Layout | None = None,
                device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Hann's window: 0.5 - 0.5 cos(2 pi n / N), where N is the length.

    Args:
        window_length: number of elements.
        periodic: whether it is the window of one more element, without the last: as the pieces of a signal need it
            that overlap. False: symmetric, N = window_length - 1.
        dtype: type of the elements, a floating-point one. None: the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Vector of window_length elements.

    Raises:
        RuntimeError: the length is negative, or the type is not a floating-point one.

    Example:
        >>> gpunet.hann_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("hann_window", window_length, periodic, "cosines", (0.5, 0.5), dtype, layout, device,
                   requires_grad)


def hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *,
                   dtype: Type | None = None, layout: Layout | None = None,
                   device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Hamming's window: alpha - beta cos(2 pi n / N), where N is the length.

    Args:
        window_length: number of elements.
        periodic: whether it is the window of one more element, without the last: as the pieces of a signal need it
            that overlap. False: symmetric, N = window_length - 1.
        alpha: the mean.
        beta: the height of the cosine.
        dtype: type of the elements, a floating-point one. None: the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Vector of window_length elements.

    Raises:
        RuntimeError: the length is negative, or the type is not a floating-point one.

    Example:
        >>> gpunet.hamming_window(4)
        tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    return _window("hamming_window", window_length, periodic, "cosines", (alpha, beta), dtype, layout, device,
                   requires_grad)


def blackman_window(window_length: int, periodic: bool = True, *,
                    dtype: Type | None = None, layout: Layout | None = None,
                    device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Blackman's window: 0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N), where N is the length.

    Args:
        window_length: number of elements.
        periodic: whether it is the window of one more element, without the last: as the pieces of a signal need it
            that overlap. False: symmetric, N = window_length - 1.
        dtype: type of the elements, a floating-point one. None: the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Vector of window_length elements.

    Raises:
        RuntimeError: the length is negative, or the type is not a floating-point one.

    Example:
        >>> gpunet.blackman_window(4)[1:]
        tensor([0.3400, 1.0000, 0.3400])
    """
    return _window("blackman_window", window_length, periodic, "cosines", (0.42, 0.5, 0.08), dtype, layout, device,
                   requires_grad)


def bartlett_window(window_length: int, periodic: bool = True, *,
                    dtype: Type | None = None, layout: Layout | None = None,
                    device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Bartlett's window, a triangle: 1 - |2 n / N - 1|, where N is the length.

    Args:
        window_length: number of elements.
        periodic: whether it is the window of one more element, without the last: as the pieces of a signal need it
            that overlap. False: symmetric, N = window_length - 1.
        dtype: type of the elements, a floating-point one. None: the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Vector of window_length elements.

    Raises:
        RuntimeError: the length is negative, or the type is not a floating-point one.

    Example:
        >>> gpunet.bartlett_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("bartlett_window", window_length, periodic, "bartlett", (), dtype, layout, device,
                   requires_grad)


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *,
                  dtype: Type | None = None, layout: Layout | None = None,
                  device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Kaiser's window: I0(beta sqrt(1 - (2 n / N - 1)^2)) / I0(beta), where N is the length and I0 a Bessel function.

    Args:
        window_length: number of elements.
        periodic: whether it is the window of one more element, without the last: as the pieces of a signal need it
            that overlap. False: symmetric, N = window_length - 1.
        beta: how narrow the window is.
        dtype: type of the elements, a floating-point one. None: the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Vector of window_length elements.

    Raises:
        RuntimeError: the length is negative, or the type is not a floating-point one.

    Example:
        >>> gpunet.kaiser_window(3, periodic=False, beta=1.0)
        tensor([0.7898, 1.0000, 0.7898])
    """
    return _window("kaiser_window", window_length, periodic, "kaiser", (float(beta),), dtype, layout, device,
                   requires_grad)
