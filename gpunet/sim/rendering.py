"""A finding in words, as a compiler writes them: the mistake, its place, the source line with the place marked, the
other party, and what usually mends it.

`spans` gives lines of (text, role) pairs, of which `str(finding)` takes the texts, and the command line the roles for
its colours: "kind" "message" "place" "gutter" "code" "mark" "other" "note".
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpunet.sim.finding import Access, Finding

Line = list[tuple[str, str]]

# What a line is about that names no array: barriers, warp collectives, copies, assertions.
_CALL = re.compile(r"\b(?:__\w+|\w*(?:sync|assert|bar_|mbar|copy|wait|wgmma|mma)\w*)(?=\s*\()")

_WIDTH = 100  # of notes; source lines stay whole

_REMEDIES = {
    "race": "between threads of a block, __syncthreads() after the first access orders the two (__syncwarp() within a "
            "warp); atomics make concurrent updates whole",
    "race on one line": "where several threads update one element, make the update atomic (atomicAdd, ...); where each "
                        "has its own and reads others', put __syncthreads() between the reads and the writes",
    "race between blocks": "blocks run in any order: use atomics, give each block elements of its own, or split the "
                           "work into two kernels",
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
    "time-out": "look for a loop whose condition no thread changes, or that waits for a block that has not begun; or "
                "allow more time",
}


def spans(finding: Finding, text_of: Callable[[str], str | None] | None = None, remedy: bool = False) -> list[Line]:
    """The finding as lines of (text, role). `text_of` gives a file's text by its name, so that the line is shown with
    its indentation; without it the stripped line that the finding has. `remedy`: with what usually mends it."""
    lines: list[Line] = [[(finding.kind, "kind"), (": ", "message"), (finding.message, "message")]]
    width = max((len(str(each.line)) for each in (finding, finding.other) if each and each.line is not None), default=1)
    lines += _place(width, "-->", finding, f" in {finding.kernel}, ")
    lines += _snippet(width, finding, text_of, "mark", finding.element, _word(finding.message))
    if (other := finding.other) is not None:
        lines += _place(width, ":::", other, f", {other.action} by ")
        if (other.file, other.line) != (finding.file, finding.line):
            lines += _snippet(width, other, text_of, "other", finding.element, other.action)
    notes = [f"found in {finding.count} threads"] if finding.count > 1 else []
    if remedy and (words := remedy_of(finding)):
        notes.append(f"help: {words}")
    for note in notes:
        first, *more = textwrap.wrap(note, _WIDTH - width - 3)
        lines.append([(" " * width + " = ", "gutter"), (first, "note")])
        lines += [[(" " * (width + 3 + len("help: ") * note.startswith("help: ")), "gutter"), (text, "note")]
                  for text in more]
    return lines


def plain(finding: Finding, text_of: Callable[[str], str | None] | None = None, remedy: bool = False) -> str:
    """The finding as text without colours."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in spans(finding, text_of, remedy))


def remedy_of(finding: Finding) -> str | None:
    """What usually mends a mistake of this kind."""
    kind, other = finding.kind, finding.other
    if kind == "race" and other is not None:
        if other.block != finding.block:
            kind = "race between blocks"
        elif (other.file, other.line) == (finding.file, finding.line):
            kind = "race on one line"
    return _REMEDIES.get(kind)


def _place(width: int, arrow: str, where: Finding | Access, words: str) -> list[Line]:
    """The arrow with file and line, some words, and the thread as far as it is known."""
    place = where.file + (f":{where.line}" if where.line is not None else "")
    who = ", ".join(f"{name} ({','.join(map(str, index))})"
                    for name, index in (("block", where.block), ("thread", where.thread)) if index is not None)
    words = words if who else words.removesuffix(" by ").removesuffix(", ")
    return [[(" " * width + arrow + " ", "gutter"), (place, "place"), (words + who, "")]]


def _snippet(width: int, where: Finding | Access, text_of, role: str, element: str | None, word: str) -> list[Line]:
    """The source line and, under it, marks and the element that it is about."""
    code = _source_line(where, text_of)
    if not code:
        return []
    bar = (" " * (width + 1) + "| ", "gutter")
    marks = _marks(code, element.partition("[")[0] if element else None, word)
    label = f" {element}" if element else ""
    return [[bar], [(f"{where.line:>{width}} | ", "gutter"), (code, "code")], [bar, (marks + label, role)]]


def _word(message: str) -> str:
    """"read", "write" or neither: what the message says that the thread did."""
    match = re.match(r"an? (read|write)\b", message)
    return match.group(1) if match else ""


def _source_line(where: Finding | Access, text_of) -> str:
    """The line with its own indentation where the file can be had; tabs are spaces, so that marks stand below."""
    text = text_of(where.file) if text_of and where.line is not None else None
    lines = text.splitlines() if text else []
    if lines and 0 < where.line <= len(lines) and where.source.strip() in ("", lines[where.line - 1].strip()):
        return lines[where.line - 1].expandtabs(4).rstrip()
    return where.source.strip() if where.line is not None else ""


def _marks(code: str, array: str | None, word: str) -> str:
    """Carets under the uses of the array in the line, with their brackets: of a write those left of the assignment, of
    a read those right of it. Where the line names no array, under barriers and the like, else under the statement."""
    statement = re.sub(r"\s*//.*$", "", code)
    found = [(match.start(), _end_of_brackets(statement, match.end()))
             for match in re.finditer(rf"(?<![\w.])(?<!->){re.escape(array)}\b", statement)] if array else []
    if assignment := re.search(r"(?<![=!<>])[-+*/%&|^]?=(?!=)|<<=|>>=", statement):
        left = word == "write" or assignment.group() != "="  # a += b reads a too
        right = word == "read"
        found = [(start, end) for start, end in found if (left if start < assignment.start() else right)] or found
    if not array:
        found = [(match.start(), _end_of_brackets(statement, match.end(), "(")) for match in _CALL.finditer(statement)]
    if not found:
        found = [(len(statement) - len(statement.lstrip()), len(statement))]
    marks = [" "] * len(code)
    for start, end in found:
        marks[start:end] = "^" * (end - start)
    return "".join(marks).rstrip()


def _end_of_brackets(code: str, position: int, opens: str = "[") -> int:
    """Where the brackets end that follow a name: of `tile[i][j + 1]`, from the end of `tile` on."""
    closes = {"[": "]", "(": ")"}[opens]
    while opening := re.compile(rf"\s*{re.escape(opens)}").match(code, position):
        depth, end = 1, opening.end()
        while end < len(code) and depth:
            depth += (code[end] == opens) - (code[end] == closes)
            end += 1
        if depth:
            return position
        position = end
    return position
