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

_WIDTH = 100  # of notes; source lines stay whole

_REMEDIES = {
    "race": "between threads of a block, __syncthreads() after the first access orders the two (__syncwarp() within a "
            "warp); atomics make concurrent updates whole",
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
    "argument": "pass numbers with the parameter's own type, such as numpy.float32(x): CUDA copies bytes and converts "
                "nothing",
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
    lines += _place("-->", finding, width, text_of, f" in {finding.kernel}", "mark", finding.element)
    if finding.other is not None:
        lines += _place(f"{finding.other.action}", finding.other, width, text_of, "", "other", finding.element)
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
    across = finding.kind == "race" and finding.other is not None and finding.other.block != finding.block
    return _REMEDIES.get("race between blocks" if across else finding.kind)


def _place(arrow: str, where: Finding | Access, width: int, text_of, kernel: str, role: str,
           element: str | None) -> list[Line]:
    """The arrow with file, line and thread; then the source line and, under it, what the finding is about."""
    place = where.file + (f":{where.line}" if where.line is not None else "")
    who = [f"{name} ({','.join(map(str, index))})" for name, index in (("block", where.block), ("thread", where.thread))
           if index is not None]
    lines = [[(" " * width + arrow + " ", "gutter"), (place, "place"), (kernel, "message" if kernel else "place"),
              (", " * bool(who) + ", ".join(who), "")]]
    code = _source_line(where, text_of)
    if not code:
        return lines
    bar = (" " * (width + 1) + "| ", "gutter")
    marks = _marks(code, element.partition("[")[0] if element else None)
    label = f" {element}" if element else ""
    return [*lines, [bar], [(f"{where.line:>{width}} | ", "gutter"), (code, "code")], [bar, (marks + label, role)]]


def _source_line(where: Finding | Access, text_of) -> str:
    """The line with its own indentation where the file can be had; tabs are spaces, so that marks stand below."""
    text = text_of(where.file) if text_of and where.line is not None else None
    lines = text.splitlines() if text else []
    if lines and 0 < where.line <= len(lines) and where.source.strip() in ("", lines[where.line - 1].strip()):
        return lines[where.line - 1].expandtabs(4).rstrip()
    return where.source.strip() if where.line is not None else ""


def _marks(code: str, array: str | None) -> str:
    """Carets under each use of the array in the line, with its brackets; under the whole statement where there is
    none."""
    statement = re.sub(r"\s*//.*$", "", code)
    found = [(match.start(), _end_of_brackets(statement, match.end()))
             for match in re.finditer(rf"\b{re.escape(array)}\b", statement)] if array else []
    if not found:
        start = len(statement) - len(statement.lstrip())
        found = [(start, len(statement))]
    marks = [" "] * len(code)
    for start, end in found:
        marks[start:end] = "^" * (end - start)
    return "".join(marks).rstrip()


def _end_of_brackets(code: str, position: int) -> int:
    """Where the brackets end that follow a name: of `tile[i][j + 1]`, from the end of `tile` on."""
    while opening := re.compile(r"\s*\[").match(code, position):
        depth, end = 1, opening.end()
        while end < len(code) and depth:
            depth += (code[end] == "[") - (code[end] == "]")
            end += 1
        if depth:
            return position
        position = end
    return position
