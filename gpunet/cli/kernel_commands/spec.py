"""The little language in which `gpunet kernel check --arg` says what a kernel is given.

    argument := "null" | FILE.npy | "@" POSITION | TYPE "=" value | TYPE shape [ "=" fill ]
              | "struct{" argument { "," argument } "}"
    shape    := "[" size { "," size } "]"
    value    := NUMBER | list                         a list makes an array of its own shape
    fill     := NUMBER | list | name [ "(" NUMBER { "," NUMBER } ")" ]
    list     := "[" ( NUMBER | list ) { "," ( NUMBER | list ) } "]"
    TYPE     := f16 bf16 f32 f64 i8 i16 i32 i64 u8 u16 u32 u64 bool (or b1), or NumPy's name: float32, int64 ...

An array without a fill holds nothing: to read an element that the kernel has not written is a finding. @0 is the array
of the argument at that position, once more.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gpunet.dtypes import BFLOAT16_NP

TYPES = {
    "f16": np.dtype("float16"), "bf16": BFLOAT16_NP, "f32": np.dtype("float32"), "f64": np.dtype("float64"),
    "i8": np.dtype("int8"), "i16": np.dtype("int16"), "i32": np.dtype("int32"), "i64": np.dtype("int64"),
    "u8": np.dtype("uint8"), "u16": np.dtype("uint16"), "u32": np.dtype("uint32"), "u64": np.dtype("uint64"),
    "bool": np.dtype("bool"), "b1": np.dtype("bool"),
}  # fmt: skip


@dataclass(frozen=True)
class _Fill:
    """How a named fill makes an array: form and meaning for the help, the numbers it takes, and the function
    (random generator, shape, numbers) -> array of any type."""

    form: str
    about: str
    numbers: tuple[int, ...]
    make: Callable[..., np.ndarray]
    cut: bool = False  # whether an integer type cuts the fractions off; else they are refused


FILLS = {
    "zeros": _Fill("zeros", "0", (0,), lambda rng, shape: np.zeros(shape)),
    "ones": _Fill("ones", "1", (0,), lambda rng, shape: np.ones(shape)),
    "full": _Fill("full(v)", "v; the number alone says the same", (1,), lambda rng, shape, v: np.full(shape, v)),
    "arange": _Fill("arange", "0, 1, 2, ...; arange(first), arange(first,step)", (0, 1, 2),
                    lambda rng, shape, first=0, step=1: first + step * np.arange(math.prod(shape)).reshape(shape)),
    "normal": _Fill("normal(mean,deviation)", "normally distributed; normal alone is normal(0,1)", (0, 2),
                    lambda rng, shape, mean=0, deviation=1: rng.normal(mean, deviation, shape),
                    cut=True),
    "uniform": _Fill("uniform(low,high)", "evenly distributed from low to below high; uniform alone is uniform(0,1)",
                     (0, 2), lambda rng, shape, low=0, high=1: rng.uniform(low, high, shape),
                     cut=True),
    "randint": _Fill("randint(low,high)", "whole numbers from low to below high; randint(high) begins at 0", (1, 2),
                     lambda rng, shape, *bounds: rng.integers(*bounds, size=shape)),
}


_WORDS = {"true": True, "false": False, "inf": math.inf, "nan": math.nan}


class SpecError(ValueError):
    """An argument is not written as it must be. The message is one sentence."""


@dataclass(frozen=True)
class Argument:
    """One argument of a kernel: an array, a NumPy number, None for a null pointer, or a structure's fields. `text` is
    what was written; of an array without a fill `output` is set."""

    text: str
    value: np.ndarray | np.generic | tuple[Argument, ...] | None
    output: bool = False


def parse_all(texts: Sequence[str], seed: int = 0) -> list[Argument]:
    """All arguments of a kernel, in order. Raises SpecError."""
    arguments: list[Argument] = []
    for position, text in enumerate(texts):
        arguments.append(parse(text, position, seed, arguments))
    return arguments


def parse(text: str, position: int = 0, seed: int = 0, before: Sequence[Argument] = ()) -> Argument:
    """The argument that `text` describes. Random numbers follow from the seed and the argument's position alone; @0 is
    one of those before.

    Raises SpecError.
    """
    try:
        return _parse(text.strip(), np.random.default_rng([seed, position]), before)
    except SpecError as error:
        raise SpecError(f"{text!r}: {error}") from None


def _parse(text: str, rng: np.random.Generator, before: Sequence[Argument]) -> Argument:
    if text == "null":
        return Argument(text, None)
    if same := re.fullmatch(r"@(\d+)", text):
        number = int(same.group(1))
        if number >= len(before) or not isinstance(before[number].value, np.ndarray):
            raise SpecError(f"it stands for an array before it, and argument {number} is none")
        return replace(before[number], text=text)
    if structure := re.fullmatch(r"struct\s*\{(.*)\}", text, flags=re.DOTALL):
        fields = tuple(_parse(part, rng, before) for part in _fields(structure.group(1)))
        if not fields:
            raise SpecError("a structure has fields, such as struct{f32=1,i32=2}")
        return Argument(text, fields)
    if text.endswith(".npy"):
        return Argument(text, _load(text))
    match = re.fullmatch(r"\s*(\w+)\s*(?:\[([^\]]*)\])?\s*(?:=(.*))?", text, flags=re.DOTALL)
    if match is None:
        raise SpecError("an argument is null, a file.npy, a number such as i32=1000, or an array such as "
                        "f32[16,1000]=normal(0,3)")
    name, sizes, fill = match.groups()
    dtype = _type(name)
    if sizes is None:
        if not fill:
            raise SpecError(f"a number needs its value ({name}=...), an array its shape ({name}[16])")
        return Argument(text, _cast(_number_or_list(fill), dtype)[()])  # [()] makes a NumPy number of a 0-d array
    shape = _shape(sizes)
    _refuse_what_is_too_large(shape, dtype)
    if fill is None:
        return Argument(text, np.zeros(shape, dtype), output=True)
    return Argument(text, np.ascontiguousarray(_filled(fill.strip(), shape, dtype, rng)))


def _fields(text: str) -> list[str]:
    """A structure's fields: split at the commas that are not within brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[({") - (character in "])}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _load(file: str) -> np.ndarray | np.generic:
    try:
        array = np.load(Path(file), allow_pickle=False)
    except FileNotFoundError:
        raise SpecError("this file does not exist") from None
    except (OSError, ValueError, EOFError) as error:
        raise SpecError(f"cannot be read as an array of NumPy's: {error}") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise SpecError("it holds several arrays (.npz); save the one that is meant by numpy.save")
    # NumPy knows no bfloat16, and stores ml_dtypes' as two bytes without a meaning.
    array = array.view(BFLOAT16_NP) if array.dtype == np.dtype("V2") else array
    return np.ascontiguousarray(array) if array.ndim else array[()]


def _type(name: str) -> np.dtype:
    if name in TYPES:
        return TYPES[name]
    for dtype in TYPES.values():
        if name == dtype.name:
            return dtype
    raise SpecError(f"there is no type {name!r}; there are {', '.join(TYPES)}")


def _shape(text: str) -> tuple[int, ...]:
    sizes = [size.strip() for size in text.split(",")]
    if not all(re.fullmatch(r"\d+", size) for size in sizes):
        raise SpecError(f"[{text}] is no shape: whole numbers with commas between them, such as [16,1000]")
    return tuple(map(int, sizes))


def _refuse_what_is_too_large(shape: tuple[int, ...], dtype: np.dtype) -> None:
    """An array is held several times: here, on its way to the kernel's process, and there."""
    size, most = math.prod(shape) * dtype.itemsize, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
    if len(shape) > 64 or math.prod(each or 1 for each in shape) >= 2**60:
        raise SpecError(f"an array of {len(shape)} dimensions and {math.prod(shape):,} elements cannot be made")
    if size > most:
        raise SpecError(f"the array has {size / 1e9:,.1f} GB, and {most / 1e9:.1f} GB at most can be checked on this "
                        "machine; a small array shows the same bugs")


def _filled(text: str, shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    match = re.fullmatch(r"([a-z]\w*)\s*(?:\(([^()]*)\))?", text)
    if match is None or match.group(1) in _WORDS:
        value = _number_or_list(text)
        if isinstance(value, np.ndarray) and value.size != math.prod(shape):
            raise SpecError(f"the list has {value.size} numbers, the shape {list(shape)} has {math.prod(shape)}")
        array = _cast(value, dtype)
        return array.reshape(shape) if array.ndim else np.full(shape, array)
    name, numbers = match.group(1), [_number(each) for each in (match.group(2) or "").split(",") if each.strip()]
    if name not in FILLS:
        raise SpecError(f"there is no fill {name!r}; there are {', '.join(FILLS)}, a number and a list [...]")
    fill = FILLS[name]
    if len(numbers) not in fill.numbers:
        raise SpecError(f"{name} is written {fill.form}")
    try:
        values = fill.make(rng, shape, *numbers)
    except (ValueError, TypeError, OverflowError) as error:  # NumPy's own sentence: low >= high, scale < 0
        raise SpecError(f"{text}: {error}") from None
    return _cast(values, dtype, fill.cut)


def _number_or_list(text: str) -> int | float | bool | np.ndarray:
    text = text.strip()
    if not text.startswith("["):
        return _number(text)
    words = re.findall(r"[\[\],]|[^\[\],\s]+", text)
    value, rest = _list(words)
    if rest:
        raise SpecError(f"{''.join(rest)!r} follows the end of the list")
    try:
        return np.array(value)
    except ValueError:
        raise SpecError("the rows of the list are not of one length") from None


def _list(words: list[str], depth: int = 1) -> tuple[list, list[str]]:
    """The list that `words` begin with, and the words after it."""
    if depth > 64:
        raise SpecError("an array has 64 dimensions at most")
    items, words = [], words[1:]
    while words and words[0] != "]":
        if words[0] == "[":
            item, words = _list(words, depth + 1)
        else:
            item, words = _number(words[0]), words[1:]
        items.append(item)
        if words and words[0] == ",":
            words = words[1:]
        elif words and words[0] != "]":
            raise SpecError(f"a comma is missing before {words[0]!r}")
    if not words:
        raise SpecError("the list has no end: a ] is missing")
    return items, words[1:]


def _number(text: str) -> int | float | bool:
    text = text.strip()
    if text in _WORDS:
        return _WORDS[text]
    for kind in (lambda: int(text, 0), lambda: int(text), lambda: float(text)):
        try:
            return kind()
        except ValueError:
            continue
    raise SpecError(f"{text!r} is no number")


def _cast(value: int | float | bool | np.ndarray, dtype: np.dtype, cut: bool = False) -> np.ndarray:
    """The value in its type. An integer type refuses what it does not hold, and fractions unless they are to be cut."""
    array = np.asarray(value)
    if dtype.kind in "iu" and array.size:
        if array.dtype.kind == "f" and not (np.isfinite(array).all() and (cut or (array == np.trunc(array)).all())):
            raise SpecError(f"{dtype.name} holds whole numbers, not {_some(array[array != np.trunc(array)])}")
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if (outside := array[(array < low) | (array > high)]).size:
            raise SpecError(f"{dtype.name} holds {low} to {high}, not {_some(outside)}")
    with np.errstate(all="ignore"):  # what is too large for a floating-point type is infinity
        try:
            return array.astype(dtype)
        except OverflowError:  # a whole number of hundreds of digits
            raise SpecError(f"{dtype.name} holds no number as large as that") from None


def _some(wrong: np.ndarray) -> str:
    return str(wrong.ravel()[0]) if wrong.size else "infinity"
