"""NumPy's names of arguments, which PyTorch's functions take too: `axis` for `dim`, `keepdims` for `keepdim`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from gpunet.ops.rules import by_axis

P = ParamSpec("P")
R = TypeVar("R")


def numpy_names(function: str, dim: Any, keepdim: bool, axis: Any, keepdims: bool | None, default: Any = None) -> tuple:
    """(dim, keepdim) of a call that gives `axis`, `keepdims` or both, for functions that have these parameters."""
    if axis is not None:
        dim = by_axis(function, dim, axis, default)
    if keepdims is None:
        return dim, keepdim
    if keepdim:
        raise TypeError(f"{function}() got both keepdim and keepdims; they are two names of one argument")
    return dim, keepdims


def takes_axis(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator for a function that cannot be called without `dim`: it may be given by the name `axis`."""

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        if "axis" in options and "dim" not in options:
            options["dim"] = options.pop("axis")
        return function(*args, **options)

    return call
