"""Compiled kernels on disk.

A file's name ends with the hash of its content, and a file is used only when the two agree: one that is cut off or
damaged is built anew. Files are never changed once they have their name, so readers need no lock. What lies here is run
as code; so folders and files that another user owns or may write to are passed over.
"""

import os
import stat
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path

from gpunet import files
from gpunet._warn import warn

__all__ = ["build", "directory", "find"]

_LEAST_ROOM = 1 << 20  # bytes; a disk with less counts as full
_warned: set[Path] = set()
_swept: set[Path] = set()
# Of a folder its time and its names. A second change may have the first one's time where both are this close together.
_SETTLED = 1_000_000_000  # nanoseconds
_listed: dict[Path, tuple[int, list[str]]] = {}


def directory() -> Path:
    """The folder that new files go to: the first of these that can be used.

    $GPUNET_CACHE_DIR, $XDG_CACHE_HOME/gpunet, ~/.cache/gpunet, and a folder of this user's own under the
    system's temporary folder. It is made when it does not exist.

    Returns:
        The folder's path.

    Raises:
        OSError: no folder can be used; the message says what to do.

    Examples:
        >>> from gpunet.kernel import cache
        >>> cache.directory().is_dir()
        True
    """
    for place in _places():
        if _has_room(place):
            return place
    raise _no_place()


def build(key: str, suffix: str, make: Callable[[], bytes]) -> Path:
    """A file with the content that belongs to a key, made when there is none yet.

    Looks into the folder that `directory` gives, and into those before it, which cannot be written to: a prepared
    container image has its files there. A folder that turns out to be full makes way for the next one. Two processes
    that build the same file at once both succeed. What `make` raises is passed on.

    Args:
        key: of everything that decides the content. The file's name begins with it.
        suffix: the file's name ends with it, such as ".so".
        make: gives the content.

    Returns:
        The file's path.

    Raises:
        OSError: there is no folder with room; the message says what to do.

    Examples:
        >>> from gpunet.kernel import cache
        >>> path = cache.build("example", ".txt", lambda: b"made once")
        >>> path.read_bytes()
        b'made once'
    """
    content = None
    for place in _places():
        found, damaged = _look(place, key, suffix)
        if found:
            return found
        if not _has_room(place):
            continue
        if content is None:
            content = make()
        path = place / f"{key}-{_hash(content)}{suffix}"
        try:
            if place not in _swept:
                _swept.add(place)
                files.sweep(place)
            files.replace(path, content, durable=False, mode=0o644, swept=True)
        except OSError:
            continue
        for each in damaged:
            if each != path:
                each.unlink(missing_ok=True)
        return path
    raise _no_place()


def find(key: str, suffix: str) -> Path | None:
    """The file that `build` has made for a key, without making it.

    Args:
        key: as in `build`.
        suffix: as in `build`.

    Returns:
        The file's path, or None.

    Examples:
        >>> from gpunet.kernel import cache
        >>> print(cache.find("never built", ".txt"))
        None
    """
    for place in _places():
        found, _ = _look(place, key, suffix)
        if found:
            return found
    return None


def _hash(content: bytes) -> str:
    return files.digest([content])[:32]


def _look(place: Path, key: str, suffix: str) -> tuple[Path | None, list[Path]]:
    """The file of a key in a folder, and the damaged ones that have its place."""
    damaged = []
    for name in _names(place, f"{key}-"):
        if not name.endswith(suffix):
            continue
        path = place / name
        try:
            state = path.lstat()
            if not stat.S_ISREG(state.st_mode):  # reading a pipe would never end
                continue
            sound = _is_ours(state) and name == f"{key}-{_hash(path.read_bytes())}{suffix}"
        except OSError:
            continue
        if sound:
            return path, damaged
        damaged.append(path)
    return None, damaged


def _names(place: Path, prefix: str) -> list[str]:
    """The names in a folder that begin so, in order. A folder that has thousands is read again where it has changed."""
    try:
        changed = place.stat().st_mtime_ns
        known, names = _listed.get(place, (0, []))
        if known != changed:
            names = sorted(os.listdir(place))
            if time.time_ns() - changed > _SETTLED:
                _listed[place] = changed, names
    except OSError:
        return []
    return names[bisect_left(names, prefix):bisect_left(names, prefix[:-1] + chr(ord(prefix[-1]) + 1))]


def _has_room(place: Path) -> bool:
    """Whether a file may be put here, as far as one can tell before one tries."""
    if not os.access(place, os.W_OK | os.X_OK):
        return False
    if not hasattr(os, "statvfs"):
        return True
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize >= _LEAST_ROOM


def _no_place() -> OSError:
    return OSError("gpunet found no folder for compiled kernels; set GPUNET_CACHE_DIR to a folder of your own that can "
                   "be written, on a disk that has room")


# ---- places
def _places() -> Iterator[Path]:
    """The folders that may be used, best first. Each is made when it is its turn."""
    for place in _candidates():
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            # In the temporary folder others could have put a link in our folder's place.
            state = place.lstat() if place == _temporary_folder() else place.stat()
        except OSError:
            continue
        if stat.S_ISDIR(state.st_mode) and _is_ours(state):
            yield place
        elif place not in _warned:
            _warned.add(place)
            warn(f"compiled kernels are not kept in {place}, since another user owns it or may write to it; run chmod "
                 "go-w on it, or set GPUNET_CACHE_DIR to a folder of your own", RuntimeWarning)


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("GPUNET_CACHE_DIR"):
        yield Path(chosen)
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        yield Path(chosen) / "gpunet"
    try:
        yield Path.home() / ".cache" / "gpunet"
    except RuntimeError:  # no home folder: a user id without an account, as in some containers
        pass
    yield _temporary_folder()


def _temporary_folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"gpunet-{user}"


def _is_ours(state: os.stat_result) -> bool:
    """Whether nobody but this user, and root, could have put there what is there."""
    if not hasattr(os, "getuid"):
        return True
    return state.st_uid in (0, os.getuid()) and not state.st_mode & 0o022
