"""Views, joins and splits: ops that move no arithmetic. A view copies nothing and shares its base's memory."""

from __future__ import annotations

from math import prod

import numpy as np

from gpunet.dispatch import is_tensor, op, promote, view
from gpunet.dtypes import as_numpy, dtype
from gpunet.engine.graph import sum_to
from gpunet.engine.modes import mode
from gpunet.ops.rules import check_dim, same

__all__ = ["broadcast_to", "cat", "chunk", "clone", "concat", "concatenate", "detach", "flatten", "is_floating_point",
           "moveaxis", "movedim", "narrow", "numel", "permute", "ravel", "reshape", "select", "split", "squeeze",
           "stack", "swapaxes", "swapdims", "t", "transpose", "unbind", "unflatten", "unsqueeze"]

# ---- copies --------------------------------------------------------------------------------------------------------


@op(same, strided=True)
def clone_op(xp, out, x):
    xp.copyto(out, x)


@clone_op.gradient
def _(g, _y, _x):
    return (g,)


def clone(input, *, memory_format=None):
    """A copy with memory of its own; gradients flow through it."""
    return clone_op(input)


def contiguous(input):
    """The tensor itself if its elements lie in memory in row-major order, else a copy that does."""
    return input if input._array.flags.c_contiguous else clone_op(input)


@op(lambda x, *, dtype: (x.shape, dtype), strided=True)
def cast(xp, out, x, *, dtype):
    # Out of range casts (NaN to integer, say) are what the hardware makes of them, as in PyTorch.
    xp.copyto(out, x, casting="unsafe")


@cast.gradient
def _(g, _y, x_meta, *, dtype):
    return (cast(g, dtype=x_meta.dtype) if g._array.dtype != x_meta.dtype else g,)


def numel(input) -> int:
    """The number of elements."""
    return input.numel()


def is_floating_point(input) -> bool:
    """Whether the type is a floating-point type."""
    return input.dtype.is_floating_point


def detach(input):
    """The same memory without history: gradients stop here."""
    return input.detach()


# ---- views ---------------------------------------------------------------------------------------------------------


@view
def _reshape(xp, x, *, shape):
    return x.reshape(shape)


@_reshape.gradient
def _(g, _y, x_meta, *, shape):
    return (reshape(g, x_meta.shape),)


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


def reshape(input, *shape):
    """The same elements in another shape: a view where that is possible, else a copy. One size may be -1."""
    if len(shape) == 1 and shape[0].__class__ is not int and hasattr(shape[0], "__iter__"):
        shape = tuple(shape[0])
    array = input._array
    if array.flags.c_contiguous and prod(shape) == array.size and min(shape, default=0) >= 0:
        return _reshape(input, shape=shape)
    shape = resolve_shape(shape, array.size, "reshape")
    if not can_view(array, shape):
        input = clone_op(input)
    return _reshape(input, shape=shape)


@view
def _bits(xp, x, *, dtype):
    try:
        return x.view(dtype)
    except ValueError as error:
        raise RuntimeError(f"view: {x.dtype} of shape {x.shape} cannot be seen as {dtype}: {error}") from None


def view_as_shape(input, *shape):
    """The same memory in another shape, or its bits as another type (without gradients). An error where that would
    need a copy (use `reshape`)."""
    if len(shape) == 1 and (shape[0].__class__ is dtype or shape[0].__class__ is type):
        return _bits(input.detach(), dtype=as_numpy(shape[0]))
    shape = resolve_shape(shape, input._array.size, "view")
    if not can_view(input._array, shape):
        raise RuntimeError(f"view: shape {shape} is not compatible with the strides of this tensor of shape "
                           f"{tuple(input.shape)}; use reshape(), which copies where it must")
    return _reshape(input, shape=shape)


@view
def _permute(xp, x, *, dims):
    return x.transpose(dims)


@_permute.gradient
def _(g, _y, _x, *, dims):
    inverse = [0] * len(dims)
    for i, d in enumerate(dims):
        inverse[d] = i
    return (_permute(g, dims=tuple(inverse)),)


def permute(input, *dims):
    """The dimensions in another order: a view."""
    dims = tuple(dims[0]) if len(dims) == 1 and hasattr(dims[0], "__iter__") else dims
    rank = input._array.ndim
    if len(dims) != rank or {check_dim(d, rank, "permute") for d in dims} != set(range(rank)):
        raise RuntimeError(f"permute: {dims} does not name each dimension of shape {tuple(input.shape)} once")
    return _permute(input, dims=tuple(check_dim(d, rank, "permute") for d in dims))


def transpose(input, dim0: int, dim1: int):
    """Two dimensions exchanged: a view."""
    rank = input._array.ndim
    dims = list(range(rank))
    if rank == 0:
        check_dim(dim0, 0, "transpose"), check_dim(dim1, 0, "transpose")
        return _permute(input, dims=())
    a, b = check_dim(dim0, rank, "transpose"), check_dim(dim1, rank, "transpose")
    dims[a], dims[b] = b, a
    return _permute(input, dims=tuple(dims))


swapaxes = swapdims = transpose


def t(input):
    """The transpose of a matrix; tensors of fewer dimensions are returned as they are."""
    if input._array.ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {tuple(input.shape)}; use "
                           "transpose(dim0, dim1)")
    return _permute(input, dims=tuple(range(input._array.ndim))[::-1])


def movedim(input, source, destination):
    """Dimensions moved to other places, the rest keeping their order."""
    rank = input._array.ndim
    source, destination = ([check_dim(d, rank, "movedim") for d in ((dims,) if isinstance(dims, int) else dims)]
                           for dims in (source, destination))
    if len(source) != len(destination) or len(set(source)) + len(set(destination)) < 2 * len(source):
        raise RuntimeError(f"movedim: source and destination must be as many dimensions, each named once, got {source} "
                           f"and {destination}")
    if rank == 0:
        return _permute(input, dims=())
    moved = dict(zip(destination, source, strict=True))
    rest = iter([d for d in range(rank) if d not in moved.values()])
    return _permute(input, dims=tuple(moved[d] if d in moved else next(rest) for d in range(rank)))


moveaxis = movedim


@view
def _expand(xp, x, *, shape):
    view = xp.broadcast_to(x, shape)
    if view.__class__ is np.ndarray:
        view.flags.writeable = x.flags.writeable  # NumPy's is read-only; inplace.py checks what may be written
    return view


@_expand.gradient
def _(g, _y, x_meta, *, shape):
    return (sum_to(g, x_meta.shape),)


def expand(input, *shape):
    """Size-1 dimensions repeated without a copy; -1 keeps a size; new dimensions may be added in front."""
    shape = tuple(shape[0]) if len(shape) == 1 and hasattr(shape[0], "__iter__") else shape
    have = input._array.shape
    extra = len(shape) - len(have)
    if extra < 0:
        raise RuntimeError(f"expand: {len(shape)} sizes {shape} were given for a tensor of {len(have)} dimensions")
    wanted = []
    for i, n in enumerate(shape):
        old = have[i - extra] if i >= extra else None
        if n == -1 and old is None:
            raise RuntimeError(f"expand: the new leading dimension {i} needs a size, not -1")
        if old not in (None, 1, n) and n != -1:
            raise RuntimeError(f"expand: size {n} at dimension {i} does not match the existing size {old} of {have}")
        wanted.append(old if n == -1 else n)
    return _expand(input, shape=tuple(wanted))


def broadcast_to(input, shape):
    """`expand` to a shape."""
    return expand(input, shape)


def squeeze(input, dim=None):
    """Without the dimensions of size 1: all of them, or only those given."""
    shape = input._array.shape
    rank = len(shape)
    if dim is None:
        drop = set(range(rank))
    else:
        drop = {check_dim(d, rank, "squeeze") for d in ((dim,) if isinstance(dim, int) else dim)}
    return _reshape(input, shape=tuple(n for i, n in enumerate(shape) if not (n == 1 and i in drop)))


def unsqueeze(input, dim: int):
    """A new dimension of size 1 at `dim`."""
    shape = input._array.shape
    dim = check_dim(dim, len(shape) + 1, "unsqueeze")
    return _index(input, key=(slice(None),) * dim + (None,))


def flatten(input, start_dim: int = 0, end_dim: int = -1):
    """The dimensions from start_dim to end_dim made into one. A 0-d tensor becomes one element."""
    shape = input._array.shape
    rank = len(shape)
    if rank == 0:
        return reshape(input, 1)
    start, end = check_dim(start_dim, rank, "flatten"), check_dim(end_dim, rank, "flatten")
    if start > end:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return input if start == end else reshape(input, *shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])


def unflatten(input, dim: int, sizes):
    """One dimension split into several; one size may be -1."""
    shape = input._array.shape
    dim = check_dim(dim, len(shape), "unflatten")
    return reshape(input, *shape[:dim], *resolve_shape(tuple(sizes), shape[dim], "unflatten"), *shape[dim + 1 :])


def ravel(input):
    """All elements in one dimension."""
    return reshape(input, -1)


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


def unfold(input, dimension: int, size: int, step: int):
    """All windows of `size` elements, `step` apart, along a dimension; their elements become the last one: a view."""
    if input._array.ndim == 0:
        return unfold(reshape(input, 1), dimension, size, step)[0] if size else reshape(input, 1)[:0]
    dim = check_dim(dimension, input._array.ndim, "unfold")
    if not 0 <= size <= input._array.shape[dim]:
        raise RuntimeError(f"unfold: windows of {size} do not fit in dimension {dim} of size {input._array.shape[dim]}")
    if step <= 0:
        raise RuntimeError(f"unfold: the step must be positive, got {step}")
    return _windows(input, dim=dim, size=size, step=step)


@view
def _index(xp, x, *, key):
    # The ellipsis makes NumPy return a 0-d view instead of a scalar.
    return x[(*key, ...)]


@_index.gradient
def _(g, _y, x_meta, *, key):
    return (spread(g, shape=x_meta.shape, step=(_index.op, {"key": key})),)


@op(lambda g, *, shape, step: (shape, g.dtype))
def spread(xp, out, g, *, shape, step):
    """The gradient of a view whose elements are all different ones: zeros, with `g` where the view was. `step` is the
    view op and its attributes."""
    operation, attrs = step
    out[...] = 0
    xp.copyto(operation.body(xp, out, **attrs), g)


@spread.gradient
def _(gg, _y, _g, *, shape, step):
    operation, attrs = step
    return (operation.call(gg, **attrs),)


def narrow(input, dim: int, start: int, length: int):
    """`length` elements of a dimension from `start` on: a view."""
    if input._array.ndim == 0:
        raise RuntimeError("narrow: a 0-d tensor has no dimension to take elements of")
    dim = check_dim(dim, input._array.ndim, "narrow")
    size = input._array.shape[dim]
    if not -size <= start <= size:
        raise IndexError(f"narrow: start {start} is out of range for dimension {dim} of size {size}")
    start = start + size if start < 0 else start
    if length < 0 or start + length > size:
        raise RuntimeError(f"narrow: start {start} and length {length} do not fit in dimension {dim} of size {size}")
    return _index(input, key=(slice(None),) * dim + (slice(start, start + length),))


def slice_of(input, dim: int, part: slice, op: str) -> tuple:
    """The key of a slice of one dimension."""
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


def select(input, dim: int, index: int):
    """One index of a dimension, which disappears: a view."""
    return _index(input, key=index_of(input, dim, index, "select"))


def unbind(input, dim: int = 0):
    """A tuple of the slices along a dimension: views."""
    dim = check_dim(dim, input._array.ndim, "unbind")
    return tuple(select(input, dim, i) for i in range(input._array.shape[dim]))


def split(tensor, split_size_or_sections, dim: int = 0):
    """Pieces of one size (the last may be smaller), or of the given sizes, along a dimension: views."""
    dim = check_dim(dim, tensor._array.ndim, "split")
    size = tensor._array.shape[dim]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step <= 0 and not (step == 0 and size == 0):
            raise RuntimeError(f"split: the size of a piece must be positive, got {step}")
        sizes = [min(step, size - i) for i in range(0, size, step)] if size else [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != size:
            raise RuntimeError(f"split: sizes {sizes} sum to {sum(sizes)}, but dimension {dim} has size {size}")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(tensor, dim, start, n) for start, n in zip(starts, sizes, strict=True))


def chunk(input, chunks: int, dim: int = 0):
    """At most `chunks` pieces of equal size (the last may be smaller) along a dimension: views."""
    if chunks <= 0:
        raise RuntimeError(f"chunk: the number of chunks must be positive, got {chunks}")
    size = input._array.shape[check_dim(dim, input._array.ndim, "chunk")]
    if size == 0:
        return split(input, [0] * chunks, dim)
    return split(input, -(-size // chunks), dim)


# ---- joins ---------------------------------------------------------------------------------------------------------


def _counts(x) -> bool:
    """Whether an entry of cat() does: one of shape (0,) is left out, whatever the shape of the others."""
    return x.shape != (0,)


def _joined(*arrays, dim):
    at = next((i for i, array in enumerate(arrays) if _counts(array)), 0)
    first = arrays[at]
    for k, array in enumerate(arrays):
        if _counts(array) and (array.ndim != first.ndim or any(
            a != b for i, (a, b) in enumerate(zip(array.shape, first.shape, strict=True)) if i != dim
        )):
            raise RuntimeError(f"cat: shapes {first.shape} and {array.shape} of entries {at} and {k} differ in a "
                               f"dimension other than {dim}")
    size = sum([array.shape[dim] for array in arrays if _counts(array)])
    return (*first.shape[:dim], size, *first.shape[dim + 1 :]), first.dtype


@op(_joined)
def cat_op(xp, out, *arrays, dim):
    xp.concatenate([array for array in arrays if array.ndim == out.ndim], axis=dim, out=out)


@cat_op.gradient
def _(g, _, *xs_meta, dim):
    parts = iter(split(g, [x.shape[dim] for x in xs_meta if _counts(x)], dim))
    return [next(parts) if _counts(x) else g.new_zeros((0,)) for x in xs_meta]


def cat(tensors, dim: int = 0):
    """Tensors joined along an existing dimension. Types are promoted; tensors of shape (0,) are left out."""
    tensors = list(tensors)
    if not tensors:
        raise ValueError("cat: expected at least one tensor")
    first = None
    for i, x in enumerate(tensors):
        if not is_tensor(x):
            raise TypeError(f"cat: expected tensors, got {type(x).__name__} for entry {i}")
        if not x._array.ndim:
            raise RuntimeError(f"cat: entry {i} is a 0-d tensor, and these cannot be joined; use stack")
        if first is None and _counts(x._array):
            first = x
    return cat_op(*promote(tensors), dim=check_dim(dim, (tensors[0] if first is None else first)._array.ndim, "cat"))


concat = concatenate = cat


def stack(tensors, dim: int = 0):
    """Tensors of one shape joined along a new dimension."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack: expected at least one tensor")
    for i, x in enumerate(tensors):
        if not is_tensor(x):
            raise TypeError(f"stack: expected tensors, got {type(x).__name__} for entry {i}")
        if x._array.shape != tensors[0]._array.shape:
            raise RuntimeError(f"stack: all tensors must have one shape, got {tuple(tensors[0].shape)} for entry 0 and "
                               f"{tuple(x.shape)} for entry {i}")
    return cat([unsqueeze(x, check_dim(dim, tensors[0]._array.ndim + 1, "stack")) for x in tensors], dim)




def _turning(function):
    """A view's form that gives the tensor itself another shape."""

    def method(target, *arguments):
        if target._requires_grad and target._node is None and mode.grad:
            raise RuntimeError(f"{function.__name__}_: a leaf tensor that requires gradients cannot be changed in "
                               "place while operations are recorded")
        turned = function(target, *arguments)
        target._array, target._node = turned._array, turned._node
        target._view = target._view and turned._view
        return target

    method.__name__ = method.__qualname__ = function.__name__ + "_"
    method.__doc__ = f"`{function.__name__}` of the tensor itself."
    return method


# Functions that are methods only.
METHODS = {"contiguous": contiguous, "expand": expand, "split": split, "unfold": unfold, "view": view_as_shape}
METHODS |= {name + "_": _turning(function) for name, function in (
    ("squeeze", squeeze), ("swapaxes", swapaxes), ("swapdims", swapdims), ("t", t), ("transpose", transpose),
    ("unsqueeze", unsqueeze))}
