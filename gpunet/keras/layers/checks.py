"""Checks of layers' options and inputs: what is wrong, in one sentence."""

from __future__ import annotations

from typing import Any


def kind(layer: Any) -> str:
    """How errors call a layer: its name and class."""
    return f"{layer.name} ({type(layer).__name__})"


def at_least(layer: Any, name: str, value: Any, least: int = 1) -> int:
    """A whole number. Raises ValueError."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ValueError(f"{kind(layer)}: {name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def need_axes(layer: Any, shape: Any, least: int, most: int | None = None, words: str = "") -> None:
    """Raises ValueError unless an input has so many axes."""
    if len(shape) < least or most is not None and len(shape) > most:
        wanted = f"{least}" if most == least else f"at least {least}"
        raise ValueError(f"{kind(layer)} takes inputs of {wanted} axes{words}, and got an input of shape "
                         f"{tuple(shape)}.")


def pair(layer: Any, name: str, value: Any) -> tuple[int, int]:
    """Two whole numbers, from one or two. Raises ValueError."""
    given = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(given) != 2:
        raise ValueError(f"{kind(layer)}: {name} must be one number or two, not {value!r}.")
    return at_least(layer, name, given[0]), at_least(layer, name, given[1])


def choice(layer: Any, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """A lower-case option. Raises ValueError."""
    if not isinstance(value, str) or value.lower() not in allowed:
        raise ValueError(f"{kind(layer)}: {name} must be {' or '.join(map(repr, allowed))}, not {value!r}.")
    return value.lower()
