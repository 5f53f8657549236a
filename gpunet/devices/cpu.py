"""The CPU: every op runs its NumPy body."""

from __future__ import annotations

from functools import partial

import numpy as np

from gpunet.quiet import restore, silence


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
        token = silence()
        try:
            op.body(np, *outs, *arrays, **attrs)
        finally:
            restore(token)

    @staticmethod
    def compute(op, shape, dtype, arrays, attrs):
        """The result of a call with one output."""
        token = silence()
        try:
            # The calls are written out, because `*arrays` beside keywords takes 100 ns longer.
            ufunc = op.ufunc
            if ufunc is None:
                out = np.empty(shape, dtype)
                if len(arrays) == 1:
                    op.body(np, out, arrays[0], **attrs)
                else:
                    op.body(np, out, *arrays, **attrs)
                return out
            if len(arrays) == 1:
                out = ufunc(arrays[0], order="C")
            else:
                x, y = arrays
                out = ufunc(x, y, order="C")
        finally:
            restore(token)
        # Of 0-d arrays NumPy makes a number, of bfloat16 and a number float32.
        return out if out.__class__ is np.ndarray and out.dtype is dtype else np.asarray(out, dtype)

    @staticmethod
    def call(function, *args):
        """Work on this device's arrays that is no op."""
        return function(*args)

    @staticmethod
    def compile_calls(calls):
        """A function that repeats recorded calls of `run`."""
        bodies = [partial(op.body, np, *outs, *arrays, **attrs) for op, outs, arrays, attrs in calls]

        def replay():
            token = silence()
            try:
                for body in bodies:
                    body()
            finally:
                restore(token)

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
