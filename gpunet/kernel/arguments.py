"""A launch's arguments: each becomes what its parameter takes, or is refused in words.

    packer(parameters, ...)       the function that makes a launch's values what the kernel takes
    converter(parameter)          the function that makes a value the parameter's declared type
    refused(converters, values)   the first value that its converter refuses, and why
    describe(value)               a value in the words of a message
    wrong_elements(value, ...)    what is wrong with an array's elements, for a pointer to others

A converter raises for what it refuses. It says no more than a number's reason: messages are made afterwards, so that a
launch whose arguments fit pays nothing for them.
"""

from __future__ import annotations

import functools
import numbers
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gpunet.kernel import signature

__all__ = ["REFUSALS", "converter", "describe", "element_kind", "is_array", "packer", "refused", "wrong_elements"]

# What converters raise.
REFUSALS = TypeError, AttributeError, OverflowError, ValueError


def converter(parameter: signature.Parameter) -> Callable[[Any], Any]:
    """The function that checks an argument and gives it the parameter's exact type.

    Arrays pass as they are; numbers become NumPy scalars; structures are NumPy records of the same layout.

    Args:
        parameter: as declared.

    Returns:
        A function of the argument, which raises one of `REFUSALS` for what does not fit.

    Raises:
        gpunet.kernel.signature.SignatureError: the parameter's type has no fixed size.

    Examples:
        >>> from gpunet.kernel import arguments, signature
        >>> rate, = signature.parameters("__global__ void step(float rate);", "step")
        >>> arguments.converter(rate)(0.5)
        np.float32(0.5)
    """
    if parameter.pointer:
        return _pointer_converter(parameter.dtype)
    dtype = parameter.dtype
    if dtype is None:
        if parameter.type in ("void", "long", "unsigned long"):
            from gpunet.kernel import signature

            raise signature.SignatureError(f"parameter '{parameter}': this type has no fixed size; use long long")
        return _structure
    if dtype == np.bool_:
        return _truth
    return _Numbers(dtype.type, operator.index if dtype.kind in "iu" else _real).__getitem__


def packer(parameters: Iterable[signature.Parameter], converters: Iterable[Callable[[Any], Any]],
           of_cupy: bool) -> Callable[..., tuple]:
    """All converters as one function, which is written for the parameters: what they ask of most arguments stands in a
    line of its own, without calls, since this is done at every launch.

    Args:
        parameters: as declared.
        converters: one for each; they decide, and refuse, what the short questions leave open.
        of_cupy: the arrays are CuPy's, which tell more quickly than by `flags` whether they are contiguous.

    Returns:
        A function of the arguments that gives them as a tuple and raises what the converters raise.

    Examples:
        >>> from gpunet.kernel import arguments, signature
        >>> declared = signature.parameters("__global__ void fill(float* y, int n);", "fill")
        >>> pack = arguments.packer(declared, map(arguments.converter, declared), of_cupy=False)
        >>> pack(None, 3)
        (None, np.int32(3))
    """
    contiguous = "_c_contiguous" if of_cupy else "flags.c_contiguous"
    names: dict[str, Any] = {"true": np.True_, "false": np.False_, "zero": 0}
    values, taken = [], []
    for i, (parameter, convert) in enumerate(zip(parameters, converters, strict=True)):
        names[f"c{i}"], names[f"t{i}"] = convert, parameter.dtype
        taken.append(f"a{i}")
        if parameter.pointer:
            typed = f"a{i}.dtype is t{i} and " if parameter.dtype is not None else ""
            values.append(f"a{i} if a{i} is None or {typed}a{i}.{contiguous} else c{i}(a{i})")
        elif parameter.dtype == np.bool_:
            values.append(f"true if a{i} is True else false if a{i} is False else c{i}(a{i})")
        elif isinstance(getattr(convert, "__self__", None), _Numbers):
            names[f"c{i}"] = convert.__self__  # pyright: ignore[reportFunctionMemberAccess]
            names[f"z{i}"] = convert(0)  # which is not among those kept
            values.append(f"z{i} if a{i} is zero else c{i}[a{i}]")
        else:
            values.append(f"c{i}(a{i})")
    result = "".join(f"{value}, " for value in values)
    exec(f"def pack({', '.join(taken)}):\n    return ({result})", names)
    return names["pack"]


def refused(converters: Iterable[Callable[[Any], Any]], values: Iterable[Any]) -> tuple[int, Exception] | None:
    """The first value that its converter refuses.

    Args:
        converters: one for each value.
        values: a launch's arguments.

    Returns:
        The value's number, from 0, and what was raised; None when all values fit.

    Examples:
        >>> from gpunet.kernel import arguments
        >>> arguments.refused([int, int], ["1", "one"])
        (1, ValueError("invalid literal for int() with base 10: 'one'"))
    """
    for number, (convert, value) in enumerate(zip(converters, values, strict=True)):
        try:
            convert(value)
        except Exception as reason:
            return number, reason
    return None


def describe(value: Any) -> str:
    """A value in the words of a message.

    Args:
        value: any argument of a launch.

    Returns:
        Words with an article.

    Examples:
        >>> from gpunet.kernel import arguments
        >>> arguments.describe(2.5)
        'the Python float 2.5'
        >>> arguments.describe(numpy.int64(1))
        'the int64 number 1'
        >>> arguments.describe(numpy.zeros((2, 3), numpy.float32))
        'a host float32 array of shape (2, 3)'
    """
    if isinstance(value, np.void):
        return f"a structure of {value.itemsize} bytes"
    if isinstance(value, np.generic):
        return f"the {value.dtype} number {value}"
    if is_array(value):
        place = "host" if isinstance(value, np.ndarray) else "device"
        return f"a {place} {value.dtype} array of shape {value.shape}"
    if isinstance(value, bool | int | float):
        return f"the Python {type(value).__name__} {value!r}"
    return "None" if value is None else f"a {type(value).__name__}"


def wrong_elements(value: Any, kind: str, size: int, declared: str) -> str | None:
    """What is wrong with an array's elements, for a pointer to others. Bytes may stand for anything.

    Args:
        value: an argument.
        kind: of what the pointer points to, as `element_kind` says it.
        size: bytes of that.
        declared: the parameter in C++.

    Returns:
        Words; None where nothing is wrong, or the value is no array.

    Examples:
        >>> from gpunet.kernel import arguments
        >>> arguments.wrong_elements(numpy.zeros(3), "number", 4, "float* x")
        "parameter 'float* x': an array of float64 given"
    """
    given = None if isinstance(value, np.generic) else getattr(value, "dtype", None)
    if given is None or not _differ(given, kind, size):
        return None
    order = "" if given.isnative else " in another machine's byte order"
    return f"parameter '{declared}': an array of {given}{order} given"


@functools.cache
def _differ(given: np.dtype, kind: str, size: int) -> bool:
    if 1 in (given.itemsize, size):
        return False
    kinds = {element_kind(given), kind}
    differ = len(kinds) == 2 and (given.itemsize > 2 or not kinds <= {"number", "integer"})
    return given.itemsize != size or differ or not given.isnative


@functools.cache
def element_kind(dtype: np.dtype) -> str:
    """What elements of a type are.

    Args:
        dtype: the type.

    Returns:
        "integer", "number" (floating point of any width), or NumPy's name of what is neither: text, dates, records.

    Examples:
        >>> from gpunet.kernel import arguments
        >>> arguments.element_kind(numpy.dtype("float16"))
        'number'
    """
    if dtype.kind in "iu":
        return "integer"
    return "number" if dtype.kind in "fb" or dtype.name == "bfloat16" else dtype.str


def is_array(value: Any) -> bool:
    """Whether a value is an array.

    Args:
        value: anything.

    Returns:
        True for arrays of any library, also of zero dimensions; False for NumPy's scalars.

    Examples:
        >>> from gpunet.kernel import arguments
        >>> arguments.is_array(numpy.zeros(3)), arguments.is_array(numpy.float32(3))
        (True, False)
    """
    return hasattr(value, "dtype") and hasattr(value, "shape") and not isinstance(value, np.generic)


class _Numbers(dict):
    """Numbers already converted to a parameter's type.

    Making a NumPy scalar takes 300 to 500 ns, finding one 50, and launches repeat their sizes. `check` refuses
    what is no number of the kind; NumPy then refuses an integer that does not fit.
    """

    _MOST = 4096

    def __init__(self, scalar: type, check: Callable[[Any], Any]) -> None:
        super().__init__()
        self._scalar = scalar
        self._check = check

    def __missing__(self, value: Any) -> np.generic:
        converted = self._scalar(self._check(value))
        if value != 0:  # as keys 0.0 and -0.0 are one
            if len(self) >= self._MOST:
                self.clear()
            self[value] = converted
        return converted


def _pointer_converter(expected: np.dtype | None) -> Callable[[Any], Any]:
    def pointer(value: Any) -> Any:
        if value is None:
            return value
        if (expected is None or value.dtype == expected) and value.flags.c_contiguous:
            return value
        raise TypeError
    return pointer


def _real(value: Any) -> float:
    if isinstance(value, (numbers.Real, np.number, np.bool_)):
        return float(value)
    raise TypeError


def _truth(value: Any) -> np.bool_:
    if isinstance(value, (bool, np.bool_)):
        return np.bool_(value)
    raise TypeError


def _structure(value: Any) -> np.void | np.ndarray:
    """A structure passed by value, as a NumPy record of the same layout."""
    if isinstance(value, np.void) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value
    raise TypeError
