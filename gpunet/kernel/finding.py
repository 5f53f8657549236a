"""What the checker tells: findings, one for each mistake, however many threads make it.

`spans` writes a finding as a compiler writes an error: the mistake, its place, the source line with the place marked,
the other party, and what usually mends it. It gives lines of (text, role) pairs: `str(finding)` takes the texts, and
the command line makes colours of the roles "error" "warning" "message" "place" "gutter" "code" "mark" "other" "note".
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import asdict, dataclass, replace
from typing import Any

from gpunet.kernel.snippet import Line, snippet, source_line

KINDS = (
    "race",               # two threads use the same memory, one of them writes, and nothing orders them
    "out of bounds",      # an access outside every array, or outside the array that it means
    "uninitialised",      # a read of what nothing has written
    "divergent barrier",  # a barrier that the threads do not reach together
    "deadlock",           # all threads wait, and nothing that could wake them is to come
    "mask",               # a warp collective that not just the lanes of its mask reach, all at one place
    "misaligned",         # an address that is no multiple of what the access needs
    "argument",           # launch arguments that do not fit the kernel's parameters
    "async copy",         # memory used while an asynchronous copy is under way, or a copy that nothing waits for
    "assertion",          # assert() or __trap()
    "crash",              # the process that ran the kernel died
    "time-out",           # the kernel did not end
    "limit",              # more threads, shared memory, barriers, ... than a device has
    "misuse",             # what is left: an operation with operands that it forbids
    "overflow",           # arithmetic of signed integers, such as an index, whose result the type does not hold
    "unwritten",          # elements of an output that the launch does not write
)


@dataclass(frozen=True)
class Access:
    """The other party of a finding: what it did, where, and which thread did it.

    Args:
        action: "read", "write" and the like.
        file: the source file's name.
        line: line in it, None where it is not known.
        source: that line's text, "" where it is not known.
        block: index of the block, None where it is not known.
        thread: index of the thread in its block, None where it is not known.
        calls: where the line is in a function that was put into its caller: the calls, as in `Finding`.

    Examples:
        >>> gpunet.sim.Access("read", "sum.cu", 12, "y[i] = x[i];", (0, 0, 0), (63, 0, 0)).thread
        (63, 0, 0)
    """

    action: str
    file: str
    line: int | None
    source: str
    block: tuple[int, int, int] | None
    thread: tuple[int, int, int] | None
    calls: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class Finding:
    """One mistake of a kernel. As a string it looks like a compiler's error, with the source line.

    Args:
        kind: one of `KINDS`.
        message: one sentence.
        kernel: the kernel's name.
        file: the source file's name.
        line: line in it, None where it is not known.
        source: that line's text, "" where it is not known.
        block: index of the first block that was found doing it, None where it is not known.
        thread: index of the first thread in that block, None where it is not known.
        array: the array's name: a parameter's or a shared variable's.
        index: the element in the array: flat, or one number for each dimension.
        other: the other party of a race or of an asynchronous copy.
        count: how many threads were found doing the same; of a divergent barrier, how many blocks.
        calls: where the line is in a function: the calls that led there, from the inside out, as (file, line, source).
        severity: "error", or "warning" of what may be meant so: several threads write the same value to one place, an
            output keeps elements that nothing has written.
        at_least: counting has ended before the launch, and there may be more threads.

    Examples:
        >>> found = gpunet.sim.Finding("out of bounds", "a write behind the array's end", "fill", "fill.cu", 3,
        ...                            "y[i] = 1;", (0, 0, 0), (31, 0, 0), "y", 31)
        >>> found.element
        'y[31]'
        >>> print(found)
        out of bounds: a write behind the array's end
         --> fill.cu:3 in fill, block (0,0,0), thread (31,0,0)
          |
        3 | y[i] = 1;
          | ^^^^ y[31]
    """

    kind: str
    message: str
    kernel: str
    file: str
    line: int | None = None
    source: str = ""
    block: tuple[int, int, int] | None = None
    thread: tuple[int, int, int] | None = None
    array: str | None = None
    index: int | tuple[int, ...] | None = None
    other: Access | None = None
    count: int = 1
    calls: tuple[tuple[str, int, str], ...] = ()
    severity: str = "error"
    at_least: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The finding as numbers, strings, lists and dictionaries, for JSON.

        Returns:
            A dictionary with the fields' names.
        """
        return asdict(self)

    @property
    def element(self) -> str | None:
        """The array and the element as C writes it, such as `tile[3][5]`."""
        if self.array is None or self.index is None:
            return self.array
        index = self.index if isinstance(self.index, tuple) else (self.index,)
        return self.array + "".join(f"[{i}]" for i in index)

    def __str__(self) -> str:
        return plain(self)


def fold(found: Iterable[Finding], threads: Sequence[Set[Any]] = ()) -> list[Finding]:
    """The same mistake (kind, lines in either order, array) once: threads of two blocks stand for those of one, and
    threads of two warps for those of one, whose mending would leave that of the others.

    Args:
        found: findings, possibly of several launches.
        threads: of each of the first findings, the threads that made it. They are counted together; without them the
            largest count is kept.

    Returns:
        Each mistake once, in the order in which they were found.
    """
    kept: dict[tuple, Finding] = {}
    known_threads: dict[tuple, set[Any]] = {}
    lines: dict[tuple, set[int]] = {}
    for number, finding in enumerate(found):
        other = finding.other
        places = {(finding.file, finding.line), (other.file, other.line) if other else None}
        joined = _steps_of_a_warp(finding)
        key = finding.kernel, finding.kind, finding.file if joined else frozenset(places), finding.array
        if finding.line is None:
            key = *key, finding.message
        if joined:
            lines.setdefault(key, set()).update(line for _, line in filter(None, places) if line is not None)
        known = kept.setdefault(key, finding)
        together = known_threads.setdefault(key, set())
        together |= threads[number] if number < len(threads) else set()
        severity = "error" if "error" in (known.severity, finding.severity) else known.severity
        count = max(known.count, finding.count, len(together))
        shown = finding if _breadth(finding) > _breadth(known) else known
        kept[key] = replace(shown, count=count, severity=severity, at_least=known.at_least or finding.at_least)
    for key, its in lines.items():
        if len(its) > 2:
            so = f" (so on lines {', '.join(map(str, sorted(its)))})"
            kept[key] = replace(kept[key], message=kept[key].message + so)
    return _mended_together(list(kept.values()))


def _breadth(finding: Finding) -> int:
    """Of the two of a race: within a warp, within a block, or in two blocks."""
    if finding.kind != "race" or finding.other is None or _within_warp(finding):
        return 0
    return 2 if finding.other.block != finding.block else 1


def _within_warp(finding: Finding) -> bool:
    return "no __syncwarp()" in finding.message


def _steps_of_a_warp(finding: Finding) -> bool:
    """Whether it is of old code that has volatile in place of __syncwarp(), all of whose steps are one mistake."""
    other = finding.other
    return bool(_within_warp(finding) and other is not None and other.file == finding.file
                and "volatile" in finding.message and "volatile" in other.action)


def _mended_together(found: list[Finding]) -> list[Finding]:
    """A race within a warp lacks the barrier of the block, where a race with other warps has a line in common."""
    def lines(finding: Finding) -> set[tuple[str, int | None]]:
        return {(each.file, each.line) for each in (finding, finding.other) if each is not None}

    of_blocks = set[tuple[str, int | None]]()
    for each in found:
        if each.kind == "race" and _NO_BARRIER in each.message:
            of_blocks |= lines(each)
    return [replace(each, message=each.message.replace("no __syncwarp() lies", _NO_BARRIER))
            if each.kind == "race" and _within_warp(each) and not _steps_of_a_warp(each) and lines(each) & of_blocks
            else each for each in found]


_NO_BARRIER = "no barrier lies"


# ---- in words ----------------------------------------------------------------------------------------------------
_WIDTH = 100  # of notes; source lines stay whole
_MOST_CALLS = 4

_REMEDIES = {
    "race": "between threads of a block, __syncthreads() after the first access orders the two; atomics make "
            "concurrent updates whole",
    "race within a warp": "the two threads are of one warp, whose lanes need not run in step: __syncwarp() after the "
                          "first access orders them, __syncthreads() where other warps take part too",
    "race on one line": "where several threads update one element, make the update atomic (atomicAdd, ...); where each "
                        "has its own and reads others', put __syncthreads() between the reads and the writes",
    "race on one line within a warp": "where several threads update one element, make the update atomic (atomicAdd, "
                                      "...); where each has its own and reads others', put __syncwarp() between the "
                                      "reads and the writes",
    "race with an atomic": "an atomic operation is whole only beside other atomic operations: make this access one too "
                           "(atomicAdd(p, 0) reads), or put a barrier between the two",
    "race with an atomic between blocks":
        "an atomic operation is whole only beside other atomic operations: make this access one too (atomicAdd(p, 0) "
        "reads), or order the two by __threadfence() after the first one and an atomic flag that tells the other block",
    "race with a volatile access":
        "volatile orders nothing: put __syncthreads() between the two, or make concurrent updates atomic",
    "race with a volatile access within a warp":
        "volatile orders nothing, and the lanes of a warp need not run in step: put __syncwarp() between the steps, "
        "and in a step between its reads and its writes, or exchange values by __shfl_down_sync()",
    "race with a volatile access between blocks":
        "volatile orders nothing: put __threadfence() between the write of the data and the atomic operation or flag "
        "that tells of it",
    "race of one value": "all threads write the same value, which goes well on today's devices; let one thread write, "
                         "as in if (threadIdx.x == 0), or say so with an atomic store",
    "race between blocks": "blocks run in any order: use atomics, give each block elements of its own, or split the "
                           "work into two kernels; where a flag tells of data, __threadfence() goes before it",
    "race in a cluster": "cluster.sync() between the two orders the blocks of a cluster (a .relaxed arrival does not); "
                         "one comes before the first access of another block's shared memory, one after the last",
    "out of bounds": "compare the index with the array's size before the access, as in if (i < n)",
    "uninitialised": "write every element before it is read: is the array filled, and is all of it covered?",
    "divergent barrier": "every thread of the block must reach the same barrier: take it out of the branch, and let "
                         "threads without work go on to it instead of returning",
    "deadlock": "each wait needs someone who ends it: count who arrives, and who has left the kernel before",
    "mask": "the mask must name exactly the lanes that take part: compute it with __ballot_sync before the branch, or "
            "call with all lanes and mask 0xffffffff",
    "misaligned": "an access of N bytes needs an address that is a multiple of N: check offsets and row lengths, or "
                  "access single elements",
    "argument": "every argument must be of its parameter's own type, such as numpy.float32(x) for a float: CUDA copies "
                "bytes and converts nothing",
    "async copy": "wait for the copy (cp.async.wait_group or the mbarrier), and pass a barrier, before its memory is "
                  "used or filled again",
    "overflow": "compute in 64 bits: as in size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x",
    "unwritten": "are there enough threads: (n + block - 1) / block blocks? An array that is larger than what is to be "
                 "written is no mistake",
    "limit with a stack": "make the recursion a loop, or its frames smaller; a device gives a thread 1 KB, unless "
                          "cudaDeviceSetLimit(cudaLimitStackSize, ...) asks for more",
    "null": "is the pointer allowed to be null? Then test it before its use: if (p)",
    "time-out": "look for a loop whose condition no thread changes, or that waits for a block that has not begun; or "
                "allow more time",
}


def spans(finding: Finding, text_of: Callable[[str], str | None] | None = None, remedy: bool = False) -> list[Line]:
    """The finding as lines of (text, role) pairs.

    Args:
        finding: what is to be shown.
        text_of: gives a file's text by its name, so that the line is shown with its indentation; without it the line
            is shown as the finding has it.
        remedy: add what usually mends it.

    Returns:
        The lines.
    """
    kind = finding.kind if finding.severity == "error" else f"{finding.severity}: {finding.kind}"
    lines: list[Line] = [[(kind, finding.severity), (": ", "message"), (finding.message, "message")]]
    width = max((len(str(each.line)) for each in (finding, finding.other) if each and each.line is not None), default=1)
    lines += _place(width, "-->", finding, f" in {finding.kernel}, ")
    lines += _snippet(width, finding, text_of, "mark", finding.element, _word(finding.message))
    lines += _calls(width, finding)
    if (other := finding.other) is not None:
        lines += _place(width, ":::", other, f", {other.action} by ")
        if (other.file, other.line) != (finding.file, finding.line):
            lines += _snippet(width, other, text_of, "other", finding.element, other.action.removeprefix("volatile "))
        if other.calls != finding.calls:
            lines += _calls(width, other)
    who = "blocks" if finding.kind == "divergent barrier" else "threads"
    notes = [f"found in {'at least ' * finding.at_least}{finding.count} {who}"] if finding.count > 1 else []
    if remedy and (words := remedy_of(finding)):
        notes.append(f"help: {words}")
    for note in notes:
        first, *more = textwrap.wrap(note, _WIDTH - width - 3)
        lines.append([(" " * width + " = ", "gutter"), (first, "note")])
        lines += [[(" " * (width + 3 + len("help: ") * note.startswith("help: ")), "gutter"), (text, "note")]
                  for text in more]
    return lines


def plain(finding: Finding, text_of: Callable[[str], str | None] | None = None, remedy: bool = False) -> str:
    """The finding as text without colours.

    Args:
        finding: what is to be shown.
        text_of: gives a file's text by its name, as in `spans`.
        remedy: add what usually mends it.

    Returns:
        Lines, without a line break at the end.
    """
    return "\n".join("".join(text for text, _ in line).rstrip() for line in spans(finding, text_of, remedy))


def remedy_of(finding: Finding) -> str | None:
    """What usually mends a mistake of this kind.

    Args:
        finding: the mistake.

    Returns:
        A sentence, or None for kinds that have no usual remedy.
    """
    kind, other = finding.kind, finding.other
    if kind == "race" and other is not None:
        within_warp = _within_warp(finding)
        if finding.message.endswith("all write the same value"):
            kind = "race of one value"
        elif "volatile" in other.action or finding.message.startswith("a volatile"):
            kind = "race with a volatile access" + (" between blocks" if other.block != finding.block else
                                                    " within a warp" if within_warp else "")
        elif "atomic" in other.action or finding.message.startswith("an atomic"):
            kind = "race with an atomic" + " between blocks" * (other.block != finding.block)
        elif other.block != finding.block:
            kind = "race between blocks"
        elif (other.file, other.line) == (finding.file, finding.line):
            kind = "race on one line within a warp" if within_warp else "race on one line"
        elif within_warp:
            kind = "race within a warp"
    if finding.kind == "race" and "of the cluster" in finding.message:
        kind = "race in a cluster"
    if kind == "limit" and finding.message.startswith("the stack"):
        kind = "limit with a stack"
    if kind == "out of bounds" and "null pointer" in finding.message:
        kind = "null"
    return _REMEDIES.get(kind)


def _place(width: int, arrow: str, where: Finding | Access, words: str) -> list[Line]:
    """The arrow with file and line, some words, and the thread as far as it is known."""
    place = where.file + (f":{where.line}" if where.line is not None else "")
    who = ", ".join(f"{name} ({','.join(map(str, index))})"
                    for name, index in (("block", where.block), ("thread", where.thread)) if index is not None)
    words = words if who else words.removesuffix(" by ").removesuffix(", ")
    return [[(" " * width + arrow + " ", "gutter"), (place, "place"), (words + who, "")]]


def _calls(width: int, where: Finding | Access) -> list[Line]:
    return [[(" " * width + " by ", "gutter"), (f"{file}:{line}", "place"), (f": {source}", "")]
            for file, line, source in where.calls[:_MOST_CALLS]]


def _snippet(width: int, where: Finding | Access, text_of: Callable[[str], str | None] | None, role: str,
             element: str | None, word: str) -> list[Line]:
    """The source line with marks, where it is known."""
    if where.line is None:
        return []
    code = source_line(text_of(where.file) if text_of else None, where.line, where.source)
    return snippet(width, where.line, code, role, element, word) if code else []


def _word(message: str) -> str:
    """"read", "write" or neither: what the message says that the thread did."""
    match = re.match(r"an? (?:volatile )?(read|write)\b", message)
    return match.group(1) if match else ""
