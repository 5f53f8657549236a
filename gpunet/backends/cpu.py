"""What this machine's processor can do."""

from __future__ import annotations

import numpy as np

__all__ = ["get_cpu_capability"]


def get_cpu_capability() -> str:
    """The widest vector instructions of the processor, by PyTorch's names.

    Returns:
        "AVX512", "AVX2", "SVE256" or "DEFAULT".

    Examples:
        >>> answer = gpunet.backends.cpu.get_cpu_capability()
    """
    features = np._core._multiarray_umath.__cpu_features__  # pyright: ignore[reportAttributeAccessIssue]
    for feature, name in (("AVX512F", "AVX512"), ("AVX2", "AVX2"), ("SVE", "SVE256")):
        if features.get(feature):
            return name
    return "DEFAULT"
