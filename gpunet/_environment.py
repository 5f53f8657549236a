"""gpunet's own environment variables: what they are set to, or an error that names what they can be."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

__all__ = ["SettingError", "choice", "number_of"]


class SettingError(ValueError):
    """An environment variable of gpunet's is set to something that it cannot mean.

    Examples:
        >>> issubclass(gpunet.sim.SettingError, ValueError)
        True
    """


def choice(variable: str, choices: Mapping[str, str], default: str) -> str:
    """The one of the choices that the variable is set to, in any case of letters, else the default.

    Args:
        variable: its name.
        choices: what each one means, for the error; "" where that needs no words.
        default: where it is not set.

    Raises:
        SettingError: it is none of them.
    """
    text = os.environ.get(variable, "").strip()
    if (given := text.lower() or default) in choices:
        return given
    *others, last = [f"{each} ({means})" if means else each for each, means in choices.items()]
    raise SettingError(f"${variable} is {text!r}; it is {', '.join(others)} or {last}")


def number_of(variable: str, kind: type, least: float, most: float, default: float) -> float:
    """The number that the variable is set to, else the default, but no more than the most.

    Args:
        variable: its name.
        kind: int or float.
        least: the least number.
        most: the largest number.
        default: where it is not set.

    Raises:
        SettingError: it is no such number.
    """
    text = os.environ.get(variable)
    if not text:
        return min(default, most)
    try:
        given = kind(text)
    except ValueError:
        given = math.nan
    if not least <= given <= most:
        raise SettingError(f"${variable} is {text!r}; it must be a number from {least:g} to {most:g}, or unset")
    return given
