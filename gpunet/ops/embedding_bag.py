"""Bags of rows of a table: their sums, means or maxima, without the rows of a bag being kept apart by the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import host_read
from gpunet.dtypes import HALF_TYPES, INT64_NP, public
from gpunet.dtypes import float32 as _FLOAT32
from gpunet.ops.embedding import embedding
from gpunet.ops.ranges import arange
from gpunet.ops.searching import searchsorted

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__: list[str] = []

_MODES = ("sum", "mean", "max")


def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
                  norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Tensor:
    """Sums, means or maxima of bags of rows of a table. An empty bag gives zeros.

    Args:
        input: tensor of row numbers, of an integer type: [bags, rows of each], or all bags in a row [rows].
        weight: tensor of shape (count, features): the table.
        offsets: for an input [rows], where each bag begins; the first is 0.
        max_norm: rows that are used and have a larger norm are scaled down to it, in the table itself.
        norm_type: order of that norm.
        scale_grad_by_freq: divide gradients by how often the row occurs in the input; not for "max".
        mode: "sum", "mean" or "max".
        sparse: must be False: gradients are dense tensors.
        per_sample_weights: tensor of input's shape: by what each row is multiplied; for "sum" only.
        include_last_offset: the last offset is where the last bag ends.
        padding_idx: a row that is left out of the bags and gets no gradient.

    Returns:
        Tensor [bags, features] of weight's type.

    Raises:
        ValueError: the mode is unknown, or offsets and the input's dimensions do not fit each other.
        RuntimeError: weights are given for another mode than "sum" or are of another shape, or sparse is True.
        IndexError: an element of the input is no row; on cuda this is raised at the next synchronisation.

    Example:
        >>> table = gpunet.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
        >>> F.embedding_bag(gpunet.tensor([0, 1, 2]), table, gpunet.tensor([0, 2]), mode="sum")
        tensor([[2., 4.],
                [4., 5.]])
    """
    if mode not in _MODES:
        raise ValueError(f"embedding_bag: mode must be one of {', '.join(_MODES)}, got {mode!r}")
    if sparse:
        raise RuntimeError("embedding_bag: gradients are dense tensors here; leave out sparse=True")
    if mode == "max" and scale_grad_by_freq:
        raise RuntimeError("embedding_bag: scale_grad_by_freq has no meaning for mode 'max'; leave it out")
    if per_sample_weights is not None:
        if mode != "sum":
            raise RuntimeError(f"embedding_bag: per_sample_weights are for mode 'sum' only, got mode {mode!r}")
        if per_sample_weights._array.shape != input._array.shape:
            raise RuntimeError("embedding_bag: per_sample_weights must have the input's shape "
                               f"{input._array.shape}, got {per_sample_weights._array.shape}")
    if padding_idx is not None:
        count = weight._array.shape[0]
        if not -count <= padding_idx < count:
            raise ValueError(f"embedding_bag: padding_idx {padding_idx} is no row of a table of {count}")
        padding_idx %= count
    bag, bags = _bags(input, offsets, include_last_offset)
    rows = input.reshape(-1)
    values = embedding(rows, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    if values._array.dtype in HALF_TYPES:
        values = values.to(_FLOAT32)
    used = values.new_ones(rows._array.shape) if padding_idx is None else (rows != padding_idx).to(values.dtype)
    last = bags  # rows behind the last bag's end are in a bag of their own, which is left out
    bags += bool(include_last_offset and offsets is not None)
    if mode == "max":
        return _largest(values, used, bag, bags)[:last].to(weight.dtype)
    factors = used if per_sample_weights is None else used * per_sample_weights.reshape(-1)
    if padding_idx is not None or per_sample_weights is not None:
        values = values * factors.unsqueeze(-1)
    total = values.new_zeros((bags, values._array.shape[1])).index_add(0, bag, values)
    if mode == "mean":
        total = total / used.new_zeros((bags,)).index_add(0, bag, used).clamp(min=1).unsqueeze(-1)
    return total[:last].to(weight.dtype)


def _bags(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> tuple[Tensor, int]:
    """For each row the number of its bag, and how many bags there are."""
    shape, integer = input._array.shape, public(INT64_NP)
    if len(shape) == 2:
        if offsets is not None:
            raise ValueError("embedding_bag: an input of 2 dimensions has its bags in its rows; leave offsets out")
        return arange(shape[0], device=input.device).repeat_interleave(shape[1]), shape[0]
    if len(shape) != 1:
        raise ValueError(f"embedding_bag: expected an input of 1 or 2 dimensions, got shape {shape}")
    if offsets is None or offsets._array.ndim != 1:
        raise ValueError("embedding_bag: an input of 1 dimension needs offsets of 1 dimension, where each bag begins")
    count = offsets._array.shape[0] - bool(include_last_offset)
    if count < 0:
        raise ValueError("embedding_bag: include_last_offset needs at least one offset")
    if offsets._device.type == "cpu" and offsets._array.size:
        given = host_read(offsets, "embedding_bag")
        if given[0] != 0 or given[-1] > shape[0]:
            raise ValueError(f"embedding_bag: offsets must begin with 0 and lie in the input, which has {shape[0]} "
                             f"rows, got {given[0]} to {given[-1]}")
    begins = offsets.to(integer)
    return searchsorted(begins, arange(shape[0], device=input.device), right=True) - 1, count


def _largest(values: Tensor, used: Tensor, bag: Tensor, bags: int) -> Tensor:
    """The largest elements of the bags: they are laid out in a table [bags, longest, features]."""
    rows, features = values._array.shape
    if not rows or not bags:
        return values.new_zeros((bags, features)) + values.sum() * 0
    integer = bag.dtype
    length = bag.new_zeros((bags,)).index_add(0, bag, bag.new_ones(bag._array.shape))
    longest = int(host_read(length.max(), "embedding_bag with mode 'max'"))
    begin = length.cumsum(0) - length
    place = bag * longest + arange(rows, device=bag.device, dtype=integer) - begin[bag]
    table = values.new_full((bags * longest, features), float("-inf"))
    lowest = values.masked_fill((used == 0).unsqueeze(-1), float("-inf"))
    table = table.index_copy(0, place, lowest).reshape(bags, longest, features)
    found = table.max(1).values
    return found.masked_fill(found == float("-inf"), 0.0)
