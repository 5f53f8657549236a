"""Native: a kernel of `kernels/cpu/`, declared by file and name, and called from an op's CPU function."""

from __future__ import annotations

import os
from typing import Any

from gpunet.native import library


class Native:
    """A native CPU kernel. Nothing is read or compiled before the first call.

    It is called with arrays (as pointers to their first elements: shapes and strides are the caller's business), ints,
    floats, None (the null pointer), and tuples or lists of these, which become pointers to their elements.

    Args:
        file: a name in gpunet's own `kernels/cpu` folder, or an absolute path of a C++ file of your own.
        name: the entry point, `extern "C" void name(const gpunet::cpu::Arg*)`.
        described: arrays and floats come as `gpunet::cpu::Array` with shape and strides, at most 8 of them.
        elementwise: it is described, and computes each element of its first array from the elements at the same place
            in the others, each of which is of the same size, one element, or a number. `gpunet.compile` then carries
            neighbouring calls out together.

    Examples:
        >>> from gpunet.native import Native
        >>> Native("elementwise_unary.cpp", "elementwise_unary")
        Native('elementwise_unary.cpp', 'elementwise_unary')
    """

    __slots__ = ("file", "name", "described", "elementwise", "function")

    def __init__(self, file: str | os.PathLike[str], name: str, *, described: bool = False,
                 elementwise: bool = False) -> None:
        self.file = file
        self.name = name
        self.described = described or elementwise
        self.elementwise = elementwise
        self.function: Any = self._first

    def __call__(self, *args: Any) -> None:
        self.function(*args)

    def _first(self, *args: Any) -> None:
        self.function = library.function(self.file, self.name, self.described, self.elementwise)
        self.function(*args)

    def __repr__(self) -> str:
        return f"Native({os.fspath(self.file)!r}, {self.name!r})"
