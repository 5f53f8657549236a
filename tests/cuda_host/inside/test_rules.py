"""The simulator's array module refuses what CuPy refuses, and gives results of the types and shapes that CuPy gives.

So a body that runs on sim is called on cuda with arguments that CuPy takes. Values are not compared: nothing is
computed here. What the stand-in alone refuses is no fault.
"""

import re
import warnings

import cupy
import ml_dtypes
import numpy as np
import pytest

import gpunet.sim.cupy as stand_in

TYPES = [np.dtype(name) for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", ml_dtypes.bfloat16,
                                     "float32", "float64")]

# Functions, and calls of them as F. m is the array module; x and y are 4 by 4 arrays of each type in turn, i holds two
# indices, j 4 by 4. The last four lines name no function.
CALLS = """
    sum prod max min amax amin mean var std any all nansum nanmax nanmin median: F(x) ; F(x, 0) ; F(x, axis=(0, 1))
            ; F(x, -1, keepdims=True)
    sum prod mean nansum: F(x, 0, "float32") ; F(x, 0, dtype=int64) ; F(x, 0, None, m.zeros(4, x.dtype)) ; F(x,
            out=m.zeros((), float32))
    max min any all: F(x, 0, m.zeros(4, x.dtype)) ; F(x, axis=0, out=m.zeros(4, x.dtype)) ; F(x, 0, dtype=int64)
    argmax argmin: F(x) ; F(x, 0) ; F(x, 1, keepdims=True) ; F(x, 0, out=m.zeros(4, int64)) ; F(x, 0, None,
            m.zeros(4, int64))
    cumsum cumprod: F(x) ; F(x, 1) ; F(x, axis=0, dtype=float32) ; F(x, 0, None, m.zeros((4, 4), x.dtype)) ; F(x,
            axis=0, out=m.zeros((4, 4), float64))
    count_nonzero: F(x, 0)
    trace: F(x) ; F(x, 1)
    round around: F(x) ; F(x, 1) ; F(x, out=m.zeros((4, 4), x.dtype))
    clip: F(x, 0, 1) ; F(x, None, 1) ; F(x, 0, None) ; F(x, 0.5, 1.5) ; F(x, y, None) ; F(x, y, y) ; F(x, 0, 1,
            m.zeros((4, 4), x.dtype)) ; F(x, 0, 1, out=m.zeros((4, 4), x.dtype)) ; F(x, 0, 1, dtype=float32)
    nan_to_num: F(x) ; F(x, nan=1.0)
    diff: F(x) ; F(x, 2, 0)
    dot matmul: F(x, y) ; F(x, y[:, 0]) ; F(x, y, m.zeros((4, 4), x.dtype)) ; F(x, y, out=m.zeros((4, 4), x.dtype))
            ; F(x, y, out=m.zeros((4, 4), float32)) ; F(x, y.astype(float32)) ; F(x, 2)
    vdot inner kron outer: F(x, y) ; F(x[0], y[0])
    outer: F(x[0], y[0], m.zeros((4, 4), x.dtype))
    tensordot: F(x, y) ; F(x, y, 1)
    einsum: F("ij,kj->ik", x, y) ; F("ij->j", x) ; F("ij,ij", x, y) ; F("ij,kj->ik", x, y, out=m.zeros((4, 4),
            x.dtype)) ; F("ii->i", x)
    concatenate: F([x, y]) ; F((x, y), 1) ; F([x, y], 0, m.zeros((8, 4), x.dtype)) ; F([x, y], axis=None) ; F([x,
            y.astype(float32)]) ; F([x, y], dtype=float32) ; F([])
    stack: F([x, y]) ; F([x, y], -1) ; F([x, y], 0, m.zeros((2, 4, 4), x.dtype))
    vstack hstack: F([x, y])
    tile: F(x, 2) ; F(x, (2, 1, 3))
    repeat: F(x, 2) ; F(x, 2, 1)
    pad: F(x, 1) ; F(x, ((1, 0), (0, 2))) ; F(x, 1, "constant", constant_values=3) ; F(x, 1, "edge") ; F(x, 1,
            "reflect") ; F(x, 1, "wrap")
    roll: F(x, 1) ; F(x, (1, 2), (0, 1))
    tri: F(3) ; F(3, 4, 1, x.dtype)
    tril triu: F(x) ; F(x, 1)
    take: F(x, i, 0) ; F(x, i) ; F(x, 1, 1) ; F(x, i, 0, m.zeros((2, 4), x.dtype)) ; F(x, i, axis=0, out=m.zeros((2,
            4), x.dtype)) ; F(x, i, 0, mode="wrap")
    take_along_axis: F(x, j, 0) ; F(x, j, axis=None)
    put_along_axis: F(x, j, 1, 0)
    sort: F(x) ; F(x, 0) ; F(x, None)
    argsort: F(x) ; F(x, 0) ; F(x, None) ; F(x, kind="stable")
    partition: F(x, 2) ; F(x, 1, 0)
    searchsorted: F(x[0], y[0]) ; F(x[0], y, "right") ; F(x[0], 2)
    isclose allclose array_equal: F(x, y)
    isin: F(x, y)
    linspace: F(0, 1, 5) ; F(0, 1, 5, dtype=x.dtype)
    eye identity: F(3) ; F(3, dtype=x.dtype)
    indices: F((2, 3)) ; F((2, 3), x.dtype)
    meshgrid: F(x[0], y[0]) ; F(x[0], y[0], indexing="ij")
    real imag: F(x)
    reshape: F(x, (2, 8)) ; F(x, -1) ; F(x, (2, -1), "F") ; F(x, (3, 3))
    ravel: F(x) ; F(x, "F")
    transpose: F(x) ; F(x, (1, 0)) ; F(x, [0, 1]) ; F(x, (0,))
    swapaxes: F(x, 0, 1) ; F(x, 0, 2)
    moveaxis: F(x, 0, 1) ; F(x, (0, 1), (1, 0))
    rollaxis: F(x, 1)
    expand_dims: F(x, 0) ; F(x, (0, 3)) ; F(x, 4)
    squeeze: F(x) ; F(x[:1]) ; F(x[:1], 0) ; F(x, 0)
    flip: F(x) ; F(x, 0) ; F(x, (0, 1))
    broadcast_to: F(x, (2, 4, 4)) ; F(x, (4, 3))
    split array_split: F(x, 2) ; F(x, [1, 3], 1) ; F(x, 3)
    diagonal: F(x) ; F(x, 1)
    diag: F(x) ; F(x[0]) ; F(x[0], 1)
    broadcast_arrays: F(x, y[0])
    atleast_1d atleast_2d: F(x) ; F(x[0, 0]) ; F(x, y)
    fill_diagonal: F(x, 1)
    put: F(x, i, 1) ; F(x, i, y[0, :2])
    result_type: F(x, y) ; F(x, 1.0) ; F(x, float32)
    where: F(x > 0, x, y) ; F(x > 0, x, 0.5) ; F(x > 0, 1, y) ; F(x, x, y) ; F(x > 0, x, y.astype(float32))
    copyto: F(x, y) ; F(x, 1) ; F(x, y.astype(float64)) ; F(x, y, where=x > 0) ; F(x, y.astype(float64), "unsafe")
    zeros ones: F((2, 3)) ; F(3, x.dtype) ; F((2, 3), dtype=x.dtype, order="F")
    empty: F((2, 3), x.dtype) ; F([2, 3])
    full: F((2,), 3) ; F((2,), 0.5, x.dtype) ; F(2, x[0, 0])
    empty_like zeros_like ones_like: F(x) ; F(x, float32) ; F(x.T)
    full_like: F(x, 2) ; F(x, 2, dtype=float32)
    array asarray: F(x) ; F(x, float32) ; F([1, 2]) ; F([x[0, 0], x[0, 1]])
    ascontiguousarray asfortranarray: F(x) ; F(x.T) ; F(x[0, 0]) ; F(x, float32)
    copy: F(x) ; F(x.T, "F")
    arange: F(3) ; F(1, 7, 2) ; F(0, 1, 0.25) ; F(3, dtype=x.dtype)
    add multiply maximum minimum: F(x, y, m.zeros((4, 4), x.dtype)) ; F(x, y, where=x > 0) ; F(x, y, dtype=float32)
            ; F(x, y, casting="no") ; F(x, y, order="C") ; F(x, y, subok=True) ; F(x, None) ; F(x, [1, 2, 3, 4])
    add multiply maximum minimum: F.reduce(x) ; F.reduce(x, 1) ; F.reduce(x, axis=1, keepdims=True) ;
            F.accumulate(x) ; F.outer(x, y) ; F.at(x, (i, i), 1) ; F.at(x, i, y[:2])
    subtract divide power logical_and: F.reduce(x) ; F.at(x, i, 1)
    exp sqrt negative: F(x, m.zeros((4, 4), x.dtype)) ; F(x, out=m.zeros((4, 4), float32)) ; F(x, dtype=float32) ;
            F(x, where=x > 0)
    linalg.inv linalg.det linalg.cholesky linalg.qr linalg.svd linalg.eigh linalg.slogdet linalg.pinv: F(x) ;
            F(m.stack([x, x]))
    linalg.solve: F(x, y) ; F(x, y[:, 0]) ; F(m.stack([x, x]), y)
    ndarray: x.sum(0) ; x.mean(1) ; x.var() ; x.std(0) ; x.max(1) ; x.min() ; x.prod() ; x.any(0) ; x.all() ;
            x.argmax(1) ; x.argmin() ; x.cumsum(0) ; x.argsort(1) ; x.clip(0, 1) ; x.clip(None, 1) ; x.clip(min=0) ;
            x.round() ; x.dot(y) ; x.trace() ; x.astype("float32") ; x.astype("bool") ; x.astype(float32,
            copy=False) ; x.astype(float32, casting="safe") ; x.repeat(2, 0) ; x.take(i, 0) ; x.swapaxes(0, 1) ;
            x.transpose() ; x.transpose(1, 0) ; x.transpose([1, 0]) ; x.reshape(2, 8) ; x.reshape((2, 8)) ;
            x.reshape(-1) ; x.ravel() ; x.flatten() ; x.squeeze() ; x.diagonal() ; x.view() ; x.view("uint8") ;
            x.view("int32") ; x.view(float32) ; x.copy() ; x.T ; x.mT ; x.real ; x.conj() ; x.choose([y, y])
    operators: x + y ; x - y ; x * y ; x / y ; x // y ; x % y ; x ** y ; x ** 2 ; x @ y ; x & y ; x | y ; x ^ y ; ~x
            ; -x ; abs(x) ; x == y ; x < y ; x << 1 ; x >> 1 ; x + 1 ; x + 0.5 ; x * True ; 1 - x ; 2 / x ; 2 ** x ;
            x < 0.5 ; x == 1 ; x + y.astype(float32) ; divmod(x, y) ; x + None ; x == None
    indexing: x[0] ; x[:, 1] ; x[..., 0] ; x[None] ; x[1:3, ::2] ; x[i] ; x[i, i] ; x[:, i] ; x[i[:, None], i] ;
            x[[0, 1]] ; x[x > 0].ndim ; x[0, 0] ; x[-1, ::-1] ; x[x.astype(bool)].ndim ; x[(i > 0), :1].ndim ;
            x[0.5] ; x["a"] ; x[i.astype(float32)] ; x[5] ; x[:, :, 0] ; x[i.astype("uint8")] ; x[()]
    assignments: (x.__setitem__(0, 1), x)[1] ; (x.__setitem__(i, y[:2]), x)[1] ; (x.__setitem__(x > 0, 1), x)[1] ;
            (x.__setitem__(..., y), x)[1] ; (x.__setitem__((i, i), 0.5), x)[1] ; (x.__setitem__(0, y), x)[1] ;
            (x.__setitem__(x > 0, y[0, 0]), x)[1] ; x.__iadd__(1) ; x.__iadd__(y) ; x.__itruediv__(y) ;
            x.__imul__(0.5) ; x.__isub__(y.astype(float64)) ; x.__ipow__(2) ; (x.fill(1), x)[1] ; (x.fill(0.5),
            x)[1] ; (x.fill(y[0, 0]), x)[1] ; (x.sort(), x)[1] ; (x.put(i, 0), x)[1]
"""

# NumPy and CuPy differ in these in the type of a result of bfloat16 (logical_xor: in numbers that do not fit); nothing
# uses them.
DIFFERENT = {"degrees", "divmod", "ldexp", "logical_xor", "radians"}


@pytest.fixture(autouse=True, scope="module")
def _fresh_memory():
    """No array reuses another's memory: where a mask decides a shape, nothing computes it: it must be zeros."""
    with cupy.cuda.using_allocator(None):
        yield


def described(value):
    if isinstance(value, (tuple, list)):
        return [described(item) for item in value]
    if isinstance(value, np.dtype):
        return value
    return (value.shape, value.dtype) if hasattr(value, "shape") else type(value)


def outcome(function, *args):
    """What a call gives, and the error that it raises instead."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return described(function(*args)), None
    except Exception as error:
        return None, error


def agree(what, function, *args):
    """The function of an array module does the same on both, or the stand-in refuses."""
    (real, refused), (ours, error) = outcome(function, cupy, *args), outcome(function, stand_in, *args)
    assert error or not refused, f"{what}: CuPy refuses ({refused!r}), the stand-in gives {ours}"
    assert error or ours == real, f"{what}: CuPy gives {real}, the stand-in {ours}"


def call(m, text, dtype):
    eye = np.eye(4).astype(dtype)
    names = {"m": m, "x": m.asarray(eye), "y": m.asarray(eye), "i": m.asarray([0, 1]),
             "j": m.asarray(np.zeros((4, 4), np.int64)),
             "int64": np.int64, "float32": np.float32, "float64": np.float64}
    return eval(text, names)


def table():
    for names, calls in re.findall(r"^ {4}(\w[\w. ]*): (.*(?:\n {8}.*)*)", CALLS, re.M):
        for name in names.split():
            yield name, [" ".join(text.split()) for text in calls.split(" ;")]


@pytest.mark.parametrize("name, calls", list(table()), ids=lambda value: value if isinstance(value, str) else "")
def test_calls(name, calls):
    for text in calls:
        text = re.sub(r'(?<!")\bF\b', f"m.{name}", text)
        for dtype in TYPES:
            agree(f"{text} in {dtype}", call, text, dtype)


def test_every_function_is_called():
    called = {name for name, _ in table()}
    functions = {name for name in stand_in.__all__ if callable(getattr(stand_in, name))
                 and not isinstance(getattr(stand_in, name), (type, stand_in.ufunc))}
    # These make no arrays, and those are decided by values.
    plain = {"asnumpy", "broadcast_shapes", "can_cast", "get_array_module", "get_default_memory_pool", "is_available",
             "isscalar", "may_share_memory", "ndim", "promote_types", "shape", "shares_memory", "size"}
    by_values = {"argpartition", "argwhere", "bincount", "choose", "flatnonzero", "nonzero", "place", "unique"}
    assert functions - called - plain - by_values == set()


def ufuncs():
    return [name for name in stand_in.__all__ if isinstance(getattr(stand_in, name), stand_in.ufunc)]


@pytest.mark.parametrize("name", [name for name in ufuncs() if name not in DIFFERENT])
def test_ufuncs(name):
    assert isinstance(getattr(cupy, name), cupy.ufunc)
    count = getattr(cupy, name).nin
    for dtype in TYPES:
        for other in (*TYPES, 2, 0.5, True, -1) if count == 2 else [None]:
            inputs = (dtype,) if other is None else (dtype, other)
            agree(f"{name} of {inputs}", ufunc, name, inputs, {})
            if type(other) in (int, float):
                agree(f"{name} of {inputs[::-1]}", ufunc, name, inputs[::-1], {})
        if getattr(cupy, name).nout == 1:
            for out in TYPES:
                agree(f"{name} of {dtype} into {out}", ufunc, name, (dtype,) * count, {"out": out})


def ufunc(m, name, inputs, options):
    arrays = [m.zeros((2, 3), value) if isinstance(value, np.dtype) else value for value in inputs]
    return getattr(m, name)(*arrays, **{key: m.zeros((2, 3), value) for key, value in options.items()})
