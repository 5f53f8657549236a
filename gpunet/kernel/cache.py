"""Compiled kernels on disk. Files are never changed once they have their name, so readers need no lock."""

import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def directory() -> Path:
    """The folder that new files go to: the first of these that can be written.

    $GPUNET_CACHE_DIR, $XDG_CACHE_HOME/gpunet, ~/.cache/gpunet, and a folder of this user's own under the
    system's temporary folder. It is made when it does not exist.
    """
    for place in _places():
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(place, os.W_OK | os.X_OK) and (place != _temporary_folder() or _is_ours(place)):
            return place
    raise OSError("gpunet found no folder for compiled kernels; set GPUNET_CACHE_DIR to a folder that can be written")


def build(key: str, suffix: str, make: Callable[[Path], None]) -> Path:
    """Path of the file `key + suffix`, made by `make(path)` when there is none yet.

    `make` writes to the path it is given: a temporary name beside the final one, which it gets by one atomic
    rename. So another process, or a process that is killed half-way, never leaves a half-written file behind the
    final name; two processes that build the same file at once both succeed. A file found in a folder that
    cannot be written (a prepared container image) is used from there. What `make` raises is passed on.
    """
    name = key + suffix
    for place in _places():
        path = place / name
        if path.is_file():
            return path
    path = directory() / name
    temporary = path.with_name(f".{key[:16]}-{secrets.token_hex(8)}{suffix}")
    try:
        make(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def _places() -> Iterator[Path]:
    if chosen := os.environ.get("GPUNET_CACHE_DIR"):
        yield Path(chosen)
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        yield Path(chosen) / "gpunet"
    try:
        yield Path.home() / ".cache" / "gpunet"
    except RuntimeError:  # no home folder: a user id without an account, as in some containers
        pass
    if _is_ours(_temporary_folder()):
        yield _temporary_folder()


def _temporary_folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"gpunet-{user}"


def _is_ours(folder: Path) -> bool:
    """True unless somebody else made, or may write to, this folder: what lies in it is run as code."""
    try:
        state = folder.lstat()
    except FileNotFoundError:
        return True
    if not hasattr(os, "getuid"):
        return True
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and not state.st_mode & 0o022
