"""How a tensor prints: as PyTorch's do, with NumPy's layout of rows and columns."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gpunet import dtypes
from gpunet.engine.extensions import extensions

__all__ = ["set_printoptions"]


@dataclass(frozen=True)
class _Options:
    """How tensors print; see `set_printoptions`."""

    precision: int = 4
    threshold: float = 1000  # inf: everything is shown
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {"default": _Options(), "short": _Options(precision=2, edgeitems=2), "full": _Options(threshold=math.inf)}
_options = _PROFILES["default"]


def set_printoptions(precision: int | None = None, threshold: float | None = None, edgeitems: int | None = None,
                     linewidth: int | None = None, profile: str | None = None, sci_mode: bool | None = None) -> None:
    """Says how tensors print.

    Args:
        precision: digits after the point; 4 at first.
        threshold: the number of elements from which on only the edges are shown; 1000 at first.
        edgeitems: elements shown at each edge; 3 at first.
        linewidth: characters in a line; 80 at first.
        profile: "default", "short" or "full": values for all of these, before the others are applied.
        sci_mode: whether numbers are powers of ten; None: as their range asks for.

    Raises:
        ValueError: there is no such profile.

    Examples:
        >>> gpunet.set_printoptions(precision=2)
        >>> gpunet.tensor([1.12345])
        tensor([1.12])
        >>> gpunet.set_printoptions(profile="default")
    """
    global _options
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: expected profile to be one of {', '.join(_PROFILES)}, got {profile!r}")
        _options = _PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options = replace(_options, **{name: value for name, value in given.items() if value is not None},
                       sci_mode=sci_mode)


def to_text(tensor) -> str:
    """`tensor([...], dtype=..., device=..., grad_fn=...)`, leaving out what is the default."""
    kind = type(tensor)
    opening = f"{kind.__name__}(" if kind is not extensions.tensor and kind._propagates else "tensor("
    if extensions.recorder is not None:  # looking at the values is not allowed there
        values = f"<values of shape {tuple(tensor.shape)}, being recorded>"
    elif tensor._device.type == "meta":
        return _without_values(tensor, opening)
    else:
        array = tensor._device.to_host(tensor._array)
        if array.dtype.kind == "V":  # bfloat16, which NumPy's formatting does not know
            array = array.astype(np.float32)
        values = np.array2string(array, separator=", ", prefix=opening,
                                 threshold=int(min(_options.threshold, sys.maxsize)),
                                 edgeitems=_options.edgeitems, max_line_width=_options.linewidth,
                                 formatter={"all": _formatter(_shown(array))})
        values = values.replace(", ...,", ",  ...,")  # as PyTorch has it
    parts = [values if tensor._array.size else "[]"]
    if tensor._array.size == 0 and tensor._array.ndim != 1:
        parts.append(f"size={tuple(tensor.shape)}")
    plain = (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if tensor.dtype not in plain or (tensor._array.size == 0 and tensor.dtype is not dtypes.get_default_dtype()):
        parts.append(f"dtype={tensor.dtype!r}")
    if tensor._device.type != "cpu":
        parts.append(f"device='{tensor.device}'")
    return f"{opening}{', '.join(parts + _history(tensor))})"


def _without_values(tensor, opening: str) -> str:
    parts = ["...", "device='meta'", f"size={tuple(tensor.shape)}"]
    parts += [] if tensor.dtype is dtypes.get_default_dtype() else [f"dtype={tensor.dtype!r}"]
    return f"{opening}{', '.join(parts + _history(tensor))})"


def _history(tensor) -> list[str]:
    if tensor._node is not None:
        return [f"grad_fn=<{tensor.grad_fn.name()}>"]
    return ["requires_grad=True"] if tensor._requires_grad else []


def _shown(array):
    """The elements that are printed: of a large tensor only those at the edges."""
    edge = _options.edgeitems
    if array.size > _options.threshold:
        for dim, n in enumerate(array.shape):
            if n > 2 * edge:
                array = array.take([*range(edge), *range(n - edge, n)], axis=dim)
    return array


def _formatter(values) -> Callable:
    """PyTorch's rules for numbers: whole ones get a point, others four digits; powers of ten for wide ranges."""
    number: Callable[..., str] = str
    if values.dtype.kind == "f":
        values = values[np.isfinite(values) & (values != 0)]
        size = np.abs(values.astype(np.float64))
        whole = bool((size == np.ceil(size)).all())
        wide = size.size and (size.max() > 1000 * size.min() or size.max() > 1e8 or (not whole and size.min() < 1e-4))
        wide = wide if _options.sci_mode is None else _options.sci_mode
        kind = "e" if wide else "f"

        def shown(value) -> str:
            if whole and not wide:
                return f"{value:.0f}." if np.isfinite(value) else f"{value}"
            return f"{value:.{_options.precision}{kind}}"

        number = shown

    width = max((len(number(value)) for value in values.reshape(-1)), default=0)
    return lambda value: number(value).rjust(width)
