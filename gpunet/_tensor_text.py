"""How a tensor prints: as PyTorch's do, with NumPy's layout of rows and columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpunet import dtypes
from gpunet.engine.extensions import extensions

_PRECISION, _THRESHOLD, _EDGE = 4, 1000, 3


def to_text(tensor) -> str:
    """`tensor([...], dtype=..., device=..., grad_fn=...)`, leaving out what is the default."""
    kind = type(tensor)
    opening = f"{kind.__name__}(" if kind is not extensions.tensor and kind._propagates else "tensor("
    if extensions.recorder is not None:  # looking at the values is not allowed there
        values = f"<values of shape {tuple(tensor.shape)}, being recorded>"
    else:
        array = tensor._device.to_host(tensor._array)
        if array.dtype.kind == "V":  # bfloat16, which NumPy's formatting does not know
            array = array.astype(np.float32)
        values = np.array2string(array, separator=", ", prefix=opening, threshold=_THRESHOLD, edgeitems=_EDGE,
                                 max_line_width=80, formatter={"all": _formatter(_shown(array))})
    parts = [values if tensor._array.size else "[]"]
    if tensor._array.size == 0 and tensor._array.ndim != 1:
        parts.append(f"size={tuple(tensor.shape)}")
    plain = (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if tensor.dtype not in plain or (tensor._array.size == 0 and tensor.dtype is not dtypes.get_default_dtype()):
        parts.append(f"dtype={tensor.dtype!r}")
    if tensor._device.type != "cpu":
        parts.append(f"device='{tensor.device}'")
    if tensor._node is not None:
        node = getattr(tensor._node, "node", tensor._node)
        parts.append(f"grad_fn=<{node.name}>")
    elif tensor._requires_grad:
        parts.append("requires_grad=True")
    return f"{opening}{', '.join(parts)})"


def _shown(array):
    """The elements that are printed: of a large tensor only those at the edges."""
    if array.size > _THRESHOLD:
        for dim, n in enumerate(array.shape):
            if n > 2 * _EDGE:
                array = array.take([*range(_EDGE), *range(n - _EDGE, n)], axis=dim)
    return array


def _formatter(values) -> Callable:
    """PyTorch's rules for numbers: whole ones get a point, others four digits; powers of ten for wide ranges."""
    number: Callable[..., str] = str
    if values.dtype.kind == "f":
        values = values[np.isfinite(values) & (values != 0)]
        size = np.abs(values.astype(np.float64))
        whole = bool((size == np.ceil(size)).all())
        wide = size.size and (size.max() > 1000 * size.min() or size.max() > 1e8 or (not whole and size.min() < 1e-4))
        kind = "e" if wide else "f"

        def shown(value) -> str:
            if whole and not wide:
                return f"{value:.0f}." if np.isfinite(value) else f"{value}"
            return f"{value:.{_PRECISION}{kind}}"

        number = shown

    width = max((len(number(value)) for value in values.reshape(-1)), default=0)
    return lambda value: number(value).rjust(width)
