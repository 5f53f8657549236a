"""Variances and standard deviations, over all elements or over some dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpunet._warn import warn
from gpunet.dispatch import host_read
from gpunet.dtypes import FLOAT32_NP, Number, public
from gpunet.ops.compare import eq, where
from gpunet.ops.diagonal import diagonal
from gpunet.ops.exponentials import sqrt
from gpunet.ops.half import rounded_once
from gpunet.ops.matmul import matmul
from gpunet.ops.out import deliver
from gpunet.ops.reductions import mean_op, sum_op
from gpunet.ops.rules import dims_of, require_float
from gpunet.ops.spellings import numpy_names

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["corrcoef", "cov", "std", "std_mean", "var", "var_mean"]


def var(input: Tensor, dim: int | Sequence[int] | bool | None = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: Number | None = None, axis: int | Sequence[int] | None = None, keepdims: bool | None = None,
        out: Tensor | None = None) -> Tensor:
    """Variance of all elements, or over dimensions: y = (sum_i (x_i - mean)^2) / max(0, N - correction).

    Args:
        input: tensor of a floating-point type.
        dim: dimension or dimensions to reduce; None for all. A bool here is taken as `unbiased`.
        unbiased: an older way to give the correction: True for 1, False for 0.
        keepdim: whether the result keeps these dimensions, with size 1.
        correction: what is subtracted from the number of elements N; 1 by default (Bessel's correction).
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type without the reduced dimensions.

    Raises:
        RuntimeError: the input is of an integer type or bool.
        IndexError: a dimension is out of range.
        TypeError: both unbiased and correction are given.

    Example:
        >>> gpunet.var(gpunet.tensor([[1.0, 3.0], [5.0, 9.0]]), dim=1)
        tensor([2., 8.])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("var", dim, keepdim, axis, keepdims)
    return deliver(_var(input, *_options("var", input, dim, unbiased, correction), keepdim), out, "var")


def std(input: Tensor, dim: int | Sequence[int] | bool | None = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: Number | None = None, axis: int | Sequence[int] | None = None, keepdims: bool | None = None,
        out: Tensor | None = None) -> Tensor:
    """Standard deviation of all elements, or over dimensions: the square root of `var`.

    Its gradient is 0 where all elements are equal.

    Args:
        input: tensor of a floating-point type.
        dim: dimension or dimensions to reduce; None for all. A bool here is taken as `unbiased`.
        unbiased: an older way to give the correction: True for 1, False for 0.
        keepdim: whether the result keeps these dimensions, with size 1.
        correction: what is subtracted from the number of elements N; 1 by default (Bessel's correction).
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type without the reduced dimensions.

    Raises:
        RuntimeError: the input is of an integer type or bool.
        IndexError: a dimension is out of range.
        TypeError: both unbiased and correction are given.

    Example:
        >>> gpunet.std(gpunet.tensor([[1.0, 3.0], [5.0, 9.0]]), dim=1, correction=0)
        tensor([1., 2.])
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("std", dim, keepdim, axis, keepdims)
    return deliver(_std(input, *_options("std", input, dim, unbiased, correction), keepdim), out, "std")


def var_mean(input: Tensor, dim: int | Sequence[int] | bool | None = None, unbiased: bool = True,
             keepdim: bool = False, *, correction: Number | None = None, axis: int | Sequence[int] | None = None,
             keepdims: bool | None = None) -> tuple[Tensor, Tensor]:
    """Variance and mean of all elements, or over dimensions.

    Args:
        input: tensor of a floating-point type.
        dim: dimension or dimensions to reduce; None for all. A bool here is taken as `unbiased`.
        unbiased: an older way to give the correction: True for 1, False for 0.
        keepdim: whether the results keep these dimensions, with size 1.
        correction: what is subtracted from the number of elements N; 1 by default (Bessel's correction).
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.

    Returns:
        The pair (var, mean) of tensors of input's type without the reduced dimensions.

    Raises:
        RuntimeError: the input is of an integer type or bool.
        IndexError: a dimension is out of range.
        TypeError: both unbiased and correction are given.

    Example:
        >>> gpunet.var_mean(gpunet.tensor([1.0, 3.0, 5.0]))
        (tensor(4.), tensor(3.))
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("var_mean", dim, keepdim, axis, keepdims)
    dims, correction = _options("var_mean", input, dim, unbiased, correction)
    return _var(input, dims, correction, keepdim), mean_op(input, dims=dims, keepdim=keepdim)


def std_mean(input: Tensor, dim: int | Sequence[int] | bool | None = None, unbiased: bool = True,
             keepdim: bool = False, *, correction: Number | None = None, axis: int | Sequence[int] | None = None,
             keepdims: bool | None = None) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean of all elements, or over dimensions.

    Args:
        input: tensor of a floating-point type.
        dim: dimension or dimensions to reduce; None for all. A bool here is taken as `unbiased`.
        unbiased: an older way to give the correction: True for 1, False for 0.
        keepdim: whether the results keep these dimensions, with size 1.
        correction: what is subtracted from the number of elements N; 1 by default (Bessel's correction).
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.

    Returns:
        The pair (std, mean) of tensors of input's type without the reduced dimensions.

    Raises:
        RuntimeError: the input is of an integer type or bool.
        IndexError: a dimension is out of range.
        TypeError: both unbiased and correction are given.

    Example:
        >>> gpunet.std_mean(gpunet.tensor([1.0, 3.0, 5.0]))
        (tensor(2.), tensor(3.))
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("std_mean", dim, keepdim, axis, keepdims)
    dims, correction = _options("std_mean", input, dim, unbiased, correction)
    return _std(input, dims, correction, keepdim), mean_op(input, dims=dims, keepdim=keepdim)


def _options(name, input, dim, unbiased, correction):
    """(dims, correction) of the ways to call these functions, of which var(x, False) is one."""
    require_float(input._array, name)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = int(unbiased)
    elif not unbiased:
        raise TypeError(f"{name}() got both unbiased and correction; give the correction alone")
    return dims_of(dim, input._array.ndim, name), correction


@rounded_once
def _var(input, dims, correction, keepdim):
    count = math.prod([input._array.shape[d] for d in dims])
    centred = input - mean_op(input, dims=dims, keepdim=True)
    total = sum_op(centred * centred, dims=dims, keepdim=keepdim)
    return total / (max(count - correction, 0.0) if count else 0)


@rounded_once
def _std(input, dims, correction, keepdim):
    """The square root, whose gradient at 0 is 0."""
    variance = _var(input, dims, correction, keepdim)
    zero = eq(variance, 0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, variance)))


# ---- of several variables ------------------------------------------------------------------------------------------


def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
        aweights: Tensor | None = None) -> Tensor:
    """Covariances of variables, which are the rows: C[i, j] = sum_k (x_ik - mean_i) (x_jk - mean_j) / (N - correction).

    Args:
        input: matrix of a variable in each row and an observation in each column; or a vector, one variable.
        correction: what is subtracted from the number of observations N; 1 by default (Bessel's correction).
        fweights: how often each observation was made: vector of an integer type.
        aweights: how much each observation counts: vector of a floating-point type.

    Returns:
        Matrix; of one variable a 0-d tensor, its variance.

    Raises:
        RuntimeError: the input has more than two dimensions, is bool, or the weights do not fit it.

    Example:
        >>> gpunet.cov(gpunet.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if input._array.ndim > 2:
        raise RuntimeError(f"cov: expected input to have two or fewer dimensions but got {input._array.ndim}")
    if input._array.dtype.kind == "b":
        raise RuntimeError("cov: bool is not supported; convert the input with .float()")
    x = input.reshape((1, -1)) if input._array.ndim < 2 else input
    x = x.to(public(FLOAT32_NP)) if x._array.dtype.kind in "iu" else x
    weights, count = _observations("cov", x, fweights, aweights)
    if weights is None:
        norm = count - correction
        centred = x - mean_op(x, dims=(1,), keepdim=True)
        other = centred
    else:
        total = sum_op(weights, dims=(0,), keepdim=False)
        centred = x - (x * weights).sum(1, keepdim=True) / total
        other = centred * weights
        norm = total - correction
        if aweights is not None and correction:
            norm = total - correction * (weights * aweights).sum() / total
    if not isinstance(norm, (int, float)):
        norm = norm.clamp(min=0)
    elif norm <= 0:
        warn("cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of "
             "observations.")
        norm = 0.0
    return (matmul(centred, other.T) / norm).squeeze()


def _observations(name, x, fweights, aweights):
    """(weight of each observation or None, number of observations)."""
    count, weights = x._array.shape[1], None
    for which, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "fV")):
        if given is None:
            continue
        if given._array.ndim > 1 or given.numel() != count:
            raise RuntimeError(f"{name}: expected {which} to be a vector with a number for each of the {count} "
                               f"observations, got shape {tuple(given.shape)}")
        if given._array.dtype.kind not in kinds:
            wanted = "an integer" if kinds == "iu" else "a floating-point"
            raise RuntimeError(f"{name}: expected {which} of {wanted} type, got {given.dtype}")
        if given._device.type == "cpu" and (host_read(given, name) < 0).any():
            raise RuntimeError(f"{name}: {which} cannot be negative")
        weights = given if weights is None else weights * given
    return weights, count


def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation coefficients of variables, which are the rows: R[i, j] = C[i, j] / sqrt(C[i, i] C[j, j])
    for the covariances C.

    Args:
        input: matrix of a variable in each row and an observation in each column; or a vector, one variable.

    Returns:
        Matrix of numbers from -1 to 1; of one variable a 0-d tensor.

    Raises:
        RuntimeError: the input has more than two dimensions.

    Example:
        >>> gpunet.corrcoef(gpunet.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if input._array.ndim > 2:
        raise RuntimeError(f"corrcoef: expected input to have two or fewer dimensions but got {input._array.ndim}")
    c = cov(input)
    if not c._array.ndim:
        return c / c
    deviation = sqrt(diagonal(c))
    return (c / deviation.reshape((-1, 1)) / deviation).clamp(-1, 1)
