"""PyTorch's files before 1.6: three small pickles, the state's, the storages' keys, and then the storages' bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpunet import dtypes
from gpunet.serialization import torch_names
from gpunet.serialization.memory import Loaded, Locations, shown
from gpunet.serialization.source import Cursor, Refused, Source
from gpunet.serialization.torch_names import StorageType

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001


def read(source: Source, locations: Locations) -> Any:
    """The state in a file. Raises Refused."""
    cursor = Cursor(source)
    magic = torch_names.run_small(cursor)
    if magic != _MAGIC:
        raise Refused("is a pickle, and no file of torch.save; gpunet loads no other pickles: save the values by "
                      "gpunet.save or torch.save")
    version = torch_names.run_small(cursor)
    if version != _VERSION:
        raise Refused(f"cannot be loaded: it is of version {shown(version)} of the format, which gpunet does not know")
    torch_names.run_small(cursor)  # about the machine; all numbers are little-endian
    # The storages' bytes, which tensors need, come after the state, and how long they are stands in it.
    state, storages = cursor.at, _Storages(source, locations)
    torch_names.run(cursor, storages.note, torch_names.WITHOUT_VALUES)
    keys = torch_names.run_small(cursor)
    storages.find(keys, cursor.at)
    found = torch_names.run(Cursor(source, state), storages.of)
    source.leave(storages.end)
    return found


class _Storages:
    """The storages of a file, one after the other, each with its number of elements before it."""

    def __init__(self, source: Source, locations: Locations) -> None:
        self._source, self._locations = source, locations
        self._about: dict[str, tuple[np.dtype, str, int]] = {}  # type, device and number of elements, by key
        self._place: dict[str, int] = {}
        self._found: dict[str, Loaded] = {}
        self.end = 0

    def note(self, persistent_id: Any) -> None:
        """Takes down what an id says: ("storage", class, key, device, number of elements, part)."""
        if type(persistent_id) is not tuple or len(persistent_id) not in (5, 6) or persistent_id[0] != "storage":
            raise Refused("is damaged: a storage has no proper name")
        _, kind, key, location, count, *_ = persistent_id
        if type(kind) is not StorageType or type(key) is not str or type(count) is not int or count < 0:
            raise Refused("is damaged: a storage has no proper name")
        about = kind.dtype or dtypes.UINT8_NP, location, count
        if self._about.setdefault(key, about) != about:
            raise Refused(f"is damaged: it describes storage {key[:20]!r} in two ways")

    def find(self, keys: Any, start: int) -> None:
        """Where each storage begins."""
        if type(keys) is not list or sorted(map(str, keys)) != sorted(self._about):
            raise Refused("is damaged: its list of storages is not that of its tensors")
        for key in keys:
            dtype, _, count = self._about[key]
            if int.from_bytes(self._source.read(start, 8), "little") != count:
                raise Refused(f"is damaged: storage {key[:20]!r} does not have {count} elements")
            self._place[key] = start + 8
            start += 8 + count * dtype.itemsize
        self.end = start

    def of(self, persistent_id: Any) -> Loaded:
        """The storage with an id, or the part of it that the id names."""
        key = persistent_id[2]
        dtype, location, count = self._about[key]
        if key not in self._found:
            content = self._source.array(self._place[key], count * dtype.itemsize, dtype.itemsize)
            self._found[key] = self._locations.place(content, location, dtype)
        part = persistent_id[5] if len(persistent_id) == 6 else None
        if part is None:
            return self._found[key]
        if type(part) is not tuple or len(part) != 3 or any(type(number) is not int for number in part[1:]):
            raise Refused(f"is damaged: a part of storage {key[:20]!r} has no place")
        return self._found[key].part(part[1], part[1] + part[2])
