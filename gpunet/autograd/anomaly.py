"""Anomaly detection: which operation made the first NaN, in the forward pass or in a gradient, and where it was called.

While it is on, dispatch shows it the results of every call, and the graph its nodes (see `engine/extensions.py`).
"""

from __future__ import annotations

import math
import os
import threading
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

from gpunet.engine.extensions import extensions

if TYPE_CHECKING:
    from gpunet.engine.graph import Joint, Node
    from gpunet.tensor import Tensor

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_detect_anomaly"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_LINES = 8  # of the user's program, around a call

_calls: WeakKeyDictionary = WeakKeyDictionary()  # Node -> (lines of the user's program, modules around the call)


class _State:
    enabled = check_nan = check_inf = False
    differentiating = threading.local()  # .node: whose gradient is being computed, which is looked at when it is there


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on.

    Returns:
        True inside `detect_anomaly`, and after `set_detect_anomaly(True)`.

    Examples:
        >>> with gpunet.autograd.set_detect_anomaly(True):
        ...     gpunet.autograd.is_anomaly_enabled()
        True
    """
    return _State.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN.

    Returns:
        True while it is on with `check_nan=True`.

    Examples:
        >>> with gpunet.autograd.set_detect_anomaly(True, check_nan=False):
        ...     gpunet.autograd.is_anomaly_check_nan_enabled()
        False
    """
    return _State.enabled and _State.check_nan


class set_detect_anomaly:
    """Turns anomaly detection (see `detect_anomaly`) on or off for all threads: at once when called as a function, and
    until the end of a `with` block.

    Args:
        mode: Whether it is on.
        check_nan: Whether to look for NaN.
        check_inf: Whether to look for infinities as well, which PyTorch does not.

    Examples:
        >>> with gpunet.autograd.set_detect_anomaly(False):
        ...     gpunet.tensor([-1.0]).sqrt()
        tensor([nan])
    """

    def __init__(self, mode: bool, check_nan: bool = True, *, check_inf: bool = False) -> None:
        self._before = _State.enabled, _State.check_nan, _State.check_inf
        _set(bool(mode), check_nan, check_inf)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _set(*self._before)


class detect_anomaly:
    """Inside, RuntimeError says which operation made the first NaN: in the forward pass, or in a gradient; then also
    where it was called in the forward pass, and in which module, if that ran inside too. A context manager.

    For debugging: every result is looked at, on a GPU by waiting for it. Replays of recorded steps (gpunet.compile) are
    not seen. Differs from PyTorch's, which does not look at the forward pass, nor for infinities.

    Args:
        check_nan: Look for NaN. Without it, calls are noted, and errors of backward passes say where they come from.
        check_inf: Look for infinities as well, in results of finite values.

    Raises:
        RuntimeError: Inside, where an operation or a gradient has the first such value.

    Examples:
        >>> x = gpunet.tensor([0.0], requires_grad=True)
        >>> with gpunet.autograd.detect_anomaly():
        ...     try:
        ...         (x.sqrt() * 0).sum().backward()
        ...     except RuntimeError as error:
        ...         print("returned nan values" in str(error))
        True
    """

    def __init__(self, check_nan: bool = True, *, check_inf: bool = False) -> None:
        self._wanted = True, check_nan, check_inf
        self._before: list[tuple[bool, bool, bool]] = []

    def __enter__(self) -> Self:
        self._before.append((_State.enabled, _State.check_nan, _State.check_inf))
        _set(*self._wanted)
        return self

    def __exit__(self, *_: object) -> None:
        _set(*self._before.pop())


def _set(enabled: bool, check_nan: bool, check_inf: bool) -> None:
    _State.enabled, _State.check_nan, _State.check_inf = enabled, check_nan, check_inf
    extensions.set_watch(_Watch if enabled else None)


# ---- what is looked for --------------------------------------------------------------------------------------------


def _found(xp: Any, array: Any) -> str | None:
    """What is wrong with the values of an array; None if nothing is."""
    if getattr(array, "dtype", None) is None or array.dtype.kind not in "fV" or not array.size:
        return None
    if _State.check_nan and bool(xp.isnan(array).any()):
        return "nan"
    if _State.check_inf and bool(xp.isinf(array).any()):
        return "inf"
    return None


def _check(device: Any, op: Any, outs: Iterable[Any], arrays: Iterable[Any], attrs: dict[str, Any]) -> None:
    """Looks at the results of a call."""
    if not (_State.check_nan or _State.check_inf) or getattr(_State.differentiating, "node", None) is not None:
        return
    found = partial(device.call, _found, device.xp)
    for i, out in enumerate(outs):
        what = found(out)
        # What an operation was given is not its fault, as an array or as a number.
        if what and not any(map(found, arrays)) and all(map(_is_finite, (*arrays, *attrs.values()))):
            raise RuntimeError(f"{op.name}: returned {what} values in its {i}th output, of shape {tuple(out.shape)}, "
                               "from inputs without any (anomaly detection)")


def _is_finite(value: Any) -> bool:
    return value.__class__ is not float or math.isfinite(value)


# ---- the backward pass ---------------------------------------------------------------------------------------------


def _note(node: Node) -> None:
    """Remembers where the call of a new node was made."""
    frames = list(traceback.walk_stack(None))
    lines = [(frame, line) for frame, line in frames if not frame.f_code.co_filename.startswith(_PACKAGE)]
    modules = [frame.f_locals.get("self") for frame, _ in reversed(frames)
               if frame.f_code.co_name == "__call__" and hasattr(frame.f_locals.get("self"), "named_modules")]
    _calls[node] = traceback.StackSummary.extract(reversed(lines[:_LINES]), lookup_lines=False), modules


def _backward(node: Node, gradients: list[Any], joint: Joint | None) -> tuple[Any, ...]:
    """node.backward(gradients, joint), whose results are looked at when they are there."""
    results = _located(node, node.backward, gradients, joint)
    return tuple(_when_wanted(node, i, g) for i, g in enumerate(results))


def _when_wanted(node: Node, i: int, gradient: Any) -> Any:
    if gradient is None:
        return None
    if hasattr(gradient, "_array"):
        return _located(node, _checked, node, i, gradient)
    # A function, which is called if the gradient is wanted.
    return lambda: _located(node, lambda: _checked(node, i, gradient()))


def _located(node: Node, function: Callable[..., Any], *args: Any) -> Any:
    """function(*args), whose errors say where the call of the node was made."""
    outer = getattr(_State.differentiating, "node", None)
    _State.differentiating.node = node
    try:
        return function(*args)
    except Exception as error:
        if not hasattr(error, "_gpunet_call"):
            error.__dict__["_gpunet_call"] = True
            error.add_note(_where(node))
        raise
    finally:
        _State.differentiating.node = outer


def _checked(node: Node, i: int, gradient: Tensor) -> Tensor:
    device = gradient._device
    what = device.call(_found, device.xp, gradient._array)
    if what:
        raise RuntimeError(f"Function '{node.name()}' returned {what} values in its {i}th output: the gradient of "
                           f"input {i}, of shape {tuple(gradient.shape)}, in the backward pass")
    return gradient


def _where(node: Node) -> str:
    """Where the forward call of a node was made."""
    summary, modules = _calls.get(node, (None, None))
    if summary is None:
        return (f"{node.op.name} was called in the forward pass outside of detect_anomaly, so that nobody noted where; "
                "put the forward pass inside")
    text = f"{node.op.name} was called in the forward pass"
    if modules:
        inner, outer = modules[-1], modules[0]
        path = next((path for path, module in outer.named_modules() if module is inner), "")
        text += f" of {type(inner).__name__}" + (f", layer '{path}' of {type(outer).__name__}" if path else "")
    return f"{text}, here:\n{''.join(summary.format()).rstrip()}"


class _Watch:
    """What dispatch and the graph call while anomaly detection is on."""

    check, note, backward = staticmethod(_check), staticmethod(_note), staticmethod(_backward)
