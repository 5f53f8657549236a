"""How a tensor prints: as PyTorch's do, with NumPy's formatting of the numbers."""

from __future__ import annotations

import numpy as np

from gpunet import dispatch, dtypes

_INDENT = "tensor("


def to_text(tensor) -> str:
    """`tensor([...], dtype=..., device=..., grad_fn=...)`, leaving out what is the default."""
    if dispatch.recorder is not None:  # looking at the values is not allowed there
        values = f"<values of shape {tuple(tensor.shape)}, being recorded>"
    else:
        array = tensor._device.to_host(tensor._array)
        if array.dtype.kind == "V":  # bfloat16, which NumPy's formatting does not know
            array = array.astype(np.float32)
        values = np.array2string(array, separator=", ", prefix=_INDENT, precision=4, threshold=1000, edgeitems=3,
                                 floatmode="maxprec_equal", suppress_small=bool(np.all(np.abs(array[np.isfinite(array)])
                                 < 1e4)) if array.dtype.kind == "f" and array.size else False)
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
    return f"{_INDENT}{', '.join(parts)})"
