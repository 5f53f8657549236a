"""Sums, means, products and truth, over all elements or over some dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpunet.dtypes import dtype as DType
from gpunet.ops.compare import eq, isnan, ne, where
from gpunet.ops.half import rounded_once
from gpunet.ops.out import deliver
from gpunet.ops.reductions import all_op, any_op, mean_op, over, prod_op, sum_op
from gpunet.ops.rules import by_axis, dims_of, require_float
from gpunet.ops.spellings import numpy_names

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["all", "any", "count_nonzero", "mean", "nanmean", "nansum", "prod", "sum"]

_sum, _mean = over(sum_op), over(mean_op)


def sum(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: DType | None = None,
        axis: int | Sequence[int] | None = None, keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Sum of all elements, or over dimensions: y = sum_i x_i.

    Integers and bools are summed in int64, half types in float32 before the result is rounded.

    Args:
        input: tensor of any type.
        dim: dimension or dimensions to sum over; None for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        dtype: type to which the input is converted first, and which the result has.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result, and whose type is the default of `dtype`; resized if its shape differs.

    Returns:
        Tensor without the summed dimensions.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.sum(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
        tensor([4., 6.])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("sum", dim, keepdim, axis, keepdims)
    if dtype is None:
        if out is None:
            return _sum(input, dim, keepdim)
        dtype = out.dtype
    return deliver(_sum(input.to(dtype), dim, keepdim).to(dtype), out, "sum")


def nansum(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *,
           dtype: DType | None = None, axis: int | Sequence[int] | None = None, keepdims: bool | None = None,
           out: Tensor | None = None) -> Tensor:
    """Sum of the elements that are not NaN, or over dimensions.

    Args:
        input: tensor of any type.
        dim: dimension or dimensions to sum over; None for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        dtype: type to which the input is converted first, and which the result has.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor without the summed dimensions.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.nansum(gpunet.tensor([1.0, float("nan"), 2.0]))
        tensor(3.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("nansum", dim, keepdim, axis, keepdims)
    return deliver(sum(where(isnan(input), 0, input), dim, keepdim, dtype=dtype), out, "nansum")


def mean(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: DType | None = None,
         axis: int | Sequence[int] | None = None, keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Mean of all elements, or over dimensions: y = (sum_i x_i) / N.

    Half types are summed in float32. The mean of no elements is NaN.

    Args:
        input: tensor of a floating-point type, or of any type if `dtype` is given.
        dim: dimension or dimensions to average over; None for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        dtype: floating-point type to which the input is converted first.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor without the averaged dimensions.

    Raises:
        RuntimeError: the input is of an integer type or bool, and no dtype is given.
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.mean(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1, keepdim=True)
        tensor([[1.5000],
                [3.5000]])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("mean", dim, keepdim, axis, keepdims)
    if dtype is not None:
        input = input.to(dtype)
    require_float(input._array, "mean")
    return deliver(_mean(input, dim, keepdim), out, "mean")


def nanmean(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *,
            dtype: DType | None = None, axis: int | Sequence[int] | None = None, keepdims: bool | None = None,
            out: Tensor | None = None) -> Tensor:
    """Mean of the elements that are not NaN, or over dimensions.

    Args:
        input: tensor of a floating-point type, or of any type if `dtype` is given.
        dim: dimension or dimensions to average over; None for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        dtype: floating-point type to which the input is converted first.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor without the averaged dimensions.

    Raises:
        RuntimeError: the input is of an integer type or bool, and no dtype is given.
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.nanmean(gpunet.tensor([1.0, float("nan"), 2.0]))
        tensor(1.5000)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("nanmean", dim, keepdim, axis, keepdims)
    if dtype is not None:
        input = input.to(dtype)
    require_float(input._array, "nanmean")
    return deliver(_nanmean(input, dim, keepdim), out, "nanmean")


@rounded_once
def _nanmean(input, dim, keepdim):
    return nansum(input, dim, keepdim) / _sum(eq(input, input), dim, keepdim)


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None,
         axis: int | None = None, keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Product of all elements, or along a dimension: y = x_1 * x_2 * ... * x_N.

    Integers and bools are multiplied in int64. The gradient is right where elements are 0, too.

    Args:
        input: tensor of any type.
        dim: dimension to multiply along; None for all.
        keepdim: whether the result keeps the dimension, with size 1.
        dtype: type to which the input is converted first, and which the result has.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result, and whose type is the default of `dtype`; resized if its shape differs.

    Returns:
        Tensor without the dimension.

    Raises:
        IndexError: the dimension is out of range.

    Example:
        >>> gpunet.prod(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
        tensor([ 2., 12.])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("prod", dim, keepdim, axis, keepdims)
    if dtype is None and out is not None:
        dtype = out.dtype
    if dtype is not None:
        input = input.to(dtype)
    result = prod_op(input, dims=dims_of(dim, input._array.ndim, "prod"), keepdim=keepdim)
    return deliver(result if dtype is None else result.to(dtype), out, "prod")


def count_nonzero(input: Tensor, dim: int | Sequence[int] | None = None, *,
                  axis: int | Sequence[int] | None = None) -> Tensor:
    """Number of the elements that are not zero, of all or over dimensions.

    Args:
        input: tensor of any type.
        dim: dimension or dimensions to count over; None for all.
        axis: another name for `dim`, as in NumPy.

    Returns:
        int64 tensor without the counted dimensions.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.count_nonzero(gpunet.tensor([[0, 2], [3, 4]]), dim=0)
        tensor([1, 2])
    """
    return _sum(ne(input, 0), dim if axis is None else by_axis("count_nonzero", dim, axis), False)


# ---- truth ---------------------------------------------------------------------------------------------------------


def all(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *,
        axis: int | Sequence[int] | None = None, keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Whether all elements are nonzero, of the tensor or over dimensions; True for no elements.

    Args:
        input: tensor of any type.
        dim: dimension or dimensions to reduce; None for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        bool tensor without the reduced dimensions; of type uint8 for uint8, as in PyTorch.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.all(gpunet.tensor([[True, True], [True, False]]), dim=1)
        tensor([ True, False])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("all", dim, keepdim, axis, keepdims)
    return deliver(all_op(input, dims=dims_of(dim, input._array.ndim, "all"), keepdim=keepdim), out, "all", exact=True)


def any(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *,
        axis: int | Sequence[int] | None = None, keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Whether any element is nonzero, of the tensor or over dimensions; False for no elements.

    Args:
        input: tensor of any type.
        dim: dimension or dimensions to reduce; None for all.
        keepdim: whether the result keeps these dimensions, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        bool tensor without the reduced dimensions; of type uint8 for uint8, as in PyTorch.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.any(gpunet.tensor([[True, False], [False, False]]), dim=1)
        tensor([ True, False])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("any", dim, keepdim, axis, keepdims)
    return deliver(any_op(input, dims=dims_of(dim, input._array.ndim, "any"), keepdim=keepdim), out, "any", exact=True)
