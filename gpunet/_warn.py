"""Warnings that point at the user's line, however many of gpunet's own calls lie between it and the warning."""

from __future__ import annotations

import sys
import warnings

_OURS = ("gpunet.", "functools.", "contextlib.")  # what our calls go through


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """warnings.warn, at the nearest caller that is not gpunet's."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and f"{frame.f_globals.get('__name__')}.".startswith(_OURS):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
