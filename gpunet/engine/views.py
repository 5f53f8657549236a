"""Which tensors are views of which, so that in-place operations keep every gradient right.

A tensor and its views share one list, `_version`: its first entry counts the in-place changes, the rest are weak
references to the views. A view's `_view` is (base, last step): the tensor whose memory it shares, and the view ops that
lead there, each step a triple (step before or None, op, attributes). When an in-place operation gives the base a new
history, `refresh` derives the views' histories from it.
"""

from __future__ import annotations

from weakref import ref

_PRUNE = 32  # dead references are dropped when the list has doubled since the last time, from this length on


def register(view, x, op, attrs) -> None:
    """Notes that `view` was made from `x` by a view op."""
    base, before = x._view or (x, None)
    view._view = base, (before, op, attrs)
    shared = x._version
    if shared is not None:
        shared.append(ref(view))
        length = len(shared)
        if length >= _PRUNE and length & (length - 1) == 0:
            shared[1:] = [r for r in shared[1:] if r() is not None]


def steps_of(view) -> list:
    """The view ops and their attributes that lead from the base to a view."""
    steps, step = [], view._view[1]
    while step is not None:
        step, op, attrs = step
        steps.append((op, attrs))
    return steps[::-1]


def replay(steps, tensor):
    """Applies a view's steps to another tensor."""
    for op, attrs in steps:
        tensor = op.call(tensor, **attrs)
    return tensor


def refresh(base) -> None:
    """Gives every living view of `base` the history that it would have if it were made now."""
    shared = base._version
    for v in [r() for r in shared[1:]]:
        if v is not None and v._view is not None and v._view[0] is base:
            fresh = replay(steps_of(v), base)
            v._node, v._requires_grad = fresh._node, fresh._requires_grad
    shared[1:] = [r for r in shared[1:] if r() is not None]
