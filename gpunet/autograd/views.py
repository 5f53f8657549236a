"""Which tensors are views of which, so that in-place operations keep every gradient right.

A tensor and its views share one list, `_version`: its first entry counts the in-place changes, the rest are weak
references to the views. A view's `_view` is (base, steps): the tensor whose memory it shares, and the view ops that
lead there. When an in-place operation gives the base a new history, `refresh` derives the views' histories from it.
"""

from __future__ import annotations

from weakref import ref

_PRUNE = 32  # dead references are dropped when the list has doubled since the last time, from this length on


def register(view, x, op, attrs) -> None:
    """Notes that `view` was made from `x` by a view op."""
    base, steps = x._view or (x, ())
    view._view = base, (*steps, (op, attrs))
    shared = x._version
    if shared is not None:
        shared.append(ref(view))
        length = len(shared)
        if length >= _PRUNE and length & (length - 1) == 0:
            shared[1:] = [r for r in shared[1:] if r() is not None]


def replay(steps, tensor):
    """Applies a view's steps to another tensor."""
    for op, attrs in steps:
        tensor = op(tensor, **attrs)
    return tensor


def refresh(base) -> None:
    """Gives every living view of `base` the history that it would have if it were made now."""
    shared = base._version
    views = [v for v in (r() for r in shared[1:]) if v is not None and v._view is not None and v._view[0] is base]
    for v in views:
        fresh = replay(v._view[1], base)
        v._node, v._requires_grad = fresh._node, fresh._requires_grad
    shared[1:] = [ref(v) for v in views]
