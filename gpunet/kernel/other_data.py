"""Updates that other data would make race: y[index[i]] += x[i] without an atomic, where the indices given all differ.

The launch is run once more with every array that it only reads holding one of its own values throughout. What reads and
writes an element in one line then does it from several threads, if the element follows from the data. Accesses that
the launch orders by its own indices stay as they are, and a scatter without a sum is left alone: it may well be given a
permutation.
"""

from dataclasses import replace

import numpy as np

from gpunet.kernel.finding import Finding
from gpunet.kernel.unwritten import Unwritten

_MEETING = "other data may make two threads meet here, which read, change and write the element without an atomic"


def copied(args: tuple) -> tuple:
    """The arguments with arrays of their own; one that is given twice stays one."""
    copies: dict[int, np.ndarray] = {}
    return tuple(copies.setdefault(id(each), each.copy()) if isinstance(each, np.ndarray) and each.ndim else each
                 for each in args)


def evened(before: tuple, after: tuple) -> tuple | None:
    """The arguments with each array that the launch has left as it was made even; None where there is no such array."""
    even: dict[int, np.ndarray] = {}
    for old, new in zip(before, after, strict=True):
        if isinstance(old, np.ndarray) and old.ndim and old.size and old.dtype.kind in "iuf":
            if old.tobytes() == new.tobytes() and not isinstance(old, Unwritten):
                even[id(old)] = np.full_like(old, old.flat[0])
    return tuple(even.get(id(each), each) for each in before) if even else None


def updates(findings: list[Finding]) -> list[Finding]:
    """Of the findings of such a launch those that tell of an update in one line, as warnings."""
    return [replace(each, message=_MEETING, severity="warning", other=None) for each in findings
            if each.kind == "race" and each.other and (each.other.file, each.other.line) == (each.file, each.line)
            and "atomic" not in each.message and ("a read" in each.message or each.other.action == "read")]
