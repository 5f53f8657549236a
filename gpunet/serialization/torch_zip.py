"""PyTorch's files since 1.6: a zip archive with a pickle, and with the bytes of each storage."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np

from gpunet.serialization import torch_names
from gpunet.serialization.memory import Loaded, Locations, shown
from gpunet.serialization.source import Cursor, Refused, Source, SourceFile
from gpunet.serialization.torch_names import StorageType

_HEADER = struct.Struct("<4s22xHH")  # before each member: a signature, and the lengths of name and extra field


def read(source: Source, locations: Locations) -> Any:
    """The state in an archive. Raises Refused."""
    archive = _Archive(source)
    if "data.pkl" not in archive.members:
        raise Refused("is a zip archive, and no file of torch.save; unpack it, or load an archive of numpy.savez by "
                      "numpy.load")
    storages = _Storages(archive, locations)
    start, size = archive.place("data.pkl")
    return torch_names.run(Cursor(source, start, start + size), storages.of)


class _Member(NamedTuple):
    start: int
    size: int
    checksum: int


class _Archive:
    """The members of an archive: neither compressed nor encrypted, each with bytes of its own."""

    def __init__(self, source: Source) -> None:
        self._source = source
        try:
            with zipfile.ZipFile(SourceFile(source)) as found:
                self.members = self._checked(found)
        except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, EOFError, OverflowError) as error:
            if isinstance(error, Refused):
                raise
            raise Refused(f"is damaged or cut off: it begins as a zip archive, and cannot be read as one ({error})"
                          ) from None

    def _checked(self, found: zipfile.ZipFile) -> dict[str, _Member]:
        members: dict[str, _Member] = {}
        infos = sorted(found.infolist(), key=lambda info: info.header_offset)
        root = infos[0].filename.partition("/")[0] if infos else ""
        if any(info.filename == f"{root}/constants.pkl" for info in infos):
            raise Refused("is a TorchScript archive, which holds code; in PyTorch, save torch.jit.load(path)"
                          ".state_dict()")
        free = 0  # where the next member may begin
        for info in infos:
            folder, _, name = info.filename.partition("/")
            if folder != root or not name or ".." in name.split("/"):
                raise Refused(f"is damaged: its member {info.filename[:100]!r} lies outside of {root[:100]!r}")
            if name in members:
                raise Refused(f"is damaged: it has two members {info.filename[:100]!r}")
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise Refused(f"cannot be loaded: its member {info.filename[:100]!r} is compressed or encrypted, which "
                              "PyTorch's files are not; unpack it and pack it anew without compression (zip -0 -r)")
            signature, *lengths = _HEADER.unpack(self._source.read(info.header_offset, _HEADER.size))
            start = info.header_offset + _HEADER.size + sum(lengths)
            if signature != b"PK\x03\x04" or info.header_offset < free or info.file_size != info.compress_size:
                raise Refused(f"is damaged: its member {info.filename[:100]!r} is not where it should be")
            free = start + info.file_size
            if free > found.start_dir:
                raise Refused(f"is damaged: its member {info.filename[:100]!r} reaches beyond its end")
            members[name] = _Member(start, info.file_size, info.CRC)
        return members

    def place(self, name: str) -> tuple[int, int]:
        """Where a small member begins, and its size."""
        self._check(name, self.content(name))
        return self.members[name][:2]

    def content(self, name: str) -> bytes:
        """The bytes of a small member."""
        start, size, _ = self.members[name]
        content = self._source.read(start, size)
        self._check(name, content)
        return content

    def array(self, name: str, alignment: int) -> np.ndarray:
        """The bytes of a storage."""
        member = self.members.get(name)
        if member is None:
            raise Refused(f"is damaged: it has no member {name[:100]!r}")
        array = self._source.array(member.start, member.size, alignment)
        if not self._source.mapped:
            self._check(name, array)
        return array

    def _check(self, name: str, content: Any) -> None:
        wanted = self.members[name].checksum
        if wanted and wanted != zlib.crc32(content):  # 0: PyTorch was told not to compute it
            raise Refused(f"is damaged: its member {name[:100]!r} does not match its checksum; use another copy")


class _Storages:
    """The storages of an archive, each read once."""

    def __init__(self, archive: _Archive, locations: Locations) -> None:
        self._archive, self._locations = archive, locations
        order = archive.content("byteorder") if "byteorder" in archive.members else b"little"
        if order not in (b"little", b"big"):
            raise Refused(f"is damaged: its byte order is {shown(order)}")
        self._reversed = order == b"big"
        self._found: dict[str, Loaded] = {}

    def of(self, persistent_id: Any) -> Loaded:
        """The storage with an id: ("storage", class, member, device, number of elements)."""
        if type(persistent_id) is not tuple or len(persistent_id) != 5 or persistent_id[0] != "storage":
            raise Refused("is damaged: a storage has no proper name")
        _, kind, key, location, count = persistent_id
        if type(kind) is not StorageType or type(key) is not str or type(count) is not int:
            raise Refused("is damaged: a storage has no proper name")
        itemsize = 1 if kind.dtype is None else kind.dtype.itemsize
        if key not in self._found:
            content = self._archive.array(f"data/{key}", itemsize)
            if self._reversed and itemsize > 1:
                content = content.view(f"u{itemsize}").byteswap().view(np.uint8)
            self._found[key] = self._locations.place(content, location, kind.dtype)
        found = self._found[key]
        if count * itemsize != found.content.size:
            raise Refused(f"is damaged: storage {key[:20]!r} has {found.content.size} bytes, and should have {count} "
                          f"elements of {itemsize}")
        return found if found.dtype == kind.dtype else Loaded(found.device, found.content, kind.dtype)
