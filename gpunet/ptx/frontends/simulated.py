"""A kernel of another library: its launches, carried out, checked or profiled."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gpunet.kernel.finding import Finding
from gpunet.ptx import checks, profiles
from gpunet.ptx.frontends.sources import users_lines
from gpunet.ptx.function import Function
from gpunet.ptx.launch import Kernel
from gpunet.ptx.program import MissingError


@dataclass(frozen=True)
class Launch:
    """A launch in gpunet.ptx's terms.

    Args:
        name: what the user calls the kernel.
        kernel: what is launched.
        grid: blocks.
        block: threads of a block.
        args: NumPy arrays where a parameter is a pointer; else numbers of the parameter's size, or bytes.
        names: of the parameters, for findings.
        shared_mem: bytes of dynamic shared memory.
        sources: texts by the names that the PTX has for them, where these alone are the user's.
        copies: arrays that are not contiguous, with what stands for them in `args`.
        result: what the launch gives.
        kept: whether a finding is about the user's kernel, and not about what the compiler does on purpose.
    """

    name: str
    kernel: Kernel | Function
    grid: tuple[int, ...]
    block: tuple[int, ...]
    args: tuple[Any, ...]
    names: tuple[str, ...]
    shared_mem: int = 0
    sources: Mapping[str, str] = field(default_factory=dict)
    copies: Sequence[tuple[np.ndarray, np.ndarray]] = ()
    result: Any = None
    kept: Callable[[Finding], bool] = lambda finding: True

    def run(self) -> Any:
        self.kernel(self.grid, self.block, self.args, self.shared_mem)
        self._take_back()
        return self.result

    def check(self) -> list[Finding]:
        found = checks.check(self.kernel, self.grid, self.block, self.args, shared_mem=self.shared_mem,
                             names=self.names, sources=self.sources)
        self._take_back()
        return [replace(each, kernel=self.name) for each in found if self.kept(each)]

    def profile(self) -> profiles.Profile:
        found = profiles.profile(self.kernel, self.grid, self.block, self.args, shared_mem=self.shared_mem)
        self._take_back()
        return replace(found, kernel=self.name, lines=users_lines(found.lines, self.sources))

    def _take_back(self) -> None:
        for array, copy in self.copies:
            if array.flags.writeable:
                array[...] = copy


class _Launches:
    """Launches in one way, written as the library writes them."""

    def __init__(self, lower: Callable[..., Launch], carry_out: Callable[[Launch], Any], form: str) -> None:
        self._lower, self._carry_out, self._form = lower, carry_out, form

    def __getitem__(self, where: Any) -> Callable[..., Any]:
        if "[" not in self._form:
            raise TypeError(f"such a kernel is launched as {self._form}")
        return lambda *args, **options: self._carry_out(self._lower(where, *args, **options))

    def __call__(self, *args: Any, **options: Any) -> Any:
        if "[" in self._form:
            raise TypeError(f"such a kernel is launched as {self._form}")
        return self._carry_out(self._lower(*args, **options))


class Simulated(_Launches):
    """A kernel of another library that runs on this machine's NumPy arrays. Not made by hand: from_triton, from_numba
    and from_cupy give it.

    It is launched as in its library: `kernel[grid](...)` of Triton, `kernel[grid, block](...)` of Numba,
    `kernel(grid, block, args)` or `kernel(x, y)` of CuPy.

    Args:
        lower: makes a launch in the library's terms one of gpunet.ptx's.
        form: how the library writes launches, for messages.

    Attributes:
        check: the same launches with checks; gives a list of findings, as gpunet.ptx.check does.
        profile: the same launches with counters; gives a gpunet.ptx.Profile.

    Examples:
        >>> import types
        >>> gpunet.ptx.from_numba(types.SimpleNamespace(py_func=print, targetoptions={}))
        <kernel print of Numba, by its PTX>
    """

    def __init__(self, lower: Callable[..., Launch], form: str, what: str = "kernel") -> None:
        super().__init__(lower, Launch.run, form)
        self.check = _Launches(lower, Launch.check, form.replace("kernel", "kernel.check"))
        self.profile = _Launches(lower, Launch.profile, form.replace("kernel", "kernel.profile"))
        self._what = what

    def __repr__(self) -> str:
        return f"<kernel {self._what}, by its PTX>"


def sizes(given: Any) -> tuple[int, ...]:
    """A grid or block as a tuple."""
    return (int(given),) if isinstance(given, int | np.integer) else tuple(map(int, given))


def library(name: str, package: str) -> Any:
    """A module of a library whose kernels are simulated."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(f"{name} cannot be imported ({error}); to simulate its kernels: pip install {package}"
                           ) from None


Simulated.__module__ = "gpunet.ptx"
