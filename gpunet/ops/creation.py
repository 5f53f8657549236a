"""Tensors from nothing and from data of the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import devices, dtypes
from gpunet._channels_last import leans_last
from gpunet._layouts import check_layout, format_of, in_channels_last, preserve_format
from gpunet.dispatch import OpFunction, execute, is_tensor, op, wrap
from gpunet.dtypes import INTS
from gpunet.engine.extensions import extensions
from gpunet.ops.host import fitted, host_array
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet._layouts import layout as Layout
    from gpunet._layouts import memory_format as MemoryFormat
    from gpunet.devices import device as Device
    from gpunet.dtypes import Number
    from gpunet.tensor import Tensor

    Type = dtypes.dtype | type
    Place = Device | str | int

__all__ = ["as_tensor", "asarray", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "ones", "ones_like",
           "scalar_tensor", "zeros", "zeros_like"]


@op(lambda *, shape, dtype, value: (shape, dtype), by_element=True)
def fill_op(xp, out, *, shape, dtype, value):
    out.fill(value) if out.dtype.kind != "V" else out.__setitem__(..., value)


@op(lambda *, shape, dtype, diagonal: (shape, dtype))
def eye_op(xp, out, *, shape, dtype, diagonal):
    out[...] = xp.arange(shape[0])[:, None] + diagonal == xp.arange(shape[1])


def create(name: str, operation: OpFunction, out: Tensor | None, layout: Any, device: Any, requires_grad: bool,
           last: bool = False, **attrs) -> Any:
    """An op without inputs, on a device, or out's: a recorded step must see it, so it goes the way of all ops. last: in
    channels last, which the op's body and launch must not mind."""
    if layout is not None:
        check_layout(name, layout)
    device = devices.get(device if device is not None or out is None else out._device.name)
    array = (device.empty_last if last else device.empty)(attrs["shape"], attrs["dtype"])
    execute(device, operation.op, (array,), [], attrs, 1)
    result = wrap(array, device)
    return result.requires_grad_() if requires_grad else result


def _shape(size) -> tuple[int, ...]:
    if len(size) == 1 and not isinstance(size[0], (int, np.integer)):
        size = size[0]
    shape = tuple([int(n) for n in size])
    if any([n < 0 for n in shape]):
        raise RuntimeError(f"a tensor cannot have a negative size: {shape}")
    return shape


def sizes_of(name: str, sizes: tuple, size: Any) -> tuple[int, ...]:
    """The shape that creation functions take one by one, as one sequence, or by name."""
    if size is None:
        return _shape(sizes)
    if sizes:
        raise TypeError(f"{name}() got sizes by place and as 'size'; give them once")
    return _shape((size,) if isinstance(size, INTS) else tuple(size))


def _type(dtype):
    return dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)


def type_of(name: str, dtype: Any, out: Any, default: Any = None) -> Any:
    """The NumPy type of a new tensor: dtype, out's, or a default."""
    if not is_tensor(out):
        return _type(default if dtype is None else dtype)
    if dtype is not None and dtypes.as_numpy(dtype) != out._array.dtype:
        raise RuntimeError(f"{name}: dtype is {dtypes.public(dtypes.as_numpy(dtype))}, but out is of {out.dtype}; "
                           "leave one of them out")
    return out._array.dtype


# ---- constants -----------------------------------------------------------------------------------------------------


def zeros(*sizes: int | Sequence[int], size: Sequence[int] | None = None, out: Tensor | None = None,
          dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
          pin_memory: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Tensor of zeros.

    Args:
        sizes: the shape, size by size or as one sequence.
        size: the shape by name.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: a size is negative, the device is unavailable, or dtype is not out's.

    Example:
        >>> gpunet.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    made = create("zeros", fill_op, out, layout, device, requires_grad, shape=sizes_of("zeros", sizes, size),
                  dtype=type_of("zeros", dtype, out), value=0)
    return deliver(made, out, "zeros")


def ones(*sizes: int | Sequence[int], size: Sequence[int] | None = None, out: Tensor | None = None,
         dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
         pin_memory: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Tensor of ones.

    Args:
        sizes: the shape, size by size or as one sequence.
        size: the shape by name.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: a size is negative, the device is unavailable, or dtype is not out's.

    Example:
        >>> gpunet.ones(2, dtype=gpunet.int64)
        tensor([1, 1])
    """
    made = create("ones", fill_op, out, layout, device, requires_grad, shape=sizes_of("ones", sizes, size),
                  dtype=type_of("ones", dtype, out), value=1)
    return deliver(made, out, "ones")


def empty(*sizes: int | Sequence[int], size: Sequence[int] | None = None, out: Tensor | None = None,
          dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
          pin_memory: bool | None = None, requires_grad: bool = False,
          memory_format: MemoryFormat | None = None) -> Tensor:
    """Tensor whose values are whatever was in memory.

    Args:
        sizes: the shape, size by size or as one sequence.
        size: the shape by name.
        out: tensor that is resized to the shape and returned.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.
        memory_format: `gpunet.contiguous_format`, `gpunet.channels_last` or `gpunet.channels_last_3d`.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: a size is negative, the device is unavailable, or dtype is not out's.

    Example:
        >>> gpunet.empty(2, 3).shape
        gpunet.Size([2, 3])
    """
    if layout is not None:
        check_layout("empty", layout)
    place: Any = devices.get(device if device is not None or out is None else out._device.name)
    shape, wanted = sizes_of("empty", sizes, size), type_of("empty", dtype, out)
    if memory_format is preserve_format:
        raise RuntimeError("empty: unsupported memory format preserve_format: there is no input to take it from")
    last = memory_format is not None and in_channels_last("empty", memory_format, len(shape), False)
    result = wrap((place.empty_last if last else place.empty)(shape, wanted), place)
    return deliver(result.requires_grad_() if requires_grad else result, out, "empty")


def full(size: int | Sequence[int], fill_value: Number | Tensor, *, out: Tensor | None = None,
         dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
         pin_memory: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Tensor filled with a number.

    Args:
        size: the shape.
        fill_value: the number; a 0-d tensor is read on the host.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's; or bool, int64 or the default floating-point type, as the number.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: a size is negative, the number is out of the type's range, or dtype is not out's.

    Example:
        >>> gpunet.full((2, 2), 7)
        tensor([[7, 7],
                [7, 7]])
    """
    number: Any = fill_value
    if is_tensor(number):
        number = number.item()
    wanted = type_of("full", dtype, out, dtypes.public(dtypes.scalar_type(number)))
    made = create("full", fill_op, out, layout, device, requires_grad, shape=_shape((size,)), dtype=wanted,
                  value=fitted(number, wanted))
    return deliver(made, out, "full")


def zeros_like(input: Tensor, *, dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
               pin_memory: bool | None = None, requires_grad: bool = False,
               memory_format: MemoryFormat | None = None) -> Tensor:
    """Tensor of zeros in the shape of another one.

    Args:
        input: tensor that gives the shape, and the type and device where they are not given.
        dtype: type of the elements. None: input's.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where input is.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.
        memory_format: that of the result. None: `gpunet.preserve_format`.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.zeros_like(gpunet.tensor([1, 2]))
        tensor([0, 0])
    """
    return _filled_like("zeros_like", input, 0, dtype, layout, device, requires_grad, memory_format)


def ones_like(input: Tensor, *, dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
              pin_memory: bool | None = None, requires_grad: bool = False,
              memory_format: MemoryFormat | None = None) -> Tensor:
    """Tensor of ones in the shape of another one.

    Args:
        input: tensor that gives the shape, and the type and device where they are not given.
        dtype: type of the elements. None: input's.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where input is.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.
        memory_format: that of the result. None: `gpunet.preserve_format`.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.ones_like(gpunet.tensor([5, 6]))
        tensor([1, 1])
    """
    return _filled_like("ones_like", input, 1, dtype, layout, device, requires_grad, memory_format)


def full_like(input: Tensor, fill_value: Number | Tensor, *, dtype: Type | None = None, layout: Layout | None = None,
              device: Place | None = None, pin_memory: bool | None = None, requires_grad: bool = False,
              memory_format: MemoryFormat | None = None) -> Tensor:
    """Tensor filled with a number, in the shape of another one.

    Args:
        input: tensor that gives the shape, and the type and device where they are not given.
        fill_value: the number; a 0-d tensor is read on the host.
        dtype: type of the elements. None: input's.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where input is.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.
        memory_format: that of the result. None: `gpunet.preserve_format`.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the number is out of the type's range.

    Example:
        >>> gpunet.full_like(gpunet.tensor([1.0, 2.0]), 0.5)
        tensor([0.5000, 0.5000])
    """
    return _filled_like("full_like", input, fill_value, dtype, layout, device, requires_grad, memory_format)


def _filled_like(name, input, value, dtype, layout, device, requires_grad, memory_format):
    last = in_channels_last(name, memory_format, input._array.ndim, leans_last(input._array))
    wanted = input._array.dtype if dtype is None else dtypes.as_numpy(dtype)
    if is_tensor(value):
        value = value.item()
    return create(name, fill_op, None, layout, input._device.name if device is None else device, requires_grad,
                  shape=input._array.shape, dtype=wanted, value=fitted(value, wanted), last=last)


def empty_like(input: Tensor, *, dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
               pin_memory: bool | None = None, requires_grad: bool = False,
               memory_format: MemoryFormat | None = None) -> Tensor:
    """Tensor in the shape of another one, whose values are whatever was in memory.

    Args:
        input: tensor that gives the shape, and the type and device where they are not given.
        dtype: type of the elements. None: input's.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where input is.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.
        memory_format: that of the result. None: `gpunet.preserve_format`.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.empty_like(gpunet.tensor([1, 2])).shape
        gpunet.Size([2])
    """
    kept = memory_format is None or memory_format is preserve_format
    return empty(size=input.shape, dtype=input.dtype if dtype is None else dtype, layout=layout,
                 device=input._device.name if device is None else device, requires_grad=requires_grad,
                 memory_format=format_of(input._array) if kept else memory_format)


def eye(n: int, m: int | None = None, *, out: Tensor | None = None, dtype: Type | None = None,
        layout: Layout | None = None, device: Place | None = None, pin_memory: bool | None = None,
        requires_grad: bool = False) -> Tensor:
    """Matrix with ones on the diagonal and zeros elsewhere.

    Args:
        n: the number of rows.
        m: the number of columns. None: n.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Matrix of shape (n, m).

    Raises:
        RuntimeError: a size is negative, or dtype is not out's.

    Example:
        >>> gpunet.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    made = create("eye", eye_op, out, layout, device, requires_grad, shape=_shape((n, n if m is None else m)),
                  dtype=type_of("eye", dtype, out), diagonal=0)
    return deliver(made, out, "eye")


# ---- data from the host --------------------------------------------------------------------------------------------


def tensor(data: Any, *, dtype: Type | None = None, device: Place | None = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:
    """New tensor with a copy of data.

    Python floats become the default floating-point type, ints int64 and bools bool; NumPy data and tensors keep their
    types, which are promoted where they differ.

    Args:
        data: a number, nested sequences of numbers, arrays and tensors, a NumPy array, or a tensor.
        dtype: type of the elements. None: that of the data.
        device: where the tensor is. None: where data is, if it is a tensor, else the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of the data's shape.

    Raises:
        RuntimeError: a number is out of the range of an integer type, or data is given inside a recorded function.
        TypeError: the data are no numbers.
        ValueError: the sequences are not rectangular.

    Example:
        >>> gpunet.tensor([[1.0, 2.0], [3.0, 4.0]])
        tensor([[1., 2.],
                [3., 4.]])
    """
    if extensions.recorder is not None:
        raise RuntimeError("tensor(): data cannot come from the host inside a recorded function (gpunet.compile), "
                           "because the recording would repeat today's values; pass it in as an argument")
    place: Any = devices.get(device if device is not None or not is_tensor(data) else data._device.name)
    result = wrap(place.from_host(host_array(data, dtype)), place)
    return result.requires_grad_() if requires_grad else result


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """CPU tensor that shares its memory with a NumPy array: a change of one is a change of the other.

    Args:
        ndarray: array of a type that tensors have, writeable and of this machine's byte order.

    Returns:
        Tensor of the array's shape and type.

    Raises:
        TypeError: it is not an array, or not of a tensor's type.
        ValueError: it is read-only, or of another byte order.

    Example:
        >>> import numpy
        >>> gpunet.from_numpy(numpy.array([1, 2]))
        tensor([1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(ndarray).__name__}")
    if not ndarray.dtype.isnative:
        raise ValueError("from_numpy: the array's byte order is not this machine's; use "
                         "array.astype(array.dtype.newbyteorder('='))")
    dtypes.as_numpy(ndarray.dtype)
    if not ndarray.flags.writeable:
        raise ValueError("from_numpy: the array is read-only, so it cannot share its memory; pass array.copy()")
    return wrap(ndarray, devices.cpu)


def as_tensor(data: Any, dtype: Type | None = None, device: Place | None = None) -> Tensor:
    """The tensor itself, or one that shares memory with a NumPy array, where type and device allow it; else a copy.

    Args:
        data: as for `tensor`.
        dtype: type of the elements. None: that of the data.
        device: where the tensor is. None: where data is, if it is a tensor or an array, else the default device.

    Returns:
        Tensor of the data's shape.

    Raises:
        TypeError: the data are no numbers.
        ValueError: the sequences are not rectangular.

    Example:
        >>> x = gpunet.tensor([1.0, 2.0])
        >>> gpunet.as_tensor(x) is x
        True
    """
    given: Any = data
    if isinstance(data, np.ndarray) and data.dtype.isnative and data.flags.writeable:
        given = from_numpy(data)
    return given.to(device=device, dtype=dtype) if is_tensor(given) else tensor(given, dtype=dtype, device=device)


def asarray(obj: Any, *, dtype: Type | None = None, device: Place | None = None, copy: bool | None = None,
            requires_grad: bool = False) -> Tensor:
    """Tensor of data, with or without a copy.

    Args:
        obj: as for `tensor`.
        dtype: type of the elements. None: that of the data.
        device: where the tensor is. None: as in `as_tensor`.
        copy: True: always a copy, as `tensor` makes it. False or None: as `as_tensor`.
        requires_grad: whether gradients are collected for it.

    Returns:
        Tensor of the data's shape.

    Raises:
        TypeError: the data are no numbers.
        ValueError: the sequences are not rectangular, or copy is False and a copy is needed.

    Example:
        >>> gpunet.asarray([1, 2])
        tensor([1, 2])
    """
    result = tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)
    if copy is False and is_tensor(obj) and result is not obj:
        raise ValueError("asarray: copy=False, but another type or device needs a copy; leave copy out")
    return result.requires_grad_() if requires_grad else result


def scalar_tensor(s: Number, *, dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
                  pin_memory: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Tensor of 0 dimensions with a number.

    Args:
        s: the number.
        dtype: type of the element. None: the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Tensor of shape ().

    Raises:
        RuntimeError: the number is out of the type's range.

    Example:
        >>> gpunet.scalar_tensor(2)
        tensor(2.)
    """
    return full((), s, dtype=dtypes.get_default_dtype() if dtype is None else dtype, layout=layout, device=device,
                requires_grad=requires_grad)
