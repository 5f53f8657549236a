"""What PyTorch's programs ask of a tensor's memory and kind: methods and attributes of Tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import devices
from gpunet._channels_last import as_rows, from_rows, lies_last
from gpunet._layouts import format_of, in_channels_last, preserve_format, strided
from gpunet._layouts import layout as Layout
from gpunet.dispatch import is_tensor, wrap
from gpunet.engine.tensors import address
from gpunet.ops import creation
from gpunet.ops.creation import sizes_of
from gpunet.ops.views import memory_of
from gpunet.size import Size

if TYPE_CHECKING:
    from gpunet._layouts import memory_format as MemoryFormat
    from gpunet.tensor import Tensor

__all__ = ["is_complex", "is_storage"]


# ---- memory


class UntypedStorage:
    """The memory in which a tensor's elements lie. Views of one tensor lie in the same memory.

    Args:
        tensor: the tensor.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._array, self.device = memory_of(tensor._array), tensor.device

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return address(self._array)

    def nbytes(self) -> int:
        """The bytes."""
        return int(self._array.nbytes)

    size = __len__ = nbytes

    def element_size(self) -> int:
        """The bytes of an element, a byte: 1."""
        return 1

    @property
    def is_cuda(self) -> bool:
        """Whether a GPU holds it."""
        return self.device.type == "cuda"

    def __repr__(self) -> str:
        return f"<memory of {self.nbytes()} bytes on {self.device}>"


class TypedStorage(UntypedStorage):
    """The same in elements: its length and `size()` count these.

    Args:
        tensor: the tensor.
    """

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor)
        self.dtype = tensor.dtype

    def size(self) -> int:
        """The number of elements."""
        return self.nbytes() // self.dtype.itemsize

    __len__ = size

    def element_size(self) -> int:
        """The bytes of an element."""
        return self.dtype.itemsize

    def untyped(self) -> UntypedStorage:
        """The same in bytes."""
        other = UntypedStorage.__new__(UntypedStorage)
        other._array, other.device = self._array, self.device
        return other


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory in which the elements lie, in bytes.

    Returns:
        The memory: `data_ptr()`, `nbytes()`, `size()`.

    Example:
        >>> gpunet.ones(3).untyped_storage().nbytes()
        12
    """
    return UntypedStorage(self)


def storage(self: Tensor) -> TypedStorage:
    """The memory in which the elements lie, in elements.

    Returns:
        The memory: `data_ptr()`, `nbytes()`, and `size()` in elements.

    Example:
        >>> gpunet.ones(3).storage().size()
        3
    """
    return TypedStorage(self)


def storage_offset(self: Tensor) -> int:
    """The place of the first element in the memory, in elements.

    Returns:
        An int; 0 if the tensor is no view.

    Example:
        >>> gpunet.ones(4)[2:].storage_offset()
        2
    """
    return (self.data_ptr() - UntypedStorage(self).data_ptr()) // self._array.dtype.itemsize


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """The tensor itself: the host's memory is never page-locked.

    Args:
        device: accepted as in PyTorch.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: the tensor is not on the CPU.

    Example:
        >>> gpunet.ones(2).pin_memory()
        tensor([1., 1.])
    """
    if self._device.type != "cpu":
        raise RuntimeError(f"pin_memory: only tensors on the CPU can be pinned, this one is on {self.device}")
    return self


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether the host's memory is page-locked: False.

    Args:
        device: accepted as in PyTorch.

    Returns:
        False.

    Example:
        >>> gpunet.ones(2).is_pinned()
        False
    """
    return False


def record_stream(self: Tensor, stream: Any) -> None:
    """Accepted as in PyTorch; CuPy's pool keeps memory in the queue that freed it.

    Args:
        stream: a `gpunet.cuda.Stream`.

    Returns:
        None.

    Example:
        >>> gpunet.ones(2).record_stream(None)
    """


def resize_(self: Tensor, *sizes: int | Sequence[int], memory_format: MemoryFormat | None = None) -> Tensor:
    """Changes the shape. The elements stay in their order in memory; new ones have no particular value.

    Args:
        sizes: the shape, size by size or as one sequence.
        memory_format: how the elements are taken from then on: `gpunet.contiguous_format`, `gpunet.channels_last` or
            `gpunet.channels_last_3d`. None: in row-major order, unless the shape is what it was.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: the tensor requires gradients, or is a view whose memory would have to grow.

    Example:
        >>> gpunet.arange(6).resize_(2, 2)
        tensor([[0, 1],
                [2, 3]])
    """
    if self._requires_grad:
        raise RuntimeError("resize_: a tensor that requires gradients cannot be resized; use reshape, or make another")
    shape = sizes_of("resize_", sizes, None)
    if memory_format is preserve_format:
        raise RuntimeError("resize_: unsupported memory format preserve_format; give the one that is to be")
    if memory_format is None and shape == self._array.shape:
        return self
    last = in_channels_last("resize_", memory_format, len(shape), False)
    lying = (shape[0], *shape[2:], shape[1]) if last else shape
    array = _resized(self, lying)
    self._array = from_rows(array) if last else array
    return self


def _resized(self: Tensor, shape: tuple[int, ...]) -> Any:
    """The elements, in their order in memory, as an array of another shape."""
    size, old = math.prod(shape), (as_rows(self._array) if lies_last(self._array) else self._array).reshape(-1)
    if size <= old.size:
        return old[:size].reshape(shape)
    if self._view is not None:
        raise RuntimeError("resize_: the memory of a view cannot grow; clone() it first")
    array = self._device.empty((size,), old.dtype)
    array[: old.size] = old
    return array.reshape(shape)


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
    """Changes the shape to that of another tensor, as `resize_` does.

    Args:
        the_template: the other tensor.
        memory_format: as of `resize_`, or `gpunet.preserve_format`: the template's.

    Returns:
        The tensor itself.

    Example:
        >>> gpunet.arange(6).resize_as_(gpunet.ones(3))
        tensor([0, 1, 2])
    """
    given = format_of(the_template._array) if memory_format is preserve_format else memory_format
    return resize_(self, the_template._array.shape, memory_format=given)


# ---- values


def new(self: Tensor, *data: Any) -> Tensor:
    """A tensor of this one's type and device. Prefer `new_tensor(values)` and `new_empty(sizes)`.

    Args:
        data: values in a sequence; or the sizes, number by number or as a Size.

    Returns:
        Tensor of this one's type, on its device.

    Example:
        >>> gpunet.ones(2).new([1, 2])
        tensor([1., 2.])
    """
    if len(data) != 1 or isinstance(data[0], (int, Size)):
        return creation.empty(*(data or (0,)), dtype=self.dtype, device=self._device.name)
    return creation.tensor(data[0], dtype=self.dtype, device=self._device.name)


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replaces each element by what a Python function makes of it. Slow: for tensors on the CPU, outside of models.

    Args:
        callable: a function of a number that returns a number.

    Returns:
        The tensor itself.

    Raises:
        TypeError: the tensor is not on the CPU.
        RuntimeError: the tensor requires gradients.

    Example:
        >>> gpunet.tensor([1.0, 2.0]).apply_(lambda x: x + 1)
        tensor([2., 3.])
    """
    return _replace(self, "apply_", callable)


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replaces each element by what a Python function makes of it and another tensor's element. Slow, as `apply_` is.

    Args:
        tensor: the other tensor, which broadcasts to this one's shape.
        callable: a function of two numbers that returns a number.

    Returns:
        The tensor itself.

    Raises:
        TypeError: a tensor is not on the CPU.
        RuntimeError: the tensor requires gradients.

    Example:
        >>> gpunet.tensor([1.0, 2.0]).map_(gpunet.tensor([3.0, 5.0]), max)
        tensor([3., 5.])
    """
    return _replace(self, "map_", callable, tensor)


def _replace(self: Tensor, name: str, function: Callable[..., Any], *others: Tensor) -> Tensor:
    for tensor in (self, *others):
        if tensor._device.type != "cpu":
            raise TypeError(f"{name}: only for tensors on the CPU, got one on {tensor.device}")
        if tensor._requires_grad:
            raise RuntimeError(f"{name}: the tensor requires gradients, which Python functions do not have; use "
                               "detach()")
    columns = [np.broadcast_to(x._array, self._array.shape).reshape(-1).tolist() for x in (self, *others)]
    values = np.array([function(*row) for row in zip(*columns, strict=True)], self._array.dtype)
    return self.copy_(wrap(values.reshape(self._array.shape), devices.cpu))


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether another tensor has the same shape.

    Args:
        other: the other tensor.

    Returns:
        True or False.

    Example:
        >>> gpunet.ones(2).is_same_size(gpunet.zeros(2))
        True
    """
    return self._array.shape == other._array.shape


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether another tensor lies at the same place in memory, in the same shape.

    Args:
        tensor: the other tensor.

    Returns:
        True or False.

    Example:
        >>> x = gpunet.ones(2)
        >>> x.is_set_to(x)
        True
    """
    return (self.data_ptr(), self._array.shape, self._array.strides) == (
        tensor.data_ptr(), tensor._array.shape, tensor._array.strides)


# ---- what gpunet's tensors never are


_SHOWN = """Returns:
    {what}.

Example:
    >>> gpunet.ones(1).{name}()
    {shown}
"""
_ONE = "tensor([1.])"


def _never(name: str, what: str) -> Callable[[Tensor], bool]:
    def method(self: Tensor) -> bool:
        return False

    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    method.__doc__ = f"{what}: False.\n\n{_SHOWN.format(what='False', name=name, shown='False')}"
    return method


def _is_never(what: str) -> Callable[[Tensor], bool]:
    def attribute(self: Tensor) -> bool:
        return False

    attribute.__doc__ = f"Whether it is {what}: False."
    return attribute


def _itself(name: str, what: str) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        return self

    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    method.__doc__ = f"{what}: the tensor itself.\n\n{_SHOWN.format(what='The tensor itself', name=name, shown=_ONE)}"
    return method


def _is_cpu(self: Tensor) -> bool:
    """Whether the host's memory holds the elements."""
    return self._device.type == "cpu"


def _is_meta(self: Tensor) -> bool:
    """Whether it has a shape and a type only, and no values."""
    return self._device.type == "meta"


def _layout(self: Tensor) -> Layout:
    """How the elements are stored: `gpunet.strided`."""
    return strided


def _real(self: Tensor) -> Tensor:
    """The real parts: the tensor itself."""
    return self


METHODS: dict[str, Any] = {f.__name__: f for f in (
    untyped_storage, storage, storage_offset, pin_memory, is_pinned, record_stream, resize_, resize_as_, new, apply_,
    map_, is_same_size, is_set_to)}
METHODS |= {name: _never(name, what) for name, what in (
    ("is_conj", "Whether a conjugation is pending"),
    ("is_neg", "Whether a negation is pending"), ("is_distributed", "Whether several processes hold it"))}
METHODS |= {name: _itself(name, what) for name, what in (
    ("resolve_conj", "With pending conjugations done"), ("resolve_neg", "With pending negations done"),
    ("conj", "The complex conjugates of real numbers"), ("to_dense", "As a dense tensor"))}
METHODS |= {name: property(_is_never(what)) for name, what in (
    ("is_sparse", "sparse"), ("is_sparse_csr", "sparse, by rows"), ("is_quantized", "quantised"),
    ("is_mkldnn", "in oneDNN's layout"), ("is_nested", "a list of tensors"),
    ("is_mps", "on Apple's GPU"), ("is_xpu", "on Intel's GPU"), ("is_xla", "on a TPU"), ("is_ipu", "on an IPU"),
    ("is_vulkan", "on a Vulkan device"))}
METHODS |= {"is_cpu": property(_is_cpu), "is_meta": property(_is_meta), "layout": property(_layout),
            "real": property(_real)}



def is_complex(input: Tensor) -> bool:
    """Whether a tensor's elements are complex numbers.

    Args:
        input: the tensor.

    Returns:
        False: there are no complex tensors.

    Example:
        >>> gpunet.is_complex(gpunet.zeros(1))
        False
    """
    if not is_tensor(input):
        raise TypeError(f"is_complex: expected a Tensor, got {type(input).__name__}")
    return False


def is_storage(obj: Any, /) -> bool:
    """Whether something is the memory of a tensor, as `Tensor.untyped_storage()` gives it.

    Args:
        obj: anything.

    Returns:
        True or False.

    Example:
        >>> gpunet.is_storage(gpunet.zeros(1).untyped_storage())
        True
    """
    return isinstance(obj, UntypedStorage)
