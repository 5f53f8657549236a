"""Which ops have a native kernel, and when it serves.

`op.native` is what the CPU device asks: None, or what is called in place of the body. Before anything is loaded it is a
function that finds or builds the library at the first call; once the library is there, a Guard, which lets arrays pass
that kernels take: of one of the kernel's types, aligned and C-contiguous (inputs are copied if they are not). Arrays of
half types are converted for kernels of float32 (halves.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from gpunet.native import halves, library

Types = tuple[str, ...] | Callable[[], tuple[str, ...]]

_declared: list[tuple[Any, Callable, Types, bool, tuple[int, ...]]] = []
_serving = True  # until `disabled`


def declare(op: Any, function: Callable, types: Types, strided: bool, halves: tuple[int, ...]) -> None:
    """Gives an op its CPU function. `types`: the floating-point types that it takes, or a function that says so once
    the library is there; arrays of other kinds, such as indices, are its own business; without any, all are. `strided`:
    it takes arrays of any strides. `halves`: the arguments that it takes of a half type as they are."""
    _declared.append((op, function, types, strided, halves))
    if library.loaded() is None and library.possible():
        op.native = partial(_first, op)
    else:
        _serve(op, function, types, strided, halves)


def _first(op: Any, *args: Any, **attrs: Any) -> Any:
    """In place of every op's kernel before the library is there."""
    if library.start() is None:
        for each, *_ in _declared:
            each.native = None
    return NotImplemented if op.native is None else op.native(*args, **attrs)


def serve() -> None:
    """From now on kernels serve, if the library is loaded."""
    for entry in _declared:
        _serve(*entry)


library.when_loaded.append(serve)


def _serve(op: Any, function: Callable, types: Types, strided: bool, kept: tuple[int, ...]) -> None:
    calls = library.loaded()
    op.native = None
    if calls is None or not _serving:
        return
    names = types() if callable(types) else types
    numbers = tuple([np.dtype(name).num for name in names])
    otherwise = None
    if names and not {*halves.FLOATS} <= {*names} and (op.outputs > 0 or kept):
        alone = calls.Guard(function, op.outputs, strided, () if kept else (halves.FLOAT32.num,))
        otherwise = halves.in_float32(alone, op.outputs, kept)
    op.native = calls.Guard(function, op.outputs, strided, numbers, otherwise)


@contextmanager
def disabled() -> Iterator[None]:
    """Context in which every op runs its NumPy body, in all threads: what kernels are compared with.

    Examples:
        >>> import gpunet.native
        >>> with gpunet.native.disabled():
        ...     gpunet.tensor([-1.0, 2.0]).relu()
        tensor([0., 2.])
    """
    global _serving
    before = _serving, [op.native for op, *_ in _declared]
    _serving = False
    for op, *_ in _declared:
        op.native = None
    try:
        yield
    finally:
        _serving = before[0]
        if library.loaded() is not None:
            serve()
        else:
            for (op, *_), native in zip(_declared, before[1], strict=False):
                op.native = native
