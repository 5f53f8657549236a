"""A nested state in one safetensors file: the storages of its tensors, and JSON in the metadata that says the rest.

The file's tensors are the storages, by the path of the first tensor that sees them ("model.0.weight"). Where a tensor
is all of its storage, the file has its type and shape, so that other programs read it too. The JSON is

    {"version": 1, "state": value, "objects": [...], "devices": {storage: device, if it is not the CPU}}

A value is null, a bool, a text, a finite float or an integer of 64 bits as JSON has them, or a list that begins with
its kind: see `_Writer`. Tensors, arrays and containers are objects: each stands in the list after those that are in
it, and ["at", 3] is the fourth. So what occurs twice is written once, nothing is read recursively, and there are no
circles.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from gpunet import devices, dtypes
from gpunet.nn.parameter import Buffer, Parameter
from gpunet.serialization import safetensors_file
from gpunet.serialization.memory import Loaded, Locations, is_shape, places_of, row_major, shown
from gpunet.serialization.plain import TENSORS, Found, check_key, is_array, is_array_type, metadata_of, set_metadata
from gpunet.serialization.source import Refused
from gpunet.size import Size
from gpunet.tensor import Tensor

STATE = "gpunet.state"  # where the file's metadata has the JSON
_VERSION = 1
_ARRAY_TYPE = re.compile(r"[<>|]([biufc]\d{1,2}|[SU]\d{1,8})")


def parts_of(state: Any) -> list[Any]:
    """The content of a file, part by part. Raises TypeError or ValueError if the state cannot be saved."""
    writer = _Writer(Found(state))
    value = writer.value(state)
    text = json.dumps({"version": _VERSION, "state": value, "objects": writer.objects, "devices": writer.devices},
                      allow_nan=False, separators=(",", ":"))
    return safetensors_file.parts_of(writer.entries, {STATE: text})


class _Writer:
    """Writes values that `Found` has seen."""

    def __init__(self, found: Found) -> None:
        self.objects: list[Any] = []
        self.entries: dict[str, np.ndarray] = {}  # the file's tensors
        self.devices: dict[str, str] = {}
        self._found = found
        self._written: dict[int, int] = {}  # containers and arrays, by their ids
        storages, self._places = places_of(found.tensors)
        first: dict[int, int] = {}
        for number, place in enumerate(self._places):
            first.setdefault(place.storage, number)
        self._names: list[str] = []
        for number, storage in enumerate(storages):
            tensor = first[number]
            content = storage.content if storage.dtype is None else storage.content.view(storage.dtype)
            place = self._places[tensor]
            if place.offset == 0 and place.steps == row_major(place.shape) and content.size == math.prod(place.shape):
                content = content.reshape(place.shape)
            self._names.append(self._add(".".join(map(str, found.paths[tensor])), content))
            if storage.device != "cpu":
                self.devices[self._names[-1]] = storage.device

    def value(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**63 else ["int", hex(value)]
        if kind is float:
            return value if math.isfinite(value) else ["float", repr(value)]
        if kind is complex:
            return ["complex", repr(value.real), repr(value.imag)]
        if kind in (bytes, bytearray):
            return [kind.__name__, self._add("bytes", np.frombuffer(value, np.uint8))]
        if kind is dtypes.dtype:
            return ["dtype", value.name]
        if kind is devices.device:
            return ["device", str(value)]
        if id(value) not in self._written:
            write = self._tensor if kind in TENSORS else self._array if is_array(value) else self._container
            written = write(value)
            self._written[id(value)] = len(self.objects)
            self.objects.append(written)
        return ["at", self._written[id(value)]]

    def _container(self, value: Any) -> list[Any]:
        name = type(value).__name__
        if isinstance(value, dict):
            pairs = [[self.value(key), self.value(each)] for key, each in value.items()]
            metadata = metadata_of(value)
            return [name, pairs] if metadata is None else [name, pairs, self.value(metadata)]
        members = [self.value(each) for each in value]
        return [name, sorted(members, key=json.dumps) if isinstance(value, set | frozenset) else members]

    def _array(self, value: Any) -> list[Any]:
        """["ndarray" or "number", the file's tensor that has the bytes, type, shape]"""
        array = np.asarray(value)
        if not array.dtype.itemsize:  # an empty text
            array = array.astype(array.dtype.kind + "1")
        kind = "bfloat16" if array.dtype == dtypes.BFLOAT16_NP else array.dtype.str
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        what = "ndarray" if isinstance(value, np.ndarray) else "number"
        return [what, self._add("array", content), kind, list(array.shape)]

    def _tensor(self, tensor: Tensor) -> list[Any]:
        """["tensor", storage, what the storage does not say, whether it requires gradients]"""
        number = self._found.number[id(tensor)]
        place = self._places[number]
        name = self._names[place.storage]
        stored, about = self.entries[name], {}
        if stored.dtype != tensor._array.dtype:
            about["dtype"] = tensor.dtype.name
        if about or (place.offset, place.shape, place.steps) != (0, stored.shape, row_major(stored.shape)):
            about.update(offset=place.offset, shape=list(place.shape), stride=list(place.steps))
        return [type(tensor).__name__.lower(), name, about, tensor.requires_grad]

    def _add(self, wanted: str, content: np.ndarray) -> str:
        """A tensor of the file, under the wanted name if it is free."""
        name, number = wanted or "state", 1
        while name in self.entries or name == "__metadata__":
            number += 1
            name = f"{wanted}#{number}"
        self.entries[name] = np.require(content, content.dtype.newbyteorder("<"))
        return name


def read(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str], locations: Locations) -> Any:
    """The state in a file's content. Raises Refused if it is damaged."""
    try:
        text = json.loads(metadata[STATE])
        if text["version"] != _VERSION:
            raise Refused(f"was written by a newer gpunet, in version {text['version']!r} of the format; update gpunet")
        return _Reader(arrays, text, locations).value(text["state"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"is damaged: what it says of its state cannot be read ({error!r:.200})") from None


def tensors_of(arrays: Mapping[str, np.ndarray], locations: Locations) -> dict[str, Tensor]:
    """The tensors of a file that says nothing of a state, by name."""
    reader = _Reader(arrays, {"devices": {}, "objects": []}, locations)
    return {name: reader.tensor(name, {}, False) for name in arrays}


class _Reader:
    """The values that a file's JSON describes; each method makes those of one kind."""

    def __init__(self, arrays: Mapping[str, np.ndarray], text: Mapping[str, Any], locations: Locations) -> None:
        self._arrays, self._devices, self._locations = arrays, text["devices"], locations
        self._storages: dict[str, Loaded] = {}
        self._objects: list[Any] = []
        for kind, *about in text["objects"]:
            self._objects.append(_OBJECTS[kind](self, *about))

    def value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value if not isinstance(value, dict) else _no(value)
        kind, *about = value
        return _VALUES[kind](self, *about)

    def at(self, number: Any) -> Any:
        return self._objects[number] if type(number) is int and number >= 0 else _no(number)

    def content(self, name: str) -> np.ndarray:
        return self._arrays[name].reshape(-1).view(np.uint8)

    def members(self, given: list[Any]) -> list[Any]:
        return list(map(self.value, given))

    def keys(self, given: list[Any]) -> list[Any]:
        return list(map(check_key, self.members(given)))

    def pairs(self, given: list[Any]) -> dict[Any, Any]:
        return {check_key(self.value(key)): self.value(value) for key, value in given}

    def ordered(self, given: list[Any], *metadata: Any) -> OrderedDict:
        found = OrderedDict(self.pairs(given))
        for each in self.members(list(metadata)):
            set_metadata(found, each)
        return found

    def size(self, given: list[Any]) -> Size:
        return Size(self.members(given)) if all(type(each) is int for each in given) else _no(given)

    def array(self, name: str, kind: str, shape: list[int]) -> np.ndarray:
        if kind != "bfloat16" and not _ARRAY_TYPE.fullmatch(kind):
            _no(kind)
        dtype, content = dtypes.BFLOAT16_NP if kind == "bfloat16" else np.dtype(kind), self.content(name)
        if not dtype.itemsize or not is_array_type(dtype) or not is_shape(shape, dtype.itemsize) or (
                math.prod(shape) * dtype.itemsize != content.size):
            raise Refused(f"is damaged: an array has {content.size} bytes, and should be {kind} of shape "
                          f"{shown(tuple(shape))}")
        return content.view(dtype).reshape(shape)

    def storage(self, name: str) -> Loaded:
        if name not in self._storages:
            dtype = self._arrays[name].dtype
            self._storages[name] = self._locations.place(self.content(name), self._devices.get(name, "cpu"), dtype)
        return self._storages[name]

    def tensor(self, name: str, about: dict[str, Any], requires_grad: bool) -> Tensor:
        shape = self._arrays[name].shape
        dtype = dtypes._BY_NAME[about["dtype"]].numpy if "dtype" in about else None
        found = self.storage(name).tensor(about.get("offset", 0), about.get("shape", shape),
                                          about.get("stride", row_major(shape)), dtype)
        if requires_grad and not found.is_floating_point():
            raise Refused(f"is damaged: a tensor of type {found.dtype} requires gradients")
        return found.requires_grad_(bool(requires_grad))

    def parameter(self, name: str, about: dict[str, Any], requires_grad: bool) -> Parameter:
        return Parameter(self.tensor(name, about, requires_grad), bool(requires_grad))

    def buffer(self, name: str, about: dict[str, Any], requires_grad: bool) -> Buffer:
        found = Buffer(self.tensor(name, about, requires_grad))
        found.requires_grad_(bool(requires_grad))
        return found


def _no(value: Any) -> NoReturn:
    raise Refused(f"is damaged: {shown(value)} does not belong where it stands in its state")


_VALUES: dict[str, Callable[..., Any]] = {
    "at": _Reader.at,
    "int": lambda _, text: int(text, 16),
    "float": lambda _, text: float(text),
    "complex": lambda _, real, imaginary: complex(float(real), float(imaginary)),
    "bytes": lambda reader, name: reader.content(name).tobytes(),
    "bytearray": lambda reader, name: bytearray(reader.content(name)),
    "dtype": lambda _, name: dtypes._BY_NAME[name],
    "device": lambda _, name: devices.device(name),
}
_OBJECTS: dict[str, Callable[..., Any]] = {
    "list": _Reader.members,
    "tuple": lambda reader, members: tuple(reader.members(members)),
    "Size": _Reader.size,
    "set": lambda reader, members: set(reader.keys(members)),
    "frozenset": lambda reader, members: frozenset(reader.keys(members)),
    "dict": _Reader.pairs,
    "OrderedDict": _Reader.ordered,
    "Counter": lambda reader, pairs: Counter(reader.pairs(pairs)),
    "ndarray": _Reader.array,
    "number": lambda reader, *about: reader.array(*about)[()],
    "tensor": _Reader.tensor,
    "parameter": _Reader.parameter,
    "buffer": _Reader.buffer,
}
