"""The elements of a tensor repeated, reversed, rolled and turned: copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.dispatch import host_read, is_tensor, op
from gpunet.dtypes import INT64_NP, INTS, public
from gpunet.ops.gathering import index_select
from gpunet.ops.rules import by_axis, check_dim, dims_of, same
from gpunet.ops.shape import transpose
from gpunet.ops.views import _expand, clone_op, reshaped

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["flip", "fliplr", "flipud", "repeat_interleave", "roll", "rot90", "tile"]

# ---- repeats -------------------------------------------------------------------------------------------------------


def repeated(input: Tensor, repeats: Sequence[int]) -> Tensor:
    """`input` laid side by side, as often as `repeats` says for each dimension: Tensor.repeat."""
    repeats, shape = tuple(repeats), input._array.shape
    if len(repeats) < len(shape):
        raise RuntimeError(f"repeat: {len(repeats)} numbers {repeats} were given for a tensor of {len(shape)} "
                           "dimensions; tile() adds ones in front")
    if min(repeats, default=0) < 0:
        raise RuntimeError(f"repeat: the numbers must not be negative, got {repeats}")
    shape = (1,) * (len(repeats) - len(shape)) + shape
    pairs = reshaped(input, tuple([n for size in shape for n in (1, size)]))
    wide = tuple([n for times, size in zip(repeats, shape, strict=True) for n in (times, size)])
    return reshaped(clone_op(_expand(pairs, shape=wide)),
                    tuple([times * size for times, size in zip(repeats, shape, strict=True)]))


def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """The tensor laid side by side, as often as given along each dimension.

    Args:
        input: tensor of any type.
        dims: a number for each of the last dimensions; numbers that are missing in front are 1. Further dimensions
            may be added in front.

    Returns:
        Tensor whose sizes are multiplied with the numbers.

    Raises:
        RuntimeError: a number is negative.

    Example:
        >>> gpunet.tile(gpunet.tensor([1, 2]), (2,))
        tensor([1, 2, 1, 2])
    """
    dims = (dims,) if isinstance(dims, INTS) else tuple(dims)
    return repeated(input, (1,) * (input._array.ndim - len(dims)) + dims)


def repeat_interleave(input: Tensor | None = None, repeats: int | Tensor | None = None, dim: int | None = None, *,
                      output_size: int | None = None, axis: int | None = None) -> Tensor:
    """Each element repeated on the spot.

    With one tensor alone, that is `repeats`, and the result has the index of each as often as it says.

    Args:
        input: tensor of any type.
        repeats: how often: a number for all, or a vector with a number for each index of dim, which is read on the
            host.
        dim: the dimension along which elements are repeated. None: of the flattened tensor.
        output_size: the result's size in dimension dim, if it is known; it is checked.
        axis: another name of dim.

    Returns:
        Tensor of input's type.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: a number is negative, there are not as many as indices of dim, or output_size is not their sum.

    Example:
        >>> gpunet.repeat_interleave(gpunet.tensor([1, 2]), 2)
        tensor([1, 1, 2, 2])
    """
    if axis is not None:
        dim = by_axis("repeat_interleave", dim, axis)
    if input is None or repeats is None:
        return _indices_repeated(repeats if input is None else input, output_size)
    x: Tensor = input
    if dim is None:
        x, dim = reshaped(x, (x._array.size,)), 0
    dim = check_dim(dim, x._array.ndim, "repeat_interleave")
    shape = x._array.shape or (1,)
    if isinstance(repeats, INTS):
        _check_repeats(np.array(repeats), shape[dim], output_size)
        pairs = reshaped(x, (*shape[: dim + 1], 1, *shape[dim + 1 :]))
        wide = clone_op(_expand(pairs, shape=(*shape[: dim + 1], repeats, *shape[dim + 1 :])))
        return reshaped(wide, (*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :]))
    counts = host_read(repeats, "repeat_interleave") if is_tensor(repeats) else np.array(repeats)
    if counts.ndim > 1 or counts.size not in (1, shape[dim]):
        raise RuntimeError(f"repeat_interleave: dimension {dim} of size {shape[dim]} needs as many numbers of repeats, "
                           f"got shape {counts.shape}")
    _check_repeats(counts, shape[dim], output_size)
    places = np.repeat(np.arange(shape[dim]), counts.reshape(-1))
    return index_select(x, dim, x.new_tensor(places, dtype=public(INT64_NP)))


def _indices_repeated(counts: Any, output_size: int | None) -> Tensor:
    if not is_tensor(counts):
        raise TypeError("repeat_interleave() missing 1 required argument: 'input'")
    numbers = host_read(counts, "repeat_interleave")
    _check_repeats(numbers, numbers.size, output_size)
    return counts.new_tensor(np.repeat(np.arange(numbers.size), numbers), dtype=counts.dtype)


def _check_repeats(counts, size, output_size):
    if (counts < 0).any():
        which = "numbers" if counts.ndim else "number"
        raise RuntimeError(f"repeat_interleave: the {which} of repeats must not be negative, got {counts.tolist()}")
    total = int(counts.sum()) * (size if counts.size == 1 else 1)  # one number counts for all
    if output_size is not None and output_size != total:
        raise RuntimeError(f"repeat_interleave: output_size is {output_size}, but the result has size {total}")


# ---- other orders --------------------------------------------------------------------------------------------------


@op(same)
def flip_op(xp, out, x, *, dims):
    out[...] = x[tuple(slice(None, None, -1) if i in dims else slice(None) for i in range(x.ndim))]


@flip_op.gradient
def _(g, _y, _x, *, dims):
    return (flip_op(g, dims=dims),)


def flip(input: Tensor, dims: int | Sequence[int]) -> Tensor:
    """The order of the elements reversed along dimensions: a copy, as in PyTorch.

    Args:
        input: tensor of any type.
        dims: the dimension, or dimensions.

    Returns:
        Tensor of input's shape and type.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: a dimension is named twice.

    Example:
        >>> gpunet.flip(gpunet.tensor([[1, 2], [3, 4]]), (0,))
        tensor([[3, 4],
                [1, 2]])
    """
    dims = (dims,) if isinstance(dims, INTS) else tuple(dims)
    return flip_op(input, dims=dims_of(dims, input._array.ndim, "flip") if dims else ())


def fliplr(input: Tensor) -> Tensor:
    """The order of dimension 1 reversed: a copy.

    Args:
        input: tensor of at least 2 dimensions.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: input has fewer than 2 dimensions.

    Example:
        >>> gpunet.fliplr(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([[2, 1],
                [4, 3]])
    """
    if input._array.ndim < 2:
        raise RuntimeError(f"fliplr: expected at least 2 dimensions, got shape {tuple(input.shape)}")
    return flip_op(input, dims=(1,))


def flipud(input: Tensor) -> Tensor:
    """The order of dimension 0 reversed: a copy.

    Args:
        input: tensor of at least 1 dimension.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: input has no dimension.

    Example:
        >>> gpunet.flipud(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([[3, 4],
                [1, 2]])
    """
    if input._array.ndim < 1:
        raise RuntimeError("flipud: expected at least 1 dimension, got a 0-d tensor")
    return flip_op(input, dims=(0,))


@op(same)
def roll_op(xp, out, x, *, shifts, dims):
    out[...] = xp.roll(x, shifts, dims)


@roll_op.gradient
def _(g, _y, _x, *, shifts, dims):
    return (roll_op(g, shifts=tuple(-n for n in shifts), dims=dims),)


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] = ()) -> Tensor:
    """The elements moved on along dimensions; those that leave at one end enter at the other.

    Args:
        input: tensor of any type.
        shifts: how far, towards higher indices; one number for each dimension.
        dims: the dimension, or dimensions. None or (): the flattened tensor is rolled and takes its shape again.

    Returns:
        Tensor of input's shape and type.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: there are not as many shifts as dimensions.

    Example:
        >>> gpunet.roll(gpunet.tensor([1, 2, 3, 4]), 1)
        tensor([4, 1, 2, 3])
    """
    shifts = (shifts,) if isinstance(shifts, INTS) else tuple(shifts)
    dims = () if dims is None else (dims,) if isinstance(dims, INTS) else tuple(dims)
    if not dims and len(shifts) == 1:
        flat = reshaped(input, (input._array.size,))
        return reshaped(roll_op(flat, shifts=shifts, dims=(0,)), input._array.shape)
    if len(shifts) != len(dims) or not shifts:
        raise RuntimeError(f"roll: expected one shift for each dimension, got shifts {shifts} and dimensions {dims}")
    if input._array.ndim == 0:
        raise IndexError("roll: a 0-d tensor has no dimension to roll along")
    return roll_op(input, shifts=shifts, dims=tuple([check_dim(d, input._array.ndim, "roll") for d in dims]))


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """The planes of two dimensions turned by k times 90 degrees, from the first dimension towards the second.

    Args:
        input: tensor of at least 2 dimensions.
        k: the number of quarter turns; negative ones turn the other way.
        dims: the two dimensions.

    Returns:
        Tensor of input's type: a copy.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: the dimensions are not two different ones.

    Example:
        >>> gpunet.rot90(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([[2, 4],
                [1, 3]])
    """
    dims = tuple(dims)
    if len(dims) != 2 or input._array.ndim < 2:
        raise RuntimeError(f"rot90: expected two dimensions of a tensor that has them, got {dims} and shape "
                           f"{tuple(input.shape)}")
    a, b = (check_dim(d, input._array.ndim, "rot90") for d in dims)
    if a == b:
        raise RuntimeError(f"rot90: the two dimensions must differ, got {dims}")
    if k % 4 == 1:
        return transpose(flip_op(input, dims=(b,)), a, b)
    if k % 4 == 3:
        return flip_op(transpose(input, a, b), dims=(b,))
    return flip_op(input, dims=(a, b)) if k % 4 else clone_op(input)
