"""The CPU: every op runs its NumPy body."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np

# IEEE arithmetic gives infinities and NaN where PyTorch is silent and NumPy warns. Quiet for our own op bodies alone;
# `np.errstate` around each of them would cost more than most bodies.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"gpunet\.ops\.")


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
        op.body(np, *outs, *arrays, **attrs)

    @staticmethod
    def compile_calls(calls):
        """A function that repeats recorded calls of `run`."""
        bodies = [partial(op.body, np, *outs, *arrays, **attrs) for op, outs, arrays, attrs in calls]

        def replay():
            for body in bodies:
                body()

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
