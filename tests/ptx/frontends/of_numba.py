"""Kernels of Numba; imported where numba-cuda is."""

import math

from numba import cuda, float32


@cuda.jit(device=True)
def bent(value):
    return math.exp(-abs(value))


@cuda.jit
def scaled(y, x, by):
    i, j = cuda.grid(2)
    if i < x.shape[0] and j < x.shape[1]:
        y[i, j] = by * bent(x[i, j])


@cuda.jit
def rows(y, x, sizes, on):
    i = cuda.grid(1)
    y[i] = sizes[0] + x[i].real * sizes[1] if on else x[i].imag


@cuda.jit
def total(y, x):
    part = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    part[t] = x[cuda.grid(1)]
    cuda.syncthreads()
    if t == 0:
        found = float32(0)
        for each in range(cuda.blockDim.x):
            found += part[each]
        cuda.atomic.add(y, 0, found)


@cuda.jit
def turned(y, x):
    tile = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    tile[t] = x[t]  # race
    y[t] = tile[63 - t]  # its reads


@cuda.jit
def next_ones(y, x):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = x[i + 1]  # over the end


@cuda.jit
def of_records(y, x, record):
    i = cuda.threadIdx.x
    y[i] = record.slope * x[i].at + record.start
    if i == 0:
        record.used += 1
