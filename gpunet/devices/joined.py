"""Products, convolutions and norms of a recording, each as one call with the element-wise calls that follow it.

In a recording a linear layer, a product, a convolution or a norm (an op that has `with_epilogue`) is followed by the
sum of its result with a residual, by an activation, a convolution in evaluation by a batch norm. Their kernels do that
before they store a result, with the bits of the separate calls (kernels/epilogue.cuh, kernels/norm.cuh). So the result
itself need not be written, unless it is seen: by another call, as by the activation's gradient, or by what is outside
of the recording. Of a product it is then written beside the other one; with others nothing is joined.

The joined call stands where the last of its calls stood: nothing between them touches what the first one writes, or
writes what it reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gpunet._channels_last import order_of
from gpunet.devices.uses import Uses
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES

__all__ = ["Epilogue", "Joined", "joined"]

_ACTIVATIONS = frozenset("Relu Gelu GeluTanh Silu".split())  # functions of pointwise.cuh
_WINDOW = 64  # calls after the first one that are looked at


class Epilogue(NamedTuple):
    """What follows an op, in this order, each None if it is not there; see `Op.finishes`.

    norm: mean, variance, scale and shift of a batch norm by running statistics; eps: its eps. onto: what is added.
    activation: the name of a function of pointwise.cuh. kept: an array that receives what that is applied to.
    """

    norm: Any = None
    eps: float = 0.0
    onto: Any = None
    activation: str | None = None
    kept: Any = None


class Joined:
    """A call and those that follow it, which devices run as they run an op.

    Args:
        calls: (op, outs, arrays, attrs), as recorded.
        epilogue: what those after the first one do.
    """

    by_element = False

    def __init__(self, calls: list[tuple], epilogue: Epilogue) -> None:
        self.first, _, self.arrays, self.attrs = calls[0]
        self.name = " + ".join([op.name for op, *_ in calls])
        self.calls, self.strided, self.epilogue = calls, self.first.strided, epilogue
        self.outs = calls[-1][1][0], *calls[0][1][1:]

    def takes_channels_last(self, cuda: Any, *arrays: Any) -> bool:
        """As the first op does."""
        return self.first.takes_channels_last is not None and self.first.takes_channels_last(cuda, *arrays,
                                                                                            **self.attrs)

    def launch(self, cuda: Any, out: Any, *arrays: Any) -> None:
        """Launches the kernel, or those of the single calls where the first has none for its arrays."""
        more = len(self.outs) - 1  # outputs of the first one
        if self.first.with_epilogue(cuda, out, arrays[more:], self.attrs, self.epilogue, *arrays[:more]
                                    ) is NotImplemented:
            for call in self.calls:
                cuda.run(*call)

    def body(self, xp: Any, *_: Any) -> None:
        """The calls one by one."""
        for op, outs, arrays, attrs in self.calls:
            op.body(xp, *outs, *arrays, **attrs)


def joined(calls: Sequence[tuple], uses: Uses) -> list[tuple]:
    """Recorded calls, with each such group as one call.

    Args:
        calls: (op, outs, arrays, attrs), in their order.
        uses: of these calls.

    Returns:
        The calls; a group's op is a `Joined`.
    """
    result: list[tuple | None] = list(calls)
    for i, call in enumerate(calls):
        if result[i] is call and getattr(call[0], "with_epilogue", None) is not None and _is_plain(call):
            last, group = _group(calls, result, uses, i)
            if group is not None:
                result[last] = group, group.outs, group.arrays, {}
    return [call for call in result if call is not None]


def _group(calls: Sequence[tuple], result: list[tuple | None], uses: Uses, i: int) -> tuple[int, Joined | None]:
    """The group that call `i` begins, and the place of its last call; the others are taken out of `result`."""
    first, members, epilogue = calls[i][0], [i], Epilogue()
    reads = [_extent(x) for x in calls[i][2] if _is_array(x)]
    more = [_extent(x) for x in calls[i][1][1:]]  # further results, which are written later than without the group
    while epilogue.activation is None:
        k = _next(calls, members[-1], reads, more)
        if k is None or result[k] is not calls[k]:
            break
        longer = _with(epilogue, calls[members[-1]][1][0], calls[k], first)
        written = _extent(calls[k][1][0])
        if longer is None or any([_meet(written, each) for each in reads]):  # it would be read while it is written
            break
        last = calls[members[-1]]
        overwritten = calls[k][1][0] is last[1][0]
        if not overwritten and not uses.only_in(last, {id(calls[each]) for each in (*members, k)}):
            if longer.activation is None or not first.keeps:
                break
            longer = longer._replace(kept=last[1][0])
        epilogue = longer
        members.append(k)
        reads += [_extent(x) for x in calls[k][2] if _is_array(x) and x is not calls[members[-2]][1][0]]
    if len(members) == 1:
        return i, None
    for member in members[:-1]:
        result[member] = None
    return members[-1], Joined([calls[member] for member in members], epilogue)


def _next(calls: Sequence[tuple], i: int, reads: list[tuple[int, int]], more: list[tuple[int, int]]) -> int | None:
    """The first call after `i` that touches its result, if until then nothing writes what the group reads, or touches
    what else it writes."""
    own = _extent(calls[i][1][0])
    for k in range(i + 1, min(i + 1 + _WINDOW, len(calls))):
        _, outs, arrays, attrs = calls[k]
        if any([_is_array(x) or isinstance(x, (list, tuple)) and any(map(_is_array, x)) for x in attrs.values()]):
            return None
        written = [_extent(x) for x in outs]
        touched = [*written, *[_extent(x) for x in arrays if _is_array(x)]]
        if any([_meet(one, each) for one in more for each in touched]):
            return None
        if any([_meet(own, each) for each in touched]):
            return k
        if any([_meet(one, each) for one in reads for each in written]):
            return None
    return None


def _with(epilogue: Epilogue, value: Any, call: tuple, first: Any) -> Epilogue | None:
    """The epilogue of `first` with a call after it; None if that does not fit. value: what it has computed so far."""
    op, outs, arrays, attrs = call
    if len(outs) != 1 or not _is_like(outs[0], value):
        return None
    if (op.is_norm and first.norms and arrays[0] is value and epilogue.norm is epilogue.onto is None
            and (arrays[1].dtype == value.dtype or value.dtype in HALF_TYPES and arrays[1].dtype == FLOAT32_NP)):
        return epilogue._replace(norm=arrays[1:], eps=attrs["eps"])
    if attrs:
        return None
    functions = _ACTIVATIONS if first.activations is None else first.activations
    if op.pointwise in functions and arrays[0] is value:
        if value.dtype.itemsize == 8 and op.pointwise != "Relu":  # of double, kernels have ReLU alone
            return None
        return epilogue._replace(activation=op.pointwise)
    if op.pointwise == "Plus" and epilogue.onto is None and (arrays[0] is value) != (arrays[1] is value):
        other = arrays[1] if arrays[0] is value else arrays[0]
        # A residual that the sum overwrites would be read after it is written.
        if _is_array(other) and _is_like(other, value) and not any(
                [_meet(_extent(other), _extent(each)) for each in (value, outs[0])]):
            return epilogue._replace(onto=other)
    return None


def _is_array(x: Any) -> bool:
    return hasattr(x, "dtype") and hasattr(x, "strides")


def _is_plain(call: tuple) -> bool:
    """Whether the result is dense, in an order that the kernel knows, and of a floating-point type."""
    op, (x, *_), *_ = call
    orders = ("rows",) if op.takes_channels_last is None else ("rows", "channels last")
    return bool(x.size) and order_of(x) in orders and x.dtype.kind in "fV" and x.dtype.itemsize in (2, 4, 8)


def _is_like(x: Any, other: Any) -> bool:
    return x.shape == other.shape and x.dtype == other.dtype and order_of(x) == order_of(other)


def _extent(x: Any) -> tuple[int, int]:
    """Where an array's memory begins and ends."""
    begin = end = x.data.ptr
    if not x.size:
        return begin, begin
    for size, step in zip(x.shape, x.strides, strict=True):
        begin, end = begin + min(0, (size - 1) * step), end + max(0, (size - 1) * step)
    return begin, end + x.itemsize


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
