"""Names of the fields of a structure, as far as its text shows where they lie."""

import re
from collections.abc import Iterable

from gpunet.sim.translate import rewrite, shared_variables

# Bytes of types whose size is also their alignment.
_SIZES = {name: size for size, names in (
    (1, "bool char int8_t uint8_t"), (2, "short int16_t uint16_t half __half __nv_bfloat16"),
    (4, "int unsigned int32_t uint32_t float"), (8, "long size_t int64_t uint64_t double"))
    for name in names.split()}  # fmt: skip
_QUALIFIERS = re.compile(
    r"\b(?:const|volatile|__restrict__|__restrict|restrict|struct|signed|unsigned(?=\s+\w+\s))\b")
_DECLARATOR = re.compile(r"(?P<type>.*?)(?P<stars>[\s*]*)\b(?P<name>\w+)\s*(?P<extent>\[\s*\d+\s*\])?$", re.S)


def field_at(kind: str, place: int, texts: Iterable[str]) -> tuple[str, int]:
    """".name" of the field that lies at a place, counted in bytes, of a structure, and the size of its type (of what it
    points to); where the text does not show it, the place in words, and 0."""
    name = re.escape(kind.rpartition("::")[2])
    structure = re.compile(rf"\bstruct\s+(?:\w+\([^)]*\)\s*)?{name}\s*\{{([^{{}}]*)\}}")
    for text in texts:
        for body in structure.findall(rewrite.without_comments(text)):
            if found := _places(body).get(place):
                return f".{found[0]}", found[1]
    return f" (the pointer at byte {place})", 0


def _places(body: str) -> dict[int, tuple[str, int]]:
    """The fields by their places, with the sizes of their types, up to the first whose size is not plain."""
    places: dict[int, tuple[str, int]] = {}
    at = 0
    for declaration in body.split(";"):
        kind = ""
        for declarator in shared_variables.split_declarators(declaration.strip()):
            match = _DECLARATOR.match(_QUALIFIERS.sub(" ", declarator).strip())
            if match is None:
                return places
            kind = kind or " ".join(match["type"].split()).rstrip("* ")
            pointer = "*" in match["stars"] or "*" in match["type"]
            element = _SIZES.get(kind.rpartition(" ")[2])
            size = 8 if pointer else element
            if size is None:
                return places
            at += -at % size
            places[at] = match["name"], element or 0
            at += size * (int(match["extent"].strip("[] ")) if match["extent"] else 1)
    return places
