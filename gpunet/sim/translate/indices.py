"""Index arithmetic with threadIdx and the like, whose numbers are unsigned, so that no overflow is told of by itself.

    int i = (blockIdx.x * blockDim.x + threadIdx.x) * n;  ->  int i = gpunet_sim::index(..., the same in 64 bits);
    i += blockDim.x                                       ->  gpunet_sim::advance(i, blockDim.x, in 64 bits)

Check builds only.
"""

import re

from gpunet.sim.translate import host_code

_COORDINATE = re.compile(r"\b(?:threadIdx|blockIdx|blockDim|gridDim)\s*\.\s*[xyz]\b")
_ARITHMETIC = r"(?P<sum>[\w\s.()+\-*/]+?)"
_DECLARED = re.compile(rf"\b(?:int|int32_t)\s+\w+\s*=\s*{_ARITHMETIC}\s*(?=[;,])")
_ADVANCED = re.compile(rf"(?<=[;{{}}(),])(?P<before>\s*)(?P<name>[A-Za-z_]\w*)\s*\+=\s*{_ARITHMETIC}\s*(?=[;,)])")
_CALL_OR_STEP = re.compile(r"\w\s*\(|\+\+|--|\)\s*\w")  # also a cast
_NUMBER = re.compile(r"(?<![\w.])\d[\w.]*")
_MOST = 1 << 20  # what multiplies by more computes hashes and random numbers, which are to wrap around


def rewrite(code: str) -> str:
    """`code` without comments -> the same with its index arithmetic watched. Lines stay as they are."""
    flat = host_code.flat(code)
    changes = []
    for match in _DECLARED.finditer(flat):
        text = match["sum"]
        if _is_index(text):
            changes.append((*match.span("sum"), f"gpunet_sim::index({text}, {_wide(text)})"))
    for match in _ADVANCED.finditer(flat):
        text = _whole(match["sum"])
        if text is not None and _is_index(text):
            end = match.start("sum") + len(text)
            changes.append((match.start("name"), end, f"gpunet_sim::advance({match['name']}, {text}, {_wide(text)})"))
    for start, end, text in sorted(changes, reverse=True):
        code = code[:start] + text + code[end:]
    return code


def _is_index(text: str) -> bool:
    if not _COORDINATE.search(text) or _CALL_OR_STEP.search(text) or text.count("(") != text.count(")"):
        return False
    numbers = (re.fullmatch(r"(\d+)[uU]?", number) for number in _NUMBER.findall(text))
    return all(number is not None and int(number[1]) <= _MOST for number in numbers)


def _whole(text: str) -> str | None:
    """Up to the bracket that closes a bracket before it."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return text[:position]
    return text if depth == 0 else None


def _wide(text: str) -> str:
    return _COORDINATE.sub(lambda match: f"(long long)({match.group()})", " ".join(text.split()))
