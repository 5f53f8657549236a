"""Which calls of a recording see what a call writes, and whether anything outside of it does."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

__all__ = ["Uses"]


class Uses:
    """Where the arrays of recorded calls are referred to.

    Args:
        calls: (op, outs, arrays, attrs). What refers to their arrays beside them is outside of the recording.
    """

    def __init__(self, calls: Sequence[tuple]) -> None:
        self._calls: dict[int, list[int]] = {}  # id of an array -> ids of the calls, as often as they refer to it
        for call in calls:
            for each in call[1:3]:
                for place in range(len(each)):
                    self._calls.setdefault(id(each[place]), []).append(id(call))
        # The first results, by id, that nothing but the calls refers to: no tensor, and no view. (Views hold the array;
        # those of the simulator hold the array of NumPy inside.)
        self._hidden = {id(call[1][0]) for call in calls if call[1] and sys.getrefcount(call[1][0]) == (
            _ALONE + len(self._calls[id(call[1][0])])) and (
                not hasattr(call[1][0], "_host") or sys.getrefcount(call[1][0]._host) == _HOST_ALONE)}

    def only_in(self, call: tuple, calls: Collection[int]) -> bool:
        """Whether the first result of a call is seen by none but some calls.

        Args:
            call: the call.
            calls: the ids of the others.
        """
        number = id(call[1][0])
        return number in self._hidden and all([each in calls for each in self._calls[number]])


class _Probe:
    def __init__(self) -> None:
        self._host = object()


def _alone(call: tuple) -> tuple[int, int]:
    """What sys.getrefcount says, by the same expressions, of what nothing refers to, and of what one array holds."""
    return sys.getrefcount(call[1][0]) - 1, sys.getrefcount(call[1][0]._host)


_ALONE, _HOST_ALONE = _alone((None, (_Probe(),)))
