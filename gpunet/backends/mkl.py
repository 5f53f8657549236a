"""Intel's MKL."""

from __future__ import annotations

import numpy as np

__all__ = ["is_available"]


def is_available() -> bool:
    """Whether NumPy multiplies matrices by MKL.

    Examples:
        >>> gpunet.backends.mkl.is_available() in (True, False)
        True
    """
    found = np.show_config(mode="dicts") or {}
    return "mkl" in found.get("Build Dependencies", {}).get("blas", {}).get("name", "").lower()
