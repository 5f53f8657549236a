"""A source line with marks under what a finding is about, as compilers show it."""

from __future__ import annotations

import re

# Text and role, of which the command line makes colours.
Line = list[tuple[str, str]]

# What a line is about that names no array: barriers, warp collectives, copies, assertions.
_CALL = re.compile(r"\b(?:__\w+|\w*(?:sync|assert|bar_|mbar|copy|wait|wgmma|mma)\w*)(?=\s*\()")


def snippet(width: int, line: int, code: str, role: str, element: str | None, word: str) -> list[Line]:
    """Lines with the source line and, below it, marks of a role and the element that it is about.

    Args:
        width: of the gutter's line numbers.
        line: the source line's number.
        code: its text.
        role: of the marks.
        element: the array's element in C's writing, or None.
        word: "read" or "write", where only the one side of an assignment is meant.

    Returns:
        Lines of (text, role) pairs.
    """
    bar = (" " * (width + 1) + "| ", "gutter")
    marks = _marks(code, element.partition("[")[0] if element else None, word)
    label = f" {element}" if element else ""
    return [[bar], [(f"{line:>{width}} | ", "gutter"), (code, "code")], [bar, (marks + label, role)]]


def source_line(text: str | None, line: int, stripped: str) -> str:
    """A line of a file with its own indentation; tabs become spaces, so that marks stand below what they mark.

    Args:
        text: the file's text, or None where it is not at hand.
        line: the line's number, from 1.
        stripped: the line without its indentation as it was compiled, "" where that is not known. It is the result
            where the file has another line there by now.

    Returns:
        The line.
    """
    lines = text.splitlines() if text else []
    if 0 < line <= len(lines) and stripped.strip() in ("", lines[line - 1].strip()):
        return lines[line - 1].expandtabs(4).rstrip()
    return stripped.strip()


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
