"""What kernels print, and how a launch that failed is told."""

from __future__ import annotations

import ctypes
import functools
import re
import struct
import sys
from dataclasses import dataclass
from typing import Any

from gpunet.ptx import layout, program
from gpunet.ptx.layout import Block, Launch, Warp

_WARP = 32
_WHAT = {layout.TRAP: "trap", layout.ASSERTION: "assertion failed", layout.DEADLOCK: "deadlock",
         layout.MIXED_BARRIERS: "lanes of one warp wait at different barriers", layout.STOPPED: "stopped",
         layout.STACK: "the stack is used up"}

_FORMAT = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|j|z|t|L)?([diouxXeEfFgGaAcsp%])")


def formatted(form: bytes, address: int) -> str:
    """What printf makes of a format and its arguments in memory, each at a multiple of its size."""
    def take(code: str, size: int) -> Any:
        nonlocal address
        address += -address % size
        value = struct.unpack("<" + code, ctypes.string_at(address, size))[0]
        address += size
        return value

    def one(match: re.Match) -> str:
        flags, width, precision, length, kind = match.groups()
        if kind == "%":
            return "%"
        width, precision = (str(take("i", 4)) if each == "*" else each for each in (width, precision))
        spec = f"%{flags}{width or ''}{'.' + precision if precision is not None else ''}"
        if kind in "eEfFgG":
            return (spec + kind) % take("d", 8)
        if kind in "aA":
            return take("d", 8).hex()
        if kind == "s":
            return (spec + "s") % ctypes.string_at(take("Q", 8)).decode(errors="replace")
        if kind == "p":
            return (spec + "s") % hex(take("Q", 8))
        if kind == "c":
            return (spec + "c") % chr(take("i", 4) & 255)
        long = length in ("ll", "l", "j", "z", "t")
        return (spec + ("d" if kind == "u" else kind)) % take({True: "q", False: "Q"}[kind in "di"] if long else
                                                              {True: "i", False: "I"}[kind in "di"], 8 if long else 4)

    return _FORMAT.sub(one, form.decode(errors="replace"))


@ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64)
def _print(form: int, address: int) -> None:
    sys.stdout.write(formatted(ctypes.string_at(form), address))


@functools.cache
def printer() -> int:
    """The address of what prints."""
    return ctypes.cast(_print, ctypes.c_void_p).value or 0


@dataclass(frozen=True)
class Failure:
    """Why a launch ended early, for the checker."""

    error: int
    site: int
    index: tuple[int, int, int]
    lanes: int
    warp: int
    message: str = ""
    file: str = ""
    line: int = 0


def failure_of(head: bytearray | memoryview) -> Failure | None:
    error, site, x, y, z, mask, warp = struct.unpack_from("<ii3iIi", head, Launch.ERROR)
    if not error:
        return None
    told = ("", "", 0)
    if error == layout.ASSERTION:
        message, file, line = struct.unpack_from("<QQi", head, Launch.MESSAGE)
        told = _text(message), _text(file), line
    return Failure(error, site, (x, y, z), mask, warp, *told)


def explained(compiled: program.Program, head: bytearray | memoryview, spaces: list[Any], warps: int) -> str:
    error, site, x, y, z, mask, warp = struct.unpack_from("<ii3iIi", head, Launch.ERROR)
    what, where = _WHAT[error], f"block ({x}, {y}, {z})"
    if error == layout.STOPPED:
        return what
    if error == layout.DEADLOCK:
        return f"{what} in {where}: {_waiting(compiled, (x, y, z), spaces, warps)}"
    place: Any = compiled.sites[site]
    if error == layout.ASSERTION:
        message, file, line = struct.unpack_from("<QQi", head, Launch.MESSAGE)
        what = f"assertion `{_text(message)}` failed"
        place = f"{_text(file)}:{line}"
    return f"{what} at {place}, {where}, warp {warp}, lanes {_ranges(mask)}"


def _text(address: int) -> str:
    return ctypes.string_at(address).decode(errors="replace") if address else "?"


def _waiting(compiled: program.Program, index: tuple, spaces: list[Any], warps: int) -> str:
    """Where the warps of the block wait."""
    def word(address: int) -> int:
        return ctypes.c_uint32.from_address(address).value

    space = next(each for each in spaces if tuple(word(each.block + place) for place in Block.INDEX) == index)
    places: dict[str, list[int]] = {}
    parts: list[str] = []  # of warps whose lanes wait at several barrier instructions
    for rank, first in enumerate(space.frames):
        of_block = f", in block {tuple(word(space.blocks[rank] + place) for place in Block.INDEX)}" * (rank > 0)
        for warp in range(warps):
            frame = first + warp * space.frame_bytes
            state, number = word(frame + Warp.STATE), word(frame + Warp.BARRIER)
            if state in (layout.WAITING, layout.AT_CLUSTER):
                which = "the cluster's barrier" if state == layout.AT_CLUSTER else f"barrier {number}"
                found = lanes_held(compiled, frame)
                for site, lanes in found.items():
                    place = f"{which} at {compiled.sites[site]}{of_block}"
                    if len(found) == 1:
                        places.setdefault(place, []).append(warp)
                    else:
                        parts.append(f"{_numbered('lane', _lanes(lanes))} of warp {warp} {_waits(lanes.bit_count())} "
                                     f"at {place}")
    return "; ".join([*(f"{_numbered('warp', each)} {_waits(len(each))} at {place}" for place, each in places.items()),
                      *parts])


def lanes_held(compiled: program.Program, frame: int) -> dict[int, int]:
    """The lanes of a warp, by the address of its frame, that wait for the block, by the sites of their barriers."""
    found: dict[int, int] = {}
    for place, site in compiled.held:
        if lanes := ctypes.c_uint32.from_address(frame + place).value:
            found[site] = found.get(site, 0) | lanes
    return found


def _ranges(mask: int) -> str:
    return _listed(_lanes(mask))


def _lanes(mask: int) -> list[int]:
    return [lane for lane in range(_WARP) if mask >> lane & 1]


def _numbered(what: str, numbers: list[int]) -> str:
    return f"{what}{'s' * (len(numbers) > 1)} {_listed(numbers)}"


def _waits(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _listed(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
