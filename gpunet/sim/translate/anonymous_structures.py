"""Fields of 16-bit floating-point types in structures without a name, which g++ refuses for their constructors.

    union { struct { half d, s; }; half2 ds; };  ->  union { struct { gpunet_sim::Field<half> d, s; }; half2 ds; };
"""

import re

from gpunet.sim.translate import host_code

_UNNAMED = re.compile(r"\bstruct\s*\{")
_BEHIND = re.compile(r"\s*(?P<word>\w*)\s*;")
_EMPTY_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]*$", re.M)
_FIELD = re.compile(r"(?<=[;{])(?P<lead>\s*(?:const\s+)?)(?P<type>[A-Za-z_]\w*(?:::\w+)*)(?=\s+[A-Za-z_][^;{}()]*;)")
_NO_TYPES = frozenset("struct union enum class unsigned signed using typedef".split())


def rewrite(code: str) -> str:
    """`code` without comments -> the same with such fields stored without constructors. Lines stay as they are."""
    flat = host_code.flat(code)
    empty = set(_EMPTY_MACRO.findall(code))
    changes = []
    for match in _UNNAMED.finditer(flat):
        end = host_code.closing(flat, match.end() - 1) or len(flat)
        behind = _BEHIND.match(flat, end)
        if behind is None or (behind["word"] and behind["word"] not in empty):
            continue  # it is the type of a variable, or of a field with a name
        changes += [field.span("type") for field in _FIELD.finditer(flat, match.end() - 1, end)
                    if field["type"] not in _NO_TYPES]
    for start, end in sorted(set(changes), reverse=True):
        code = f"{code[:start]}gpunet_sim::Field<{code[start:end]}>{code[end:]}"
    return code
