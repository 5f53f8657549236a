"""Views, copies and joins: ops that move no arithmetic. A view copies nothing and shares its base's memory.

The functions that users call are in shape.py, sizes.py, pieces.py and join.py.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet._channels_last import as_rows, is_channels_last, leans_last, lies_last
from gpunet.dispatch import OpFunction, op, perform_into, view, wrap
from gpunet.engine.graph import Part, sum_to
from gpunet.engine.modes import mode
from gpunet.native.halves import FLOATS, convert
from gpunet.ops import elementwise, join_launch, pointwise
from gpunet.ops.rules import check_dim, same

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

# ---- copies --------------------------------------------------------------------------------------------------------


def _copy(name: str, **options) -> OpFunction:
    def body(xp, out, x):
        xp.copyto(out, x)

    body.__name__ = name
    declared = op(same, strided=True, **options)(body)
    declared.kernel(pointwise.clone)
    declared.gradient(lambda g, _y, _x: (g,))

    @declared.cpu(strided=True, types=FLOATS)
    def _(out, x):
        elementwise.copy(out, x)

    return declared


clone_op = _copy("clone", by_element=True)
contiguous_op = _copy("contiguous")  # in row-major order, also of a tensor in channels last


@op(lambda x, *, dtype: (x.shape, dtype), strided=True, by_element=True)
def cast(xp, out, x, *, dtype):
    # Out of range casts (NaN to integer, say) are what the hardware makes of them, as in PyTorch.
    xp.copyto(out, x, casting="unsafe")


cast.kernel(pointwise.cast)


@cast.cpu(strided=True, types=())
def _(out, x, *, dtype):
    return None if convert(out, x) else NotImplemented


@cast.gradient
def _(g, _y, x_meta, *, dtype):
    return (cast(g, dtype=x_meta.dtype) if g._array.dtype != x_meta.dtype else g,)


def copied(x: Tensor, last: bool) -> Tensor:
    """A copy, in channels last or in row-major order."""
    if last:
        return perform_into(clone_op.op, x, x._device.empty_last(x._array.shape, x._array.dtype))
    return contiguous_op(x) if leans_last(x._array) else clone_op(x)


def as_it_lies(x: Tensor) -> Tensor:
    """The tensor with its dimensions in their order in memory, if it is in channels last: the same memory, for what
    takes each element for itself."""
    array = x._array
    return x if array.flags.c_contiguous or not lies_last(array) else wrap(as_rows(array), x._device, x._version)


def casted(x: Tensor, dtype: np.dtype, last: bool) -> Tensor:
    """The tensor as another type, in channels last or in row-major order."""
    if last:
        return perform_into(cast.op, x, x._device.empty_last(x._array.shape, dtype), dtype=dtype)
    result = cast(x, dtype=dtype)
    return contiguous_op(result) if leans_last(result._array) else result


# ---- views ---------------------------------------------------------------------------------------------------------


@view
def _reshape(xp, x, *, shape):
    return x.reshape(shape)


@_reshape.gradient
def _(g, _y, x_meta, *, shape):
    return (reshaped(g, x_meta.shape),)


def reshaped(x, shape: tuple[int, ...]):
    """A tensor in another shape of as many elements: a view where that is possible, else a copy."""
    return _reshape(x if can_view(x._array, shape) else contiguous_op(x), shape=shape)


def resolve_shape(shape, size: int, op: str) -> tuple[int, ...]:
    """A shape with its -1, if any, filled in; checked against the number of elements."""
    if len(shape) == 1 and not isinstance(shape[0], int) and hasattr(shape[0], "__iter__"):
        shape = tuple(shape[0])
    if -1 not in shape and prod(shape) == size and min(shape, default=0) >= 0:
        return shape
    shape = tuple(int(n) for n in shape)
    if -1 in shape:
        known = prod(n for n in shape if n != -1)
        if shape.count(-1) > 1:
            raise RuntimeError(f"{op}: only one dimension can be inferred, got {shape}")
        if known == 0 or size % known:
            raise RuntimeError(f"{op}: shape {shape} is invalid for a tensor of {size} elements")
        return tuple(size // known if n == -1 else n for n in shape)
    if prod(shape) != size or min(shape, default=0) < 0:
        raise RuntimeError(f"{op}: shape {shape} is invalid for a tensor of {size} elements")
    return shape


def can_view(array, shape: tuple) -> bool:
    """Whether an array can be seen with another shape without a copy: every run of old dimensions that a run of new
    ones replaces must lie evenly in memory."""
    if array.flags.c_contiguous or array.size == 0:
        return True
    old = [(n, s) for n, s in zip(array.shape, array.strides, strict=True) if n != 1]
    runs = []  # (elements, innermost stride) of maximal evenly spaced runs, outermost first
    for n, stride in old:
        if runs and runs[-1][1] == n * stride:
            runs[-1] = runs[-1][0] * n, stride
        else:
            runs.append((n, stride))
    new = [n for n in shape if n != 1]
    for elements, _ in runs:
        while elements > 1 and new:
            if elements % new[0]:
                return False
            elements //= new.pop(0)
        if elements > 1:
            return False
    return True


@view
def _bits(xp, x, *, dtype):
    try:
        return x.view(dtype)
    except ValueError as error:
        raise RuntimeError(f"view: {x.dtype} of shape {x.shape} cannot be seen as {dtype}: {error}") from None


@view
def _permute(xp, x, *, dims):
    return x.transpose(dims)


@_permute.gradient
def _(g, _y, _x, *, dims):
    inverse = [0] * len(dims)
    for i, d in enumerate(dims):
        inverse[d] = i
    return (_permute(g, dims=tuple(inverse)),)


@view
def _expand(xp, x, *, shape):
    view = xp.broadcast_to(x, shape)
    if view.__class__ is np.ndarray:
        view.flags.writeable = x.flags.writeable  # NumPy's is read-only; inplace.py checks what may be written
    return view


@_expand.gradient
def _(g, _y, x_meta, *, shape):
    return (sum_to(g, x_meta.shape),)


def memory_of(array):
    """The array whose memory an array is a view of: itself if it is none."""
    kind = type(array)
    while isinstance(getattr(array, "base", None), kind):
        array = array.base
    return array


def strided(xp, x, shape, strides):
    """The memory from x's first element on with another shape and other steps, in bytes."""
    return xp.lib.stride_tricks.as_strided(x, shape, strides)


@view
def _windows(xp, x, *, dim, size, step):
    shape = (*x.shape[:dim], (x.shape[dim] - size) // step + 1, *x.shape[dim + 1 :], size)
    return strided(xp, x, shape, (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1 :], x.strides[dim]))


@_windows.gradient
def _(g, _y, x_meta, *, dim, size, step):
    return (window_sum(g, shape=x_meta.shape, dim=dim, size=size, step=step),)


@op(lambda g, *, shape, dim, size, step: (shape, g.dtype))
def window_sum(xp, out, g, *, shape, dim, size, step):
    """The gradient of windows: each element's sum over the windows that it is in, in a fixed order."""
    out[...] = 0
    windows = _windows.op.body(xp, out, dim=dim, size=size, step=step)
    for i in range(size):  # the windows' elements number i are all different ones
        windows[..., i] += g[..., i]


@window_sum.gradient
def _(gg, _y, _g, *, shape, dim, size, step):
    return (_windows(gg, dim=dim, size=size, step=step),)


@view
def _index(xp, x, *, key):
    # The ellipsis makes NumPy return a 0-d view instead of a scalar.
    return x[(*key, ...)]


@_index.gradient
def _(g, _y, x_layout, *, key):
    return (Slices(x_layout.shape, x_layout.strides, [(g, key)]),)


class Slices(Part):
    """The gradient of slices of one tensor, of which all but the slices are 0. Slices that lie side by side and are the
    whole, such as `split` and `unbind` give, are joined, in memory in the order in which the tensor lay. Of others one
    is filled up with zeros, and the rest are added to it where they belong: tensors of the whole's size for each would
    take long where there are many."""

    __slots__ = "pieces", "shape", "strides"

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], pieces: list[tuple[Tensor, tuple]]) -> None:
        self.shape, self.strides, self.pieces = shape, strides, pieces

    def beside(self, other: Any) -> Slices:
        """The gradient of both's slices."""
        return Slices(self.shape, self.strides, [*self.pieces, *other.pieces])

    def __call__(self) -> Tensor:
        """The gradient."""
        if len(self.pieces) > 1:
            joined = self._joined()
            if joined is not None:
                return joined
        (g, key), *others = self.pieces
        total, ours = self._filled_up(g, key), not mode.grad and g._array.size != prod(self.shape)
        for g, key in others:  # `ours`: nobody else has the total's memory
            place = _index(total, key=key)
            if ours and (total.device.type == "cpu" or place._array.flags.c_contiguous):  # as kernels of GPUs take it
                place.add_(g)
            else:
                total, ours = total + self._filled_up(g, key), not mode.grad
        return total

    def _filled_up(self, g: Tensor, key: tuple) -> Tensor:
        if g._array.size == prod(self.shape):  # all elements in their order, such as unsqueeze gives
            return reshaped(g, self.shape)
        return spread(g, shape=self.shape, step=(_index.op, {"key": key}))

    def _joined(self) -> Tensor | None:
        runs: list[tuple[int, int, int]] = []
        for _, key in self.pieces:
            run = _run_of(key, self.shape)
            if run is None or runs and run[0] != runs[0][0]:
                return None
            runs.append(run)
        order = sorted(range(len(runs)), key=lambda i: runs[i][1:])
        dim, end = runs[0][0], 0
        for i in order:
            _, start, stop = runs[i]
            if start != end:
                return None
            end = stop
        if end != self.shape[dim]:
            return None
        parts = []
        for i in order:
            g, key = self.pieces[i]
            parts.append(_index(g, key=(slice(None),) * dim + (None,)) if isinstance(key[dim], int) else g)
        order = sorted(range(len(self.shape)), key=lambda i: -self.strides[i])
        if order != list(range(len(order))):  # such as heads, which one projection has given: what goes back to it then
            turned = [_permute(part, dims=tuple(order)) for part in parts]  # lies as the projection needs it
            if turned[0]._device.type == "cpu" or all([part._array.flags.c_contiguous for part in turned]):
                joined = cat_op(*turned, dim=order.index(dim))
                return _permute(joined, dims=tuple([order.index(i) for i in range(len(order))]))
        return cat_op(*parts, dim=dim)


def _run_of(key: tuple, shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The dimension that a key takes a run of, its start and its end; None for other keys, and for all of a tensor."""
    found = None
    for dim, part in enumerate(key):
        if isinstance(part, slice) and part == slice(None):
            continue
        if found is not None or dim >= len(shape):
            return None
        if isinstance(part, slice):
            start, stop, step = part.indices(shape[dim])
            if step != 1 or stop <= start:
                return None
            found = dim, start, stop
        elif type(part) is int:
            start = part % shape[dim]
            found = dim, start, start + 1
        else:
            return None
    return found


@op(lambda g, *, shape, step: (shape, g.dtype))
def spread(xp, out, g, *, shape, step):
    """The gradient of a view whose elements are all different ones: zeros, with `g` where the view was. `step` is the
    view op and its attributes."""
    operation, attrs = step
    out[...] = 0
    xp.copyto(operation.body(xp, out, **attrs), g)


@spread.cpu(strided=True, types=FLOATS)
def _(out, g, *, shape, step):
    operation, attrs = step
    elementwise.copy(out, 0.0)
    elementwise.copy(operation.body(np, out, **attrs), g)


spread.kernel(join_launch.spread_view)


@spread.gradient
def _(gg, _y, _g, *, shape, step):
    operation, attrs = step
    return (operation.call(gg, **attrs),)


def slice_of(input, dim: int, part: slice | int, op: str) -> tuple:
    """The key of a slice, or an index, of one dimension."""
    if input._array.ndim == 0:
        raise IndexError(f"{op}: a 0-d tensor has no slices")
    return (slice(None),) * check_dim(dim, input._array.ndim, op) + (part,)


def index_of(input, dim: int, index: int, op: str) -> tuple:
    """The key of one index of a dimension."""
    key = slice_of(input, dim, index, op)
    size = input._array.shape[len(key) - 1]
    if not -size <= index < size:
        raise IndexError(f"{op}: index {index} is out of range for dimension {len(key) - 1} of size {size}")
    return key


# ---- joins ---------------------------------------------------------------------------------------------------------


def counts(x) -> bool:
    """Whether an entry of cat() does: one of shape (0,) is left out, whatever the shape of the others."""
    return x.shape != (0,)


def _joined(*arrays, dim):
    at = next((i for i, array in enumerate(arrays) if counts(array)), 0)
    first = arrays[at]
    for k, array in enumerate(arrays):
        if counts(array) and (array.ndim != first.ndim or any(
            a != b for i, (a, b) in enumerate(zip(array.shape, first.shape, strict=True)) if i != dim
        )):
            raise RuntimeError(f"cat: shapes {first.shape} and {array.shape} of entries {at} and {k} differ in a "
                               f"dimension other than {dim}")
    size = sum([array.shape[dim] for array in arrays if counts(array)])
    return (*first.shape[:dim], size, *first.shape[dim + 1 :]), first.dtype


@op(_joined)
def cat_op(xp, out, *arrays, dim):
    xp.concatenate([array for array in arrays if array.ndim == out.ndim], axis=dim, out=out)


@cat_op.channels_last
def _(cuda, *arrays, dim):
    return all(map(is_channels_last, arrays))


@cat_op.cpu(strided=True, types=FLOATS)
def _(out, *arrays, dim):
    start, before = 0, (slice(None),) * dim
    for array in arrays:
        if array.ndim == out.ndim:
            elementwise.copy(out[(*before, slice(start, start + array.shape[dim]))], array)
            start += array.shape[dim]


cat_op.kernel(join_launch.cat)


@cat_op.gradient
def _(g, _, *xs_meta, dim):
    parts, start = [], 0
    for x in xs_meta:
        if counts(x):
            key = (slice(None),) * dim + (slice(start, start + x.shape[dim]),)
            parts.append(_index(g, key=key))
            start += x.shape[dim]
        else:
            parts.append(g.new_zeros((0,)))
    return parts
