"""What convolution, pooling and unfolding share: windows that slide over the last dimensions of [N, C, spatial...].

Everything is done tap by tap. A tap is one place in the kernel; over all windows it meets a regular grid of the padded
input, which is a slice: no index arrays, and the same code for any number of spatial dimensions.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod

from gpunet.dtypes import INTS

Pads = tuple[tuple[int, int], ...]


def sizes_of(value, rank: int, op: str, what: str) -> tuple[int, ...]:
    """A number for each spatial dimension, from one number or a sequence of them."""
    if isinstance(value, INTS):
        return (int(value),) * rank
    sizes = tuple([int(n) for n in value])
    if len(sizes) == 1:
        return sizes * rank
    if len(sizes) != rank:
        raise RuntimeError(f"{op}: {what} must be one number or {rank}, got {tuple(value)}")
    return sizes


def check_not_empty(op: str, shape, batched: bool) -> None:
    """Of [N, C, spatial...], or [C, spatial...] if not batched, only the batch may have size 0."""
    if 0 in shape[batched:]:
        raise RuntimeError(f"{op}: only the batch may have size 0, got an input of shape {tuple(shape)}")


def with_batch(input, rank: int, op: str, channels="C"):
    """The input with its batch dimension, which may have been left out, and whether it was."""
    have = input._array.ndim
    if have == rank + 2:
        return input, False
    if have == rank + 1:
        return input.unsqueeze(0), True
    raise RuntimeError(f"{op}: {expected_input(rank, channels)}, got {input._array.shape}")


def expected_input(rank: int, channels) -> str:
    """How an input should look, in words."""
    spatial = {1: "L", 2: "H, W", 3: "D, H, W"}[rank]
    return f"expected an input of shape (N, {channels}, {spatial}) or ({channels}, {spatial})"


class Windows:
    """Where windows lie: `out` of them in each dimension of an input of `size`, padded in front and behind by `padding`
    (negative numbers crop), `stride` apart, of `kernel` taps that are `dilation` apart."""

    __slots__ = ("size", "kernel", "stride", "padding", "dilation", "out", "is_padded", "padded_size", "inner", "outer",
                 "taps", "count", "area", "numbers")

    def __init__(self, size, kernel, stride, padding, dilation, out):
        self.size, self.kernel, self.stride, self.padding, self.dilation = size, kernel, stride, padding, dilation
        self.out, self.count, self.area = out, prod(out), prod(kernel)
        self.is_padded = any([low or high for low, high in padding])
        self.padded_size = tuple([n + low + high for n, (low, high) in zip(size, padding, strict=True)])
        self.inner, self.outer = overlap(size, padding)  # where the input and its padded form coincide
        # For each tap the slices of the padded input that it meets, one element for each window.
        self.taps = [(..., *[slice(k * d, k * d + (o - 1) * s + 1, s)
                             for k, s, d, o in zip(place, stride, dilation, out, strict=True)])
                     for place in product(*map(range, kernel))]
        # What native kernels take (struct Windows), in 3 dimensions: those that are missing come first.
        front, low = 3 - len(size), [p for p, _ in padding]
        self.numbers = (*(1,) * front, *size, *(1,) * front, *kernel, *(1,) * front, *stride, *(0,) * front, *low,
                        *(1,) * front, *dilation, *(1,) * front, *out)

    def pad(self, xp, x, value=0):
        """An array [..., size] as [..., padded_size], by `value`."""
        if not self.is_padded:
            return x
        full = xp.full((*x.shape[: x.ndim - len(self.size)], *self.padded_size), value, x.dtype)
        full[(..., *self.outer)] = x[(..., *self.inner)]
        return full

    def crop(self, out, full):
        """The reverse: an array [..., padded_size] into `out` [..., size]; what no window reaches is 0."""
        if self.is_padded:
            out[...] = 0
        out[(..., *self.inner)] = full[(..., *self.outer)]


@lru_cache(maxsize=4096)
def windows(size: tuple, kernel: tuple, stride: tuple, padding: Pads, dilation: tuple, out: tuple | None = None):
    """The `Windows` of an input; `out` if it is not simply as many as fit. The same object for the same numbers."""
    fit = zip(size, kernel, stride, padding, dilation, strict=True)
    out = tuple([(n + sum(p) - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in fit]) if out is None else out
    return Windows(size, kernel, stride, padding, dilation, out)


def exact_padding(size, kernel, stride, low, dilation, out) -> Pads:
    """The padding, `low` in front, with which exactly `out` windows fit; behind it may be negative."""
    return tuple([(p, (o - 1) * s + d * (k - 1) + 1 - n - p)
                  for n, k, s, p, d, o in zip(size, kernel, stride, low, dilation, out, strict=True)])


def overlap(shape: tuple, pads: Pads) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where an array and its padded (or, with negative numbers, cropped) form coincide: slices of each."""
    inner, outer = [], []
    for n, (low, high) in zip(shape, pads, strict=True):
        start, stop = max(0, -low), n - max(0, -high)
        inner.append(slice(start, max(start, stop)))
        outer.append(slice(start + low, max(start, stop) + low))
    return tuple(inner), tuple(outer)
