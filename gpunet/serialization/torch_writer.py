"""Writes PyTorch's zip files, which torch.load reads with weights_only=True: a pickle of tensors and plain values."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from gpunet import devices, dtypes
from gpunet.nn.parameter import Parameter
from gpunet.serialization.memory import Storage, places_of
from gpunet.serialization.plain import TENSORS, Found, is_array, metadata_of
from gpunet.size import Size
from gpunet.tensor import Tensor

_STORAGES = {"float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
             "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"}
_ALIGNMENT = 64  # of the storages in the file


def parts_of(state: Any) -> list[Any]:
    """The content of a file, part by part. Raises TypeError or ValueError if the state cannot be saved."""
    found = Found(state)
    storages, places = places_of(found.tensors)
    for number, place in enumerate(places):
        if storages[place.storage].dtype is None:
            path = "".join(f"[{key!r}]" for key in found.paths[number])
            raise TypeError(f"save: the tensor at {path} shares memory with one of another type, which PyTorch's files "
                            "cannot hold; clone() one of them, or leave out format='torch'")
    writer = _Pickle(found, storages, places)
    writer.value(state)
    members: dict[str, Any] = {"data.pkl": writer.content(), ".format_version": b"1",
                               ".storage_alignment": b"%d" % _ALIGNMENT, "byteorder": b"little"}
    members.update((f"data/{number}", storage.content) for number, storage in enumerate(storages))
    return _archive({**members, "version": b"3\n"})


class _Pickle:
    """Writes values that `Found` has seen, by pickle's protocol 2. Each object is written once."""

    def __init__(self, found: Found, storages: list[Storage], places: list[Any]) -> None:
        self._found, self._storages, self._places = found, storages, places
        self._out = bytearray(pickle.PROTO + b"\x02")
        self._memo: dict[Any, int] = {}  # by id of an object; by themselves names and texts
        self._written: list[Any] = []  # the objects, so that no other gets the id of one

    def content(self) -> bytes:
        """The pickle."""
        return bytes(self._out + pickle.STOP)

    def value(self, value: Any) -> None:
        kind = type(value)
        if value is None or kind is bool:
            self._out += {None: pickle.NONE, True: pickle.NEWTRUE, False: pickle.NEWFALSE}[value]
        elif kind is int or kind is float:
            self._out += pickle.dumps(value, 2)[2:-1]
        elif kind is str:
            self._text(value)
        elif kind is dtypes.dtype:
            self._name("torch", value.name)
        elif kind is complex:
            self._call("__builtin__", "complex", value.real, value.imag)
        elif kind is devices.device:
            if value.type == "sim":
                raise TypeError("save: PyTorch's files cannot name the device 'sim'; save it as a text, or leave out "
                                "format='torch'")
            self._call("torch", "device", *([value.type] if value.index is None else [value.type, value.index]))
        elif is_array(value) or kind is frozenset:
            what = "a frozenset" if kind is frozenset else "a NumPy value"
            raise TypeError(f"save: PyTorch loads {what} only by running code; save {_instead(value)}, or leave out "
                            "format='torch'")
        elif not self._again(id(value)):
            if kind in TENSORS:
                self._tensor(value)
            else:
                self._container(value)
            self._remember(id(value))
            self._written.append(value)

    def _container(self, value: Any) -> None:
        kind = type(value)
        if kind is bytes:
            self._call("_codecs", "encode", value.decode("latin1"), "latin1")
        elif kind is bytearray:
            self._call("__builtin__", "bytearray", value.decode("latin1"), "latin-1")
        elif kind is Size:
            self._call("torch", "Size", tuple(value))
        elif kind is set:
            self._call("__builtin__", "set", sorted(value, key=repr))
        elif kind is Counter:
            self._call("collections", "Counter", dict(value))
        elif kind is tuple:
            self._tuple(value)
        elif kind is list:
            self._out += pickle.EMPTY_LIST + pickle.MARK
            for each in value:
                self.value(each)
            self._out += pickle.APPENDS
        elif kind is dict or kind is OrderedDict:
            if kind is dict:
                self._out += pickle.EMPTY_DICT
            else:
                self._call("collections", "OrderedDict")
            self._out += pickle.MARK
            for key, each in value.items():
                self.value(key)
                self.value(each)
            self._out += pickle.SETITEMS
            if metadata := metadata_of(value):
                self.value({"_metadata": metadata})
                self._out += pickle.BUILD

    def _tensor(self, tensor: Tensor) -> None:
        if type(tensor) is Parameter:
            self._name("torch._utils", "_rebuild_parameter")
            self._out += pickle.MARK
            self._plain_tensor(tensor, False)
            self.value(tensor.requires_grad)
            self._call("collections", "OrderedDict")
            self._out += pickle.TUPLE + pickle.REDUCE
        else:
            self._plain_tensor(tensor, tensor.requires_grad)

    def _plain_tensor(self, tensor: Tensor, requires_grad: bool) -> None:
        place = self._places[self._found.number[id(tensor)]]
        storage = self._storages[place.storage]
        dtype = tensor.dtype
        known = dtype.name in _STORAGES
        self._name("torch._utils", "_rebuild_tensor_v2" if known else "_rebuild_tensor_v3")
        self._out += pickle.MARK + pickle.MARK
        self._text("storage")
        if known:
            self._name("torch", f"{_STORAGES[dtype.name]}Storage")
        else:
            self._name("torch.storage", "UntypedStorage")
        self._text(str(place.storage))
        self._text("cpu" if storage.device == "sim" else storage.device)
        self.value(storage.content.size // (dtype.itemsize if known else 1))
        self._out += pickle.TUPLE + pickle.BINPERSID
        self.value(place.offset)
        self._tuple(place.shape)
        self._tuple(place.steps)
        self.value(requires_grad)
        self._call("collections", "OrderedDict")
        if not known:
            self._name("torch", dtype.name)
        self._out += pickle.TUPLE + pickle.REDUCE

    def _call(self, module: str, name: str, *arguments: Any) -> None:
        self._name(module, name)
        self._tuple(arguments)
        self._out += pickle.REDUCE

    def _tuple(self, values: tuple[Any, ...]) -> None:
        self._out += pickle.MARK if values else pickle.EMPTY_TUPLE
        for each in values:
            self.value(each)
        self._out += pickle.TUPLE if values else b""

    def _name(self, module: str, name: str) -> None:
        if not self._again((module, name)):
            self._out += pickle.GLOBAL + f"{module}\n{name}\n".encode()
            self._remember((module, name))

    def _text(self, text: str) -> None:
        if not self._again(text):
            content = text.encode("utf-8", "surrogatepass")
            self._out += pickle.BINUNICODE + struct.pack("<I", len(content)) + content
            self._remember(text)

    def _again(self, key: Any) -> bool:
        """Whether this was written before: then it is taken from there."""
        number = self._memo.get(key)
        if number is not None:
            self._out += pickle.LONG_BINGET + struct.pack("<I", number)
        return number is not None

    def _remember(self, key: Any) -> None:
        self._memo[key] = len(self._memo)
        self._out += pickle.LONG_BINPUT + struct.pack("<I", self._memo[key])


def _instead(value: Any) -> str:
    if isinstance(value, frozenset):
        return "a set"
    return "gpunet.from_numpy(array)" if isinstance(value, np.ndarray) else "value.item()"


class _Parts:
    """The file object to which zipfile writes: it keeps what it is given and copies nothing."""

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self._size = 0

    def write(self, part: Any) -> int:
        self.parts.append(part)
        self._size += memoryview(part).nbytes
        return memoryview(part).nbytes

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass


def _archive(members: dict[str, Any]) -> list[Any]:
    """A zip archive without compression, in which every member's bytes begin at a multiple of _ALIGNMENT."""
    target = _Parts()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[arg-type]
        for name, content in members.items():
            info = zipfile.ZipInfo(f"archive/{name}")
            info.file_size = memoryview(content).nbytes
            large = info.file_size * 1.05 > zipfile.ZIP64_LIMIT  # as zipfile decides
            # The member's header, with the field for large sizes, and the field that fills the gap, as in PyTorch's.
            gap = -(target.tell() + 30 + len(info.filename) + 20 * large + 4) % _ALIGNMENT
            info.extra = b"FB" + struct.pack("<H", gap) + bytes(gap)
            with archive.open(info, "w", force_zip64=large) as member:
                member.write(content)
    return target.parts
