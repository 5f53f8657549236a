"""The array of the simulated device.

It wraps a NumPy array that lies in simulated device memory. Like CuPy's, and unlike a subclass of numpy.ndarray, it
is no NumPy array: it does not mix with host arrays, never becomes one silently, and its results are device arrays
down to zero dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NoReturn

import ml_dtypes
import numpy as np

from gpunet._quiet import restore, silence
from gpunet.sim import memory
from gpunet.sim.cupy.cuda import Device, MemoryPointer, pointer_to
from gpunet.sim.descriptors import described

_SCALARS = (int, float, complex, np.generic)  # bool is an int
_REFUSED = ("Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly.")
_new = object.__new__
_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def wrap(host: np.ndarray) -> ndarray:
    """Device array for a NumPy view of device memory."""
    array = _new(ndarray)
    array._host = host
    return array


def new(shape: Any, dtype: Any = np.float64, order: str = "C") -> ndarray:
    """Device array with 0xff in every byte."""
    array = _new(ndarray)
    array._host, array._address = memory.empty(_shape(shape), np.dtype(dtype), "F" if order == "F" else "C")
    return array


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(shape) if isinstance(shape, tuple | list) else (int(shape),)


def adopt(result: Any) -> ndarray:
    """Device array with what NumPy computed into host memory of its own."""
    if type(result) is not np.ndarray:
        result = np.asarray(result)
    flags = result.flags
    order = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
    array = _new(ndarray)
    array._host, array._address = memory.empty(result.shape, result.dtype, order)
    array._host[...] = result
    return array


def adopt_or_wrap(result: Any) -> ndarray:
    """Device array for a result that may be a view of an operand, or not."""
    if type(result) is np.ndarray and memory.is_device(result):
        return wrap(result)
    return adopt(result)


def adopt_all(result: Any) -> Any:
    """`adopt` for what may be a tuple or a list of results."""
    if isinstance(result, tuple | list):
        return type(result)(map(adopt, result)) if type(result) in (tuple, list) else tuple(map(adopt, result))
    return adopt(result)


def operand(value: Any) -> Any:
    """What NumPy is to compute with. Arrays on the host are refused: they would have to be copied, silently."""
    if type(value) is ndarray:
        return value._host
    if value is None or isinstance(value, _SCALARS):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value[()]
    raise TypeError(f"Unsupported type {type(value)}")


def unwrapped(value: Any) -> Any:
    """As `operand`, for any argument of a function: also within lists and tuples; what is no array passes."""
    if type(value) is ndarray:
        return value._host
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError(f"Unsupported type {type(value)}")
    if type(value) is tuple:
        return tuple(map(unwrapped, value))
    if type(value) is list:
        return list(map(unwrapped, value))
    return value


def refuse_sorting(array: ndarray) -> None:
    """CuPy sorts no bfloat16."""
    if array.dtype == _BFLOAT16:
        raise NotImplementedError("Sorting arrays with dtype 'bfloat16' is not supported")


def _index(key: Any) -> tuple[Any, bool]:
    """A key for NumPy, and whether it selects by arrays (which copies) or not (which gives a view)."""
    if type(key) is tuple:
        parts = [_index(part) for part in key]
        return tuple([part for part, _ in parts]), any(copies for _, copies in parts)
    if type(key) is ndarray:
        return key._host, True
    if isinstance(key, np.ndarray):
        raise TypeError(f"Unsupported type {type(key)}")
    return key, isinstance(key, list | bool | np.bool_)


def quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function of NumPy's gives, without NumPy's warnings, which CuPy has not."""
    token = silence()
    try:
        return function(*args, **kwargs)
    finally:
        restore(token)


def _operator(function: Callable[[Any, Any], Any]) -> Callable[[ndarray, Any], Any]:
    def operator(self: ndarray, other: Any) -> Any:
        if type(other) is ndarray:
            other = other._host
        elif isinstance(other, np.ndarray | list | tuple) or other is None:
            other = operand(other)  # only a 0-d array passes
        elif not isinstance(other, _SCALARS):
            return NotImplemented
        token = silence()
        try:
            return adopt(function(self._host, other))
        finally:
            restore(token)
    return operator


def _matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """NumPy's product of two bfloat16 arrays is float32."""
    result = np.matmul(x, y)
    return result.astype(_BFLOAT16) if x.dtype == y.dtype == _BFLOAT16 else result


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[ndarray, Any], Any]:
    return _operator(lambda self, other: function(other, self))


def _inplace(function: Callable[..., Any]) -> Callable[[ndarray, Any], ndarray]:
    def operator(self: ndarray, other: Any) -> ndarray:
        quietly(function, self._host, operand(other), out=self._host)
        return self
    return operator


# The module's functions by name, which NumPy's own functions of those names turn to; _functions.py enters them.
FUNCTIONS: dict[str, Any] = {}


class ndarray:
    """Array on the simulated device, with the names and the meaning of cupy.ndarray."""

    __slots__ = ("_host", "_address", "__weakref__")
    __array_priority__ = 100
    __hash__: Any = None

    _host: Any  # numpy.ndarray, whose stubs take no orders and modes that are plain strings
    _address: int

    def __init__(self, shape: Any, dtype: Any = float, memptr: MemoryPointer | None = None, strides: Any = None,
                 order: Any = "C") -> None:
        dtype = np.dtype(dtype)
        if memptr is None and strides is None:
            self._host, self._address = memory.empty(_shape(shape), dtype, order)
            return
        if memptr is None:
            raise ValueError("memptr is required if strides is specified")
        self._host = np.ndarray(_shape(shape), dtype, memptr.mem._storage, memptr._offset, strides, order)

    def __getattr__(self, name: str) -> Any:
        # The address of a view is found out when a kernel first asks for it.
        if name != "_address":
            raise AttributeError(f"'ndarray' object has no attribute {name!r}")
        self._address = address = memory.address_of(self._host)
        return address

    # ---- what it is ---------------------------------------------------------------------------------------------
    # Read dozens of times a launch: through C.
    shape = property(attrgetter("_host.shape"), lambda self, shape: setattr(self._host, "shape", shape))
    dtype = property(attrgetter("_host.dtype"))
    ndim = property(attrgetter("_host.ndim"))
    size = property(attrgetter("_host.size"))
    itemsize = property(attrgetter("_host.itemsize"))
    nbytes = property(attrgetter("_host.nbytes"))
    strides = property(attrgetter("_host.strides"))
    flags = property(attrgetter("_host.flags"))
    T = property(lambda self: wrap(self._host.T))
    mT = property(lambda self: wrap(np.matrix_transpose(self._host)))
    real = property(lambda self: wrap(self._host.real))
    imag = property(lambda self: adopt_or_wrap(self._host.imag))

    @property
    def base(self) -> ndarray | None:
        """The array that this is a view of, or None."""
        base = self._host.base
        return wrap(base) if type(base) is np.ndarray else None

    @property
    def data(self) -> MemoryPointer:
        return pointer_to(self)

    def __tensor_map__(self, sizes: tuple[int, ...], steps: tuple[int, ...], box: tuple[int, int], swizzle: int,
                       tf32: bool) -> Any:
        return described(self._address, self.itemsize, sizes, steps, box, swizzle, tf32)

    @property
    def device(self) -> Device:
        return Device(0)

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return repr(self._host)

    def __str__(self) -> str:
        return str(self._host)

    def __format__(self, spec: Any) -> str:
        return format(self._host, spec)

    # ---- to and from the host -----------------------------------------------------------------------------------
    def get(self, stream: Any = None, order: Any = "C", out: Any = None, blocking: Any = True) -> Any:
        if out is None:
            return np.array(self._host, order="K" if order == "A" else order)
        if out.dtype != self.dtype or out.shape != self.shape:
            raise ValueError(f"out has shape {out.shape} and type {out.dtype}, the array {self.shape} and {self.dtype}")
        out[...] = self._host
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError(f"Shape or type mismatch. {arr.shape} {arr.dtype} to {self.shape} {self.dtype}")
        self._host[...] = arr

    def item(self) -> Any:
        return self._host.item()

    def tolist(self) -> Any:
        return self._host.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        return self._host.tobytes(order)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __complex__(self) -> complex:
        return complex(self._host)

    def __index__(self) -> int:
        return self._host.__index__()

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TypeError(_REFUSED)

    def __reduce__(self) -> Any:
        return adopt, (self.get(),)

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    # ---- NumPy's own functions, called with device arrays --------------------------------------------------------
    def __array_ufunc__(self, ufunc: Any, method: Any, *inputs: Any, **kwargs: Any) -> Any:
        ours = FUNCTIONS.get(ufunc.__name__)
        if ours is None:
            return NotImplemented
        out = kwargs.get("out")
        if out is not None and len(out) == 1:
            kwargs["out"] = out[0]
        return getattr(ours, method)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        ours = FUNCTIONS.get(function.__name__)
        return NotImplemented if ours is None else ours(*args, **kwargs)

    # ---- elements and parts --------------------------------------------------------------------------------------
    def __getitem__(self, key: Any) -> ndarray:
        key, copies = _index(key)
        result = self._host[key]
        if copies:
            return adopt(result)
        if type(result) is np.ndarray:
            return wrap(result)
        return wrap(self._host[(*key, ...) if type(key) is tuple else (key, ...)])  # one element: a view too

    def __setitem__(self, key: Any, value: Any) -> None:
        self._host[_index(key)[0]] = operand(value)

    def __iter__(self) -> Iterator[ndarray]:
        if not self._host.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self._host)))

    def fill(self, value: Any) -> None:
        self._host.fill(operand(value))

    def take(self, indices: Any, axis: Any = None, out: Any = None) -> ndarray:
        return _into(out, self._host.take(unwrapped(indices), axis))

    def put(self, indices: Any, values: Any, mode: Any = "wrap") -> None:
        self._host.put(unwrapped(indices), operand(values), mode)

    def choose(self, choices: Any, out: Any = None, mode: Any = "raise") -> ndarray:
        if type(choices) is not ndarray:
            raise AttributeError(f"'{type(choices).__name__}' object has no attribute 'shape'")
        return _into(out, self._host.choose(unwrapped(choices), mode=mode))

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> ndarray:
        return _into(out, self._host.compress(unwrapped(condition), axis))

    def nonzero(self) -> Any:
        return adopt_all(self._host.nonzero())

    # ---- other shapes --------------------------------------------------------------------------------------------
    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> ndarray:
        return adopt_or_wrap(self._host.reshape(*shape, order=order) if copy is None else
                             self._host.reshape(*shape, order=order, copy=copy))

    def transpose(self, *axes: Any) -> ndarray:
        return wrap(self._host.transpose(*axes))

    def swapaxes(self, axis1: Any, axis2: Any) -> ndarray:
        return wrap(self._host.swapaxes(axis1, axis2))

    def squeeze(self, axis: Any = None) -> ndarray:
        return wrap(self._host.squeeze(axis))

    def diagonal(self, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> ndarray:
        return wrap(self._host.diagonal(offset, axis1, axis2))

    def ravel(self, order: Any = "C") -> ndarray:
        return adopt_or_wrap(self._host.ravel(order))

    def flatten(self, order: Any = "C") -> ndarray:
        return adopt(self._host.ravel(order))

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        return wrap(self._host.view() if dtype is None else self._host.view(dtype))

    def repeat(self, repeats: Any, axis: Any = None) -> ndarray:
        return adopt(self._host.repeat(unwrapped(repeats), axis))

    # ---- copies --------------------------------------------------------------------------------------------------
    def copy(self, order: Any = "C") -> ndarray:
        return adopt(self._host if order in "KA" else np.asarray(self._host, order=order))

    def astype(self, dtype: Any, order: Any = "K", casting: Any = None, subok: Any = None, copy: Any = True) -> ndarray:
        if casting is not None:
            raise TypeError("casting is not supported yet")
        dtype = np.dtype(dtype)
        if not copy and dtype == self.dtype:
            return self
        array = new(self.shape, dtype, "F" if order == "F" else "C")
        quietly(np.copyto, array._host, self._host, casting="unsafe")
        return array

    # ---- in place ------------------------------------------------------------------------------------------------
    def sort(self, axis: Any = -1, kind: Any = None) -> None:
        refuse_sorting(self)
        self._host.sort(axis, kind="stable")

    def partition(self, kth: Any, axis: Any = -1) -> None:
        refuse_sorting(self)
        self._host.partition(kth, axis)

    # ---- reductions ----------------------------------------------------------------------------------------------
    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
        return reduced(out, np.add.reduce, self._host, axis, dtype, keepdims=keepdims)

    def prod(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
        return reduced(out, np.multiply.reduce, self._host, axis, dtype, keepdims=keepdims)

    def max(self, axis: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
        return reduced(out, np.maximum.reduce, self._host, axis, keepdims=keepdims)

    def min(self, axis: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
        return reduced(out, np.minimum.reduce, self._host, axis, keepdims=keepdims)

    def any(self, axis: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
        return reduced(out, np.logical_or.reduce, self._host, axis, keepdims=keepdims)

    def all(self, axis: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
        return reduced(out, np.logical_and.reduce, self._host, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> ndarray:
        return reduced(out, np.mean, self._host, axis, dtype, keepdims=keepdims)

    def var(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
            keepdims: Any = False) -> ndarray:
        return reduced(out, np.var, self._host, axis, self._wide(dtype), ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
            keepdims: Any = False) -> ndarray:
        return reduced(out, np.std, self._host, axis, self._wide(dtype), ddof=ddof, keepdims=keepdims)

    def _wide(self, dtype: Any) -> Any:
        """The type of a variance: of bfloat16, as of an integer, float64."""
        return np.float64 if dtype is None and self.dtype == _BFLOAT16 else dtype

    def argmax(self, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: Any = False) -> ndarray:
        return _into(out, self._host.argmax(axis, keepdims=keepdims), dtype)

    def argmin(self, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: Any = False) -> ndarray:
        return _into(out, self._host.argmin(axis, keepdims=keepdims), dtype)

    def trace(self, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None) -> ndarray:
        return _into(out, self._host.trace(offset, axis1, axis2, dtype))

    # ---- the rest ------------------------------------------------------------------------------------------------
    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
        return reduced(out, np.cumsum, self._host, axis, dtype)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
        return reduced(out, np.cumprod, self._host, axis, dtype)

    def argsort(self, axis: Any = -1, kind: Any = None) -> ndarray:
        refuse_sorting(self)
        return adopt(self._host.argsort(axis, kind="stable"))

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> ndarray:
        if (min is None or max is None) and self.dtype.kind not in "fiu":
            raise TypeError(f"Unsupported type {type(None)}")
        return reduced(out, np.clip, self._host, operand(min), operand(max))

    def round(self, decimals: Any = 0, out: Any = None) -> ndarray:
        result = reduced(out, np.round, self._host, decimals)
        return result.astype(np.float32) if out is None and result.dtype == _BFLOAT16 else result

    def conj(self) -> ndarray:
        return adopt(self._host.conj())

    conjugate = conj

    def dot(self, b: Any, out: Any = None) -> ndarray:
        return reduced(out, np.dot, self._host, operand(b))

    __add__, __radd__, __iadd__ = _operator(np.add), _reflected(np.add), _inplace(np.add)
    __sub__, __rsub__, __isub__ = _operator(np.subtract), _reflected(np.subtract), _inplace(np.subtract)
    __mul__, __rmul__, __imul__ = _operator(np.multiply), _reflected(np.multiply), _inplace(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _operator(np.divide), _reflected(np.divide), _inplace(np.divide)
    __floordiv__, __rfloordiv__ = _operator(np.floor_divide), _reflected(np.floor_divide)
    __mod__, __rmod__ = _operator(np.remainder), _reflected(np.remainder)
    __pow__, __rpow__, __ipow__ = _operator(np.power), _reflected(np.power), _inplace(np.power)
    __and__, __rand__ = _operator(np.bitwise_and), _reflected(np.bitwise_and)
    __or__, __ror__ = _operator(np.bitwise_or), _reflected(np.bitwise_or)
    __xor__, __rxor__ = _operator(np.bitwise_xor), _reflected(np.bitwise_xor)
    __lshift__, __rlshift__ = _operator(np.left_shift), _reflected(np.left_shift)
    __rshift__, __rrshift__ = _operator(np.right_shift), _reflected(np.right_shift)
    __matmul__, __rmatmul__ = _operator(_matmul), _reflected(_matmul)
    __eq__, __ne__ = _operator(np.equal), _operator(np.not_equal)
    __lt__, __le__ = _operator(np.less), _operator(np.less_equal)
    __gt__, __ge__ = _operator(np.greater), _operator(np.greater_equal)

    def __neg__(self) -> ndarray:
        return adopt(-self._host)

    def __pos__(self) -> ndarray:
        return adopt(+self._host)

    def __abs__(self) -> ndarray:
        return adopt(abs(self._host))

    def __invert__(self) -> ndarray:
        return adopt(~self._host)


def _into(out: ndarray | None, result: Any, dtype: Any = None) -> ndarray:
    """A result as a new device array, or written to `out`."""
    if out is None:
        return adopt(result if dtype is None else result.astype(dtype))
    out._host[...] = result
    return out


def reduced(out: ndarray | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> ndarray:
    """Call a NumPy function that takes `out`."""
    if out is None:
        return adopt(quietly(function, *args, **kwargs))
    quietly(function, *args, out=operand(out), **kwargs)
    return out
