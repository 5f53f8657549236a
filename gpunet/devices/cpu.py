"""The CPU: every op runs its NumPy body."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy._core.umath import _extobj_contextvar, _make_extobj

# IEEE arithmetic gives infinities and NaN where PyTorch is silent and NumPy warns. `np.errstate` around each op would
# cost as much as the op; these are the names inside it.
_SILENT = _make_extobj(all="ignore")
_silence, _restore = _extobj_contextvar.set, _extobj_contextvar.reset


class CpuDevice:
    """NumPy arrays in the host's memory."""

    type = "cpu"
    index = None
    xp = np
    empty = staticmethod(np.empty)

    def __init__(self, name):
        self.name = name  # the public gpunet.device

    def __repr__(self):
        return str(self.name)

    @staticmethod
    def run(op, outs, arrays, attrs):
        """Fills `outs`."""
        token = _silence(_SILENT)
        try:
            op.body(np, *outs, *arrays, **attrs)
        finally:
            _restore(token)

    @staticmethod
    def compile_calls(calls):
        """A function that repeats recorded calls of `run`."""
        bodies = [partial(op.body, np, *outs, *arrays, **attrs) for op, outs, arrays, attrs in calls]

        def replay():
            token = _silence(_SILENT)
            try:
                for body in bodies:
                    body()
            finally:
                _restore(token)

        return replay

    @staticmethod
    def to_host(array):
        return array

    @staticmethod
    def from_host(array):
        return array

    @staticmethod
    def synchronize():
        pass
