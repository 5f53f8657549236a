"""Arrays of which the checkers know that nothing has written them yet."""

from typing import Any

import numpy as np

__all__ = ["Unwritten", "uninitialised"]


class Unwritten(np.ndarray):
    """An array whose elements with all bits set count as not written yet.

    Examples:
        >>> from gpunet.kernel.unwritten import Unwritten, uninitialised
        >>> isinstance(uninitialised(3), Unwritten)
        True
    """


def uninitialised(shape: int | tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """An array for a kernel to write: `check` reports what is read from it before it is written.

    Every byte is 0xff, NaN in floating-point types; an element counts as written once it is anything else.

    Args:
        shape: the array's shape.
        dtype: its type.

    Returns:
        A NumPy array.

    Examples:
        >>> gpunet.sim.uninitialised((2, 2)).tolist()
        [[nan, nan], [nan, nan]]
    """
    array = np.empty(shape, dtype)
    return np.frombuffer(bytearray(b"\xff" * array.nbytes), array.dtype).reshape(array.shape).view(Unwritten)
