"""Kernels of Numba with signatures; imported within numba_without_gpu()."""

from numba import cuda


@cuda.jit("float32(float32, float32)", device=True)
def times(by, value):
    return by * value


@cuda.jit("void(float32[:], float32[:], float32)")
def scaled(y, x, by):
    i = cuda.grid(1)
    y[i] = times(by, x[i])


@cuda.jit(["void(int32[:], int32[:])", "void(float64[:], float64[:])"])
def counted(totals, x):
    cuda.atomic.add(totals, 0, x[cuda.grid(1)])
