"""Norms and their gradients in a recording, each as one call with the element-wise call before it.

The sum of a residual connection is what a layer norm reads, and a ReLU's gradient is what the gradient of a batch norm
reads. An op that `begins` with such a function does it while it reads, with the bits of the separate calls; the result
is written once where somebody else sees it, too, and else never.

The joined call stands where the op stood: nothing between the two touches that result, or writes what it is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet._channels_last import order_of
from gpunet.devices.joined import _WINDOW, _extent, _is_array, _is_like, _meet
from gpunet.devices.uses import Uses

__all__ = ["Preceded", "preceded"]


class Preceded:
    """An op's call and the one before it, which devices run as they run an op.

    Args:
        calls: the two, (op, outs, arrays, attrs), as recorded.
        launch: of both; see `Op.begins`.
        is_seen: whether others see the first one's result.
    """

    by_element = False

    def __init__(self, calls: list[tuple], launch: Any, is_seen: bool) -> None:
        (before, (between,), (x, self.other), _), (self.op, outs, arrays, self.attrs) = calls
        self.name, self.calls, self.strided = f"{before.name} + {self.op.name}", calls, self.op.strided
        self.outs, self.arrays, self.both = tuple(outs), (x, *arrays[1:]), launch
        self.kept = between if is_seen else None

    def takes_channels_last(self, cuda: Any, *arrays: Any) -> bool:
        """As the op does."""
        return self.op.takes_channels_last is not None and self.op.takes_channels_last(cuda, *arrays, **self.attrs)

    def launch(self, cuda: Any, *arrays: Any) -> None:
        """Launches the kernel, or those of the single calls where the op has none for its arrays."""
        outs, arrays = arrays[: len(self.outs)], arrays[len(self.outs) :]
        if self.both(cuda, outs, arrays, self.attrs, self.other, self.kept) is NotImplemented:
            for call in self.calls:
                cuda.run(*call)

    def body(self, xp: Any, *_: Any) -> None:
        """The calls one by one."""
        for op, outs, arrays, attrs in self.calls:
            op.body(xp, *outs, *arrays, **attrs)


def preceded(calls: Sequence[tuple], uses: Uses) -> list[tuple]:
    """Recorded calls, with each such pair as one call.

    Args:
        calls: (op, outs, arrays, attrs), in their order.
        uses: of the recording's calls.

    Returns:
        The calls; a pair's op is a `Preceded`.
    """
    result: list[tuple | None] = list(calls)
    for k, call in enumerate(calls):
        beginnings = getattr(call[0], "beginnings", None)
        i = _before(calls, k) if beginnings else None
        if not beginnings or i is None or result[i] is not calls[i] or calls[i][0].pointwise not in beginnings:
            continue
        serves, launch = beginnings[calls[i][0].pointwise]
        if serves(*call[2], **call[3]):
            pair = Preceded([calls[i], call], launch, not uses.only_in(calls[i], {id(calls[i]), id(call)}))
            result[k], result[i] = (pair, pair.outs, pair.arrays, {}), None
    return [call for call in result if call is not None]


def _before(calls: Sequence[tuple], k: int) -> int | None:
    """Where the element-wise call stands whose result is the first array of call `k`, if it can be done with that."""
    value, outs = calls[k][2][0], calls[k][1]
    own, written = _extent(value), []
    for i in range(k - 1, max(-1, k - 1 - _WINDOW), -1):
        op, results, arrays, attrs = calls[i]
        if any([_is_array(x) or isinstance(x, (list, tuple)) and any(map(_is_array, x)) for x in attrs.values()]):
            return None
        if len(results) == 1 and results[0] is value:
            if getattr(op, "pointwise", None) is None or attrs or len(arrays) != 2 or not order_of(value):
                return None
            # What the pair reads must not be written before it is read: in between, or by the op.
            written += [_extent(x) for x in (value, *outs)]
            alike = value.size and all([_is_array(x) and _is_like(x, value) for x in arrays])
            return i if alike and not any([_meet(_extent(x), each) for x in arrays for each in written]) else None
        extents = [_extent(x) for x in results]
        if any([_meet(own, each) for each in (*extents, *[_extent(x) for x in arrays if _is_array(x)])]):
            return None
        written += extents
    return None
