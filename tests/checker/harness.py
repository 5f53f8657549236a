"""What the tests of the checker share: rows of a table that say how a kernel is launched, and the marks in the sources
that say what is wrong with it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpunet import sim
from gpunet.cli.kernel_commands import spec
from gpunet.kernel import source

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One launch. Arguments are written as for `gpunet kernel check --arg`; other values are passed as they are, and
    functions are called for the value when the launch comes."""

    kernel: str
    grid: int | tuple[int, ...]
    block: int | tuple[int, ...]
    args: tuple[Any, ...]
    shared: int = 0
    timeout: float = 60.0
    wants: Callable[..., Any] | None = None  # what it is to compute: see test_clean.py


def row(kernel, grid, block, *args, **more) -> Row:
    return Row(kernel, grid, block, args, **more)


def same(position: int) -> str:
    """The very array of another argument."""
    return f"@{position}"


def build(row: Row) -> list[Any]:
    """The arguments of a launch, new ones each time; outputs count as not written."""
    values: list[Any] = []
    for position, text in enumerate(row.args):
        if not isinstance(text, str):
            values.append(text() if callable(text) else text)
        elif text.startswith("@"):
            values.append(values[int(text[1:])])
        else:
            values.append(_value(spec.parse(text, position)))
    return values


def _value(argument: spec.Argument) -> Any:
    value = argument.value
    if isinstance(value, tuple):
        return sim.Record(*map(_value, value))
    return sim.uninitialised(value.shape, value.dtype) if argument.output else value


@functools.cache
def module(path: Path, expressions: tuple[str, ...] = ()) -> sim.Module:
    """All kernels of a file in one build."""
    return sim.Module(path.read_text(), file=path.name, options=(f"-I{path.parent}", f"-I{source.folder()}"),
                      name_expressions=expressions)


def check(kernel: sim.Function, row: Row, values: list[Any]) -> list[sim.Finding]:
    if 48 << 10 < row.shared <= 227 << 10:
        kernel.max_dynamic_shared_size_bytes = row.shared
    return sim.check(kernel, row.grid, row.block, tuple(values), shared_mem=row.shared, timeout=row.timeout)


def three(sizes: int | tuple[int, ...]) -> tuple[int, ...]:
    """A grid or block as a launch has it."""
    return (sizes,) if isinstance(sizes, int) else sizes


# ---- marks --------------------------------------------------------------------------------------------------------
@dataclass
class Marks:
    """Of one kernel. bugs: the kinds that its buggy lines name, the first of which must be found; others: lines that
    may be the other party; also: those of them at which something may be found that follows from the bug."""

    bugs: dict[int, list[str]] = field(default_factory=dict)
    others: set[int] = field(default_factory=set)
    also: dict[int, list[str]] = field(default_factory=dict)


_MARK = re.compile(r"//.*?\b(BUG|OTHER|ALSO)\b(.*)")


@functools.cache
def marks(path: Path) -> dict[str, Marks]:
    """The marks of a file by kernel: from the end of the kernel before to its own end, so that its helpers count."""
    found: dict[str, Marks] = {}
    name, current = "", Marks()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if "__global__" in line:
            name = re.search(r"(\w+)\((?!\d+\))", line.partition("__global__")[2]).group(1)
        if match := _MARK.search(line):
            word, kinds = match.group(1), [kind.strip() for kind in match.group(2).split(",") if kind.strip()]
            if word == "BUG":
                current.bugs[number] = kinds
            else:
                current.others.add(number)
                if word == "ALSO":
                    current.also[number] = kinds
        if name and (line == "}" or "__global__" in line and line.endswith("}")):
            found[name], name, current = current, "", Marks()
    return found
