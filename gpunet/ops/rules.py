"""Shape and type rules that many ops share, and the checks of dimensions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gpunet.dispatch import NUMBERS, Mismatch
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, INTS, public


@lru_cache(maxsize=4096)
def broadcast(a: tuple, b: tuple) -> tuple:
    """The shape that two shapes broadcast to."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    shape = list(longer)
    offset = len(longer) - len(shorter)
    for i, n in enumerate(shorter):
        m = longer[offset + i]
        if n != m:
            if m == 1:
                shape[offset + i] = n
            elif n != 1:
                raise Mismatch(
                    f"shapes {a} and {b} do not broadcast: sizes {m} and {n} at dimension {offset + i} differ and "
                    "neither is 1; reshape or expand one of them"
                )
    return tuple(shape)


def elementwise(rule: Any) -> Any:
    """Decorator of a rule: results of inputs that are alike are like them."""
    rule.elementwise = True
    return rule


def by_element(rule: Any) -> Any:
    """Decorator of a rule: its ops take each element for itself, in any order (see `Op`)."""
    rule.by_element = True
    return rule


@elementwise
def same(x, **_):
    """One input; the result has its shape and type."""
    return x.shape, x.dtype


@by_element
@elementwise
def binary(x, y, **_):
    """Two inputs of one type, either of which may be a number."""
    if y.__class__ in NUMBERS:
        return x.shape, x.dtype
    if x.__class__ in NUMBERS:
        return y.shape, y.dtype
    shape, other = x.shape, y.shape
    return (shape if shape == other else broadcast(shape, other)), x.dtype


@by_element
def broadcasting(*inputs, **_):
    """Any number of inputs of one type, of which some may be numbers or None."""
    arrays = [x for x in inputs if x is not None and x.__class__ not in NUMBERS]
    shape = arrays[0].shape
    for x in arrays[1:]:
        shape = broadcast(shape, x.shape)
    return shape, arrays[0].dtype


def floating(op: str):
    """The rule `broadcasting` for an op that is not defined for integers."""

    def rule(*inputs, **_):
        shape, dtype = broadcasting(*inputs)
        refuse_integers(dtype, op)
        return shape, dtype

    return rule


def refuse_integers(dtype, op: str) -> None:
    """What `floating` checks, for a function that is made of an op of another name."""
    if dtype.kind in "iub":
        raise RuntimeError(f"{op}: defined for floating-point types, not for {public(dtype)}; use .float()")


def refuse_bool(dtype, op: str) -> None:
    if dtype == BOOL_NP:
        raise RuntimeError(f"{op}: not defined for bool tensors; convert them with .int() or .float()")


@by_element
def compare(x, y, **_):
    """Like `binary`, with a bool result."""
    return binary(x, y)[0], BOOL_NP


@by_element
def predicate(x, **_):
    return x.shape, BOOL_NP


def check_dim(dim: int, rank: int, op: str) -> int:
    """A dimension counted from the front; a negative one counts from the back. A 0-d tensor takes 0 and -1."""
    limit = max(rank, 1)
    if not -limit <= dim < limit:
        raise IndexError(f"{op}: dimension out of range: expected one between {-limit} and {limit - 1}, got {dim}")
    return dim + limit if dim < 0 else dim


def by_axis(name: str, dim, axis, default=None):
    """`axis`, given in place of `dim`. TypeError if both are given, or neither of a dimension that has to be."""
    if axis is None:
        raise TypeError(f"{name}() missing 1 required argument: 'dim'")
    if dim != default:
        raise TypeError(f"{name}() got both 'dim' and 'axis', which are one argument; give one of them")
    return axis


def dims_of(dim, rank: int, op: str) -> tuple[int, ...]:
    """The dimensions that a reduction removes: None or () means all."""
    return _dims_of(tuple(dim) if dim.__class__ is list else dim, rank, op)


@lru_cache(maxsize=4096)
def _dims_of(dim, rank, op):
    if isinstance(dim, INTS):
        return (check_dim(dim, rank, op),) if rank else (check_dim(dim, rank, op),)[:0]
    if not dim:
        return tuple(range(rank))
    dims = tuple(check_dim(d, rank, op) for d in dim)
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"{op}: dimension {next(d for d in dims if dims.count(d) > 1)} appears twice in {dim}")
    return dims if rank else ()


def reduced_shape(shape: tuple, dims: tuple, keepdim: bool) -> tuple:
    """The shape without the reduced dimensions, or with size 1 in their place."""
    if len(dims) == len(shape):
        return (1,) * len(shape) if keepdim else ()
    return _partly_reduced(shape, dims, keepdim)


@lru_cache(maxsize=4096)
def _partly_reduced(shape, dims, keepdim):
    if keepdim:
        return tuple(1 if i in dims else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in dims)


def reduction(x, *, dims, keepdim, **_):
    return reduced_shape(x.shape, dims, keepdim), x.dtype


def require_float(x, op: str) -> None:
    if x.dtype.kind in "iub":
        raise RuntimeError(f"{op}: the input must have a floating-point type, got {public(x.dtype)}; "
                           "convert it with .float()")


def accumulator(dtype):
    """The type in which sums of `dtype` are formed: half types add up in float32."""
    return FLOAT32_NP if dtype in HALF_TYPES else dtype
