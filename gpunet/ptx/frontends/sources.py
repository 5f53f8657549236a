"""Whose lines are the user's: files of the compilers' libraries, and kernels that stand in strings of a Python file."""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from gpunet.ptx.checks import is_library
from gpunet.ptx.profiles import Chain, Line

_HERE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # gpunet


def users_lines(lines: Iterable[Line], sources: Mapping[str, str]) -> tuple[Line, ...]:
    """The counters by the user's lines alone: what was inlined from a library belongs to the line that calls it. What
    no line of the user's calls stays where it is."""
    def named(file: str) -> str:
        return file if file in sources or os.path.basename(file) not in sources else os.path.basename(file)

    found: dict[Chain, Line] = {}
    for line in lines:
        chain = ((named(file), number) for file, number in line.chain)
        chain = tuple(each for each in chain if (each[0] in sources if sources else not is_library(each[0])))
        chain = tuple(dict.fromkeys(chain)) or line.chain
        if chain in found:
            found[chain].add(line)
        else:
            found[chain] = replace(line, chain=chain, operations=dict(line.operations))
    return tuple(sorted(found.values(), key=lambda each: (-each.excess, -each.runs)))


def place_of(text: str) -> tuple[str, int] | None:
    """File and line where a string with this text begins, in the files of the functions that called gpunet; None where
    it is not written there in one piece."""
    return next(filter(None, (_place_in(file, text) for file in dict.fromkeys(_callers()))), None)


def _callers() -> Iterator[str]:
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_HERE + os.sep):
            yield file
        frame = frame.f_back


@functools.lru_cache(256)
def _place_in(file: str, text: str) -> tuple[str, int] | None:
    lines = linecache.getlines(file)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value == text and node.end_lineno is not None:
            first = node.end_lineno - text.count("\n")
            if first >= 1 and all(each.strip() in line for each, line in
                                  zip(text.split("\n"), lines[first - 1:], strict=False)):
                return os.path.abspath(file) if os.path.isfile(file) else file, first  # a notebook's cell is no file
    return None
