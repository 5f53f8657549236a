"""IDX files: the format MNIST comes in.

Two zero bytes, a byte for the dtype, a byte for the number of dimensions, each dimension as a big-endian 32-bit
integer, then the values in C order, big-endian. Source: https://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from os import PathLike
from pathlib import Path

import numpy as np

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class DatasetError(RuntimeError):
    """A dataset's file is missing or damaged. The message is one sentence that names the file and what to do."""


def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """Read an IDX file, plain or compressed by gzip, as a NumPy array in this machine's byte order.

    Raises DatasetError, naming the file, where it is missing, is no IDX file, or has fewer or more values than its
    dimensions say.
    """
    path = Path(path)
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        raise DatasetError(f"{path} is not an IDX file: it starts with the bytes {content[:4].hex(' ') or '(none)'}.")
    dtype, rank = np.dtype(_DTYPES[content[2]]), content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DatasetError(f"{path} is cut off within its header: {len(content)} bytes of {start}.")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, offset=4))
    expected, found = prod(shape) * dtype.itemsize, len(content) - start
    if found != expected:
        what = "is cut off" if found < expected else "has bytes too many"
        raise DatasetError(f"{path} {what}: {found} bytes of values, and its header {shape} says {expected}.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist.") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    if content[:2] != b"\x1f\x8b":  # told by content, not by name: browsers unpack .gz files and keep the name
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DatasetError(f"{path} is a damaged gzip file: {error}.") from error
