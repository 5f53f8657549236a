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


def wrap_as(cls, array, device, version=None):
    """The same of a subclass of Tensor, whose __new__ and __init__ are not called."""
    t = _new(cls)
    t._array, t._device, t._version = array, device, [0] if version is None else version
    t._requires_grad = False
    t._node = t._view = t.grad = None
    return t


def is_tensor(x) -> bool:
    """Whether `x` is a gpunet tensor."""
    return isinstance(x, extensions.tensor)


def address(array) -> int:
    """Where the first element of an array is in its device's memory."""
    host = getattr(array, "ctypes", None)
    return array.data.ptr if host is None else host.data
