"""Several tensors brought to common shapes: more dimensions, broadcasting, grids and combinations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as _choose
from itertools import combinations_with_replacement as _choose_again
from typing import TYPE_CHECKING

import numpy as np

from gpunet._warn import warn
from gpunet.dispatch import is_tensor
from gpunet.dtypes import INT64_NP, INTS, public
from gpunet.ops.index import getitem
from gpunet.ops.rules import broadcast
from gpunet.ops.shape import expand, transpose
from gpunet.ops.views import _index, cat_op, reshaped
from gpunet.size import Size

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "broadcast_shapes", "broadcast_tensors", "cartesian_prod",
           "combinations", "meshgrid"]


def _all(given) -> tuple:
    """Tensors that may have come as one sequence."""
    return tuple(given[0]) if len(given) == 1 and not is_tensor(given[0]) else tuple(given)


def _grown(tensors, grow):
    """Each of several tensors, or the only one, with more dimensions."""
    if len(tensors) == 1 and is_tensor(tensors[0]):
        return grow(tensors[0])
    return tuple([grow(x) for x in _all(tensors)])


def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Tensors of at least 1 dimension: 0-d tensors become vectors.

    Args:
        tensors: one tensor, or several, one by one or as one sequence.

    Returns:
        View of the only tensor, or a tuple of views.

    Example:
        >>> gpunet.atleast_1d(gpunet.tensor(1.0))
        tensor([1.])
    """
    return _grown(tensors, lambda x: x if x._array.ndim else reshaped(x, (1,)))


def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Tensors of at least 2 dimensions: vectors become rows.

    Args:
        tensors: one tensor, or several, one by one or as one sequence.

    Returns:
        View of the only tensor, or a tuple of views.

    Example:
        >>> gpunet.atleast_2d(gpunet.tensor([1, 2]))
        tensor([[1, 2]])
    """
    return _grown(tensors, _as_matrix)


def _as_matrix(x):
    return x if x._array.ndim > 1 else reshaped(x, (1, x._array.size))


def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Tensors of at least 3 dimensions: vectors become [1, n, 1], matrices [m, n, 1].

    Args:
        tensors: one tensor, or several, one by one or as one sequence.

    Returns:
        View of the only tensor, or a tuple of views.

    Example:
        >>> gpunet.atleast_3d(gpunet.tensor([1, 2])).shape
        gpunet.Size([1, 2, 1])
    """
    return _grown(tensors, lambda x: x if x._array.ndim > 2 else _index(_as_matrix(x), key=(*[slice(None)] * 2, None)))


def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """The shape to which shapes broadcast.

    Args:
        shapes: sequences of sizes; an int is the shape of a vector.

    Returns:
        The common shape.

    Raises:
        RuntimeError: the shapes do not broadcast.

    Example:
        >>> gpunet.broadcast_shapes((2, 1), (3,))
        gpunet.Size([2, 3])
    """
    result: tuple = ()
    for shape in shapes:
        result = broadcast(result, (shape,) if isinstance(shape, INTS) else tuple(shape))
    return Size(result)


def broadcast_tensors(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape, without a copy.

    Args:
        tensors: tensors whose shapes broadcast, one by one or as one sequence.

    Returns:
        Tuple of views of one shape.

    Raises:
        RuntimeError: the shapes do not broadcast.

    Example:
        >>> gpunet.broadcast_tensors(gpunet.tensor([1, 2]), gpunet.tensor([[3]]))
        (tensor([[1, 2]]), tensor([[3, 3]]))
    """
    each, shape = _all(tensors), ()
    for x in each:
        try:
            shape = broadcast(shape, x._array.shape)
        except RuntimeError as error:
            raise RuntimeError(f"broadcast_tensors: {error}") from None
    return tuple([expand(x, shape) for x in each])


def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates of a grid: for each vector a tensor of the grid's shape, along one dimension of which it runs.

    Args:
        tensors: vectors of one type, one by one or as one sequence; 0-d tensors count as vectors.
        indexing: "ij": vector number i runs along dimension i. "xy": the first two dimensions are exchanged. None
            is "ij", with a warning.

    Returns:
        Tuple of views.

    Raises:
        RuntimeError: a tensor has more than 1 dimension, the types differ, or indexing is another word.

    Example:
        >>> gpunet.meshgrid(gpunet.tensor([1, 2]), gpunet.tensor([3, 4]), indexing="ij")
        (tensor([[1, 1],
                [2, 2]]), tensor([[3, 4],
                [3, 4]]))
    """
    each = _all(tensors)
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    if indexing is None:
        warn("meshgrid: give indexing='ij' or 'xy'; 'ij' is taken")
    grid = _grid(each, "meshgrid")
    return tuple([transpose(x, 0, 1) for x in grid]) if indexing == "xy" and len(grid) > 1 else tuple(grid)


def _grid(vectors, name):
    for x in vectors:
        if x._array.ndim > 1:
            raise RuntimeError(f"{name}: expected vectors, got shape {tuple(x.shape)}")
        if x._array.dtype != vectors[0]._array.dtype:
            raise RuntimeError(f"{name}: expected one type, got {vectors[0].dtype} and {x.dtype}")
    shape = [x._array.size for x in vectors]
    return [expand(reshaped(x, tuple([n if d == i else 1 for d, n in enumerate(shape)])), shape)
            for i, x in enumerate(vectors)]


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of one element from each vector, in the order of itertools.product.

    Args:
        tensors: vectors of one type.

    Returns:
        Matrix of a combination a row; a single vector as it is.

    Raises:
        RuntimeError: a tensor has more than 1 dimension, or the types differ.

    Example:
        >>> gpunet.cartesian_prod(gpunet.tensor([1, 2]), gpunet.tensor([3, 4]))
        tensor([[1, 3],
                [1, 4],
                [2, 3],
                [2, 4]])
    """
    each = _all(tensors)
    if len(each) == 1:
        return each[0]
    columns = [reshaped(x, (x._array.size, 1)) for x in _grid(each, "cartesian_prod")]
    return cat_op(*columns, dim=1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All combinations of r elements of a vector, in the order of itertools.combinations.

    Args:
        input: vector of any type.
        r: the number of elements in a combination.
        with_replacement: whether a combination may have an element more than once.

    Returns:
        Matrix of a combination a row.

    Raises:
        RuntimeError: input is not a vector.

    Example:
        >>> gpunet.combinations(gpunet.tensor([1, 2, 3]))
        tensor([[1, 2],
                [1, 3],
                [2, 3]])
    """
    if input._array.ndim != 1:
        raise RuntimeError(f"combinations: expected a vector, got shape {tuple(input.shape)}")
    if r == 0:
        return input.new_zeros((0,))
    choose = _choose_again if with_replacement else _choose
    rows = np.array(list(choose(range(input._array.size), r)), np.int64).reshape(-1, r)
    return getitem(input, (input.new_tensor(rows, dtype=public(INT64_NP)),))
