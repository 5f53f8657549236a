"""Memory that several processes share: `Tensor.share_memory_`.

The elements move into an anonymous file in memory, which has no name and ends with the last process that holds it.
Processes that are forked later have it. Sending such a tensor to a process that was started otherwise sends the file's
descriptor.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import dtypes
from gpunet._channels_last import as_rows, from_rows, lies_last

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def _reduction() -> Any:
    from multiprocessing import reduction  # takes 15 ms

    return reduction


class _Memory(mmap.mmap):
    """An anonymous file's bytes; its descriptor stays open as long as they are in use."""

    descriptor: int

    def __del__(self) -> None:
        os.close(self.descriptor)


def _mapped(descriptor: int, size: int) -> _Memory:
    memory = _Memory(descriptor, max(size, 1))
    memory.descriptor = descriptor
    return memory


def _memory_of(array: Any) -> _Memory | None:
    """The shared memory in which an array lies, or None."""
    base = array
    while base is not None and not isinstance(base, _Memory):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base


def is_shared(self: Tensor) -> bool:
    """Whether `share_memory_` has moved the elements into memory that processes share."""
    return self._device.type == "cpu" and _memory_of(self._array) is not None


def share_memory_(self: Tensor) -> Tensor:
    """Moves the elements into memory that processes share: those that are forked later, and those to which
    `gpunet.multiprocessing` sends the tensor, see every change.

    Views that were made before keep the old memory.

    Raises:
        RuntimeError: the tensor is not on the CPU.
    """
    if self._device.type != "cpu":
        raise RuntimeError(f"share_memory_: only tensors on the CPU can be shared, this one is on {self.device}; share "
                           "a copy, tensor.cpu()")
    if not is_shared(self):
        last = lies_last(self._array)
        old = np.ascontiguousarray(as_rows(self._array) if last else self._array)
        descriptor = os.memfd_create("gpunet")
        os.ftruncate(descriptor, max(old.nbytes, 1))
        new = np.frombuffer(_mapped(descriptor, old.nbytes), old.dtype, old.size).reshape(old.shape)
        new[...] = old
        self._array = from_rows(new) if last else new
    _reduction().ForkingPickler.register(type(self), _sent)
    return self


def _sent(tensor: Tensor) -> Any:
    """How multiprocessing pickles a tensor: a shared one by its descriptor, others by value."""
    memory = _memory_of(tensor._array)
    if memory is None or len(memory) != max(tensor._array.nbytes, 1) or not tensor._array.flags.c_contiguous:
        return tensor.__reduce_ex__(4)
    descriptor = _reduction().DupFd(memory.descriptor)
    return _received, (type(tensor), descriptor, tuple(tensor.shape), tensor.dtype.name, tensor._requires_grad)


def _received(cls: type[Tensor], descriptor: Any, shape: tuple[int, ...], dtype: str, requires_grad: bool) -> Tensor:
    from gpunet import devices
    from gpunet.engine.tensors import wrap_as

    kind, count = dtypes._BY_NAME[dtype].numpy, int(np.prod(shape))
    memory = _mapped(descriptor.detach(), count * kind.itemsize)
    tensor = wrap_as(cls, np.frombuffer(memory, kind, count).reshape(shape), devices.cpu)
    tensor._requires_grad = requires_grad
    _reduction().ForkingPickler.register(cls, _sent)
    return tensor


METHODS = {f.__name__: f for f in (is_shared, share_memory_)}
