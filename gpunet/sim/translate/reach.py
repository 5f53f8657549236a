"""What of a source one kernel needs: the rest becomes blanks, so that it cannot keep the kernel from being built.

Names are followed as text: whatever a kernel, or what it needs, mentions is needed. So too much may stay, never too
little.
"""

import re

from gpunet.sim.translate import host_code

_WORD = re.compile(r"[A-Za-z_]\w*")
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n\\]|\\.)*)", re.M | re.S)
_ALIAS = re.compile(r"\s*using\s+(\w+)\s*=|\s*typedef\b[^(){}]*?(\w+)\s*;\s*$", re.S)
_DECLARED_FUNCTION = re.compile(r"([A-Za-z_]\w*)\s*\([^;{}=]*\)\s*;\s*$", re.S)
_VARIABLE = re.compile(r"\b__(?:device|constant|shared|managed)__\b[^({=;]*?([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*[={;]",
                       re.S)
_INSTANCE = re.compile(r"\s*(?:extern\s+)?template\b(?!\s*<)")


def keep(code: str, expression: str) -> str:
    """`code` without comments -> the same with what the kernel `expression` does not need blank. Lines stay."""
    items = host_code.items(host_code.flat(code))
    names = [_name(item) for item in items]
    words = [set(_WORD.findall(item.text)) for item in items]
    meanings: dict[str, set[str]] = {}
    for macro in _MACRO.finditer(code):
        meanings.setdefault(macro.group(1), set()).update(_WORD.findall(macro.group(2)))
    for name, its in zip(names, words, strict=True):
        if name:
            meanings.setdefault(name, set()).update(its)
    reached: set[str] = set()
    rest = set(_WORD.findall(expression)).union(*(its for name, its in zip(names, words, strict=True) if not name))
    while rest:
        word = rest.pop()
        if word not in reached:
            reached.add(word)
            rest |= meanings.get(word, set())
    for item, name in zip(items, names, strict=True):
        if (name and name not in reached) or _INSTANCE.match(item.text):
            code = code[:item.start] + host_code.blank(code[item.start:item.end]) + code[item.end:]
    return code


def _name(item: host_code.Item) -> str | None:
    """The name by which a declaration is needed; None for what always stays."""
    if _INSTANCE.match(item.text):
        return "an explicit instantiation"
    if item.function or item.name:
        return None if item.name == "operator" else item.name
    if found := _ALIAS.match(item.text):
        return found.group(1) or found.group(2)
    found = _DECLARED_FUNCTION.search(item.text) or _VARIABLE.search(item.text)
    return found.group(1) if found else None
