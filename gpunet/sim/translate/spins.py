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
    for match in reversed(list(_LOOP.finditer(flat))):
        end = host_code.closing(flat, match.end() - 1)
        nothing = _NOTHING.match(flat, end) if end is not None else None
        if nothing is None or _ends_a_do(flat[:match.start()]):
            continue
        lines = "\n" * nothing.group().count("\n")
        code = code[:end] + " { gpunet_sim::spin(); }" + lines + code[nothing.end():]
    return code


def _ends_a_do(before: str) -> bool:
    """Whether `while` after this is the end of `do ... while`; what looks like one stays as it is."""
    return before.rstrip().endswith("}") and re.search(r"\bdo\b", before) is not None or before.rstrip().endswith("do")
