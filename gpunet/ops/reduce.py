"""Reductions: sums, means, extremes."""

from __future__ import annotations

import builtins
import math
from math import prod as product
from typing import NamedTuple

from gpunet.dispatch import bind, op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, INT64_NP, UINT8_NP, public
from gpunet.ops.compare import eq, isnan, ne, where
from gpunet.ops.exponentials import sqrt
from gpunet.ops.half import rounded_once
from gpunet.ops.index import gather_op
from gpunet.ops.join import cat
from gpunet.ops.limits import maximum, minimum
from gpunet.ops.pieces import narrow
from gpunet.ops.rules import accumulator, check_dim, dims_of, reduced_shape, reduction, require_float

__all__ = ["all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "max", "mean", "min",
           "nanmean", "nansum", "prod", "std", "std_mean", "sum", "var", "var_mean"]


def _back(g, dims, shape):
    """A reduced gradient with its dimensions restored as size 1, ready to broadcast."""
    return g.reshape(reduced_shape(shape, dims, True))


def _over(operation):
    """An op as a function of (input, dim, keepdim): what depends on the dimensions alone is found once."""
    known = {}

    def reduce(input, dim, keepdim):
        key = dim, keepdim, input._array.ndim
        try:
            bound = known.get(key)
        except TypeError:
            return reduce(input, tuple(dim), keepdim)
        if bound is None:
            dims = dims_of(dim, input._array.ndim, operation.op.name)
            bound = known[key] = bind(operation, dims=dims, keepdim=keepdim)
        return bound(input)

    return reduce


# ---- sums ----------------------------------------------------------------------------------------------------------


def _accumulated(x, *, dims, keepdim):
    """Integers and bools accumulate in int64."""
    return reduced_shape(x.shape, dims, keepdim), INT64_NP if x.dtype.kind in "iub" else x.dtype


@op(_accumulated)
def sum_op(xp, out, x, *, dims, keepdim):
    if out.dtype in HALF_TYPES:
        xp.copyto(out, xp.sum(x, axis=dims, dtype=FLOAT32_NP, keepdims=keepdim), casting="unsafe")
    else:
        xp.add.reduce(x, dims, out.dtype, out, keepdim)  # np.sum, without the way there


@sum_op.gradient
def _(g, _y, x_meta, *, dims, keepdim):
    return (_back(g, dims, x_meta.shape).expand(x_meta.shape),)


def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over all elements, or over the given dimensions. Integers and bools sum in int64, half types in
    float32 before the result is rounded."""
    if dtype is None:
        return _sum(input, dim, keepdim)
    return _sum(input.to(dtype), dim, keepdim).to(dtype)


_sum = _over(sum_op)


@op(reduction)
def mean_op(xp, out, x, *, dims, keepdim):
    if out.dtype not in HALF_TYPES:
        xp.add.reduce(x, dims, out.dtype, out, keepdim)
        xp.divide(out, x.size / out.size if out.size else math.nan, out)
    else:
        xp.copyto(out, xp.mean(x, axis=dims, dtype=FLOAT32_NP, keepdims=keepdim), casting="unsafe")


@mean_op.gradient
def _(g, _y, x_meta, *, dims, keepdim):
    count = product(x_meta.shape[d] for d in dims)
    return ((_back(g, dims, x_meta.shape) / count).expand(x_meta.shape),)


def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over all elements, or over the given dimensions; floating-point types only (or give `dtype`)."""
    if dtype is not None:
        input = input.to(dtype)
    require_float(input._array, "mean")
    return _mean(input, dim, keepdim)


_mean = _over(mean_op)


@op(_accumulated)
def prod_op(xp, out, x, *, dims, keepdim):
    wide = accumulator(out.dtype)
    xp.copyto(out, xp.prod(x, axis=dims, dtype=wide, keepdims=keepdim), casting="unsafe")


@prod_op.gradient
@rounded_once
def _(g, _, x, *, dims, keepdim):
    # Products of all other elements, from the left and from the right: exact where elements are zero.
    if x._array.ndim == 0:
        return (g.clone(),)
    if x._array.size == 0:
        return (x.new_zeros(x._array.shape),)
    flat = x.reshape(-1) if len(dims) == x._array.ndim else x.movedim(dims[0], -1)
    before, after = _exclusive_products(flat), _exclusive_products(flat.flip(-1)).flip(-1)
    others = before * after
    others = others.reshape(x._array.shape) if len(dims) == x._array.ndim else others.movedim(-1, dims[0])
    return (_back(g, dims, x._array.shape) * others,)


def _exclusive_products(x):
    """Along the last dimension, the product of all elements before each."""
    return cat([x.new_ones((*x._array.shape[:-1], 1)), narrow(x, -1, 0, x._array.shape[-1] - 1).cumprod(-1)], -1)


def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product of all elements, or along one dimension. Integers and bools multiply in int64."""
    if dtype is not None:
        input = input.to(dtype)
    result = prod_op(input, dims=dims_of(dim, input._array.ndim, "prod"), keepdim=keepdim)
    return result if dtype is None else result.to(dtype)


@rounded_once
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=1):
    """The variance with divisor N - correction (Bessel's correction by default); `unbiased` True or False is an older
    way to say correction 1 or 0, and may come first: var(x, False)."""
    require_float(input._array, "var")
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    correction = (1 if correction is None else correction) if unbiased is None else int(unbiased)
    dims = dims_of(dim, input._array.ndim, "var")
    count = product(input._array.shape[d] for d in dims)
    centred = input - mean_op(input, dims=dims, keepdim=True)
    total = sum_op(centred * centred, dims=dims, keepdim=keepdim)
    return total / (builtins.max(count - correction, 0.0) if count else 0)


@rounded_once
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=1):
    """The standard deviation: the square root of `var`."""
    return _root(var(input, dim, unbiased, keepdim, correction=correction))


def _root(variance):
    """The square root, whose gradient at 0, where all elements are equal, is 0."""
    zero = eq(variance, 0)
    return where(zero, 0.0, sqrt(where(zero, 1.0, variance)))


@rounded_once
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=1):
    """The pair (std, mean)."""
    variance, centre = var_mean(input, dim, unbiased, keepdim, correction=correction)
    return _root(variance), centre


def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=1):
    """The pair (var, mean)."""
    return (var(input, dim, unbiased, keepdim, correction=correction),
            mean(input, None if isinstance(dim, bool) else dim, keepdim))


def count_nonzero(input, dim=None):
    """How many elements (along the dimensions) are not zero."""
    return sum(ne(input, 0), dim)


def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum of what is not NaN."""
    return sum(where(isnan(input), 0, input), dim, keepdim, dtype=dtype)


@rounded_once
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of what is not NaN."""
    if dtype is not None:
        input = input.to(dtype)
    require_float(input._array, "nanmean")
    return nansum(input, dim, keepdim) / sum(eq(input, input), dim, keepdim)


# ---- extremes ------------------------------------------------------------------------------------------------------


def _extreme(name, function, text):
    def body(xp, out, x, *, dims, keepdim):
        getattr(x, function)(axis=dims, out=out, keepdims=keepdim)

    body.__name__ = name

    def rule(x, *, dims, keepdim):
        if builtins.any(x.shape[d] == 0 for d in dims):
            raise IndexError(f"{name}: a dimension of size 0 has no {text} element; shape {x.shape}")
        return reduction(x, dims=dims, keepdim=keepdim)

    declared = op(rule)(body)

    @declared.gradient
    @rounded_once
    def _(g, y, x, *, dims, keepdim):  # ties share the gradient evenly
        chosen = eq(x, _back(y, dims, x._array.shape)).to(g.dtype)
        return (_back(g, dims, x._array.shape) * (chosen / sum_op(chosen, dims=dims, keepdim=True)),)

    return declared


def _extreme_dims(input, dim, op):
    if input._array.size == 0 and (dim is None or dim == ()):
        raise RuntimeError(f"{op}: a tensor without elements, of shape {tuple(input.shape)}, has no extreme one; give "
                           "a dim whose size is not 0")
    return dims_of(dim, input._array.ndim, op)


amax_op = _extreme("amax", "max", "largest")
amin_op = _extreme("amin", "min", "smallest")


def amax(input, dim=(), keepdim=False):
    """The largest elements over the given dimensions (all by default); equal ones share the gradient."""
    return amax_op(input, dims=_extreme_dims(input, dim, "amax"), keepdim=keepdim)


def amin(input, dim=(), keepdim=False):
    """The smallest elements over the given dimensions (all by default); equal ones share the gradient."""
    return amin_op(input, dims=_extreme_dims(input, dim, "amin"), keepdim=keepdim)


def _arg(name):
    def rule(x, *, dim, keepdim):
        if x.shape[dim] == 0 if dim is not None and x.ndim else x.size == 0:
            raise IndexError(f"{name}: expected a dimension of nonzero size, got shape {x.shape}")
        if dim is None:
            return (1,) * x.ndim if keepdim else (), INT64_NP
        return reduced_shape(x.shape, (dim,) if x.ndim else (), keepdim), INT64_NP

    def body(xp, out, x, *, dim, keepdim):
        getattr(xp, name)(x, axis=dim if x.ndim else None, out=out, keepdims=keepdim)

    body.__name__ = name
    return op(rule, differentiable=False)(body)


argmax_op, argmin_op = _arg("argmax"), _arg("argmin")


def argmax(input, dim=None, keepdim=False):
    """The index (int64) of the largest element, the first of equals: of all elements flattened, or along `dim`."""
    return argmax_op(input, dim=dim if dim is None else check_dim(dim, input._array.ndim, "argmax"), keepdim=keepdim)


def argmin(input, dim=None, keepdim=False):
    """The index (int64) of the smallest element, the first of equals: of all elements flattened, or along `dim`."""
    return argmin_op(input, dim=dim if dim is None else check_dim(dim, input._array.ndim, "argmin"), keepdim=keepdim)


class ValuesIndices(NamedTuple):
    """The result of `max`, `min` and their like along a dimension."""

    values: object
    indices: object


def _best(name, whole, pairwise, arg):
    """PyTorch's max or min, which are three functions in one."""

    def best(input, dim=None, keepdim=False):
        if dim is None:
            return whole(input)
        if hasattr(dim, "_array"):
            return pairwise(input, dim)
        dim = check_dim(dim, input._array.ndim, name)
        if input._array.ndim == 0:
            return ValuesIndices(input.clone(), input.new_zeros((), dtype=public(INT64_NP)))
        indices = arg(input, dim=dim, keepdim=True)
        values = gather_op(input, indices, dim=dim)
        return ValuesIndices(values, indices) if keepdim else ValuesIndices(values.squeeze(dim), indices.squeeze(dim))

    best.__name__ = best.__qualname__ = name
    best.__doc__ = (f"Without `dim` the {name}imum of all elements; with `dim` a pair (values, indices) along it; with "
                    f"a tensor as second argument the element-wise {name}imum.")
    return best


max, min = _best("max", amax, maximum, argmax_op), _best("min", amin, minimum, argmin_op)


class MinMax(NamedTuple):
    """The result of `aminmax`."""

    min: object
    max: object


def aminmax(input, *, dim=None, keepdim=False):
    """The pair (min, max) of all elements, or along a dimension."""
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


# ---- truth ---------------------------------------------------------------------------------------------------------


def _truth(name):
    def body(xp, out, x, *, dims, keepdim):
        getattr(xp, name)(x if x.dtype == BOOL_NP else x != 0, axis=dims, out=out, keepdims=keepdim)

    body.__name__ = name

    def rule(x, *, dims, keepdim):  # uint8, which was PyTorch's bool once, keeps its type there and so here
        return reduced_shape(x.shape, dims, keepdim), x.dtype if x.dtype == UINT8_NP else BOOL_NP

    return op(rule, differentiable=False)(body)


_all, _any = _truth("all"), _truth("any")


def all(input, dim=None, keepdim=False):
    """Whether all elements (along the dimensions) are nonzero."""
    return _all(input, dims=dims_of(dim, input._array.ndim, "all"), keepdim=keepdim)


def any(input, dim=None, keepdim=False):
    """Whether any element (along the dimensions) is nonzero."""
    return _any(input, dims=dims_of(dim, input._array.ndim, "any"), keepdim=keepdim)
