"""`__device__` variables as references into device memory, so that the checker knows them as it knows arrays.

    __device__ float table[8] = {1};  ->  static float gpunet_sim_initial_table[8] = {1};
                                          static decltype(gpunet_sim_initial_table)& table =
                                              gpunet_sim::device_variable(gpunet_sim_initial_table, "table");

Check builds only. What no kernel can write, constants, stays as it is.
"""

import re

from gpunet.sim.translate import host_code, shared_variables

_SPACE = re.compile(r"\b__(?:device|managed)__\b")
_CONSTANT = re.compile(r"\b(?:__constant__|constexpr)\b|\bconst\b(?![^=;{]*\*)")
_LEFT_ALONE = re.compile(r"\b(?:typedef|using|template|friend|struct|class|union|enum|operator|__shared__)\b|&|\(")
_ALIGNMENT = re.compile(r"\b(?:__align__|alignas|__builtin_align__|__attribute__)\s*\((?:[^()]|\([^()]*\))*\)")
_NAME = re.compile(r"(?P<type>.*?)(?P<name>[A-Za-z_]\w*)\s*(?P<extents>(?:\[[^\]]*\]\s*)*)$", re.S)


def rewrite(code: str) -> str:
    """`code` without comments -> the same with its variables in device memory. Lines stay as they are."""
    found = [(item, declared) for item in host_code.items(host_code.flat(code))
             if not item.function and (declared := _declared(code[item.start:item.end])) is not None]
    declared_before = {name for _, (external, variables) in found if external for _, name, _, _ in variables}
    for item, (_, variables) in reversed(found):
        if any(name in declared_before for _, name, _, _ in variables):
            continue  # the two would have to agree on a type, of which a declaration may leave a part out
        text = code[item.start:item.end]
        lead = text[:len(text) - len(text.lstrip())]
        new = lead + " ".join(map(_definition, variables))
        code = code[:item.start] + new + "\n" * (text.count("\n") - new.count("\n")) + code[item.end:]
    return code


# (type, name, extents, initialiser)
_Variable = tuple[str, str, str, str]


def _declared(text: str) -> tuple[bool, list[_Variable]] | None:
    """Whether a declaration is external, and its variables; None when it is not to be touched."""
    if not _SPACE.search(text) or _CONSTANT.search(text) or re.search(r"^[ \t]*#", text, re.M):
        return None
    declaration = _SPACE.sub(" ", text).strip().rstrip(";")
    external = re.search(r"\bextern\b", declaration) is not None
    declaration = re.sub(r"\b(?:extern|static|inline)\b", " ", declaration)
    alignments = " ".join(match.group() for match in _ALIGNMENT.finditer(declaration))
    declaration = _ALIGNMENT.sub(" ", declaration)
    variables, kind = [], ""
    for declarator in shared_variables.split_declarators(declaration):
        head, initial = _initialiser(declarator)
        match = _NAME.match(head.strip())
        if _LEFT_ALONE.search(head) or match is None or not (kind or match["type"].strip()):
            return None
        stars = "".join(re.findall(r"[*\s]*$", match["type"])).strip()
        kind = kind or f"{alignments} {match['type'].strip().rstrip('* ')}"
        variables.append((kind + stars, match["name"], match["extents"].strip(), initial))
    return external, variables


def _initialiser(declarator: str) -> tuple[str, str]:
    """What stands before and what from the first = or { on."""
    at = min((position for mark in "={" if (position := declarator.find(mark)) >= 0), default=len(declarator))
    return declarator[:at], declarator[at:]


def _definition(variable: _Variable) -> str:
    kind, name, extents, initial = variable
    first = f"gpunet_sim_initial_{name}"
    return (f"static {kind} {first}{extents} {initial}; "
            f'static decltype({first})& {name} = gpunet_sim::device_variable({first}, "{name}");')

