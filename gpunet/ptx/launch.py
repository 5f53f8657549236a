"""Launches of compiled kernels: memory of blocks and warps, host threads, errors in words."""

from __future__ import annotations

import ctypes
import functools
import math
import mmap
import os
import re
import struct
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpunet.ptx import layout, model, program, reader
from gpunet.ptx.layout import Block, Launch, Warp

_WARP = 32
_MOST_THREADS = 1024
_WHAT = {layout.TRAP: "trap", layout.ASSERTION: "assertion failed", layout.DEADLOCK: "deadlock",
         layout.MIXED_BARRIERS: "lanes of one warp wait at different barriers", layout.STOPPED: "stopped"}


class LaunchError(RuntimeError):
    """A kernel failed while it ran; the message names the source line, the block and the threads.

    Examples:
        >>> text = '''.version 8.0
        ... .target sm_80
        ... .address_size 64
        ... .visible .entry stop() { trap; }'''
        >>> gpunet.ptx.Kernel(text)((1,), (32,), ())
        Traceback (most recent call last):
            ...
        gpunet.ptx.LaunchError: kernel stop: trap at line 4 of the PTX, block (0, 0, 0), warp 0, lanes 0-31
    """


class Kernel:
    """An entry of a PTX text, ready to be launched on this machine's memory.

    It is called as `kernel(grid, block, args, shared_mem=0)`. Arguments: NumPy arrays, addresses as ints, ints and
    floats, NumPy scalars and records as bytes, for parameters of their size. Compiled code is kept in the cache of
    compiled kernels.

    Args:
        text: the PTX.
        name: of the kernel; not needed where the text has one.
        scalars: with the analysis of what is alike in all lanes; without it the reference, slower.
        counting: with counters, for gpunet.ptx.profile.

    Raises:
        PtxError: the text is not PTX, or has no such kernel.

    Examples:
        >>> text = '''.version 8.0
        ... .target sm_80
        ... .address_size 64
        ... .visible .entry count(.param .u64 y) {
        ...   .reg .b32 %r<3>; .reg .b64 %rd<4>;
        ...   ld.param.u64 %rd1, [y];
        ...   mov.u32 %r1, %tid.x;
        ...   mul.wide.u32 %rd2, %r1, 4;
        ...   add.s64 %rd3, %rd1, %rd2;
        ...   st.global.u32 [%rd3], %r1;
        ...   ret;
        ... }'''
        >>> y = numpy.zeros(5, numpy.int32)
        >>> gpunet.ptx.Kernel(text)((1,), (5,), (y,))
        >>> y
        array([0, 1, 2, 3, 4], dtype=int32)
    """

    def __init__(self, text: str, name: str | None = None, *, scalars: bool = True,
                 counting: bool = False) -> None:
        self.text, self.name, self.scalars, self.counting = text, name, scalars, counting
        self._programs: dict[bool, program.Program] = {}
        self._spaces: dict[tuple, list[_Space]] = {}
        self._lock = threading.Lock()

    def compiled(self, whole_warps: bool = True) -> program.Program:
        """The program for blocks of whole warps, or for others; compiled at the first call."""
        with self._lock:
            if whole_warps not in self._programs:
                self._programs[whole_warps] = program.compile(self.text, self.name, whole_warps, self.scalars,
                                                              self.counting)
                self.name = self._programs[whole_warps].name
            return self._programs[whole_warps]

    @functools.cached_property
    def entry(self) -> model.Function:
        """The kernel in the PTX."""
        entry = program.entry_of(reader.read(self.text), self.name)
        self.name = entry.name
        return entry

    @property
    def most_threads(self) -> int:
        """Of a block, by the kernel's own bounds."""
        return math.prod(self.entry.directives.get("maxntid", (_MOST_THREADS,)))

    def prepare(self, block: Sequence[int], args: Sequence[Any]) -> None:
        """Compiles what a launch with such blocks runs, and looks at the arguments; nothing runs."""
        pack(self.compiled(math.prod(block) % _WARP == 0), args)

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int = 0) -> None:
        threads = block[0] * (block[1] if len(block) > 1 else 1) * (block[2] if len(block) > 2 else 1)
        compiled = self.compiled(threads % _WARP == 0)
        self.launch(compiled, grid, block, pack(compiled, args), shared_mem)

    def launch(self, compiled: program.Program, grid: Sequence[int], block: Sequence[int], arguments: bytes,
               shared_mem: int = 0, counts: Counts | None = None) -> None:
        """A launch with the bytes of the arguments. `counts` takes the counters of a kernel that has them."""
        grid, block = _three(grid), _three(block)
        blocks, threads = grid[0] * grid[1] * grid[2], block[0] * block[1] * block[2]
        if not blocks:
            return
        warps = -(-threads // _WARP)
        shared = compiled.shared_bytes + shared_mem
        head = bytearray(Launch.BYTES)
        given = ctypes.create_string_buffer(arguments, max(len(arguments), 1))
        struct.pack_into("<Q3i3iii", head, 0, ctypes.addressof(given), *grid, *block, warps, threads)
        struct.pack_into("<q", head, Launch.BLOCKS, blocks)
        struct.pack_into("<Qii", head, Launch.PRINT, _printer(), shared, shared_mem)
        struct.pack_into("<i", head, Launch.SHARED_LIMIT, shared + _AFTER_SHARED)
        if counts is not None:
            struct.pack_into("<Qqq", head, Launch.MAP, *counts.map)
        launch = (ctypes.c_char * Launch.BYTES).from_buffer(head)
        count = min(workers(), blocks)
        spaces = self._take(compiled, warps, shared, count)
        counters = [space.counters(compiled.counters) for space in spaces] if compiled.counters else []
        try:
            if count == 1:
                _work(compiled, launch, spaces[0])
            else:
                others = [_pool().submit(_work, compiled, launch, space) for space in spaces[1:]]
                _work(compiled, launch, spaces[0])
                for each in others:
                    each.result()
            if counts is not None:
                for each in counters:
                    counts.values += each
            if struct.unpack_from("<i", head, Launch.ERROR)[0]:
                raise LaunchError(f"kernel {compiled.name}: {_explained(compiled, head, spaces, warps)}")
        finally:
            self._give_back(compiled, warps, shared, spaces)

    def _take(self, compiled: program.Program, warps: int, shared: int, count: int) -> list[_Space]:
        with self._lock:
            free = self._spaces.setdefault((id(compiled), warps, shared), [])
            taken = [free.pop() for _ in range(min(count, len(free)))]
        return taken + [_Space(compiled.frame_bytes, warps, shared) for _ in range(count - len(taken))]

    def _give_back(self, compiled: program.Program, warps: int, shared: int, spaces: list[_Space]) -> None:
        with self._lock:
            if len(self._spaces) > 8:
                self._spaces.clear()
            self._spaces.setdefault((id(compiled), warps, shared), []).extend(spaces)

    def __repr__(self) -> str:
        return f"<kernel {self.name or '?'} of PTX>"


_AFTER_SHARED = 256


@dataclass
class Counts:
    """What a launch counts: the counters of all host threads together, and a map of the sectors that it touches, as
    (address, first sector, sectors)."""

    values: np.ndarray
    map: tuple[int, int, int] = (0, 0, 0)


class _Space:
    """Memory in which one host thread runs blocks: the frames of the warps, shared memory."""

    def __init__(self, frame_bytes: int, warps: int, shared: int) -> None:
        frames = -(-frame_bytes * warps // 4096) * 4096
        self.frame_bytes, self.size = frame_bytes, frames + 4096 + shared + _AFTER_SHARED + 4096
        self.memory = mmap.mmap(-1, self.size)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.frames, self.block, self.shared = start, start + frames, start + frames + 4096
        ctypes.c_int64.from_address(self.block + Block.SHARED).value = self.shared
        ctypes.c_int64.from_address(self.block + Block.WARPS).value = self.frames
        self.prepared: bytes | None = None

    def counters(self, count: int) -> np.ndarray:
        """Counters at 0 for the next launch."""
        counters = np.zeros(count, np.int64)
        ctypes.c_int64.from_address(self.block + Block.COUNTERS).value = counters.ctypes.data
        return counters


def _work(compiled: program.Program, launch: Any, space: _Space) -> None:
    address = ctypes.addressof(launch)
    ctypes.c_int64.from_address(space.block + Block.LAUNCH).value = address
    shape = bytes(launch[Launch.BLOCK[0]:Launch.WARPS])
    if space.prepared != shape:
        compiled.prepare(address, space.block)
        space.prepared = shape
    compiled.run(address, space.block)


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (*map(int, sizes), 1, 1)[:3]
    return x, y, z


# ---- arguments -------------------------------------------------------------------------------------------------------
_CODES = {"u8": "B", "s8": "b", "b8": "B", "u16": "H", "s16": "h", "b16": "H", "u32": "I", "s32": "i", "b32": "I",
          "f32": "f",
          "u64": "Q", "s64": "q", "b64": "Q", "f64": "d"}


def pack(compiled: program.Program, args: Sequence[Any]) -> bytes:
    """The bytes of a launch's arguments."""
    if len(args) != len(compiled.parameters):
        raise TypeError(f"kernel {compiled.name} takes {len(compiled.parameters)} arguments, got {len(args)}")
    packed = bytearray(compiled.parameter_bytes)
    for number, (parameter, value) in enumerate(zip(compiled.parameters, args, strict=True)):
        try:
            _pack_one(packed, parameter, value)
        except (struct.error, TypeError, ValueError) as error:
            raise TypeError(f"kernel {compiled.name}, argument {number}: {value!r} does not fit a parameter of type "
                            f".{parameter.type} and {parameter.size} bytes ({error})") from None
    return bytes(packed)


def _pack_one(packed: bytearray, parameter: Any, value: Any) -> None:
    at, size = parameter.offset, parameter.size
    address = getattr(value, "_address", None)
    if value is None:
        address = 0
    elif address is None and hasattr(value, "__array_interface__") and getattr(value, "ndim", 0):
        address = value.__array_interface__["data"][0]
    if address is not None:
        struct.pack_into("<Q", packed, at, address)
        return
    if value is not None and hasattr(value, "tobytes") and not isinstance(value, memoryview):
        value = value.tobytes()
    if isinstance(value, bytes):
        if len(value) != size:
            raise ValueError(f"it has {len(value)} bytes")
        packed[at:at + size] = value
    elif isinstance(value, int) and parameter.type[0] in "usb":
        if not -(1 << 8 * size - 1) <= value < 1 << 8 * size:
            raise ValueError("out of range")
        packed[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    else:
        struct.pack_into("<" + _CODES[parameter.type], packed, at, value)


# ---- host threads ----------------------------------------------------------------------------------------------------
def workers() -> int:
    """Host threads for a launch: $GPUNET_SIM_WORKERS, else as many as this process may use."""
    chosen = os.environ.get("GPUNET_SIM_WORKERS", "")
    return int(chosen) if chosen.isdigit() and int(chosen) else len(os.sched_getaffinity(0))


_pools: dict[int, ThreadPoolExecutor] = {}


def _pool() -> ThreadPoolExecutor:
    """Of this process: a forked one needs its own."""
    if os.getpid() not in _pools:
        _pools[os.getpid()] = ThreadPoolExecutor(max(1, workers() - 1), "gpunet-ptx")
    return _pools[os.getpid()]


# ---- what kernels print and how they fail ----------------------------------------------------------------------------
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


def _printer() -> int:
    return ctypes.cast(_print, ctypes.c_void_p).value or 0


def _explained(compiled: program.Program, head: bytearray, spaces: list[_Space], warps: int) -> str:
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


def _waiting(compiled: program.Program, index: tuple, spaces: list[_Space], warps: int) -> str:
    """Where the warps of the block wait."""
    def word(address: int) -> int:
        return ctypes.c_uint32.from_address(address).value

    space = next(each for each in spaces if tuple(word(each.block + place) for place in Block.INDEX) == index)
    places: dict[str, list[int]] = {}
    for warp in range(warps):
        frame = space.frames + warp * space.frame_bytes
        if word(frame + Warp.STATE) == layout.WAITING:
            at = f"barrier {word(frame + Warp.BARRIER)} at {compiled.sites[word(frame + Warp.SITE)]}"
            places.setdefault(at, []).append(warp)
    return "; ".join(f"warp{'s' * (len(each) > 1)} {_listed(each)} wait{'s' * (len(each) == 1)} at {place}"
                     for place, each in places.items())


def _ranges(mask: int) -> str:
    return _listed([lane for lane in range(_WARP) if mask >> lane & 1])


def _listed(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


for _class in (Kernel, LaunchError, program.MissingError, program.Program, program.Site):
    _class.__module__ = "gpunet.ptx"
