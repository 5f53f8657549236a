"""CuPy's functions on arrays of the simulated device: NumPy computes, on device memory.

Signatures are CuPy's, and narrower than NumPy's in places: what works here works there.
"""

# pyright: reportUnsupportedDunderAll=false
# (functions are made from tables, and so is the list of names)

from collections.abc import Callable, Container
from typing import Any

import ml_dtypes
import numpy as np

from gpunet._quiet import restore, silence
from gpunet.sim.cupy._array import (
    FUNCTIONS,
    adopt,
    adopt_all,
    adopt_or_wrap,
    ndarray,
    new,
    operand,
    quietly,
    refuse_sorting,
    unwrapped,
)

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

# What CuPy has of the ufuncs' methods: which reduce, and which update in place at indices, and in which types.
_REDUCE = {"add", "multiply"}
_INTEGERS, _FLOATS = ("int32", "int64", "uint32", "uint64"), ("float32", "float64")
_AT = {"add": (*_INTEGERS, "float16", *_FLOATS), "subtract": ("int32", "uint32"), "maximum": (*_INTEGERS, *_FLOATS),
       "minimum": (*_INTEGERS, *_FLOATS), **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), _INTEGERS)}


# ---- element by element -----------------------------------------------------------------------------------------
class ufunc:
    """A function of single elements, with broadcasting; `out` is a device array or a tuple of them."""

    __slots__ = ("_numpy", "name")

    def __init__(self, function: np.ufunc) -> None:
        self._numpy = function
        self.name = "cupy_" + function.__name__

    nin = property(lambda self: self._numpy.nin)
    nout = property(lambda self: self._numpy.nout)
    nargs = property(lambda self: self._numpy.nargs)
    types = property(lambda self: self._numpy.types)

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        values = [value._host if type(value) is ndarray else operand(value) for value in args]
        if kwargs and not kwargs.keys() <= {"dtype", "casting"}:
            raise TypeError(f"Wrong arguments {kwargs}")
        token = silence()
        try:
            if out is not None:
                self._numpy(*values, out=out._host if type(out) is ndarray else unwrapped(out), **kwargs)
                return out
            result = self._numpy(*values, **kwargs)
        finally:
            restore(token)
        if len(args) > self._numpy.nin:  # outputs given by position
            return args[-1]
        return adopt(result) if self._numpy.nout == 1 else adopt_all(result)

    def _refuse(self, method: str, supported: Container[str]) -> None:
        if self._numpy.__name__ not in supported:
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
        self._refuse("reduce", _REDUCE)
        return _call(self._numpy.reduce, (array, axis, dtype), out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        self._refuse("accumulate", _REDUCE)
        return _call(self._numpy.accumulate, (array, axis, dtype), out)

    def outer(self, A: Any, B: Any, **kwargs: Any) -> ndarray:
        return adopt(self._numpy.outer(operand(A), operand(B), **kwargs))

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        self._refuse("at", _AT)
        types = _AT[self._numpy.__name__]
        if a.dtype.name not in types:
            raise TypeError(f"{self.name.replace('_', '.', 1)}.at only supports {', '.join(types)} as data type")
        rest = () if b is None else (operand(b),)
        self._numpy.at(operand(a), unwrapped(indices), *rest)

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"


_UFUNCS = """
    absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_count bitwise_or bitwise_xor
    cbrt ceil conjugate copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1 fabs float_power floor
    floor_divide fmax fmin fmod frexp gcd greater greater_equal heaviside hypot invert isfinite isinf isnan lcm ldexp
    left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
    maximum minimum modf multiply negative nextafter not_equal positive power rad2deg radians reciprocal
    remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh trunc
""".split()
globals().update({name: ufunc(getattr(np, name)) for name in _UFUNCS})
_OTHER_NAMES = dict(abs="absolute", acos="arccos", acosh="arccosh", asin="arcsin", asinh="arcsinh", atan="arctan",
                    atan2="arctan2", atanh="arctanh", bitwise_invert="invert", bitwise_not="invert",
                    bitwise_left_shift="left_shift", bitwise_right_shift="right_shift", conj="conjugate",
                    mod="remainder", pow="power", true_divide="divide")
globals().update({name: globals()[other] for name, other in _OTHER_NAMES.items()})


class _Matmul:
    """In CuPy no ufunc: it takes `out` by name only."""

    def __call__(self, x1: Any, x2: Any, /, *, out: Any = None, **kwargs: Any) -> Any:
        if out is not None:
            return _call(np.matmul, (x1, x2), out, **kwargs)
        return x1 @ x2 if not kwargs else _call(np.matmul, (x1, x2), **kwargs)


matmul = _Matmul()


# ---- the other functions: one line for each, from CuPy's own signature ------------------------------------------
def _call(function: Callable[..., Any], args: Any, out: Any = None, **kwargs: Any) -> Any:
    args = unwrapped(args)
    kwargs = {name: unwrapped(value) for name, value in kwargs.items()}
    if out is None:
        return adopt_all(quietly(function, *args, **kwargs))
    quietly(function, *args, out=operand(out), **kwargs)
    return out


def _view(function: Callable[..., Any], args: Any, **kwargs: Any) -> Any:
    result = function(*unwrapped(args), **kwargs)
    if isinstance(result, tuple | list):
        return type(result)(map(adopt_or_wrap, result))
    if function is np.broadcast_to:
        result.flags.writeable = True  # as CuPy's is
    return adopt_or_wrap(result)


def _plain(function: Callable[..., Any], args: Any, **kwargs: Any) -> Any:
    return function(*unwrapped(args), **kwargs)


def _define(how: str, table: str) -> None:
    """Make a function for each line "name(signature)": `how` calls NumPy's function of that name."""
    for line in filter(None, map(str.strip, table.splitlines())):
        name, _, signature = line.removesuffix(")").partition("(")
        positional, keywords, by_name = [], [], False
        for parameter in signature.split(", "):
            word = parameter.partition("=")[0]
            if word == "*" or word == "/":
                by_name = word == "*"
            elif word.startswith("**") or (word.startswith("*") and positional):
                keywords.append(word)
            elif word == "out" or by_name or keywords or word in _BY_NAME:
                keywords.append(f"{word}={word}")
            else:
                positional.append(word)
        arguments = ", ".join([f"({', '.join(positional)},)", *keywords])
        source = f"def {name}({signature}):\n    return {how}(_numpy_{name}, {arguments})\n"
        globals()[f"_numpy_{name}"] = getattr(np, name)
        exec(compile(source, f"<gpunet.sim.cupy.{name}>", "exec"), globals())


# NumPy takes these by name only, or in another place.
_BY_NAME = {"keepdims", "ddof", "dtype", "equal_nan", "mode", "indexing", "order"}

_define("_call", """
    sum(a, axis=None, dtype=None, out=None, keepdims=False)
    prod(a, axis=None, dtype=None, out=None, keepdims=False)
    max(a, axis=None, out=None, keepdims=False)
    min(a, axis=None, out=None, keepdims=False)
    amax(a, axis=None, out=None, keepdims=False)
    amin(a, axis=None, out=None, keepdims=False)
    mean(a, axis=None, dtype=None, out=None, keepdims=False)
    any(a, axis=None, out=None, keepdims=False)
    all(a, axis=None, out=None, keepdims=False)
    nansum(a, axis=None, dtype=None, out=None, keepdims=False)
    nanmax(a, axis=None, out=None, keepdims=False)
    nanmin(a, axis=None, out=None, keepdims=False)
    cumsum(a, axis=None, dtype=None, out=None)
    cumprod(a, axis=None, dtype=None, out=None)
    count_nonzero(a, axis=None)
    trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None)
    nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None)
    diff(a, n=1, axis=-1)
    vdot(a, b)
    inner(a, b)
    outer(a, b, out=None)
    kron(a, b)
    tensordot(a, b, axes=2)
    concatenate(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
    stack(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
    vstack(tup, *, dtype=None, casting='same_kind')
    hstack(tup, *, dtype=None, casting='same_kind')
    tile(A, reps)
    repeat(a, repeats, axis=None)
    pad(array, pad_width, mode='constant', **kwargs)
    roll(a, shift, axis=None)
    tri(N, M=None, k=0, dtype=float)
    take(a, indices, axis=None, out=None)
    take_along_axis(a, indices, axis)
    nonzero(a)
    argwhere(a)
    flatnonzero(a)
    searchsorted(a, v, side='left', sorter=None)
    isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
    allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
    array_equal(a1, a2, equal_nan=False)
    linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
    eye(N, M=None, k=0, dtype=float, order='C')
    identity(n, dtype=float)
    indices(dimensions, dtype=int)
    meshgrid(*xi, **kwargs)
    real(val)
    imag(val)
""")
_define("_view", """
    reshape(a, newshape, order='C', *, copy=None)
    ravel(a, order='C')
    transpose(a, axes=None)
    swapaxes(a, axis1, axis2)
    moveaxis(a, source, destination)
    rollaxis(a, axis, start=0)
    expand_dims(a, axis)
    squeeze(a, axis=None)
    flip(a, axis=None)
    broadcast_to(array, shape)
    split(ary, indices_or_sections, axis=0)
    array_split(ary, indices_or_sections, axis=0)
    diagonal(a, offset=0, axis1=0, axis2=1)
    diag(v, k=0)
    broadcast_arrays(*args)
    atleast_1d(*arys)
    atleast_2d(*arys)
""")
_define("_plain", """
    can_cast(from_, to, casting='safe')
    may_share_memory(a, b, max_work=None)
    shares_memory(a, b, max_work=None)
    ndim(a)
    shape(a)
    size(a, axis=None)
    isscalar(element)
    broadcast_shapes(*args)
    put_along_axis(arr, indices, values, axis)
    fill_diagonal(a, val, wrap=False)
    place(arr, mask, vals)
    put(a, ind, v, mode='wrap')
    result_type(*arrays_and_dtypes)
""")
promote_types = np.promote_types


def argmax(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
    return a.argmax(axis, out, dtype, keepdims)


def argmin(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
    return a.argmin(axis, out, dtype, keepdims)


def argsort(a: Any, axis: Any = -1, kind: Any = None) -> ndarray:
    return a.argsort(axis)


def sort(a: Any, axis: Any = -1, kind: Any = None) -> ndarray:
    refuse_sorting(a)
    return _call(np.sort, (a, axis), kind="stable")


def partition(a: Any, kth: Any, axis: Any = -1) -> ndarray:
    refuse_sorting(a)
    return _call(np.partition, (a, kth, axis))


def argpartition(a: Any, kth: Any, axis: Any = -1) -> ndarray:
    refuse_sorting(a)
    return _call(np.argpartition, (a, kth, axis))


def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: Any = False, keepdims: Any = False) -> ndarray:
    refuse_sorting(a)
    return _call(np.median, (a, axis), out, overwrite_input=overwrite_input, keepdims=keepdims)


def isin(element: Any, test_elements: Any, assume_unique: Any = False, invert: Any = False) -> ndarray:
    refuse_sorting(element)
    return _call(np.isin, (element, test_elements, assume_unique, invert))


def var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False) -> ndarray:
    return a.var(axis, dtype, out, ddof, keepdims)


def std(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False) -> ndarray:
    return a.std(axis, dtype, out, ddof, keepdims)


def round(a: Any, decimals: Any = 0, out: Any = None) -> ndarray:
    return a.round(decimals, out)


around = round


def clip(a: Any, a_min: Any, a_max: Any, out: Any = None) -> ndarray:
    return a.clip(a_min, a_max, out)


def dot(a: Any, b: Any, out: Any = None) -> ndarray:
    if type(b) is not ndarray:
        raise TypeError(f"Argument 'b' has incorrect type (expected ndarray, got {type(b).__name__})")
    return a.dot(b, out)


def choose(a: Any, choices: Any, out: Any = None, mode: Any = "raise") -> ndarray:
    return a.choose(choices, out, mode)


def einsum(*operands: Any, **kwargs: Any) -> ndarray:
    if not kwargs.keys() <= {"dtype", "optimize"}:
        raise TypeError(f"Did not understand the following kwargs: {list(kwargs)}")
    return _call(np.einsum, operands, **kwargs)


def tril(m: Any, k: Any = 0) -> ndarray:
    return _selected(_call(np.tril, (m, k)))


def triu(m: Any, k: Any = 0) -> ndarray:
    return _selected(_call(np.triu, (m, k)))


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return _call(np.nonzero, (condition,))
    a, b = operand(x), operand(y)
    # Beside bfloat16 NumPy takes a number for an array of its own type.
    if type(x) is ndarray and x.dtype == _BFLOAT16 and type(y) in (int, float, bool):
        b = np.asarray(y, x.dtype)
    if type(y) is ndarray and y.dtype == _BFLOAT16 and type(x) in (int, float, bool):
        a = np.asarray(x, y.dtype)
    return _selected(adopt(np.where(operand(condition), a, b)))


def _selected(result: Any) -> ndarray:
    """CuPy selects bfloat16 in float32."""
    return result.astype(np.float32) if result.dtype == _BFLOAT16 else result


def bincount(x: Any, weights: Any = None, minlength: Any = None) -> ndarray:
    return adopt(np.bincount(operand(x), operand(weights), minlength or 0))


def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = None) -> None:
    if where is None:
        quietly(np.copyto, operand(dst), operand(src), casting)
    else:
        quietly(np.copyto, operand(dst), operand(src), casting, where=operand(where))


def unique(ar: Any, return_index: Any = False, return_inverse: Any = False, return_counts: Any = False,
           axis: Any = None, *, equal_nan: Any = True) -> Any:
    return adopt_all(np.unique(operand(ar), return_index, return_inverse, return_counts, axis, equal_nan=equal_nan))


# ---- making arrays ----------------------------------------------------------------------------------------------
def empty(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    return new(shape, dtype, order)


def zeros(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    return full(shape, 0, dtype, order)


def ones(shape: Any, dtype: Any = float, order: Any = "C") -> ndarray:
    return full(shape, 1, dtype, order)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C") -> ndarray:
    value = operand(fill_value)
    array = new(shape, np.asarray(value).dtype if dtype is None else dtype, order)
    array._host[...] = value
    return array


def empty_like(prototype: Any, dtype: Any = None, order: Any = "K", subok: Any = None, shape: Any = None) -> ndarray:
    host = prototype._host
    if order in "KA":
        order = "F" if host.flags.fnc else "C"
    return new(host.shape if shape is None else shape, host.dtype if dtype is None else dtype, order)


def zeros_like(a: Any, dtype: Any = None, order: Any = "K", subok: Any = None, shape: Any = None) -> ndarray:
    return full_like(a, 0, dtype, order, subok, shape)


def ones_like(a: Any, dtype: Any = None, order: Any = "K", subok: Any = None, shape: Any = None) -> ndarray:
    return full_like(a, 1, dtype, order, subok, shape)


def full_like(a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: Any = None,
              shape: Any = None) -> ndarray:
    array = empty_like(a, dtype, order, subok, shape)
    array._host[...] = operand(fill_value)
    return array


def array(obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", subok: Any = False, ndmin: Any = 0, *,
          blocking: Any = False) -> ndarray:
    """Device array from anything: this, and asarray, are how host data gets to the device."""
    if type(obj) is ndarray:
        if not copy and (dtype is None or obj.dtype == np.dtype(dtype)) and ndmin <= obj.ndim:
            return obj
        return adopt(np.array(obj._host, dtype, order=order, ndmin=ndmin))
    if type(obj) in (list, tuple):
        obj = _lists(obj)
    return adopt(np.array(obj, dtype, order=order, ndmin=ndmin, copy=None))


def _lists(value: Any) -> Any:
    if type(value) in (list, tuple):
        return [_lists(item) for item in value]
    return value._host if type(value) is ndarray else value


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: Any = False) -> ndarray:
    return array(a, dtype, bool(copy), order or "K")


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    if type(a) is ndarray and a._host.flags.c_contiguous and a.ndim and (dtype is None or a.dtype == np.dtype(dtype)):
        return a
    return adopt(np.ascontiguousarray(unwrapped(a) if type(a) is ndarray else a, dtype))


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    return adopt(np.asfortranarray(unwrapped(a) if type(a) is ndarray else a, dtype))


def copy(a: Any, order: Any = "K") -> ndarray:
    return a.copy(order)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    if stop is None and step == 1:
        return adopt(np.arange(start, dtype=dtype))
    begin: Any = 0 if stop is None else start
    end: Any = start if stop is None else stop
    return adopt(np.arange(begin, end, step, dtype=dtype))


def asnumpy(a: Any, stream: Any = None, order: Any = "C", out: Any = None, *, blocking: Any = True) -> Any:
    if type(a) is ndarray:
        return a.get(stream, order, out)
    result = np.asarray(a, order=order)
    if out is None:
        return result
    out[...] = result
    return out


_HELPERS = {"Any", "Callable", "Container", "FUNCTIONS", "np", "ml_dtypes", "adopt", "adopt_all", "adopt_or_wrap",
            "new", "operand", "quietly", "refuse_sorting", "restore", "silence", "unwrapped"}
__all__ = sorted(name for name in list(globals()) if not name.startswith("_") and name not in _HELPERS)
FUNCTIONS.update((name, globals()[name]) for name in __all__)
