"""From the runtime's records to findings: places in the code become lines, arrays get their names and indices."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gpunet.kernel.finding import KINDS, Access, Finding, fold
from gpunet.sim.toolchain import INCLUDE


@dataclass(frozen=True)
class ArrayName:
    """What an argument is called, and how its elements are counted."""

    name: str
    itemsize: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Context:
    """What the records do not say: the kernel, the texts of its source files, its arguments by number, and pointers in
    a structure by its number and their place in it."""

    kernel: str
    file: str
    texts: dict[str, str]
    arguments: dict[tuple[int, int], ArrayName]  # place -1: the argument itself

    def source(self, file: str, line: int | None) -> str:
        lines = self.texts.get(file, "").split("\n")
        return lines[line - 1].strip() if line and line <= len(lines) else ""


def located(records: str, context: Context) -> list[Finding]:
    """Findings from records (runtime/report.h), each mistake once."""
    rows = [line.split("\t") for line in records.split("\n") if line]
    lines = _lines_of_code({(row[i], int(offset)) for row in rows for i in (4, 14) if row[i]
                            for offset in row[i - 1].split(",")})
    found = [_finding(row, context, lines) for row in rows]
    return fold(found)


def _finding(row: list[str], context: Context, lines: dict) -> Finding:
    kind, message, file, number, library, block, thread, argument, name, distance, sizes = row[:11]
    action, other_file, other_number, other_library, other_block, other_thread, count, mild = row[11:]
    (file, line), *calls = _places(file, number, library, lines)
    array, index = _element(argument, name, int(distance), [int(s) for s in sizes.split(",")], context)
    access = None
    if action:
        (other_file, other_line), *other_calls = _places(other_file, other_number, other_library, lines)
        other_file = other_file or context.file
        access = Access(action, other_file, other_line, context.source(other_file, other_line), _three(other_block),
                        _three(other_thread), _calls(other_calls, context))
    file = file or context.file
    source = context.source(file, line)
    if array is None and (said := _BY_TYPE.match(message)):
        array, index = _named_in(source, int(said.group(1)))
    kind = KINDS[int(kind)]
    finding = Finding(kind, message, context.kernel, file, line, source, _three(block), _three(thread), array, index,
                      access, max(1, int(count)), _calls(calls, context), "warning" if mild else "error",
                      int(count) >= _MOST_THREADS)
    if kind == "unwritten":
        finding = replace(finding, message=f"{array}: {message}, the first is {finding.element}")
    elif kind == "race" and mild:
        finding = replace(finding, message=f"{message}; all write the same value")
    return finding


def _calls(places: list[tuple[str | None, int | None]], context: Context) -> tuple[tuple[str, int, str], ...]:
    return tuple((file, line, context.source(file, line)) for file, line in places if file and line)


_MOST_THREADS = 1 << 16  # that are counted of a mistake: report.h
_BY_TYPE = re.compile(r"the index (-?\d+) into an array of type")


def _named_in(source: str, index: int) -> tuple[str | None, int | None]:
    """What a compiler's check of an index leaves out: the array, if the line indexes just one, and the index as the
    element if it has just one."""
    found = re.findall(r"\b([A-Za-z_]\w*)\s*\[[^\]]*\](\s*\[)?", source)
    if len({name for name, _ in found}) != 1:
        return None, None
    return found[0][0], None if any(more for _, more in found) else index


def _places(file: str, number: str, library: str, lines: dict) -> list[tuple[str | None, int | None]]:
    """From file and line, or from offsets in a library (of the place itself and of what called it): the line, and those
    of the calls that led there, from the inside out."""
    if file:
        return [(file, int(number))]
    chain: list[tuple[str | None, int | None]] = []
    for offset in map(int, number.split(",")) if library else ():
        chain += [place for place in lines.get((library, offset), []) if place not in chain]
    return chain or [(None, None)]


def _three(text: str) -> tuple[int, int, int] | None:
    if not text:
        return None
    x, y, z = map(int, text.strip("()").split(","))
    return x, y, z


def _element(argument: str, name: str, distance: int, sizes: list[int],
             context: Context) -> tuple[str | None, int | tuple[int, ...] | None]:
    """Name and index of the array that a record means, or None and None."""
    size, *extents = sizes
    number, place = map(int, argument.split(","))
    if number >= 0:
        known = context.arguments.get((number, place), ArrayName(f"argument {number}", 1))
        return known.name, _index(distance // known.itemsize, known.shape)
    if name:
        return name, _index(distance // max(size, 1), tuple(extent for extent in extents if extent))
    return None, None


def _index(flat: int, shape: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number for each dimension; outside the array the flat one."""
    if len(shape) < 2 or not 0 <= flat < np.prod(shape):
        return flat
    return tuple(int(i) for i in np.unravel_index(flat, shape))


# ---- places in the code ------------------------------------------------------------------------------------------
def _lines_of_code(places: set[tuple[str, int]]) -> dict[tuple[str, int], list[tuple[str, int]]]:
    """For (library, offset) file and line, and those of the inlined calls around it, by binutils' addr2line, which g++
    needs anyhow."""
    result: dict[tuple[str, int], list[tuple[str, int]]] = {}
    tool = places and (shutil.which("addr2line") or shutil.which("llvm-addr2line"))
    for library in {library for library, _ in places} if tool else ():
        offsets = sorted(offset for its, offset in places if its == library)
        # Hooks know where they return to, which is behind the call; one byte before is within it.
        command = [tool, "-a", "-f", "-i", "-e", library, *(hex(max(offset - 1, 0)) for offset in offsets)]
        output = subprocess.run(command, capture_output=True, text=True).stdout
        for chunk in re.split(r"^0x", output, flags=re.M)[1:]:
            address, *frames = chunk.split("\n")
            if users := _users_lines(frames):
                result[library, int(address, 16) + 1] = users
    return result


def _users_lines(frames: list[str]) -> list[tuple[str, int]]:
    """Those of the inlined calls, from the inside out, that stand in the user's source, and not in the simulator's
    headers. For each there are two lines: the function, and the place."""
    calls = [each for each in zip(frames[::2], frames[1::2], strict=False) if all(each)]
    # The outermost is the entry that is exported behind the kernel. Of inlined functions addr2line calls those that are
    # extern "C" by the name of the symbol that they stand in, which is this one.
    if calls and calls[-1][0].startswith("gpunet_sim_kernel_"):
        del calls[-1]
    matches = (re.match(r"(.*):(\d+)", place) for _, place in calls)
    return [(os.path.normpath(match[1]), int(match[2])) for match in matches
            if match and match[2] != "0" and not _is_ours(match[1])]


def _is_ours(file: str) -> bool:
    return file.startswith(("??", "/usr/")) or Path(file).is_relative_to(INCLUDE) or file.endswith("exported kernels")
