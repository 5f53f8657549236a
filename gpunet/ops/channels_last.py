"""Channels last in launch functions: what an op whose kernels take it needs (see `Op.channels_last`).

    @conv.channels_last                    # whether the launch takes these arrays as they lie
    def _(cuda, x, w, bias, *, at, groups):
        return groups == 1 and is_channels_last(x)

    @conv.kernel
    def _(cuda, out, x, w, bias, *, at, groups):
        if lie_last(out, x, w):            # the other function has said yes
            return _launch(cuda, as_rows(out), rows(cuda, x), rows(cuda, w), ...)
"""

from __future__ import annotations

from typing import Any

from gpunet._channels_last import as_rows, from_rows, is_channels_last

__all__ = ["as_rows", "from_rows", "is_channels_last", "lie_last", "rows"]


def lie_last(*arrays: Any) -> bool:
    """Whether a launch is given arrays as they lie, some of them in channels last: otherwise all are C-contiguous. None
    is no array."""
    return not all([array is None or array.flags.c_contiguous for array in arrays])


def rows(cuda: Any, array: Any) -> Any:
    """The C-contiguous array [N, H, W, C] of [N, C, H, W]: a view of one in channels last, a copy of others."""
    return cuda.xp.ascontiguousarray(as_rows(array))
