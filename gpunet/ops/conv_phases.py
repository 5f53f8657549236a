"""What a convolution does along one dimension: forward, and by the input, where strides make phases of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

from gpunet.ops.launching import blocks_of
from gpunet.ops.windows import Windows


class Along(NamedTuple):
    """What a kernel that gathers does along one dimension; see kernels/conv.cu."""

    positions: int  # how many
    taps: int
    start: int  # the source element of position 0 and tap 0
    step: int  # from a position to the next
    next: int  # from a tap to the next
    weight: int  # the number of tap 0 in the kernel
    next_weight: int
    out: int  # where position 0 is in the result
    next_out: int


def dimensions_of(at: Windows) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers of the last two dimensions, (size, kernel, stride, padding, dilation, windows) for each."""
    return at.numbers[1::3], at.numbers[2::3]


def forwards(size, kernel, stride, low, dilation, out) -> Along:
    return Along(out, kernel, -low, stride, dilation, 0, 1, 0, 1)


def phases(size, kernel, stride, low, dilation, out) -> Iterator[Along]:
    """Elements of the input that are a stride apart are met by the same taps, whose windows then are neighbours."""
    for first in range(min(stride, size)):
        taps = [k for k in range(kernel) if (first + low - k * dilation) % stride == 0]
        apart = stride // gcd(stride, dilation)  # from a tap to the next
        start = (first + low - taps[0] * dilation) // stride if taps else 0
        yield Along(blocks_of(size - first, stride), len(taps), start, 1, -(apart * dilation // stride),
                    taps[0] if taps else 0, apart, first, stride)
