"""Loops without a body, which wait for another thread: in them the other threads must run.

    while (ready == 0) {}  ->  while (ready == 0) { gpunet_sim::spin(); }
"""

import re

from gpunet.sim.translate import host_code

_LOOP = re.compile(r"\b(?:while|for)\s*\(")
_NOTHING = re.compile(r"\s*(?:;|\{\s*\})")


def rewrite(code: str) -> str:
    """`code` without comments -> the same with a call in each empty loop. Lines stay as they are."""
    flat = host_code.flat(code)
    ends = _ends_of_do(flat)
    for match in reversed(list(_LOOP.finditer(flat))):
        end = host_code.closing(flat, match.end() - 1)
        nothing = _NOTHING.match(flat, end) if end is not None else None
        if nothing is None or match.start() in ends:
            continue
        lines = "\n" * nothing.group().count("\n")
        code = code[:end] + " { gpunet_sim::spin(); }" + lines + code[nothing.end():]
    return code


def _ends_of_do(flat: str) -> set[int]:
    """Where the `while` of each `do ... while` stands."""
    ends = set()
    for match in re.finditer(r"\bdo\b\s*", flat):
        if flat.startswith("{", match.end()):
            end = host_code.closing(flat, match.end())
        else:
            end = flat.find(";", match.end()) + 1
        if end and (last := re.compile(r"\s*(?=while\b)").match(flat, end)):
            ends.add(last.end())
    return ends
