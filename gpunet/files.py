"""Files that are always whole: written under a temporary name, flushed to the disk, and renamed.

A temporary file is locked while it is written, and the system releases a lock when its process ends. So a file that a
killed process left can be told from one that is being written, even where process numbers mean nothing (containers,
folders shared by machines). The next writer removes it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and nothing swept
    fcntl = None

Buffer = Any  # bytes, or what shows its own, such as an array

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.\d+(-[0-9a-f]{8})?\.tmp")
_NAME_KEPT = 40  # characters of the file's name in its temporary's, which must not become too long
_NOT_SUPPORTED = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}  # file systems without locks


def digest(parts: Iterable[Buffer]) -> str:
    """SHA-256 of the parts, one after the other, in hexadecimal."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()


def replace(path: Path, content: bytes | str | Iterable[Buffer], durable: bool = True, mode: int | None = None,
            swept: bool = False) -> None:
    """Writes `content`, whole or in parts, to the file at `path`.

    At every moment, and after a crash, the file is the old one or the new one.

    durable: return only when the disk has the file and its name. mode: the file's permissions; None: those of any new
    file. swept: the folder has been swept, which takes long where it has thousands of files. Raises OSError, which
    names `path`, and leaves the old file as it is.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a rename would put a file in the place of a device
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if not swept:
        sweep(path.parent, [path.name])
    if isinstance(content, str):
        content = content.encode()
    parts = [content] if isinstance(content, bytes) else content
    try:
        temporary, handle = _open_beside(path)
        try:
            with open(handle, "wb") as file:
                if mode is not None:
                    os.chmod(temporary, mode)
                for part in parts:
                    file.write(part)
                file.flush()
                if durable:
                    os.fsync(handle)
                os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def sweep(folder: Path, names: Collection[str] | None = None) -> None:
    """Removes the temporary files that ended processes left in a folder: those for files of these names, or all."""
    for entry in temporaries(folder, names):
        try:
            handle = os.open(entry, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # gone, or somebody else's
            continue
        try:
            if _lock(handle):
                entry.unlink(missing_ok=True)
        except OSError:
            continue
        finally:
            os.close(handle)


def temporaries(folder: Path, names: Collection[str] | None = None) -> list[Path]:
    """The temporary files in a folder, also those being written: those for files of these names, or all."""
    wanted = None if names is None else {name[:_NAME_KEPT] for name in names}
    try:
        entries = os.listdir(folder)
    except OSError:
        return []
    found = [(entry, _TEMPORARY.fullmatch(entry)) for entry in entries if entry.startswith(".")]
    return [Path(folder, entry) for entry, match in found if match and (wanted is None or match["name"] in wanted)]


class Claim:
    """A folder that nobody else may claim until `release`, or until the process ends."""

    def __init__(self, folder: Path) -> None:
        """Raises BlockingIOError if another process, or another Claim in this one, has the folder."""
        self._handle: int | None = None
        if fcntl is None:
            return
        self._handle = os.open(folder, os.O_RDONLY)
        if _lock(self._handle) is False:
            self.release()
            raise BlockingIOError(errno.EWOULDBLOCK, "in use by another process", str(folder))

    def release(self) -> None:
        """Lets others claim the folder."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    __del__ = release


def _open_beside(path: Path) -> tuple[Path, int]:
    """A new file beside `path`, locked."""
    while True:
        temporary = path.with_name(f".{path.name[:_NAME_KEPT]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if _lock(handle) is not False and (fcntl is None or os.fstat(handle).st_nlink):
            return temporary, handle
        os.close(handle)  # swept by another process between the two calls
        temporary.unlink(missing_ok=True)


def _lock(handle: int) -> bool | None:
    """Whether the lock is ours now; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NOT_SUPPORTED:
            return None
        raise
    return True


def _sync_folder(folder: Path) -> None:
    if fcntl is None:
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one may write to a folder and not read it
        return
    try:
        os.fsync(handle)
    except OSError as error:  # some network file systems do it by themselves, and refuse to be asked
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(handle)
