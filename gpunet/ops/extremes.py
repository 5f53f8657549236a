"""Largest and smallest elements, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from gpunet.dispatch import is_tensor
from gpunet.dtypes import INT64_NP, public
from gpunet.ops.index import gather_op
from gpunet.ops.limits import maximum, minimum
from gpunet.ops.out import deliver
from gpunet.ops.reductions import amax_op, amin_op, argmax_op, argmin_op
from gpunet.ops.rules import check_dim, dims_of
from gpunet.ops.spellings import numpy_names

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "max", "min"]


class ValuesIndices(NamedTuple):
    """The result of `max`, `min` and their like along a dimension."""

    values: Tensor
    indices: Tensor


class MinMax(NamedTuple):
    """The result of `aminmax`."""

    min: Tensor
    max: Tensor


@overload
def max(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def max(input: Tensor, dim: int, keepdim: bool = False, *,
        out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
@overload
def max(input: Tensor, *, axis: int, keepdims: bool = False,
        out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
@overload
def max(input: Tensor, other: Tensor, /, *, out: Tensor | None = None) -> Tensor: ...
@overload
def max(input: Tensor, *, other: Tensor, out: Tensor | None = None) -> Tensor: ...
def max(input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False, *, other: Tensor | None = None,
        axis: int | None = None, keepdims: bool | None = None, out: Any = None) -> Any:
    """Largest element: of all, `max(x)`; along a dimension, `max(x, dim)`; or of two tensors, `max(x, other)`.

    The largest of all shares its gradient evenly with its equals; along a dimension the first has it. NaN is larger
    than every number.

    Args:
        input: tensor of any type.
        dim: dimension to reduce; None for all elements; or a tensor, which is then `other`.
        keepdim: whether the results keep the dimension, with size 1.
        other: tensor to compare with, element by element, as `maximum` does.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result; with dim a pair of tensors, of input's type and int64. Resized if its
            shape differs.

    Returns:
        Tensor; with dim the named pair (values, indices), indices of type int64.

    Raises:
        RuntimeError: a tensor without elements, and no dim.
        IndexError: the dimension is out of range, or of size 0.

    Example:
        >>> x = gpunet.tensor([[1.0, 5.0], [7.0, 2.0]])
        >>> gpunet.max(x)
        tensor(7.)
        >>> gpunet.max(x, dim=1).indices
        tensor([1, 0])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("max", dim, keepdim, axis, keepdims)
    if is_tensor(dim) or other is not None:
        return deliver(maximum(input, _second("max", dim, other)), out, "max")
    if dim is None:
        return deliver(amax_op(input, dims=_extreme_dims(input, None, "max"), keepdim=False), out, "max")
    return deliver(_best(argmax_op, input, dim, keepdim, "max"), out, "max", exact=True)


@overload
def min(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def min(input: Tensor, dim: int, keepdim: bool = False, *,
        out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
@overload
def min(input: Tensor, *, axis: int, keepdims: bool = False,
        out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
@overload
def min(input: Tensor, other: Tensor, /, *, out: Tensor | None = None) -> Tensor: ...
@overload
def min(input: Tensor, *, other: Tensor, out: Tensor | None = None) -> Tensor: ...
def min(input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False, *, other: Tensor | None = None,
        axis: int | None = None, keepdims: bool | None = None, out: Any = None) -> Any:
    """Smallest element: of all, `min(x)`; along a dimension, `min(x, dim)`; or of two tensors, `min(x, other)`.

    The smallest of all shares its gradient evenly with its equals; along a dimension the first has it. NaN is smaller
    than every number.

    Args:
        input: tensor of any type.
        dim: dimension to reduce; None for all elements; or a tensor, which is then `other`.
        keepdim: whether the results keep the dimension, with size 1.
        other: tensor to compare with, element by element, as `minimum` does.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result; with dim a pair of tensors, of input's type and int64. Resized if its
            shape differs.

    Returns:
        Tensor; with dim the named pair (values, indices), indices of type int64.

    Raises:
        RuntimeError: a tensor without elements, and no dim.
        IndexError: the dimension is out of range, or of size 0.

    Example:
        >>> x = gpunet.tensor([[1.0, 5.0], [7.0, 2.0]])
        >>> gpunet.min(x)
        tensor(1.)
        >>> gpunet.min(x, dim=1).indices
        tensor([0, 1])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("min", dim, keepdim, axis, keepdims)
    if is_tensor(dim) or other is not None:
        return deliver(minimum(input, _second("min", dim, other)), out, "min")
    if dim is None:
        return deliver(amin_op(input, dims=_extreme_dims(input, None, "min"), keepdim=False), out, "min")
    return deliver(_best(argmin_op, input, dim, keepdim, "min"), out, "min", exact=True)


def _second(name, dim, other) -> Any:
    """The other tensor, which may stand in dim's place."""
    if dim is not None and other is not None:
        raise TypeError(f"{name}() got both dim and other; give one of them")
    return dim if other is None else other


def _best(arg, input, dim, keepdim, name) -> ValuesIndices:
    dim = check_dim(dim, input._array.ndim, name)
    if input._array.ndim == 0:
        return ValuesIndices(input.clone(), input.new_zeros((), dtype=public(INT64_NP)))
    indices = arg(input, dim=dim, keepdim=True)
    values = gather_op(input, indices, dim=dim)
    return ValuesIndices(values, indices) if keepdim else ValuesIndices(values.squeeze(dim), indices.squeeze(dim))


def amax(input: Tensor, dim: int | Sequence[int] | None = (), keepdim: bool = False, *,
         axis: int | Sequence[int] | None = None, keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Largest elements, of all or over dimensions. Equal ones share the gradient evenly.

    Args:
        input: tensor of any type.
        dim: dimension or dimensions to reduce; None or () for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type without the reduced dimensions.

    Raises:
        RuntimeError: a tensor without elements, and no dim.
        IndexError: a dimension is out of range, or of size 0.

    Example:
        >>> gpunet.amax(gpunet.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=0)
        tensor([7., 5.])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("amax", dim, keepdim, axis, keepdims, default=())
    return deliver(amax_op(input, dims=_extreme_dims(input, dim, "amax"), keepdim=keepdim), out, "amax", exact=True)


def amin(input: Tensor, dim: int | Sequence[int] | None = (), keepdim: bool = False, *,
         axis: int | Sequence[int] | None = None, keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Smallest elements, of all or over dimensions. Equal ones share the gradient evenly.

    Args:
        input: tensor of any type.
        dim: dimension or dimensions to reduce; None or () for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type without the reduced dimensions.

    Raises:
        RuntimeError: a tensor without elements, and no dim.
        IndexError: a dimension is out of range, or of size 0.

    Example:
        >>> gpunet.amin(gpunet.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=0)
        tensor([1., 2.])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("amin", dim, keepdim, axis, keepdims, default=())
    return deliver(amin_op(input, dims=_extreme_dims(input, dim, "amin"), keepdim=keepdim), out, "amin", exact=True)


def _extreme_dims(input, dim, op):
    if input._array.size == 0 and (dim is None or dim == ()):
        raise RuntimeError(f"{op}: a tensor without elements, of shape {tuple(input.shape)}, has no extreme one; give "
                           "a dim whose size is not 0")
    return dims_of(dim, input._array.ndim, op)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, axis: int | None = None,
            keepdims: bool | None = None, out: tuple[Tensor, Tensor] | None = None) -> MinMax:
    """Smallest and largest elements, of all or along a dimension.

    Args:
        input: tensor of any type.
        dim: dimension to reduce; None for all.
        keepdim: whether the results keep the dimension, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: pair of tensors of input's type that receive the results; resized if their shapes differ.

    Returns:
        The named pair (min, max) of tensors of input's type.

    Raises:
        RuntimeError: a tensor without elements, and no dim.
        IndexError: the dimension is out of range, or of size 0.

    Example:
        >>> low, high = gpunet.aminmax(gpunet.tensor([3.0, 1.0, 2.0]))
        >>> low, high
        (tensor(1.), tensor(3.))
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("aminmax", dim, keepdim, axis, keepdims)
    dims = _extreme_dims(input, dim, "aminmax")
    both = MinMax(amin_op(input, dims=dims, keepdim=keepdim), amax_op(input, dims=dims, keepdim=keepdim))
    return deliver(both, out, "aminmax", exact=True)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None,
           keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Index of the largest element, the first of equals: in the flattened tensor, or along a dimension.

    Args:
        input: tensor of any type.
        dim: dimension to reduce; None for the flattened tensor.
        keepdim: whether the result keeps the dimension, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: int64 tensor that receives the result; resized if its shape differs.

    Returns:
        int64 tensor without the dimension.

    Raises:
        IndexError: the dimension is out of range, or there is no element.

    Example:
        >>> gpunet.argmax(gpunet.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
        tensor([1, 0])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("argmax", dim, keepdim, axis, keepdims)
    return deliver(_arg(argmax_op, input, dim, keepdim, "argmax"), out, "argmax", exact=True)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None,
           keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Index of the smallest element, the first of equals: in the flattened tensor, or along a dimension.

    Args:
        input: tensor of any type.
        dim: dimension to reduce; None for the flattened tensor.
        keepdim: whether the result keeps the dimension, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: int64 tensor that receives the result; resized if its shape differs.

    Returns:
        int64 tensor without the dimension.

    Raises:
        IndexError: the dimension is out of range, or there is no element.

    Example:
        >>> gpunet.argmin(gpunet.tensor([[1.0, 5.0], [7.0, 2.0]]), dim=1)
        tensor([0, 1])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("argmin", dim, keepdim, axis, keepdims)
    return deliver(_arg(argmin_op, input, dim, keepdim, "argmin"), out, "argmin", exact=True)


def _arg(operation, input, dim, keepdim, name):
    return operation(input, dim=dim if dim is None else check_dim(dim, input._array.ndim, name), keepdim=keepdim)
