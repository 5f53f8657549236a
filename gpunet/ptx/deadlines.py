"""Moments at which something is to happen if nobody has called it off: one host thread for all of them.

To start a thread for each would take longer than a small launch. This one sleeps until the earliest moment; to add a
later one, or to call one off, wakes nobody.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from time import monotonic

_changed = threading.Condition()
_due: dict[object, tuple[float, Callable[[], None]]] = {}
_wakes: float | None = None  # when the thread does; None: there is none


def begin(seconds: float, act: Callable[[], None]) -> object:
    """Calls `act` after so many seconds, unless `call_off` gets what this gives before."""
    global _wakes
    key, moment = object(), monotonic() + min(seconds, threading.TIMEOUT_MAX / 2)
    with _changed:
        _due[key] = moment, act
        if _wakes is None:
            _wakes = moment
            threading.Thread(target=_wait, name="gpunet-deadlines", daemon=True).start()
        elif moment < _wakes:
            _wakes = moment
            _changed.notify()
    return key


def call_off(key: object) -> None:
    """Does nothing where the moment has come. When this returns, its act does not run, now or later."""
    with _changed:
        _due.pop(key, None)


def _wait() -> None:
    global _wakes
    while True:
        with _changed:
            now = monotonic()
            over = [key for key, (moment, _) in _due.items() if moment <= now]
            for act in [_due.pop(key)[1] for key in over]:
                act()
            _wakes = min((moment for moment, _ in _due.values()), default=math.inf)
            _changed.wait(min(_wakes - now, threading.TIMEOUT_MAX))


def _after_fork() -> None:
    """The child has no such thread."""
    global _changed, _wakes
    _changed, _wakes = threading.Condition(), None
    _due.clear()


os.register_at_fork(after_in_child=_after_fork)
