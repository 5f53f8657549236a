"""Make a `.cu` source into C++ for the host: text in, text out.

Most of CUDA C++ is C++ once a prelude is included first. What is left is done here: project includes become part
of the text (they hold kernels and shared variables too), `__shared__` variables become references into the block's
shared memory, and every kernel gets an exported entry. `#line` directives keep compiler errors and run-time reports
on the lines of the `.cu` file.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gpunet.sim.translate import device_variables, host_code, inline_ptx, shared_variables, surface

_COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"""
    r"""R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.S)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">][^\n]*$', re.M)


# (name, included from) -> (file, text) of a project file, None for what the compiler is to find.
FindInclude = Callable[[str, str], tuple[str, str] | None]


@dataclass(frozen=True)
class Rewritten:
    """C++ text, and the kernels that it exports, in order: entry number i belongs to kernels[i]."""

    text: str
    kernels: tuple[str, ...]
    bounds: dict[str, int]


def rewrite(code: str, file: str, find_include: FindInclude,
            expressions: tuple[str, ...] = (), checking: bool = False) -> Rewritten:
    """Rewrite `code`, which is `file` in messages.

    `find_include(name, included_from)` gives (file, text) of a project file, or None for a header that the compiler
    is to find. `expressions` are instances of template kernels to export, such as "scale<float,4>"; kernels that are
    no templates are exported in any case. With `checking`, the checker is to know `__device__` variables.
    """
    code = host_code.remove(_inline(without_comments(code), file, find_include, set()))
    code = inline_ptx.translate(surface.refuse(code, _without_literals(code)))
    # As a macro of this name it would break the C++ library's headers, which use it as an attribute.
    code = re.sub(r"\b__noinline__\b", "__attribute__((noinline))", code)
    found = _find_kernels(host_code.flat(code))
    kernels = tuple(dict.fromkeys([kernel.name for kernel in found if not kernel.template] + list(expressions)))
    if checking:
        code = device_variables.rewrite(code)
    code = shared_variables.rewrite(code, lambda position: _place(code, position, file))
    exports = [f"GPUNET_SIM_EXPORT({number}, {name})" for number, name in enumerate(kernels)]
    headers = ["#include <gpunet_sim/inline_ptx.h>"] if "gpunet_sim::ptx::" in code else []
    text = "\n".join([*headers, f'#line 1 "{file}"', code, '#line 1 "exported kernels"', *exports, ""])
    return Rewritten(text, kernels, {kernel.name: kernel.most_threads for kernel in found if kernel.most_threads})


def without_comments(code: str) -> str:
    """Comments become spaces, so that lines and columns stay; literals stay as they are."""
    def blank(match: re.Match[str]) -> str:
        text = match.group()
        return re.sub(r"[^\n]", " ", text) if text.startswith(("//", "/*")) else text
    return _COMMENT_OR_LITERAL.sub(blank, code.replace("\\\r\n", "\\\n"))


def _inline(code: str, file: str, find_include: FindInclude, seen: set[str]) -> str:
    seen.add(file)

    def include(match: re.Match[str]) -> str:
        found = find_include(match.group(1), file)
        if found is None:
            return surface.header(match.group(1)) or match.group()
        name, text = found
        if name in seen and "#pragma once" in text:
            return ""
        text = _inline(without_comments(text), name, find_include, seen).replace("#pragma once", "")
        return f'#line 1 "{name}"\n{text}\n#line {_line(code, match.end()) + 1} "{file}"'
    return _INCLUDE.sub(include, code)


def _without_literals(code: str) -> str:
    return _COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)


def _line(code: str, position: int) -> int:
    return code.count("\n", 0, position) + 1


# ---- kernels ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Declared:
    name: str
    template: bool
    most_threads: int | None  # of __launch_bounds__, where it is a plain number


def _find_kernels(code: str) -> list[_Declared]:
    kernels: dict[str, _Declared] = {}
    for match in re.finditer(r"\b__global__\b", code):
        declaration_start = max(code.rfind(mark, 0, match.start()) for mark in ";}{#")
        template = re.search(r"\btemplate\b", code[declaration_start + 1:match.start()]) is not None
        position, bound = match.end(), None
        while call := re.compile(r"([A-Za-z_]\w*)\s*\(").search(code, position):
            if call.group(1) not in ("__launch_bounds__", "__maxnreg__", "__align__"):
                name = _enclosing_namespaces(code, match.start()) + call.group(1)
                kernels.setdefault(name, _Declared(name, template, bound))
                break
            position = _closing(code, call.end() - 1)
            first = code[call.end():position - 1].split(",")[0].strip()
            if call.group(1) == "__launch_bounds__" and first.isdigit():
                bound = int(first)
    return list(kernels.values())


def _enclosing_namespaces(code: str, position: int) -> str:
    """"outer::inner::" for a place within named namespaces."""
    return "".join(match.group(1) + "::" for match in re.finditer(r"\bnamespace\s+([\w:]+)\s*\{", code[:position])
                   if _closing(code, match.end() - 1) > position)


def _closing(code: str, opening: int) -> int:
    """Position after the bracket that closes the one at `opening`; the end where none does."""
    return host_code.closing(code, opening) or len(code)


def _place(code: str, position: int, file: str) -> str:
    """File and line of a position in a text with #line directives."""
    line = 1
    for text in code[:position].split("\n"):
        line += 1
        if found := re.match(r'#line (\d+) "([^"]*)"', text):
            line, file = int(found.group(1)), found.group(2)
    return f"{file}:{line - 1}"
