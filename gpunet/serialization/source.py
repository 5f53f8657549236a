"""The bytes of a file, or of an open file object, to read from."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import numpy as np


class Refused(ValueError):
    """A file is damaged, or holds what cannot be loaded: the rest of the sentence that begins with its name."""


class Source:
    """The bytes of a file from a position on. A context manager, which closes what it has opened.

    Args:
        file: a path, or an object with `read`, whose bytes begin where it stands.
        mmap: map the file into memory instead of reading it; paths only.

    Raises:
        OSError: the file cannot be opened.
        TypeError, ValueError: `file` is neither a path nor a binary file object, or cannot be mapped.
    """

    def __init__(self, file: Any, mmap: bool = False) -> None:
        self._opened, self._map = None, None
        if isinstance(file, str | os.PathLike):
            self.name = os.fspath(file)
            if not Path(self.name).is_file():
                known = Path(self.name).exists()
                raise (OSError(errno.EINVAL, "not a regular file", self.name) if known else
                       FileNotFoundError(f"load: there is no file {self.name}"))
            file = self._opened = open(self.name, "rb")
        elif mmap:
            raise ValueError("load: mmap=True needs the path of a file, not an open file")
        else:
            self.name = str(getattr(file, "name", "the file"))
        try:
            self._file, self._start, self.size = _seekable(file)
            if mmap and self.size:
                self._map = np.memmap(self.name, np.uint8, "c")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def mapped(self) -> bool:
        """Whether values are read only when they are used."""
        return self._map is not None

    def read(self, start: int, count: int) -> bytes:
        """`count` bytes from `start` on."""
        self._check(start, count)
        self._file.seek(self._start + start)
        parts, missing = [], count
        while missing:
            part = self._file.read(missing)
            if not part:
                raise Refused("became shorter while it was read")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def array(self, start: int, count: int, alignment: int = 8) -> np.ndarray:
        """`count` bytes from `start` on, to keep and to write to, at an address that is a multiple of `alignment`."""
        self._check(start, count)
        if self._map is not None:
            found = self._map[start : start + count].view(np.ndarray)
            return found if found.ctypes.data % alignment == 0 else found.copy()
        found = np.empty(count, np.uint8)
        if self._opened is None:
            found[:] = np.frombuffer(self.read(start, count), np.uint8)
            return found
        self._file.seek(start)
        view, done = memoryview(found.data), 0
        while done < count:
            got = self._file.readinto(view[done:])
            if not got:
                raise Refused("became shorter while it was read")
            done += got
        return found

    @property
    def whole(self) -> bool:
        """Whether the bytes are all of a file's: then nothing may follow what is read."""
        return self._opened is not None

    def leave(self, at: int) -> None:
        """Places a file object that was passed by its owner behind the first `at` bytes."""
        if self._opened is None:
            self._file.seek(self._start + at)

    def _check(self, start: int, count: int) -> None:
        if not 0 <= start <= start + count <= self.size:
            raise Refused(f"is damaged: it has {self.size} bytes, and says that it has {start + count}")


def _seekable(file: Any) -> tuple[Any, int, int]:
    """A binary file object that can be moved, where it stands, and how many bytes follow."""
    if not hasattr(file, "read"):
        raise TypeError(f"load: expected a path or an open binary file, got {type(file).__name__}")
    if isinstance(file, io.TextIOBase):
        raise TypeError("load: the file is open in text mode; open it with open(path, 'rb')")
    try:
        start = file.tell()
        end = file.seek(0, os.SEEK_END)
        size = (file.tell() if end is None else end) - start
        file.seek(start)
    except (AttributeError, OSError, ValueError):  # a pipe, a socket, a compressed file
        content = file.read()
        return io.BytesIO(content), 0, len(content)
    return file, start, size


class Cursor:
    """A place in a Source from which small pieces are read, one after the other."""

    _CHUNK = 1 << 16

    def __init__(self, source: Source, start: int = 0, end: int | None = None) -> None:
        self._source, self._end = source, source.size if end is None else end
        self._next, self._chunk, self._place = start, b"", 0

    @property
    def at(self) -> int:
        """Where the next piece begins."""
        return self._next - len(self._chunk) + self._place

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if self._place + count > len(self._chunk):
            self._fill(count)
        start, self._place = self._place, self._place + count
        return self._chunk[start : self._place]

    def jump(self, count: int) -> None:
        """Leaves out `count` bytes."""
        self._next, self._chunk, self._place = self.at + count, b"", 0

    def line(self, limit: int = 1000) -> bytes:
        """What is left of the line, without its end."""
        if (end := self._chunk.find(b"\n", self._place)) < 0:
            self._fill(min(limit, self._end - self.at))
            if (end := self._chunk.find(b"\n", self._place, self._place + limit)) < 0:
                raise Refused("is damaged: a name in its pickle has no end")
        found, self._place = self._chunk[self._place : end], end + 1
        return found

    def _fill(self, count: int) -> None:
        """Sees to it that `count` more bytes are at hand."""
        rest = self._chunk[self._place :]
        missing = count - len(rest)
        left = self._end - self._next
        if missing > left:
            raise Refused("is damaged: it ends in the middle of its pickle")
        more = self._source.read(self._next, min(left, max(missing, self._CHUNK)))
        self._next += len(more)
        self._chunk, self._place = rest + more, 0


class SourceFile:
    """A Source as the file object that zipfile and tarfile read."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._source.size)[whence]
        if self._at < 0:
            raise OSError("before the beginning")
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        left = max(0, self._source.size - self._at)
        count = left if count is None or count < 0 else min(count, left)
        found = self._source.read(self._at, count) if count else b""
        self._at += count
        return found

    def seekable(self) -> bool:
        return True
