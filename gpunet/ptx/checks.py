"""check(): run a kernel's PTX once with checks, and give what it does wrong by the lines of its source."""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.kernel import other_launches
from gpunet.kernel.finding import Access, Finding, fold
from gpunet.ptx import launch, layout, shadow
from gpunet.ptx.arena import Arena, Extent, plain_name
from gpunet.ptx.arguments import REFUSALS, pack, packer
from gpunet.ptx.failures import Failure
from gpunet.ptx.function import Function
from gpunet.ptx.stamps import Stamps
from gpunet.ptx.state import lanes_of, site_of, thread_of
from gpunet.ptx.watch import Told, Watch

if TYPE_CHECKING:
    from gpunet.ptx.model import Parameter
    from gpunet.ptx.program import Program, Site

_WARP = 32
_MOST_STATIC = 48 << 10
_MOST_THREADS = 1024
_MOST_GRID = (2**31 - 1, 65535, 65535)


def check(kernel: Function | launch.Kernel, grid: int | Sequence[int], block: int | Sequence[int], args: Sequence[Any],
          *, shared_mem: int = 0, timeout: float = 60.0, names: Sequence[str] = (), extents: Iterable[Extent] = (),
          sources: Mapping[str, str] | None = None, path: str = "PTX", other_data: bool = False,
          other_sizes: bool = False) -> list[Finding]:
    """Run a kernel's PTX once with checks.

    What is wrong is told by the lines that the PTX names (`.loc`, from -lineinfo), or by those of the PTX. The launch
    goes on behind most mistakes. Arrays from `uninitialised` count as not written, and what a launch without mistakes
    leaves unwritten of one is a warning.

    Args:
        kernel: a `gpunet.ptx.Kernel` of any compiler's PTX, or what `gpunet.ptx.load` gives.
        grid: blocks: a number, or up to three of them.
        block: threads of a block: a number, or up to three of them.
        args: as for a launch. NumPy arrays are copied to memory of their own and back, so that results stand in them.
        shared_mem: bytes of dynamic shared memory.
        timeout: seconds that the kernel may run.
        names: of the parameters, where the kernel is no source's; findings call arrays so.
        extents: memory that arguments point into in other ways than by arrays.
        sources: texts of the files that the PTX names, by these names; files that are there are read.
        path: what findings call the PTX itself, where it names no source.
        other_data: where no mistake is found, launch once more with each array that was only read holding one of its
            values throughout, and warn of updates such as `y[i[t]] += 1` that several threads then make to one element.
        other_sizes: where no mistake is found, launch also with other sizes (n - 1; n + 1 and 2 n + 1 with a grid that
            fits) in place of a number that plainly is the arrays' length, and warn of what is then wrong.

    Returns:
        The findings, each mistake once; empty when there are none.

    Raises:
        gpunet.kernel.nvrtc.NvrtcError: there is no NVRTC, or the source does not compile.
        PtxError: the text is not PTX.
        Unsupported: the kernel has an instruction that is not simulated.
        MissingError: llvmlite is not installed.

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
        >>> y = gpunet.ptx.uninitialised(31, numpy.int32)
        >>> found, = gpunet.ptx.check(gpunet.ptx.Kernel(text), 1, 32, (y,), names=["y"])
        >>> found.kind, found.element, found.thread, found.line
        ('out of bounds', 'y[31]', (31, 0, 0), 10)
    """
    grid, block = ((int(size),) if isinstance(size, int | np.integer) else tuple(map(int, size))
                   for size in (grid, block))
    function = kernel if isinstance(kernel, Function) else None
    called = names or (function.parameter_names if function is not None else ())
    if not (other_data or other_sizes):
        return _check(kernel, grid, block, args, shared_mem, timeout, called, extents, sources, path)
    return other_launches.found_in(
        lambda grid, args: _check(kernel, grid, block, args, shared_mem, timeout, called, extents, sources, path),
        called, grid, block, tuple(args), shared_mem, other_data, other_sizes)


def _check(kernel: Function | launch.Kernel, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any],
           shared_mem: int, timeout: float, names: Sequence[str], extents: Iterable[Extent],
           sources: Mapping[str, str] | None, path: str) -> list[Finding]:
    function = kernel if isinstance(kernel, Function) else None
    checking = kernel.checked
    facts = _facts(checking)

    def told() -> _Teller:  # for most launches there is nothing to tell
        return _Teller(checking, function, names, sources or {}, path)

    pointers = function.pointers if function is not None else frozenset()
    if refusal := _refused(facts, pointers, grid, block, args, shared_mem):
        return [Finding(*refusal, told().kernel, told().file)]
    wrong = [] if function is None else [
        Finding("argument", f"{function.name}: {message}", told().kernel, told().file)
        for message in function.wrong_elements(args)]
    whole_warps = math.prod(block) % _WARP == 0
    plain = checking.compiled(whole_warps)
    assert plain.checked is not None
    if refusal := launch.unfit_grid(plain, grid, math.prod(block)):
        return [Finding("limit", refusal, told().kernel, told().file)]
    if (static := sum([size for _, _, size in plain.checked["shared"]])) > _MOST_STATIC:
        words = f"{static} bytes of static shared memory in a block, allowed are {_MOST_STATIC}"
        return [Finding("limit", words, told().kernel, told().file)]
    extents = list(extents)

    def launched(checking: launch.Kernel, compiled: Program, done: Callable[[Arena], Any]) -> list[Finding]:
        assert compiled.checked is not None
        stamps = Stamps.taken()
        arena = Arena(args, names, compiled.checked, extents, stamps)
        try:
            arguments = facts.pack(compiled, arena.args)
        except TypeError as error:
            return [Finding("argument", str(error), told().kernel, told().file)]
        watch = Watch(stamps, compiled, timeout)
        checking.launch(compiled, grid, block, arguments, shared_mem, watch=watch)
        found: list[Finding] = []
        if watch.mistakes or watch.failure or arena.outputs:
            found = told().findings(compiled, arena, watch)
        if compiled.checked["asked"] and compiled is plain and all(each.severity == "warning" for each in found):
            # The arrays are still as they were: this launch has its own.
            again = launched(checking.apart, checking.apart.compiled(whole_warps), lambda arena: None)
            found += [each for each in again if each.severity == "error"]
        done(arena)
        watch.close()
        return found

    return wrong + launched(checking, plain, Arena.take_back)


class _Facts:
    """What launches of a kernel are held against."""

    def __init__(self, kernel: launch.Kernel) -> None:
        self.parameters, self.name, self.most_threads = kernel.entry.parameters, kernel.name, kernel.most_threads
        self.shared = sum(each.size for each in kernel.entry.variables if each.space == "shared")
        self._packed = packer(self.parameters)

    def pack(self, compiled: Program, args: Sequence[Any]) -> bytes:
        try:
            return self._packed(*args)
        except REFUSALS:
            return pack(compiled, args)


_facts = functools.lru_cache(maxsize=64)(_Facts)


def _refused(facts: _Facts, pointers: frozenset[int], grid: tuple[int, ...], block: tuple[int, ...],
             args: Sequence[Any], shared_mem: int) -> tuple[str, str] | None:
    """A launch that no device carries out, as (kind, message)."""
    if len(args) != len(facts.parameters):
        return "argument", f"{facts.name} takes {len(facts.parameters)} arguments, got {len(args)}"
    for number, (value, parameter) in enumerate(zip(args, facts.parameters, strict=True)):
        if refusal := _unfit(value, parameter, number in pointers):
            return "argument", f"argument {number}: {refusal}"
    threads = math.prod(block)
    if threads > facts.most_threads:
        return "limit", f"{threads} threads in a block, allowed are {facts.most_threads}"
    if max(grid) > min(_MOST_GRID) and any(size > most for size, most in zip(grid, _MOST_GRID, strict=False)):
        return "limit", f"a grid of {'x'.join(map(str, grid))} blocks, allowed are {'x'.join(map(str, _MOST_GRID))}"
    if (shared := shared_mem + facts.shared) > launch.MOST_SHARED:
        return "limit", f"{shared} bytes of shared memory in a block, a device has {launch.MOST_SHARED}"
    return None


def _unfit(value: Any, parameter: Parameter, pointer: bool) -> str | None:
    """Why an argument does not fit a parameter. `pointer`: its source says that it is one, which few PTX do."""
    if isinstance(value, np.generic):
        dtype = value.dtype
        if dtype.kind in "iufb" and (dtype.itemsize != parameter.size or parameter.type[0] in "usf" and (
                parameter.type[0] == "f") != (dtype.kind == "f") and parameter.size > 2):
            return f"{dtype} given for a parameter of type .{parameter.type}"
    elif isinstance(value, float):
        if parameter.size != 8:
            return "a Python float is passed as 8 bytes; write numpy.float32(...)"
    elif isinstance(value, int):
        if type(value) is int and value >= 1 << 16 and (pointer or parameter.pointer):
            return f"the number {value} given for a pointer"
    elif parameter.size != 8 and (isinstance(value, np.ndarray) and value.ndim or hasattr(value, "_address")):
        return f"an array given for a parameter of {parameter.size} bytes"
    return None


_OF_TWO = (shadow.RACE, shadow.PENDING, shadow.FROM_COPY, shadow.BARRIER, shadow.ABSENT, shadow.STUCK)


class _Teller:
    """Makes findings of what a launch was told: lines, texts and names of arrays."""

    def __init__(self, kernel: launch.Kernel, function: Function | None, names: Sequence[str],
                 sources: Mapping[str, str], path: str) -> None:
        kernel.entry  # noqa: B018 - to ask for it finds the name
        self.text, self.texts = kernel.text, dict(sources)
        self.kernel, self.names, self.file = kernel.name or "", list(names), path
        self.own = set(self.texts)
        if function is not None:
            self.kernel, self.file = function.name, os.path.basename(function.file)
            source = function.source
            self.texts |= {source.path.name: source.whole or source.text, **source.includes}
            self.own = {name for name in self.texts if os.path.basename(name) not in _WRAPPERS} | self.own
            if not self.names:
                self.names = list(function.parameter_names)

    # ---- places ------------------------------------------------------------------------------------------------------
    def place(self, site: Site | None) -> tuple[str, int | None, str, tuple[tuple[str, int, str], ...]]:
        """File, line, its text, and the calls that led there, of the user's own source."""
        if site is None:
            return self.file, None, "", ()
        if not site.chain:
            return self.file, site.line, self.text.split("\n")[site.line - 1].strip(), ()
        chain = [(file, int(line)) for file, _, line in (each.rpartition(":") for each in site.chain)]
        chain = [(self._called(file), line) for file, line in chain if self._is_users(file)] or \
            [(os.path.basename(file), line) for file, line in chain]
        chain = list(dict.fromkeys(chain))
        (file, line), *calls = chain
        return file, line, self.source(file, line), tuple((f, n, self.source(f, n)) for f, n in calls)

    def _is_users(self, file: str) -> bool:
        if self.own:
            return self._called(file) in self.own
        return not is_library(file)

    def _called(self, file: str) -> str:
        """The name of a file in findings: the user's own."""
        if file in self.texts:
            return file
        name = os.path.basename(file)
        return name if name in self.texts else file

    def source(self, file: str, line: int) -> str:
        if file not in self.texts:
            path = Path(file)
            self.texts[file] = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        lines = self.texts[file].split("\n")
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""

    # ---- findings ----------------------------------------------------------------------------------------------------
    def findings(self, compiled: Program, arena: Arena, watch: Watch) -> list[Finding]:
        stuck = {compiled.sites[site] for each in watch.mistakes.values() if each.what == shadow.STUCK
                 for site in (each.site, site_of(each.other))}  # what is told of these too follows from that
        told = [each for each in watch.mistakes.values()
                if each.what not in (shadow.ABSENT, shadow.BARRIER) or compiled.sites[each.site] not in stuck]
        found = [self._finding(each, compiled, arena, watch) for each in told]
        threads = [each.threads for each in told]
        if watch.failure is not None:
            found += self._failed(watch.failure, compiled, watch)
        elif all(each.severity == "warning" for each in found):
            found += self._unwritten(arena, watch)
        return fold(found, threads)

    def _finding(self, told: Told, compiled: Program, arena: Arena, watch: Watch) -> Finding:
        kind, message = self._words(told, arena, watch)
        file, line, source, calls = self.place(compiled.sites[told.site] if told.site < len(compiled.sites) else None)
        array, index = self._element(told, arena, watch, source)
        other = None
        if told.other and told.what in _OF_TWO:
            site = site_of(told.other)
            its = self.place(compiled.sites[site] if site < len(compiled.sites) else None)
            action = {shadow.RACE: self._action(told, watch), shadow.BARRIER: "__syncthreads", shadow.ABSENT: "shuffle",
                      shadow.STUCK: "wait"}.get(told.what, "asynchronous copy")
            other = Access(action, its[0], its[1], its[2], self._block(told.other_block, watch),
                           self._thread(thread_of(told.other), watch), its[3])
        return Finding(kind, message, self.kernel, file, line, source, self._block(told.block, watch),
                       self._thread(told.thread, watch), array, index, other, max(1, len(told.threads)), calls,
                       "warning" if told.one_value else "error", watch.counted_out(told))

    def _words(self, told: Told, arena: Arena, watch: Watch) -> tuple[str, str]:
        access = _access(told)
        if told.what == shadow.RACE:
            volatile = self._is_volatile(told.site, watch)
            what = ("an atomic operation" if told.kind & shadow.ATOMIC and not volatile else
                    "a " + "volatile " * volatile + ("write" if told.kind & shadow.WRITE else "read"))
            block = "" if told.other_block == told.block else " in another block"
            return "race", (f"{what} and another thread's {self._action(told, watch)}{block} are not ordered: "
                            + self._missing(told, watch) + "; all write the same value" * told.one_value)
        if told.what in (shadow.TOO_EARLY, shadow.TOO_LATE):
            when = ("before that block has begun: no barrier of the cluster lies before" if
                    told.what == shadow.TOO_EARLY else
                    "after that block has ended: no barrier of the cluster lies after")
            return "race", f"{_verb(told)} another block's shared memory may come {when} it"
        if told.what == shadow.BEYOND:
            return "out of bounds", f"{access} {self._beyond(told, arena, watch)}"
        if told.what == shadow.UNINITIALISED:
            return "uninitialised", f"{access}{self._whose(told, watch)}, which nothing has written"
        if told.what == shadow.MISALIGNED:
            return "misaligned", f"an access that needs an address that is a multiple of {told.size}"
        if told.what == shadow.PENDING:
            return "async copy", f"{access} while an asynchronous copy to it is under way and not waited for"
        if told.what == shadow.FROM_COPY:
            return "async copy", f"{access} while an asynchronous copy from it is under way"
        if told.what == shadow.NEVER_WAITED:
            return "async copy", told.words or "an asynchronous copy that its thread never waits for"
        if told.what == shadow.MISUSE:
            return "misuse", told.words
        if told.what == shadow.BARRIER:
            return "divergent barrier", (f"divergent __syncthreads: {told.words}" if told.other else
                                         f"__syncthreads {told.words}")
        return {shadow.STUCK: "deadlock", shadow.DIVIDED: "crash"}.get(told.what, "mask"), told.words

    def _action(self, told: Told, watch: Watch) -> str:
        """What the other party of a race did."""
        if told.other & 1 and not self._is_volatile(site_of(told.other), watch):
            return "atomic operation"
        return "volatile " * (told.other & 1) + ("write" if told.kind & 256 or told.other & 3 == 2 else "read")

    @staticmethod
    def _is_volatile(site: int, watch: Watch) -> bool:
        """Accesses to volatile variables are taken as atomic ones."""
        sites = watch.compiled.sites
        return site < len(sites) and ".volatile" in sites[site].name

    def _missing(self, told: Told, watch: Watch) -> str:
        """What would have ordered the two of a race."""
        if told.other_block != told.block:
            return ("no barrier of the cluster lies between them" if watch.one_cluster(told.block, told.other_block)
                    else "blocks run in any order")
        if told.within_warp:
            return "no __syncwarp() lies between them"
        return "no barrier lies between them"

    def _beyond(self, told: Told, arena: Arena, watch: Watch) -> str:
        if told.kind & 512:
            return "outside the local array"
        named = arena.meant(told.site, told.address)
        if named is not None:
            within = named.start <= told.address < named.start + named.size and told.kind & shadow.STRAY
            return "outside the array" + " that its address is computed from, and within this one" * bool(within)
        if self._of_no_block(told, arena, watch):
            return "of the shared memory of a block that the cluster does not have"
        offset = self._in_shared(told, watch)
        if offset is not None:
            if self._part(offset, watch)[1:] == watch.dynamic:
                return (f"outside the dynamic shared memory, of which the launch gives {watch.dynamic[1]} bytes "
                        "(shared_mem; --shared of the command)")
            return "outside the array" + self._whose(told, watch)
        if told.address < 1 << 16:
            return f"through a null pointer (address {hex(told.address)})"
        return f"at address {hex(told.address)}, where no array is"

    # ---- names -------------------------------------------------------------------------------------------------------
    def _of_no_block(self, told: Told, arena: Arena, watch: Watch) -> bool:
        """Whether the address is of a block that the cluster does not have."""
        return told.what == shadow.BEYOND and arena.nearest(told.address) is None and any(
            each.cluster.is_outside(told.address) for each in watch.states.values())

    def _whose(self, told: Told, watch: Watch) -> str:
        """Where the shared memory of another block of the cluster is meant."""
        own = (told.block - 1) % math.prod(watch.checked["cluster"])
        others = {rank for each in watch.states.values() if (rank := each.cluster.rank_of(told.address)) is not None}
        return " of another block" if others - {own} else ""

    def _in_shared(self, told: Told, watch: Watch) -> int | None:
        """The offset in a block's shared memory, or somewhat beside it."""
        if told.kind & shadow.STRAY:  # computed from a parameter
            return None
        for state in watch.states.values():
            state = state.cluster.owner(state, told.address)
            offset = told.address - state.word(shadow.SHARED)
            if -4096 <= offset < watch.shared_bytes + (1 << 20):
                return offset
            if offset & 0xFFFFFFFF >= 1 << 31 and 0 <= offset < 1 << 32:  # a negative one of 32 bits
                return offset - (1 << 32)
        return None

    def _part(self, offset: int, watch: Watch, source: str = "") -> tuple[str | None, int, int]:
        """The shared variable that an offset lies in or is nearest to: name, place, size. The dynamic memory has a name
        under which it is declared, of several the one in the source line."""
        parts = [each for each in watch.checked["shared"] if each[2]]
        dynamic = [name for name, _, size in watch.checked["shared"] if not size]
        if dynamic or watch.dynamic[1]:
            here = (name for name in dynamic if re.search(rf"\b{re.escape(plain_name(name))}\b", source))
            parts.append((next(here, dynamic[0] if dynamic else None), *watch.dynamic))
        return min(parts, key=lambda e: max(e[1] - offset, offset - e[1] - e[2] + 1, 0), default=(None, 0, 0))

    def _element(self, told: Told, arena: Arena, watch: Watch, source: str) -> tuple[str | None, Any]:
        if told.kind & 512 or not told.address:
            return None, None
        beyond = told.what == shadow.BEYOND
        named = arena.meant(told.site, told.address) if beyond else arena.nearest(told.address)
        if named is not None:
            return named.name or None, named.element(told.address)
        offset = self._in_shared(told, watch)
        if offset is None or self._of_no_block(told, arena, watch):
            return None, None
        name, place, size = self._part(offset, watch, source)
        if name is None:
            return None, None
        name = plain_name(name)
        element, shape = self._declared(name, size, told.size)
        flat = (offset - place) // element
        if len(shape) > 1 and 0 <= flat < int(np.prod(shape)):
            return name, tuple(int(each) for each in np.unravel_index(flat, shape))
        return name, flat

    def _declared(self, name: str, size: int, otherwise: int) -> tuple[int, tuple[int, ...]]:
        """Bytes of an element and the extents of a shared array, where its declaration has plain numbers."""
        pattern = re.compile(rf"__shared__[^;]*\b{re.escape(name)}\s*((?:\[\s*\w*\s*\]\s*)+)")
        for file in self.own:
            if match := pattern.search(self.texts.get(file, "")):
                extents = [self._number(each) for each in re.findall(r"\[\s*(\w*)\s*\]", match.group(1))]
                if all(each.isdigit() for each in extents) and size % int(np.prod([int(e) for e in extents])) == 0:
                    shape = tuple(map(int, extents))
                    return max(size // int(np.prod(shape)), 1), shape
        dynamic = re.compile(rf"extern\s+__shared__[^;]*?\b([a-z]\w*?)([1-4]?)\s+{re.escape(name)}\s*\[\s*\]")
        for file in self.own:
            match = dynamic.search(self.texts.get(file, ""))
            if match and (element := _BYTES.get(match.group(1), 0) * int(match.group(2) or 1)):
                return element, ()
        return min(otherwise or 4, 16), ()

    def _number(self, name: str) -> str:
        """What a constant's name stands for, where a file of the user's says it plainly."""
        if not name or name.isdigit():
            return name
        plain = re.compile(rf"(?:#\s*define\s+{name}\s+|\bconst(?:expr)?\s[\w\s]*\b{name}\s*=\s*)(\d+)\b")
        found = (plain.search(self.texts.get(file, "")) for file in self.own)
        return next((match.group(1) for match in found if match), name)

    def _block(self, number: int, watch: Watch) -> tuple[int, int, int]:
        return watch.index(number)

    def _thread(self, number: int, watch: Watch) -> tuple[int, int, int]:
        x, y, _ = watch.block
        return number % x, number // x % y, number // x // y

    # ---- launches that ended early -----------------------------------------------------------------------------------
    def _failed(self, failure: Failure, compiled: Program, watch: Watch) -> list[Finding]:
        if failure.error == layout.STOPPED and not watch.turns.hopeless:
            at = next(iter(watch.looping()), None)
            place = self.place(compiled.sites[at[2]]) if at else (self.file, None, "", ())
            words = f"the kernel did not end within {watch.timeout:g} seconds"
            return [Finding("time-out", words, self.kernel, place[0], place[1], place[2],
                            self._block(at[0].number, watch) if at else None,
                            self._thread(at[1] * _WARP, watch) if at else None, calls=place[3])]
        if failure.error in (layout.DEADLOCK, layout.STOPPED):
            return self._deadlock(failure, compiled, watch)
        site = compiled.sites[failure.site]
        file, line, source, calls = self.place(site)
        lanes = lanes_of(failure.lanes)
        thread = self._thread(failure.warp * _WARP + int(lanes[0]), watch) if len(lanes) else None
        kind, words = "assertion", f"assertion `{failure.message}` failed"
        if failure.error == layout.TRAP:
            words = "__trap()"
        elif failure.error == layout.STACK:
            kind, words = "limit", "the stack of a thread is used up: a function calls itself too often"
        elif failure.error == layout.MIXED_BARRIERS:
            kind, words = "divergent barrier", "lanes of one warp wait at different barriers"
        if failure.error == layout.ASSERTION and failure.line:
            file, line = self._called(failure.file), failure.line
            source = self.source(file, line)
        return [Finding(kind, words, self.kernel, file, line, source, failure.index, thread, count=max(1, len(lanes)),
                        calls=calls)]

    def _deadlock(self, failure: Failure, compiled: Program, watch: Watch) -> list[Finding]:
        places: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for state, warp, site in watch.looping():
            places.setdefault((-1, site), []).append((state.word(shadow.NUMBER), warp * _WARP))
        for state in watch.states.values():
            for warp, (its, _, _, barrier) in enumerate(watch.waiting(state)):
                if its not in (layout.WAITING, layout.AT_CLUSTER):
                    continue
                for site, lanes in watch.held(state, warp).items():
                    thread = warp * _WARP + (lanes & -lanes).bit_length() - 1
                    places.setdefault((barrier, site), []).append((state.word(shadow.NUMBER), thread))
        if {site for _, site in places} & {each.site for each in watch.mistakes.values() if each.what == shadow.MISUSE}:
            return []  # it follows from that mistake
        found, barriers = [], {barrier for barrier, _ in places if barrier >= 0}
        for (barrier, site), threads in places.items():
            file, line, source, calls = self.place(compiled.sites[site])
            words = ("threads wait in loops for what nobody will change" if barrier < 0 else
                     f"{len(barriers)} barriers are waited for, and none of them can be complete"
                     if len(barriers) > 1 else
                     "the cluster's barrier is waited for, and not all of its threads come"
                     if barrier == layout.CLUSTER_BARRIER else
                     f"barrier {barrier} is waited for, and those that it needs do not come")
            block, thread = threads[0]
            found.append(Finding("deadlock", words, self.kernel, file, line, source, self._block(block, watch),
                                 self._thread(thread, watch), calls=calls))
        if len(found) > 1:
            second = found[1]
            found = [replace(found[0], other=Access("wait", second.file, second.line, second.source, second.block,
                                                    second.thread, second.calls))]
        return found

    def _unwritten(self, arena: Arena, watch: Watch) -> list[Finding]:
        found = []
        for named in arena.outputs:
            missing = arena.left_unwritten(named)
            if not missing.size:
                continue
            count, index = named.size // named.output, named.element(named.start + int(missing[0]) * named.output)
            words = ("nothing has written any of its elements" if missing.size == count else
                     f"nothing has written {missing.size} of its {count} elements")
            finding = Finding("unwritten", words, self.kernel, self.file, array=named.name, index=index,
                              severity="warning")
            found.append(replace(finding, message=f"{named.name}: {words}, the first is {finding.element}"))
        return found


def is_library(file: str) -> bool:
    """Whether a file belongs to a compiler or its library: its lines are nobody's mistake."""
    return bool(_LIBRARY.search(file))


_LIBRARY = re.compile(r"(^|/)(cuda_\w+\.h(pp)?|nvidia|cuda[-\d.]*/|cooperative_groups"
                      r"|[a-z]+-packages/(triton|numba|numba_cuda|cupy)/)")
_WRAPPERS = ("ptx.cuh", "wgmma.cuh")  # of single instructions: the line that uses one is the place


# Of the types of C and, with a number behind them, CUDA's vectors.
_BYTES = {"char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "unsigned": 4, "float": 4, "long": 8,
          "ulong": 8, "double": 8, "longlong": 8, "ulonglong": 8}


def _access(told: Told) -> str:
    return f"{_verb(told)} {told.size} byte{'s' * (told.size != 1)}"


def _verb(told: Told) -> str:
    return ("an atomic operation on" if told.kind & shadow.ATOMIC and told.kind & shadow.WRITE
            and told.kind & shadow.READ else "a write of" if told.kind & shadow.WRITE else "a read of")


check.__module__ = "gpunet.ptx"
