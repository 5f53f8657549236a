"""`__shared__` variables as references into the block's shared memory.

    __shared__ float tile[32][33];  ->  typedef float T[32][33]; T& tile = gpunet_sim::shared<T>([]{}, 16, "tile");
    extern __shared__ float rest[]; ->  float* rest = gpunet_sim::dynamic_shared<float>("rest");
"""

import re

from gpunet.sim.translate import host_code, surface

_ALIGNMENT = re.compile(r"(?:__align__|alignas)\s*\(([^()]*(?:\([^()]*\))?[^()]*)\)")
_SHARED = re.compile(rf"(?P<before>(?:\b(?:extern|static|volatile|const)\b\s*|\b{_ALIGNMENT.pattern}\s*)*)"
                     r"\b__shared__\s+(?P<declaration>[^;{}]*?)\s*;")
# C++ lets the type stand before, also between the words.
_TYPE_FIRST = re.compile(r"(?P<before>[;{}]\s*)(?P<type>(?:(?!\b(?:return|else|case|goto)\b)[A-Za-z_][\w:]*"
                         r"(?:\s*<[^;{}()]*>)?[\s*]+)+)__shared__\b")
_STRUCTURE = re.compile(r"\b(?P<kind>struct|union)\s*(?P<align>(?:(?:__align__|alignas)\s*\([^()]*\)\s*)?)"
                        r"(?P<name>\w*)\s*\{")
_DECLARATOR = re.compile(r"\s*(?P<type>.*?)(?P<name>[A-Za-z_]\w*)\s*(?P<extents>(?:\[[^\]]*\]\s*)*)$", re.S)


def rewrite(code: str) -> str:
    """In place of a declaration that cannot be read stands an error for the compiler."""
    code = _TYPE_FIRST.sub(_type_last, _named_structures(code))
    inside = _function_bodies(code)

    def replace(match: re.Match[str]) -> str:
        start = match.start("declaration")

        def refused(reason: str) -> str:
            declaration = " ".join(match.group().split()).replace('"', "'")
            return surface.error(f"{reason}: {declaration}") + "\n" * match.group().count("\n")

        text = match["before"] + match["declaration"]
        external = re.search(r"\bextern\b", text) is not None
        at_file_scope = bool(inside) and not any(begin < start < end for begin, end in inside)
        if at_file_scope and not external:
            return refused("a __shared__ variable outside of a function is not simulated, declare it in the kernel")
        alignments = ["16"]
        text = _ALIGNMENT.sub(lambda m: alignments.append(m.group(1)) or " ", text)
        text = re.sub(r"\b(?:extern|static)\b", " ", text)
        statements, kind = [], ""
        for declarator in split_declarators(text):
            parts = _DECLARATOR.match(declarator)
            if not parts or not (kind or parts["type"].strip()):
                return refused("cannot read this __shared__ declaration")
            stars = "".join(re.findall(r"[*\s]*$", parts["type"])).strip()  # each declarator has its own
            kind = kind or parts["type"].strip().rstrip("* ")
            if external:
                statements.append(_dynamic(kind + stars, parts["name"], parts["extents"], at_file_scope))
            else:
                statements.append(_static(kind + stars, parts["name"], parts["extents"], alignments[-1]))
        return " ".join(statements) + "\n" * match.group().count("\n")
    return _SHARED.sub(replace, code)


def _type_last(match: re.Match[str]) -> str:
    """`extern float __shared__ s[];` -> `extern __shared__ float s[];`"""
    words = match["type"]
    if not re.sub(_WORDS_BEFORE, " ", words).strip():
        return match.group()
    external = "extern " * (re.search(r"\bextern\b", words) is not None)
    return f"{match['before']}{external}__shared__ " + re.sub(r"\bextern\b", " ", words)


_WORDS_BEFORE = r"\b(?:extern|static|volatile|const)\b"


def _static(kind: str, name: str, extents: str, alignment: str) -> str:
    alias = f"gpunet_sim_type_of_{name}"
    return (f"typedef {kind} {alias}{extents}; "
            f'{alias}& {name} = gpunet_sim::shared<{alias}>([]{{}}, {alignment}, "{name}");')


def _dynamic(kind: str, name: str, extents: str, at_file_scope: bool) -> str:
    alias = f"gpunet_sim_type_of_{name}"
    inner = re.sub(r"^\s*\[[^\]]*\]", "", extents)  # of x[][4] the elements are int[4]
    # The dynamic part lies at one address for all blocks of a host thread, where a file's variable can find it.
    storage = "static thread_local " if at_file_scope else ""
    return (f"typedef {kind} {alias}{inner}; "
            f'{storage}{alias}* {name} = ({alias}*)gpunet_sim::dynamic_shared<{kind}>("{name}");')


def _named_structures(code: str) -> str:
    """`__shared__ struct {...} x;` -> `struct name {...}; __shared__ name x;`"""
    position, count = 0, 0
    while shared := re.compile(r"((?:\b(?:static|volatile)\b\s*)*)\b__shared__\s+").search(code, position):
        position = shared.end()
        structure = _STRUCTURE.match(code, position)
        if structure is None or (end := host_code.closing(code, structure.end() - 1)) is None:
            continue
        count += 1
        name = structure["name"] or f"gpunet_sim_unnamed_{count}"
        body = code[structure.end() - 1:end]
        code = (f"{code[:shared.start()]}{structure['kind']} {structure['align']}{name} {body}; "
                f"{shared[1]}__shared__ {name}{code[end:]}")
        position = shared.start() + len(body)
    return code


def _function_bodies(code: str) -> list[tuple[int, int]]:
    return [(item.start, item.end) for item in host_code.items(host_code.flat(code)) if item.function or
            re.search(r"\b(?:struct|class)\b|=", item.head)]


def split_declarators(text: str) -> list[str]:
    """A declaration at its commas, of which those within brackets and initialisers are none."""
    parts, depth, angles = [""], 0, 0
    for character in text:
        depth += (character in "[({") - (character in "])}")
        if depth == 0:  # within brackets < is a comparison
            angles += (character == "<") - (character == ">")
        if character == "," and depth == 0 and angles == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
