"""x * factor + offset by channels, in one pass: batch normalisation by running statistics."""

from __future__ import annotations

from gpunet.dispatch import op
from gpunet.native import Native
from gpunet.native.halves import number
from gpunet.ops.arithmetic import add_op, mul_op


def by_channel(t, rank: int = 3):
    """[C] so that it broadcasts to [N, C, ...]; None stays None."""
    return None if t is None else t.reshape(1, -1, *[1] * (rank - 2))


@op(lambda x, factor, offset: (x.shape, x.dtype))
def channel_affine(xp, out, x, factor, offset):
    """x [N, C, size] * factor [C] + offset [C], all of one type."""
    xp.multiply(x, factor[:, None], out)
    xp.add(out, offset[:, None], out)


@op(lambda g, x: ((x.shape[1:2], x.dtype),) * 2, outputs=2, differentiable=False)
def channel_sums(xp, along, plain, g, x):
    """Sums of g * x and of g [N, C, size] over all but the channels."""
    xp.add.reduce(xp.add.reduce(g * x, 2), 0, None, along)
    xp.add.reduce(xp.add.reduce(g, 2), 0, None, plain)


@channel_affine.gradient
def _(g, _, x, factor, offset_meta):
    sums = []

    def both():
        if not sums:
            sums.extend(channel_sums(g, x))
        return sums

    return lambda: g * by_channel(factor), lambda: both()[0], lambda: both()[1]


@channel_affine.composition
def _(x, factor, offset):
    return x * by_channel(factor) + by_channel(offset)


_affine = Native("channel_norm.cpp", "channel_affine")
_sums = Native("channel_norm.cpp", "channel_sums")


@channel_affine.cpu(halves=(0, 1))
def _(out, x, factor, offset):
    _affine(out, x, factor, offset, *x.shape, number(x.dtype))


@channel_affine.kernel
def _(cuda, out, x, factor, offset):
    for operation, operand, vector in ((mul_op, x, factor), (add_op, out, offset)):
        if operation.op.launch(cuda, out, operand, vector.reshape(-1, 1)) is NotImplemented:
            return NotImplemented
    return None


@channel_sums.cpu
def _(along, plain, g, x):
    _sums(along, plain, g, x, *x.shape)
