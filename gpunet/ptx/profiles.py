"""Profiles: what a launch asks of the memory and the arithmetic, by source line; counted and not measured."""

from __future__ import annotations

import functools
import mmap
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.kernel import compilers, sass
from gpunet.kernel.common_memory import common, joined
from gpunet.kernel.nvrtc import Resources
from gpunet.kernel.occupancy import Occupancy, capability_of, occupancy
from gpunet.ptx import costs, launch, program
from gpunet.ptx.function import Function
from gpunet.ptx.reader import read
from gpunet.ptx.roofline import Roofline, roofline

Chain = tuple[tuple[str, int], ...]
_NOT_COUNTED = ("cp.async.bulk", "wgmma.mma_async", "wmma.load", "wmma.store")
_GROUPS = ("commit_group", "wait_group", "read")
_LARGEST_MAP = 1 << 33  # sectors; memory is taken for those alone that are touched


@dataclass
class Line:
    """What one place in the source asks for, with the calls through which it was inlined.

    Attributes:
        chain: (file, line), innermost first; empty of instructions whose place the compiler does not tell.
        instructions: of the PTX.
        runs: executions by warps, of all its instructions together.
        lanes: active lanes of them, at most 32 a run.
        sectors: of global memory, of 32 bytes.
        least_sectors: that could hold the bytes of each access.
        wavefronts: of shared memory.
        least_wavefronts: without bank conflicts.
        turns: of atomics, by the lanes that one address has.
        least_turns: one for each execution.
        branches: executions of branches.
        divergent: those in which the lanes of a warp part.
        global_bytes: that lanes read and write.
        shared_bytes: the same.
        local_bytes: the same.
        operations: of floating point, by unit: "float32", "float64", "half", "tensor".

    Examples:
        >>> gpunet.ptx.Line((("scale.cu", 3),), sectors=8, least_sectors=4).excess
        4
    """

    chain: Chain
    instructions: int = 0
    runs: int = 0
    lanes: int = 0
    sectors: int = 0
    least_sectors: int = 0
    wavefronts: int = 0
    least_wavefronts: int = 0
    turns: int = 0
    least_turns: int = 0
    branches: int = 0
    divergent: int = 0
    global_bytes: int = 0
    shared_bytes: int = 0
    local_bytes: int = 0
    operations: dict[str, int] = field(default_factory=dict)

    @property
    def excess(self) -> int:
        """What is more than the least: sectors, wavefronts and turns, and the branches at which lanes part."""
        return (self.sectors - self.least_sectors + self.wavefronts - self.least_wavefronts + self.turns
                - self.least_turns + self.divergent)

    @property
    def lanes_per_run(self) -> float:
        return self.lanes / self.runs if self.runs else 0.0

    def add(self, other: Line) -> None:
        for name, value in vars(other).items():
            if name == "operations":
                for unit, count in value.items():
                    self.operations[unit] = self.operations.get(unit, 0) + count
            elif name != "chain":
                setattr(self, name, getattr(self, name) + value)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "chain": [list(each) for each in self.chain], "excess": self.excess}


@dataclass(frozen=True)
class Profile:
    """What a launch counts; nothing in it is a time.

    Attributes:
        kernel: its name.
        grid: blocks.
        block: threads of a block.
        shared: bytes of shared memory of a block.
        architecture: for which it was compiled.
        lines: by source line, the largest excess first.
        touched: bytes of global memory in sectors that are read, and in those that are written, each once; None where
            it is not known.
        resources: registers and the like; None where there is no machine code.
        occupancy: how many blocks share a multiprocessor; None where it is not known.
        roofline: the bounds that follow; None where there is nothing to compute or to move.
        mix: the machine code's instructions by kind; None without NVIDIA's disassembler.
        not_counted: instructions whose accesses are not counted: bulk copies, operands of wgmma, loads and stores of
            wmma.
        sources: the text of the files that are named, as far as they can be read.
        outside: the launch has touched memory just outside of its arrays, so that the counters are those of a kernel
            with a mistake: the checker finds it.

    Examples:
        >>> scale = gpunet.sim.Module('''
        ... __global__ void scale(float* x, float by) { x[2 * threadIdx.x] *= by; }''').get_function("scale")
        >>> profile = gpunet.sim.profile(scale, 1, 32, (numpy.ones(64, numpy.float32), numpy.float32(3)))
        >>> profile.total.sectors, profile.total.least_sectors, profile.total.operations
        (16, 8, {'float32': 32})
    """

    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int
    architecture: str
    lines: tuple[Line, ...]
    touched: tuple[int, int] | None = None
    resources: Resources | None = None
    occupancy: Occupancy | None = None
    roofline: Roofline | None = None
    mix: dict[str, int] | None = None
    not_counted: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict, repr=False)
    outside: bool = False

    @property
    def total(self) -> Line:
        """All lines together."""
        total = Line(())
        for line in self.lines:
            total.add(line)
        return total

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {name: asdict(value) if name in ("resources", "occupancy", "roofline") and value else value
                 for name, value in vars(self).items() if name not in ("sources", "lines")}
        total = self.total.as_dict()
        del total["chain"]
        return {**found, "total": total, "lines": [line.as_dict() for line in self.lines]}


def lines_of(compiled: program.Program, values: np.ndarray) -> tuple[Line, ...]:
    """The counters of a launch by source line, the largest excess first."""
    found: dict[Chain, Line] = {}
    counts = values.tolist()
    for each in compiled.counted:
        line = found.setdefault(each.chain, Line(each.chain))
        lanes = counts[each.lanes]
        line.instructions += 1
        line.runs += counts[each.runs]
        line.lanes += lanes
        for name in ("sectors", "wavefronts", "turns"):
            if (place := getattr(each, name)) >= 0:
                setattr(line, name, getattr(line, name) + counts[place])
                setattr(line, f"least_{name}", getattr(line, f"least_{name}") + counts[place + 1])
        if each.name.startswith("bra"):
            line.branches += counts[each.runs]
        if each.divergent >= 0:
            line.divergent += counts[each.divergent]
        if each.space:
            name = f"{each.space}_bytes"
            setattr(line, name, getattr(line, name) + lanes * each.bytes)
        if each.unit and lanes:
            line.operations[each.unit] = line.operations.get(each.unit, 0) + int(lanes * each.operations)
    return tuple(sorted((line for line in found.values() if line.runs), key=lambda each: (-each.excess, -each.runs)))


_GAP = 1024  # bytes


class Arrays:
    """A launch's NumPy arrays in memory of their own, each at a multiple of 256 bytes, as on a GPU, with gaps around it
    that nothing should touch; those that have memory in common have it there, too. A fork shares it.

    Args:
        args: of the launch. What has a method `places`, giving (place, value) of its fields, a size and an alignment,
            is a structure by value.
        extents: (address, bytes) of further arrays, which the arguments point to.
    """

    def __init__(self, args: Sequence[Any], extents: Iterable[tuple[int, int]] = ()) -> None:
        self.extents = list(extents)
        self.outside = False  # after a launch that was counted: it has touched the gaps
        self._given: dict[int, np.ndarray] = {}
        self._copies: dict[int, np.ndarray] = {}
        for value in args:
            for each in [inner for _, inner in value.places()[0]] if hasattr(value, "places") else [value]:
                if isinstance(each, np.ndarray) and each.ndim:
                    self._given.setdefault(id(each), each)
                elif (address := getattr(each, "_address", None)) is not None:
                    self.extents.append((address, getattr(each, "nbytes", 0)))
        shared = {id(each): each for each in common(self._given.values())}
        parts = [(array.nbytes, [(key, 0)]) for key, array in self._given.items() if key not in shared]
        for start, size in joined((array.ctypes.data, array.nbytes) for array in shared.values()):
            parts.append((size, [(key, array.ctypes.data - start) for key, array in shared.items()
                                 if 0 <= array.ctypes.data - start < size]))
        self._memory = mmap.mmap(-1, sum(size + -size % 256 + _GAP for size, _ in parts) + 4096)
        whole, at = np.frombuffer(self._memory, np.uint8), _GAP
        self.span = (whole.ctypes.data, whole.ctypes.data + whole.size) if parts else (0, 0)
        for size, inside in parts:
            for key, offset in inside:
                array = self._given[key]
                copy = whole[at + offset:at + offset + array.nbytes].view(array.dtype).reshape(array.shape)
                copy[...] = array
                self._copies[key] = copy
                self.extents.append((copy.ctypes.data, array.nbytes))
            at += size + -size % 256 + _GAP
        self.args = tuple(map(self._argument, args))

    def _argument(self, value: Any) -> Any:
        if id(value) in self._copies:
            return self._copies[id(value)].ctypes.data
        if not hasattr(value, "places"):
            return value
        fields, size, _ = value.places()
        content = bytearray(size)
        for place, each in fields:
            each = self._argument(each)
            each = getattr(each, "_address", each)
            data = each.tobytes() if isinstance(each, np.generic) else int(each or 0).to_bytes(8, "little")
            content[place:place + len(data)] = data
        return bytes(content)

    def take_back(self) -> None:
        """What the kernel has written becomes the arrays' content."""
        for key, array in self._given.items():
            if array.flags.writeable:
                array[...] = self._copies[key]


def count(kernel: launch.Kernel, grid: Sequence[int], block: Sequence[int], arrays: Arrays, shared_mem: int = 0,
          run: Callable[[Callable[[], None]], None] = lambda work: work()) -> tuple[tuple[Line, ...],
                                                                                   tuple[int, int] | None]:
    """A launch of a kernel that has counters: the lines, and the bytes of sectors that are read and that are written.

    `run` carries the launch out; what it leaves in memory that a fork shares is seen here.
    """
    threads = int(np.prod(block))
    compiled = kernel.compiled(threads % 32 == 0)
    arguments = launch.pack(compiled, arrays.args)
    used = [(start // costs.SECTOR, -(-(start + size) // costs.SECTOR)) for start, size in arrays.extents if size]
    begin, end = (each // costs.SECTOR for each in arrays.span)
    around = [*used, (begin, end)] if end else used
    first, last = min((each for each, _ in around), default=0), max((each for _, each in around), default=0)
    known = 0 < last - first < _LARGEST_MAP
    sectors = last - first if known else 0
    memory = mmap.mmap(-1, 2 * sectors + 8 * compiled.counters + 16)
    values = np.frombuffer(memory, np.int64, compiled.counters)
    marks = np.frombuffer(memory, np.uint8, 2 * sectors, 8 * compiled.counters)
    counts = launch.Counts(values, (marks.ctypes.data, first, sectors) if known else (0, 0, 0))
    run(lambda: kernel.launch(compiled, grid, block, arguments, shared_mem, counts))
    touched = None
    if known:
        halves, ranges = (marks[:sectors], marks[sectors:]), _merged(used)
        read, written = (sum(int(np.count_nonzero(half[begin - first:end - first])) for begin, end in ranges)
                         for half in halves)
        touched = read * costs.SECTOR, written * costs.SECTOR
        its = [each for each in ranges if begin <= each[0] < end]
        arrays.outside = any(half[before - first:after - first].any() for half in halves for before, after in
                             zip([begin, *(each for _, each in its)], [*(each for each, _ in its), end], strict=True))
    return lines_of(compiled, values), touched


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same without what is in two of them."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if found and begin < found[-1][1]:
            begin = found[-1][1]
        if begin < end:
            found.append((begin, end))
    return found


def made(kernel: str, grid: tuple[int, ...], block: tuple[int, ...], shared: int, architecture: str,
         counted: tuple[tuple[Line, ...], tuple[int, int] | None], **known: Any) -> Profile:
    """A profile of what was counted."""
    lines, touched = counted
    total = Profile(kernel, grid, block, shared, architecture, lines).total
    found = roofline(architecture, total.operations, total.sectors * costs.SECTOR, sum(touched) if touched else None)
    return Profile(kernel, grid, block, shared, architecture, lines, touched, roofline=found, **known)


def profile(kernel: Function | launch.Kernel, grid: int | Sequence[int], block: int | Sequence[int],
            args: Sequence[Any], *, shared_mem: int = 0, extents: Iterable[tuple[int, int]] = (),
            run: Callable[[Callable[[], None]], None] = lambda work: work()) -> Profile:
    """Run a kernel once and count what it asks for.

    Args:
        kernel: from `gpunet.ptx.load`, or a `gpunet.ptx.Kernel`, of which the machine code and so the registers are
            not known.
        grid: blocks: a number, or up to three of them.
        block: threads of a block: a number, or up to three of them.
        args: as for a launch. NumPy arrays are copied to addresses as a GPU has them, and back.
        shared_mem: bytes of dynamic shared memory.
        extents: (address, bytes) of arrays that arguments point to in other ways.
        run: carries out the launch that it is given.

    Returns:
        The profile.

    Raises:
        LaunchError: the kernel failed.
        TypeError: an array's elements are not what the source declares.
        gpunet.kernel.nvrtc.NvrtcError: there is no NVRTC, or the kernel does not compile.

    Examples:
        >>> uniform = gpunet.ptx.load("random.cu", "uniform<float>")
        >>> kernel = gpunet.ptx.Kernel(uniform.compiled().text)
        >>> x = numpy.zeros(1024, numpy.float32)
        >>> args = (x, numpy.int64(1024), numpy.float32(0), numpy.float32(1), None, numpy.uint64(0), numpy.uint64(0))
        >>> gpunet.ptx.profile(kernel, 1, 256, args[:len(kernel.compiled().parameters)]).total.global_bytes >= 4096
        True
    """
    grid, block = ((int(size),) if isinstance(size, int | np.integer) else tuple(map(int, size))
                   for size in (grid, block))
    if isinstance(kernel, Function) and (wrong := kernel.wrong_elements(args)):
        raise TypeError(f"{kernel.name}: {wrong[0]}")
    counting = (kernel.compiled(counting=True) if isinstance(kernel, Function)
                else kernel.variant(counting=True))
    arrays = Arrays(args, extents)
    counted = count(counting, grid, block, arrays, shared_mem, run)
    arrays.take_back()
    compiled = counting.compiled(int(np.prod(block)) % 32 == 0)
    static = compiled.shared_bytes
    missing = tuple(dict.fromkeys(each.name for each in compiled.counted if each.name.startswith(_NOT_COUNTED)
                                  and not each.name.endswith(_GROUPS)))
    if not isinstance(kernel, Function):
        return made(counting.name or "", grid, block, static + shared_mem, read(kernel.text).target, counted,
                    sources=_texts(counted[0], {}), not_counted=missing, outside=arrays.outside)
    if not kernel.source.path.is_absolute():  # NVRTC names a text as a file of the folder in which it ran
        counted = _renamed(counted[0], kernel.source.path.name), counted[1]
    machine = compilers.machine_code(kernel.ptx, kernel.source, kernel.architecture, kernel.name, kernel.options)
    used = machine.resources.get(kernel.name)
    found = used and occupancy(capability_of(kernel.architecture), int(np.prod(block)), used.registers,
                               used.shared + shared_mem)
    mix = dict(_mix(machine.cubin, machine.symbols[kernel.name])) if sass.disassembler() else None
    # As the user wrote it: the compiler gets no comments of a program, nor what the host runs.
    known = {kernel.source.path.name: kernel.source.whole or kernel.source.text, **kernel.source.includes}
    return made(kernel.name, grid, block, static + shared_mem, kernel.architecture, counted, resources=used,
                occupancy=found, mix=mix, sources=_texts(counted[0], known), not_counted=missing,
                outside=arrays.outside)


@functools.lru_cache(256)
def _mix(cubin: bytes, symbol: str) -> dict[str, int]:
    """Of machine code; a program launches a kernel many times."""
    return sass.mix(sass.disassemble(cubin, {symbol: symbol})[symbol])


def _renamed(lines: Iterable[Line], name: str) -> tuple[Line, ...]:
    """The lines with a file that has no folder called by its name alone."""
    return tuple(replace(line, chain=tuple((name if os.path.basename(file) == name else file, number)
                                           for file, number in line.chain)) for line in lines)


def _texts(lines: Iterable[Line], known: dict[str, str]) -> dict[str, str]:
    """The text of the files that the lines name, where there is one: CUDA's own headers are among them."""
    found: dict[str, str] = {}
    for file in dict.fromkeys(file for line in lines for file, _ in line.chain):
        text = known.get(file) or known.get(os.path.basename(file))
        if text is None and os.path.isfile(file):
            text = Path(file).read_text(encoding="utf-8", errors="replace")
        if text:
            found[file] = text
    return found


for _class in (Line, Profile, profile):
    _class.__module__ = "gpunet.ptx"
