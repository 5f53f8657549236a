"""Make a `.cu` source into C++ for the host: text in, text out.

Most of CUDA C++ is C++ once a prelude is included first. What is left is done here: project includes become part
of the text (they hold kernels and shared variables too), `__shared__` variables become references into the block's
shared memory, and every kernel gets an exported entry. `#line` directives keep compiler errors and run-time reports
on the lines of the `.cu` file.
"""

import functools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from gpunet.kernel import signature
from gpunet.sim.translate import (
    anonymous_structures,
    device_variables,
    host_code,
    indices,
    inline_ptx,
    reach,
    shared_variables,
    spins,
    surface,
)

_COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"""
    r"""R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.S)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">][^\n]*$', re.M)


EXPORTS = "exported kernels"  # what messages call the lines behind the source
# (name, included from) -> (file, text) of a project file, None for what the compiler is to find.
FindInclude = Callable[[str, str], tuple[str, str] | None]


@dataclass(frozen=True)
class Kernel:
    """A kernel that the text exports as entry `number`, unless the preprocessor leaves it out.

    `name`: with its namespaces, and of a template the arguments. `parameters`: their names. `types`: theirs, as the
    source has them. `most_threads`: of __launch_bounds__, where it is a plain number.
    """

    number: int
    name: str
    parameters: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    most_threads: int | None = None

    @property
    def declared(self) -> tuple[str, ...]:
        """The parameters as they are declared: "float* y"."""
        return tuple(f"{kind} {name}".strip() for kind, name in zip(self.types, self.parameters, strict=True))

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(self.types)})"


@dataclass(frozen=True)
class Rewritten:
    """C++ text, and the kernels that it exports."""

    text: str
    kernels: tuple[Kernel, ...]

    def named(self, name: str) -> tuple[Kernel, ...]:
        """The kernels that a name means; of several with one name, "fill(float*)" is one."""
        found = tuple(kernel for kernel in self.kernels if kernel.name == name)
        if found or not name.endswith(")"):
            return found
        bare, _, types = name[:-1].partition("(")
        wanted = tuple(map(_type_of, shared_variables.split_declarators(types))) if types.strip() else ()
        return tuple(kernel for kernel in self.kernels if kernel.name == bare.strip() and kernel.types == wanted)


def rewrite(code: str, file: str, find_include: FindInclude, expressions: tuple[str, ...] = (),
            checking: bool = False, only: str | None = None) -> Rewritten:
    """Rewrite `code`, which is `file` in messages.

    `find_include(name, included_from)` gives (file, text) of a project file, or None for a header that the compiler
    is to find. `expressions` are instances of template kernels to export, such as "scale<float,4>"; kernels that are
    no templates are exported in any case. With `checking`, the checker is to know `__device__` variables and what
    indices come to. With `only`, what that kernel does not need is left out.
    """
    code = _inline(without_comments(code if code.endswith("\n") else f"{code}\n"), file, find_include, set())
    if only is not None:
        expressions = tuple(each for each in expressions if each == only)
    code, declared, kernels = _translated(code, checking, only)
    instances = _instances(expressions, declared, len(kernels))
    exports = [f"GPUNET_SIM_EXPORT({kernel.number}, {kernel.name})" for kernel in instances]
    headers = ["#include <gpunet_sim/inline_ptx.h>"] if "gpunet_sim::ptx::" in code else []
    text = "\n".join([*headers, f'#line 1 "{file}"', code, f'#line 1 "{EXPORTS}"', *exports, ""])
    return Rewritten(text, (*kernels, *instances))


@functools.lru_cache(32)  # the instances of a file's templates come one by one, and this is most of the time of each
def _translated(code: str, checking: bool, only: str | None) -> tuple[str, list["_Declared"], list[Kernel]]:
    """The text for the host; its kernels as they are declared, and those that it exports already."""
    code = host_code.remove(code)
    if only is not None:
        code = reach.keep(code, only.partition("(")[0])
    code = anonymous_structures.rewrite(spins.rewrite(code))
    code = inline_ptx.translate(surface.refuse(code, _without_literals(code)))
    # As a macro of this name it would break the C++ library's headers, which use it as an attribute.
    code = re.sub(r"\b__noinline__\b", "__attribute__((noinline))", code)
    if checking:
        code = indices.rewrite(device_variables.rewrite(code))
    declared = _find_kernels(code)
    code, kernels = _export(code, declared)
    return shared_variables.rewrite(code), declared, kernels


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
    parameters: str  # as they stand between the brackets
    most_threads: int | None
    end: int | None  # behind the body; None where there is none
    unnamed: bool    # the innermost namespace around it has no name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(_name_of(each) for each in shared_variables.split_declarators(self.parameters) if each.strip())

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(_type_of(each) for each in shared_variables.split_declarators(self.parameters) if each.strip())


def _find_kernels(code: str) -> list[_Declared]:
    kernels, flat = [], host_code.flat(code)
    for match in re.finditer(r"\b__global__\b", flat):
        declaration_start = max(flat.rfind(mark, 0, match.start()) for mark in ";}{#")
        before = flat[declaration_start + 1:match.start()]
        template = re.search(r"\btemplate\b", before) is not None
        found = signature.function_name(flat, match.end())
        if found is None:
            continue
        function, opening, attributes = found
        bounds = re.search(r"\b__launch_bounds__\s*\(([^()]*)", before)
        bound = attributes.get("__launch_bounds__", bounds.group(1) if bounds else "").split(",")[0].strip()
        position = _closing(flat, opening)
        around = _namespaces(flat, match.start())
        name, unnamed = "::".join([*filter(None, around), function]), around[-1:] == [""]
        body = re.compile(r"\s*(?:__attribute__\s*\(\(.*?\)\)\s*)*\{").match(flat, position)
        end = host_code.behind(code, match.start(), _closing(flat, body.end() - 1)) if body else None
        kernels.append(_Declared(name, template, flat[opening + 1:position - 1],
                                 int(bound) if bound.isdigit() else None, end, unnamed))
    return kernels


def _export(code: str, declared: list[_Declared]) -> tuple[str, list[Kernel]]:
    """`code` with an export behind each kernel that is no template, and what is exported. There it depends on the
    conditions of the preprocessor that the kernel itself depends on. One that is defined twice, in two branches, has
    one number; several of one name and different parameters have numbers of their own."""
    kernels: dict[tuple, Kernel] = {}
    exports = []
    for each in declared:
        if each.template or each.end is None:
            continue
        known = kernels.setdefault((each.name, each.types), Kernel(len(kernels), each.name, each.names, each.types,
                                                                   each.most_threads))
        exports.append((each, known.number))
    counts = Counter(name for name, _ in kernels)
    for each, number in sorted(exports, key=lambda export: export[0].end or 0, reverse=True):
        name = each.name.rpartition("::")[2]
        export = f" GPUNET_SIM_EXPORT({number}, {name});"
        if counts[each.name] > 1:
            export = f" GPUNET_SIM_EXPORT_AS({number}, gpunet_sim::Type<void (*)({each.parameters})>, {name});"
        if each.unnamed:  # in there it would not be seen from outside
            export = f" }}{export} namespace {{"
        code = code[:each.end] + " ".join(export.split("\n")) + code[each.end:]
    return code, list(kernels.values())


def _instances(expressions: tuple[str, ...], declared: list[_Declared], first: int) -> list[Kernel]:
    """Instances of templates, and kernels that are declared by macros."""
    plain = {each.name for each in declared if not each.template and each.end is not None}
    of = {each.name: each for each in reversed(declared)}
    wanted = [name for name in dict.fromkeys(expressions) if name not in plain and not name.endswith(")")]
    kernels = []
    for number, name in enumerate(wanted, first):
        known = of.get(name.partition("<")[0].strip())
        kernels.append(Kernel(number, name, known.names, known.types, known.most_threads) if known else
                       Kernel(number, name))
    return kernels


_QUALIFIERS = re.compile(r"\b(?:const|volatile|__restrict__|__restrict|restrict|__grid_constant__|struct)\b")
_TYPE_WORDS = frozenset("bool char short int long unsigned signed float double".split())


def _name_of(parameter: str) -> str:
    words = re.findall(r"[A-Za-z_]\w*", _QUALIFIERS.sub(" ", parameter.partition("=")[0].partition("[")[0]))
    return words[-1] if len(words) > 1 and words[-1] not in _TYPE_WORDS else ""


def _type_of(parameter: str) -> str:
    text = _QUALIFIERS.sub(" ", parameter.partition("=")[0])
    if name := _name_of(parameter):
        text = re.sub(rf"\b{re.escape(name)}\b(?=[^\w]*$)", " ", text)
    return re.sub(r"\s*([*&<>,])\s*", r"\1", " ".join(text.split()))


def _namespaces(code: str, position: int) -> list[str]:
    """The namespaces around a place, from the outside in; "" for one without a name."""
    return [match.group(1) for match in re.finditer(r"\bnamespace\s+([\w:]*)\s*\{", code[:position])
            if _closing(code, match.end() - 1) > position]


def _closing(code: str, opening: int) -> int:
    """Position after the bracket that closes the one at `opening`; the end where none does."""
    return host_code.closing(code, opening) or len(code)
