"""Find kernel sources and read them together with the project files they include."""

import functools
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Source", "find", "folder", "read"]

# An installed wheel has the kernels beside this file; a checkout has them at its top.
_HERE = Path(__file__).resolve().parent
_FOLDERS = (_HERE / "sources", _HERE.parents[1] / "kernels")

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """One kernel file with every project file it includes, directly or not.

    Args:
        path: where it is.
        text: its content.
        includes: the included files' text by the name that the `#include` line gives. Headers that come with CUDA
            (cuda_fp16.h, ...) are not among them.
        digest: changes when any of these files changes.
        whole: the text with what the host runs, where `text` is the device's part alone.

    Examples:
        >>> from gpunet.kernel import source
        >>> list(source.read("softmax_ce.cu").includes)
        ['common.cuh', 'softmax_ce.cuh']
    """

    path: Path
    text: str
    includes: dict[str, str] = field(repr=False)
    digest: str
    whole: str | None = field(default=None, repr=False)

    @property
    def full_text(self) -> str:
        """The included files' text followed by the file's own: for looking up declarations, not for compiling."""
        return "\n".join([*self.includes.values(), self.text])


def folder() -> Path:
    """The folder with gpunet's own kernels.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: gpunet was installed without them.

    Examples:
        >>> from gpunet.kernel import source
        >>> (source.folder() / "common.cuh").is_file()
        True
    """
    for candidate in _FOLDERS:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"gpunet's kernel sources are missing: neither {_FOLDERS[0]} nor {_FOLDERS[1]} exists; "
                            "reinstall gpunet")


def find(file: str | os.PathLike[str]) -> Path:
    """Where a kernel file is.

    Args:
        file: an absolute path, or a name in gpunet's own `kernels` folder.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: it is not there.

    Examples:
        >>> from gpunet.kernel import source
        >>> source.find("matmul.cu").name
        'matmul.cu'
    """
    path = Path(file)
    if not path.is_absolute():
        path = folder() / path
    if not path.is_file():
        raise FileNotFoundError(f"kernel source {os.fspath(file)!r} not found at {path}; "
                                "give an absolute path for a file outside gpunet's kernels folder")
    return path


def read(file: str | os.PathLike[str]) -> Source:
    """Read a kernel file and its project includes; the result is kept for as long as none of the files changes.

    Args:
        file: as in `find`.

    Returns:
        The texts.

    Raises:
        FileNotFoundError: the file is not there.

    Examples:
        >>> from gpunet.kernel import source
        >>> "__global__" in source.read("matmul.cu").text
        True
    """
    return _read(find(file))


_cache: dict[Path, tuple[tuple, Source]] = {}


def _read(path: Path) -> Source:
    known = _cache.get(path)
    if known is not None and known[0] == _stamps(files for files, _ in known[0]):
        return known[1]
    files: dict[Path, str] = {}
    includes: dict[str, str] = {}
    _collect(path, files, includes)
    digest = hashlib.sha256()
    for name, text in [(path.name, files[path]), *sorted(includes.items())]:
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    result = Source(path, files[path], includes, digest.hexdigest())
    _cache[path] = (_stamps(files), result)
    return result


def _stamps(paths: Iterable[Path]) -> tuple:
    """What tells whether files changed: cheap, so that a long-lived process notices an edited kernel."""
    def stamp(path: Path) -> tuple[int, int] | None:
        try:
            state = os.stat(path)
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size
    return tuple((path, stamp(path)) for path in paths)


def _collect(path: Path, files: dict[Path, str], includes: dict[str, str]) -> None:
    """Read `path` into `files`, then every project file that it includes into `includes`, depth first."""
    files[path] = path.read_text(encoding="utf-8")
    for name in _INCLUDE.findall(files[path]):
        found = _find_include(name, path.parent)
        if found is None or found in files:
            continue
        _collect(found, files, includes)
        includes[name] = files[found]


@functools.cache
def _find_include(name: str, beside: Path) -> Path | None:
    """The project file that an `#include` names, or None for a header that comes with CUDA."""
    for place in (beside, folder()):
        path = place / name
        if path.is_file():
            return path
    return None
