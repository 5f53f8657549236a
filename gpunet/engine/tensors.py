"""The one place where a tensor is built around an array."""

from __future__ import annotations

from gpunet.engine.extensions import extensions

_new = object.__new__
_OWN = object()


def wrap(array, device, version=_OWN):
    """A tensor around an array: a leaf without history, with a version counter of its own or the one given."""
    t = _new(extensions.tensor)
    t._array = array
    t._device = device
    t._version = [0] if version is _OWN else version
    t._requires_grad = False
    t._node = t._view = t.grad = None
    return t


def is_tensor(x) -> bool:
    """Whether `x` is a gpunet tensor."""
    return isinstance(x, extensions.tensor)
