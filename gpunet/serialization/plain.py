"""What can be saved: tensors, numbers, texts and containers of them, without code."""

from __future__ import annotations

import dataclasses
import enum
import os
from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from gpunet import dtypes
from gpunet.devices import device
from gpunet.nn.parameter import Buffer, Parameter
from gpunet.serialization.source import Refused
from gpunet.size import Size
from gpunet.tensor import Tensor

NUMBERS_AND_TEXTS = (bool, int, float, complex, str, bytes, bytearray, type(None), dtypes.dtype, device)
SEQUENCES = (list, tuple, Size, set, frozenset)
MAPPINGS = (dict, OrderedDict, Counter)
TENSORS = (Tensor, Parameter, Buffer)
_LONGEST_KEY = 1000

_KNOWN = "tensors, NumPy arrays, numbers, texts, bytes, None, dtypes, devices, and lists, tuples, sets and dictionaries"


class Found:
    """The tensors in a state, each once, with its path; raises TypeError or ValueError where something cannot be saved.

    Args:
        state: the state to save.
    """

    def __init__(self, state: Any) -> None:
        self.tensors: list[Tensor] = []
        self.paths: list[tuple[Any, ...]] = []
        self.number: dict[int, int] = {}  # of a tensor, by its id
        self._seen: set[int] = set()
        self._open: set[int] = set()
        try:
            self._visit(state, ())
        except RecursionError:
            raise ValueError("save: the state is nested too deeply; Python's recursion limit is reached") from None

    def _visit(self, value: Any, path: tuple[Any, ...]) -> None:
        kind = type(value)
        if kind in NUMBERS_AND_TEXTS:
            return
        if kind in TENSORS:
            if id(value) not in self.number:
                self.number[id(value)] = len(self.tensors)
                self.tensors.append(value)
                self.paths.append(path)
        elif kind in SEQUENCES or kind in MAPPINGS:
            self._visit_container(value, path)
        elif not is_array(value):
            raise TypeError(f"save: {_named(value)}{_at(path)} cannot be saved; {_instead(value)}")

    def _visit_container(self, value: Any, path: tuple[Any, ...]) -> None:
        if id(value) in self._open:
            raise ValueError(f"save: the {type(value).__name__}{_at(path)} contains itself, which cannot be saved")
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._open.add(id(value))
        if isinstance(value, MAPPINGS):
            for key, each in value.items():
                self._visit_key(key, path)
                self._visit(each, (*path, key))
            if metadata := metadata_of(value):
                self._visit(metadata, (*path, "_metadata"))
        elif isinstance(value, set | frozenset):
            for each in value:
                self._visit_key(each, path)
        else:
            for index, each in enumerate(value):
                self._visit(each, (*path, index))
        self._open.remove(id(value))

    def _visit_key(self, key: Any, path: tuple[Any, ...]) -> None:
        if isinstance(key, Tensor):
            raise TypeError(f"save: a tensor is a key of a dictionary, or in a set,{_at(path)}, where it stands for "
                            "itself and not for its values; use a name or a number")
        if isinstance(key, tuple | frozenset):
            for each in key:
                self._visit_key(each, path)
        self._visit(key, path)


def is_array(value: Any) -> bool:
    """Whether it is a NumPy array or number of a type that means the same everywhere."""
    return (isinstance(value, np.ndarray | np.generic) and type(value).__module__ in ("numpy", "ml_dtypes")
            and is_array_type(value.dtype))


def is_array_type(dtype: np.dtype) -> bool:
    """Whether a NumPy type is one of numbers or texts, and means the same everywhere."""
    return dtype == dtypes.BFLOAT16_NP or dtype.kind in "biufcSU" and dtype.char not in "gG"


def check_key(value: Any) -> Any:
    """A key of a dictionary, or member of a set, from a file. Its hash must not take longer than it took to read it."""
    if type(value) is str or type(value) is int:
        return value
    parts, count = [value], 0
    while parts:
        part = parts.pop()
        if type(part) in (tuple, frozenset, Size):
            count += len(part)
            if count > _LONGEST_KEY:
                raise Refused(f"cannot be loaded: a key of a dictionary has more than {_LONGEST_KEY} parts")
            parts.extend(part)
        elif type(part) not in NUMBERS_AND_TEXTS and not isinstance(part, np.generic) or type(part) is bytearray:
            raise Refused(f"cannot be loaded: a {type(part).__name__} is a key of a dictionary or member of a set")
    return value


def metadata_of(value: Any) -> Any:
    """What PyTorch notes of a state_dict's modules beside its tensors."""
    return getattr(value, "_metadata", None) if type(value) is OrderedDict else None


def set_metadata(target: Any, metadata: Any) -> None:
    """Gives a state_dict PyTorch's notes."""
    target._metadata = metadata


def _at(path: tuple[Any, ...]) -> str:
    shown = "".join(f"[{key!r}]" for key in path)
    return f" at {shown if len(shown) < 200 else shown[:200] + '...'}" if path else ""


def _named(value: Any) -> str:
    name = type(value).__name__
    if isinstance(value, np.ndarray | np.generic):
        return f"a NumPy value of type {value.dtype}"
    return f"an object of type {name}" if not isinstance(value, type) else f"the class {value.__name__}"


def _instead(value: Any) -> str:
    """What to save in a value's place."""
    if not isinstance(value, type) and callable(getattr(value, "state_dict", None)):
        return "save its state_dict() instead, and load it into a new one by load_state_dict(gpunet.load(path))"
    if isinstance(value, Tensor) and hasattr(value, "materialize"):
        return "its size is not known yet: call the model on an example first"
    if isinstance(value, Tensor):
        return "save a plain tensor with its values: value.detach().clone()"
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return "save value._asdict() or tuple(value) instead"
    if isinstance(value, dict):
        return "save dict(value) instead"
    if isinstance(value, enum.Enum):
        return "save its .value instead"
    if isinstance(value, os.PathLike):
        return "save str(value) instead"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "save dataclasses.asdict(value) instead"
    if callable(value):
        return "it is code; save its name or its state instead"
    return f"there are {_KNOWN}; save its state as such values, for instance vars(value)"
