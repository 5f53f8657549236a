"""Padding, with a number or with the tensor's own elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.ops.host import fitted
from gpunet.ops.pieces import narrow
from gpunet.ops.rules import accumulator
from gpunet.ops.windows import check_not_empty, overlap

if TYPE_CHECKING:
    from gpunet.dtypes import Number
    from gpunet.tensor import Tensor

__all__ = ["constant_pad_nd"]


def _sizes(shape, pads):
    return tuple([n + low + high for n, (low, high) in zip(shape, pads, strict=True)])


def _opposite(pads):
    return tuple([(-low, -high) for low, high in pads])


@op(lambda x, *, pads, value: (_sizes(x.shape, pads), x.dtype))
def pad_constant(xp, out, x, *, pads, value):
    """`pads`: for each dimension how much in front and behind; negative numbers crop."""
    inner, outer = overlap(x.shape, pads)
    out[...] = value
    out[(*outer, ...)] = x[(*inner, ...)]


@pad_constant.gradient
def _(g, _y, _x, *, pads, value):
    return (pad_constant(g, pads=_opposite(pads), value=0),)


def _borders(size: int, low: int, high: int, mode: str, dim: int):
    """The (border, source) slices of a padded dimension whose inside, of `size`, is in place."""
    def at(*bounds):
        return (slice(None),) * dim + (slice(*bounds),)

    end = low + size
    if mode == "replicate":
        yield at(0, low), at(low, low + 1)
        yield at(end, end + high), at(end - 1, end)
    elif mode == "reflect":
        # Counted from the edge outwards; a source that would begin at -1 begins at None.
        yield at(0, low), at(2 * low, low, -1)
        yield at(end, end + high), at(end - 2, end - 2 - high if end - 2 - high >= 0 else None, -1)
    else:  # circular
        yield at(0, low), at(size, end)
        yield at(end, end + high), at(low, low + high)


@op(lambda x, *, pads, mode: (_sizes(x.shape, pads), x.dtype))
def pad_edges(xp, out, x, *, pads, mode):
    """Borders that repeat the edge ("replicate"), mirror the inside ("reflect") or come from the other end
    ("circular")."""
    out[overlap(x.shape, pads)[1]] = x
    inside = list(overlap(x.shape, pads)[1])
    for dim, (low, high) in enumerate(pads):
        if low or high:
            whole = tuple(inside[:dim]) + (slice(None),) + tuple(inside[dim + 1 :])
            part = out[whole]
            for border, source in _borders(x.shape[dim], low, high, mode, dim):
                part[border] = part[source]
            inside[dim] = slice(None)


@pad_edges.gradient
def _(g, _y, _x, *, pads, mode):
    return (pad_edges_grad(g, pads=pads, mode=mode),)


@op(lambda g, *, pads, mode: (_sizes(g.shape, _opposite(pads)), g.dtype))
def pad_edges_grad(xp, out, g, *, pads, mode):
    """The gradients of the borders, added to where their elements came from."""
    for dim in reversed(range(g.ndim)):
        low, high = pads[dim]
        if not (low or high):
            continue
        size = g.shape[dim] - low - high
        kept = g[(slice(None),) * dim + (slice(low, low + size),)].astype(accumulator(g.dtype))
        for border, source in _borders(size, low, high, mode, dim):
            place = source[-1]
            step = place.step or 1
            moved = (slice(None),) * dim + (slice(place.start - low, None if place.stop is None or place.stop < low
                                                  else place.stop - low, step),)
            piece = g[border]
            if piece.size:
                kept[moved] += xp.sum(piece, axis=dim, keepdims=True) if mode == "replicate" else piece
        g = kept
    out[...] = g


@pad_edges_grad.gradient
def _(v, _y, _g, *, pads, mode):
    return (pad_edges(v, pads=pads, mode=mode),)


_MODES = ("constant", "reflect", "replicate", "circular")


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """A tensor with its last dimensions enlarged in front and behind.

    Args:
        input: tensor of any type. For modes other than "constant", of shape (N, C, size...) or (C, size...), of which
            one to three of the last dimensions are padded.
        pad: how many elements to add in front of and behind the last dimension, then the last but one, and so on;
            negative numbers crop.
        mode: the new elements: "constant", a number; "reflect", the inside mirrored at the edge, without the edge;
            "replicate", the edge; "circular", the elements of the other end.
        value: the number of mode "constant". None: 0.

    Returns:
        Tensor of input's type.

    Raises:
        NotImplementedError: the mode is unknown, or does not take such a shape.
        RuntimeError: pad has an odd number of elements or too many, or adds more than the mode can.
        ValueError: a value is given for another mode than "constant".

    Example:
        >>> gpunet.nn.functional.pad(gpunet.tensor([1, 2]), (1, 2))
        tensor([0, 1, 2, 0, 0])
    """
    rank, shape = input._array.ndim, input._array.shape
    pad = [int(n) for n in pad]
    if len(pad) % 2 or len(pad) > 2 * rank:
        raise RuntimeError(f"pad: expected two numbers for each of at most {rank} dimensions, got {pad}")
    if mode not in _MODES:
        raise NotImplementedError(f"pad: mode must be one of {', '.join(_MODES)}, got {mode!r}")
    count = len(pad) // 2
    pads = ((0, 0),) * (rank - count) + tuple([(pad[2 * i], pad[2 * i + 1]) for i in reversed(range(count))])
    if mode == "constant":
        _check_sizes(shape, pads)
        return pad_constant(input, pads=pads, value=0 if value is None else fitted(value, input._array.dtype))
    if value not in (None, 0):
        raise ValueError(f"pad: mode {mode!r} takes no value, got {value}")
    if not 1 <= count <= 3 or rank not in (count + 1, count + 2):
        raise NotImplementedError(f"pad: mode {mode!r} pads the last 1, 2 or 3 dimensions of (N, C, size...) or "
                                  f"(C, size...), got {pad} for shape {shape}")
    if mode != "circular":
        check_not_empty("pad", shape, rank == count + 2)
    for dim in range(rank - count, rank):
        n, (low, high) = shape[dim], pads[dim]
        most = {"reflect": n - 1, "circular": n + min(low, 0) + min(high, 0), "replicate": max(low, high)}[mode]
        if max(low, high) > most or (n == 0 and (low or high)):
            raise RuntimeError(f"pad: mode {mode!r} can add at most {most} elements to dimension {dim} of {shape}, "
                               f"got {pad}")
    _check_sizes(shape, pads)
    larger = tuple([(max(low, 0), max(high, 0)) for low, high in pads])
    if larger == pads:
        return pad_edges(input, pads=pads, mode=mode)
    smaller = tuple([(min(low, 0), min(high, 0)) for low, high in pads])
    if mode == "circular":  # what is left goes round
        return pad_edges(_cropped(input, smaller), pads=larger, mode=mode)
    return _cropped(pad_edges(input, pads=larger, mode=mode), smaller)


def _cropped(x, pads):
    for dim, (low, high) in enumerate(pads):
        x = narrow(x, dim, -low, x._array.shape[dim] + low + high) if low or high else x
    return x


def _check_sizes(shape, pads):
    if min(_sizes(shape, pads), default=0) < 0:
        raise RuntimeError(f"pad: cropping {pads} leaves nothing of shape {shape}")


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: Number = 0) -> Tensor:
    """A tensor with its last dimensions enlarged in front and behind by a number: `nn.functional.pad`.

    Args:
        input: tensor of any type.
        pad: how many elements to add in front of and behind the last dimension, then the last but one, and so on;
            negative numbers crop.
        value: the number.

    Returns:
        Tensor of input's type.

    Raises:
        RuntimeError: pad has an odd number of elements or too many, or crops more than there is.

    Example:
        >>> gpunet.constant_pad_nd(gpunet.tensor([1, 2]), (1, 0), 7)
        tensor([7, 1, 2])
    """
    return _pad(input, pad, value=value)


_pad = pad  # the function, where an argument has its name
