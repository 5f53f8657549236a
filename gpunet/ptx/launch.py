"""Launches of compiled kernels: memory of blocks and warps, host threads."""

from __future__ import annotations

import ctypes
import functools
import math
import mmap
import os
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet._environment import number_of
from gpunet.ptx import model, program, reader
from gpunet.ptx.arguments import REFUSALS, pack, packer
from gpunet.ptx.failures import explained, failure_of, printer
from gpunet.ptx.layout import SHARED_SHIFT, Block, Launch

if TYPE_CHECKING:
    from gpunet.ptx.watch import Watch

_WARP = 32
_MOST_THREADS, _MOST_WORKERS, _MOST_CLUSTER = 1024, 256, 16


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
        checking: with checks, for gpunet.ptx.check.
        lanes_apart: with checks, `activemask` finds each lane alone.
        cluster: sizes of a cluster of blocks, as a launch says them (cudaLaunchAttributeClusterDimension) of a kernel
            that does not.

    Raises:
        ValueError: a cluster has more than 16 blocks.
        PtxError: the text is not PTX, or has no such kernel, or one whose own clusters have another size.

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
                 counting: bool = False, checking: bool = False, lanes_apart: bool = False,
                 cluster: int | Sequence[int] | None = None) -> None:
        self.cluster = None if cluster is None else _of_cluster(cluster)
        self.text, self.name, self.scalars, self.counting = text, name, scalars, counting
        self.checking, self.lanes_apart = checking, lanes_apart
        self._programs: dict[bool, program.Program] = {}
        self._spaces: dict[tuple, list[_Space]] = {}
        self._shapes: dict[tuple, _Shape] = {}
        self._lock = threading.Lock()

    def compiled(self, whole_warps: bool = True) -> program.Program:
        """The program for blocks of whole warps, or for others; compiled at the first call."""
        with self._lock:
            if whole_warps not in self._programs:
                self._programs[whole_warps] = program.compile(self.text, self.name, whole_warps, self.scalars,
                                                              self.counting, self.checking, self.lanes_apart,
                                                              self.cluster)
                self.name = self._programs[whole_warps].name
            return self._programs[whole_warps]

    @functools.cached_property
    def entry(self) -> model.Function:
        """The kernel in the PTX."""
        entry = program.entry_of(reader.read(self.text), self.name)
        self.name = entry.name
        return entry

    def variant(self, *, counting: bool = False, checking: bool = False, lanes_apart: bool = False) -> Kernel:
        """The same kernel, launched in the same way, with counters or with checks."""
        return Kernel(self.text, self.name, scalars=self.scalars, counting=counting, checking=checking,
                      lanes_apart=lanes_apart, cluster=self.cluster)

    @functools.cached_property
    def checked(self) -> Kernel:
        """The same with checks."""
        return self.variant(checking=True)

    @functools.cached_property
    def apart(self) -> Kernel:
        """The same where `activemask` finds each lane alone, as a device may."""
        return self.variant(checking=True, lanes_apart=True)

    @property
    def most_threads(self) -> int:
        """Of a block, by the kernel's own bounds."""
        return math.prod(self.entry.directives.get("reqntid") or
                         self.entry.directives.get("maxntid", (_MOST_THREADS,)))

    def prepare(self, block: Sequence[int], args: Sequence[Any]) -> None:
        """Compiles what a launch with such blocks runs, and looks at the arguments; nothing runs."""
        pack(self.compiled(math.prod(block) % _WARP == 0), args)

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int = 0) -> None:
        shape = self._shapes.get((grid, block, shared_mem)) if type(grid) is type(block) is tuple else None
        if shape is None:
            threads = math.prod(block)
            shape = self._shape(self.compiled(threads % _WARP == 0), tuple(grid), tuple(block), shared_mem)
        try:
            arguments = shape.pack(*args)
        except REFUSALS:
            arguments = pack(shape.compiled, args)
        self._run(shape, arguments)

    def launch(self, compiled: program.Program, grid: Sequence[int], block: Sequence[int], arguments: bytes,
               shared_mem: int = 0, counts: Counts | None = None, watch: Watch | None = None) -> None:
        """A launch with the bytes of the arguments. `counts` takes the counters of a kernel that has them, `watch` the
        mistakes of one with checks, and how it ended."""
        shape = self._shape(compiled, tuple(grid), tuple(block), shared_mem)
        if counts is None and watch is None:
            self._run(shape, arguments)
        else:
            self._run_with(shape, arguments, 1 if watch is not None else shape.host_threads(), counts, watch)

    def _shape(self, compiled: program.Program, grid: tuple, block: tuple, shared_mem: int) -> _Shape:
        known = self._shapes.get((grid, block, shared_mem))
        if known is not None:
            return known
        shape = _Shape(compiled, _three(grid), _three(block), shared_mem)
        if len(self._shapes) > 256:
            self._shapes.clear()
        if len(self._spaces) > 8:
            for free in self._spaces.values():  # which other shapes know
                free.clear()
            self._spaces.clear()
        shape.free = self._spaces.setdefault(shape.space, [])
        self._shapes[grid, block, shared_mem] = shape
        return shape

    def _run(self, shape: _Shape, arguments: bytes) -> None:
        """A launch that nobody watches: what it needs is at hand, and its arguments are written where they were."""
        if not shape.blocks:
            return
        if (count := shape.host_threads()) > 1 or shape.compiled.counters:
            return self._run_with(shape, arguments, count)
        free = shape.free
        space = _taken(free) or _Space(*shape.space)
        head = space.head
        try:
            head[:shape.size] = shape.head + arguments
            if space.shape is not shape:
                _prepare(shape, space.launch, space)
            if shape.blocks == 1:
                shape.run_here(space.launch, space.block)
            else:
                start = perf_counter()
                shape.run_here(space.launch, space.block)
                shape.took(1, perf_counter() - start)
            if head[Launch.ERROR]:
                raise LaunchError(f"kernel {shape.name}: {explained(shape.compiled, head, [space], shape.warps)}")
        finally:
            free.append(space)

    def _run_with(self, shape: _Shape, arguments: bytes, count: int = 1, counts: Counts | None = None,
                  watch: Watch | None = None) -> None:
        """A launch by several host threads, or one that is counted or watched."""
        if not shape.blocks:
            return
        compiled = shape.compiled
        spaces = [_taken(shape.free) or _Space(*shape.space) for _ in range(count)]
        head, address = spaces[0].head, spaces[0].launch
        try:
            head[:shape.size] = shape.head + arguments
            if counts is not None:
                struct.pack_into("<Qqq", head, Launch.MAP, *counts.map)
            for space in spaces:
                _prepare(shape, address, space)
            counters = [space.counters(compiled.counters) for space in spaces] if compiled.counters else []
            if watch is not None:
                watch.begin(head, address, spaces[0], math.prod(shape.block), shape.warps, shape.shared,
                            lambda: _prepared(shape, address), lambda space: compiled.run_here(address, space.block))
            start = perf_counter()
            if count == 1:
                compiled.run_here(address, spaces[0].block)
            else:
                _work_together(shape, spaces)
            shape.took(count, perf_counter() - start)
            if counts is not None:
                for each in counters:
                    counts.values += each
            if watch is not None:
                watch.drain()
                watch.end(failure_of(head))
            elif head[Launch.ERROR]:
                raise LaunchError(f"kernel {shape.name}: {explained(compiled, head, spaces, shape.warps)}")
        finally:
            shape.free.extend(reversed(spaces))  # so that each finds its own launch again

    def __repr__(self) -> str:
        return f"<kernel {self.name or '?'} of PTX>"


_AFTER_SHARED = 256


@dataclass
class Counts:
    """What a launch counts: the counters of all host threads together, and a map of the sectors that it touches, as
    (address, first sector, sectors)."""

    values: np.ndarray
    map: tuple[int, int, int] = (0, 0, 0)


class _Shape:
    """A launch but for its arguments: what is the same for all with this grid and these blocks."""

    def __init__(self, compiled: program.Program, grid: tuple, block: tuple, shared_mem: int) -> None:
        self.compiled, self.name, self.block = compiled, compiled.name, block
        together, threads = math.prod(grid if compiled.at_once else compiled.cluster), math.prod(block)
        if refusal := unfit_grid(compiled, grid, threads):
            raise ValueError(f"kernel {compiled.name}: {refusal}")
        self.blocks = math.prod(grid) // max(together, 1)
        self.warps, self.shared = -(-threads // _WARP), compiled.shared_bytes + shared_mem
        if self.shared > MOST_SHARED and compiled.checked is None:  # that one has gaps between variables
            raise ValueError(f"kernel {compiled.name}: {self.shared} bytes of shared memory in a block, a device has "
                             f"{MOST_SHARED}")
        self.space = compiled.frame_bytes, self.warps, self.shared, together, compiled.parameter_bytes
        self.free: list[_Space] = []  # set by the kernel: shapes that need the same share it
        self.run_here, self.size = compiled.run_here, Launch.BYTES + compiled.parameter_bytes
        self.pack = packer(compiled.parameters)
        head = bytearray(Launch.BYTES)
        struct.pack_into("<3i3iii", head, Launch.GRID[0], *grid, *block, self.warps, threads)
        struct.pack_into("<q", head, Launch.BLOCKS, self.blocks)
        struct.pack_into("<Qii", head, Launch.PRINT, printer(), self.shared, shared_mem)
        struct.pack_into("<i", head, Launch.SHARED_LIMIT, self.shared + _AFTER_SHARED)
        struct.pack_into("<QQQQ", head, Launch.LEAVE, *_python(), _PAGE)
        self.head = bytes(head)
        self._seconds: dict[int, float] = {}  # the shortest launch, by host threads

    def host_threads(self) -> int:
        """As many as there are, but one where that has been seen to take less: to wake a thread takes time."""
        if self.blocks == 1:
            return 1
        most = min(workers(), self.blocks)
        if most == 1 or most not in self._seconds or self._seconds[most] > _SHORT:
            return most
        return most if self._seconds.get(1, 0.0) > self._seconds[most] else 1

    def took(self, count: int, seconds: float) -> None:
        self._seconds[count] = min(seconds, self._seconds.get(count, seconds))


def unfit_grid(compiled: program.Program, grid: Sequence[int], threads: int) -> str:
    """What is wrong with a grid for blocks that have to be there at once; empty where nothing is."""
    sizes = _three(grid)
    if any(size % each for size, each in zip(sizes, compiled.cluster, strict=True)):
        return f"the grid {sizes} is no multiple of its clusters' size {compiled.cluster}"
    if compiled.at_once and math.prod(sizes) > (most := at_once(threads)):
        return (f"a barrier of the whole grid needs all its blocks at once, and of {threads} threads a GPU has {most} "
                f"at once, not {math.prod(sizes)}: take a smaller grid")
    return ""


def at_once(threads: int) -> int:
    """The most blocks that a GPU has at once: 132 multiprocessors, each of 2048 threads and 32 blocks."""
    return 132 * min(32, 2048 // max(threads, 1))


MOST_SHARED = 227 << 10  # bytes of a block
_SHORT = 1e-3  # seconds: a launch that takes longer is worth its threads
_PAGE = 4096


class _Space:
    """Memory in which one host thread runs a block, or the blocks of a cluster: what is known of each (a page), their
    shared memory, and the frames of their warps. At the end there is place for a launch and its arguments."""

    def __init__(self, frame_bytes: int, warps: int, shared: int, blocks: int, parameter_bytes: int) -> None:
        frames = -(-frame_bytes * warps // _PAGE) * _PAGE
        apart = 1 << SHARED_SHIFT if blocks > 1 else -(-(shared + _AFTER_SHARED) // _PAGE) * _PAGE
        size = blocks * (_PAGE + apart + frames) + _PAGE
        self.frame_bytes = frame_bytes
        # A forked process has its own copy.
        self.memory = mmap.mmap(-1, size + Launch.BYTES + parameter_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.head: Any = memoryview(self.memory)[size:]
        self.block = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.launch = self.block + size
        self.blocks = [self.block + number * _PAGE for number in range(blocks)]
        self.frames = [self.block + blocks * (_PAGE + apart) + number * frames for number in range(blocks)]
        for number, block in enumerate(self.blocks):
            for place, value in ((Block.SHARED, self.block + blocks * _PAGE + number * apart),
                                 (Block.WARPS, self.frames[number]), (Block.LEADER, self.block)):
                ctypes.c_int64.from_address(block + place).value = value
        self.prepared: tuple | None = None  # for which launch and sizes of a block it is
        self.shape: _Shape | None = None  # the last launch here that was this space's own

    def counters(self, count: int) -> np.ndarray:
        """Counters at 0 for the next launch."""
        counters = np.zeros(count, np.int64)
        for block in self.blocks:
            ctypes.c_int64.from_address(block + Block.COUNTERS).value = counters.ctypes.data
        return counters


def _taken(free: list[_Space]) -> _Space | None:
    try:
        return free.pop()
    except IndexError:
        return None


def _prepare(shape: _Shape, launch: int, space: _Space) -> None:
    """For a launch at this address, whose sizes are written there."""
    if space.prepared != (launch, shape.block):
        for block in space.blocks:
            ctypes.c_int64.from_address(block + Block.LAUNCH).value = launch
            shape.compiled.prepare(launch, block)
        space.prepared = launch, shape.block
    space.shape = shape if launch == space.launch else None


def _prepared(shape: _Shape, launch: int) -> _Space:
    space = _Space(*shape.space)
    _prepare(shape, launch, space)
    return space


def _work_together(shape: _Shape, spaces: list[_Space]) -> None:
    """By this thread and others. Whatever is raised here, by Ctrl-C say, none still works when this ends."""
    launch, head = spaces[0].launch, spaces[0].head
    others = [_pool().submit(shape.compiled.run, launch, space.block) for space in spaces[1:]]
    try:
        shape.run_here(launch, spaces[0].block)
        for each in others:
            each.result()
    except BaseException:
        struct.pack_into("<i", head, Launch.STOP, 1)
        wait(others)
        raise


@functools.cache
def _python() -> tuple[int, ...]:
    """Of the interpreter: what gives its lock back, what takes it, and what carries out the handlers of signals."""
    functions = (ctypes.pythonapi.PyEval_SaveThread, ctypes.pythonapi.PyEval_RestoreThread,
                 ctypes.pythonapi.PyErr_CheckSignals)
    return tuple(ctypes.cast(each, ctypes.c_void_p).value or 0 for each in functions)


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (*map(int, sizes), 1, 1)[:3]
    return x, y, z


def _of_cluster(sizes: int | Sequence[int]) -> tuple[int, int, int]:
    sizes = _three((sizes,) if isinstance(sizes, int | np.integer) else sizes)
    if min(sizes) < 1 or math.prod(sizes) > _MOST_CLUSTER:
        raise ValueError(f"a cluster has 1 to {_MOST_CLUSTER} blocks, not {' x '.join(map(str, sizes))}")
    return sizes


# ---- host threads ----------------------------------------------------------------------------------------------------
def workers() -> int:
    """Host threads for a launch: $GPUNET_SIM_WORKERS, else as many as this process may use."""
    return int(number_of("GPUNET_SIM_WORKERS", int, 1, _MOST_WORKERS, _processors()))


@functools.cache
def _processors() -> int:
    return len(os.sched_getaffinity(0))


_pools: dict[int, ThreadPoolExecutor] = {}


def _pool() -> ThreadPoolExecutor:
    """Of this process: a forked one needs its own."""
    if os.getpid() not in _pools:
        _pools[os.getpid()] = ThreadPoolExecutor(max(1, workers() - 1), "gpunet-ptx")
    return _pools[os.getpid()]


for _class in (Kernel, LaunchError, program.MissingError, program.Program, program.Site):
    _class.__module__ = "gpunet.ptx"
