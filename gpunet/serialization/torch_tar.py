"""PyTorch's files of its first months: a tar archive of storages, tensors in them, and a pickle that names both."""

from __future__ import annotations

import struct
import tarfile
from typing import Any

from gpunet.serialization import torch_names
from gpunet.serialization.memory import Loaded, Locations, shown
from gpunet.serialization.source import Cursor, Refused, Source, SourceFile
from gpunet.serialization.torch_names import StorageType
from gpunet.serialization.unpickler import Name


def read(source: Source, locations: Locations) -> Any:
    """The state in an archive. Raises Refused."""
    try:
        with tarfile.open(fileobj=SourceFile(source), mode="r:") as archive:  # type: ignore[arg-type]
            members = {member.name: member for member in archive if member.isreg() and not member.issparse()}
    except (tarfile.TarError, ValueError, OverflowError, EOFError, OSError, RecursionError) as error:
        raise Refused(f"is damaged or cut off: it begins as a tar archive, and cannot be read as one ({error})"
                      ) from None
    if not {"storages", "tensors", "pickle"} <= members.keys():
        raise Refused("is a tar archive, and no file of torch.save; unpack it and load the files in it")
    parts = {name: Cursor(source, each.offset_data, min(each.offset_data + each.size, source.size))
             for name, each in members.items()}
    reader = _Reader(source, locations)
    reader.storages(parts["storages"])
    reader.tensors(parts["tensors"])
    return torch_names.run(parts["pickle"], reader.object)


class _Reader:
    """The storages and tensors, by their numbers."""

    def __init__(self, source: Source, locations: Locations) -> None:
        self._source, self._locations = source, locations
        self._objects: dict[int, Any] = {}

    def object(self, number: Any) -> Any:
        """What has a number; classes, whose source code may stand beside them, were refused by name."""
        if type(number) is str and number.isdecimal() and len(number) < 20:
            number = int(number)
        if type(number) is not int or number not in self._objects:
            raise Refused(f"is damaged: its pickle names the tensor {shown(number)}, which it does not have")
        return self._objects[number]

    def storages(self, cursor: Cursor) -> None:
        for _ in range(_count(cursor)):
            number, location, kind = _three(torch_names.run_small(cursor))
            if type(number) is not int or type(kind) is not StorageType or kind.dtype is None:
                raise Refused("is damaged: a storage has no proper name")
            size = int.from_bytes(cursor.take(8), "little") * kind.dtype.itemsize
            content = self._source.array(cursor.at, size, kind.dtype.itemsize)
            cursor.jump(size)
            self._objects[number] = self._locations.place(content, location, kind.dtype)
        views = torch_names.run_small(cursor)
        for view in views if type(views) is list else [views]:
            if type(view) is not tuple or len(view) != 4 or any(type(number) is not int for number in view):
                raise Refused("is damaged: a part of a storage has no place")
            number, root, offset, count = view
            self._objects[number] = self.object(root).part(offset, offset + count)

    def tensors(self, cursor: Cursor) -> None:
        for _ in range(_count(cursor)):
            number, storage, kind = _three(torch_names.run_small(cursor))
            found = self.object(storage)
            (dimensions,) = struct.unpack("<i4x", cursor.take(8))
            if type(number) is not int or type(kind) is not Name or type(found) is not Loaded or dimensions < 0:
                raise Refused("is damaged: a tensor has no storage or no proper name")
            numbers = struct.unpack(f"<{2 * dimensions + 1}q", cursor.take(16 * dimensions + 8))
            shape, steps, offset = numbers[:dimensions], numbers[dimensions:-1], numbers[-1]
            self._objects[number] = found.tensor(offset, shape, steps)


def _count(cursor: Cursor) -> int:
    count = torch_names.run_small(cursor)
    if type(count) is not int:
        raise Refused("is damaged: it does not say how many tensors it has")
    return count


def _three(found: Any) -> tuple[Any, Any, Any]:
    if type(found) is not tuple or len(found) != 3:
        raise Refused("is damaged: a tensor or storage in it is not described")
    return found
