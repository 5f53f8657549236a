"""Warnings that point at the user's line, however many of gpunet's own calls lie between it and the warning."""

from __future__ import annotations

import sys
import warnings


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """warnings.warn, at the nearest caller that is not gpunet's."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and f"{frame.f_globals.get('__name__')}.".startswith("gpunet."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
